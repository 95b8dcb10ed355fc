"""Where a search stands, counted from a driver's events: what every view of it shows, and the sentences that say it.

It knows nothing of the ledger and decides nothing. What earlier runs have finished is counted, and told as one number.
"""

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from policysearch.judging.in_words import against, percent
from searchspaces.phrases import counted, duration

if TYPE_CHECKING:
    from policysearch.drivers import Event

SEARCHED = ("", "enqueued", "trial")  # the roles whose errors the search compares with the baselines'
SHORTEST_COST_SECONDS = 1.0  # less is not worth a word


@dataclass
class Tally:
    """Epochs done, trials over, the best errors so far, failures, cost.

    `budget_epochs` are the study's; where policies are stopped early a trial may have fewer (`budgets`), and can't be the best;
    nor can what was trained to calibrate, as finalist or for the test. `stage` is the one under way, `stage_over` what it has
    finished. `begun` are the trials that this run has started; what is over without that was there before. `gpus` is the share
    of a GPU that a trial takes (0: it trains on a CPU). `doing` is a step beside the trainings: what it is, how many of how many
    parts of it are done. `is_settled` says that all of the study is known, and what is over has been heard of. A rehearsal is not
    counted.
    """

    budget_epochs: int
    gpus: float = 0.0
    doing: tuple[str, int, int] | None = None
    planned_trials: int = 0
    planned_epochs: int = 0
    epochs_before: int = 0
    is_settled: bool = False
    stage: str = ""
    stage_total: int = 0
    stage_over: set[str] = field(default_factory=set)
    roles: dict[str, str] = field(default_factory=dict)
    aside: set[str] = field(default_factory=set)
    begun: set[str] = field(default_factory=set)
    labels: dict[str, str] = field(default_factory=dict)
    epochs: dict[str, int] = field(default_factory=dict)
    errors: dict[str, float] = field(default_factory=dict)
    over: dict[str, str] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    budgets: dict[str, int] = field(default_factory=dict)
    first_epoch_at: float | None = None
    epochs_heard: int = 0

    def hear(self, event: "Event") -> None:
        """Count one event."""
        uid = event.trial_uid
        if event.kind == "progress":
            self.doing = (event.text, event.epoch, event.total) if event.epoch < event.total else None
        elif event.kind in ("stage", "started"):
            self.doing = None
        if event.role == "rehearsal":
            self.aside.add(uid)
        if uid in self.aside:
            return
        if event.budget_epochs:
            self.budgets[uid] = event.budget_epochs
        if event.role:
            self.roles[uid] = event.role
        if event.kind == "ready":
            self.planned_trials, self.planned_epochs, self.epochs_before = event.total, event.epoch, event.epochs_before
        elif event.kind == "stage":
            self.stage, self.stage_total, self.stage_over = event.text, event.total, set()
            self._settle(event)
        elif event.kind == "started":
            self.labels[uid] = event.label
            self.epochs[uid] = 0
            self.begun.add(uid)
        elif event.kind == "epoch":
            self._hear_epoch(event)
        elif event.kind in ("finished", "failed"):
            self._hear_end(event)

    def _settle(self, stage: "Event") -> None:
        """What was planned before it was known who would be a finalist, or tested, gives way to what it has come to."""
        if stage.later is None:
            return
        self.is_settled = True
        self.planned_trials = len(self.over) + stage.total + stage.later
        self.planned_epochs = self.epochs_done + stage.epoch + stage.later_epochs

    def _hear_epoch(self, event: "Event") -> None:
        uid = event.trial_uid
        if self.first_epoch_at is None:
            self.first_epoch_at = time.monotonic()
        elif event.epoch > self.epochs.get(uid, 0):
            # One that a killed run had begun comes with its later epochs first: those of that run were not trained now.
            self.epochs_heard += event.epoch - self.epochs[uid] if self.epochs.get(uid) else 1
        self.epochs[uid] = event.epoch
        self._note_error(event)

    def _hear_end(self, event: "Event") -> None:
        uid = event.trial_uid
        self.labels[uid] = event.label
        self.over[uid] = event.kind
        self.stage_over.add(uid)
        self.epochs[uid] = self.budget_of(uid)
        self.seconds[uid] = event.seconds
        if event.kind == "failed":
            self.reasons.pop(uid, None)  # so that the last one heard of comes last
            self.reasons[uid] = event.text
        elif event.total:
            self._note_error(event)

    def _note_error(self, event: "Event") -> None:
        """Models of the test are trained on the validation images too: what they get wrong of them is no measure."""
        if self.roles.get(event.trial_uid) != "confirmation":
            self.errors[event.trial_uid] = event.wrong / event.total

    def budget_of(self, uid: str) -> int:
        """How many epochs the trial trains for."""
        return self.budgets.get(uid, self.budget_epochs)

    def was_before(self, uid: str) -> bool:
        """Whether the trial was over before this run began."""
        return uid in self.over and uid not in self.begun

    @property
    def epochs_done(self) -> int:
        """Epochs trained, over all trials heard of; a failed trial counts as trained to the end."""
        return sum(self.epochs.values())

    @property
    def epochs_planned(self) -> int:
        """Epochs of the whole study; where nobody has said, trials to come are taken to be as long as those so far on average."""
        if self.planned_epochs:
            return max(self.planned_epochs, self.epochs_done)
        known = [self.budget_of(uid) for uid in self.labels]
        average = sum(known) / len(known) if known else self.budget_epochs
        return sum(known) + round(max(0, self.planned_trials - len(known)) * average)

    @property
    def running(self) -> list[str]:
        """The trials under way, in the order they started."""
        return [uid for uid in self.labels if uid not in self.over]

    @property
    def best(self) -> tuple[float, str] | None:
        """The lowest error of a finished trial, and its label; of equal ones the first to finish (log-losses aren't heard of)."""
        return self._best("baseline", *SEARCHED)

    @property
    def best_searched(self) -> tuple[float, str] | None:
        """The same among the policies that are searched, or were enqueued."""
        return self._best(*SEARCHED)

    @property
    def best_baseline(self) -> tuple[float, str] | None:
        """The same among the free baselines."""
        return self._best("baseline")

    def _best(self, *roles: str) -> tuple[float, str] | None:
        scored = [uid for uid, how in self.over.items() if how == "finished" and self.roles.get(uid, "") in roles]
        whole = [uid for uid in scored if self.budget_of(uid) >= self.budget_epochs]
        finished = [(self.errors[uid], self.labels[uid]) for uid in whole if uid in self.errors]
        return min(finished, key=lambda pair: pair[0]) if finished else None

    @property
    def cost_seconds(self) -> float:
        """What all trainings heard of took, those of earlier runs too: not the time that has passed, for some ran together."""
        return sum(self.seconds.values())

    def seconds_left(self) -> float | None:
        """Estimated from the epochs heard of since the first one; None before there is anything to go by."""
        if self.first_epoch_at is None or self.epochs_heard < 1:
            return None
        done = self.epochs_done
        if self.planned_epochs and not self.is_settled:  # what earlier runs have trained of later stages is not heard of yet
            done = self.epochs_before + sum(epochs for uid, epochs in self.epochs.items() if uid in self.begun)
        left = max(0, self.epochs_planned - done)
        return left * (time.monotonic() - self.first_epoch_at) / self.epochs_heard

    def best_in_words(self) -> str:
        """The best so far against the best free baseline; empty before anything is over."""
        best, free = self.best_searched, self.best_baseline
        if best is None or free is None:
            found = best or free
            return f"best {percent(found[0])} % wrong ({found[1]})" if found else ""
        return f"best {percent(best[0])} % wrong ({best[1]}), {against(free[0] - best[0])} the best baseline ({free[1]})"

    def cost_in_words(self) -> str:
        """Hours of training so far, and of GPUs where trials run on one; empty before there are any."""
        if self.cost_seconds < SHORTEST_COST_SECONDS:
            return ""
        return cost_in_words(self.cost_seconds, self.gpus)

    def failed_in_words(self) -> str:
        """How many trainings failed, and which was the last; empty where none did."""
        if not self.reasons:
            return ""
        uid, reason = list(self.reasons.items())[-1]
        return f"{len(self.reasons)} failed, the last: {self.labels[uid]} ({reason})"

    def place_in_words(self) -> str:
        """How far the stage is, and the study."""
        over, planned = len(self.over), max(self.planned_trials, len(self.labels))
        if self.stage:
            return f"{self.stage}: {len(self.stage_over)} of {self.stage_total}, {over} of {planned} in all"
        return f"{over} of {planned} trials"

    def doing_in_words(self) -> str:
        """How far the step beside the trainings is; empty where there is none."""
        return "" if self.doing is None else "{}: {} of {}".format(*self.doing)

    def left_in_words(self) -> str:
        """How long it still takes; empty where that is not known."""
        left = self.seconds_left()
        return "" if left is None else f"about {duration(left)} left"

    def standing(self) -> str:
        """One line: stage, trials over, best so far, failures, cost, time left."""
        failed = f"{len(self.reasons)} failed" if self.reasons else ""
        parts = (self.place_in_words(), self.best_in_words(), failed, self.cost_in_words(), self.left_in_words())
        return ", ".join(part for part in parts if part)

    def beginning(self, event: "Event") -> str:
        """One line about a study that stands."""
        if event.epoch:
            return f"study {event.text}: {counted(event.total, 'training')}, {counted(event.epoch, 'epoch')} in all"
        return f"study {event.text}: {event.total} trials of {counted(self.budget_epochs, 'epoch')}"

    def opening(self) -> str:
        """One line about the stage under way."""
        return f"{self.stage}: {counted(self.stage_total, 'training')}"

    def ending(self, event: "Event") -> str:
        """One line about a trial that is over."""
        label = self.labels[event.trial_uid]
        if event.kind == "failed":
            return f"{label}: failed: {event.text}"
        epochs, error = counted(self.budget_of(event.trial_uid), "epoch"), self.errors.get(event.trial_uid)
        return f"{label}: trained for {epochs}" if error is None else f"{label}: {percent(error)} % wrong after {epochs}"


def cost_in_words(seconds: float, gpus: float) -> str:
    """Seconds of training, and how many hours of GPUs that is at `gpus` of one for each training."""
    told = f"{duration(seconds)} of training"
    return f"{told}, {seconds * gpus / 3600:.1f} GPU hours" if gpus else told
