"""The grammar of `--model`: NAME, torchvision:NAME, timm:NAME or module:function, each with `:key=value,...` behind it.

Refuses what is not of that form; whether there is such a net is for who builds it to say.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from searchspaces.errors import BadInput
from searchspaces.families.option import LISTED, options_in
from searchspaces.json_text import shown

GRAMMAR = "NAME, torchvision:NAME, timm:NAME or module:function, with :option=value,... behind it"
LONGEST = 200
_LIBRARIES: tuple[Literal["torchvision", "timm"], ...] = ("torchvision", "timm")
_PAPERS_NAME = re.compile(r"wrn-([0-9]+)-([0-9]+)")
_FUNCTION = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")


@dataclass(frozen=True)
class Asked:
    """What net is asked for: where it is from, its name there ("module:function" of the user's own), options as text."""

    source: Literal["built-in", "torchvision", "timm", "own"]
    name: str
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """It again, as it was asked for."""
        prefix = f"{self.source}:" if self.source in _LIBRARIES else ""
        options = LISTED.join(f"{name}={value}" for name, value in self.options.items())
        return f"{prefix}{self.name}{f':{options}' if options else ''}"


def read_model(wish: str) -> Asked:
    """The wish, taken apart. BadInput says what is allowed."""
    if not isinstance(wish, str) or not wish or len(wish) > LONGEST or not wish.isprintable():
        raise BadInput(f"model {shown(wish)}: allowed is {GRAMMAR}")
    parts, options = _apart(wish)
    if (papers := _PAPERS_NAME.fullmatch(parts[0])) and len(parts) == 1:
        return Asked("built-in", f"wideresnet-{papers[1]}", {"k": papers[2], **options})
    for library in _LIBRARIES:
        if parts[0] == library and len(parts) == 2 and parts[1]:
            return Asked(library, parts[1], options)
    if len(parts) == 1 and parts[0] and parts[0] not in _LIBRARIES:
        return Asked("built-in", parts[0], options)
    if len(parts) == 2 and parts[0] not in _LIBRARIES and all(map(_FUNCTION.fullmatch, parts)):
        return Asked("own", ":".join(parts), options)
    raise BadInput(f"model {shown(wish)}: allowed is {GRAMMAR}")


def _apart(wish: str) -> tuple[list[str], dict[str, str]]:
    """The parts of the name, and the options; the last part is options where an equals sign is in it."""
    *parts, last = wish.split(":")
    if "=" not in last or not parts:
        return [*parts, last], {}
    try:
        return parts, dict(options_in(last))
    except BadInput as error:
        raise BadInput(f"model {shown(wish)}: {error}") from None


def as_value(text: str) -> int | float | bool | str:
    """An option's value as a library's function takes it: a number or a truth where it reads as one, else the text."""
    if text in ("true", "True", "false", "False"):
        return text in ("true", "True")
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
