"""docs/policy-json.md and docs/ops.md are true: the fields are the schema's, and a reader written from the words alone agrees.

That reader (plain numpy, one image at a time) shares no code with `draw` and the kernels. It knows the ops that were there when
the pages were first written; a later one need not be added: the contract tests hold it to its reference.
"""

import json
import math
import re
from collections.abc import Callable
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from functools import partial
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from strategies import policies

from searchspaces.draw import draw
from searchspaces.engines import apply
from searchspaces.json_text import canonical_json
from searchspaces.ops import find_op
from searchspaces.ops.op import Interpolation, Op
from searchspaces.plan import NO_OP, Plan
from searchspaces.policy import Policy
from searchspaces.policy_json import digest, policy_file_from_dict, policy_to_dict
from searchspaces.policy_schema import policy_schema

TEXT = (Path(__file__).parents[3] / "docs/policy-json.md").read_text()
Row = list[tuple[str, list[float]]]


def schema_fields(schema: dict[str, Any], node: dict[str, Any], path: str) -> list[str]:
    """The path of every field that the schema knows, lists marked by []; distributions are left to their own table."""
    if "$ref" in node:
        node = schema["$defs"][node["$ref"].rpartition("/")[2]]
    forms = [form for form in node.get("oneOf", ()) if form.get("type") == "object"]
    if forms:
        return list(dict.fromkeys(field for form in forms for field in schema_fields(schema, form, path)))
    if "items" in node and "$ref" not in node["items"]:
        return []
    if node.get("type") == "array":
        return schema_fields(schema, node["items"], f"{path}[]")
    fields = []
    for name, inner in node.get("properties", {}).items():
        place = f"{path}.{name}".removeprefix(".")
        fields += [place, *schema_fields(schema, inner, place)]
    return fields


def test_the_fields_are_the_schemas() -> None:
    section = TEXT.partition("## Fields\n")[2].partition("## What a draw means")[0]
    told = re.findall(r"^\| `([\w.\[\]]+)` \|", section, re.MULTILINE)
    schema = policy_schema()
    expected = schema_fields(schema, schema, "")
    distribution = next(iter(schema["$defs"]["values of rotate"]["properties"].values()))
    assert sorted(told) == sorted([*expected, *distribution["properties"]])


@pytest.mark.parametrize(
    ("part", "keys"),
    [
        ("1 to 1,024 items", ("policy", "branches", "maxItems", 1024)),
        ("0 to 16 items", ("branch", "steps", "maxItems", 16)),
        ("above 0, at most 1,000,000", ("branch", "weight", "maximum", 1e6)),
    ],
)
def test_the_limits_are_the_schemas(part: str, keys: tuple[str, str, str, float]) -> None:
    definition, field, limit, number = keys
    assert f"| {part} |" in TEXT
    assert policy_schema()["$defs"][definition]["properties"][field][limit] == number


def page_example() -> Any:
    return json.loads(TEXT.partition("```json\n")[2].partition("```")[0])


def test_the_example_is_a_policy_with_the_digest_it_says() -> None:
    content = page_example()
    jsonschema.Draft202012Validator(policy_schema()).validate(content)
    assert f"The digest of this policy is `{digest(policy_file_from_dict(content).policy)}`." in TEXT


def canonical_by_the_page(value: Any) -> str:
    if isinstance(value, dict):
        fields = [
            f'"{key}":{canonical_by_the_page(value[key])}' for key in sorted(value) if (key, value[key]) != ("signed", False)
        ]
        return "{" + ",".join(fields) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(canonical_by_the_page, value)) + "]"
    return number_by_the_page(value) if isinstance(value, float) else json.dumps(value)


def texts_of(value: float, digits: int) -> list[str]:
    """The decimals with so many digits after the first that read back to the value, the closest first, then the even one."""
    exact, ways = Decimal(value), (ROUND_FLOOR, ROUND_CEILING)
    both = [Context(prec=digits + 1, rounding=way).create_decimal(exact) for way in ways]
    ranked = sorted(both, key=lambda decimal: (abs(decimal - exact), decimal.as_tuple().digits[-1] % 2))
    return [f"{decimal:.{digits}e}" for decimal in ranked if float(decimal) == value]


def number_by_the_page(value: float) -> str:
    if value == 0:
        return "0.0"
    mantissa, _, exponent = next(text for digits in range(17) for text in texts_of(abs(value), digits)).partition("e")
    power, digits = int(exponent), mantissa.replace(".", "")
    sign = "-" if value < 0 else ""
    if not -4 <= power < 16:
        return f"{sign}{mantissa}e{'-' if power < 0 else '+'}{abs(power):02d}"
    if power < 0:
        return f"{sign}0.{'0' * (-power - 1)}{digits}"
    digits = digits.ljust(power + 1, "0")
    return f"{sign}{digits[: power + 1]}.{digits[power + 1 :] or '0'}"


