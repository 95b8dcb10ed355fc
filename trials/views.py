"""What each set of views shows a trained net of an image. Most views are one and the same for every image; "mild" draws.

A crop here keeps the image's scale: a window of the image's size, moved by 1/16 of each side, past whose edge the edge goes on.
That is Krizhevsky's crop (2012: 224 of 256 pixels, ten of them averaged) for nets that see an image as large as it is stored;
enlarged, it would show things larger than nets have met that are trained without enlarging (measured: docs/views.md). Windows of
"scales" are enlarged, and pixels that are only enlarged need no antialiasing. The draws of "mild" depend on the image's place in
its split and on the view's number alone. Refuses unknown names; holds no generator.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import numpy as np
import torch

from searchspaces.arrays import ImageBatch
from searchspaces.draw import draw
from searchspaces.engines import apply
from searchspaces.policy import Base, Branch, Choice, Constant, PadCrop, Policy, Step, Uniform
from searchspaces.views import checked_views, mild_draws, views_count, views_note
from trials.seeds import numpy_generator

__all__ = ["MILD_POLICY", "SCALES", "SHIFT", "Show", "View", "showings", "views_count", "views_note", "views_of"]

SHIFT = PadCrop(1 / 16)
SCALES = (1.0, 15 / 16, 7 / 8)
_WHOLE = Policy()
MILD_POLICY = Policy(
    Base(crop=SHIFT),
    (
        Branch(
            (
                Step((Choice("brightness_shift", (Uniform(-8.0, 8.0),)),)),  # grey levels
                Step((Choice("contrast_about_128", (Uniform(0.9, 1.1),)),)),
            )
        ),
    ),
)

Show: TypeAlias = Callable[[ImageBatch, np.ndarray], ImageBatch]
"""From images and their places in the split to what a net is shown of them; the given images stay as they are."""


@dataclass(frozen=True)
class View:
    """What `policy` makes of an image, then the window `across` and `down` (-1, 0 or 1 times the shift), then mirrored."""

    policy: Policy = _WHOLE
    across: int = 0
    down: int = 0
    mirrored: bool = False

    def windowed(self, images: ImageBatch) -> ImageBatch:
        """The images as the window and the mirror show them, in the same size."""
        if self.across or self.down:
            rows, columns = (
                _places(side, steps, images.device)
                for side, steps in zip(images.shape[2:], (self.down, self.across), strict=True)
            )
            images = images[:, :, rows[:, None], columns]
        return images.flip(3) if self.mirrored else images


@lru_cache(maxsize=16)
def views_of(name: str) -> tuple[View, ...]:
    """The views of a set, in order. BadInput for an unknown name."""
    name = checked_views(name)
    if draws := mild_draws(name):
        return (View(MILD_POLICY),) * draws
    places = ((-1, -1), (1, -1), (-1, 1), (1, 1), (0, 0))
    return {
        "identity": (View(),),
        "hflip": (View(), View(mirrored=True)),
        "five-crops": tuple(View(across=across, down=down) for across, down in places),
        "ten-crops": tuple(View(_WHOLE, *place, mirrored) for place in places for mirrored in (False, True)),
        "scales": tuple(View(_about_the_middle(share)) for share in SCALES),
    }[name]


def showings(name: str, shape: tuple[int, int, int, int]) -> Iterator[Show]:
    """For each view how it shows images of a split of this shape. BadInput for an unknown name."""
    for number, view in enumerate(views_of(name)):
        yield _showing(view, number, shape)


def _showing(view: View, number: int, shape: tuple[int, int, int, int]) -> Show:
    if view.policy == _WHOLE:
        return lambda images, index: view.windowed(images)
    plan = draw(view.policy, shape, numpy_generator("views", number))
    return lambda images, index: view.windowed(apply(images, plan.rows(index)))


def _places(side: int, steps: int, device: torch.device) -> torch.Tensor:
    """Which pixel of a side each place of a window shows that lies so many shifts further; the last one past the edge."""
    return (torch.arange(side, device=device) + steps * SHIFT.pixels(side)).clamp_(0, side - 1)


def _about_the_middle(share: float) -> Policy:
    """The window of this share of each side about the middle, enlarged."""
    if share == 1:
        return _WHOLE
    values = (share, share, (1 - share) / 2, (1 - share) / 2)
    step = Step((Choice("resized_crop", tuple(map(Constant, values))),))
    return Policy(Base(interpolation="bilinear"), (Branch((step,)),))
