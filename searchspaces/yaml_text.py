"""YAML as text from outside: the one reader of it, as strict as that of JSON; and a writer of what that reads.

Plain scalars mean what they look like: numbers as in JSON and Python (`1e-3` and `.5` too), `true`, `false`, `null`; all else is
text, so that `no` is no truth value. Refuses aliases and anchors, tags, keys given twice, several documents, more than 1 MiB,
deep nesting, and what may or may not be a number (`010`, `12:30`, `0x10`). The values are made from the parser's events: the
library constructs nothing.
"""

import json
import math
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from searchspaces.errors import BadInput
from searchspaces.json_text import MAX_BYTES, MAX_DEPTH, decoded_text, one_line, shown

if TYPE_CHECKING:
    import yaml

_WHOLE = re.compile(r"[-+]?(0|[1-9][0-9]{0,19})")
_REAL = re.compile(r"[-+]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]{1,4})?")
_NUMBER_LIKE = re.compile(r"[-+]?(\.?[0-9][0-9_,.:xobeE+-]*|0[xob].*|\.(inf|nan))", re.IGNORECASE)
_WORDS = {"true": True, "false": False, "null": None, "~": None, "": None}


def parse_yaml(data: bytes, thing: str) -> Any:
    """The value of a YAML text from outside. `thing` names it in errors; every defect is a BadInput of one line."""
    if len(data) > MAX_BYTES:
        raise BadInput(f"{thing}: more than {MAX_BYTES} bytes; allowed is at most 1 MiB")
    text = decoded_text(data, thing)
    try:
        import yaml
    except ModuleNotFoundError:
        raise BadInput('pyyaml: it is not installed; install it with: pip install "policysearch[search]"') from None
    try:
        return _Reader(thing, yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))).read()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error)
        raise BadInput(f"{thing}: not YAML{place}: {one_line(problem, 120)}") from None


def read_yaml_mapping(path: str | PathLike[str], thing: str, of_what: str) -> dict[str, Any]:
    """What a YAML file holds, a mapping `of_what`. `thing` names it; BadInput where it can't be read or is no such mapping."""
    try:
        with Path(path).open("rb") as file:
            content = parse_yaml(file.read(MAX_BYTES + 1), thing)
    except OSError as error:
        raise BadInput(f"{thing}: {error.strerror or error}; give the path of a YAML file that can be read") from None
    if not isinstance(content, dict):
        raise BadInput(f"{thing}: {shown(content)}; allowed is a mapping {of_what}")
    return content


def yaml_lines(value: Any, indent: str = "") -> Iterator[str]:
    """A value of JSON as lines that `parse_yaml` reads as the same value: a key a line, text in quotes where it needs them."""
    if isinstance(value, Mapping) and value:
        for key, part in value.items():
            yield from _under(f"{indent}{_written(str(key))}:", part, indent)
    elif isinstance(value, list | tuple) and any(isinstance(part, Mapping | list | tuple) for part in value):
        for part in value:
            yield from _under(f"{indent}-", part, indent)
    else:
        yield f"{indent}{_written(value)}"


def _under(head: str, part: Any, indent: str) -> Iterator[str]:
    lines = list(yaml_lines(part, indent + "  "))
    yield from [f"{head} {lines[0].strip()}"] if len(lines) == 1 and not isinstance(part, Mapping) else [head, *lines]


def _written(value: Any) -> str:
    """A value without mappings in it, on one line; text as it is where the reader takes it for that very text."""
    if isinstance(value, list | tuple):
        return f"[{', '.join(json.dumps(part) for part in value)}]"
    if isinstance(value, str) and value.isprintable():
        with suppress(BadInput):
            if parse_yaml(value.encode(), "text") == value:
                return value
    return json.dumps({} if isinstance(value, Mapping) else value, allow_nan=False)


class _Reader:
    """Makes the value of one document out of events, and nothing that is not a number, a word, a list or a mapping."""

    def __init__(self, thing: str, events: "Iterator[yaml.Event]") -> None:
        self.thing, self.events, self.line = thing, events, 0

    def read(self) -> Any:
        import yaml

        documents: list[Any] = []
        for event in self.events:
            if isinstance(event, yaml.DocumentStartEvent):
                self.line = event.start_mark.line + 1 if event.start_mark else self.line
                if documents:
                    raise self._refused("a second document", "one document a file")
                documents.append(self._value(next(self.events), 1))
        return documents[0] if documents else None

    def _value(self, event: "yaml.Event", depth: int) -> Any:
        import yaml

        self._check_plain(event)
        if depth > MAX_DEPTH:
            raise self._refused("nested too deep", f"at most {MAX_DEPTH} levels")
        if isinstance(event, yaml.SequenceStartEvent):
            return list(self._items(depth))
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(depth)
        assert isinstance(event, yaml.ScalarEvent)
        return event.value if event.style else self._scalar(event.value)

    def _check_plain(self, event: "yaml.Event") -> None:
        import yaml

        self.line = event.start_mark.line + 1 if event.start_mark else self.line
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise self._refused(f"an alias or anchor ({shown(getattr(event, 'anchor', ''))})", "values written out")
        if getattr(event, "tag", None):
            raise self._refused(f"a tag ({shown(getattr(event, 'tag', ''))})", "plain values without tags")

    def _items(self, depth: int) -> Iterator[Any]:
        import yaml

        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            yield self._value(event, depth + 1)

    def _mapping(self, depth: int) -> dict[str, Any]:
        import yaml

        found: dict[str, Any] = {}
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            self._check_plain(event)
            if not isinstance(event, yaml.ScalarEvent):
                raise self._refused("a key that is no text", "words as keys")
            if event.value in found:
                raise self._refused(f"key {shown(event.value)} given twice", "each key once")
            found[event.value] = self._value(next(self.events), depth + 1)
        return found

    def _scalar(self, text: str) -> Any:
        if text in _WORDS:
            return _WORDS[text]
        if _WHOLE.fullmatch(text):
            return int(text)
        if _REAL.fullmatch(text):
            if math.isfinite(number := float(text)):
                return number
            raise self._refused(f"{one_line(text, 40)} is beyond what a float holds", "finite numbers")
        if _NUMBER_LIKE.fullmatch(text):
            raise self._refused(f"{one_line(text, 40)} has several readings as a number", "such as 10, 0.5, 1e-3; quote text")
        return text

    def _refused(self, what: str, allowed: str) -> BadInput:
        return BadInput(f"{self.thing}: line {self.line}: {what}; allowed are {allowed}")
