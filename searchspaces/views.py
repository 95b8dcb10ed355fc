"""Views: how many times, and how changed, a trained net is shown an image before it is judged (test-time augmentation), by name.

Holds the names, what each costs, and how they are searched; what the views are is in `trials.views`. Refuses unknown names.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import TYPE_CHECKING

from searchspaces.errors import BadInput
from searchspaces.json_text import shown
from searchspaces.parameters import Categorical

if TYPE_CHECKING:  # a space brings torch; whoever only checks a name need not wait for it
    from searchspaces.space import SearchSpace

IDENTITY = "identity"
MILD = "mild"
MILD_USUAL, MILD_MOST = 8, 64
SEARCHED = "recipe.views"
"""The parameter of a space that says by which views a point is judged."""


@dataclass(frozen=True)
class ViewSet:
    """`count` views of an image; a trained net is run once for each. `mirrors` where some are mirror images."""

    count: int
    summary: str
    mirrors: bool = False


VIEW_SETS: Mapping[str, ViewSet] = {
    IDENTITY: ViewSet(1, "the image as it is"),
    "hflip": ViewSet(2, "the image and its mirror image", mirrors=True),
    "five-crops": ViewSet(5, "the image, and windows moved from it by 1/16 of each side towards its four corners"),
    "ten-crops": ViewSet(10, "the five crops and their mirror images", mirrors=True),
    "scales": ViewSet(3, "the image, and 15/16 and 7/8 of each side about its middle, enlarged to the whole"),
}
_ALLOWED = f"{', '.join(VIEW_SETS)}, {MILD}:N (N draws of a mild policy, 2 to {MILD_MOST}; {MILD} alone is {MILD}:{MILD_USUAL})"


def checked_views(name: object) -> str:
    """The one way to write a name of views; BadInput for what is none."""
    found = re.fullmatch(rf"{MILD}(?::([1-9][0-9]?))?", name, re.ASCII) if isinstance(name, str) else None
    draws = int(found[1] or MILD_USUAL) if found else 0
    if 2 <= draws <= MILD_MOST:
        return f"{MILD}:{draws}"
    if isinstance(name, str) and name in VIEW_SETS:
        return name
    closest = get_close_matches(name, [*VIEW_SETS, MILD], n=1) if isinstance(name, str) and not found else []
    hint = f"did you mean {closest[0]!r}? " if closest else ""
    raise BadInput(f"views: {shown(name)}; {hint}allowed are {_ALLOWED}")


def mild_draws(name: str) -> int:
    """N of mild:N; 0 for other views."""
    return int(name.removeprefix(f"{MILD}:")) if name.startswith(f"{MILD}:") else 0


def views_count(name: str) -> int:
    """How many views of an image a net is shown: so many times what one costs. BadInput for an unknown name."""
    name = checked_views(name)
    return mild_draws(name) or VIEW_SETS[name].count


def named_views(wish: str) -> tuple[str, ...]:
    """The names of a wish, one or several with commas between. BadInput for unknown ones and for one given twice."""
    parts = wish.split(",") if isinstance(wish, str) else [wish]
    names = tuple(checked_views(part.strip() if isinstance(part, str) else part) for part in parts)
    for name in names:
        if names.count(name) > 1:
            raise BadInput(f"views: {wish!r} has {name} twice; give each once")
    return names


def recipe_views(wish: str) -> str:
    """What the recipe of a study says that has this wish: the one name; "identity" where several are searched."""
    names = named_views(wish)
    return names[0] if len(names) == 1 else IDENTITY


def with_views(space: "SearchSpace", wish: str) -> "SearchSpace":
    """The space with a parameter `recipe.views` of the wished names; the very space where the wish is one name, which is the
    recipe's (`recipe_views`).

    BadInput where the space says itself what its views are.
    """
    names = named_views(wish)
    if names == (IDENTITY,):
        return space
    if SEARCHED in {*(parameter.name for parameter in space.parameters), *space.fixed}:
        raise BadInput(f"views: {wish!r}, but space {space.name} says itself what its views are; leave one of the two out")
    return space if len(names) == 1 else replace(space, parameters=(*space.parameters, Categorical(SEARCHED, names)))


def views_met(space: "SearchSpace", usual: str) -> str:
    """All views, with commas between, by which points of the space may be judged; `usual` where it says nothing of them."""
    for parameter in space.parameters:
        if parameter.name == SEARCHED and isinstance(parameter, Categorical):
            return ",".join(map(str, parameter.choices))
    return str(space.fixed.get(SEARCHED, usual))


def views_note(domain: str, wish: str, mirrors_forbidden: bool = False) -> str | None:
    """A sentence for the user where a wish, one name or several, does not suit the images; None where it does."""
    mirroring = [name for name in named_views(wish) if name in VIEW_SETS and VIEW_SETS[name].mirrors]
    if mirroring and mirrors_forbidden and domain != "digits":
        return f"views {' and '.join(mirroring)}: images are mirrored to be judged, which the study forbids of training images"
    if domain != "digits" or not mirroring:
        return None
    return f"views {' and '.join(mirroring)}: digits are mirrored, and a mirrored digit may be another one or none"
