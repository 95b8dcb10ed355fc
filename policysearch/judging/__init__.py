"""How sure a result is: pure functions on whole counts and bits of images, from the search's rows to the verdict.

Knows no ledger, no clock and no files; `policysearch.judgement` reads those. docs/statistics.md has the formulas, and the
simulator in tests/simulation what they are worth.
"""

from policysearch.judging.calibrating import Length, calibrated
from policysearch.judging.complexity import complexity
from policysearch.judging.crossing import crossed_interval, crossed_variance
from policysearch.judging.doubts import doubts
from policysearch.judging.finals import Design, Runs, choose, difference, summarised
from policysearch.judging.noise import Noise, measured_noise
from policysearch.judging.resolving import Sizes, resolution
from policysearch.judging.shrinking import Candidate, best_baselines, optimism, shortlist, shrunk
from policysearch.judging.values import Arm, Calibration, Complexity, Finalist, Optimism, Resolution, Stage, Verdict
from policysearch.judging.verdict import Beside, Tested, chosen, confirmed

__all__ = [
    "Arm",
    "Beside",
    "Calibration",
    "Candidate",
    "Complexity",
    "Design",
    "Finalist",
    "Length",
    "Noise",
    "Optimism",
    "Resolution",
    "Runs",
    "Sizes",
    "Stage",
    "Tested",
    "Verdict",
    "best_baselines",
    "calibrated",
    "choose",
    "chosen",
    "complexity",
    "confirmed",
    "crossed_interval",
    "crossed_variance",
    "difference",
    "doubts",
    "measured_noise",
    "optimism",
    "resolution",
    "shortlist",
    "shrunk",
    "summarised",
]
