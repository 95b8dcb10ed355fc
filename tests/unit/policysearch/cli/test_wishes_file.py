"""`search --config`: what a file wishes is what the same options wish, and whatever is wrong with it is one line."""

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from dashboards.command import again, wishes_file
from policysearch.cli import run
from policysearch.cli.app import cli
from policysearch.cli.reading import show
from policysearch.cli.searching import search
from policysearch.home import Home
from policysearch.ledger import Ledger
from policysearch.study import Study
from searchspaces.spaces import lasting_wish
from searchspaces.yaml_text import parse_yaml, yaml_lines

WISHES = """\
# what we agreed on
data: photos
train_images: 400
val-images: 200
space: [randaugment, photometric]
forbid: [hflip, rotate>15]
recipe: {optimiser: adamw, dropout: {low: 0, high: 0.5}}
weights: nets/start.pth
enqueue:
  - zoo:randaugment-imagenet-resnet-50
  - mine.json
trim: true
no-calibration: true
max-hours: 2
gpus-per-trial: 0.5
val-folder:
"""


def given(*words: object) -> dict[str, Any]:
    return dict(search.make_context("search", [str(word) for word in words]).params)


def written(path: Path, text: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


def test_a_file_wishes_what_its_options_wish_and_what_is_typed_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = written(tmp_path / "plans" / "study.yaml", WISHES)
    monkeypatch.chdir(tmp_path)
    typed = given("--data", "x", "--train-images", 50, "--config", "plans/study.yaml", "--enqueue", "other.json")
    assert (typed["data"], typed["train_images"], typed["enqueue"]) == ("x", 50, ("other.json",)), (
        "as typed, whatever comes first"
    )
    found, usual = given("--config", file), given("--data", "x")
    assert {name: value for name, value in found.items() if value != usual[name]} == {
        "data": str(tmp_path / "plans/photos"),
        "train_images": 400,
        "val_images": 200,
        "space": "randaugment,photometric",
        "forbid": "hflip,rotate>15",
        "recipe": {"optimiser": "adamw", "dropout": {"low": 0, "high": 0.5}},
        "weights": str(tmp_path / "plans/nets/start.pth"),
        "enqueue": ("zoo:randaugment-imagenet-resnet-50", str(tmp_path / "plans/mine.json")),
        "trim": True,
        "no_calibration": True,
        "max_hours": 2.0,
        "gpus_per_trial": 0.5,
    }


@pytest.mark.parametrize(
    "text",
    [
        "data: cifar10",
        "data: torchvision:SVHN",
        "data: mine.images:load",
        "data: s3\ncheckpoints: s3://bucket/nets",
        "data: /a/b",
    ],
)
def test_names_are_no_paths(tmp_path: Path, text: str) -> None:
    found = given("--config", written(tmp_path / "s.yaml", text))
    said = parse_yaml(text.encode(), "text")
    placed = said["data"] if said["data"] != "s3" else str(tmp_path / "s3")
    assert (found["data"], found["checkpoints"]) == (placed, said.get("checkpoints"))


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("data: x\ntrain-image: 4", ("'train-image' is no option", "the nearest is train-images")),
        ("data: x\nname: mine", ("'name' is no option", "the nearest is study")),
        ("config: other.yaml", ("'config' is no option",)),
        ("trials: many", ("trials 'many'", "a whole number")),
        ("epochs: 2.5", ("epochs 2.5", "a whole number")),
        ("workers: true", ("workers True", "a whole number")),
        ("max-hours: long", ("max-hours 'long'", "a number")),
        ("trim: yes", ("trim 'yes'", "true or false")),
        ("study: 2024", ("study 2024", "in quotes")),
        ("model: [small, large]", ("model a list", "a text")),
        ("enqueue: [1]", ("enqueue a list", "a list of texts")),
        ("train-images: 4\ntrain_images: 4", ("train-images", "twice")),
        ("data: x\ndata: y", ("'data' given twice",)),
        ("levels: 0:4095", ("line 1", "quote text")),
        ("- data", ("a list", "a mapping")),
        ("trials: 0\ndata: x", ("trials 0", "1 to")),
        ("trials: 4", ("Missing option '--data'",)),
        (None, ("No such file",)),
    ],
)
def test_what_is_wrong_with_a_file_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str | None, parts: tuple[str, ...]
) -> None:
    file = tmp_path / "study.yaml"
    if text is not None:
        file.write_text(text)
    assert run(cli, ["search", "--config", str(file), "--home", str(tmp_path / "home")]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert all(part in error for part in parts), error


def test_a_study_gives_the_file_and_the_command_that_make_it_again(tmp_path: Path) -> None:
    space: Any = written(tmp_path / "mine.yaml", "space: randaugment\nparameters: {level: {low: 3, high: 21}, ops: 2}\n")
    how: Any = {"forbid": "rotate>15", "recipe": "optimiser=adamw,dropout=0..0.5", "trim": True, "calibrate": False}
    study = Study(tmp_path / "set 1", space=space, levels="0:4095", name="owls", train_images=40, domain="aerial", **how)
    ledger = Ledger.open(Home(tmp_path / "home").make().ledger_url)
    record = ledger.create_study("owls", {"recipe": {}, "test": None, "epochs": 40}, study.wishes())
    told = CliRunner().invoke(show, ["owls", "--config", "--home", str(tmp_path / "home")], catch_exceptions=False).output
    assert told == wishes_file(record, 1)
    found = given("--config", written(tmp_path / "again.yaml", told))
    assert found["space"] == lasting_wish(str(space))
    wishes = {name: found[name] for name in found if name in Study.__dataclass_fields__}
    assert Study(calibrate=not found["no_calibration"], **wishes).wishes() == study.wishes()
    command = again(record, 1, False)
    assert command is not None
    shown = CliRunner().invoke(show, ["owls", "--home", str(tmp_path / "home")], catch_exceptions=False).output
    assert all(line in shown for line in command.text.splitlines()), "to be copied as it stands"


@pytest.mark.parametrize(
    "value",
    [
        {"a": "plain words", "b": "0:65535", "c": "no", "d": "true", "e": "- x", "f": "a: b", "g": "#", "h": "", "i": "é\n\x1b"},
        {"low": 0.5, "high": 1e-07, "of": {"choices": [1, "2", None]}, "none": {}, "more": [{"a": [1]}, [2, {"b": "c"}], []]},
    ],
)
def test_what_is_written_is_read_as_the_same(value: Any) -> None:
    assert parse_yaml("\n".join(yaml_lines(value)).encode(), "text") == value


def test_the_example_of_the_page_is_such_a_file(tmp_path: Path) -> None:
    page = (Path(__file__).parents[4] / "docs" / "study-file.md").read_text()
    example = page.partition("```yaml\n")[2].partition("```")[0]
    found = given("--config", written(tmp_path / "study.yaml", example))
    assert (found["data"], found["name"], found["test"]) == (str(tmp_path / "photos"), "birds", True)
    assert found["forbid"] == "hue,rotate>15"
    Study(**{name: found[name] for name in found if name in Study.__dataclass_fields__})
