"""Policy files made at random from the shipped JSON Schema, so that new ops and fields are fuzzed without a word here."""

import json
import math
from pathlib import Path
from random import Random
from typing import Any

import searchspaces

SCHEMA = json.loads((Path(searchspaces.__file__).parent / "policy.schema.json").read_text())
OPS: list[str] = SCHEMA["$defs"]["choice"]["properties"]["op"]["enum"]
OWN_ITEMS = {"branches": 2, "steps": 2, "choices": 2, "levels": 3}
"""How many items such a list has at most, mostly; the schema's own limit is far higher."""


def policy_file(rng: Random) -> Any:
    """A policy file's content as Python values: valid but for a range that lies the wrong way round or a mirror image outside."""
    content = _made(SCHEMA, rng, "")
    if "provenance" in content:
        content["provenance"] = {"study": "a study", "size": [32, 32], "channels": 3, "deep": [[1], {"x": None}], "ü": "\u2028"}
    return content


def _made(schema: Any, rng: Random, name: str) -> Any:
    if "$ref" in schema:
        schema = SCHEMA["$defs"][schema["$ref"].rpartition("/")[2].replace("%20", " ")]
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return rng.choice(schema["enum"])
    if "oneOf" in schema and "properties" not in schema:
        return _made(rng.choice(schema["oneOf"]), rng, name)
    make = {"object": _object, "array": _list, "number": _number, "integer": _integer, "boolean": _boolean, "null": _null}
    return make[schema["type"]](schema, rng, name)


def _object(schema: Any, rng: Random, name: str) -> Any:
    properties = schema.get("properties", {})
    if "oneOf" in schema:  # a distribution: one of its three kinds
        kinds = [way["required"][0] for way in schema["oneOf"] if properties[way["required"][0]] is not False]
        kind = rng.choice(kinds)
        signed = {"signed": _made(properties["signed"], rng, "signed")} if rng.random() < 0.3 else {}
        return {kind: _made(properties[kind], rng, kind), **signed}
    required = schema.get("required", [])
    made = {key: _made(inner, rng, key) for key, inner in properties.items() if key in required or rng.random() < 0.3}
    if name == "choices":
        made["values"] = _made({"$ref": f"#/$defs/values of {made['op']}"}, rng, "values")
    return made


def _list(schema: Any, rng: Random, name: str) -> Any:
    low = schema.get("minItems", 0)
    usual = OWN_ITEMS.get(name, 2) * (1 if rng.random() < 0.9 else 4)
    high = min(schema.get("maxItems", usual), max(low, usual))
    items = [_made(schema["items"], rng, name) for _ in range(rng.randint(low, high))]
    return sorted(items) if name in ("uniform", "scale", "aspect") and rng.random() < 0.97 else items


def _number(schema: Any, rng: Random, name: str) -> float:
    low = schema.get("minimum", schema.get("exclusiveMinimum", 0))
    high = schema["maximum"]
    exact = [high, *([low] if "minimum" in schema else []), *([0.0, -0.0] if low < 0 < high else [])]
    draws = rng.random()
    if draws < 0.2:
        return float(rng.choice(exact))
    if draws < 0.3 and low > 0:
        return math.exp(rng.uniform(math.log(low), math.log(high)))
    return float(max(rng.uniform(low, high), math.nextafter(low, math.inf)))


def _integer(schema: Any, rng: Random, name: str) -> float:
    number = rng.randint(math.ceil(schema["minimum"]), math.floor(schema["maximum"]))
    return float(number) if rng.random() < 0.3 else number


def _boolean(schema: Any, rng: Random, name: str) -> bool:
    return rng.random() < 0.5


def _null(schema: Any, rng: Random, name: str) -> None:
    return None
