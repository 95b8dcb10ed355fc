"""One contract for every database a ledger may live in: what is recorded is recorded once, stays, and comes back as it was."""

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, get_args

import pytest
from sqlalchemy import Engine, NullPool, create_engine, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from policysearch.ledger import ClaimedModel, Ledger, Role, StudyRecord, TrialRecord
from searchspaces.errors import BadInput, LookRefused, StudyMismatch
from trials.values import Epoch, Score, TrialResult


def model(
    uid: str = "uid1",
    label: str = "rotate",
    sha256: str = "ab" * 32,
    arm: Literal["winner", "baseline"] = "winner",
    replicate: int = 0,
) -> ClaimedModel:
    return {"trial_uid": uid, "label": label, "weights_sha256": sha256, "arm": arm, "replicate": replicate}


MODELS = [model()]
PAIR = [
    *(model(f"w{seed}", "rotate", f"{seed}a" * 32, "winner", seed) for seed in (1, 2)),
    *(model(f"b{seed}", "flip+crop", f"{seed}b" * 32, "baseline", seed) for seed in (1, 2)),
]

IMPOSSIBLE: list[dict[str, Any]] = [
    {"wrong": 21},
    {"wrong": -1},
    {"wrong": 0, "total": 0},
    {"wrong": None},
    {"status": "failed"},
    {"status": "unknown"},
    {"log_loss_sum": float("inf")},
    {"log_loss_sum": float("-inf")},
    {"trial_uid": "unknown"},
]


def score(wrong: int = 1, total: int = 20, log_loss: float = 3.25) -> Score:
    return Score((False,) * wrong + (True,) * (total - wrong), ((total - wrong, wrong), (0, 0)), log_loss)


def done(trial_uid: str, wrong: int = 1) -> TrialResult:
    epochs = (Epoch(1, 2.25, 9, 20), Epoch(2, 0.1 + 0.2, wrong, 20))
    spans = {"train": 1 / 3, "score": 0.25}
    return TrialResult(trial_uid, "done", epochs, score(wrong), None, spans, {"torch": "2"}, "torch-grouped", "cd" * 32)


def add(ledger: Ledger, study: StudyRecord, number: int, trial_uid: str | None = None, digest: str | None = None) -> TrialRecord:
    uid = trial_uid or f"uid{number}"
    params = {"level": 9, "share": 0.1, "name": "é\N{PILE OF POO}\x00"}
    spec = {"trial_uid": uid, "seed": 1}
    return ledger.add_trial(
        study.uid, number, "trial", f"trial {number}", params, digest or f"digest{number}", "turns; ±9°", spec
    )


@pytest.fixture
def ledger(new_ledger_url: str) -> Ledger:
    return Ledger.open(new_ledger_url)


@pytest.fixture
def study(ledger: Ledger) -> StudyRecord:
    return ledger.create_study("photos-randaugment", {"seed": 1, "space": {"ops": [1, 3]}})


@pytest.fixture
def engine(ledger: Ledger) -> Iterator[Engine]:
    """A way past the ledger, as a stranger's shell has it."""
    yield create_engine(ledger.url.replace("postgresql:", "postgresql+psycopg:"), poolclass=NullPool)


def execute(engine: Engine, statement: str, **values: Any) -> list[Any]:
    with engine.begin() as connection:
        found = connection.execute(text(statement), values)
        return list(found.all()) if found.returns_rows else []


