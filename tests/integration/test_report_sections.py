"""The report's questions one by one: each number the ledger's, each study a sensible page, whatever things are called."""

import json
import re
import shlex
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from report_page import CANARY, Page, report, report_beside
from study_fixture import EPOCHS, StudyInLedger, judged_study

from dashboards.classes import class_rows, classes_svg, classes_words
from dashboards.contenders import Contender, Contenders, Counts, confusions, contenders
from dashboards.costs import cost_facts, one_training
from dashboards.drawing import BASELINES, NARROW, WINNER, palette
from dashboards.galleries import ends_of_ops, galleries, op_pictures
from dashboards.heat_map import heat_map
from dashboards.importance import searched_rows
from dashboards.queries import read_study
from policysearch.ledger import Ledger, TrialRecord
from policysearch.study import Study
from searchspaces.policy import Branch, Choice, Constant, Policy, Step, Uniform
from searchspaces.policy_json import digest, policy_to_dict
from trials.data import Source
from trials.values import Counts as CountsAlone
from trials.values import TrialResult

LARGEST_BYTES = 5_000_000


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> StudyInLedger:
    return judged_study(tmp_path_factory.mktemp("judged"), tested=True, wishes_kept=True)


@pytest.fixture(scope="module")
def html(judged: StudyInLedger, tmp_path_factory: pytest.TempPathFactory) -> str:
    return report(judged, tmp_path_factory.mktemp("report") / "report.html")


def test_the_whole_report_is_small_and_every_figure_and_picture_has_words(html: str) -> None:
    assert len(html.encode()) < LARGEST_BYTES
    page = Page(html)
    drawn = [attributes for tag, attributes in page.elements if tag == "svg"]
    assert len(drawn) == 2 * 6  # finalists, search, heat map, importance, classes, curves; for desks and for phones
    assert all(attributes["aria-label"] and attributes["role"] == "img" for attributes in drawn)
    assert all(attributes["alt"] for tag, attributes in page.elements if tag == "img")


def test_each_cell_of_the_heat_map_is_the_mean_of_its_trials(judged: StudyInLedger) -> None:
    view = read_study(judged.ledger, judged.name)
    grid = heat_map(view, ())
    assert grid is not None and (grid.down, grid.across) == ("ops", "level")
    wanted: dict[tuple[Any, Any], list[float]] = {}
    for row in searched_rows(view):
        assert row.error is not None
        wanted.setdefault((row.params["ops"], row.params["level"]), []).append(row.error)
    baseline = next(row for row in view.baselines if row.name == "randaugment(2,9)")
    assert baseline.error is not None
    wanted[2, 9] = [baseline.error]  # a point of the space that no search tries again
    for row_step, line in zip(grid.rows, grid.cells, strict=True):
        for step, cell in zip(grid.columns, line, strict=True):
            errors = wanted.pop((row_step.low, step.low), [])
            assert sorted(cell.errors) == sorted(errors)
            assert cell.mean == (pytest.approx(sum(errors) / len(errors)) if errors else None)
    assert not wanted and grid.left_out == 0


def test_a_cell_where_all_failed_has_no_number(judged: StudyInLedger) -> None:
    grid = heat_map(read_study(judged.ledger, judged.name), ())
    assert grid is not None
    failed = [cell for line in grid.cells for cell in line if cell.failed]
    assert [cell.mean for cell in failed] == [None]


def test_the_classes_errors_are_the_finalists_confusions(judged: StudyInLedger, html: str) -> None:
    view = read_study(judged.ledger, judged.name)
    found = contenders(view, judged.ledger)
    assert found.before is not None and found.after is not None and found.after == found.won
    counts = confusions(found, view, judged.ledger)
    assert counts is not None and counts.seeds == 5
    total = np.zeros((10, 10), dtype=int)
    for trial in judged.ledger.trials(judged.study.uid, ("finalist",)):
        if trial.digest == found.after.trial.digest:
            assert trial.result is not None and trial.result.score is not None
            total += np.array(trial.result.score.confusion)
    assert (np.array(counts.after) == total).all()
    rows = class_rows(counts, judged.prepared.classes)
    for row in rows:
        label = judged.prepared.classes.index(row.name)
        assert row.after == pytest.approx(1 - total[label, label] / total[label].sum())
    words = Page(html).words
    assert all(sentence in words for sentence in classes_words(rows, found, counts.seeds))


