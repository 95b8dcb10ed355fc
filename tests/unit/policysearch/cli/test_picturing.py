"""`preview` and `ops --strip`: a picture where it was asked for, the same each time, and one line for every wrong wish."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from study_fixture import whole_study

from policysearch.cli import run
from policysearch.cli.app import cli
from searchspaces.ops import op_table
from searchspaces.policy import Branch, Choice, Constant, Policy, Step
from searchspaces.policy_json import write_policy_file

Type = Callable[..., tuple[int, str, str]]


@pytest.fixture
def typed(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Type:
    monkeypatch.setenv("POLICYSEARCH_HOME", str(tmp_path / "home"))

    def type_in(*words: object) -> tuple[int, str, str]:
        capsys.readouterr()
        code = run(cli, [str(word) for word in words])
        out, err = capsys.readouterr()
        return code, out, err

    return type_in


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        return np.asarray(picture.convert("RGB"))


def test_preview_of_the_zoo_on_data_is_the_same_twice_and_makes_no_home(typed: Type, tmp_path: Path) -> None:
    words = ("preview", "zoo:trivialaugment-wide", "--data", "sample", "--images", 3, "--draws", 2)
    first, again, other = (tmp_path / f"{name}.png" for name in ("first", "again", "other"))
    code, out, err = typed(*words, "-o", first)
    assert (code, err) == (0, "")
    height, width, _ = pixels(first).shape
    assert out == f"{first}: {width} x {height} pixels\n"
    assert typed(*words, "-o", again)[0] == typed(*words, "--seed", 1, "-o", other)[0] == 0
    assert first.read_bytes() == again.read_bytes() != other.read_bytes()
    assert not (tmp_path / "home").exists()


def test_preview_of_a_file_without_data_shows_the_drawn_scene(typed: Type, tmp_path: Path) -> None:
    invert = Policy(branches=(Branch((Step((Choice("invert", (Constant(1.0),)),)),)),))
    write_policy_file(tmp_path / "mine.json", invert, {})
    assert typed("preview", tmp_path / "mine.json", "-o", tmp_path / "grid.png", "--images", 1, "--draws", 1)[0] == 0
    found = {tuple(colour) for colour in pixels(tmp_path / "grid.png").reshape(-1, 3)}
    assert {(255, 214, 64), (0, 41, 191)} <= found  # the sun, and its inverse


def test_preview_of_a_study_shows_its_own_training_images(typed: Type, tmp_path: Path) -> None:
    made = whole_study(tmp_path / "home")
    policy = Policy(branches=(Branch((Step((Choice("invert", (Constant(1.0),)),)),)),))
    made.home.study_directory(made.name).mkdir(parents=True, exist_ok=True)
    write_policy_file(made.home.study_directory(made.name) / "policy.json", policy, {})
    made.home.root.joinpath("heldout").rename(tmp_path / "away")  # and no test image
    assert typed("preview", made.name, "-o", tmp_path / "grid.png", "--images", 4, "--draws", 1)[0] == 0
    grid = pixels(tmp_path / "grid.png")
    train = np.load(made.prepared.directory / "train_images.npy", mmap_mode="r")
    shown = 255 - grid[-147:-35:4, 80:192:4, 0]  # the first of the last row, where 28 pixels are 112
    assert (train == shown).all(axis=(1, 2, 3)).any()


def test_preview_reads_a_table_of_16_bit_images_as_a_search_does(typed: Type, tmp_path: Path) -> None:
    rows = ["scan,kind"]
    for number in range(20):
        level = np.full((32, 32), 1000 if number % 2 else 3000, dtype=np.uint16)
        Image.fromarray(level).save(tmp_path / f"{number}.png")
        rows.append(f"{number}.png,{'dark' if number % 2 else 'bright'}")
    (tmp_path / "scans.csv").write_text("\n".join(rows))
    invert = Policy(branches=(Branch((Step((Choice("invert", (Constant(1.0),)),)),)),))
    write_policy_file(tmp_path / "mine.json", invert, {})
    table = ("preview", tmp_path / "mine.json", "--data", tmp_path / "scans.csv", "--columns", "path=scan,label=kind")
    words = (*table, "--image-size", 32, "--images", 2, "--draws", 1, "-o", tmp_path / "grid.png")
    code, _, err = typed(*words)
    assert code == 2 and "--levels" in err, "never rescaled by itself"
    assert typed(*words, "--levels", "0:4000") == (0, *typed(*words, "--levels", "0:4000")[1:])
    levels = set(np.unique(pixels(tmp_path / "grid.png")).tolist())
    assert {64, 191} <= levels, "1000 and 3000 of 4000, each the other's inverse"


def test_the_strip_is_drawn_on_the_scene_or_on_data(typed: Type, tmp_path: Path) -> None:
    assert typed("ops", "--strip", "-o", tmp_path / "scene.png")[0] == 0
    assert typed("ops", "--strip", "-o", tmp_path / "sample.png", "--data", "sample")[0] == 0
    scene, sample = pixels(tmp_path / "scene.png"), pixels(tmp_path / "sample.png")
    assert scene.shape[0] > 112 * len(op_table())
    assert (scene.max(axis=2) != scene.min(axis=2)).mean() > 0.3
    assert (sample.max(axis=2) != sample.min(axis=2)).mean() == 0


def test_the_listing_says_how_each_op_runs(typed: Type) -> None:
    code, out, _ = typed("ops", "--json")
    facts = {fact["name"]: fact for fact in json.loads(out)}
    assert code == 0
    assert {name: fact["runs"] for name, fact in facts.items()} == {op.name: op.runs for op in op_table()}
    assert all(fact["meaning"] for fact in facts.values())
    lines = typed("ops")[1].splitlines()
    assert [line.split()[0] for line in lines] == [op.name for op in op_table()]
    assert all(f" {op.runs} " in line for op, line in zip(op_table(), lines, strict=True))


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (("preview", "zoo:nothing", "-o", "a.png"), ("nothing",)),
        (("preview", "zoo:uniformaugment", "-o", "a.jpg"), ("a.jpg", "PNG", "-o FILE.png")),
        (("preview", "zoo:uniformaugment", "-o", "missing/a.png"), ("no directory missing",)),
        (("preview", "zoo:uniformaugment", "-o", "a.png", "--data", "missing"), ("'missing'", "neither a folder")),
        (("preview", "zoo:uniformaugment", "-o", "a.png", "--data-root", "x"), ("--data-root 'x'", "no --data")),
        (("preview", "zoo:uniformaugment", "-o", "a.png", "--levels", "full"), ("--levels 'full'", "no --data")),
        (("preview", "zoo:uniformaugment", "-o", "a.png", "--data", "sample", "--image-size", 3), ("--image-size 3",)),
        (("preview", "zoo:uniformaugment", "-o", "a.png", "--images", 0), ("--images", "1<=x<=100")),
        (("preview", "unknown-study", "-o", "a.png"), ("there is none; start one",)),
        (("preview", "zoo:uniformaugment"), ("--output",)),
        (("ops", "--strip"), ("--strip", "-o FILE.png")),
        (("ops", "-o", "a.png"), ("add --strip",)),
        (("ops", "--strip", "-o", "a.gif"), ("a.gif", "PNG")),
    ],
)
def test_a_wrong_wish_is_told_in_one_line_and_draws_nothing(
    typed: Type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], parts: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = typed(*words)
    assert (code, err.count("\n"), out) == (2, 1, "")
    assert all(part in err for part in parts), err
    assert not list(tmp_path.glob("*.*"))
