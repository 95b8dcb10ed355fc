"""Reading plain JSON values field by field: what is missing, unknown or of another kind is a BadInput that names its path."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from searchspaces.errors import BadInput
from searchspaces.json_text import shown

T = TypeVar("T")


def fields(value: Any, path: str, required: tuple[str, ...], optional: tuple[str, ...] = ()) -> Mapping[str, Any]:
    """An object with exactly these fields."""
    if not isinstance(value, Mapping):
        raise BadInput(f"{path}: {shown(value)}; allowed is an object")
    allowed = ", ".join(required + optional)
    for key in value:
        if key not in required + optional:
            raise BadInput(f"{path}: unknown field {shown(key)}; allowed are {allowed}")
    for key in required:
        if key not in value:
            raise BadInput(f"{path}.{key}: missing; give {allowed}")
    return value


def items(value: Any, path: str) -> list[tuple[Any, str]]:
    """The items of a list, each with its path."""
    if not isinstance(value, list | tuple):
        raise BadInput(f"{path}: {shown(value)}; allowed is a list")
    return [(item, f"{path}[{index}]") for index, item in enumerate(value)]


def number(value: Any, path: str) -> float:
    """A finite number, as a float."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadInput(f"{path}: {shown(value)}; allowed is a number")
    try:
        found = float(value)
    except OverflowError:
        found = float("inf")
    if found - found != 0:
        raise BadInput(f"{path}: {shown(value)}; allowed is a finite number")
    return found


def pair(value: Any, path: str) -> tuple[float, float]:
    """A list of two finite numbers."""
    numbers = [number(item, place) for item, place in items(value, path)]
    if len(numbers) != 2:
        raise BadInput(f"{path}: {len(numbers)} numbers; allowed are two, [low, high]")
    return numbers[0], numbers[1]


def built(path: str, make: Callable[[], T]) -> T:
    """Make a value that checks itself; what it refuses is told with its place."""
    try:
        return make()
    except BadInput as error:
        raise BadInput(f"{path}: {error}") from None


def plain(value: float) -> float:
    """The number as a float that is written in one way only."""
    return float(value) + 0.0  # -0.0 becomes 0.0: they are equal, so their digests must be
