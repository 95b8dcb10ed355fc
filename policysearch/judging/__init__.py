"""How sure a result is: pure functions on whole counts and bits of images, from the search's rows to the verdict.

Knows no ledger, no clock and no files; `policysearch.judgement` reads those. docs/statistics.md has the formulas, and the
simulator in tests/simulation what they are worth.
"""

from policysearch.judging.values import Arm, Calibration, Complexity, Finalist, Optimism, Resolution, Verdict

__all__ = ["Arm", "Calibration", "Complexity", "Finalist", "Optimism", "Resolution", "Verdict"]
