"""A picture of the op table: each op in a row, from its weakest to its strongest value, to both sides where it has two.

The range is the widest published one; an op that has none is shown over its hard limits. Nothing is drawn at random: an op
that is noise gets one fixed seed.
"""

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image

from dashboards.contact_sheet import Row, Tile, contact_sheet
from dashboards.gallery import is_switch, value_in_short
from searchspaces.arrays import Images
from searchspaces.engines.grouped import apply  # the same pixels, and a picture waits for no compiler
from searchspaces.ops.op import Op, Parameter
from searchspaces.plan import Plan

STEPS = 3  # from the identity to one end, where there are two; twice as many where there is one
FILL = 128
LABEL_PX = 172


def op_strip(ops: Sequence[Op], image: Images) -> Image.Image:
    """One row for each of the ops that take the image (uint8, (1, channels, height, width)); the words above name the others.

    Ops borrowed from another library, which its name and a colon say, come last.
    """
    shown = sorted((op for op in ops if op.accepts(image.shape[1])), key=lambda op: (":" in op.name, op.name))
    rows = [Row(op_label(op, image.shape[1]), op_tiles(op, image)) for op in shown]
    left_out = [op.name for op in ops if op not in shown]
    words = (
        "Each op from its weakest to its strongest value, by the widest published range, or the op's limits where there is none. "
    )
    words += f"Pixels from outside the image are grey ({FILL})."
    if left_out:
        words += f" Left out, because they don't take {image.shape[1]} channels: {', '.join(left_out)}."
    return contact_sheet(rows, "The ops", words, LABEL_PX)


def strengths(op: Op, side_px: int) -> tuple[float, ...]:
    """The values of the strength that are shown, the lowest first or (of one side) the weakest. `side_px`: the image's longer."""
    parameter = op.strength
    spans = [span for span in op.spans.values() if span.weak != span.strong]
    if spans:
        end = max((span.strong for span in spans), key=lambda strong: abs(strong - parameter.identity))
        ends = [2 * parameter.identity - end, end] if op.signed else [end]
    else:
        reach = side_px // 2 if parameter.unit == "pixels" else float("inf")
        limits = (max(parameter.low, parameter.identity - reach), min(parameter.high, parameter.identity + reach))
        ends = [end for end in limits if end != parameter.identity]
    sides = [_between(parameter, end, STEPS if len(ends) == 2 else 2 * STEPS) for end in ends]
    values = [parameter.identity, *sides[0]] if len(sides) == 1 else [*sides[0][::-1], parameter.identity, *sides[1]]
    return tuple(dict.fromkeys(float(round(value)) if parameter.whole else value for value in values))


def _between(parameter: Parameter, end: float, steps: int) -> list[float]:
    """`steps` values from the identity, itself left out, to `end`: by equal factors where the limits mirror each other so."""
    shares = [step / steps for step in range(1, steps + 1)]
    if 0 < parameter.low < parameter.identity and parameter.low * parameter.high == parameter.identity**2:
        return [float(parameter.identity * (end / parameter.identity) ** share) for share in shares]
    return [parameter.identity + (end - parameter.identity) * share for share in shares]


def op_tiles(op: Op, image: Images) -> list[Tile]:
    """The image (uint8, (1, channels, height, width)) after the op at each of its `strengths`, the value below."""
    values = strengths(op, max(image.shape[2:]))
    rows = [(value, *op.identity[1:]) for value in values]
    plan = Plan(
        ("identity", op.name),
        np.ones((len(rows), 1), dtype=np.int16),
        np.array(rows, dtype=np.float64)[:, None],
        fill=FILL,
        seeds=np.zeros((len(rows), 1), dtype=np.int64) if op.seeded else None,
    )
    changed = apply(torch.from_numpy(np.repeat(image, len(rows), axis=0)), plan).numpy()
    captions = [value_in_short(op.strength, value) for value in values]
    return [Tile(pixels, (text,)) for pixels, text in zip(changed, captions, strict=True)]


def op_label(op: Op, channels: int) -> tuple[str, ...]:
    """Name, strength with its unit, the other parameters, and what the picture can't say."""
    parameter = op.strength
    told = [op.name]
    if not is_switch(parameter):
        told.append(f"{parameter.name}, {parameter.unit}" if parameter.unit != parameter.name else parameter.name)
    if len(op.parameters) > 1:
        told.append("also: " + ", ".join(other.name for other in op.parameters[1:]))
    if op.signed:
        told.append("signed")
    if not op.changes(channels):
        told.append("nothing on grey images")
    return tuple(told)
