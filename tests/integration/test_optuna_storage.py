"""A study in a storage of Optuna's, read back by Optuna itself, and looked at in optuna-dashboard in a real browser."""

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import optuna
import pytest
from ports import free_port
from postgres_server import CANARY, PostgresServer
from study_fixture import EPOCHS, StudyInLedger

from policysearch.cli import run
from policysearch.cli.app import cli
from policysearch.optuna_rows import read_for_optuna
from policysearch.samplers.optuna_storage import OWNER, ShownStudy, ShownTrial, Written, without_password, write_to_optuna
from searchspaces.errors import BadInput
from searchspaces.parameters import Categorical, Real, When, Whole

BROWSER = next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None)
POINTS = (
    Categorical("op", ("rotate", "blur")),
    Whole("level", 0, 30, 3),
    Real("angle", 1.0, 90.0, True, When("op", ("rotate",))),
)
NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> StudyInLedger:
    """Five baselines, nine searched policies, one of them stopped early, one failed, one under way; finalists beside."""
    made = StudyInLedger(tmp_path_factory.mktemp("home"), "birds")
    made.add_baselines()
    made.add_searched(9)
    params = made.cells[9]
    made.finish(made.add("trial", "stopped early", params, made.space.decode(params), epochs=10), 0.3)
    made.fail(made.add_cell(made.cells[10]), "epoch 5 of 30: the loss is nan")
    made.ledger.start_attempt(made.add_cell(made.cells[11]).trial_uid)
    return made


def shown(*trials: ShownTrial, name: str = "birds", uid: str = "u" * 32) -> ShownStudy:
    return ShownStudy(name, uid, POINTS, trials, {"verdict": "unfinished"})


def trial(uid: str, params: dict[str, Any], error: float | None = 0.25, **more: Any) -> ShownTrial:
    usual: dict[str, Any] = {"state": "done", "errors": {1: 0.5, 2: 0.25}, "attributes": {"label": uid}}
    return ShownTrial(uid, params=params, error=error, started_at=NOON, ended_at=NOON + timedelta(hours=1), **{**usual, **more})


def read(address: str, name: str = "birds") -> "optuna.Study":
    storage: Any = address
    if "://" not in address:
        storage = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(address))
    return optuna.load_study(study_name=name, storage=storage)


def address_of(kind: str, folder: Path) -> str:
    return f"sqlite:///{folder}/optuna.db" if kind == "sqlite" else str(folder / "optuna.journal")


@pytest.mark.parametrize("kind", ["sqlite", "journal"])
def test_optuna_reads_back_what_the_ledger_says(
    kind: str, made: StudyInLedger, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    address = address_of(kind, tmp_path)
    words = ["optuna", "birds", "--to", address, "--home", str(made.home.root)]
    assert run(cli, words) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"12 trials of birds in {address}, 12 of them new",
        "left out, for they are no points of the space: none, flip+crop, trivialaugment-wide, uniformaugment",
        "not over yet: 1 trial; the same command adds what is by then",
        f"look at it with: optuna-dashboard {address}",
    ]
    study = read(address)
    trials = study.get_trials()
    assert [t.state.name for t in trials].count("COMPLETE") == 10
    assert study.best_value == min(t.value for t in trials if t.value is not None)
    by_label = {t.user_attrs["label"]: t for t in trials}
    free = by_label["randaugment(2,9)"]
    assert (free.params, free.user_attrs["role"]) == ({"ops": 2, "level": 9}, "baseline")
    for row in (row for row in made.ledger.trials(made.study.uid) if row.role == "trial" and row.result is not None):
        told, result = by_label[row.label], row.result
        assert result is not None
        assert (told.params, told.user_attrs["uid"], told.user_attrs["words"]) == (row.params, row.trial_uid, row.words)
        assert told.intermediate_values == {epoch.number: epoch.wrong / epoch.total for epoch in result.epochs}
        if row.label == "stopped early":
            assert (told.state.name, told.value, len(told.intermediate_values)) == ("PRUNED", None, 10)
        elif result.score is None:
            assert (told.state.name, told.user_attrs["reason"]) == ("FAIL", "epoch 5 of 30: the loss is nan")
        else:
            assert (told.state.name, told.value) == ("COMPLETE", result.score.wrong / result.score.total)
            assert len(told.intermediate_values) == EPOCHS
        assert told.datetime_start is not None and told.datetime_complete is not None and row.started_at is not None
        assert abs(told.datetime_start.astimezone(UTC) - row.started_at) < timedelta(seconds=1)
        assert told.duration is not None
        assert abs(told.duration.total_seconds() - result.span_seconds["total"]) < 0.01
    assert study.user_attrs["verdict"] == "no-finalists" and study.user_attrs["verdict_in_words"].startswith("No verdict: ")
    assert study.metric_names == ["validation error"]
    assert set(optuna.importance.get_param_importances(study)) == {"ops", "level"}

    assert run(cli, words) == 0
    assert f"12 trials of birds in {address}, 0 of them new" in capsys.readouterr().out
    assert len(read(address).get_trials()) == 12


