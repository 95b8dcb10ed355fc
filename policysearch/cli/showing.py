"""One study on a screen, as `show` prints it: the verdict first, then its trials, what it was made with last. Reads no ledger."""

import json
import textwrap
from collections.abc import Mapping
from typing import Any

import click

from policysearch.cli.options import line_width
from policysearch.judging.in_words import percent
from searchspaces.phrases import counted
from searchspaces.space_words import parameters_in_words

NAME = 14  # columns of what stands before a line


def print_study(facts: Mapping[str, Any]) -> None:
    """Print what `show --json` says, for a person."""
    click.echo(
        click.style(facts["study"], bold=True) + f"  ({facts['state']}; {facts['done']} trials done, {facts['failed']} failed)"
    )
    _line("verdict", facts["verdict"]["verdict"]["sentence"])
    _print_how_it_went(facts)
    for beside in (*facts["baselines"], *facts["enqueued"]):
        _line(beside["role"], f"{beside['label']}: {_error_or_state(beside)}")
    _print_finalists(facts["verdict"])
    _print_test(facts)
    _line("files", facts["directory"], wrap=False)
    _print_command(facts)
    for name, wish in facts["wishes"].items():
        _print_wish(name, wish)


def _print_command(facts: Mapping[str, Any]) -> None:
    """What makes the study again, in the columns that it has: it is there to be copied."""
    if facts["command"] is None:
        return
    for place, line in enumerate(facts["command"].splitlines()):
        _line("" if place else "command", line, wrap=False)
    if facts["command"].startswith("policysearch "):
        _line("", f"(the same as a file: policysearch show {facts['study']} --config)", wrap=False)


def _print_how_it_went(facts: Mapping[str, Any]) -> None:
    if facts["parent"]:
        _line("child of", f"{facts['parent']}, with copies of the trials that were over there")
    if facts["stopped"]:
        _line("stopped", f"{facts['stopped']} policies early, after fewer epochs than the study's")
    if facts["late_results"]:
        _line("late", f"{facts['late_results']} results came after their trials had been taken over; kept, not counted")
    if facts["winner"]:
        winner = facts["winner"]
        _line("search's best", f"{winner['label']}: {winner['error_percent']} % of {winner['total']} validation images wrong")
        _line("", winner["words"])
    for rung in facts["verdict"].get("rungs", ()):
        _line("rung", rung["sentence"])


def _print_finalists(judgement: Mapping[str, Any]) -> None:
    winner = judgement["winner"] or {}
    for finalist in judgement["finalists"]:
        mean, low, high = (percent(finalist[name]) for name in ("mean", "low", "high"))
        won = ", the winner" if finalist["arm"]["key"] == winner.get("key") else ""
        seeds = counted(len(finalist["errors"]), "seed")
        _line("finalist", f"{finalist['arm']['label']}: {mean} % wrong, {low} to {high} % ({seeds}){won}")


def _print_test(facts: Mapping[str, Any]) -> None:
    test = facts["test"]
    if "recipe" not in facts["wishes"]:
        _line("test set", "the model is its own trainer's: test it there, once")
    elif test is None:
        _line("test set", f"closed; to open it, once: policysearch test {facts['study']}")
    elif test["state"] != "disclosed":
        _line("test set", f"claimed, but the look was interrupted; to finish it: policysearch test {facts['study']}")
    else:
        low, high = test["interval_95_percent"]
        of_first = f"{test['models'][0]['label']}: {test['error_percent']} % of {test['total']} images wrong"
        _line("test set", f"{of_first} (its first model; 95 % interval {low} to {high} %)")


def _print_wish(name: str, wish: Any) -> None:
    """A wish that the study was made with; a space one parameter a line, for its JSON can't be read."""
    name = name.replace("_", " ")
    if name == "space" and isinstance(wish, dict) and "parameters" in wish:
        _line(name, str(wish.get("name", "")))
        told = parameters_in_words(wish["parameters"])
        told += [(str(fixed), f"fixed at {value}") for fixed, value in wish.get("fixed", {}).items()]
        widest = min(40, max((len(parameter) for parameter, _ in told), default=0))
        for parameter, words in told:
            _line("", f"{parameter:<{widest}}  {words}", hang=widest + 2)
    elif isinstance(wish, dict):
        _line(name, ", ".join(f"{part.replace('_', ' ')} {_plain(value)}".strip() for part, value in wish.items()))
    else:
        _line(name, _plain(wish))


def _plain(wish: Any) -> str:
    """A wish as a person writes it: text as it is, long hashes short, nothing as "none", all else without JSON's quotes."""
    if isinstance(wish, str):
        return wish[:12] if len(wish) == 64 else wish
    if isinstance(wish, dict):
        return "(" + ", ".join(f"{part.replace('_', ' ')} {_plain(value)}" for part, value in wish.items()) + ")"
    if isinstance(wish, list):
        return ", ".join(map(_plain, wish))
    return "none" if wish is None else json.dumps(wish)


def _error_or_state(trial: Mapping[str, Any]) -> str:
    if trial["error_percent"] is None:
        return str(trial["state"])
    return f"{trial['error_percent']} % wrong" + ("" if trial["state"] == "done" else f" so far ({trial['state']})")


def _line(name: str, text: str, hang: int = 0, wrap: bool = True) -> None:
    """A name in its column, and what is said of it, the lines of which stand under one another."""
    before = f"  {name:<{NAME - 1}} "
    if not wrap:
        return click.echo(before + text)
    filled = textwrap.fill(
        text, line_width(), initial_indent=before, subsequent_indent=" " * (NAME + 2 + hang), break_on_hyphens=False
    )
    return click.echo(filled)
