"""Fuzzed policy files: case `number` of `seed` is the same bytes for ever. What a case tries is its kind.

Half of the files are near misses of the grammar (`valid`, `spelling`, `tree`, `token`), the rest is bytes, encodings and giants.
"""

import codecs
import gzip
import json
from collections.abc import Callable
from copy import deepcopy
from random import Random
from typing import Any

from fuzz.grammar import OPS, policy_file

MIB = 2**20
GIANT_EVERY = 5_000
"""Every so many cases there is one that costs a second or a hundred megabytes."""

ODD_TOKENS = (
    *("NaN", "Infinity", "-Infinity", "nan", "1e999", "-1e999", "1e-999", "4.9e-324", "1.7976931348623157e308", "1e308"),
    *("00", "01", "-", "+1", ".5", "5.", "1e", "0x10", "1_000", "１", "٣", "1" * 20, "1" * 21, "9" * 4301, "-" + "9" * 5000),
    *("0." + "3" * 3000, "1e" + "9" * 3000, "true", "false", "null", "None", "True", '""', '"\\ud800"', '"\\u0000"', "[]", "{}"),
    *(
        "'text'",
        "undefined",
        "1n",
        "-0",
        "-0.0",
        "0e0",
        "18446744073709551616",
        "9223372036854775808",
        "0.1e1",
        "1E0",
        "// x",
        "/**/1",
    ),
)
ODD_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 0.5, -0.5, 2, 1e-300, 1e300, 255, 256, 1024, 2**53, 2**63, 10**19, -(10**19), "", "a", "1"),
    *([], {}, [[]], [None], {"a": 1}, "nearest", "rotate", "\x00", "\u202e", "\ud800", "x" * 5000, [0] * 1025, [1, 0], [0, 1, 2]),
)
ODD_NAMES = (
    *("os.system", "__import__", "__class__", "identity ", " identity", "Identity", "rotate\x00", "rotate\n", "../rotate", ""),
    *(
        "albumentations:Lambda",
        "albumentations:os",
        "albumentations:",
        "http://localhost/",
        "file:///etc/passwd",
        "x" * 10_000,
        "旋转",
    ),
)
CODINGS = (
    "utf-16",
    "utf-16-le",
    "utf-16-be",
    "utf-32",
    "utf-32-le",
    "utf-7",
    "latin-1",
    "cp1252",
    "utf-8-sig",
    "cp037",
    "shift-jis",
)