@pytest.mark.parametrize("kind", ["sqlite", "journal"])
def test_again_adds_what_is_new_and_params_that_do_not_exist_stay_away(kind: str, tmp_path: Path) -> None:
    address = address_of(kind, tmp_path)
    first = trial("a", {"op": "blur", "level": 3})
    assert write_to_optuna(shown(first), address).added == 1
    second = trial("b", {"op": "rotate", "level": 6, "angle": 30.0}, None, state="failed", errors={})
    assert [write_to_optuna(shown(first, second), address) for _ in range(2)] == [Written(1, 2, address), Written(0, 2, address)]
    told = read(address).get_trials()
    assert [set(t.params) for t in told] == [{"op", "level"}, {"op", "level", "angle"}]
    assert [set(t.distributions) for t in told] == [set(t.params) for t in told]


@pytest.mark.parametrize("kind", ["sqlite", "journal"])
def test_a_write_that_was_killed_anywhere_is_finished_by_the_same_command(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = address_of(kind, tmp_path)
    trials = [trial(uid, {"op": "blur", "level": 3}) for uid in "abc"]
    for method, before in (("set_user_attr", 0), ("add_trial", 0), ("add_trial", 2), ("set_user_attr", 1)):
        left, real = [before], getattr(optuna.Study, method)

        def killed(self: Any, *given: Any, left: list[int] = left, real: Callable[..., Any] = real, **named: Any) -> Any:
            if not left[0]:
                raise KeyboardInterrupt
            left[0] -= 1
            return real(self, *given, **named)

        with monkeypatch.context() as patch:
            patch.setattr(optuna.Study, method, killed)
            with suppress(KeyboardInterrupt):
                write_to_optuna(shown(*trials), address)
    write_to_optuna(shown(*trials), address)
    assert [t.user_attrs["uid"] for t in read(address).get_trials()] == ["a", "b", "c"]


def test_what_is_not_ours_is_left_alone(tmp_path: Path, made: StudyInLedger) -> None:
    address = address_of("sqlite", tmp_path)
    with suppress_optuna_logs():
        theirs = optuna.create_study(study_name="birds", storage=address)
        theirs.optimize(lambda t: t.suggest_float("x", 0, 1), n_trials=1)
    with pytest.raises(BadInput, match="which policysearch did not make; give another storage"):
        write_to_optuna(shown(trial("a", {"op": "blur", "level": 3})), address)
    assert len(read(address).get_trials()) == 1
    write_to_optuna(shown(name="owls"), address)
    with pytest.raises(BadInput, match="of another ledger"):
        write_to_optuna(shown(name="owls", uid="v" * 32), address)
    ledger = Path(made.home.ledger_url.removeprefix("sqlite:///"))
    before = ledger.read_bytes()
    for place in (f"sqlite:///{ledger}", str(ledger)):
        with pytest.raises(BadInput, match=r"holds something else|a SQLite database"):
            write_to_optuna(shown(), place)
    assert ledger.read_bytes() == before


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("sqlite:///{}/no/optuna.db", "there is no folder"),
        ("{}/no/optuna.journal", "there is no folder"),
        ("{}", "names no file"),
        ("sqlite://", "allowed are sqlite:///FILE"),
        ("mysql://birds:secret@host/db", "storage mysql://birds@host/db: allowed are"),
        (
            "postgresql+psycopg://birds:secret@127.0.0.1:1/db?password=secret",
            "postgresql+psycopg://birds@127.0.0.1:1/db: can't be",
        ),
    ],
)
def test_addresses_that_can_not_be(address: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput) as refused:
        write_to_optuna(shown(), address.format(tmp_path))
    assert says in str(refused.value) and "secret" not in str(refused.value) and "\n" not in str(refused.value)


