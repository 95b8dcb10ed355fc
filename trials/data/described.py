"""What a person should know of prepared images before a search: counts, sizes, kinds of pixels, and what is odd about them.

Sizes, kinds and all that is averaged are the training part's; of the test part images are counted, by class, and nothing else.
Refuses nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from trials.data.files import FilePool
from trials.data.naming import in_two_cases

if TYPE_CHECKING:
    from trials.data.chosen import Chosen
    from trials.data.store import SplitName

UNEQUAL = 10  # the largest class has so many times the images of the smallest
TINY = 10  # training images of a class
LONG = 3  # an image's longer side, of its shorter one: the middle square is less than a third
NAMED = 5


@dataclass(frozen=True)
class Sizes:
    """Least, median and largest height and width in pixels, as stored in the files; how many images are smaller than wished for
    (their shorter side is enlarged), and how many are longer than `LONG` times their shorter side.
    """

    height: tuple[int, int, int]
    width: tuple[int, int, int]
    enlarged: int = 0
    long: int = 0

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {"height": list(self.height), "width": list(self.width), "enlarged": self.enlarged, "long": self.long}

    @staticmethod
    def of(heights: Sequence[int], widths: Sequence[int], wished: int | None) -> Sizes:
        """Of the images with these sides; `wished` is what their shorter side is made, if anything is."""
        tall, wide = np.array(heights), np.array(widths)
        short, long = np.minimum(tall, wide), np.maximum(tall, wide)
        enlarged = 0 if wished is None else int((short < wished).sum())
        return Sizes(_spread(tall), _spread(wide), enlarged, int((long > LONG * short).sum()))


def _spread(sides: np.ndarray) -> tuple[int, int, int]:
    return int(sides.min()), int(np.median(sides)), int(sides.max())


def class_counts(chosen: Chosen, splits: Sequence[SplitName]) -> dict[str, list[int]]:
    """Images per class of some splits."""
    labels, classes = chosen.gathered.labels, len(chosen.pools.classes)
    return {split: np.bincount(labels[chosen.positions[split]], minlength=classes).tolist() for split in splits}


def described(chosen: Chosen) -> dict[str, Any]:
    """What meta.json says of the training part: `sizes` and `modes` (kinds of pixels; none for arrays), `grey_rgb`."""
    pool, positions = chosen.gathered.pools["train"], chosen.positions["train"]
    grey_rgb = _is_grey(chosen, positions)
    if not isinstance(pool, FilePool):
        _, height, width = chosen.gathered.shape
        return {"sizes": Sizes.of([height], [width], None).to_dict(), "modes": {}, "grey_rgb": grey_rgb}
    seen = [pool.seen[row] for row in chosen.gathered.rows["train"][positions].tolist()]
    sizes = Sizes.of([one.height for one in seen], [one.width for one in seen], pool.size)
    return {"sizes": sizes.to_dict(), "modes": dict(Counter(one.mode for one in seen).most_common()), "grey_rgb": grey_rgb}


def in_order(modes: Mapping[str, int]) -> list[tuple[str, int]]:
    """Kinds of pixels and how many images have them, the commonest first."""
    return sorted(modes.items(), key=lambda pair: (-pair[1], pair[0]))


def _is_grey(chosen: Chosen, positions: np.ndarray) -> bool:
    """Whether images of three channels have the same in each."""
    images = chosen.gathered.images["train"]
    if images.shape[1] != 3:
        return False
    for start in range(0, len(positions), 1024):
        block = np.asarray(images[positions[start : start + 1024]])
        if not ((block[:, 0] == block[:, 1]).all() and (block[:, 0] == block[:, 2]).all()):
            return False
    return True


def odd(meta: Mapping[str, Any]) -> tuple[str, ...]:
    """Lines about what a training directory's meta.json tells that a person may not expect; its notes are beside these."""
    classes, counts = meta["classes"], np.array(meta["class_counts"]["train"])
    lines = []
    if counts.max() >= UNEQUAL * counts.min():
        most, least = int(counts.argmax()), int(counts.argmin())
        lines.append(
            f"classes are unequal: {classes[most]!r} has {counts[most]} training images, {classes[least]!r} {counts[least]}; "
            "the error counts every image alike"
        )
    tiny = np.flatnonzero(counts < TINY)
    if len(tiny):
        some = ", ".join(f"{classes[row]!r} ({counts[row]})" for row in tiny[:NAMED]) + (", ..." if len(tiny) > NAMED else "")
        lines.append(f"{len(tiny)} classes have fewer than {TINY} training images: {some}")
    twins = in_two_cases(classes)
    if twins is not None:
        lines.append(f"classes {twins[0]!r} and {twins[1]!r} differ in case alone; they are two classes")
    return (*lines, *_odd_pixels(meta))


def _odd_pixels(meta: Mapping[str, Any]) -> list[str]:
    sizes, modes, total = meta["sizes"], meta["modes"], meta["counts"]["train"]
    lines = []
    if sizes["enlarged"]:
        lines.append(f"{sizes['enlarged']} of {total} training images are smaller than --image-size, and are enlarged")
    if sizes["long"]:
        lines.append(
            f"{sizes['long']} of {total} training images are more than {LONG} times as long as wide; only the middle is scored"
        )
    if len(modes) > 1:
        lines.append("kinds of pixels are mixed: " + ", ".join(f"{count} {mode}" for mode, count in in_order(modes)))
    if meta["grey_rgb"]:
        lines.append("all training images are grey, saved with three equal channels: ops of colour change nothing")
    still = [place for place, deviation in enumerate(meta["std"]) if deviation <= 1 / 255]
    if still:
        lines.append(f"channels {', '.join(map(str, still))} (from 0) hardly change over all training images")
    return lines