def case(seed: int, number: int) -> tuple[str, bytes]:
    """The kind of this case, and its bytes."""
    rng = Random(f"policysearch fuzz {seed} {number}")
    if number % GIANT_EVERY == GIANT_EVERY - 1:
        giant = GIANTS[number // GIANT_EVERY % len(GIANTS)]
        return f"giant: {giant.__name__}", giant(rng)
    kind = rng.choices(tuple(KINDS), tuple(KINDS.values()))[0]
    return kind.__name__, kind(rng)


def valid(rng: Random) -> bytes:
    return json.dumps(policy_file(rng)).encode()


def spelling(rng: Random) -> bytes:
    """The same values in other words: spaces, order of fields, escapes, ways to write a number."""
    text = json.dumps(_shuffled(policy_file(rng), rng), indent=rng.choice((None, 0, 1, 7, "\t")), ensure_ascii=rng.random() < 0.5)
    for old, new in (
        (" ", "  "),
        (": ", "\r\n:\t"),
        ('"op"', '"\\u006fp"'),
        ("0.5", "5e-1"),
        ("0.5", "0.50"),
        ("1.0", "1E+0"),
        ("[", "[\n"),
    ):
        text = text.replace(old, new) if rng.random() < 0.2 else text
    return text.encode()


def tree(rng: Random) -> bytes:
    """One to three changes to the values: something odd in a place, a field more or less, an op of no such name, a long list."""
    content = policy_file(rng)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        places = _places(content)
        if not places:
            break
        place, key = rng.choice(places)
        rng.choice((_replaced, _replaced, _renamed, _removed, _added, _repeated, _swapped, _near))(place, key, rng)
    return json.dumps(content).encode("utf-8", "surrogatepass" if rng.random() < 0.5 else "replace")


def token(rng: Random) -> bytes:
    """One token of the text replaced by an odd one, or a field given twice."""
    text = json.dumps(policy_file(rng))
    if rng.random() < 0.25:
        key = rng.choice(("schema", "policy", "base", "op", "weight", "values", "steps", "constant", "signed", "hflip", "fill"))
        return text.replace(f'"{key}":', f'"{key}": {rng.choice(ODD_TOKENS)}, "{key}":', 1).encode()
    starts = [index for index, letter in enumerate(text) if letter in "0123456789" and text[index - 1] in " [{:"]
    start = rng.choice(starts) if starts else 0
    end = next((index for index in range(start, len(text)) if text[index] in ",]} "), len(text))
    return (text[:start] + rng.choice(ODD_TOKENS) + text[end:]).encode()


def garbled(rng: Random) -> bytes:
    """Bytes flipped, put in, taken out, repeated or cut off."""
    data = bytearray(valid(rng))
    for _ in range(rng.choice((1, 1, 2, 5, 40))):
        start = rng.randrange(len(data) + 1)
        end = min(len(data), start + rng.choice((0, 1, 1, 2, 8, 100)))
        new = rng.choice(
            (
                b"",
                rng.randbytes(1),
                rng.randbytes(4),
                bytes(data[start:end]) * 2,
                b'"',
                b"{",
                b"}",
                b"[",
                b"]",
                b",",
                b"\\",
                b"\0",
            )
        )
        data[start:end] = new
    return bytes(data[: rng.randrange(len(data) + 1)] if rng.random() < 0.1 else data)


def coding(rng: Random) -> bytes:
    """In another encoding, behind a byte-order mark, packed, or in UTF-8 that no decoder may take."""
    text = json.dumps(policy_file(rng), ensure_ascii=False)
    ways: tuple[Callable[[], bytes], ...] = (
        lambda: text.encode(rng.choice(CODINGS), "replace"),
        lambda: rng.choice((codecs.BOM_UTF8, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_LE)) + text.encode(),
        lambda: gzip.compress(text.encode()),
        lambda: text.encode().replace(
            b"p", rng.choice((b"\xc1\xb0", b"\xed\xa0\x80", b"\xf8\x88\x80\x80\x80", b"\xff", b"\xe2\x80")), 1
        ),
        lambda: rng.randbytes(rng.choice((0, 1, 2, 100, 5000))),
        lambda: text.encode() + rng.choice((b"\0", b"\x1a", b"\n" * 999, b" {}", b"]", text.encode())),
        lambda: rng.choice(
            (b"", b" ", b"null", b"0", b'""', b"[]", b"{}", b"\xef\xbb\xbf", b"\0" * 99, b'{"schema":"policysearch.policy/2"}')
        ),
    )
    return rng.choice(ways)()


def large(rng: Random) -> bytes:
    """Around what is allowed in size: 1 MiB, 1,024 branches, 16 steps, 1,024 levels, 32 levels of nesting, many choices."""
    content = policy_file(rng)
    branches = content["policy"]["branches"]
    what = rng.randrange(7)
    if what == 0:
        content["policy"]["branches"] = branches * (rng.choice((1020, 1024, 1025, 1030)) // len(branches) + 1)
    elif what == 1:
        branches[0]["steps"] = (
            branches[0]["steps"] or [{"probability": 1, "choices": [_choice("invert", "amount", 1)]}]
        ) * rng.choice((5, 16, 17))
    elif what == 2:
        levels = [rng.uniform(-9, 9) for _ in range(rng.choice((1023, 1024, 1025, 9000)))]
        choice = _choice("rotate", "degrees", 1) | {"values": {"degrees": {"levels": levels}}}
        branches[0]["steps"] = [{"probability": 1, "choices": [choice]}]
    elif what == 3:
        number = rng.choice((100, 5_000, 20_000))
        branches[0]["steps"] = [
            {"probability": 1, "choices": [_choice("rotate", "degrees", index % 180) for index in range(number)]}
        ]
    elif what == 4:
        content["provenance"] = {"note": "x" * (MIB - len(json.dumps(content)) + rng.randint(-40, 5))}
    elif what == 5:
        deep: Any = 1
        for _ in range(rng.choice((20, 29, 30, 31, 32, 33, 500))):
            deep = [deep] if rng.random() < 0.5 else {"a": deep}
        content["provenance"] = {"deep": deep}
    else:
        content["provenance"] = {f"{index:x}": index for index in range(rng.choice((1000, 40_000)))}
    return json.dumps(content).encode()


def a_million_ops(rng: Random) -> bytes:
    choice = json.dumps(_choice("invert", "amount", 1)).encode()
    return _around(b'{"probability":1,"choices":[' + choice + (b"," + choice) * (10**6 - 1) + b"]}")


def a_million_unknown_ops(rng: Random) -> bytes:
    return _around(b'{"probability":1,"choices":[' + b",".join(b'{"op":"n%d"}' % index for index in range(10**6)) + b"]}")


def a_hundred_megabytes_of_spaces(rng: Random) -> bytes:
    return b" " * (100 * MIB) + valid(rng)


def a_hundred_megabytes_of_text(rng: Random) -> bytes:
    return b'{"schema":"' + b"a" * (100 * MIB) + b'"}'


def a_hundred_thousand_deep(rng: Random) -> bytes:
    return rng.choice((b"[" * 100_000, b"[" * 100_000 + b"]" * 100_000, b'{"a":' * 100_000 + b"1" + b"}" * 100_000))


def a_hundred_thousand_deep_inside(rng: Random) -> bytes:
    return b'{"schema":"policysearch.policy/1","policy":' + b"[" * 100_000 + b"]" * 100_000 + b"}"


def a_million_digits(rng: Random) -> bytes:
    return b'{"schema":' + b"9" * (MIB - 100) + b"}"


def a_float_of_a_million_digits(rng: Random) -> bytes:
    return b'{"schema":0.' + b"9" * (MIB - 100) + b"}"


def a_name_of_a_million_letters(rng: Random) -> bytes:
    return _around(b'{"probability":1,"choices":[{"weight":1,"values":{},"op":"' + b"ab" * (MIB // 2 - 200) + b'"}]}')


def many_fields_and_the_last_one_twice(rng: Random) -> bytes:
    fields = b",".join(b'"%x":0' % index for index in range(95_000))
    return b"{" + fields + b',"%x":0}' % 94_999


def many_fields_that_hash_alike(rng: Random) -> bytes:
    """Whole numbers of one remainder would collide in a set; text can't be aimed so, but let it be tried."""
    return b"{" + b",".join(b'"%d":%d' % (index * (2**61 - 1), index * (2**61 - 1) % 10**19) for index in range(20_000)) + b"}"


def as_many_choices_as_fit(rng: Random) -> bytes:
    choice = json.dumps(_choice("posterize", "bits_kept", 4), separators=(",", ":")).encode()
    return _around(b'{"probability":1,"choices":[' + choice + (b"," + choice) * ((MIB - 400) // (len(choice) + 1) - 1) + b"]}")


def as_many_levels_as_fit(rng: Random) -> bytes:
    """256 branches of 16 steps of as many ops as the size allows: the longest plan there is."""
    step = b'{"choices":[{"op":"invert","values":{"amount":{"constant":1}},"weight":1}],"probability":1}'
    branch = b'{"weight":1,"steps":[' + step + (b"," + step) * 15 + b"]}"
    policy = b'"placement":"after-crop","base":{"crop":null,"hflip":0,"interpolation":"nearest","fill":0}'
    return b'{"schema":"policysearch.policy/1","policy":{' + policy + b',"branches":[' + branch + (b"," + branch) * 680 + b"]}}"


def backslashes(rng: Random) -> bytes:
    return b'{"schema":"' + b"\\" * (MIB - 100) + b'"}'


def surrogates(rng: Random) -> bytes:
    return b'{"schema":"' + b"\\ud800" * 170_000 + b'"}'


KINDS: dict[Callable[[Random], bytes], int] = {valid: 36, spelling: 20, tree: 68, token: 28, garbled: 32, coding: 12, large: 1}
GIANTS: tuple[Callable[[Random], bytes], ...] = (
    *(a_million_ops, a_hundred_thousand_deep, many_fields_and_the_last_one_twice, a_hundred_megabytes_of_text, a_million_digits),
    *(a_hundred_thousand_deep_inside, a_hundred_megabytes_of_spaces, a_float_of_a_million_digits, a_name_of_a_million_letters),
    *(a_million_unknown_ops, many_fields_that_hash_alike, as_many_choices_as_fit, as_many_levels_as_fit, backslashes, surrogates),
)


def _around(step: bytes) -> bytes:
    base = b'"base":{"crop":null,"hflip":0,"interpolation":"nearest","fill":0},"placement":"after-crop"'
    return b'{"schema":"policysearch.policy/1","policy":{' + base + b',"branches":[{"weight":1,"steps":[' + step + b"]}]}}"


def _choice(op: str, parameter: str, value: float) -> dict[str, Any]:
    return {"op": op, "weight": 1, "values": {parameter: {"constant": value}}}


def _shuffled(value: Any, rng: Random) -> Any:
    if isinstance(value, dict):
        return {key: _shuffled(value[key], rng) for key in rng.sample(list(value), len(value))}
    return [_shuffled(item, rng) for item in value] if isinstance(value, list) else value


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every field and item below: the object or list that holds it, and its key or index."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    return [found for key in keys for found in ((value, key), *_places(value[key]))]


def _odd(rng: Random) -> Any:
    """A value that is nobody else's: the next change may be made inside it."""
    return deepcopy(rng.choice(ODD_VALUES))


def _replaced(place: Any, key: Any, rng: Random) -> None:
    place[key] = _odd(rng)


def _renamed(place: Any, key: Any, rng: Random) -> None:
    if isinstance(place, dict) and rng.random() < 0.5:
        place[rng.choice((*ODD_NAMES, "op", "constant", "levels", "uniform", "batch", key.upper()))] = place.pop(key, None)
    elif place and isinstance(place, dict) and "op" in place:
        place["op"] = rng.choice((*ODD_NAMES, *OPS))
    elif isinstance(place, dict):
        place[key] = rng.choice(ODD_NAMES)


def _removed(place: Any, key: Any, rng: Random) -> None:
    if isinstance(place, dict):
        place.pop(key, None)
    elif key < len(place):
        del place[key]


def _added(place: Any, key: Any, rng: Random) -> None:
    if isinstance(place, dict):
        place[rng.choice(("more", "__proto__", "seed", "signed", "constant", ""))] = _odd(rng)
    else:
        place.insert(key, _odd(rng))


def _repeated(place: Any, key: Any, rng: Random) -> None:
    if isinstance(place, list) and len(place) < 20:
        place[:] = [deepcopy(item) for _ in range(rng.choice((2, 17, 300))) for item in place]
    elif isinstance(place, dict):
        place[key] = [deepcopy(place.get(key)) for _ in range(rng.choice((1, 2, 17)))]


def _swapped(place: Any, key: Any, rng: Random) -> None:
    other = rng.choice(list(place) if isinstance(place, dict) else range(len(place))) if place else key
    if (key in place) if isinstance(place, dict) else key < len(place):
        place[key], place[other] = place[other], place[key]


def _near(place: Any, key: Any, rng: Random) -> None:
    """A number a little or far off."""
    held = place.get(key) if isinstance(place, dict) else place[key] if key < len(place) else None
    if isinstance(held, int | float) and not isinstance(held, bool):
        place[key] = rng.choice((-held, held + 0.5, held * 1.0000001, held * 10, held - 1, held + 1e-12, held / 3))
