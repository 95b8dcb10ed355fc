"""The JSON Schema of a policy file, made from the op table; `searchspaces/policy.schema.json` is its output.

For editors and for other people's tools: our own reader (`policy_json`) needs no schema library and says more. The one rule that
JSON Schema can't state is low <= high in a range. The file holds the ops that ship here. After a change of the op table:
make docs.
"""

import json
from pathlib import Path
from typing import Any

from searchspaces.framing import ASPECT_LIMIT, INTERPOLATIONS, LOWEST_RESOLUTION, LOWEST_SCALE, STRONGEST_ALPHA, WEAKEST_ALPHA
from searchspaces.ops import built_in_ops, op_table
from searchspaces.ops.op import Op, Parameter
from searchspaces.policy import MAX_BRANCHES, MAX_STEPS
from searchspaces.policy_json import SCHEMA

SCHEMA_PATH = Path(__file__).with_name("policy.schema.json")

_PROBABILITY = {"type": "number", "minimum": 0, "maximum": 1}
_WEIGHT = {"type": "number", "exclusiveMinimum": 0, "maximum": 1e6}


def policy_schema(ops: tuple[Op, ...] | None = None) -> dict[str, Any]:
    """The schema (JSON Schema 2020-12) of a whole policy file whose ops are these; of all that are installed if not given."""
    ops = op_table() if ops is None else ops
    properties = {"schema": {"const": SCHEMA}, "policy": {"$ref": "#/$defs/policy"}, "provenance": {"type": "object"}}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:{SCHEMA.replace('/', ':')}",
        "title": "An image-augmentation policy in physical units",
        **_object(properties, optional=("provenance",)),
        "$defs": {
            "policy": _policy(),
            "branch": _object({"weight": _WEIGHT, "steps": _list("step", at_least=0, at_most=MAX_STEPS)}),
            "step": _object({"probability": _PROBABILITY, "choices": _list("choice")}),
            "choice": _choice(ops),
            **{f"values of {op.name}": _values(op) for op in ops},
        },
    }


def _policy() -> dict[str, Any]:
    placement = {"enum": ["before-crop", "after-crop"]}
    alpha = {"oneOf": [{"const": 0}, {"type": "number", "minimum": WEAKEST_ALPHA, "maximum": STRONGEST_ALPHA}]}
    batch = {"mixup_alpha": alpha, "cutmix_alpha": alpha, "cutout": _PROBABILITY}
    properties = {
        "base": _base(),
        "placement": placement,
        "branches": _list("branch", at_most=MAX_BRANCHES),
        "batch": _object(batch, optional=tuple(batch)),
    }
    return _object(properties, optional=("batch",))


def _base() -> dict[str, Any]:
    pad = _object({"kind": {"const": "pad"}, "padding": {"type": "number", "exclusiveMinimum": 0, "maximum": 0.5}})
    scale, aspect = _range(LOWEST_SCALE, 1), _range(1 / ASPECT_LIMIT, ASPECT_LIMIT)
    resized = _object({"kind": {"const": "resized"}, "scale": scale, "aspect": aspect})
    later = {
        "vflip": _PROBABILITY,
        "quarter_turns": _PROBABILITY,
        "resolution": {"type": "number", "minimum": LOWEST_RESOLUTION, "maximum": 1},
    }
    properties = {
        "crop": {"oneOf": [{"type": "null"}, pad, resized]},
        "hflip": _PROBABILITY,
        "interpolation": {"enum": list(INTERPOLATIONS)},
        "fill": {"type": "integer", "minimum": 0, "maximum": 255},
        **later,
    }
    return _object(properties, optional=tuple(later))


def _range(low: float, high: float) -> dict[str, Any]:
    return {"type": "array", "items": {"type": "number", "minimum": low, "maximum": high}, "minItems": 2, "maxItems": 2}


def _choice(ops: tuple[Op, ...]) -> dict[str, Any]:
    names = [op.name for op in ops]
    by_op = [
        {
            "if": {"properties": {"op": {"const": name}}, "required": ["op"]},
            "then": {"properties": {"values": {"$ref": f"#/$defs/values%20of%20{name}"}}},
        }
        for name in names
    ]
    return _object({"op": {"enum": names}, "weight": _WEIGHT, "values": {"type": "object"}}) | {"allOf": by_op}


def _values(op: Op) -> dict[str, Any]:
    return _object({parameter.name: _distribution(op, parameter) for parameter in op.parameters})


def _distribution(op: Op, parameter: Parameter) -> dict[str, Any]:
    """The three kinds of distribution over the parameter's range; with a sign, over the part that has a mirror image in it."""
    properties: dict[str, Any] = {**_kinds(parameter, parameter.low, parameter.high), "signed": {"type": "boolean"}}
    one_kind = [{"required": [kind]} for kind in ("constant", "uniform", "levels")]
    schema = _object(properties, optional=tuple(properties)) | {"description": parameter.unit, "oneOf": one_kind}
    if not (op.signed and parameter is op.strength):
        properties["signed"] = {"const": False}
        return schema
    low, high = _mirrored_range(parameter)
    if (low, high) != (parameter.low, parameter.high):
        signed = {"properties": {"signed": {"const": True}}, "required": ["signed"]}
        schema |= {"if": signed, "then": {"properties": _kinds(parameter, low, high)}}
    return schema


def _mirrored_range(parameter: Parameter) -> tuple[float, float]:
    twice = 2 * parameter.identity
    return max(parameter.low, twice - parameter.high), min(parameter.high, twice - parameter.low)


def _kinds(parameter: Parameter, low: float, high: float) -> dict[str, Any]:
    number = {"type": "integer" if parameter.whole else "number", "minimum": low, "maximum": high}
    uniform: Any = False if parameter.whole else {"type": "array", "items": number, "minItems": 2, "maxItems": 2}
    levels = {"type": "array", "items": number, "minItems": 1, "maxItems": 1024}
    return {"constant": number, "uniform": uniform, "levels": levels}


def _object(properties: dict[str, Any], optional: tuple[str, ...] = ()) -> dict[str, Any]:
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _list(item: str, at_least: int = 1, at_most: int | None = None) -> dict[str, Any]:
    limit = {} if at_most is None else {"maxItems": at_most}
    return {"type": "array", "items": {"$ref": f"#/$defs/{item}"}, "minItems": at_least, **limit}


if __name__ == "__main__":
    SCHEMA_PATH.write_text(json.dumps(policy_schema(built_in_ops()), indent=1) + "\n")
