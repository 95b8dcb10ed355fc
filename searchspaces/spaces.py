"""Search spaces for trainers of one's own: `spaces.randaugment()`, `spaces.photometric()`, one function for each family.

    policy = spaces.randaugment(scale="paper").suggest(optuna_trial)

The functions are made from the family table, so a new family has its own at once. `joint` puts several families into one space,
`from_file` reads a space file, and `build_space` takes all that `--space` takes. docs/spaces.md has the whole of it.
"""

from collections.abc import Callable, Mapping
from functools import partial
from os import PathLike
from typing import Any

from searchspaces.domains import find_domain
from searchspaces.domains.digits import DIGIT_BASE
from searchspaces.domains.photos import LARGE_PHOTO_BASE, PHOTO_BASE
from searchspaces.errors import BadInput
from searchspaces.families import FILES, family_table, find_family, named_family
from searchspaces.families.joining import joined
from searchspaces.families.narrowing import family_from_file, read_space_file
from searchspaces.families.option import LISTED
from searchspaces.policy import Base
from searchspaces.space import SearchSpace

__all__ = [
    "DIGIT_BASE",
    "LARGE_PHOTO_BASE",
    "PHOTO_BASE",
    "build_space",
    "few_trials_note",
    "from_file",
    "joint",
    "lasting_wish",
    "usual_base",
]

TRIALS_A_DIMENSION = 10


def build_space(wish: str | Mapping[str, Any], channels: int = 3, base: Base = PHOTO_BASE, **options: Any) -> SearchSpace:
    """The space that is wished for, for images with this many channels, on top of `base`.

    `wish` is a family, several ("randaugment,photometric"), any of these with the base's ("randaugment+geometry"), the path of a
    space file (ending in .yaml or .yml), or what such a file holds. `options` are a family's own: `build_space("randaugment",
    scale="paper")` is `build_space("randaugment:scale=paper")`.
    """
    return find_family(wish).having(options).build(channels, base)


def usual_base(domain: str, height: int | None = None, width: int | None = None) -> Base:
    """What every image of a domain meets, whatever the policy: digits a crop with padding, photos flips too, and from 128 px on
    (the shorter side) a random resized crop in the place of the padded one, whose few pixels would do little there. Sizes may be
    unknown. BadInput names the domains there are.
    """
    return find_domain(domain).base(height, width)


def joint(*families: str, channels: int = 3, base: Base = PHOTO_BASE) -> SearchSpace:
    """Several families, by name, as one conditional space; the parameter `family` says which of them a point is of."""
    if len(families) < 2:
        raise BadInput(f"joint space of {LISTED.join(families)!r}: give at least two families")
    return joined([named_family(family) for family in families]).build(channels, base)


def from_file(path: str | PathLike[str], channels: int = 3, base: Base = PHOTO_BASE) -> SearchSpace:
    """The space that a YAML file describes, whatever the file is called."""
    return family_from_file(path).build(channels, base)


def lasting_wish(wish: str | Mapping[str, Any]) -> str | dict[str, Any]:
    """The wish as it can be kept, as JSON: what is in a space file instead of its path. `build_space` takes it alike."""
    if isinstance(wish, str):
        return read_space_file(wish) if wish.endswith(FILES) else wish
    return dict(wish)


def few_trials_note(space: SearchSpace, trials: int) -> str | None:
    """A sentence for the user where there are fewer trials than ten for each dimension; None where there are enough.

    A finite space that the trials go all through needs no more.
    """
    wanted = TRIALS_A_DIMENSION * space.dimensions
    cells = space.cells() if trials < wanted else None
    if trials >= wanted or (cells is not None and trials >= len(cells)):
        return None
    few = "a trial" if trials == 1 else f"{trials} trials"
    all_there_are = cells is not None and len(cells) <= wanted
    enough = f"{len(cells or ())}, which are all there are," if all_there_are else f"{wanted} or more,"
    return (
        f"{few} for {space.dimensions} dimensions are few, and chance will have much of the say: give {enough} or search"
        " a smaller space (docs/spaces.md says how to narrow one)"
    )


def __getattr__(name: str) -> Callable[..., SearchSpace]:
    try:
        find_family(name)
    except BadInput as error:
        raise AttributeError(str(error)) from None
    return partial(build_space, name)


def __dir__() -> list[str]:
    return sorted([*globals(), *(family.name for family in family_table())])
