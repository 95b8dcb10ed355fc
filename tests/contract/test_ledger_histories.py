"""Random histories of a ledger, with takeovers, sleepers and crashes: what was recorded first stays, all that was acknowledged is
there once, and the winner is what SQL says it is. On SQLite and on PostgreSQL, by two sessions in turn."""

import shutil
import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, multiple, rule, run_state_machine_as_test
from sqlalchemy import NullPool, create_engine, text

from policysearch.ledger import ClaimedModel, Figure, Ledger, StudyHeld, Superseded, sqlite_url
from policysearch.selection import leader, winner
from searchspaces.errors import BadInput, LookRefused, NoTrialSucceeded
from trials.values import Counts, Epoch, Score, TrialResult

TOTAL = 6
MOST_FORKS = 3
MEMORY = Path("/dev/shm")  # the histories are about meaning, so they need not wait for a disk

scores = st.builds(
    lambda wrong, log_loss: Score((False,) * wrong + (True,) * (TOTAL - wrong), ((TOTAL - wrong, wrong), (0, 0)), log_loss),
    st.integers(0, TOTAL),
    st.sampled_from([0.5, 1.0, 1.5]),  # few values, so that there are ties
)
counts = st.builds(Counts, st.integers(0, TOTAL), st.just(TOTAL))
outcomes = st.one_of(scores, counts, st.sampled_from(["loss is NaN", "out of memory"]))
fingerprints = st.sampled_from(["images", "other images"])
models: st.SearchStrategy[list[ClaimedModel]] = st.sampled_from(
    [
        [{"trial_uid": "uid", "label": label, "weights_sha256": "ab", "arm": "winner", "replicate": seed} for seed in seeds]
        for label in ("rotate", "shear")
        for seeds in ([0], [1, 2])
    ]
)
owners = st.sampled_from(["a:1", "b:2"])


def result_of(trial_uid: str, outcome: Score | Counts | str) -> TrialResult:
    if isinstance(outcome, str):
        return TrialResult(trial_uid, "failed", error=outcome)
    return TrialResult(trial_uid, "done", (Epoch(1, 1.0, outcome.wrong, TOTAL),), outcome)


