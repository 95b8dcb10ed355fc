"""Policy files from strangers: whatever the bytes are, either a policy comes out or a BadInput of one line."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from strategies import policies

from searchspaces.errors import BadInput
from searchspaces.json_text import MAX_BYTES, MAX_DEPTH, canonical_json, parse_json, pretty_json, shown
from searchspaces.policy import Policy
from searchspaces.policy_json import SCHEMA, digest, policy_file_from_dict, policy_to_dict, read_policy_file

GOOD = json.dumps({"schema": SCHEMA, "policy": policy_to_dict(Policy())})
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**19), 10**19) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def swapped(old: str, new: str) -> bytes:
    assert GOOD.count(old) == 1, old
    return GOOD.replace(old, new).encode()


BAD_TEXTS = {
    "NaN": (swapped('"hflip": 0.0', '"hflip": NaN'), "NaN is not a number JSON knows"),
    "infinity": (swapped('"hflip": 0.0', '"hflip": -Infinity'), "-Infinity is not a number JSON knows"),
    "1e999": (swapped('"hflip": 0.0', '"hflip": 1e999'), "1e999 is beyond what a float holds"),
    "5,000 digits": (swapped('"hflip": 0.0', '"hflip": ' + "9" * 5000), "a whole number of 5000 digits"),
    "a field twice": (swapped('"hflip": 0.0', '"hflip": 0.0, "hflip": 1.0'), "field 'hflip' given twice"),
    "deep lists": (swapped('"policy":', '"provenance":' + "[" * 100_000 + "]" * 100_000 + ',"policy":'), "nested too deep"),
    "deep enough to parse": (
        swapped('"policy":', '"provenance":{"a":' + "[" * 200 + "]" * 200 + '},"policy":'),
        "nested too deep",
    ),
    "BOM": (b"\xef\xbb\xbf" + GOOD.encode(), "byte-order mark"),
    "UTF-16": (GOOD.encode("utf-16"), "byte-order mark"),
    "UTF-16 without mark": (GOOD.encode("utf-16-le"), "not JSON at line 1"),
    "latin-1": ('{"é": 1}'.encode("latin-1"), "not UTF-8 at byte 2"),
    "2 MiB": (GOOD.encode() + b" " * 2**21, "more than 1048576 bytes"),
    "empty": (b"", "not JSON at line 1, column 1"),
    "cut off": (GOOD.encode()[:100], "not JSON at line 1"),
    "two values": (GOOD.encode() * 2, "Extra data"),
    "a list": (b"[]", "file: a list; allowed is an object"),
    "null": (b"null", "file: None"),
    "no schema": (b"{}", "file.schema: missing"),
    "a later version": (swapped("policy/1", "policy/2"), "'policysearch.policy/2'; this version reads 'policysearch.policy/1'"),
    "no policy": (json.dumps({"schema": SCHEMA}).encode(), "file.policy: missing"),
    "another field": (swapped('"policy":', '"author": "me", "policy":'), "unknown field 'author'"),
    "provenance as text": (swapped('"policy":', '"provenance": "me", "policy":'), "provenance: 'me'; allowed is an object"),
    "bidi and newlines in a name": (swapped('"hflip"', '"h\\n\\u202eflip\\ud800"'), r"unknown field 'h\\n\\u202eflip\\ud800'"),
    "a name of 100,000 letters": (swapped('"hflip"', '"' + "h" * 100_000 + '"'), "unknown field 'hhh"),
}


@pytest.mark.parametrize("name", BAD_TEXTS)
def test_a_text_that_is_no_policy_file_is_refused_in_one_line(name: str, tmp_path: Path) -> None:
    data, message = BAD_TEXTS[name]
    path = tmp_path / "bad.json"
    path.write_bytes(data)
    with pytest.raises(BadInput) as refused:
        read_policy_file(path)
    text = str(refused.value)
    assert message.replace("\\\\", "\\") in text
    assert "bad.json" in text
    assert len(text) <= 800
    assert text.isprintable()


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "none.json", tmp_path, "a\0b", "a\nb.json"):
        with pytest.raises(BadInput) as refused:
            read_policy_file(path)
        assert str(refused.value).isprintable()


@given(st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
@example(b"-0")
@example(b'"\\ud800"')
@example(b'{"\\ud800": 1}')
def test_any_bytes_are_a_value_or_one_line(data: bytes) -> None:
    try:
        policy_file_from_dict(parse_json(data, "fuzz"))
    except BadInput as error:
        assert str(error).isprintable()


@st.composite
def damaged_files(draw: st.DrawFn) -> bytes:
    """A policy file with some of its values replaced, or with some of its bytes."""
    content: dict[str, Any] = {"schema": SCHEMA, "policy": policy_to_dict(draw(policies())), "provenance": draw(JSON)}
    for _ in range(draw(st.integers(0, 2))):
        place: Any = content
        while isinstance(place, dict | list) and place:
            keys = sorted(place) if isinstance(place, dict) else list(range(len(place)))
            key = draw(st.sampled_from(keys))
            if not isinstance(place[key], dict | list) or not place[key] or draw(st.integers(0, 9)) == 0:
                place[key] = draw(JSON | st.sampled_from([-0.0, 1.0000001, 1e308, -1, 257, True, "rotate", "", {}, []]))
                break
            place = place[key]
    data = bytearray(json.dumps(content).encode())
    for _ in range(draw(st.integers(0, 1))):
        data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    return bytes(data)


@given(damaged_files())
def test_a_damaged_file_is_a_policy_that_comes_back_or_one_line(data: bytes) -> None:
    try:
        file = policy_file_from_dict(parse_json(data, "fuzz"))
    except BadInput as error:
        assert str(error).isprintable()
        return
    again = policy_file_from_dict(json.loads(canonical_json({"schema": SCHEMA, "policy": policy_to_dict(file.policy)})))
    assert again.policy == file.policy
    assert digest(again.policy) == digest(file.policy)


@given(JSON)
def test_both_forms_hold_the_same_value(value: Any) -> None:
    assert json.loads(pretty_json(value)) == json.loads(canonical_json(value)) == value
    assert canonical_json(json.loads(pretty_json(value))) == canonical_json(value)


def test_canonical_means_one_text() -> None:
    assert canonical_json({"b": [1.0, 1, "é", None, True], "a": {}}) == '{"a":{},"b":[1.0,1,"\\u00e9",null,true]}'


@pytest.mark.parametrize("value", [float("nan"), {"a": float("inf")}, {1, 2}, object()])
def test_what_is_not_json_is_refused(value: Any) -> None:
    with pytest.raises(BadInput, match="JSON"):
        canonical_json(value)


def test_the_limits_are_reached_but_not_passed() -> None:
    assert parse_json(b"1" + b" " * (MAX_BYTES - 1), "x") == 1
    parse_json(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH, "x")
    with pytest.raises(BadInput, match="nested too deep"):
        parse_json(b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1), "x")
    assert parse_json(b"18446744073709551615", "x") == 2**64 - 1


@given(st.text() | st.integers() | st.floats() | st.none() | st.booleans() | st.lists(st.none()))
@example(10**5000)
def test_a_value_in_a_message_is_short_and_printable(value: Any) -> None:
    assert shown(value).isprintable()
    assert len(shown(value)) <= 60


def test_a_field_given_twice_is_found_at_once_among_very_many() -> None:
    """It took minutes when each field was counted among all; the limit of a test's time would tell."""
    fields = b",".join(b'"%x":0' % index for index in range(100_000))
    with pytest.raises(BadInput, match=r"^many: field '1869f' given twice; give it once$"):
        parse_json(b"{" + fields + b',"1869f":0}', "many")
