"""Rows as a plain table on standard output: fitted to the window where a person reads them, never cut where they are piped."""

from typing import Any

import click

MOST_ROWS_FITTED = 500


def print_table(columns: list[str], rows: list[dict[str, Any]]) -> None:
    """A plain table: as wide as it needs to be where it's piped, as the window where it's read (if it has few rows)."""
    from rich.console import Console
    from rich.table import Table

    if len(rows) > MOST_ROWS_FITTED:
        return _print_long_table(columns, rows)
    console = Console()
    if not console.is_terminal:
        console = Console(width=250)
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(_heading(column), overflow="fold")
    for row in rows:
        table.add_row(*(_cell(row, column) for column in columns))
    console.print(table, highlight=False, markup=False)
    return None


def _print_long_table(columns: list[str], rows: list[dict[str, Any]]) -> None:
    """The same without a look at the window, which would take seconds for thousands of rows."""
    cells = [[_heading(column) for column in columns], *([_cell(row, column) for column in columns] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells)
    click.echo("\n".join(lines))


def _heading(column: str) -> str:
    return column.replace("_percent", " %").replace("_", " ")


def _cell(row: dict[str, Any], column: str) -> str:
    return "" if row.get(column) is None else str(row[column])
