"""A search in front of a person: what is shown while it runs, MLflow kept up to date beside it, and its result at the end.

What is searched is the study's; how it is told, `telling`'s. Says how to go on whatever ends it early.
"""

import os
import shlex
import sys
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from policysearch.cli.options import MIRROR_PATIENCE_SECONDS, spoken
from policysearch.cli.telling import Telling, share_of_a_gpu

if TYPE_CHECKING:
    from policysearch.cli.progress import View
    from policysearch.drivers import Event
    from policysearch.home import Home
    from policysearch.search import Outcome
    from policysearch.study import Study
    from policysearch.tracking.shipper import Shipper

CLOSED_OUTPUT = 141  # as a shell says it of a program that SIGPIPE ended
GO_ON = "the same command goes on from there."
GO_ON_EXTENDING = "the same command, with the number that was wanted in all, goes on from there."


def conduct(
    study: "Study", trials: int | str, test: bool, how: Telling, extending: bool = False, register: str | None = None
) -> None:
    """Run or extend a study in front of a person: progress while it runs, then its pictures, report and result.

    The winner's net of a study that is over is registered in MLflow as `register`, if that is named.
    """
    from policysearch.home import Home

    home, over = Home.locate(study.home, study.storage), dict[str, str]()
    go_on = GO_ON_EXTENDING if extending else GO_ON
    try:
        with how.view(study.epochs) as view:
            over, beside = view.tally.over, Beside(home, view, register)
            outcome = study.extend(trials, beside.hear, test) if extending else study.run(int(trials), beside.hear, test)
    except BrokenPipeError:
        _say_how_to_go_on("nobody reads the output any more: ", len(over), go_on)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what Python would still write there at its end
        raise SystemExit(CLOSED_OUTPUT) from None
    except (KeyboardInterrupt, SystemExit):
        _say_how_to_go_on("", len(over), go_on)
        raise
    show_outcome(study, outcome, beside)
    how.verdict(home, outcome.study)
    short = outcome.judgement.verdict.kind == "budget-too-short" and not study.any_budget
    if short and is_terminal() and click.confirm("Go on all the same, with a budget that may favour the wrong policies?"):
        conduct(replace(study, any_budget=True), trials, test, how, extending, register)


def check_register(name: str, study: "Study") -> None:
    """Raise BadInput before hours of search rather than after."""
    from policysearch.home import Home
    from policysearch.tracking.models import require_registrable
    from policysearch.tracking.target import locate

    require_registrable(name, locate(Home.locate(study.home).root))


def _say_how_to_go_on(why: str, over: int, go_on: str) -> None:
    from searchspaces.phrases import counted

    with suppress(OSError):  # the terminal may be gone
        click.echo(f"\n{why}{counted(over, 'trial')} {'is' if over == 1 else 'are'} finished and kept; {go_on}", err=True)


class Beside:
    """What goes on beside a search: a view hears its events, and MLflow is kept up to date by a process of its own."""

    def __init__(self, home: "Home", view: "View", register: str | None = None) -> None:
        self.home, self.view, self.register = home, view, register
        self.shipper: Shipper | None = None
        self.said: set[str] = set()

    def hear(self, event: "Event") -> None:
        """Pass an event on to the view; start the mirror when the study stands."""
        from policysearch.ledger import Ledger
        from policysearch.tracking.shipper import start_shipper

        if event.kind == "ready" and (record := Ledger(self.home.ledger_url).study(event.text)) is not None:
            self.view.tally.gpus = share_of_a_gpu(record)
        self.view.hear(event)
        if event.kind == "note":
            self.said.add(event.text)
        if event.kind == "ready":
            self.shipper = start_shipper(self.home, event.text, self.register)
            self._show_ranges(event.text)

    def _show_ranges(self, study: str) -> None:
        """Draw the ends of the space's ranges on the user's images, and say where; without the picture the search goes on."""
        from dashboards.ranges import write_study_ranges
        from policysearch.drivers import Event
        from policysearch.ledger import Ledger
        from searchspaces.errors import BadInput

        try:
            path = write_study_ranges(Ledger(self.home.ledger_url), self.home, study)
        except BadInput as error:
            return self.view.hear(Event("note", text=f"no picture of the space's ranges: {error}"))
        if path is not None:
            self.view.hear(Event("note", text=f"what the ends of the space's ranges do to your images: {path}"))
        return None

    def finish(self, study: str, mirror: str, ui: str) -> str:
        """Wait for the mirror's closing pass, but not for ever; how to look at MLflow, by links or by these two commands."""
        from policysearch.cli.links import where_to_look

        stands = self.shipper.finish(MIRROR_PATIENCE_SECONDS) if self.shipper else None
        if stands is None:
            return f"not up to date yet: {mirror}, then {ui}"
        if stands.behind:
            return f"{stands.behind} trials behind ({stands.reason}); later: {mirror}"
        return "\n            ".join((where_to_look(stands, self.home, study, ui), *stands.notes))


def show_outcome(study: "Study", outcome: "Outcome", beside: Beside) -> None:
    """Draw what the best policies do, write the report, wait for the mirror, and print the result."""
    from dashboards.gallery import write_pictures
    from dashboards.queries import read_study
    from dashboards.report import write_report
    from policysearch.cli.ending import print_ending, print_places
    from policysearch.ledger import Ledger

    home = beside.home
    ledger, directory = Ledger.open(home.ledger_url), home.study_directory(outcome.study)
    write_pictures(ledger, home, outcome.study)
    write_report(ledger, home, outcome.study, directory / "report.html")
    print_ending(read_study(ledger, outcome.study), study.home)
    for note in outcome.notes:
        if note not in beside.said:
            click.echo(f"  {note}")
    registering = "" if beside.register is None else f" --register {shlex.quote(beside.register)}"
    mirror, ui = (spoken(words, study.home) for words in (f"mirror {outcome.study}{registering}", f"ui {outcome.study}"))
    tracking = beside.finish(outcome.study, mirror, ui)
    print_places(outcome.study, directory, tracking, study.home)


def is_terminal() -> bool:
    """Whether there is somebody to ask."""
    return sys.stdin.isatty() and sys.stdout.isatty()
