"""Search spaces for trainers of one's own: `spaces.randaugment()`, `spaces.photometric()`, one function for each family.

    policy = spaces.randaugment(scale="paper").suggest(optuna_trial)

The functions are made from the family table, so a new family has its own at once.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from searchspaces.errors import BadInput
from searchspaces.families import family_table, find_family
from searchspaces.policy import Base, PadCrop
from searchspaces.space import SearchSpace

PHOTO_BASE = Base(crop=PadCrop(0.125), hflip=0.5)
DIGIT_BASE = Base(crop=PadCrop(0.125))  # a mirrored 2 is no digit


def build_space(name: str, channels: int = 3, base: Base = PHOTO_BASE, **options: Any) -> SearchSpace:
    """The space of the family called `name`, for images with this many channels, on top of `base`.

    `options` are the family's own: `build_space("randaugment", scale="paper")` is `build_space("randaugment:scale=paper")`.
    """
    return find_family(name).having(options).build(channels, base)


def __getattr__(name: str) -> Callable[..., SearchSpace]:
    try:
        find_family(name)
    except BadInput as error:
        raise AttributeError(str(error)) from None
    return partial(build_space, name)


def __dir__() -> list[str]:
    return sorted([*globals(), *(family.name for family in family_table())])