def test_the_classes_that_lost_are_named() -> None:
    counts = Counts(((90, 10), (10, 90)), ((60, 40), (5, 95)), 1)
    rows = class_rows(counts, ("cat", "dog"))
    assert [(row.name, round(row.change, 2), row.can_be_told) for row in rows] == [("cat", 0.3, True), ("dog", -0.05, False)]
    trial: Any = type("Named", (), {"label": "new"})()
    old: Any = type("Named", (), {"label": "old"})()
    pair = Contenders(Contender(old, ""), Contender(trial, ""), None)
    first, second = classes_words(rows, pair, 1)
    assert "1 of 2 classes lost and 1 gained with new against old" in first and "cat (+30.0 points, 10.0 to 40.0 %)" in first
    assert "cat lost more than chance readily gives" in second
    assert classes_words(rows[1:], pair, 1)[0].startswith("No class lost")


def test_a_hundred_classes_are_drawn_in_part_and_told_apart(judged: StudyInLedger) -> None:
    generator = np.random.default_rng(0)
    tables = [np.diag(generator.integers(5, 11, 100)) for _ in range(2)]
    for table in tables:
        table[np.arange(100), (np.arange(100) + 1) % 100] = 10 - np.diag(table)
    before, after = (tuple(map(tuple, table.tolist())) for table in tables)
    counts = Counts(before, after, 1)
    names = [f"{number} {CANARY}" for number in range(100)]
    rows, view = class_rows(counts, names), read_study(judged.ledger, judged.name)
    assert len(rows) == 100
    drawn = classes_svg(rows, contenders(view, judged.ledger), view, NARROW)
    assert "<script" not in drawn and "<img" not in drawn and len(drawn) < 100_000


def test_a_policy_has_one_colour_in_all_figures(judged: StudyInLedger) -> None:
    view = read_study(judged.ledger, judged.name)
    styles = palette(view)
    assert view.judgement.winner is not None and styles[view.judgement.winner.label].colour == WINNER[0]
    shown = [*(row.name for row in view.baselines), *(finalist.arm.label for finalist in view.judgement.finalists)]
    looks = {(styles[name].colour, styles[name].marker, str(styles[name].dashes)) for name in shown}
    assert len(looks) == len(set(shown))  # no two alike, in grey neither
    assert styles["trivialaugment-wide"].colour in {colour for colour, *_ in BASELINES}


def test_the_galleries_show_the_same_images_with_the_same_crops_and_flips(judged: StudyInLedger) -> None:
    found = contenders(read_study(judged.ledger, judged.name), judged.ledger)
    shown = galleries(found, judged.home, 128)
    assert shown is not None and [row.kind for row in shown.rows] == ["none", "before", "before", "after", "after"]
    assert [row.head for row in shown.rows if row.head][1:] == [found.before.title, found.after.title]  # type: ignore[union-attr]
    before, after = (
        [
            tuple("flipped" in line for picture in row.pictures for line in picture.caption[:1])
            for row in shown.rows
            if row.kind == kind
        ]
        for kind in ("before", "after")
    )
    assert before == after
    policy = json.loads(json.dumps(found.won.trial.spec["policy"]))  # type: ignore[union-attr]
    ops = {choice["op"] for branch in policy["branches"] for step in branch["steps"] for choice in step["choices"]}
    assert {op.name.replace(" ", "_") for op in shown.ops} == ops - {"identity"}


