"""Options that several commands share, and how they open a home, its ledger and a study."""

import json
import os
import shlex
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from searchspaces.errors import BadInput

if TYPE_CHECKING:
    from policysearch.home import Home
    from policysearch.ledger import Ledger, StudyRecord

MIRROR_PATIENCE_SECONDS = 60.0  # how long a command waits at its end for MLflow to follow; the ledger has everything anyway

MOST_COLUMNS = 98  # of a sentence
FEWEST_COLUMNS = 30
_STORAGE_GIVEN = "policysearch.storage"
Command = TypeVar("Command", bound=Callable[..., Any])


def home_option(command: Command) -> Command:
    """`--home DIR`: where studies live; and `--storage URL`: where their ledger is."""
    text = "Where studies live (default: $POLICYSEARCH_HOME, else your data folder; `policysearch doctor` shows it)."
    ledger = "The ledger's database, without a password (default: $POLICYSEARCH_STORAGE, else a file in the home)."
    storage = click.option("--storage", metavar="URL", help=ledger, expose_value=False, callback=_use_storage)
    return click.option("--home", metavar="DIR", help=text)(storage(command))


def _use_storage(context: click.Context, _parameter: click.Parameter, storage: str | None) -> None:
    """The option says for one command and the processes that it starts what the variable says for all."""
    from policysearch.home import STORAGE_VARIABLE

    if storage is None:
        return
    from policysearch.ledger import checked_storage

    before = os.environ.get(STORAGE_VARIABLE)
    os.environ[STORAGE_VARIABLE] = context.meta[_STORAGE_GIVEN] = checked_storage(storage)

    def put_back() -> None:
        os.environ.pop(STORAGE_VARIABLE, None)
        if before is not None:
            os.environ[STORAGE_VARIABLE] = before

    context.call_on_close(put_back)


def reading_options(command: Command) -> Command:
    """`--columns`, `--levels`, `--skip-bad`: how a table, 16-bit images and damaged files are read."""
    named = "A table's columns, such as path=FILE,label=KIND; also group and split."
    window = "16-bit images to 8 bits: this grey level is black, that one white; full is 0:65535."
    columns = click.option("--columns", metavar="WHAT=NAME[,...]", help=named)
    levels = click.option("--levels", metavar="LOW:HIGH|full", help=window)
    skip_bad = click.option("--skip-bad", is_flag=True, help="Leave out images that can't be read, up to 1 %; they are named.")
    return columns(levels(skip_bad(command)))


def data_options(command: Command) -> Command:
    """All that is wished of the data beside its name and the seed, as `search` has it."""
    options = [
        click.option(
            "--data-root", metavar="DIR", help="Where a named set's files lie, or what a table's paths are relative to."
        ),
        click.option("--image-size", type=int, default=64, show_default=True, metavar="PIXELS", help="Files are made this size."),
        click.option("--train-images", type=int, metavar="N", help="Train on a stratified part."),
        click.option("--val-images", type=int, metavar="N", help="Validate on a stratified part."),
        click.option("--val-folder", metavar="NAME", help="The folder, or split, that is for validation."),
        click.option("--groups", metavar="WISH", help="Images that stay together: column, folder:N or regex:PATTERN."),
        click.option(
            "--duplicates", default="drop-exact", show_default=True, metavar="CURE", help="Of duplicates across splits."
        ),
        reading_options,
    ]
    for option in reversed(options):
        command = option(command)
    return command


def finalist_options(command: Command) -> Command:
    """`--finalists K` and `--finalist-seeds R`: how much a study's last selection costs."""
    most = "The best K searched policies are trained again, with the two best baselines (0: no verdict)."
    seeds = click.option(
        "--finalist-seeds", type=int, default=5, show_default=True, metavar="R", help="How often each is trained."
    )
    return click.option("--finalists", type=int, default=3, show_default=True, metavar="K", help=most)(seeds(command))


def domain_options(command: Command) -> Command:
    """`--domain NAME` and `--forbid LIST`: what kind of images they are, and what they may not meet."""
    kinds = "What the images are: photos, digits, aerial, histology, xray; sets crop, flips and what is forbidden."
    parts = "What they may not meet: ops, hflip, vflip, quarter_turns, crop, or bounds such as 'rotate>15', with commas."
    forbid = click.option("--forbid", default="", metavar="OP[>VALUE][,...]", help=parts)
    return click.option("--domain", metavar="NAME", help=kinds)(forbid(command))


def json_option(command: Command) -> Command:
    """`--json`: the same facts for programs."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON, for other programs.")(command)


def line_width() -> int:
    """How many columns sentences are set in: what the window has where there is one, but no more than reads well."""
    columns = shutil.get_terminal_size((MOST_COLUMNS, 24)).columns if sys.stdout.isatty() else MOST_COLUMNS
    return max(FEWEST_COLUMNS, min(MOST_COLUMNS, columns - 1))


def print_json(facts: object) -> None:
    """Print facts as JSON, one document, keys as given."""
    click.echo(json.dumps(facts, indent=2, allow_nan=False))


def spoken(words: str, home: str | Path | None) -> str:
    """A command as this person can type it here: `words` after the program's name or path, with --home and --storage as given."""
    program = "policysearch"
    if shutil.which(program) is None:  # an environment that is not activated, as after `make demo`
        program = shlex.quote(os.path.relpath(Path(sys.executable).with_name(program)))
    context = click.get_current_context(silent=True)
    storage = context.meta.get(_STORAGE_GIVEN) if context else None
    given = (("--home", home), ("--storage", storage))
    return f"{program} {words}" + "".join(f" {option} {shlex.quote(str(value))}" for option, value in given if value)


def open_home(home: str | None) -> "Home":
    """The home that `--home` or the environment names."""
    from policysearch.home import Home

    return Home.locate(home)


def open_study(home: "Home", name: str) -> "tuple[Ledger, StudyRecord]":
    """The ledger of a home and one of its studies; BadInput names the studies there are. Makes nothing that isn't there."""
    from policysearch.ledger import Ledger

    ledger = Ledger(home.ledger_url)
    study = ledger.study(name)
    if study is None:
        names = ", ".join(known.name for known in ledger.studies()) or "none yet"
        raise BadInput(f"study {name!r}: not in {home.ledger_place}; there are: {names}; `policysearch status` lists them")
    return ledger, study
