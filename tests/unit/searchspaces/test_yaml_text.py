"""The reader of YAML from outside: what its scalars mean, and all that it refuses, in one line that names the place."""

import math

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from searchspaces.errors import BadInput
from searchspaces.yaml_text import parse_yaml


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("-2.5E+2", -250.0),
        (".5", 0.5),
        ("1.", 1.0),
        ("+7", 7),
        ("0", 0),
        ("true", True),
        ("null", None),
        ("~", None),
        ("no", "no"),
        ("on", "on"),
        ("True", "True"),
        ("'1'", "1"),
        ('"a b"', "a b"),
        ("randaugment,photometric+geometry", "randaugment,photometric+geometry"),
        ("autoaugment:ops=rotate/shear_x,sub_policies=3", "autoaugment:ops=rotate/shear_x,sub_policies=3"),
        ("e3", "e3"),
    ],
)
def test_a_plain_scalar_is_what_it_looks_like(text: str, value: object) -> None:
    for document, expected in ((text, value), (f"key: {text} # why", {"key": value}), (f"[{text}]".replace(",", "%"), None)):
        found = parse_yaml(document.encode(), "f")
        assert expected is None or (found == expected and type(found) is type(expected))


def test_a_document_of_nothing_is_nothing_and_nested_ones_come_through() -> None:
    assert parse_yaml(b"", "f") is None
    assert parse_yaml(b"# only words\n", "f") is None
    text = b"---\nspace: randaugment\nparameters:\n  level: {low: 3, high: 9}\nforbid: [hue, rotate]\nlast:\n"
    parameters = {"level": {"low": 3, "high": 9}}
    assert parse_yaml(text, "f") == {"space": "randaugment", "parameters": parameters, "forbid": ["hue", "rotate"], "last": None}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: &x 1\nb: *x", "f: line 1: an alias or anchor ('x')"),
        ("a: 1\nb: *x", "f: line 2: an alias or anchor ('x')"),
        ("&x a: 1", "f: line 1: an alias or anchor ('x')"),
        ("a: &x {b: 1}", "f: line 1: an alias or anchor ('x')"),
        ("a: !!python/object/apply:os.system [ls]", "f: line 1: a tag ('tag:yaml.org,2002:python/object/apply:os.system')"),
        ("a: !!str 1", "f: line 1: a tag"),
        ("a: 1\nb: 2\na: 3", "f: line 3: key 'a' given twice"),
        ("a: {b: 1, 'b': 2}", "f: line 1: key 'b' given twice"),
        ("? [a]\n: 2", "f: line 1: a key that is no text"),
        ("a: 1\n---\nb: 2", "f: line 2: a second document"),
        ("a: 010", "f: line 1: 010 has several readings as a number"),
        ("a: 12:30:45", "f: line 1: 12:30:45 has several readings"),
        ("a: 0x1F", "f: line 1: 0x1F has several readings"),
        ("a: 1_000", "f: line 1: 1_000 has several readings"),
        ("a: .inf", "f: line 1: .inf has several readings"),
        ("a: -.NaN", "f: line 1: -.NaN has several readings"),
        ("a: 1,5", "f: line 1: 1,5 has several readings"),
        ("a: 1e999", "f: line 1: 1e999 is beyond what a float holds"),
        ("a: " + "9" * 400, "is beyond what a float holds"),
        ("a: [1", "f: not YAML at line "),
        ("a: b: c", "f: not YAML at line 1"),
        ("a: 1\n\tb: 2", "f: not YAML at line 2"),
        ("[" * 33 + "]" * 33, "f: line 1: nested too deep; allowed are at most 32 levels"),
        ("[" * 100_000, "f: line 1: nested too deep"),
        ("{a: " * 40, "f: line 1: nested too deep"),
    ],
)
def test_what_is_refused(text: str, message: str) -> None:
    with pytest.raises(BadInput) as refused:
        parse_yaml(text.encode(), "f")
    assert message in str(refused.value)
    assert "\n" not in str(refused.value) and len(str(refused.value)) < 300


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\xff\xfea", "byte-order mark"),
        (b"a: \xff", "not UTF-8 at byte 3"),
        (b"#" * ((1 << 20) + 1), "at most 1 MiB"),
        (b"a\x00", "not YAML"),
    ],
)
def test_what_is_no_text_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        parse_yaml(data, "f")


def test_a_bomb_of_aliases_is_refused_before_it_grows() -> None:
    lines = ["a: &a [x, x]"] + [f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join([f'*{chr(97 + n)}'] * 9)}]" for n in range(9)]
    with pytest.raises(BadInput, match="line 1: an alias or anchor"):
        parse_yaml("\n".join(lines).encode(), "f")


PLAIN = st.none() | st.booleans() | st.integers(-(10**18), 10**18) | st.floats(allow_nan=False, allow_infinity=False) | st.text()
VALUES = st.recursive(
    PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3), max_leaves=9
)


@given(VALUES)
def test_what_pyyaml_writes_plainly_comes_back(value: object) -> None:
    """Its writer quotes all text that it would itself read as something else, and more that we would; the rest is refused, not
    misread.
    """
    text = yaml.safe_dump(value, allow_unicode=False, default_flow_style=True)
    try:
        assert parse_yaml(text.encode(), "f") == value
    except BadInput as error:
        assert "several readings" in str(error) or "an alias or anchor" in str(error)


@given(st.binary(max_size=60) | st.text(alphabet="ab:{}[]&*!-#'\"\n 01.e?|>%@,", max_size=40).map(str.encode))
def test_anything_is_a_value_or_refused_in_one_line(data: bytes) -> None:
    try:
        value = parse_yaml(data, "f")
    except BadInput as error:
        assert "\n" not in str(error)
    else:
        assert not isinstance(value, float) or math.isfinite(value)