class TestLedger:
    def test_opening_again_changes_nothing(self, ledger: Ledger, study: StudyRecord) -> None:
        assert Ledger.open(ledger.url).studies() == Ledger(ledger.url).studies() == (study,)

    def test_a_ledger_that_is_not_there_is_named(self, new_ledger_url: str) -> None:
        with pytest.raises(BadInput, match=r"there is none; start one with"):
            Ledger(new_ledger_url)

    def test_a_newer_schema_is_refused(self, ledger: Ledger, engine: Engine) -> None:
        execute(engine, "UPDATE schema_version SET version = 4")
        for opening in (Ledger, Ledger.open):
            with pytest.raises(BadInput, match="schema version 4; this policysearch knows 3"):
                opening(ledger.url)

    def test_another_programs_tables_are_left_alone(self, new_ledger_url: str) -> None:
        engine = create_engine(new_ledger_url.replace("postgresql:", "postgresql+psycopg:"), poolclass=NullPool)
        execute(engine, "CREATE TABLE study (mine TEXT)")
        with pytest.raises(BadInput, match="has a table 'study' of another program"):
            Ledger.open(new_ledger_url)
        assert execute(engine, "SELECT mine FROM study") == []

    def test_a_study_is_made_once_under_its_name(self, ledger: Ledger, study: StudyRecord) -> None:
        assert study.identity == {"seed": 1, "space": {"ops": [1, 3]}}
        assert ledger.create_study(study.name, {"space": {"ops": [1, 3]}, "seed": 1}) == study == ledger.study(study.name)
        with pytest.raises(StudyMismatch, match="exists with other wishes"):
            ledger.create_study(study.name, {"seed": 2})
        assert ledger.study("unknown") is None
        assert ledger.create_study("b", {}).uid != study.uid
        assert {known.name for known in ledger.studies()} == {"photos-randaugment", "b"}

    def test_times_are_the_databases_in_utc(self, ledger: Ledger, study: StudyRecord) -> None:
        add(ledger, study, 0)
        ledger.start_attempt("uid0")
        for moment in (study.created_at, ledger.trial("uid0").started_at):
            assert moment is not None and moment.utcoffset() == timedelta(0)
            assert abs(datetime.now(UTC) - moment) < timedelta(minutes=5)

    def test_a_trial_comes_back_as_it_was_added(self, ledger: Ledger, study: StudyRecord) -> None:
        added = add(ledger, study, 3)
        assert added == ledger.trial("uid3") == add(ledger, study, 3)
        assert (added.study_uid, added.number, added.role, added.label) == (study.uid, 3, "trial", "trial 3")
        assert added.params == {"level": 9, "share": 0.1, "name": "é\N{PILE OF POO}\x00"}
        assert (added.digest, added.words, added.spec) == ("digest3", "turns; ±9°", {"trial_uid": "uid3", "seed": 1})
        assert (added.attempts, added.started_at, added.progress, added.result) == (0, None, None, None)

    def test_an_enqueued_policy_keeps_its_role(self, ledger: Ledger, study: StudyRecord) -> None:
        enqueued = {"enqueued": "zoo:uniformaugment"}
        added = ledger.add_trial(study.uid, 0, "enqueued", "zoo:uniformaugment", enqueued, "d", "", {"trial_uid": "uid"})
        assert (added.role, added.params) == ("enqueued", enqueued)
        assert [trial.role for trial in ledger.trials(study.uid)] == ["enqueued"]

    def test_trials_come_by_number_and_of_one_study(self, ledger: Ledger, study: StudyRecord) -> None:
        other = ledger.create_study("other", {})
        add(ledger, other, 0, "other0", "digest2")
        for number in (10, 2, 1):
            add(ledger, study, number)
        assert [trial.number for trial in ledger.trials(study.uid)] == [1, 2, 10]
        assert [trial.trial_uid for trial in ledger.trials(other.uid)] == ["other0"]

    def test_a_study_has_a_number_and_a_policy_once(self, ledger: Ledger, study: StudyRecord) -> None:
        add(ledger, study, 1)
        with pytest.raises(BadInput, match="can't be added"):
            add(ledger, study, 1, "another", "another digest")
        with pytest.raises(BadInput, match="can't be added"):
            add(ledger, study, 2, "another", "digest1")
        assert [trial.trial_uid for trial in ledger.trials(study.uid)] == ["uid1"]

    def test_a_trial_needs_its_study(self, ledger: Ledger, study: StudyRecord) -> None:
        with pytest.raises(BadInput, match="the study must exist"):
            ledger.add_trial("unknown", 0, "baseline", "none", {}, "digest", "", {"trial_uid": "uid"})

    def test_attempts_count_and_progress_is_the_latest(self, ledger: Ledger, study: StudyRecord) -> None:
        add(ledger, study, 1)
        ledger.start_attempt("uid1")
        ledger.note_progress("uid1", Epoch(1, 0.5, 9, 20))
        ledger.note_progress("uid1", Epoch(2, 0.5, 8, 20))
        assert ledger.trial("uid1").progress == (2, 8, 20)
        ledger.start_attempt("uid1")
        assert (ledger.trial("uid1").attempts, ledger.trial("uid1").progress) == (2, None)

    def test_an_unknown_trial_is_named(self, ledger: Ledger) -> None:
        for call in (ledger.trial, ledger.start_attempt, lambda uid: ledger.commit_result(done(uid))):
            with pytest.raises(BadInput, match="trial unknown: not in ledger"):
                call("unknown")
        assert ledger.result("unknown") is None

    @pytest.mark.parametrize("result", [done("uid1"), TrialResult("uid1", "failed", error="loss is NaN\nin epoch 3")])
    def test_a_result_comes_back_equal(self, ledger: Ledger, study: StudyRecord, result: TrialResult) -> None:
        add(ledger, study, 1)
        assert ledger.result("uid1") is None
        assert ledger.commit_result(result) == result == ledger.result("uid1") == ledger.trial("uid1").result

    def test_the_first_result_stays(self, ledger: Ledger, study: StudyRecord, engine: Engine) -> None:
        add(ledger, study, 1)
        first = ledger.commit_result(done("uid1", wrong=5))
        late = TrialResult("uid1", "failed", error="worker died")
        assert ledger.commit_result(done("uid1", wrong=1)) == ledger.commit_result(late) == first == done("uid1", wrong=5)
        assert execute(engine, "SELECT trial_uid, status, wrong, total FROM result") == [("uid1", "done", 5, 20)]

    def test_nobody_changes_what_is_written_once(self, ledger: Ledger, study: StudyRecord, engine: Engine) -> None:
        add(ledger, study, 1)
        ledger.commit_result(done("uid1"))
        ledger.claim_test(study.uid, "images", MODELS)
        ledger.commit_figure(study.uid, [score()])
        ledger.note_fact(study.uid, "trim", {"rotate": 30})
        rows = {table: execute(engine, f"SELECT * FROM {table}") for table in ("result", "claim", "figure", "fact")}
        changes = ["UPDATE result SET wrong = 0", "UPDATE claim SET models = '[]'", "UPDATE figure SET wrong = 0"]
        changes += ["UPDATE fact SET value = '{}'"]
        changes += [f"DELETE FROM {table}" for table in rows]
        if engine.dialect.name == "postgresql":
            changes += [f"TRUNCATE {table} CASCADE" for table in rows]
        else:
            changes += [f"INSERT OR REPLACE INTO {table} SELECT * FROM {table}" for table in rows]
        for change in changes:
            with pytest.raises(DBAPIError, match="are written once"):
                execute(engine, change)
        assert {table: execute(engine, f"SELECT * FROM {table}") for table in rows} == rows

    def test_an_impossible_result_has_no_room(self, ledger: Ledger, study: StudyRecord, engine: Engine) -> None:
        add(ledger, study, 1)
        possible = {"trial_uid": "uid1", "status": "done", "wrong": 1, "total": 20, "log_loss_sum": 1.0, "body": "{}"}
        insert = "INSERT INTO result (trial_uid, status, wrong, total, log_loss_sum, body)"
        insert += " VALUES (:trial_uid, :status, :wrong, :total, :log_loss_sum, :body)"
        for values in IMPOSSIBLE:
            with engine.connect() as connection:
                if engine.dialect.name == "sqlite":
                    connection.exec_driver_sql("PRAGMA foreign_keys=ON")
                with pytest.raises(IntegrityError):
                    connection.execute(text(insert), possible | values)
                    pytest.fail(f"{values} went in")
        execute(engine, insert, **possible)  # the row as such is fine

    def test_a_claim_comes_before_its_figure(self, ledger: Ledger, study: StudyRecord, engine: Engine) -> None:
        assert ledger.claim(study.uid) is None
        with pytest.raises(BadInput, match="needs a claim"):
            ledger.commit_figure(study.uid, [score()])
        assert execute(engine, "SELECT * FROM figure") == []
        claim = ledger.claim_test(study.uid, "images", MODELS)
        assert (claim.models, claim.test_fingerprint, claim.looks_before, claim.figure) == (tuple(MODELS), "images", 0, None)
        assert claim == ledger.claim(study.uid) == ledger.claim_test(study.uid, "images", MODELS)

    def test_the_first_figure_stays(self, ledger: Ledger, study: StudyRecord) -> None:
        ledger.claim_test(study.uid, "images", MODELS)
        figure = ledger.commit_figure(study.uid, [score(3)])
        assert (figure.wrong, figure.total, figure.score) == (3, 20, score(3))
        assert ledger.commit_figure(study.uid, [score(2)]) == figure
        claim = ledger.claim_test(study.uid, "images", MODELS)
        assert claim.figure == figure and ledger.claim(study.uid) == claim

    def test_another_look_is_refused_and_named(self, ledger: Ledger, study: StudyRecord) -> None:
        ledger.claim_test(study.uid, "images", MODELS)
        other = [model("uid2", "shear", "ef" * 32)]
        with pytest.raises(
            LookRefused, match=r"'photos-randaugment'.*claimed for rotate \(trial uid1.*asked now for shear"
        ) as caught:
            ledger.claim_test(study.uid, "images", other)
        assert caught.value.exit_code == 5
        ledger.commit_figure(study.uid, [score()])
        with pytest.raises(LookRefused, match="spent on the test images images, asked now for other"):
            ledger.claim_test(study.uid, "other", MODELS)
        for models in ([MODELS[0], *other], [model(sha256="00")], [model(arm="baseline")], [model(replicate=1)]):
            with pytest.raises(LookRefused):
                ledger.claim_test(study.uid, "images", models)
        assert ledger.looks("other") == 0

    def test_a_list_is_frozen_whole_and_its_figure_has_a_score_for_each(self, ledger: Ledger, study: StudyRecord) -> None:
        claim = ledger.claim_test(study.uid, "images", PAIR)
        assert claim.models == tuple(PAIR) and claim.baseline_label == "flip+crop"
        with pytest.raises(
            LookRefused, match=r"4 models of which number 3 is flip\+crop \(baseline, seed 1, trial b1.*asked now for 2 models;"
        ):
            ledger.claim_test(study.uid, "images", PAIR[:2])
        with pytest.raises(LookRefused, match=r"number 1 is rotate \(seed 1, .*asked now for .*number 1 is flip\+crop"):
            ledger.claim_test(study.uid, "images", PAIR[::-1])
        for scores in ([score()], [score()] * 5, [*[score()] * 3, score(total=21)]):
            with pytest.raises(ValueError, match=r"none of a claim on 4 models"):
                ledger.commit_figure(study.uid, scores)
        figure = ledger.commit_figure(study.uid, [score(wrong) for wrong in (3, 4, 5, 6)])
        assert [each.wrong for each in figure.scores] == [3, 4, 5, 6]
        assert (figure.wrong, figure.total, figure.score, figure.baseline_label) == (3, 20, score(3), "flip+crop")
        assert ledger.claim_test(study.uid, "images", PAIR).figure == figure

    def test_the_levels_of_all_looks_at_the_same_images_add_up_to_no_more_than_one_in_twenty(self, ledger: Ledger) -> None:
        claims = [ledger.claim_test(ledger.create_study(f"study {n}", {}).uid, "images", MODELS) for n in range(6)]
        assert [claim.level for claim in claims[:3]] == [0.025, 0.0125, 0.00625]
        assert sum(claim.level for claim in claims) < 0.05

    def test_a_child_takes_over_all_but_what_was_trained_for_its_parents_look(self, ledger: Ledger, study: StudyRecord) -> None:
        roles: list[Role] = ["baseline", "rehearsal", "calibration", "trial", "finalist", "confirmation", "trial"]
        for number, role in enumerate(roles):
            ledger.add_trial(study.uid, number, role, role, {}, f"digest{number}", "", {"trial_uid": f"uid{number}"})
            if number < 6:
                ledger.commit_result(done(f"uid{number}"))
        for name in ("labels", "trim", "plan"):
            ledger.note_fact(study.uid, name, {"of": "the parent"})
        assert ledger.claim_test(study.uid, "images", MODELS).looks_before == 0
        child = ledger.fork_study(study.uid, "child", {"seed": 1})
        copies = ledger.trials(child.uid, get_args(Role))
        assert [(copy.number, copy.role) for copy in copies] == list(enumerate(roles[:5]))
        assert all(copy.result is not None and copy.result.trial_uid == copy.trial_uid for copy in copies)
        assert ledger.facts(child.uid) == {name: {"of": "the parent"} for name in ("labels", "trim")}
        assert ledger.next_number(child.uid) == 5
        assert ledger.claim_test(child.uid, "images", MODELS).looks_before == 1  # its parent's

    def test_looks_at_the_same_images_are_counted(self, ledger: Ledger) -> None:
        before = []
        for number, images in enumerate(["images", "images", "others", "images"]):
            study = ledger.create_study(f"study {number}", {})
            before.append(ledger.claim_test(study.uid, images, MODELS).looks_before)
        assert before == [0, 1, 0, 2]
        assert ledger.looks("images") == 3 and ledger.looks("never seen") == 0

    def test_a_claim_names_models_and_its_study(self, ledger: Ledger, study: StudyRecord) -> None:
        with pytest.raises(BadInput, match="at least one model"):
            ledger.claim_test(study.uid, "images", [])
        with pytest.raises(BadInput, match="study unknown: not in ledger"):
            ledger.claim_test("unknown", "images", MODELS)

    def test_mirrored_trials_are_remembered_by_target(self, ledger: Ledger, study: StudyRecord) -> None:
        for number in (1, 2):
            add(ledger, study, number)
        add(ledger, ledger.create_study("other", {}), 3)
        for trial_uid in ("uid1", "uid1", "uid3"):
            ledger.mark_mirrored(trial_uid, "sqlite:///mlflow.db")
        assert ledger.mirrored(study.uid, "sqlite:///mlflow.db") == {"uid1"}
        assert ledger.mirrored(study.uid, "elsewhere") == set()

    def test_no_connection_to_a_server_is_held_between_calls_and_a_file_is_let_go_of_when_told_to(
        self, ledger: Ledger, study: StudyRecord, engine: Engine
    ) -> None:
        add(ledger, study, 1)
        if engine.dialect.name == "postgresql":
            count = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            assert execute(engine, count) == [(0,)]
        else:  # the last one to leave a SQLite database takes its journal away
            ledger.close()
            path = Path(str(engine.url.database))
            assert [found.name for found in path.parent.iterdir()] == [path.name]


def test_sqlite_keeps_its_journal_and_its_foreign_keys(tmp_path: Path) -> None:
    from policysearch.ledger import sqlite_url

    Ledger.open(sqlite_url(tmp_path / "ledger.sqlite"))
    with sqlite3.connect(tmp_path / "ledger.sqlite") as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