@given(policies())
def test_canonical_json_is_as_the_page_says(policy: Policy) -> None:
    value = policy_to_dict(policy)
    assert canonical_by_the_page(value) == canonical_json(value)


@given(st.floats(allow_nan=False, allow_infinity=False))
@example(2.0**-24)
@example(5e-324)
@example(1e16)
@example(9999999999999998.0)
@example(0.0001)
@example(-1.7976931348623157e308)
def test_numbers_are_written_as_the_page_says(number: float) -> None:
    assert number_by_the_page(number) == canonical_json(number + 0.0)


def by_weight(items: list[dict[str, Any]], number: float) -> dict[str, Any]:
    sums = np.cumsum([item["weight"] for item in items])
    return next((item for item, end in zip(items, sums, strict=True) if end > number * sums[-1]), items[-1])


def value_drawn(op: Op, name: str, distribution: dict[str, Any], value: float, sign: float) -> float:
    if "constant" in distribution:
        drawn = distribution["constant"]
    elif "uniform" in distribution:
        low, high = distribution["uniform"]
        drawn = min(low + value * (high - low), high)
    else:
        drawn = distribution["levels"][math.floor(value * len(distribution["levels"]))]
    identity = next(parameter.identity for parameter in op.parameters if parameter.name == name)
    return float(2 * identity - drawn if distribution.get("signed") and sign < 0.5 else drawn)


def draw_by_the_page(policy: dict[str, Any], shape: tuple[int, ...], generator: np.random.Generator) -> list[Row]:
    """For each image its ops and their values in order, from the file's JSON."""
    images, _, height, width = shape
    base_stream, branch_stream, _, turn_stream = generator.spawn(4)
    steps = max(len(branch["steps"]) for branch in policy["branches"])
    chosen = [choice for branch in policy["branches"] for step in branch["steps"] for choice in step["choices"]]
    slots = 2 + 2 * max((len(choice["values"]) for choice in chosen), default=0)
    tables = (
        base_stream.random((images, 3)),
        turn_stream.random((images, 27)),
        branch_stream.random((images, 1 + steps * slots)),
    )
    rows: list[Row] = []
    for base, turns, numbers in zip(*tables, strict=True):
        first = base_by_the_page(policy["base"], width, height, base, turns)
        branch = chain_by_the_page(by_weight(policy["branches"], numbers[0])["steps"], numbers[1:].reshape(steps, slots))
        cutout = policy.get("batch", {}).get("cutout", 0.0)
        last: Row = [("erase", [cutout, turns[3], turns[4], policy["base"]["fill"]])] if cutout else []
        rows.append((first + branch if policy["placement"] == "after-crop" else branch + first) + last)
    return rows


def base_by_the_page(base: dict[str, Any], width: int, height: int, u: np.ndarray, turns: np.ndarray) -> Row:
    ops: Row = []
    if base["crop"] and base["crop"]["kind"] == "pad":
        sides = [math.floor(base["crop"]["padding"] * side + 0.5) for side in (width, height)]
        ops.append(("crop", [math.floor(number * (2 * p + 1)) - p for number, p in zip(u[:2], sides, strict=True)]))
    elif base["crop"]:
        ops.append(("resized_crop", window_by_the_page(base["crop"], width, height, turns)))
    if u[2] < base["hflip"]:
        ops.append(("hflip", [1.0]))
    if turns[0] < base.get("vflip", 0):
        ops.append(("vflip", [1.0]))
    if turns[1] < base.get("quarter_turns", 0):
        ops.append(("quarter_turns", [1.0 + math.floor(3 * turns[2])]))
    return ops


