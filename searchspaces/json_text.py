"""JSON as text: how we write it and how far we trust it.

Holds the one canonical form (it is what digests cover), a form for people, and a reader for files from strangers. The reader
refuses what Python's own would let pass: NaN and numbers beyond a float, keys given twice, more than 1 MiB, deep nesting.
"""

import json
import math
import re
from collections.abc import Iterator
from typing import Any, NoReturn

from searchspaces.errors import BadInput

MAX_BYTES = 1 << 20
MAX_DEPTH = 32
LINE_COLUMNS = 110


def canonical_json(value: Any) -> str:
    """The one text of a JSON value: keys sorted, no spaces, ASCII, floats as Python's shortest repr. Refuses NaN and infinity."""
    try:
        return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except (ValueError, TypeError, RecursionError) as error:
        raise BadInput(f"JSON: {error}; allowed are finite numbers, text, lists and objects with text keys") from None


def pretty_json(value: Any, indent: str = "") -> str:
    """The same content for people: what fits on a line stays on one."""
    short = json.dumps(value, sort_keys=True, allow_nan=False)
    if len(indent) + len(short) <= LINE_COLUMNS or not isinstance(value, dict | list):
        return short
    deeper = indent + "  "
    if isinstance(value, list):
        if all(isinstance(item, int | float) for item in value):
            return _wrapped(short, deeper)
        parts = [pretty_json(item, deeper) for item in value]
    else:
        parts = [f"{json.dumps(key)}: {pretty_json(value[key], deeper)}" for key in sorted(value)]
    opening, closing = short[0], short[-1]
    return opening + "\n" + ",\n".join(deeper + part for part in parts) + "\n" + indent + closing


def _wrapped(numbers: str, indent: str) -> str:
    """A long list of numbers, filled line by line."""
    lines = [""]
    for word in numbers.split(" "):
        if lines[-1] and len(indent) + len(lines[-1]) + len(word) > LINE_COLUMNS:
            lines.append("")
        lines[-1] += (" " if lines[-1] else "") + word
    return ("\n" + indent).join(lines)


def parse_json(data: bytes, thing: str) -> Any:
    """The value of a JSON text from outside. `thing` names it in errors; every defect is a BadInput of one line."""
    if len(data) > MAX_BYTES:
        raise BadInput(f"{thing}: more than {MAX_BYTES} bytes; allowed is at most 1 MiB")
    text = decoded_text(data, thing)
    try:
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite, parse_int=_whole)
    except json.JSONDecodeError as error:
        raise BadInput(f"{thing}: not JSON at line {error.lineno}, column {error.colno}: {error.msg}") from None
    except _Refused as refused:
        raise BadInput(f"{thing}: {refused}") from None
    except RecursionError:
        raise BadInput(f"{thing}: nested too deep; allowed are at most {MAX_DEPTH} levels") from None
    if any(depth > MAX_DEPTH for depth in _depths(value)):
        raise BadInput(f"{thing}: nested too deep; allowed are at most {MAX_DEPTH} levels")
    return value


def decoded_text(data: bytes, thing: str) -> str:
    """The text of UTF-8 bytes. BadInput for anything else, and for a byte-order mark."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf")):
        raise BadInput(f"{thing}: starts with a byte-order mark; save it as UTF-8 without one")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadInput(f"{thing}: not UTF-8 at byte {error.start}; save it as UTF-8") from None


def one_line(text: str, longest: int = 400) -> str:
    """Text from outside made fit for a message: control, bidi and other unprintable characters escaped, cut when long."""
    plain = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text[: longest + 1])
    return plain if len(plain) <= longest else plain[: longest - 3] + "..."


def shown(value: object) -> str:
    """A value from outside as it appears in a message: short, one line, whatever it is."""
    if isinstance(value, bool | float | str | None):
        return one_line(repr(value[:61] if isinstance(value, str) else value), 60)
    if isinstance(value, int):
        return str(value) if value.bit_length() <= 64 else f"a whole number of {value.bit_length()} bits"
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    return f"a {type(value).__name__}"


class _Refused(Exception):
    """What is wrong with a piece of the text; `parse_json` adds whose it is."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        raise _Refused(f"field {shown(_twice(pairs))} given twice; give it once")
    return result


def _twice(pairs: list[tuple[str, Any]]) -> str:
    """The first key that has been there before; in one pass, for a file may hold 100,000 of them."""
    seen: set[str] = set()
    return next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]


def _no_constant(text: str) -> NoReturn:
    raise _Refused(f"{text} is not a number JSON knows; allowed are finite numbers")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise _Refused(f"{one_line(text, 40)} is beyond what a float holds; allowed are finite numbers")
    return value


def _whole(text: str) -> int:
    # A digit limit of our own: Python's (4,300) is a ValueError of three lines, and can be switched off.
    if not re.fullmatch(r"-?[0-9]{1,20}", text):
        raise _Refused(f"a whole number of {len(text)} digits; allowed are at most 20")
    return int(text)


def _depths(value: Any) -> Iterator[int]:
    """The depth of every object and list in a value, without recursion."""
    waiting = [(value, 1)]
    while waiting:
        item, depth = waiting.pop()
        if isinstance(item, dict | list):
            yield depth
            waiting.extend((child, depth + 1) for child in (item.values() if isinstance(item, dict) else item))
