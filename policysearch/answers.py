"""What a trainer of the user's own may answer, read: the score that it returns, the epochs that it reports.

Whole images are the only truth: counts, or one bit for each image, from whichever library. Refuses everything else, in one line
that says what is allowed. Doesn't import torch.
"""

import math
import operator
from collections.abc import Sequence
from typing import Any

from searchspaces.json_text import one_line
from trials.values import Counts, Epoch, Score

ALLOWED = "allowed are (wrong, total) in whole images, or one bool for each validation image (True = right)"


class NotWhole(Exception):
    """What a function returned or reported is not a count of images; the message says what is allowed, in one line."""


def read_epoch(number: int, wrong: int, total: int, train_loss: float | None) -> Epoch:
    """What was reported; a loss that is not finite is left out. Raises NotWhole for what can't be counts of images."""
    said = f"report(epoch={number!r}, wrong={wrong!r}, total={total!r})"
    counts = _whole(number), _whole(wrong), _whole(total)
    if counts[0] is None or counts[1] is None or counts[2] is None or counts[0] < 1 or not 0 <= counts[1] <= counts[2] != 0:
        raise NotWhole(f"{one_line(said, 120)}: allowed are whole numbers, epoch from 1 and wrong from 0 to total")
    loss = None if train_loss is None else float(train_loss)
    return Epoch(counts[0], loss if loss is not None and math.isfinite(loss) else None, counts[1], counts[2])


def read_score(returned: Any) -> Score | Counts:
    """What the function returned as a score. Raises NotWhole for all that is no count of whole images."""
    if isinstance(returned, Score | Counts):
        return returned
    right = _bits(returned)
    if right:
        return Counts(right.count(False), len(right), right)
    pair = [_whole(value) for value in returned] if isinstance(returned, Sequence) and len(returned) == 2 else [None, None]
    wrong, total = pair
    if wrong is None or total is None:
        raise NotWhole(f"the objective returned {_shown(returned)}: {ALLOWED}")
    if not 0 <= wrong <= total or total == 0:
        raise NotWhole(f"the objective returned {_shown(returned)}: {wrong} wrong of {total} images is impossible; {ALLOWED}")
    return Counts(wrong, total)


def _bits(returned: Any) -> tuple[bool, ...] | None:
    """One bool an image, from a list, a numpy array or a tensor; None for anything else."""
    if str(getattr(returned, "dtype", "")).rpartition(".")[2] == "bool" and getattr(returned, "ndim", 0) == 1:
        return tuple(map(bool, returned.tolist()))
    if isinstance(returned, list | tuple) and all(_is_bool(bit) for bit in returned):
        return tuple(map(bool, returned))
    return None


def _is_bool(value: Any) -> bool:
    return isinstance(value, bool) or (type(value).__name__ in ("bool_", "bool") and getattr(value, "ndim", 1) == 0)


def _whole(value: Any) -> int | None:
    """A whole number, whichever library's; None for anything else, True and False included."""
    if _is_bool(value):
        return None
    try:
        return operator.index(value)
    except (TypeError, ValueError):
        return None


def _shown(value: Any) -> str:
    try:
        return one_line(" ".join(repr(value).split()), 60)
    except Exception:  # a stranger's object may not even have a text
        return f"a {type(value).__name__}"
