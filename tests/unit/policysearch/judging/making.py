"""Arms, runs and bits for the tests of judging."""

import numpy as np

from policysearch.judging import Arm, Complexity, Runs
from policysearch.judging.crossing import Bits


def arm(label: str, role: str = "trial", ops: float = 2.0, number: int = 0, digest: str = "") -> Arm:
    simple = Complexity(role != "baseline", ops, 3, 1, False, 0, 1)
    return Arm(label, label, label, role, digest or label, {}, {}, label, simple, number)


def answers(wrong: int, total: int = 1000, first: int = 0) -> Bits:
    """Right on all images but `wrong` of them, from the `first` on."""
    bits = np.ones(total, dtype=bool)
    bits[np.arange(first, first + wrong) % total] = False
    return bits


def runs(of: Arm, *errors: float, images: int = 1000) -> Runs:
    """Fresh trainings of which only the errors are known."""
    return Runs(of, dict(enumerate(errors, start=1)), images)
