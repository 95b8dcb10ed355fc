"""Prepared images and the studies that need them: an unfinished study keeps its own, and a claim does until its figure."""

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from study_fixture import StudyInLedger

from policysearch.cli.app import cli
from policysearch.room import make_room, spared
from searchspaces.whole_files import write_whole
from trials.data.room import VARIABLE
from trials.values import Score


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StudyInLedger:
    monkeypatch.setenv(VARIABLE, "0")
    made = StudyInLedger(tmp_path / "home")
    made.add_baselines()
    assert made.prepared.use is not None
    made.prepared.use.release()
    return made


def write_the_policy(made: StudyInLedger) -> None:
    folder = made.home.study_directory(made.name)
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / "policy.json", b"{}")


def test_an_unfinished_study_keeps_its_images(made: StudyInLedger) -> None:
    assert spared(made.home, made.ledger) == {made.prepared.directory.name}
    assert make_room(made.home, made.ledger) == ()
    assert made.prepared.heldout is not None and made.prepared.heldout.is_dir()


def test_a_finished_study_lets_go(made: StudyInLedger) -> None:
    write_the_policy(made)
    (gone,) = make_room(made.home, made.ledger)
    assert gone.key == made.prepared.directory.name
    assert made.prepared.heldout is not None
    assert not made.prepared.heldout.exists() and not made.prepared.directory.exists()


def test_a_claim_keeps_them_until_its_figure(made: StudyInLedger) -> None:
    write_the_policy(made)
    best = made.ledger.trials(made.study.uid)[0]
    assert best.result is not None and made.prepared.heldout_fingerprint is not None
    model: Any = {"trial_uid": best.trial_uid, "label": best.label, "weights_sha256": best.result.weights_sha256}
    made.ledger.claim_test(made.study.uid, made.prepared.heldout_fingerprint, [model])
    assert make_room(made.home, made.ledger) == ()
    made.ledger.commit_figure(made.study.uid, [Score((True,) * 4, ((2, 0), (0, 2)), 0.5)])
    assert len(make_room(made.home, made.ledger)) == 1


def test_the_doctor_shows_and_cleans(made: StudyInLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLICYSEARCH_ENGINE", "grouped")  # no kernels to compile
    write_the_policy(made)
    key, home = made.prepared.directory.name, str(made.home.root)
    shown = CliRunner().invoke(cli, ["doctor", "--home", home])
    assert shown.exit_code == 0, shown.output
    assert "of at most 0 B ($POLICYSEARCH_DATA_GB)" in shown.output
    assert f"{key}" in shown.output and "last used 20" in shown.output
    cleaned = CliRunner().invoke(cli, ["doctor", "--clean", "--home", home])
    assert cleaned.exit_code == 0, cleaned.output
    assert f"removed, the longest unused, to keep prepared images below 0 GB: {key}" in cleaned.stderr
    assert not made.prepared.directory.exists()
    again = CliRunner().invoke(cli, ["doctor", "--clean", "--home", home])
    assert "nothing to remove" in again.stderr
