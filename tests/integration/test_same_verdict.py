"""One study, one verdict: command line, report, MLflow and policy.json say the same sentence and the same numbers."""

import json
import re
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from mlflow.tracking import MlflowClient
from study_fixture import StudyInLedger, judged_study

from dashboards.queries import read_study
from dashboards.report import write_report
from policysearch.cli.ending import print_ending
from policysearch.cli.reading import show, status
from policysearch.conclusion import write_policy
from policysearch.judgement import Judgement, judge
from policysearch.tracking.mirror import mirror_study
from policysearch.tracking.target import PATIENCE, locate

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=[False, True], ids=["closed", "tested"])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> StudyInLedger:
    made = judged_study(tmp_path_factory.mktemp("home"), tested=request.param)
    made.home.study_directory(made.name).mkdir(parents=True)
    return made


@pytest.fixture
def judgement(made: StudyInLedger) -> Judgement:
    return judge(made.ledger, made.study)


@pytest.fixture
def told(
    made: StudyInLedger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> dict[str, str]:
    """What each view says, as plain text."""
    for name, value in PATIENCE.items():
        monkeypatch.setenv(name, value)
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME"):
        monkeypatch.delenv(name, raising=False)
    print_ending(read_study(made.ledger, made.name), None)
    ending = capsys.readouterr().out
    write_report(made.ledger, made.home, made.name, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8").partition("<body>")[2]
    return {
        "ending": _plain(ending),
        "report": _plain(unescape(re.sub(r"<[^>]*>", " ", page))),
        "show": _plain(said(show, made, made.name)),
        "policy.json": write_policy(made.home, made.ledger, made.study).read_text(encoding="utf-8"),
    }


def _plain(text: str) -> str:
    return " ".join(text.replace("\xa0", " ").split())


def said(command: Any, made: StudyInLedger, *words: str) -> str:
    outcome = CliRunner().invoke(command, [*words, "--home", str(made.home.root)], catch_exceptions=False)
    assert outcome.exit_code == 0, outcome.output
    return outcome.output


def test_the_verdicts_sentence_stands_everywhere(made: StudyInLedger, judgement: Judgement, told: dict[str, str]) -> None:
    sentence = _plain(judgement.verdict.sentence)
    for name in ("ending", "report", "show"):
        assert sentence in told[name], name
    provenance = json.loads(told["policy.json"])["provenance"]
    assert provenance["verdict"] == json.loads(json.dumps(judgement.verdict.to_dict()))
    assert json.loads(said(show, made, made.name, "--json"))["verdict"]["verdict"]["sentence"] == judgement.verdict.sentence
    assert json.loads(said(status, made, "--json"))[0]["came_to"] == judgement.verdict.kind
    mirror_study(made.ledger, made.name, locate(made.home.root), made.home.study_directory(made.name))
    client = MlflowClient(tracking_uri=locate(made.home.root).tracking_uri)
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    (summary,) = client.search_runs(experiments, "tags.`policysearch.role` = 'study'")
    assert summary.data.tags["policysearch.verdict_sentence"] == judgement.verdict.sentence
    assert summary.data.tags["mlflow.note.content"].startswith(judgement.verdict.sentence)
    for name in ("difference", "low", "high"):
        assert summary.data.metrics.get(f"verdict/{name}") == getattr(judgement.verdict, name)
    won = judgement.winner_trial
    assert won is not None
    (run,) = client.search_runs(experiments, f"tags.`policysearch.trial_uid` = '{won.trial_uid}'")
    file = client.download_artifacts(run.info.run_id, "policy.json", str(made.home.root))
    assert json.loads(Path(file).read_text())["provenance"]["verdict"]["sentence"] == judgement.verdict.sentence


def test_every_finalists_mean_and_interval_is_the_judgements(judgement: Judgement, told: dict[str, str]) -> None:
    assert len(judgement.finalists) == 5
    for finalist in judgement.finalists:
        mean, low, high = (f"{100 * share:.1f}" for share in (finalist.mean, finalist.low, finalist.high))
        for name in ("ending", "report"):
            rows = told[name].split(finalist.arm.label)
            assert any(re.match(rf"\D* {mean} % *\(?{low} to {high} %", row) for row in rows), (name, finalist.arm.label)
        assert f"{finalist.arm.label}: {mean} % wrong, {low} to {high} %" in told["show"]
    kept = json.loads(told["policy.json"])["provenance"]["finalists"]
    assert [row["mean"] for row in kept] == [finalist.mean for finalist in judgement.finalists]


def test_what_bounds_the_verdict_is_said_alike(judgement: Judgement, told: dict[str, str]) -> None:
    for part in (judgement.calibration, judgement.resolution, judgement.optimism):
        assert part is not None
        for name in ("ending", "report"):
            assert _plain(part.sentence) in told[name]


def test_the_policy_file_is_the_winners_and_the_named_baseline_lies_beside_it(
    made: StudyInLedger, judgement: Judgement, told: dict[str, str]
) -> None:
    from searchspaces.policy_json import digest, policy_file_from_dict, read_policy_file

    assert judgement.winner is not None and judgement.baseline is not None
    assert digest(policy_file_from_dict(json.loads(told["policy.json"])).policy) == judgement.winner.digest
    beside = read_policy_file(made.home.study_directory(made.name) / "baseline.json")
    assert digest(beside.policy) == judgement.baseline.digest
