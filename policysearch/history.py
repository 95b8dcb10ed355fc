"""What a search knows of its study while it runs: its trials by policy, the best one, what samplers are told.

It is kept up to date step by step, so that a search with ten thousand trials plans the next one as quickly as the first. A policy
may have several trials: one for each number of epochs that it has been given. Holds no truth of its own: it is made from the
ledger, and told what the ledger has been told.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from policysearch.ledger import Role, Standing
from policysearch.rungs import EarlyStopping, Ladder
from policysearch.samplers import Tried
from policysearch.selection import Place, place
from trials.values import TrialResult


@dataclass(frozen=True)
class Row:
    """A trial, as far as planning goes. `key` tells its policy from all others; `wrong` of `total` is None until it's done."""

    trial_uid: str
    number: int
    role: Role
    label: str
    key: str
    params: Mapping[str, Any]
    epochs: int
    status: str | None = None
    wrong: int | None = None
    total: int | None = None
    log_loss_sum: float | None = None

    @staticmethod
    def of(standing: Standing, key: str) -> "Row":
        """From the ledger's row."""
        return Row(
            trial_uid=standing.trial_uid,
            number=standing.number,
            role=standing.role,
            label=standing.label,
            key=key,
            params=standing.params,
            epochs=standing.budget_epochs,
            status=standing.status,
            wrong=standing.wrong,
            total=standing.total,
            log_loss_sum=standing.log_loss_sum,
        )

    def with_result(self, result: TrialResult) -> "Row":
        """The trial when it's over."""
        if result.score is None:
            return replace(self, status=result.status)
        score = result.score
        return replace(self, status=result.status, wrong=score.wrong, total=score.total, log_loss_sum=score.log_loss_sum)

    @property
    def place(self) -> Place | None:
        """How good it is; None without a score."""
        if self.wrong is None or self.total is None:
            return None
        return place(self.wrong, self.total, self.log_loss_sum, self.number)

    @property
    def error(self) -> float | None:
        """The share of validation images wrong; None without a score."""
        return None if self.wrong is None or self.total is None else self.wrong / self.total


@dataclass
class _Policy:
    """The trials of one policy by number of epochs, the one that suggested it, and its place among all policies."""

    order: int
    rows: dict[int, Row] = field(default_factory=dict)
    searched: Row | None = None


class History:
    """The trials of a study. `best` is the row that would win now."""

    def __init__(self, stopping: EarlyStopping) -> None:
        self._full = stopping.rungs[-1]
        self._rows: dict[str, Row] = {}
        self._policies: dict[str, _Policy] = {}
        self._tried: list[Tried] = []
        self._searched = 0
        self.ladder = Ladder(stopping.rungs, stopping.eta)
        self.best: Row | None = None
        self.over = 0

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows.values())

    def __getitem__(self, trial_uid: str) -> Row:
        return self._rows[trial_uid]

    @property
    def searched(self) -> int:
        """How many policies the search has suggested."""
        return self._searched

    def tried(self) -> tuple[Tried, ...]:
        """What samplers are told, in the order the policies were begun."""
        return tuple(self._tried)

    def knows(self, key: str) -> bool:
        """Whether the study has the policy, trained for however many epochs."""
        return key in self._policies

    def has(self, key: str, epochs: int) -> bool:
        """Whether the study has the policy with so many epochs."""
        return key in self._policies and epochs in self._policies[key].rows

    def first_of(self, key: str) -> Row:
        """The trial by which the search suggested the policy."""
        first = self._policies[key].searched
        assert first is not None, "only suggested policies are on the ladder"
        return first

    def add(self, row: Row) -> None:
        """Take a trial in, over or not."""
        policy = self._policies.get(row.key)
        if policy is None:
            policy = self._policies[row.key] = _Policy(len(self._tried))
            self._tried.append(Tried({}, row.key, "running"))
        if row.role == "trial" and policy.searched is None:
            policy.searched = row
            self._searched += 1
        self._put(policy, row)

    def finish(self, trial_uid: str, result: TrialResult) -> None:
        """A trial that was not over is."""
        row = self._rows[trial_uid]
        if row.status is None:
            self._put(self._policies[row.key], row.with_result(result))

    def _put(self, policy: _Policy, row: Row) -> None:
        self._rows[row.trial_uid] = policy.rows[row.epochs] = row
        self._tried[policy.order] = self._told(policy, row.key)
        if policy.searched is not None:
            self.ladder.begin(row.key, row.epochs)
        if row.status is None:
            return
        self.over += 1
        if row.place is None:
            return
        if policy.searched is not None:
            self.ladder.finish(row.key, row.epochs, row.place)
        if row.epochs >= self._full and (self.best is None or self.best.place is None or row.place < self.best.place):
            self.best = row

    def _told(self, policy: _Policy, key: str) -> Tried:
        params = {} if policy.searched is None else policy.searched.params
        rungs = {row.epochs: row.error for row in policy.rows.values() if row.error is not None}
        if any(row.status is None for row in policy.rows.values()):
            return Tried(params, key, "running", rungs=rungs)
        last = policy.rows[max(policy.rows)]
        if last.error is None:
            return Tried(params, key, "failed", rungs=rungs)
        if last.epochs < self._full:
            return Tried(params, key, "stopped", rungs=rungs)
        return Tried(params, key, "done", last.error, rungs)
