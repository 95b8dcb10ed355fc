"""A command that makes a study again, from the wishes that the ledger kept of it; for a trainer of one's own, the Python lines.

The same as a file for `--config`. Says what can't be said in one command (a space from a file) as a file to write first. Nothing
here is run.
"""

import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from policysearch.ledger import StudyRecord
from searchspaces.errors import BadInput
from searchspaces.yaml_text import yaml_lines

SWITCHES = {"trim": "--trim", "any_budget": "--any-budget", "skip_bad": "--skip-bad"}
NEGATED = {"calibrate": "--no-calibration"}
SPACE_FILE = "space.yaml"
USUAL: Mapping[str, Any] = {
    **{"image_size": 64, "epochs": 40, "sampler": "tpe", "seed": 0, "duplicates": "drop-exact", "views": "identity"},
    **{"finalists": 3, "finalist_seeds": 5, "space": "randaugment"},
}
FIRST = ("data", "data_root", "train_images", "val_images", "image_size", "space")


@dataclass(frozen=True)
class Again:
    """How to make a study again: `text` to copy, in a shell unless `python`; `files` to write first, by name; what to know."""

    text: str
    python: bool
    files: Mapping[str, str]
    note: str


def again(study: StudyRecord, trials: int, tested: bool) -> Again | None:
    """The command for so many searched policies, with the look at the test set if it had one; None where no wishes were kept."""
    wishes = dict(study.wishes)
    if not wishes:
        return None
    if "objective" in wishes:
        return Again(_python(study, wishes, trials), True, {}, "Your function is there by its name; its code is yours to keep.")
    files = {SPACE_FILE: _as_yaml(wishes["space"])} if isinstance(wishes.get("space"), Mapping) else {}
    words = ["policysearch", "search", *_options(wishes), "--trials", str(trials), "--study", study.name]
    words += ["--test"] if tested else []
    note = "In another home, or under another name: this home has the study, and would print its result."
    return Again(_wrapped(words), False, files, note)


def wishes_file(study: StudyRecord, trials: int) -> str:
    """The study's wishes as a file for `search --config`. BadInput where they can't be said in one."""
    wishes = dict(study.wishes)
    if not wishes:
        raise BadInput(f"study {study.name!r}: an earlier policysearch made it and kept none of its wishes; write the file anew")
    if "objective" in wishes:
        raise BadInput(
            f"study {study.name!r}: its trainer is a function of your own ({wishes['objective']}), which no file can hold; its"
            f" report has the Python lines: policysearch report {study.name} -o report.html"
        )
    said = {option.removeprefix("--"): True if value is None else value for option, value in _wished(wishes)}
    return "\n".join(yaml_lines(said | {"trials": trials, "study": study.name})) + "\n"


def _options(wishes: Mapping[str, Any]) -> Iterator[str]:
    """The wishes that are not the usual ones, as words of a command line; the data first."""
    for option, value in _wished(wishes):
        yield from (option,) if value is None else (option, _said(option, value))


def _wished(wishes: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The options and their values, as kept; None for a switch."""
    for name in dict.fromkeys((*FIRST, *wishes)):
        value = wishes.get(name)
        if value is None or value == USUAL.get(name):
            continue
        if name in SWITCHES:
            yield from [(SWITCHES[name], None)] if value else []
        elif name in NEGATED:
            yield from [] if value else [(NEGATED[name], None)]
        else:
            yield f"--{name.replace('_', '-')}", value


def _said(option: str, value: Any) -> str:
    """An option's value as text."""
    if option == "--space" and isinstance(value, Mapping):
        return SPACE_FILE
    if option == "--recipe" and isinstance(value, Mapping):
        return ",".join(f"{field}={_field(of)}" for field, of in value.items())
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _field(value: Any) -> str:
    """A recipe's field as `--recipe` takes it: a value, LOW..HIGH[:log], or choices."""
    if isinstance(value, Mapping) and "choices" in value:
        value = value["choices"]
    if isinstance(value, Mapping):
        return f"{value['low']!r}..{value['high']!r}{':log' if value.get('log') else ''}"
    if isinstance(value, list | tuple):
        return "/".join(map(_field, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def _as_yaml(content: Any) -> str:
    """JSON, which every reader of YAML reads."""
    return json.dumps(content, indent=2)


def _python(study: StudyRecord, wishes: Mapping[str, Any], trials: int) -> str:
    """The lines for a trainer of one's own."""
    module, _, function = str(wishes["objective"]).rpartition(":")
    given = {name: value for name, value in wishes.items() if name != "objective" and value != USUAL.get(name)}
    lines = [f"    {name}={value!r}," for name, value in given.items() if not (name == "calibrate" and value)]
    call = [f"    objective={function or module},", *lines, f"    name={study.name!r},"]
    head = [f"from {module} import {function}"] if module and function.isidentifier() else []
    return "\n".join(["from policysearch import Study", *head, "", "Study(", *call, f").run(trials={trials})"])


def _wrapped(words: list[str]) -> str:
    """Shell words, quoted, an option a line."""
    lines: list[list[str]] = [[]]
    for word in words:
        if word.startswith("--"):
            lines.append([])
        lines[-1].append(word if word.startswith("--") else shlex.quote(word))
    return " \\\n    ".join(" ".join(line) for line in lines)