def window_by_the_page(crop: dict[str, Any], width: int, height: int, u: np.ndarray) -> list[float]:
    """Width, height, x and y, the parameters of the op `resized_crop` in its order."""
    (scale_low, scale_high), (low, high) = crop["scale"], crop["aspect"]
    least_w, least_h = math.ceil(0.01 * width), math.ceil(0.01 * height)
    for k in range(10):
        area = (scale_low + u[7 + 2 * k] * (scale_high - scale_low)) * width * height
        aspect = math.exp(math.log(low) + u[8 + 2 * k] * (math.log(high) - math.log(low)))
        w, h = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if least_w <= w <= width and least_h <= h <= height:
            x, y = math.floor(u[5] * (width - w + 1)), math.floor(u[6] * (height - h + 1))
            return [w / width, h / height, x / width, y / height]
    w, h = width, height
    if width / height < low:
        h = max(least_h, round(width / low))
    elif width / height > high:
        w = max(least_w, round(height * high))
    return [w / width, h / height, (width - w) // 2 / width, (height - h) // 2 / height]


def chain_by_the_page(steps: list[dict[str, Any]], numbers: np.ndarray) -> Row:
    chain: Row = []
    for step, own in zip(steps, numbers, strict=False):
        if own[0] < step["probability"]:
            choice = by_weight(step["choices"], own[1])
            op = find_op(choice["op"])
            pairs = own[2:].reshape(-1, 2)
            names = [parameter.name for parameter in op.parameters]
            drawn = [value_drawn(op, n, choice["values"][n], *pair) for n, pair in zip(names, pairs, strict=False)]
            chain.append((op.name, drawn))
    return chain


@given(policies(), st.integers(0, 2**32))
def test_draw_is_as_the_page_says(policy: Policy, seed: int) -> None:
    shape = (12, 3, 20, 32)
    plan = draw(policy, shape, np.random.default_rng(seed))
    expected = draw_by_the_page(policy_to_dict(policy), shape, np.random.default_rng(seed))
    for codes, values, row in zip(plan.codes, plan.values, expected, strict=True):
        found = [(plan.code_book[code], list(value)) for code, value in zip(codes, values, strict=True) if code != NO_OP]
        acts = [(name, drawn) for name, drawn in row if name != "identity" and tuple(drawn) != find_op(name).identity]
        assert [(name, value[: len(find_op(name).parameters)]) for name, value in found] == acts


Image = Any  # a numpy array, (channels, height, width)
Coordinate = Any  # a numpy array, (height, width)
Source = Callable[[Coordinate, Coordinate], tuple[Any, Any]]


def cut(levels: Image) -> Image:
    return np.clip(levels, 0, 255).astype(np.uint8)


def nearest(levels: Image) -> Image:
    return np.clip(levels, 0, 255).round().astype(np.uint8)


def taken(source: Source) -> Callable[[Image], Image]:
    """Each pixel from the place that `source` gives for (x, y), or fill (here 7)."""

    def moved(v: Image) -> Image:
        y, x = np.mgrid[: v.shape[1], : v.shape[2]]
        from_x, from_y = (np.broadcast_to(np.round(place), x.shape).astype(int) for place in source(x, y))
        inside = (from_x >= 0) & (from_x < v.shape[2]) & (from_y >= 0) & (from_y < v.shape[1])
        return np.where(inside, v[:, from_y * inside, from_x * inside], 7).astype(np.uint8)

    return moved


def grey(v: Image) -> Image:
    return np.floor(0.2989 * v[0] + 0.587 * v[1] + 0.114 * v[2])[None]


def smoothed(v: Image) -> Image:
    around = sum(np.roll(v.astype(int), (dy, dx), (1, 2)) for dy in (-1, 0, 1) for dx in (-1, 0, 1))
    return np.round((around + 4.0 * v) / 13)


def sharpened(v: Image, factor: float) -> Image:
    b, sharp = smoothed(v), v.copy()
    sharp[:, 1:-1, 1:-1] = cut(b + (v - b) * factor)[:, 1:-1, 1:-1]
    return sharp


def stretched(v: Image) -> Image:
    a, b = v.min((1, 2), keepdims=True).astype(float), v.max((1, 2), keepdims=True)
    return cut((v - a) / ((b - a) / 255))


def equalized(v: Image) -> Image:
    done = []
    for channel in v:
        below = np.array([(channel < level).sum() for level in range(256)])
        s = below[channel.max()] // 255
        done.append(cut((below[channel] + s // 2) / s) if s else channel)
    return np.stack(done)


def turned(v: Image, turn: float) -> Image:
    import colorsys

    def one(pixel: Image) -> list[float]:
        h, s, value = colorsys.rgb_to_hsv(*(pixel / 255))
        return list(colorsys.hsv_to_rgb((h + turn) % 1, s, value))

    return cut(np.apply_along_axis(one, 0, v) * 255.999)


def rotated(v: Image, degrees: float) -> Image:
    t, cx, cy = math.radians(degrees), (v.shape[2] - 1) / 2, (v.shape[1] - 1) / 2
    cos, sin = math.cos(t), math.sin(t)
    return taken(lambda x, y: (cx + (x - cx) * cos - (y - cy) * sin, cy + (x - cx) * sin + (y - cy) * cos))(v)


BY_THE_PAGE: dict[str, Callable[..., Image]] = {
    "autocontrast": lambda v, amount: stretched(v),
    "brightness": lambda v, factor: cut(v * factor),
    "brightness_shift": lambda v, levels: nearest(v + levels),
    "contrast": lambda v, factor: cut(v * factor + grey(v).mean() * (1 - factor)),
    "contrast_about_128": lambda v, factor: nearest((v - 128.0) * factor + 128),
    "crop": lambda v, x_px, y_px: taken(lambda x, y: (x + x_px, y + y_px))(v),
    "equalize": lambda v, amount: equalized(v),
    "gamma": lambda v, exponent: cut((v / 255) ** exponent * 255.999),
    "hflip": lambda v, amount: taken(lambda x, y: (v.shape[2] - 1 - x, y))(v),
    "hue": turned,
    "identity": lambda v, amount: v,
    "invert": lambda v, amount: 255 - v,
    "posterize": lambda v, bits: v >> int(8 - bits) << int(8 - bits),
    "quarter_turns": lambda v, turns: rotated(v, 90 * turns),
    "rotate": rotated,
    "saturation": lambda v, factor: cut(v * factor + grey(v) * (1 - factor)),
    "sharpness": sharpened,
    "shear_x": lambda v, factor: taken(lambda x, y: (x + factor * (y + 0.5), y))(v),
    "shear_y": lambda v, factor: taken(lambda x, y: (x, y + factor * (x + 0.5)))(v),
    "solarize": lambda v, threshold: np.where(v >= threshold, 255 - v, v),
    "solarize_add": lambda v, levels: np.where(v < 128, cut(v + levels), v),
    "translate_x": lambda v, fraction: taken(lambda x, y: (x - int(fraction * v.shape[2]), y))(v),
    "translate_x_px": lambda v, pixels: taken(lambda x, y: (x - pixels, y))(v),
    "translate_y": lambda v, fraction: taken(lambda x, y: (x, y - int(fraction * v.shape[1])))(v),
    "translate_y_px": lambda v, pixels: taken(lambda x, y: (x, y - pixels))(v),
    "vflip": lambda v, amount: taken(lambda x, y: (x, v.shape[1] - 1 - y))(v),
}
MANY_VALUES: dict[str, list[tuple[float, ...]]] = {
    "crop": [(3, -2), (-5, 4), (0, 1)],
    "hue": [(0.13,), (-0.4,), (0.5,)],
    "posterize": [(1,), (4,), (7,)],
    "quarter_turns": [(1,), (2,), (3,)],
    "rotate": [(31.0,), (-77.0,), (91.0,), (179.0,)],
    "solarize": [(0.0,), (100.5,), (128.0,), (256.0,)],
    "solarize_add": [(40,), (110,)],
    "gamma": [(0.4,), (2.0,), (3.3,)],
    "brightness_shift": [(40.3,), (-99.5,), (0.5,)],
    **{name: [(0.37,), (-0.21,), (0.53,)] for name in ("shear_x", "shear_y", "translate_x", "translate_y")},
    **{name: [(3.0,), (-4.0,)] for name in ("translate_x_px", "translate_y_px")},
    **{name: [(0.0,), (0.43,), (1.73,)] for name in ("brightness", "contrast", "contrast_about_128", "saturation", "sharpness")},
}


def mixed(source: Source, one: Callable[[Source], Callable[[Image], Image]] = taken) -> Callable[[Image], Image]:
    """Each level mixed of the four pixels around the place, by how near they are, in an image that goes on in fill."""

    def moved(v: Image) -> Image:
        y, x = np.mgrid[: v.shape[1], : v.shape[2]]
        from_x, from_y = (np.broadcast_to(place, x.shape) for place in source(x, y))
        sums = np.zeros(v.shape)
        for column, row in ((0, 0), (1, 0), (0, 1), (1, 1)):
            place = np.floor(from_x) + column, np.floor(from_y) + row
            share = (1 - abs(from_x - place[0])) * (1 - abs(from_y - place[1]))
            sums += share * one(partial(lambda place, x, y: place, place))(v)
        return nearest(sums)

    return moved


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
@pytest.mark.parametrize("name", BY_THE_PAGE)
def test_each_op_is_as_the_page_says(name: str, interpolation: Interpolation, monkeypatch: pytest.MonkeyPatch) -> None:
    """To the bit, but for what single precision decides: then one level, or another pixel, on 1 % at most."""
    op = find_op(name)
    if interpolation == "bilinear" and op.resamples:
        monkeypatch.setitem(globals(), "taken", mixed)
    width = 45 if op.name == "quarter_turns" else 46  # the page leaves open what a quarter turn takes where W - H is odd
    image = np.random.default_rng(5).integers(20, 230, (3, 33, width), dtype=np.uint8)
    image[:, :9] //= 3
    for values in MANY_VALUES.get(op.name, [(1.0,)]):
        plan = Plan(("identity", op.name), np.ones((1, 1), np.int16), np.array([[values]], np.float64), 7, interpolation)
        found = apply(torch.from_numpy(image)[None], plan)[0].numpy()
        expected = BY_THE_PAGE[op.name](image, *values)
        assert op.name == "identity" or values == op.identity or (found != image).any()
        assert (found != expected).mean() <= 0.01, (op.name, values)
        assert (op.kind == "geometry" and interpolation == "nearest") or abs(found.astype(int) - expected).max() <= 1
