"""What makes a result doubtful though nothing failed: nothing wrong, one answer for all, no better than naming one class.

A training that diverges fails, and can't win. These ones can, and the verdict says so. Says nothing of scores without confusion
counts but that nothing is wrong, and nothing where all scored images are of one class.
"""

from collections.abc import Iterable, Sequence

from policysearch.judging.in_words import percent

Confusion = Sequence[Sequence[int]]
"""`confusion[t][p]` counts images of class t taken for class p."""

NOTHING_WRONG = (
    "Doubtful: not one of the {total:,} images is wrong. Data may be that easy; a label may also be readable from the"
    " images (a mark, a border, another camera), or there are copies: look before you rely on it."
)
ONE_ANSWER = (
    "Doubtful: its net takes all {total:,} images for one class, so it has learned nothing that tells them apart;"
    " train for longer or at another rate."
)
NO_BETTER = (
    "Doubtful: {right} % of the {total:,} images are right, and whoever named the commonest class for each would have {chance} %;"
    " train for longer, and check the labels."
)


def doubt(wrong: int, total: int, confusion: Confusion | None) -> str:
    """One sentence on why a score is doubtful; empty where it isn't."""
    if wrong == 0:
        return NOTHING_WRONG.format(total=total)
    if confusion is None or sum(any(row) for row in confusion) < 2:
        return ""
    if sum(any(column) for column in zip(*confusion, strict=True)) == 1:
        return ONE_ANSWER.format(total=total)
    commonest = max(map(sum, confusion))
    if total - wrong > commonest:
        return ""
    return NO_BETTER.format(right=percent(1 - wrong / total), total=total, chance=percent(commonest / total))


def doubts(scores: Iterable[tuple[int, int, Confusion | None]]) -> tuple[str, ...]:
    """The first doubt of (wrong, total, confusion) of one policy's trainings, or none."""
    return next(((found,) for each in scores if (found := doubt(*each))), ())