def test_a_journal_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a journal\n")
    with pytest.raises(BadInput, match="something else than Optuna's journal"):
        write_to_optuna(shown(), str(path))
    assert path.read_text() == "not a journal\n"


def test_in_postgresql_with_a_password_that_nobody_sees(postgres_server: PostgresServer) -> None:
    from urllib.parse import quote

    bare = postgres_server.new_guarded_database(CANARY).replace("postgresql:", "postgresql+psycopg:")
    address = bare.replace("guarded@", f"guarded:{quote(CANARY, safe='')}@")
    study = shown(trial("a", {"op": "blur", "level": 3}))
    assert (write_to_optuna(study, address).added, write_to_optuna(study, address).added) == (1, 0)
    assert write_to_optuna(study, address).address == without_password(address)
    storage = optuna.storages.RDBStorage(address)
    (told,) = optuna.load_study(study_name="birds", storage=storage).get_trials()
    storage.remove_session()
    storage.engine.dispose()
    assert (told.value, told.datetime_start) == (0.25, NOON.astimezone().replace(tzinfo=None))
    with pytest.raises(BadInput) as refused:
        write_to_optuna(study, bare.replace("guarded@", "guarded:wrong-c4n4ry@"))
    assert "c4n4ry" not in str(refused.value)


def test_what_is_told_depends_on_the_ledger_alone(made: StudyInLedger) -> None:
    found = read_for_optuna(made.ledger, made.study)
    assert (len(found.study.trials), found.unfinished) == (12, 1)
    assert found == read_for_optuna(made.ledger, made.study)


def suppress_optuna_logs() -> Any:
    from policysearch.samplers.telling import quiet

    return quiet()


@pytest.fixture
def dashboard(made: StudyInLedger, tmp_path: Path) -> Iterator[str]:
    """The address of optuna-dashboard over the written study."""
    pytest.importorskip("optuna_dashboard")
    address = address_of("sqlite", tmp_path)
    write_to_optuna(read_for_optuna(made.ledger, made.study).study, address)
    port = free_port()
    program = Path(sys.executable).with_name("optuna-dashboard")
    log = (tmp_path / "log").open("w")
    with log, subprocess.Popen([program, address, "--host", "127.0.0.1", "--port", str(port)], stdout=log, stderr=log) as server:
        until = time.monotonic() + 60
        while True:
            with suppress(OSError), urlopen(f"http://127.0.0.1:{port}/dashboard", timeout=5):
                break
            assert server.poll() is None and time.monotonic() < until, (tmp_path / "log").read_text()
            time.sleep(0.2)
        yield f"http://127.0.0.1:{port}"
        server.terminate()
        server.wait(30)


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="no Chromium here")
def test_optuna_dashboard_shows_the_trials(dashboard: str, tmp_path: Path) -> None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox", "--disable-gpu"])
        page = chromium.new_page(viewport={"width": 1400, "height": 1400})
        page.goto(f"{dashboard}/dashboard")
        page.get_by_text("birds").first.click()
        page.get_by_text("Best Trial (number=").wait_for()
        page.get_by_text("Hyperparameter Importance").first.wait_for()
        page.get_by_text("verdict_in_words").first.wait_for()
        page.screenshot(path=str(tmp_path / "study.png"))
        page.goto(f"{page.url.rstrip('/')}/trials")
        page.get_by_text("12 Trials").first.wait_for()
        listed = page.inner_text("body")
        assert [listed.count(state) for state in ("\nPruned", "\nFail", "Best Trial")] == [1, 1, 1]
        assert listed.count("\nComplete") >= 10
        page.get_by_text("Trial 4", exact=True).first.click()
        page.get_by_text("label randaugment").first.wait_for()
        page.screenshot(path=str(tmp_path / "trials.png"))
        chromium.close()


def test_the_owner_is_kept(tmp_path: Path) -> None:
    address = address_of("sqlite", tmp_path)
    write_to_optuna(shown(), address)
    assert read(address).user_attrs == {OWNER: "u" * 32, "verdict": "unfinished"}