def test_an_op_is_shown_at_the_ends_of_what_the_policy_draws() -> None:
    def step(op: str, value: Any) -> Step:
        return Step((Choice(op, (value,)),))

    steps = (step("rotate", Constant(20.0, signed=True)), step("brightness", Uniform(0.5, 1.5)), step("invert", Constant(1.0)))
    policy = Policy(branches=(Branch(steps),))
    assert ends_of_ops(policy) == {"rotate": ((-20.0,), (20.0,)), "brightness": ((0.5,), (1.5,)), "invert": ((1.0,),)}
    five = np.random.default_rng(0).integers(0, 256, (2, 5, 12, 12), dtype=np.uint8)
    turned, left_out = op_pictures(Policy(branches=(Branch(steps[:1]),)), five, ("a", "b"), 64)
    assert [picture.caption for picture in turned[0].pictures] == [("−20°",), ("20°",)] * 2 and not left_out


def test_the_cost_is_what_the_ledger_says(judged: StudyInLedger, html: str) -> None:
    view = read_study(judged.ledger, judged.name)
    trials = [*judged.ledger.trials(judged.study.uid)]
    seconds = sorted(t.result.span_seconds["total"] for t in trials if t.result is not None and t.result.status == "done")
    one = one_training(view)
    assert one is not None and one[0] == pytest.approx(float(np.median(seconds))) and one[1] == EPOCHS
    facts = dict(cost_facts(view))
    assert facts["GPU hours"] == "none: trained on processors"
    assert facts["trainings"] == "57, 1 of them failed"
    total = sum(cost.seconds for cost in view.costs)
    assert f"as much as {total / np.median(seconds):,.0f} trainings" in Page(html).words


def test_the_command_makes_the_study_again(judged: StudyInLedger, html: str) -> None:
    from policysearch.cli.searching import search

    (text,) = re.findall(r'<pre id="again"><code>(.*?)</code></pre>', html, re.DOTALL)
    words = shlex.split(unescape(text).replace("\\\n", " "))
    assert words[:2] == ["policysearch", "search"]
    given = dict(search.make_context("search", words[2:]).params)
    assert given.pop("test") and given.pop("trials") == 13
    wishes = {name: given[name] for name in given if name in Study.__dataclass_fields__}
    again = Study(calibrate=not given["no_calibration"], **wishes)
    assert again.name == judged.name
    assert again.wishes() == judged.study.wishes


def test_markup_in_names_does_no_harm_in_any_section(tmp_path: Path) -> None:
    made = judged_study(tmp_path, name=f"study{CANARY}", wishes_kept=True)
    meta = made.prepared.directory / "meta.json"
    meta.chmod(0o644)
    known = json.loads(meta.read_text())
    meta.write_text(json.dumps(known | {"classes": [f"{name}{CANARY}" for name in known["classes"]]}))
    text = report_beside(made, tmp_path)
    page = Page(text)
    assert "script" not in {tag for tag, _ in page.elements}
    assert all(attributes["src"].startswith("data:image/png;base64,") for tag, attributes in page.elements if tag == "img")
    assert not any(name.startswith("on") for _, attributes in page.elements for name in attributes)
    assert f"{made.prepared.classes[0]}{CANARY}" in "".join(page.text)
    assert "Which classes gain and which lose" in page.words and "What did it cost?" in page.words


@pytest.mark.parametrize("space", ["randaugment,photometric", "randaugment+geometry", "uniformaugment"])
def test_other_spaces_get_a_heat_map_of_what_matters(tmp_path: Path, space: str) -> None:
    made = StudyInLedger(tmp_path, space=space)
    made.add_baselines()
    generator, taken = np.random.default_rng(1), {digest(policy) for policy in made.setting.baselines.values()}
    drawn = [made.space.draw(generator) for _ in range(14)]
    points = {known: params for params in drawn if (known := digest(made.space.decode(params))) not in taken}
    assert len(points) >= 10
    for number, params in enumerate(points.values()):
        made.finish(made.add("trial", f"point {number}", params, made.space.decode(params)), 0.1 + 0.01 * number)
    words = Page(report(made, tmp_path / "report.html")).words
    assert "Where in the space errors are low" in words
    grid = heat_map(read_study(made.ledger, made.name), ())
    assert grid is not None and sum(len(cell.errors) for line in grid.cells for cell in line) + grid.left_out >= 10


