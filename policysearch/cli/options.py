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

Command = TypeVar("Command", bound=Callable[..., Any])


def home_option(command: Command) -> Command:
    """`--home DIR`: where studies live."""
    text = "Where studies live (default: $POLICYSEARCH_HOME, else your data folder; `policysearch doctor` shows it)."
    return click.option("--home", metavar="DIR", help=text)(command)


def json_option(command: Command) -> Command:
    """`--json`: the same facts for programs."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON, for other programs.")(command)


def print_json(facts: object) -> None:
    """Print facts as JSON, one document, keys as given."""
    click.echo(json.dumps(facts, indent=2, allow_nan=False))


def spoken(words: str, home: str | Path | None) -> str:
    """A command as this person can type it here: `words` after the program's name or path, and with --home where it was given."""
    program = "policysearch"
    if shutil.which(program) is None:  # an environment that is not activated, as after `make demo`
        program = shlex.quote(os.path.relpath(Path(sys.executable).with_name(program)))
    return f"{program} {words}" + (f" --home {shlex.quote(str(home))}" if home else "")


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
        raise BadInput(f"study {name!r}: not in {home.root}; there are: {names}; `policysearch status` lists them")
    return ledger, study
