"""Random histories of a ledger, with crashes: what was recorded first stays, and the winner is what SQL says it is."""

import shutil
import sqlite3
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, multiple, rule

from policysearch.ledger import ClaimedModel, Figure, Ledger, sqlite_url
from policysearch.selection import winner
from searchspaces.errors import BadInput, LookRefused, NoTrialSucceeded
from trials.values import Epoch, Score, TrialResult

TOTAL = 6
MEMORY = Path("/dev/shm")  # the histories are about meaning, so they need not wait for a disk

scores = st.builds(
    lambda wrong, log_loss: Score((False,) * wrong + (True,) * (TOTAL - wrong), ((TOTAL - wrong, wrong), (0, 0)), log_loss),
    st.integers(0, TOTAL),
    st.sampled_from([0.5, 1.0, 1.5]),  # few values, so that there are ties
)
outcomes = st.one_of(scores, st.sampled_from(["loss is NaN", "out of memory"]))
fingerprints = st.sampled_from(["images", "other images"])
models: st.SearchStrategy[list[ClaimedModel]] = st.sampled_from(
    [[{"trial_uid": "uid", "label": label, "weights_sha256": "ab"}] for label in ("rotate", "shear")]
)


def result_of(trial_uid: str, outcome: Score | str) -> TrialResult:
    if isinstance(outcome, str):
        return TrialResult(trial_uid, "failed", error=outcome)
    return TrialResult(trial_uid, "done", (Epoch(1, 1.0, outcome.wrong, TOTAL),), outcome)


class LedgerHistory(RuleBasedStateMachine):
    """The ledger beside a model of it: three dicts."""

    trials = Bundle("trials")
    studies = Bundle("studies")

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp(dir=MEMORY if MEMORY.is_dir() else None))
        self.path = self.directory / "ledger.sqlite"
        self.ledger = Ledger.open(sqlite_url(self.path))
        self.numbers: dict[str, list[int]] = {}
        self.results: dict[str, TrialResult] = {}
        self.claims: dict[str, tuple[str, list[ClaimedModel]]] = {}
        self.figures: dict[str, Figure] = {}

    def teardown(self) -> None:
        shutil.rmtree(self.directory)

    @rule(target=studies)
    def create(self) -> str:
        study = self.ledger.create_study(f"study {len(self.numbers)}", {"n": len(self.numbers)})
        self.numbers[study.uid] = []
        return study.uid

    @rule(target=trials, study=studies, number=st.integers(0, 9))
    def add(self, study: str, number: int) -> object:
        uid = f"{study}-{number}"
        taken = number in self.numbers[study]
        try:
            other = self.ledger.add_trial(
                study, number, "trial", "", {}, f"digest{number}", "", {"trial_uid": uid + "-again" * taken}
            )
        except BadInput:
            assert taken
            return multiple()
        assert not taken and other.trial_uid == uid
        self.numbers[study].append(number)
        return uid

    @rule(trial=trials)
    def start(self, trial: str) -> None:
        before = self.ledger.trial(trial)
        self.ledger.start_attempt(trial)
        after = self.ledger.trial(trial)
        assert after == replace(before, attempts=before.attempts + 1, started_at=after.started_at, progress=None)

    @rule(trial=trials, wrong=st.integers(0, TOTAL))
    def note(self, trial: str, wrong: int) -> None:
        self.ledger.note_progress(trial, Epoch(3, 0.5, wrong, TOTAL))
        assert self.ledger.trial(trial).progress == (3, wrong, TOTAL)

    @rule(trial=trials, outcome=outcomes)
    def commit(self, trial: str, outcome: Score | str) -> None:
        mine = result_of(trial, outcome)
        first = self.results.setdefault(trial, mine)
        assert self.ledger.commit_result(mine) == first

    @rule(study=studies, fingerprint=fingerprints, asked=models)
    def claim(self, study: str, fingerprint: str, asked: list[ClaimedModel]) -> None:
        looks = self.ledger.looks(fingerprint)
        first = self.claims.setdefault(study, (fingerprint, asked))
        try:
            claim = self.ledger.claim_test(study, fingerprint, asked)
        except LookRefused:
            assert first != (fingerprint, asked)
            assert self.ledger.looks(fingerprint) == looks
            return
        assert first == (fingerprint, asked) == (claim.test_fingerprint, list(claim.models))
        assert claim.figure == self.figures.get(study)

    @rule(study=studies, score=scores)
    def figure(self, study: str, score: Score) -> None:
        try:
            figure = self.ledger.commit_figure(study, score)
        except BadInput:
            assert study not in self.claims
            return
        assert (figure.test_fingerprint, list(figure.models)) == self.claims[study]
        assert study in self.figures or figure.score == score
        assert self.figures.setdefault(study, figure) == figure

    @rule(trial=trials, wrong=st.integers(0, TOTAL))
    def crash_before_the_commit(self, trial: str, wrong: int) -> None:
        """What a killed writer leaves: a transaction that never ended."""
        connection = sqlite3.connect(self.path, isolation_level=None)
        connection.execute("BEGIN IMMEDIATE")
        row = (trial, "done", wrong, TOTAL, 0.0, "{}")
        insert = "INSERT OR IGNORE INTO result (trial_uid, status, wrong, total, log_loss_sum, body) VALUES (?, ?, ?, ?, ?, ?)"
        if trial not in self.results:
            connection.execute(insert, row)
        connection.close()

    @rule()
    def reopen(self) -> None:
        self.ledger = Ledger.open(sqlite_url(self.path))

    @invariant()
    def results_are_recorded_once_and_never_change(self) -> None:
        found = [trial for study in self.numbers for trial in self.ledger.trials(study)]
        assert {trial.trial_uid: trial.result for trial in found if trial.result} == self.results
        assert len(found) == sum(map(len, self.numbers.values()))
        assert self.sql("SELECT count(*) FROM result") == [(len(self.results),)]

    @invariant()
    def the_winner_is_the_least_in_sql(self) -> None:
        for study in self.numbers:
            least = self.sql(
                "SELECT trial_uid FROM result JOIN trial USING (trial_uid) WHERE study_uid = ? AND status = 'done'"
                " ORDER BY wrong, log_loss_sum, number LIMIT 1",
                study,
            )
            try:
                assert least == [(winner(self.ledger.trials(study)).trial_uid,)]
            except NoTrialSucceeded:
                assert least == []

    @invariant()
    def a_study_has_one_claim_and_one_figure_at_most(self) -> None:
        claims = {study: self.ledger.claim(study) for study in self.numbers}
        assert {uid: (claim.test_fingerprint, list(claim.models)) for uid, claim in claims.items() if claim} == self.claims
        assert {uid: claim.figure for uid, claim in claims.items() if claim and claim.figure} == self.figures
        assert self.sql("SELECT count(*) FROM claim") == [(len(self.claims),)]
        assert self.sql("SELECT count(*) FROM figure") == [(len(self.figures),)]

    def sql(self, statement: str, *values: str) -> list[tuple[object, ...]]:
        connection = sqlite3.connect(self.path)
        try:
            return connection.execute(statement, values).fetchall()
        finally:
            connection.close()


TestHistories = LedgerHistory.TestCase
TestHistories.settings = settings(max_examples=10, stateful_step_count=20)


class LongHistory(LedgerHistory):
    pass


TestLongHistories = pytest.mark.slow(LongHistory.TestCase)
TestLongHistories.settings = settings(max_examples=60, stateful_step_count=40)
