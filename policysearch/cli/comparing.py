"""The command `compare`: several studies side by side, on the screen, as JSON or as one page. It changes nothing."""

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from policysearch.cli.options import home_option, json_option, open_home, open_study, print_json
from policysearch.judging.in_words import percent
from searchspaces.errors import BadInput

if TYPE_CHECKING:
    from dashboards.comparing import Comparison
    from dashboards.transfer import Shared, Side
    from policysearch.home import Home
    from policysearch.ledger import Ledger

WIDTH = 98  # fits a terminal of 100 columns
NAME = 16
IN_WORDS = "winner"
CELL = 24
MOST_SHARED = 12  # policies shown on the screen; the page and --json have them all
MOST_COLUMNS = 4  # studies beside one another on a screen; more stand below one another


@click.command()
@click.argument("studies", nargs=-1, required=True, metavar="[HOME:]STUDY...")
@click.option("-o", "--output", metavar="FILE.html", help="Write a page that opens without a network, in place of printing.")
@home_option
@json_option
def compare(studies: Sequence[str], output: str | None, home: str | None, as_json: bool) -> None:
    """Several studies side by side: what each came to, whether they can be compared, and which policies transfer.

    A study of another home is named HOME:STUDY, with what --home would name; of another database URL:STUDY, as --storage has it.

    With --json one object: studies (verdict, winner, baseline, difference, test, data, recipe, cost, ... of each), comparable and
    differing (what errors depend on and is not the same), shared (policies that several have trained: error and rank in each),
    agreements (Kendall's tau for each two studies), winners (sentences). Errors and differences are shares, 0 to 1.

    \b
    policysearch compare photos-randaugment-0f3a9c21 photos-mixtures-b1c2d3e4
    policysearch compare photos /data/other-home:scans -o compare.html
    """
    from dashboards.comparing import compare as compared
    from dashboards.comparing import facts

    comparison = compared([_opened(named, home) for named in studies])
    if output is not None:
        _write(comparison, Path(output))
    if as_json:
        return print_json(facts(comparison))
    if output is None:
        print_comparison(comparison)
    return None


def _opened(named: str, home: str | None) -> "tuple[Ledger, Home, str]":
    """The ledger and home of a study that is named STUDY, HOME:STUDY or URL:STUDY. No study's name has a colon in it."""
    from policysearch.home import Home

    where, colon, study = named.rpartition(":")
    if not colon:
        place = open_home(home)
    elif "://" in where:
        place = Home.locate(home, where)
    else:
        place = Home(Home.locate(where or ".").root)  # its own ledger, whatever --storage says
    ledger, _ = open_study(place, study)
    return ledger, place, study


def _write(comparison: "Comparison", target: Path) -> None:
    from dashboards.compare_page import write_comparison

    if not target.parent.is_dir():
        raise BadInput(f"output {target}: there is no directory {target.parent}; make it first, or give another -o FILE.html")
    write_comparison(comparison, target)
    click.echo(str(target), err=click.get_current_context().params["as_json"])


def print_comparison(comparison: "Comparison") -> None:
    """Print what can't be compared, the studies side by side, and which policies transfer."""
    from dashboards.comparability import SAME

    _heading("What can be compared")
    for sentence in comparison.differing or (SAME,):
        _paragraph(sentence)
    if len(comparison.sides) > MOST_COLUMNS:
        _print_one_after_another(comparison)
    else:
        _print_columns(comparison)
        _print_winners(comparison)
    _heading("Which policies transfer")
    _print_shared(comparison.shared, comparison.sides)
    agreed = [agreement.sentence for agreement in comparison.agreements if comparison.shared]
    for sentence in (*agreed, *comparison.winners):
        _paragraph(sentence)


def _print_columns(comparison: "Comparison") -> None:
    """A column a study, the questions on the left."""
    width = (WIDTH - NAME) // len(comparison.sides) - 2
    _heading(_row("", [_wrapped(side.title, width) for side in comparison.sides], width))
    for name, cells in comparison.questions:
        texts = ([cell.text] if name == IN_WORDS else cell for cell in cells)
        filled = [[line for text in cell if text for line in _wrapped(text, width)] for cell in texts]
        click.echo(_row(name, filled, width))


def _print_winners(comparison: "Comparison") -> None:
    """What the winners are: too many words for a column."""
    told = zip(comparison.sides, dict(comparison.questions)[IN_WORDS], strict=True)
    known = [f"{cell.text} ({side.title}): {cell.below}" for side, cell in told if cell.below]
    if known:
        _heading("The winners in words")
    for words in known:
        _paragraph(words)


def _wrapped(text: str, width: int) -> list[str]:
    """The text in lines; no percent sign is parted from its number."""
    tied = text.replace(" %", "\N{NO-BREAK SPACE}%")
    return [line.replace("\N{NO-BREAK SPACE}", " ") for line in textwrap.wrap(tied, width, break_on_hyphens=False)]


def _row(name: str, columns: Sequence[list[str]], width: int) -> str:
    """Columns of lines beside one another."""
    lines = []
    for number in range(max(map(len, columns), default=0)):
        cells = ((column[number] if number < len(column) else "").ljust(width) for column in columns)
        lines.append(f"  {name if number == 0 else '':<{NAME - 2}}{'  '.join(cells)}".rstrip())
    return "\n".join(lines)


def _print_one_after_another(comparison: "Comparison") -> None:
    for place, side in enumerate(comparison.sides):
        _heading(side.title)
        for name, cells in comparison.questions:
            text = " ".join(filter(None, cells[place]))
            click.echo(textwrap.fill(text, WIDTH, initial_indent=f"  {name:<{NAME - 2}}", subsequent_indent=" " * NAME))


def _print_shared(shared: "Sequence[Shared]", sides: "Sequence[Side]") -> None:
    """The policies that several studies have trained: error and rank in each, the best mean rank first."""
    if not shared:
        _paragraph("No policy was trained in more than one of these studies.")
        return
    namesakes = any(not policy.exact for policy in shared)
    mark = " ~ is the same by name only." if namesakes else ""
    _paragraph(f"The same policy in several studies: validation error of one training, and its rank there.{mark}")
    names = [_short(f"{'~ ' * (not policy.exact)}{policy.label}", 40) for policy in shared[:MOST_SHARED]]
    width = max(map(len, names))
    click.echo("  ".join(["  " + " " * width, *(f"{_short(side.title, CELL):>{CELL}}" for side in sides)]))
    for name, policy in zip(names, shared, strict=False):
        found = (_found(policy, place) for place in range(len(sides)))
        click.echo("  ".join([f"  {name:<{width}}", *(f"{cell:>{CELL}}" for cell in found)]))
    if len(shared) > MOST_SHARED:
        click.echo(f"  and {len(shared) - MOST_SHARED} more (-o FILE.html and --json have them all)")


def _found(policy: "Shared", place: int) -> str:
    if place not in policy.found:
        return "not trained"
    found = policy.found[place]
    return f"{percent(found.error):>5} %{f'{found.rank} of {found.of}':>12}"


def _short(text: str, most: int) -> str:
    """Cut in its middle: what tells two names apart stands at their ends."""
    head = most // 3
    return text if len(text) <= most else f"{text[:head]}…{text[head + 1 - most :]}"


def _heading(text: str) -> None:
    click.echo(click.style(text, bold=True))


def _paragraph(text: str) -> None:
    click.echo(textwrap.fill(text, WIDTH, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False))
