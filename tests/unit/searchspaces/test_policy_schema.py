"""The shipped JSON Schema is the op table's, and says yes and no where our reader does."""

import json
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import policies

from searchspaces.errors import BadInput
from searchspaces.ops import built_in_ops, op_table
from searchspaces.policy import Policy
from searchspaces.policy_json import SCHEMA, policy_file_from_dict, policy_from_dict, policy_to_dict
from searchspaces.policy_schema import SCHEMA_PATH, policy_schema
from searchspaces.zoo import read_zoo

VALIDATOR = jsonschema.Draft202012Validator(json.loads(SCHEMA_PATH.read_text()))
ODD_VALUES: list[Any] = [
    0,
    1,
    -1,
    0.5,
    1.5,
    2.5,
    8,
    11,
    200,
    255.5,
    300,
    1e7,
    True,
    False,
    None,
    "nearest",
    "pad",
    "rotate",
    "gamma",
    [],
    {},
    [1],
    [3, 2],
]


def test_the_file_is_what_the_op_table_gives() -> None:
    assert json.loads(SCHEMA_PATH.read_text()) == policy_schema(built_in_ops()), "write it again: make docs"


def test_it_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(policy_schema())


def test_the_zoo_passes() -> None:
    file = read_zoo("trivialaugment-wide")
    VALIDATOR.validate({"schema": SCHEMA, "policy": policy_to_dict(file.policy), "provenance": file.provenance})


@given(policies())
def test_every_policy_passes(policy: Policy) -> None:
    VALIDATOR.validate({"schema": SCHEMA, "policy": policy_to_dict(policy)})


def verdicts(content: Any) -> tuple[bool, bool]:
    """What the schema and what the reader say, and the one rule that the schema can't state put aside."""
    by_schema = VALIDATOR.is_valid(content)
    try:
        policy_file_from_dict(content)
    except BadInput as error:
        return by_schema and "is above high" not in str(error), False
    return by_schema, True


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, inner in items for place in places(inner, (*path, key)))]


@given(policies(), st.data())
def test_schema_and_reader_agree_on_damaged_policies(policy: Policy, data: st.DataObject) -> None:
    content: Any = {"schema": SCHEMA, "policy": policy_to_dict(policy), "provenance": {}}
    path = data.draw(st.sampled_from(places(content)[1:]))
    place = content
    for key in path[:-1]:
        place = place[key]
    match data.draw(st.sampled_from(["replace", "remove", "add"])):
        case "remove" if isinstance(place, dict):
            del place[path[-1]]
        case "add" if isinstance(place, dict):
            place["more"] = 1
        case _:
            place[path[-1]] = data.draw(st.sampled_from(ODD_VALUES))
    by_schema, by_reader = verdicts(content)
    assert by_schema == by_reader


@pytest.mark.parametrize("name", [op.name for op in op_table()])
def test_schema_and_reader_agree_on_every_op_at_and_past_its_limits(name: str) -> None:
    op = next(op for op in op_table() if op.name == name)
    seen = set()
    for parameter in op.parameters:
        limits = {parameter.low, parameter.high, parameter.identity, 2 * parameter.identity - parameter.high}
        numbers = sorted({limit + step for limit in limits for step in (-1, -0.5, 0, 0.5, 1)})
        for number in numbers:
            for form in ({"constant": number}, {"levels": [parameter.identity, number]}, {"uniform": [number, number]}):
                for signed in ({}, {"signed": True}, {"signed": False}):
                    values: dict[str, Any] = {other.name: {"constant": other.identity} for other in op.parameters}
                    values[parameter.name] = {**form, **signed}
                    content = policy_to_dict(Policy())
                    choice = {"op": name, "weight": 1.0, "values": values}
                    content["branches"][0]["steps"] = [{"probability": 1.0, "choices": [choice]}]
                    by_schema, by_reader = verdicts({"schema": SCHEMA, "policy": content})
                    assert by_schema == by_reader, choice
                    seen.add(by_reader)
    assert seen == {True, False}


def test_both_take_whole_numbers_written_as_floats() -> None:
    content = policy_to_dict(Policy())
    content["base"]["fill"] = 128.0
    assert policy_from_dict(content).base.fill == 128
    assert VALIDATOR.is_valid({"schema": SCHEMA, "policy": content})