def test_one_trial_and_nothing_else_is_a_page_too(tmp_path: Path) -> None:
    made = StudyInLedger(tmp_path)
    made.add_searched(1)
    words = Page(report(made, tmp_path / "report.html")).words
    assert "Too little was tried to say which parameters matter" in words
    assert "Where in the space errors are low" in words and "Which classes gain" not in words


def test_early_stopped_trainings_are_shown_as_such(tmp_path: Path) -> None:
    made = StudyInLedger(tmp_path)
    made.add_baselines()
    made.add_searched(2)
    cell = made.cells[5]
    made.finish(made.add("trial", "a stopped one", cell, made.space.decode(cell), epochs=10), 0.3)
    text = report(made, tmp_path / "report.html")
    assert "1 stopped early" in text and "a bar marks those that were stopped early" in text


def test_five_channels_and_a_hundred_classes(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    arrays = {
        f"{split}_{what}": generator.integers(0, 256, (200, 8, 8, 5), dtype=np.uint8)
        if what == "images"
        else np.arange(200) % 100
        for split in ("train", "val", "test")
        for what in ("images", "labels")
    }
    np.savez(tmp_path / "five.npz", **arrays)  # type: ignore[arg-type]
    made = StudyInLedger(tmp_path / "home", source=Source(str(tmp_path / "five.npz"), None, 8, None, None, None, 0))
    for label, policy in made.setting.baselines.items():
        made.finish(made.add("baseline", label, {}, policy), 0.2)
    made.add_searched(1)
    page = Page(report(made, tmp_path / "report.html"))
    assert "of 100 classes" in page.words
    assert len([tag for tag, attributes in page.elements if tag == "img" and "as it is" in attributes["alt"]]) == 6


def test_a_trainer_of_the_users_own_gets_a_page_without_images(tmp_path: Path) -> None:
    made = StudyInLedger(tmp_path)
    identity = {name: value for name, value in made.study.identity.items() if name not in ("data", "recipe", "splits", "test")}
    identity |= {"image": {"channels": 3, "domain": "photos"}, "objective": "mine:train"}
    made.study = made.ledger.create_study("own", identity, {"objective": "mine:train", "space": "randaugment", "epochs": EPOCHS})
    made.name = "own"
    for number, params in enumerate(made.cells[:3]):
        _own(made.ledger, made, number, params)
    page = Page(report(made, tmp_path / "report.html"))
    assert "from mine import train" in page.words and "objective=train" in page.words
    assert "not known: the trainer is the user’s own" in page.words
    assert "on a drawn one" in page.words and "Which classes gain" not in page.words


def _own(ledger: Ledger, made: StudyInLedger, number: int, params: dict[str, Any]) -> TrialRecord:
    """A trial of a trainer that tells counts alone."""
    policy = made.space.decode(params)
    spec = {
        "trial_uid": f"own{number}",
        "policy": policy_to_dict(policy),
        "params": params,
        "recipe": {},
        "data": None,
        "seed": 0,
    }
    spec |= {"budget_epochs": EPOCHS, "replicate": 0, "split": "search", "budget_steps": None, "objective": "mine:train"}
    trial = ledger.add_trial(made.study.uid, number, "trial", f"point {number}", params, f"{number:064x}", "words", spec)
    ledger.start_attempt(trial.trial_uid)
    ledger.commit_result(TrialResult(trial.trial_uid, "done", (), CountsAlone(20 + number, 100), None, {"total": 5.0}, {}, ""))
    return trial
