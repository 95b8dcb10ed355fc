"""Options of families: what whoever builds a space chooses once, before the search. In text they follow the family's name:
`autoaugment:sub_policies=3,ops=rotate/shear_x`. Refuses unknown names and values.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from searchspaces.errors import BadInput
from searchspaces.json_text import shown
from searchspaces.ops import find_op

NAMED, LISTED, JOINED = ":", ",", "/"  # family:option=value,option=op/op


@dataclass(frozen=True)
class Option:
    """One option. `checked` takes a value or its text and returns the value as `build` gets it, or raises BadInput.

    `meaning` is a line for people. `default` is what `build` does without it; `example` another value, as text.
    """

    name: str
    meaning: str
    default: Any
    example: str
    check: Callable[[object], Any]

    def checked(self, value: object) -> Any:
        """The value as `build` gets it. BadInput names the option and what is allowed."""
        try:
            return self.check(value)
        except BadInput as error:
            raise BadInput(f"option {self.name}: {error}") from None

    def spoken(self, value: Any) -> str:
        """A checked value as text, which `checked` reads back."""
        return JOINED.join(value) if isinstance(value, tuple) else str(value)


def one_of(name: str, meaning: str, allowed: tuple[str, ...]) -> Option:
    """One word of several; the first is the default."""

    def check(value: object) -> str:
        if value not in allowed:
            raise BadInput(f"{shown(value)}; allowed are {', '.join(allowed)}")
        return str(value)

    return Option(name, meaning, allowed[0], allowed[-1], check)


def whole_number(name: str, meaning: str, low: int, high: int, default: int) -> Option:
    """A whole number from `low` to `high`."""

    def check(value: object) -> int:
        number = int(value) if isinstance(value, str) and value.isdecimal() and len(value) < 10 else value
        if isinstance(number, bool) or not isinstance(number, int) or not low <= number <= high:
            raise BadInput(f"{shown(value)}; allowed is a whole number from {low} to {high}")
        return number

    return Option(name, meaning, default, str(low), check)


def op_set(name: str, meaning: str, allowed: Callable[[], Iterable[str]], example: str) -> Option:
    """Ops to choose from, each once: text joined by "/", or a list of names; put in order. None, the family's own, is the
    default.

    `allowed` names the ops that may be chosen; it is called when there is something to check.
    """

    def check(value: object) -> tuple[str, ...]:
        names = tuple(value.split(JOINED)) if isinstance(value, str) else tuple(value) if isinstance(value, list | tuple) else ()
        if not names or len(set(names)) < len(names):
            raise BadInput(f"{shown(value)}; give ops, each once, such as {example}")
        known = tuple(allowed())
        for op in names:
            if op not in known:
                find_op(op)  # says so if there is no such op at all
                raise BadInput(f"{op!r} has no range here; allowed are {', '.join(known)}")
        return tuple(sorted(names))

    return Option(name, meaning, None, example, check)


def options_in(text: str) -> Mapping[str, str]:
    """Options by name from text such as "sub_policies=3,ops=rotate/shear_x"; the values are not checked."""
    found: dict[str, str] = {}
    for item in text.split(LISTED):
        name, equals, value = item.partition("=")
        if not (name and equals and value) or name in found:
            raise BadInput(f"option {shown(item)}; write options as NAME:option=value,option=value, each once")
        found[name] = value
    return found
