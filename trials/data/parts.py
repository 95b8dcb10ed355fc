"""Which images a training gets and which score it, by the name that its spec gives the split.

| name | trained on | scored on |
|---|---|---|
| search | train | val |
| select | train | select, the second validation part |
| fold-I | train and val put together and split anew for the I-th time, in the same sizes | the rest of them |
| all | train, val and select | val, which it has seen: no estimate of anything |

A fold depends on the seed of the splits and on I alone; it is stratified, and what belongs together stays together. No name leads
to a test image. Refuses names that are none of these, and "select" where there is no such part.
"""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from searchspaces.errors import BadInput
from trials.data.grouped import grouped_parts
from trials.data.joined import JoinedImages
from trials.data.store import Split, open_groups, open_split, read_meta
from trials.data.stratified import stratified_parts
from trials.data.whole import WholeImages

if TYPE_CHECKING:
    from searchspaces.arrays import Images

_FOLD = re.compile(r"fold-(0|[1-9][0-9]{0,5})", re.ASCII)


def open_parts(directory: Path, split: str) -> tuple[Split, Split]:
    """(what is trained on, what is scored) of a prepared directory. Images of a fold and of "all" are joined only when picked."""
    fold = _FOLD.fullmatch(split)
    if split not in ("search", "select", "all") and fold is None:
        raise BadInput(f"split {split!r}: allowed are search, select, all and fold-1, fold-2 and so on")
    meta = read_meta(directory)
    train = open_split(directory, "train")
    if split == "select":
        if "select" not in meta["counts"]:
            raise BadInput(f"split 'select': {str(directory)!r} has no second validation part; use fold-1, fold-2 and so on")
        return train, open_split(directory, "select")
    val = open_split(directory, "val")
    if split == "search":
        return train, val
    if split == "all":
        whole = (train, val, *([open_split(directory, "select")] if "select" in meta["counts"] else []))
        return _picked(whole, np.arange(sum(len(part.labels) for part in whole)), "all"), val
    assert fold is not None
    parts = _fold_rows(directory, meta, (train, val), int(fold[1]))
    trained, scored = (_picked((train, val), rows, split) for rows in parts)
    return trained, scored


def _fold_rows(directory: Path, meta: dict[str, Any], whole: tuple[Split, Split], number: int) -> tuple[np.ndarray, ...]:
    labels = np.concatenate([part.labels for part in whole])
    counts = [len(part.labels) for part in whole]
    groups = open_groups(directory, meta)
    seed = [meta["wishes"]["seed"], number]
    if groups is None:
        return stratified_parts(labels, counts, (1, 1), seed)
    return grouped_parts(labels, groups, counts, (1, 1), seed)


def _picked(whole: tuple[Split, ...], rows: np.ndarray, name: str) -> Split:
    """Rows of some splits put end to end, as a split whose fingerprint follows from theirs: no pixel is read for it."""
    origin = [name, *(part.fingerprint for part in whole), hashlib.sha256(rows.astype("<i8").tobytes()).hexdigest()]
    images = cast("Images", JoinedImages([part.images for part in whole], rows))
    labels = np.concatenate([part.labels for part in whole])[rows]
    uncut = [part.whole for part in whole if part.whole is not None]
    kept = WholeImages.joined(uncut, rows) if len(uncut) == len(whole) else None
    return Split(images, labels, whole[0].classes, hashlib.sha256(json.dumps(origin).encode()).hexdigest(), kept)
