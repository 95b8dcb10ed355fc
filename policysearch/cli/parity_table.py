"""The table of `export --parity` for people: a line for each form, and below it only what is not equal. It compares nothing."""

import textwrap
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from searchspaces.phrases import counted

if TYPE_CHECKING:
    from searchspaces.export.parity import Row

WIDTH = 110


def parity_lines(rows: "Sequence[Row]") -> Iterator[str]:
    """The lines, for the rows of `searchspaces.export.parity.parity`: one form after the other."""
    widest = max(len(row.form) for row in rows)
    yield f"{'form':<{widest}}  equal  levels   pixels  computed by"
    for _, group in groupby(rows, key=lambda row: row.form):
        yield from _form(list(group), widest)
    yield ""
    yield from _wrapped(_compared(rows), "")


def _form(rows: "list[Row]", widest: int) -> Iterator[str]:
    """A form's worst figures, then each of its ops (and the whole policy) that is not equal."""
    worst = max(rows, key=lambda row: (row.levels or 0, row.share or 0.0))
    if worst.levels is None:
        refusal = rows[0].refusal.removeprefix(f"form {worst.form!r}: ")
        yield from _wrapped(f"{worst.form:<{widest}}  -      {refusal}", " " * (widest + 9))
        return
    yield _line(worst, worst.form, widest) + f"  {worst.computed_by}"
    for row in rows:
        if not row.equal:
            yield _line(row, f"  {row.op}", widest)


def _line(row: "Row", name: str, widest: int) -> str:
    assert row.levels is not None and row.share is not None
    share = f"{row.share:.2%}" if row.share == 0 or row.share >= 0.00005 else "<0.01%"  # some are never told as none
    return f"{name:<{widest}}  {'yes' if row.equal else 'no':<5}  {row.levels:>6}  {share:>7}"


def _compared(rows: "Sequence[Row]") -> str:
    from searchspaces.export.parity import WHOLE

    ops = list(dict.fromkeys(row.op for row in rows if row.op != WHOLE))
    if not any(row.levels is not None for row in rows):
        return "Nothing was compared."
    told = f"{counted(len(ops), 'op')}, each by itself ({', '.join(ops)}), then " if ops else ""
    return f"Compared: {told}the whole policy {WHOLE}. Levels are those of 0 to 255; --json has every row."


def _wrapped(text: str, indent: str) -> list[str]:
    # Names such as albumentations:CLAHE stay whole.
    return textwrap.wrap(text, WIDTH, subsequent_indent=indent, drop_whitespace=True, break_on_hyphens=False)
