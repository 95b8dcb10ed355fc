"""What each set of views shows a trained net of an image: a tuple of policies, one a view; most have nothing to draw.

Crops are 7/8 of each side, as 224 of 256 pixels are (Krizhevsky et al. 2012, who average the ten), and enlarged to the size of
the image by the op `resized_crop`: bilinear; nothing is reduced, so antialiasing has nothing to do. The draws of "mild" depend on
the image's place in its split and on the view's number alone. Refuses unknown names; holds no generator.
"""

from collections.abc import Iterator
from functools import lru_cache

from searchspaces.draw import draw
from searchspaces.plan import Plan
from searchspaces.policy import Base, Branch, Choice, Constant, PadCrop, Policy, Step, Uniform
from searchspaces.views import checked_views, mild_draws, views_count, views_note
from trials.seeds import numpy_generator

__all__ = ["CROP_SHARE", "MILD_POLICY", "SCALES", "WHOLE", "view_plans", "view_policies", "views_count", "views_note"]

CROP_SHARE = 7 / 8
SCALES = (1.0, 7 / 8, 3 / 4)
WHOLE = Policy()
MILD_POLICY = Policy(
    Base(crop=PadCrop(1 / 16)),  # moved by up to so much of a side
    (
        Branch(
            (
                Step((Choice("brightness_shift", (Uniform(-8.0, 8.0),)),)),  # grey levels
                Step((Choice("contrast_about_128", (Uniform(0.9, 1.1),)),)),
            )
        ),
    ),
)


@lru_cache(maxsize=16)
def view_policies(name: str) -> tuple[Policy, ...]:
    """The views of a set, in order. BadInput for an unknown name."""
    name = checked_views(name)
    if draws := mild_draws(name):
        return (MILD_POLICY,) * draws
    places = ((0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0), (0.5, 0.5))
    crops = [_window(CROP_SHARE, x, y) for x, y in places]
    return {
        "identity": (WHOLE,),
        "hflip": (WHOLE, _view(_MIRROR)),
        "five-crops": tuple(_view(crop) for crop in crops),
        "ten-crops": tuple(_view(*steps) for crop in crops for steps in ((crop,), (crop, _MIRROR))),
        "scales": (WHOLE, *(_view(_window(share, 0.5, 0.5)) for share in SCALES if share < 1)),
    }[name]


def view_plans(name: str, shape: tuple[int, int, int, int]) -> Iterator[Plan | None]:
    """For each view what is done to a split's images, in its order; None where they are left as they are."""
    for number, policy in enumerate(view_policies(name)):
        yield None if policy == WHOLE else draw(policy, shape, numpy_generator("views", number))


_MIRROR = Step((Choice("hflip", (Constant(1.0),)),))


def _window(share: float, x: float, y: float) -> Step:
    """A window of this share of each side, enlarged; `x` and `y` from 0, left and top, to 1, right and bottom."""
    values = (share, share, x * (1 - share), y * (1 - share))
    return Step((Choice("resized_crop", tuple(map(Constant, values))),))


def _view(*steps: Step) -> Policy:
    return Policy(Base(interpolation="bilinear"), (Branch(steps),))
