"""The command `data`: what was understood of your images, without searching. What it prepares, a search as wished uses."""

from typing import TYPE_CHECKING, Any

import click

from policysearch.cli.options import data_options, home_option, json_option, open_home, print_json
from policysearch.cli.picturing import write_picture

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_CLASSES = 40
SPLITS = ("train", "val", "select", "test")


@click.command()
@click.argument("data", metavar="DIR|FILE|NAME")
@data_options
@click.option("--sheet", metavar="FILE.png", help="Also write a contact sheet of training images.")
@click.option("--seed", type=int, default=0, show_default=True, help="The study's seed: it decides the splits.")
@json_option
@home_option
def data(data: str, sheet: str | None, as_json: bool, home: str | None, **wishes: Any) -> None:
    """What policysearch understands of your images: no search, no training.

    Tells which reader took them, the images of each split and class, sizes, channels, mean and deviation, and what is odd about
    them. Of the test part images are counted, and nothing else. A search with these options uses what was prepared.

    \b
    policysearch data photos/
    policysearch data labels.csv --columns path=image_id,label=diagnosis --groups column --sheet sheet.png
    policysearch data torchvision:SVHN --data-root DIR
    """
    from policysearch.preparing import noting
    from trials.data import Source, prepare
    from trials.data.facts import facts_of

    source = Source(data, **wishes)
    prepared = prepare(source, open_home(home).root, noting(lambda event: click.echo(event.text, err=True)))
    facts = facts_of(prepared)
    if as_json:
        print_json(facts)
    else:
        for line in lines(facts):
            click.echo(line)
    if sheet is not None:
        from dashboards.data_sheet import data_sheet

        write_picture(data_sheet(prepared.directory), sheet, err=as_json)


def lines(facts: dict[str, Any]) -> "Iterator[str]":
    """What `facts_of` found, for a person."""
    yield f"{facts['name']}: {facts['reader']}"
    yield ""
    yield from _table(facts)
    yield ""
    size, sizes = facts["prepared_size"], facts["sizes"]
    for side in ("height", "width"):
        least, median, most = sizes[side]
        told = f"{least}" if least == most else f"{least} to {most}, median {median}"
        yield f"  {side:<10} {told} pixels (training images, as they are in their files); prepared: {size[side]}"
    yield f"  {'channels':<10} {facts['channels']}" + _modes(facts["modes"])
    yield f"  {'mean':<10} {_numbers(facts['mean'])} (training images, levels / 255)"
    yield f"  {'deviation':<10} {_numbers(facts['deviation'])}"
    yield f"  {'prepared':<10} {facts['directory']}"
    for title, told in (("odd", facts["odd"]), ("to know", facts["notes"])):
        yield from ([f"  {title}:", *(f"    {line}" for line in told)] if told else [])


def _table(facts: dict[str, Any]) -> "Iterator[str]":
    splits = [split for split in SPLITS if facts["images"].get(split)]
    shown = facts["classes"][:MOST_CLASSES]
    width = max(7, *(len(row["class"]) for row in shown))
    yield "  " + " " * width + "".join(f"{split:>9}" for split in splits)
    yield f"  {'images':<{width}}" + "".join(f"{facts['images'][split]:>9,}" for split in splits)
    for row in shown:
        yield f"  {row['class']:<{width}}" + "".join(f"{row[split]:>9,}" for split in splits)
    if len(facts["classes"]) > len(shown):
        yield f"  {len(facts['classes']) - len(shown)} more classes (--json lists all)"


def _modes(modes: dict[str, int]) -> str:
    from trials.data.described import in_order

    return f" ({', '.join(f'{count} {mode}' for mode, count in in_order(modes))})" if modes else ""


def _numbers(values: list[float]) -> str:
    return " ".join(f"{value:.3f}" for value in values)