class LedgerHistory(RuleBasedStateMachine):
    """The ledger beside a model of it: a few dicts. `attempts` of a trial is its last fence."""

    trials = Bundle("trials")
    studies = Bundle("studies")

    def __init__(self) -> None:
        super().__init__()
        self.url = self.new_url()
        self.sessions = (Ledger.open(self.url), Ledger(self.url))
        self.calls = 0
        self.engine = create_engine(self.url.replace("postgresql:", "postgresql+psycopg:"), poolclass=NullPool)
        self.numbers: dict[str, list[int]] = {}
        self.study_of: dict[str, str] = {}
        self.attempts: Counter[str] = Counter()
        self.leased: set[str] = set()
        self.results: dict[str, TrialResult] = {}
        self.counted: dict[str, int | None] = {}  # the fence that a result came by
        self.late: dict[tuple[str, int], TrialResult] = {}
        self.holds: dict[str, tuple[str, int]] = {}
        self.fences: Counter[str] = Counter()
        self.forks = 0
        self.claims: dict[str, tuple[str, list[ClaimedModel]]] = {}
        self.figures: dict[str, Figure] = {}

    def new_url(self) -> str:
        self.directory = Path(tempfile.mkdtemp(dir=MEMORY if MEMORY.is_dir() else None))
        return sqlite_url(self.directory / "ledger.sqlite")

    def teardown(self) -> None:
        self.ledger.close()
        shutil.rmtree(self.directory)

    @property
    def ledger(self) -> Ledger:
        """The two sessions take turns."""
        self.calls += 1
        return self.sessions[self.calls % 2]

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
            spec = {"trial_uid": uid + "-again" * taken}
            other = self.ledger.add_trial(study, number, "trial", "", {}, f"digest{number}", "", spec)
        except BadInput:
            assert taken
            return multiple()
        assert not taken and other.trial_uid == uid
        self.numbers[study].append(number)
        self.study_of[uid] = study
        return uid

    @rule(trial=trials, owner=owners)
    def start(self, trial: str, owner: str) -> None:
        before = self.ledger.trial(trial)
        fence = self.ledger.start_attempt(trial, owner, 3600)
        after = self.ledger.trial(trial)
        self.attempts[trial] += 1
        self.leased.add(trial)
        assert fence == after.attempts == self.attempts[trial] and after.lease_until is not None
        lease: dict[str, Any] = {
            "attempts": fence,
            "started_at": after.started_at,
            "owner": owner,
            "lease_until": after.lease_until,
        }
        assert after == replace(before, progress=None, **lease)

    @rule(trial=trials, back=st.integers(0, 2))
    def renew(self, trial: str, back: int) -> None:
        is_held = self.attempts[trial] > 0 and back == 0 and trial not in self.results
        assert self.ledger.renew_lease(trial, self.attempts[trial] - back, 3600) == is_held
        if is_held:
            self.leased.add(trial)

    @rule(trial=trials)
    def expire(self, trial: str) -> None:
        """Time passes for one worker: it sleeps, or is dead."""
        self.sql("UPDATE trial SET lease_until = 1 WHERE trial_uid = :uid AND attempts > 0", uid=trial)
        self.leased.discard(trial)

    @rule(trial=trials, wrong=st.integers(0, TOTAL))
    def note(self, trial: str, wrong: int) -> None:
        self.ledger.note_progress(trial, Epoch(3, 0.5, wrong, TOTAL))
        assert self.ledger.trial(trial).progress == (3, wrong, TOTAL)

    @rule(trial=trials, outcome=outcomes)
    def give_the_drivers_word(self, trial: str, outcome: Score | Counts | str) -> None:
        mine = result_of(trial, outcome)
        if trial not in self.results:
            self.results[trial], self.counted[trial] = mine, None
        assert self.ledger.commit_result(mine) == self.results[trial]

    @rule(trial=trials, outcome=outcomes, back=st.integers(0, 2), again=st.booleans())
    def commit(self, trial: str, outcome: Score | Counts | str, back: int, again: bool) -> None:
        """Of the last attempt or an earlier one, whose worker slept; `again` as after a COMMIT of unknown outcome."""
        while self.attempts[trial] <= back:
            self.start(trial, "a:1")
        fence = self.attempts[trial] - back
        mine = result_of(trial, outcome)
        if trial not in self.results and fence == self.attempts[trial]:
            self.results[trial], self.counted[trial] = mine, fence
        elif self.counted.get(trial) != fence:
            self.late.setdefault((trial, fence), mine)
        for _ in range(1 + again):
            try:
                assert self.ledger.commit_result(mine, fence) == self.results[trial]
            except Superseded:
                assert trial not in self.results and fence < self.attempts[trial]

    @rule(study=studies)
    def fork(self, study: str) -> None:
        if self.forks == MOST_FORKS:
            return
        self.forks += 1
        child = self.ledger.fork_study(study, f"fork {self.forks}", {"fork": self.forks})
        self.numbers[child.uid] = []
        parents = {trial.number: trial for trial in self.ledger.trials(study) if trial.result}
        for copy in self.ledger.trials(child.uid):
            original = parents.pop(copy.number)
            assert copy.result is not None and original.result is not None
            assert copy.result == replace(original.result, trial_uid=copy.trial_uid) and copy.point == original.point
            self.numbers[child.uid].append(copy.number)
            self.study_of[copy.trial_uid] = child.uid
            self.results[copy.trial_uid] = copy.result
            self.counted[copy.trial_uid] = self.counted[original.trial_uid]
            self.attempts[copy.trial_uid] = original.attempts
        assert not parents

    @rule(study=studies, owner=owners)
    def hold(self, study: str, owner: str) -> None:
        try:
            fence = self.ledger.hold_study(study, owner, 3600)
        except StudyHeld as held:
            assert self.holds[study][0] == held.owner
            return
        assert study not in self.holds and fence == self.fences[study] + 1
        self.fences[study] = fence
        self.holds[study] = (owner, fence)

    @rule(study=studies, back=st.integers(0, 1), releases=st.booleans())
    def renew_or_release_hold(self, study: str, back: int, releases: bool) -> None:
        fence = self.fences[study] - back
        if releases:
            self.ledger.release_hold(study, fence)
            if study in self.holds and self.holds[study][1] == fence:
                del self.holds[study]
        elif study in self.holds:
            assert self.ledger.renew_hold(study, fence, 3600) == (self.holds[study][1] == fence)

    @rule(study=studies)
    def expire_hold(self, study: str) -> None:
        self.sql("UPDATE study_hold SET hold_until = 0 WHERE study_uid = :uid", uid=study)
        self.holds.pop(study, None)

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
            figure = self.ledger.commit_figure(study, [score] * len(self.claims.get(study, ("", [None]))[1]))
        except BadInput:
            assert study not in self.claims
            return
        assert (figure.test_fingerprint, list(figure.models)) == self.claims[study]
        assert study in self.figures or figure.score == score
        assert self.figures.setdefault(study, figure) == figure

    @rule(trial=trials)
    def crash_before_the_commit(self, trial: str) -> None:
        """What a killed writer leaves: a transaction that never ended."""
        insert = "INSERT INTO result (trial_uid, status, error, body) VALUES (:uid, 'failed', 'no', '{}')"
        if trial not in self.results:
            with self.engine.connect() as connection:
                connection.execute(text(insert), {"uid": trial})
                connection.invalidate()

    @rule()
    def reopen(self) -> None:
        self.ledger.close()
        self.sessions = (Ledger.open(self.url), Ledger(self.url))

    @invariant()
    def results_are_recorded_once_and_never_change(self) -> None:
        found = [trial for study in self.numbers for trial in self.ledger.trials(study)]
        assert {trial.trial_uid: trial.result for trial in found if trial.result} == self.results
        assert len(found) == sum(map(len, self.numbers.values()))
        assert dict(self.sql("SELECT trial_uid, fence FROM result")) == self.counted
        assert all(result.error for result in self.results.values() if result.status == "failed")

    @invariant()
    def what_came_late_is_kept_and_counts_nowhere(self) -> None:
        late = [late for study in self.numbers for late in self.ledger.late_results(study)]
        assert {(one.trial_uid, one.fence): one.result for one in late} == self.late
        assert not {(uid, fence) for uid, fence in self.counted.items()} & self.late.keys()

    @invariant()
    def attempts_are_counted_and_who_sleeps_is_found(self) -> None:
        stored = {uid: attempts for uid, attempts in self.sql("SELECT trial_uid, attempts FROM trial") if attempts}
        assert stored == dict(+self.attempts)
        for study in self.numbers:
            mine = {uid for uid, owner in self.study_of.items() if owner == study and self.attempts[uid]}
            assert set(self.ledger.lapsed(study)) == mine - self.leased - self.results.keys()

    @invariant()
    def one_holds_a_study(self) -> None:
        for study in self.numbers:
            holder = self.ledger.holder(study)
            assert (holder and holder[0]) == (self.holds[study][0] if study in self.holds else None)

    @invariant()
    def the_winner_is_the_least_in_sql(self) -> None:
        for study in self.numbers:
            least = self.sql(
                "SELECT trial_uid FROM result JOIN trial USING (trial_uid) WHERE study_uid = :study AND status = 'done'"
                " ORDER BY wrong, coalesce(log_loss_sum, 1e300), number LIMIT 1",
                study=study,
            )
            lead = leader(self.ledger.standings(study))
            try:
                assert least == [(winner(self.ledger.trials(study)).trial_uid,)] == [(lead.trial_uid if lead else "nobody",)]
            except NoTrialSucceeded:
                assert least == [] and lead is None

    @invariant()
    def a_study_has_one_claim_and_one_figure_at_most(self) -> None:
        claims = {study: self.ledger.claim(study) for study in self.numbers}
        assert {uid: (claim.test_fingerprint, list(claim.models)) for uid, claim in claims.items() if claim} == self.claims
        assert {uid: claim.figure for uid, claim in claims.items() if claim and claim.figure} == self.figures
        assert self.sql("SELECT count(*) FROM claim") == [(len(self.claims),)]
        assert self.sql("SELECT count(*) FROM figure") == [(len(self.figures),)]

    def sql(self, statement: str, **values: Any) -> list[Any]:
        """Past the ledger."""
        with self.engine.begin() as connection:
            found = connection.execute(text(statement), values)
            return [tuple(row) for row in found.all()] if found.returns_rows else []


TestHistories = LedgerHistory.TestCase
TestHistories.settings = settings(max_examples=10, stateful_step_count=25)


class LongHistory(LedgerHistory):
    pass


TestLongHistories = pytest.mark.slow(LongHistory.TestCase)
TestLongHistories.settings = settings(max_examples=30, stateful_step_count=50)


@pytest.mark.slow
def test_the_same_histories_on_postgresql(request: pytest.FixtureRequest) -> None:
    database: str = request.getfixturevalue("postgres_server").new_database()
    made = Counter[str]()

    class OnPostgres(LedgerHistory):
        """Every history in a schema of its own: that is made quicker than a database."""

        def new_url(self) -> str:
            made["schemas"] += 1
            schema = f"history_{made['schemas']}"
            engine = create_engine(database.replace("postgresql:", "postgresql+psycopg:"), poolclass=NullPool)
            with engine.begin() as connection:
                connection.exec_driver_sql(f"CREATE SCHEMA {schema}")
            return f"{database}&options=-csearch_path%3D{schema}"

        def teardown(self) -> None:
            pass

    run_state_machine_as_test(OnPostgres, settings=settings(max_examples=5, stateful_step_count=15, deadline=None))
