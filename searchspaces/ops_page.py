"""The page about the ops, docs/ops.md, made from the op table: every field of every op that ships here, in words and tables.

Nothing about one op is written here; an op that has no `meaning` is refused. After a change of the op table: make docs.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

from searchspaces.errors import BadInput
from searchspaces.ops import built_in_ops
from searchspaces.ops.op import Op, Parameter, Span

_OPENING = """\
# The ops

Made by `make docs` from the op table, `searchspaces/ops/`: change an op there, not here. `policysearch ops` prints the same
table, and `policysearch ops --strip -o ops.png` draws it, as [below](#in-pictures). The policy file that names these ops is
specified in [policy-json.md](policy-json.md); `policysearch preview POLICY.json -o grid.png` shows what one does.

Each op has one to six parameters in physical units. The first is its **strength**. Limits are hard: a value outside is
refused, never clamped. At its **identity** value an op leaves every pixel as it is. A **signed** op's strength may be drawn
with a sign: its mirror image about the identity is as likely. A **range** by name is a published one, from the weakest to the
strongest value.
"""

_RULES = """\
## How to read what they do

Images have 8 bits a channel. `x` counts columns and `y` rows from 0 at the upper left, `W` and `H` are the image's sides in
pixels; `v` is a level, 0 to 255; a channel is treated by itself unless it says otherwise. **cut**: clamped to 0..255, then
the fraction is dropped. **round**: clamped to 0..255, then to the nearest whole level, half to even. Arithmetic is in single
precision; where a result lies within rounding of a whole level or of the middle between two pixels, another order of
operations can differ.

Geometry takes each pixel (x, y) from the place named. With the base's `interpolation` `nearest` the place is rounded to whole
pixels (half to even), and one outside the image gives `fill`. With `bilinear`, which counts for the ops that say so, the
level is mixed of the four pixels around the place, by how near they are, and rounded (half to even); there the image goes on
for ever in `fill`.

The grey level of an RGB pixel is floor(0.2989 R + 0.587 G + 0.114 B); that of a one-channel image is its level.

On a CPU an op runs **fused** (compiled, with the other ops of its image), in **torch** (on all images that meet it at once),
or image by image. All give the same levels; on a GPU, where torch runs all but the last kind, at most one level differs, and
with geometry at most 0.1 % of the pixels.
"""

_PICTURE = """\
## In pictures

![Each op from its weakest to its strongest value](images/ops.png)
"""

_KINDS = {
    "geometry": "Geometry: where pixels come from",
    "tone": "Tone: levels, channel by channel or by grey",
    "colour": "Colour: nothing on grey images",
    "texture": "Texture: blur, noise, patches",
    "none": "Nothing",
}
_RUNS = {
    "fused": "fused on a CPU, torch on a GPU",
    "torch": "torch on both",
    "per image": "image by image on the CPU, wherever the images lie",
}


def ops_page(ops: tuple[Op, ...]) -> str:
    """The text of docs/ops.md for these ops; BadInput names an op that doesn't say what it does."""
    ops = tuple(sorted(ops, key=lambda op: (":" in op.name, op.name)))  # those borrowed from other libraries come last
    parts = [_OPENING, *_overview(ops), _RULES]
    for kind, title in _KINDS.items():
        members = [op for op in ops if op.kind == kind]
        parts += [f"## {title}\n", *(_section(op) for op in members)] if members else []
    return "\n".join([*parts, _PICTURE])


def allowed(parameter: Parameter) -> str:
    """The hard limits of a parameter in words: "0 to 1, whole"."""
    return f"{_number(parameter.low)} to {_number(parameter.high)}{', whole' if parameter.whole else ''}"


def channels(op: Op) -> str:
    """How many channels the op's images may have, in words: "any", "1 or 3"."""
    return "any" if op.channels is None else " or ".join(str(count) for count in sorted(op.channels))


def _overview(ops: tuple[Op, ...]) -> Iterator[str]:
    rows = ["| op | kind | parameters | channels | runs |", "|---|---|---|---|---|"]
    for op in ops:
        parameters = ", ".join(f"{parameter.name} ({allowed(parameter)})" for parameter in op.parameters)
        rows.append(_row(f"[`{op.name}`](#{_anchor(op.name)})", op.kind, parameters, channels(op), op.runs))
    yield "\n".join(rows) + "\n"


def _section(op: Op) -> str:
    if not op.meaning:
        raise BadInput(f"op {op.name}: its meaning is empty; say in one sentence or formula what it does to a pixel")
    rows = ["| parameter | unit | allowed | identity | signed |", "|---|---|---|---|---|"]
    for parameter in op.parameters:
        signed = "yes" if op.signed and parameter is op.strength else "no"
        rows.append(_row(f"`{parameter.name}`", parameter.unit, allowed(parameter), _number(parameter.identity), signed))
    facts = [f"- {name}: {words}" for name, words in _facts(op)]
    return "\n".join([f"### `{op.name}`\n", f"{_capital(op.meaning)}.\n", *rows, "", *facts]) + "\n"


def _facts(op: Op) -> Iterator[tuple[str, str]]:
    for name, span in op.spans.items():
        yield f"Range `{name}`", _span(span)
    told = [f"{channels(op)} channels" if op.channels else "any number of channels"]
    told += ["the base's interpolation counts"] if op.resamples else []
    told += ["it is noise: each image has a seed of its own"] if op.seeded else []
    yield "Images", "; ".join(told)
    yield "Runs", _RUNS[op.runs] + ("; also in plain numpy" if op.in_numpy else "")
    if op.package:
        yield "Needs", f"{op.package}: pip install {op.install or op.package}"
    yield "Source", op.source
    yield "Reference", _reference(op)
    for library, words in op.elsewhere.items():
        yield f"In {library}", words


def _span(span: Span) -> str:
    ends = "always on" if span.weak == span.strong else f"{_number(span.weak)} to {_number(span.strong)}"
    return f"{ends} ({span.source})"


def _reference(op: Op) -> str:
    if op.reference is None:
        return "the formula above; no library has it"
    summary = " ".join((op.reference.__doc__ or "its reference in the tests").split("\n\n")[0].split()).removesuffix(".")
    off = f"at most {op.tolerance.levels} levels off, on at most {op.tolerance.share:.3%} of the pixels"
    return f"{summary} ({off if op.tolerance.levels else 'equal to the bit'})"


def _row(*cells: str) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _anchor(name: str) -> str:
    """What GitHub makes of a heading that is only this name in backticks."""
    return "".join(letter for letter in name.lower() if letter.isalnum() or letter in "_-")


def _number(value: float) -> str:
    return f"{value:.4g}"


def _capital(sentence: str) -> str:
    first = sentence.split(" ")[0].strip(",:;")
    return (
        sentence[0].upper() + sentence[1:] if len(first) > 1 and first.isalpha() and first not in ("cut", "round") else sentence
    )


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(ops_page(built_in_ops()), encoding="utf-8")
