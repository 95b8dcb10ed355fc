"""What a judged study tells, as rows and sentences: command line and report say them alike, word for word.

Every number is the judgement's or the gate's; nothing is estimated here. Says nothing of what was not measured.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from dashboards.queries import StudyView
from policysearch.judging.values import Finalist
from searchspaces.words import counted


@dataclass(frozen=True)
class FinalistRow:
    """A policy trained several times: mean error and its interval as shares of images. `mark` is "winner", "named" or "".

    "Named" is the one baseline that the winner is compared with; `kind` says whether the policy was searched or is a baseline.
    """

    name: str
    words: str
    kind: str
    mark: str
    seeds: int
    mean: float
    low: float
    high: float


def finalist_rows(view: StudyView) -> tuple[FinalistRow, ...]:
    """The finalists, the lowest mean first."""
    rows = (_finalist_row(view, finalist) for finalist in view.judgement.finalists)
    return tuple(sorted(rows, key=lambda row: (row.mean, row.name)))


def finalists_heading(view: StudyView) -> str:
    """What the finalists' errors are of."""
    seeds = max((len(finalist.errors) for finalist in view.judgement.finalists), default=0)
    return f"Finalists: mean error of {counted(seeds, 'fresh training')} each, with its 95 % interval"


def test_rows(view: StudyView) -> tuple[FinalistRow, ...]:
    """The models that had the look at the test set, an arm each: the winner, then the named baseline."""
    if view.figure is None:
        return ()
    return ()


def advice(view: StudyView) -> str:
    """What to do with the policy file, where the verdict is that another policy will do."""
    verdict, winner, baseline = view.judgement.verdict, view.judgement.winner, view.judgement.baseline
    if winner is None or winner.role == "baseline" or baseline is None:
        return ""
    if verdict.kind in ("not-distinguishable", "not-distinguishable-unconfirmed", "worse"):
        return (
            f"policy.json holds the winner of the finalists, {winner.label}. The verdict is that {baseline.label} will do as well:"
            " baseline.json holds that one."
        )
    return ""


def sureness(view: StudyView) -> list[tuple[str, str]]:
    """What bounds the verdict, a name and a sentence each."""
    judgement = view.judgement
    told: list[tuple[str, str | None]] = [
        ("optimism", judgement.optimism.sentence if judgement.optimism else None),
        ("resolution", judgement.resolution.sentence if judgement.resolution else None),
        ("budget", budget_sentence(view)),
        ("looks", looks_sentence(view)),
        ("labels", labels_sentence(view)),
        ("duplicates", duplicates_sentence(view)),
    ]
    return [(name, sentence) for name, sentence in told if sentence]


def budget_sentence(view: StudyView) -> str | None:
    """Whether the budget is long enough to compare policies, with the numbers that say so."""
    calibration = view.judgement.calibration
    if calibration is None:
        return None
    gone_on = " The study went on all the same, as it was told to." if view.facts.get("any_budget") and not calibration.enough else ""
    return calibration.sentence + gone_on


def looks_sentence(view: StudyView) -> str | None:
    """How many other studies had looked at these test images before."""
    if view.claim is None:
        return None
    if not view.claim.looks_before:
        return "No other study of this ledger had looked at these test images before."
    times = counted(view.claim.looks_before, "time")
    return f"Other studies of this ledger had looked at these test images {times} before: the level of the test is stricter for it."


def labels_sentence(view: StudyView) -> str | None:
    """Which ops break a class of these images, in short."""
    return None


def duplicates_sentence(view: StudyView) -> str | None:
    """What was found of duplicates, in short."""
    return None


def duration(seconds: float) -> str:
    """A length of time for people: "43 s", "12 min", "3.5 h"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def percent(share: float) -> str:
    """A share of images, 0 to 1, as a percentage with one decimal: "12.9"."""
    return f"{100 * share:.1f}"


def listed(names: Sequence[str]) -> str:
    """ "a, b and c"."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _finalist_row(view: StudyView, finalist: Finalist) -> FinalistRow:
    arm, judgement = finalist.arm, view.judgement
    won = judgement.winner is not None and arm.key == judgement.winner.key
    named = judgement.baseline is not None and arm.key == judgement.baseline.key
    kind = arm.role if arm.role in ("baseline", "enqueued") else "searched"
    mark = "winner" if won else "named" if named else ""
    return FinalistRow(arm.label, arm.words, kind, mark, len(finalist.errors), finalist.mean, finalist.low, finalist.high)
