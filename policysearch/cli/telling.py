"""How a long command tells what it does: to a person, to a person who wants the result alone, or to a program.

`--quiet` and `--json` of the commands that train, and the view that each of them makes of the events.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from policysearch.cli.events import JsonLines
    from policysearch.cli.progress import View
    from policysearch.home import Home
    from policysearch.ledger import StudyRecord

Command = TypeVar("Command", bound=Callable[..., Any])
GPUS_PER_TRIAL = 0.25  # where nothing else is wished, as `policysearch.wished` has it


def telling_options(command: Command) -> Command:
    """`--quiet` and `--json`, as `quiet` and `as_json`."""
    quiet = click.option("--quiet", is_flag=True, help="Say nothing but the result and errors.")
    events = "Print events for other programs instead, one JSON object a line: see docs/watching.md."
    return quiet(click.option("--json", "as_json", is_flag=True, help=events)(command))


@dataclass(frozen=True)
class Telling:
    """How one command tells; `lines` is None unless it is to programs."""

    quiet: bool = False
    lines: "JsonLines | None" = None

    @property
    def silent(self) -> bool:
        """Whether a person is told nothing while it runs."""
        return self.quiet or self.lines is not None

    @contextmanager
    def view(self, budget_epochs: int) -> "Iterator[View]":
        """What hears the driver's events; trials train for `budget_epochs` unless they say otherwise."""
        from policysearch.cli.progress import progress
        from policysearch.cli.tally import Tally

        if self.lines is None:
            with progress(Tally(budget_epochs), self.quiet) as view:
                yield view
        else:
            self.lines.tally.budget_epochs = budget_epochs
            yield self.lines

    def verdict(self, home: "Home", study: str) -> None:
        """Tell a program what the study has come to; a person is told by the command itself."""
        from policysearch.ledger import Ledger

        if self.lines is not None:
            ledger = Ledger(home.ledger_url)
            record = ledger.study(study)
            assert record is not None
            self.lines.tell_verdict(ledger, record, str(home.study_directory(study)))


@contextmanager
def telling(quiet: bool, as_json: bool) -> Iterator[Telling]:
    """How a command tells while this is open; with `as_json` its last line is the end, and standard output has nothing else."""
    if not as_json:
        yield Telling(quiet)
        return
    from policysearch.cli.events import told_as_json
    from policysearch.cli.tally import Tally

    with told_as_json(Tally(0)) as lines:
        yield Telling(quiet, lines)


def share_of_a_gpu(study: "StudyRecord") -> float:
    """What a training of the study takes of a GPU; 0 on a CPU, and for a trainer of the user's own, of which that isn't known."""
    recipe = study.identity.get("recipe") or {}
    if recipe.get("device") != "cuda":
        return 0.0
    processes = int(recipe.get("processes", 1))
    wished = study.wishes.get("gpus_per_trial") or (GPUS_PER_TRIAL if processes == 1 else 1.0)
    return float(max(wished, processes if processes > 1 else 0))
