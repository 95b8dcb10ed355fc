"""Labelled image files, decoded in threads when they are asked for: what every reader of files makes its pools of.

Refuses what the rules of `images.py` refuse, 16-bit images without a window, and 8-bit ones among them; `without_bad` leaves out
a few that can't be read, where that is wished.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, TypeVar

import numpy as np

from searchspaces.errors import BadInput
from trials.data.images import COLOUR_MODES, DEEP, GREY_MODES, File, Seen, Unreadable, codec_warnings, decode, extent, look
from trials.data.levels import Levels, needless_window, no_window
from trials.data.pools import ImageShape, Pool, Pools, Rows, check_classes

if TYPE_CHECKING:
    from PIL.Image import Image

    from searchspaces.arrays import Images, Labels

_BLOCK = 1024  # images handed to the threads at a time
MOST_BAD = 0.01  # of all images, by --skip-bad
_MEASURED = 1000  # 16-bit images whose levels are looked at before a window is asked for
_NAMED = 20
Given = TypeVar("Given")
Result = TypeVar("Result")
Keep: TypeAlias = "Callable[[int, File, Image], None]"


@dataclass
class FilePool:
    """Image files with labels, decoded on demand; `size` is the square that they are made.

    `inner_paths` None: the images have no paths below a class folder. `names` None: they are called by their paths below `root`.
    `seen` has what the headers said of the rows looked at; `bad` names the images that were left out because they can't be read.
    """

    where: str
    files: Sequence[File]
    labels: Labels
    size: int
    root: Path
    inner_paths: Sequence[str] | None = None
    left_out: int = 0
    hidden: tuple[str, ...] = ()
    levels: Levels | None = None
    groups: np.ndarray | None = None
    names: Sequence[str] | None = None
    said: tuple[str, ...] = ()
    bad: tuple[str, ...] = ()
    seen: dict[int, Seen] = field(default_factory=dict)

    def name(self, row: int) -> str:
        """Its path below the folder that the user named, or what its reader calls it."""
        if self.names is not None:
            return self.names[row]
        file = self.files[row]
        return file.relative_to(self.root).as_posix() if isinstance(file, Path) else file.name

    def shape(self, rows: Rows) -> ImageShape:
        """1 channel if all are grey, else 3. Looks at every header: what the rules refuse is named before any is decoded."""
        found = threaded(lambda row: look(self.files[row], self.size), rows.tolist())
        self.seen.update(zip(rows.tolist(), found, strict=True))
        modes = {self.seen[row].mode for row in rows.tolist()}
        self._check_depth(rows, modes)
        return 3 if COLOUR_MODES & modes else 1, self.size, self.size

    def read(self, rows: Rows, out: Images, tick: Callable[[int], None], keep: Keep | None = None) -> None:
        """Decode in threads, in order. `keep(number in rows, file, image)`, if given, gets each image before it is cut."""
        channels = out.shape[1]

        def decoded(given: tuple[int, int]) -> np.ndarray:
            number, file = given[0], self.files[given[1]]
            hand_on = None if keep is None else lambda image: keep(number, file, image)
            return decode(file, self.size, channels, self.levels, hand_on)

        for index, pixels in enumerate(threaded(decoded, list(enumerate(rows.tolist())))):
            out[index] = pixels
            tick(1)

    def unreadable(self) -> Rows:
        """The rows whose files are no whole images. Decodes all."""
        return np.flatnonzero(list(threaded(self._is_bad, range(len(self.files)))))

    def without(self, rows: Rows) -> FilePool:
        """The same pool less some images that can't be read."""
        kept = np.setdiff1d(np.arange(len(self.labels)), rows)
        return replace(
            self,
            files=[self.files[row] for row in kept],
            labels=self.labels[kept],
            inner_paths=_picked(self.inner_paths, kept),
            names=_picked(self.names, kept),
            groups=None if self.groups is None else self.groups[kept],
            bad=(*self.bad, *(self.name(row) for row in rows.tolist())),
            seen={},
        )

    def notes(self) -> tuple[str, ...]:
        """Mixed grey and colour, dropped alpha, the window of 16-bit images, files left out."""
        modes = Counter(seen.mode for seen in self.seen.values())
        name, notes = f"{Path(self.where).name}/" if Path(self.where).is_dir() else Path(self.where).name, [*self.said]
        grey, alpha = sum(modes[mode] for mode in GREY_MODES), modes["RGBA"] + modes["LA"]
        if 0 < grey < modes.total() and COLOUR_MODES & modes.keys():
            notes.append(f"{name}: {grey} of {modes.total()} images are grey; they become RGB like the others")
        if alpha:
            notes.append(f"{name}: alpha is dropped from {alpha} images")
        if modes[DEEP] and self.levels is not None:
            notes.append(f"{name}: 16 bits become 8: level {self.levels.low} is black, {self.levels.high} white (--levels)")
        if self.bad:
            notes.append(f"{name}: left out, can't be read (--skip-bad), {len(self.bad)}: {_some(self.bad, _NAMED)}")
        if self.left_out:
            notes.append(f"{name}: {self.left_out} files are left out, not images by their names")
        if self.hidden:
            notes.append(f"{name}: left out, hidden or no class: {_some([f'{hidden}/' for hidden in self.hidden], 8)}")
        return tuple(notes)

    def _check_depth(self, rows: Rows, modes: set[str]) -> None:
        """16-bit images need a window, and stand alone: what a window does to 8-bit ones nobody has said."""
        deep = [row for row in rows.tolist() if self.seen[row].mode == DEEP]
        if deep and len(modes) > 1:
            other = next(row for row in rows.tolist() if self.seen[row].mode != DEEP)
            raise BadInput(
                f"{str(self.files[deep[0]])!r} has more than 8 bits a channel (16-bit grey), and {self.name(other)} has not: all "
                "images of a set must have the same depth; convert or remove one kind"
            )
        if deep and self.levels is None:
            some = deep[:: -(-len(deep) // _MEASURED)]
            lows, highs = zip(*threaded(lambda row: extent(self.files[row]), some), strict=True)
            raise no_window(f"{str(self.files[deep[0]])!r} and its like ({len(deep)} images)", min(lows), max(highs))
        if self.levels is not None and not deep and len(rows):
            raise needless_window(repr(str(self.files[rows[0]])), self.levels)

    def _is_bad(self, row: int) -> bool:
        try:
            look(self.files[row], self.size)
            decode(self.files[row], self.size, 3, self.levels)
        except Unreadable:
            return True
        except BadInput:  # refused by a rule, which says so when it is looked at
            return False
        return False


def without_bad(pools: Pools) -> Pools:
    """The pools less the images that can't be read, at most 1 % of all; `BadInput` where there are more, or a class is gone."""
    parts = {role: pool for role, pool in (("train", pools.train), ("val", pools.val), ("test", pools.test)) if pool is not None}
    if not all(isinstance(pool, FilePool) for pool in parts.values()):
        raise BadInput(f"--skip-bad: {pools.train.where} holds arrays, not image files; leave it out")
    found = {role: pool.unreadable() for role, pool in parts.items() if isinstance(pool, FilePool)}
    bad, total = sum(map(len, found.values())), sum(len(pool.labels) for pool in parts.values())
    if bad > MOST_BAD * total:
        role = next(role for role, rows in found.items() if len(rows))
        first = parts[role].name(int(found[role][0]))
        raise BadInput(
            f"--skip-bad: {bad} of {total} images can't be read, the first {first!r}; at most {MOST_BAD:.0%} are left out: "
            "repair or remove them"
        )
    whole: dict[str, Pool] = {}
    for role, pool in parts.items():
        whole[role] = pool.without(found[role]) if isinstance(pool, FilePool) and len(found[role]) else pool
    others = tuple(pool for role, pool in whole.items() if role != "train")
    check_classes(pools.classes, whole["train"], others)
    return replace(pools, train=whole["train"], val=whole.get("val"), test=whole.get("test"))


def _picked(names: Sequence[str] | None, rows: Rows) -> Sequence[str] | None:
    return None if names is None else [names[row] for row in rows.tolist()]


def _some(names: Sequence[str], most: int) -> str:
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")


def threaded(work: Callable[[Given], Result], given: Sequence[Given]) -> Iterator[Result]:
    """`work` on each of those given, results in order. The first error in order is raised, and what has not begun is dropped."""
    with codec_warnings(), ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as threads:
        try:
            for start in range(0, len(given), _BLOCK):
                yield from threads.map(work, given[start : start + _BLOCK])
        finally:
            threads.shutdown(wait=True, cancel_futures=True)
