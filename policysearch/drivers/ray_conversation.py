"""What a search says to Tune and hears from it: which task is next, and what became of the ones before.

Knows nothing of Ray. One task is kept in stock, so that a worker which is done goes on at once and the books are kept while it
trains. Two lost workers fail a trial with its reason; a worker that goes down with its whole node is not the trial's doing and
counts for little. Tasks that a worker refuses (it can't reach the ledger or the data, or runs other versions) go back into the
stock; when every worker refuses, the search ends with the reason.
"""

import json
import time
from collections import Counter, deque
from collections.abc import Callable
from typing import Any

from policysearch.drivers import LATER, Event, Later, Listener, Task, TaskSource
from policysearch.drivers.execution import ledger_at, record_failure
from policysearch.ledger import LEASE_SECONDS, Ledger
from searchspaces.errors import PolicysearchError

TRIES = 2
NODES_PER_TRIAL = 20  # a trial that goes down with so many nodes may be what brings them down
REFUSALS = 6  # in a row, and at least twice for every worker
ROUND_SECONDS = min(2.0, LEASE_SECONDS / 3)
LAPSE_PATIENCE_SECONDS = LEASE_SECONDS / 2  # after a sleep of the whole machine workers need a moment to renew their claims


class Conversation:
    """The driver's end. What the source or the listener raises is kept in `raised`, and ends the search.

    `first` is the source's first task; `at_once` how many trials run at once.
    """

    def __init__(
        self,
        first: Task,
        source: TaskSource,
        listener: Listener,
        at_once: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._source, self._listener, self._at_once, self._clock = source, listener, at_once, clock
        self._stock = deque([first])
        self._source_is_empty = False
        self._ask_again_at = 0.0
        self._tasks: dict[str, Task] = {}  # by Tune's name for the trial
        self._over: list[Task] = []  # ended, and the source not told
        self._postponed = False
        self._elsewhere: dict[str, Task] = {}  # trials that a worker of somebody else has taken over
        self._refused: dict[str, str] = {}
        self._late: set[str] = set()
        self._given_up: set[str] = set()
        self._said: set[str] = set()
        self._refusals = self._failed_starts = 0
        self._losses, self._nodes_lost = Counter[str](), Counter[str]()
        self._attempts = {first.trial_uid: self._ledger(first).trial(first.trial_uid).attempts}
        self._lapsed_since: dict[str, float] = {}
        self._reasons: dict[str, str] = {}
        self._started_at: dict[str, float] = {}
        self._next_round_at = clock() + ROUND_SECONDS
        self._study_uid: str | None = None
        self.raised: BaseException | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Tune pickles what it is given, to restore from; there is nothing here to restore from."""
        return {}

    # What Tune asks.

    def next_config(self, trial_id: str) -> dict[str, Any] | Later | None:
        """The next task, for Tune's trial of that id; LATER when there may be one, None when there is none."""
        if self.raised is not None:
            return None
        if not self._stock:
            self._keep_books()
            self._supply()
        if self._stock:
            task = self._tasks[trial_id] = self._stock.popleft()
            return {"task": json.dumps(task.to_dict())}
        return LATER if self._tasks or self._elsewhere or not self._source_is_empty else None

    def step(self) -> list[str] | None:
        """To be called now and then: keeps the books. Every few seconds gives the trials whose workers are to be killed."""
        if self._over and self._stock and not self._postponed:
            self._postponed = True  # the worker that is done is given its next trial first
            return None
        self._keep_books()
        self._supply()
        return self._make_round() if self._clock() >= self._next_round_at else None

    def close(self) -> None:
        """Tell the source of what it hasn't been told. Raises what was kept."""
        if self.raised is None:
            self._keep_books()
        if self.raised is not None:
            raise self.raised

    def keeping(self, call: Callable[..., Any], *values: Any) -> Any:
        """Make the call; keep what it raises, because Tune would swallow it."""
        try:
            return call(*values)
        except Exception as error:
            self.raised = self.raised or error
            return None

    # What Tune tells.

    def started(self, trial_id: str) -> None:
        """A worker has taken up the trial. Of one that is over for us Tune may still have news, here and below: it is none."""
        if trial_id not in self._tasks:
            return
        self._started_at[trial_id], self._failed_starts = self._clock(), 0
        uid = self._tasks[trial_id].trial_uid
        if uid not in self._given_up:
            self._source.started(uid)

    def reported(self, trial_id: str, result: dict[str, Any]) -> None:
        """The trial has ended an epoch, or its worker says why it doesn't run it."""
        if trial_id not in self._tasks:
            return
        if "epoch" in result:
            uid = self._tasks[trial_id].trial_uid
            self._listener(Event("epoch", uid, result["epoch"], result["wrong"], result["images"]))
        elif "note" in result:
            self._listener(Event("note", self._tasks[trial_id].trial_uid, text=result["note"]))
        elif "refused" in result:
            self._refused[trial_id] = result["refused"]
        elif "late" in result:
            self._late.add(trial_id)

    def lost(self, trial_id: str, reason: str, with_node: bool) -> bool:
        """The trial's worker was lost, and Tune starts it again; whether it shall do so without end, because it isn't given up.

        What is given up has its result before that, which its next worker finds.
        """
        if (task := self._tasks.get(trial_id)) is None:
            return False
        uid, reason = task.trial_uid, self._reasons.pop(trial_id, "") or self._hung(trial_id, task) or reason
        self._lapsed_since.pop(trial_id, None)
        self._count_failed_start(trial_id, reason, with_node)
        counts = self._nodes_lost if with_node else self._losses
        counts[uid] += 1
        record = self._ledger(task).trial(uid)
        self._attempts[uid] = record.attempts
        if record.result is not None or uid in self._given_up:
            return False
        if self._losses[uid] < TRIES and self._nodes_lost[uid] < NODES_PER_TRIAL:
            what = "a node" if with_node else "a worker"
            self._listener(Event("note", uid, text=f"{what} was lost ({reason}); its trial is tried again in a new one"))
            return True
        self._given_up.add(uid)
        record_failure(task, f"its {'node' if with_node else 'worker'} was lost {counts[uid]} times: {reason}")
        return False

    def _count_failed_start(self, trial_id: str, reason: str, with_node: bool) -> None:
        if with_node or self._started_at.pop(trial_id, None) is not None:
            self._failed_starts = 0
            return
        self._failed_starts += 1
        if self._failed_starts >= max(REFUSALS, 2 * self._at_once):
            raise PolicysearchError(
                f"workers: they can't start on the Ray cluster ({reason}); mend what it says, and search again"
            )

    def ended(self, trial_id: str, reason: str | None) -> None:
        """The trial is over for Tune; `reason` says why Tune gave it up.

        One that `lost` has not given up was still to start, on a worker that nobody could reach: it goes to another worker.
        """
        if (task := self._tasks.pop(trial_id, None)) is None:
            return
        self._lapsed_since.pop(trial_id, None)
        self._started_at.pop(trial_id, None)
        refusal = self._refused.pop(trial_id, None)
        if refusal is not None:
            self._put_back(task, refusal)
        elif trial_id in self._late:
            self._late.discard(trial_id)
            self._elsewhere[task.trial_uid] = task
        elif reason is not None and self._ledger(task).result(task.trial_uid) is None:
            self._put_back(task, f"Ray gave a trial up before it had started ({reason})")
        else:
            self._refusals = 0
            self._over.append(task)

    def vanished(self, trial_id: str) -> None:
        """The trial is over for Tune, which has not said so."""
        if trial_id in self._tasks:
            self._put_back(self._tasks.pop(trial_id), "Ray could not use a worker again")

    def begun_again(self, reason: str) -> None:
        """Tune stumbled and begins again: what was under way is given out again, to workers that find the results there are."""
        self._stock.extend(self._tasks.values())
        for known in (self._tasks, self._started_at, self._lapsed_since, self._reasons, self._refused):
            known.clear()
        self._listener(Event("note", text=f"Ray Tune stumbled and begins again ({reason})"))

    def _put_back(self, task: Task, refusal: str) -> None:
        self._stock.append(task)
        self._refusals += 1
        if self._refusals >= max(REFUSALS, 2 * self._at_once):
            raise PolicysearchError(refusal)
        if refusal not in self._said:
            self._said.add(refusal)
            self._listener(Event("note", text=f"{refusal}; its trials go to other workers"))

    # The books.

    def _keep_books(self) -> None:
        self._postponed = False
        over, self._over = self._over, []
        for task in over:
            self._source.finished(task.trial_uid)
            self._ask_again_at = 0.0

    def _supply(self) -> None:
        """See that a task is in stock."""
        if self._stock or self._source_is_empty or self._clock() < self._ask_again_at:
            return
        task = self._source.next_task()
        if isinstance(task, Task):
            self._attempts[task.trial_uid] = self._ledger(task).trial(task.trial_uid).attempts
            self._stock.append(task)
        self._source_is_empty = task is None
        self._ask_again_at = self._clock() + ROUND_SECONDS if task is LATER else 0.0

    # Those who can't say that something is wrong with them.

    def _make_round(self) -> list[str]:
        self._next_round_at = self._clock() + ROUND_SECONDS
        lapsed = self._lapsed()
        for uid, task in list(self._elsewhere.items()):
            if self._ledger(task).result(uid) is not None:
                self._over.append(self._elsewhere.pop(uid))
            elif uid in lapsed:
                self._stock.append(self._elsewhere.pop(uid))
        return [trial_id for trial_id, task in self._tasks.items() if self._is_asleep(trial_id, task, lapsed)]

    def _lapsed(self) -> frozenset[str]:
        """The study's trials whose worker has not renewed its claim in time, by the database's clock."""
        task = next(iter((*self._tasks.values(), *self._elsewhere.values())), None)
        if task is None:
            return frozenset()
        ledger = self._ledger(task)
        self._study_uid = self._study_uid or ledger.trial(task.trial_uid).study_uid
        return frozenset(ledger.lapsed(self._study_uid))

    def _is_asleep(self, trial_id: str, task: Task, lapsed: frozenset[str]) -> bool:
        uid = task.trial_uid
        if uid not in lapsed or trial_id not in self._started_at:
            self._lapsed_since.pop(trial_id, None)
            return False
        if trial_id not in self._lapsed_since and self._ledger(task).trial(uid).attempts == self._attempts[uid]:
            return False  # what has lapsed is an earlier worker's claim; this one has made none yet
        since = self._lapsed_since.setdefault(trial_id, self._clock())
        if self._clock() < since + LAPSE_PATIENCE_SECONDS or trial_id in self._reasons:
            return False
        seconds = LEASE_SECONDS + LAPSE_PATIENCE_SECONDS
        self._reasons[trial_id] = f"it gave no sign of life for {seconds:.0f} s: stopped, or out of memory"
        return True

    def _hung(self, trial_id: str, task: Task) -> str | None:
        limit = getattr(task, "limit_seconds", None)
        if limit is None or self._clock() < self._started_at.get(trial_id, self._clock()) + 0.9 * limit:
            return None
        return f"it ran longer than the {limit:.0f} s that a trial may take, so it is taken to hang"

    @staticmethod
    def _ledger(task: Task) -> Ledger:
        return ledger_at(task.ledger_url)
