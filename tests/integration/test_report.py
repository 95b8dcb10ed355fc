"""The report of a real ledger: closed to the outside, true to the ledger, harmless whatever things are called."""

import base64
import io
import json
import re
from html import unescape
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from report_page import CANARY, Page, report, report_beside
from study_fixture import StudyInLedger, judged_study, whole_study

from policysearch.judgement import judge
from policysearch.selection import winner
from policysearch.statistics import wilson_interval
from searchspaces.errors import BadInput
from searchspaces.policy_json import digest, policy_file_from_dict
from trials.data.store import META

LARGEST_BYTES = 5_000_000


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> StudyInLedger:
    return whole_study(tmp_path_factory.mktemp("home"))


def heading(html: str) -> str:
    """What the first heading says."""
    (text,) = re.findall("<h1>(.*?)</h1>", html, re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]*>", "", text)).split())


@pytest.fixture(scope="module")
def html(made: StudyInLedger, tmp_path_factory: pytest.TempPathFactory) -> str:
    return report(made, tmp_path_factory.mktemp("report") / "report.html")


def test_the_page_lets_nothing_in_or_out(html: str) -> None:
    page = Page(html)
    (policy,) = (a["content"] for tag, a in page.elements if a.get("http-equiv") == "Content-Security-Policy")
    rules = dict(rule.strip().partition(" ")[::2] for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["img-src"] == "data:"
    assert "script-src" not in rules
    assert not {"script", "link", "iframe", "object", "embed", "base", "form"} & {tag for tag, _ in page.elements}
    for tag, attributes in page.elements:
        assert not any(name.startswith("on") for name in attributes)
        for name in ("src", "href", "xlink:href", "srcset", "action", "poster", "data"):
            assert attributes.get(name, "#").startswith(("#", "data:image/png;base64,")), (tag, attributes[name])
    assert not re.search(r"@import|url\((?!#)", html)


def test_it_is_small_and_the_same_for_the_same_study(made: StudyInLedger, html: str, tmp_path: Path) -> None:
    assert len(html.encode()) < LARGEST_BYTES
    assert report(made, tmp_path / "again.html") == html


def test_every_trial_stands_in_the_table_with_the_ledgers_numbers(made: StudyInLedger, html: str) -> None:
    rows = {row[0]: row for row in Page(html).rows[1:]}
    trials = made.ledger.trials(made.study.uid)
    assert len(rows) == len(trials)
    for trial in trials:
        number, name, error, log_loss, _ = rows[str(trial.number)]
        assert number == str(trial.number)
        assert trial.label in name and trial.words in name
        score = trial.result.score if trial.result else None
        assert error == (f"{100 * score.wrong / score.total:.1f} %" if score else "")
        assert log_loss == (f"{score.log_loss_sum / score.total:.3f}" if score and score.log_loss_sum else "")
        if trial.result and trial.result.error:
            assert trial.result.error in name and "failed" in name


def test_the_headline_says_what_was_selected_and_what_the_test_said(made: StudyInLedger, html: str) -> None:
    best, claim = winner(made.ledger.trials(made.study.uid)), made.ledger.claim(made.study.uid)
    assert best.result is not None and best.result.score is not None and claim is not None and claim.figure is not None
    words = Page(html).words.replace("\xa0", " ")
    assert heading(html) == judge(made.ledger, made.study).verdict.sentence
    assert f"The best policy found: {best.label}" in words
    assert f"{best.result.score.wrong} of 1,000 images wrong" in words
    low, high = wilson_interval(claim.figure.wrong, claim.figure.total)
    assert f"95 % interval {100 * low:.1f} to {100 * high:.1f} %" in words
    assert f"{100 * claim.figure.wrong / claim.figure.total:.1f} %" in words


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> StudyInLedger:
    return judged_study(tmp_path_factory.mktemp("judged"), tested=True)


@pytest.fixture(scope="module")
def judged_html(judged: StudyInLedger, tmp_path_factory: pytest.TempPathFactory) -> str:
    return report(judged, tmp_path_factory.mktemp("report") / "report.html")


def test_it_answers_in_the_order_in_which_people_ask(judged_html: str) -> None:
    images, cost = ["What does it do to my images?", "Why?"], ["What did it cost?", "How was it made?"]
    asked = ["What should I use?", "How sure are we?", *images, *cost, "All trials"]
    assert re.findall(r"<h2>(.*?)</h2>", judged_html) == asked


def test_finalists_are_drawn_and_listed_with_their_intervals(judged: StudyInLedger, judged_html: str) -> None:
    table = judged_html.partition('<table id="finalists">')[2].partition("</table>")[0].replace("&nbsp;", " ")
    judgement = judge(judged.ledger, judged.study)
    (drawn, _) = re.findall(r'aria-label="(Mean error of each finalist[^"]*)"', judged_html)
    for finalist in judgement.finalists:
        mean, low, high = (f"{100 * share:.1f}" for share in (finalist.mean, finalist.low, finalist.high))
        (row,) = (row for row in table.split("<tr") if f">{finalist.arm.label} <" in row or f"<td>{finalist.arm.label}" in row)
        assert f"{mean} %" in row and f"{low} to {high} %" in row
        assert ("winner" in row) is (judgement.winner is not None and finalist.arm.key == judgement.winner.key)
        assert f"{mean}, {low} to {high}" in drawn


def test_the_cost_of_each_stage_is_the_ledgers(judged_html: str) -> None:
    table = judged_html.partition('<table id="costs">')[2].partition("</table>")[0]
    counts = {head: int(count) for head, count in re.findall(r"<td>([a-z ]+).*?</td><td class=\"figure\">(\d+)</td>", table)}
    finished = {"rehearsal": 1, "free baselines": 5, "calibration of the budget": 3, "search": 13, "finalists": 25}
    assert {name.strip(): count for name, count in counts.items()} == finished | {"models for the test": 10}


def test_fingerprints_of_all_splits_are_there_whole(judged: StudyInLedger, judged_html: str) -> None:
    words = Page(judged_html).words
    assert set(judged.prepared.fingerprints) == {"train", "val", "test"}
    for fingerprint in judged.prepared.fingerprints.values():
        assert fingerprint in words


def test_a_closed_test_set_is_called_closed(tmp_path: Path) -> None:
    made = StudyInLedger(tmp_path)
    made.add_baselines()
    made.add_searched(1)
    words = Page(report(made, tmp_path / "report.html")).words
    assert "the test set is still closed" in words
    assert "95 % interval" not in words.replace("\xa0", " ")


def test_a_figure_of_a_former_winner_says_whose_it_is(tmp_path: Path) -> None:
    made = StudyInLedger(tmp_path)
    made.add_baselines()
    made.disclose(200)
    made.add_searched(5, best_error=0.01)
    words = Page(report(made, tmp_path / "report.html")).words
    assert "This is of trivialaugment-wide, the best policy when the test set was opened" in words
    assert "found since, has no test error" in words


def test_the_policy_to_copy_is_the_best_ones(made: StudyInLedger, html: str) -> None:
    blocks = re.findall(r"<pre><code>(.*?)</code></pre>", html, re.DOTALL)
    text = Page(blocks[1]).words
    policy = policy_file_from_dict(json.loads(text)).policy
    assert digest(policy) == winner(made.ledger.trials(made.study.uid)).digest


def test_the_searchs_own_policy_file_is_shown_if_it_is_the_best_ones(made: StudyInLedger, tmp_path: Path) -> None:
    from policysearch.conclusion import write_policy

    directory = made.home.study_directory(made.name)
    directory.mkdir(parents=True, exist_ok=True)
    path = write_policy(made.home, made.ledger, made.study)
    try:
        assert '"validation"' in Page(report(made, tmp_path / "with.html")).words
        other = json.loads(path.read_text())
        other["policy"]["base"]["hflip"] = 0.125
        path.write_text(json.dumps(other))
        assert "0.125}" not in Page(report(made, tmp_path / "changed.html")).words.replace('"padding": 0.125', "")
    finally:
        path.unlink()


def test_the_pictures_are_pictures_with_words_for_those_who_cannot_see_them(made: StudyInLedger, html: str) -> None:
    images = [attributes for tag, attributes in Page(html).elements if tag == "img"]
    images = [attributes for attributes in images if re.search("as it is|draw [12] of", attributes["alt"])]
    assert len(images) == 6 * 5
    for attributes in images:
        data = base64.b64decode(attributes["src"].partition(",")[2])
        assert Image.open(io.BytesIO(data)).size == (28, 28)
        assert attributes["alt"]
    original = np.asarray(Image.open(io.BytesIO(base64.b64decode(images[0]["src"].partition(",")[2]))))
    train = np.load(made.prepared.directory / "train_images.npy", mmap_mode="r")
    assert (train[:, 0] == original).all(axis=(1, 2)).any()


def test_how_it_was_made_is_there(made: StudyInLedger, html: str) -> None:
    words = Page(html).words
    assert made.prepared.fingerprint in words
    assert str(made.prepared.heldout_fingerprint) in words
    assert "4,000 train, 1,000 val, 2,000 test" in words
    assert "torch-grouped" in words and "2.14.1" in words


def test_markup_in_names_does_no_harm(tmp_path: Path) -> None:
    made = StudyInLedger(tmp_path, name=f"study{CANARY}")
    meta = made.prepared.directory / META
    meta.chmod(0o644)
    known = json.loads(meta.read_text())
    meta.write_text(json.dumps(known | {"classes": [f"{name}{CANARY}" for name in known["classes"]]}))
    made.add_baselines()
    cells = made.space.cells()
    assert cells is not None
    made.finish(made.add("trial", f"label{CANARY}", cells[0], made.space.decode(cells[0])), 0.01)
    made.fail(made.add_cell(cells[1]), f"reason{CANARY}")
    made.disclose()
    page = Page(report_beside(made, tmp_path))
    tags = [tag for tag, _ in page.elements]
    assert "script" not in tags
    images = [attributes for tag, attributes in page.elements if tag == "img"]
    assert all(attributes["src"].startswith("data:image/png;base64,") for attributes in images)  # none that a name brought in
    assert not any(name.startswith("on") for _, attributes in page.elements for name in attributes)
    for place in ("study", "label", "reason"):
        assert f"{place}{CANARY}" in "".join(page.text)
    assert f"{made.prepared.classes[0]}{CANARY}" in "".join(page.text)


def test_a_study_without_a_success_gets_a_report_that_says_so(tmp_path: Path) -> None:
    made = StudyInLedger(tmp_path)
    cells = made.space.cells()
    assert cells is not None
    made.fail(made.add_cell(cells[0]), "epoch 5 of 30: the loss is nan")
    words = Page(report(made, tmp_path / "report.html")).words
    assert "No trial has succeeded yet" in words
    assert "epoch 5 of 30: the loss is nan" in words


def test_an_empty_study_gets_a_report_too(tmp_path: Path) -> None:
    made = StudyInLedger(tmp_path)
    assert "No trial has succeeded yet" in Page(report(made, tmp_path / "report.html")).words


def test_without_the_training_images_the_rest_is_still_there(tmp_path: Path) -> None:
    made = StudyInLedger(tmp_path)
    made.add_baselines()
    made.prepared.directory.rename(tmp_path / "moved")
    page = Page(report(made, tmp_path / "report.html"))
    assert "there are no pictures" in page.words
    assert len(page.rows) == 1 + 5


def test_where_it_cannot_be_written_it_says_so_and_leaves_nothing(made: StudyInLedger, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="can't be written"):
        report(made, tmp_path / "no" / "report.html")
    (tmp_path / "folder").mkdir()
    with pytest.raises(BadInput, match="can't be written"):
        report(made, tmp_path / "folder")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
