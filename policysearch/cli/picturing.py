"""The command `preview`, a picture of what a policy does, and how `ops --strip` draws the op table. They change nothing."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from policysearch.cli.exporting import policy_of
from policysearch.cli.options import home_option, open_home, open_study, reading_options
from searchspaces.errors import BadInput

if TYPE_CHECKING:
    from PIL import Image

    from searchspaces.arrays import Images

Command = TypeVar("Command", bound=Callable[..., Any])

MOST_PICTURES = 100  # to a side of a grid: more nobody looks at


def images_options(command: Command) -> Command:
    """Where pictures come from: `--data`, `--data-root`, `--image-size` and how files are read, as `search` has them."""
    size = click.option(
        "--image-size", type=int, default=64, show_default=True, metavar="PIXELS", help="Images of folders are made this size."
    )
    root = click.option("--data-root", metavar="DIR", help="Where a named set lies, or what a table's paths are relative to.")
    data = click.option("--data", metavar="DIR|FILE|NAME", help="Show training images of this data: whatever `search` takes.")
    return data(root(size(reading_options(command))))


@click.command()
@click.argument("source", metavar="STUDY|POLICY.json|zoo:NAME")
@images_options
@click.option("-o", "--output", required=True, metavar="FILE.png", help="Where to write it.")
@click.option("--images", "count", type=click.IntRange(1, MOST_PICTURES), default=8, show_default=True, help="So many images.")
@click.option("--draws", type=click.IntRange(1, MOST_PICTURES), default=4, show_default=True, help="So many draws of each.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Another seed, other draws.")
@home_option
def preview(
    source: str, output: str, count: int, draws: int, seed: int, home: str | None, data: str | None, **wishes: Any
) -> None:
    """A picture of what a policy does: some images, several draws of each, with the ops and values below.

    Shows --data, or the images that the study was searched on, or a drawn scene. The same command draws the same picture.

    \b
    policysearch preview zoo:trivialaugment-wide --data photos/ -o grid.png
    policysearch preview policy.json --data scans.csv --columns path=image_id,label=diagnosis --levels 0:4095 -o grid.png
    """
    from dashboards.gallery import picture_grid

    policy = policy_of(source, home).policy
    images, titles = _images(source, home, count, data, **wishes)
    write_picture(picture_grid(policy, images, seed, titles, draws, heading=_named(source)), output)


def write_strip(output: str, data: str | None, **wishes: Any) -> None:
    """The op table as a picture, on the first training image of `data`, or on a drawn scene."""
    from dashboards.op_strip import op_strip
    from searchspaces.ops import op_table

    image, _ = _shown(data, 1, **wishes)
    write_picture(op_strip(op_table(), image), output, ops=", ".join(op.name for op in op_table()))


def _images(source: str, home: str | None, count: int, data: str | None, **wishes: Any) -> "tuple[Images, tuple[str, ...]]":
    """The images to show and their titles: those asked for, or a study's own, or a drawn scene `count` times."""
    is_study = not (source.startswith("zoo:") or source.endswith(".json"))
    if data is not None or not is_study:
        return _shown(data, count, **wishes)
    from dashboards.gallery import originals

    place = open_home(home)
    ledger, study = open_study(place, source)
    recorded = ledger.trials(study.uid)[0].spec["data"]
    if recorded is None:  # its trainer brings its own images
        return _shown(None, count, **wishes)
    return originals(place.data_directory(recorded["directory"]), count)


def _shown(data: str | None, count: int, **wishes: Any) -> "tuple[Images, tuple[str, ...]]":
    """Training images of the data, at most `count`; without data a drawn scene, `count` times."""
    if data is None:
        from dashboards.scene import scene

        for name in ("data_root", "columns", "levels"):
            if wishes[name] is not None:
                option = f"--{name.replace('_', '-')} {wishes[name]!r}"
                raise BadInput(f"{option}: there is no --data it could be for; give --data cifar10, for instance")
        return scene().repeat(count, axis=0), ("drawn scene",) * count
    from trials.data import Source
    from trials.data.examples import example_images

    return example_images(Source(data, **wishes), count)


def _named(source: str) -> str:
    """What the picture is headed with: a file's name without its folders."""
    return Path(source).name if source.endswith(".json") else source


def write_picture(picture: "Image.Image", output: str, err: bool = False, **told: str) -> None:
    """Save the picture and say so (with `err`, not among the output); `told` are texts that the PNG carries along, unseen."""
    from PIL.PngImagePlugin import PngInfo

    target = Path(output)
    if target.suffix.lower() != ".png":
        raise BadInput(f"output {output}: the picture is a PNG; give -o FILE.png")
    if not target.parent.is_dir():
        raise BadInput(f"output {output}: there is no directory {target.parent}; make it first, or give another -o FILE.png")
    try:
        texts = PngInfo()
        for name, text in told.items():
            texts.add_text(name, text)
        picture.save(target, optimize=True, pnginfo=texts)
    except OSError as error:
        raise BadInput(f"output {output}: can't be written ({error.strerror}); give another -o FILE.png") from error
    click.echo(f"{target}: {picture.width} x {picture.height} pixels", err=err)
