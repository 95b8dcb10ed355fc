"""The images that a preparation uses, read once and looked at together: copies among them, images of one colour, labels at odds.

Each image has a position: those of the pool "train" come first, then "val", then "test". Files are decoded into a folder that is
thrown away afterwards; arrays stay where they are. Refuses nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from trials.data.copies import MOST_COMPARED, Pairs, digests, exact_within, near_within
from trials.data.files import FilePool
from trials.data.measured import MOST_PIXEL_BYTES, Keeping, keeping
from trials.data.pools import ArrayPool, ImageShape, Pool, Pools, Rows
from trials.data.splits import Part

if TYPE_CHECKING:
    from searchspaces.arrays import Images, Labels
    from trials.data.store import Draft, SplitName

OnProgress: TypeAlias = Callable[[str, int, int], None]
"""Hears what is being done, with how many images so far, of how many."""
PREPARING, COMPARING = "preparing images", "looking for copies among images"


@dataclass(frozen=True)
class Gathered:
    """Pools by role with the rows that are used (ascending) and their pixels, in the roles' order.

    `keeping` holds the images of train and val before they were cut, where there is more to them.
    """

    pools: Mapping[str, Pool]
    rows: Mapping[str, Rows]
    images: Mapping[str, Images]
    keeping: Keeping | None = None
    on_progress: OnProgress | None = field(default=None, compare=False, repr=False)

    def __len__(self) -> int:
        return sum(map(len, self.rows.values()))

    def start(self, role: str) -> int:
        """The position of a role's first image."""
        names = list(self.rows)
        return sum(len(self.rows[name]) for name in names[: names.index(role)])

    def role(self, position: int) -> str:
        """Which pool an image is from."""
        return next(name for name in reversed(list(self.rows)) if position >= self.start(name))

    def name(self, position: int) -> str:
        """The image, for a person to find it again."""
        role = self.role(position)
        pool, row = self.pools[role], int(self.rows[role][position - self.start(role)])
        return pool.name(row) if pool.inner_paths is not None else f"{pool.name(row)} of {role}"

    def picture(self, position: int) -> np.ndarray:
        """Its pixels (channels, height, width)."""
        role = self.role(position)
        return np.asarray(self.images[role][position - self.start(role)])

    def positions(self, part: Part) -> np.ndarray:
        """Where the images of a part are."""
        role = next(name for name, pool in self.pools.items() if pool is part.pool)
        return np.searchsorted(self.rows[role], part.rows) + self.start(role)

    def pixels(self, positions: np.ndarray, out: Images) -> None:
        """Write the images at some positions of one role to `out`."""
        if len(positions):
            role = self.role(int(positions[0]))
            index = positions - self.start(role)
            for start in range(0, len(index), 4096):
                block = index[start : start + 4096]
                out[start : start + len(block)] = self.images[role][block]

    def save_whole(self, positions: np.ndarray, draft: Draft, name: SplitName) -> None:
        """The images at some positions of one role, uncut, as a split of the draft; nothing where cut ones are all of them."""
        if self.keeping is not None and name != "test":
            role = self.role(int(positions[0]))
            self.keeping.keepers[role].save(draft, name, positions - self.start(role))

    @property
    def shape(self) -> ImageShape:
        """(channels, height, width) of all."""
        channels, height, width = self.images["train"].shape[1:]
        return channels, height, width

    @cached_property
    def labels(self) -> Labels:
        """Class numbers, by position."""
        return np.concatenate([self.pools[name].labels[rows] for name, rows in self.rows.items()])

    @cached_property
    def digests(self) -> np.ndarray:
        """Equal for equal pixels alone, by position."""
        return np.concatenate([digests(images) for images in self.images.values()])

    @cached_property
    def near(self) -> Pairs:
        """Near copies, each pair once, by position."""
        if len(self) > MOST_COMPARED:
            return Pairs(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))
        told = None if self.on_progress is None else partial(self.on_progress, COMPARING)
        return near_within(list(self.images.values()), told)

    @cached_property
    def same(self) -> Pairs:
        """Each image that is the same as an earlier one, with the first such."""
        return exact_within(self.digests)

    def of_one_colour(self) -> np.ndarray:
        """The positions of images whose every channel is constant."""
        found = []
        for name, images in self.images.items():
            for start in range(0, len(images), 4096):
                block = np.asarray(images[start : start + 4096])
                flat = block.reshape(*block.shape[:2], -1)
                constant = (flat.min(axis=2) == flat.max(axis=2)).all(axis=1)
                found.append(np.flatnonzero(constant) + start + self.start(name))
        return np.concatenate(found)

    def disagreeing(self) -> list[tuple[int, int]]:
        """Pairs of the same image with two labels."""
        pairs = zip(self.same.first.tolist(), self.same.second.tolist(), strict=True)
        return [(one, other) for one, other in pairs if self.labels[one] != self.labels[other]]


def gather(
    pools: Pools,
    parts: Mapping[str, Part],
    scratch: Path,
    on_progress: OnProgress | None,
    most_pixel_bytes: int = MOST_PIXEL_BYTES,
) -> Gathered:
    """Read what the parts use. Where the test set is cut from one folder it is all of it, for the cut depends on all.

    Each file is decoded once, for its cut and its uncut pixels; more than `most_pixel_bytes` of these, and JPEG files stay files.
    """
    given = {"train": pools.train, "val": pools.val, "test": pools.test}
    by_role = {role: pool for role, pool in given.items() if pool is not None}
    rows = {role: _used(pool, parts, pools.cut_test) for role, pool in by_role.items()}
    shape = max(
        pool.shape(rows[role]) for role, pool in by_role.items()
    )  # they differ in channels at most: grey ones join RGB ones
    done, total = 0, sum(map(len, rows.values()))

    def tick(images: int) -> None:
        nonlocal done
        done += images
        if on_progress is not None:
            on_progress(PREPARING, done, total)

    kept = keeping(by_role, rows, shape[0], scratch, most_pixel_bytes)
    images: dict[str, Images] = {}
    for role, pool in by_role.items():
        if isinstance(pool, ArrayPool):
            images[role] = pool.images if len(rows[role]) == len(pool.labels) else pool.images[rows[role]]
            tick(len(rows[role]))
            continue
        path = scratch / f"{role}.npy"
        images[role] = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=(len(rows[role]), *shape))
        keeper = None if kept is None else kept.keepers.get(role)
        if keeper is not None and isinstance(pool, FilePool):
            pool.read(rows[role], images[role], tick, keeper.keep)
        else:
            pool.read(rows[role], images[role], tick)
    return Gathered(by_role, rows, images, kept, on_progress)


def _used(pool: Pool, parts: Mapping[str, Part], whole: bool) -> Rows:
    if whole:
        return np.arange(len(pool.labels), dtype=np.int64)
    return np.sort(np.concatenate([part.rows for part in parts.values() if part.pool is pool]))
