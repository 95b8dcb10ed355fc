"""What Ray Tune is told of a search: a searcher that only asks the task source, a callback that only passes on, one trainable.

Tune chooses nothing and is never the truth: its copy of the search's state is empty, and results are read from the ledger. To be
imported by `ray_tune` alone, once Ray's environment is set.
"""

import json
from collections.abc import Callable
from typing import Any

from ray import tune
from ray.tune.search import Searcher

from policysearch.drivers import Event, Listener, Task, TaskSource
from policysearch.drivers.execution import execute, record_failure
from searchspaces.json_text import one_line

TRIES = 2


def run_task(config: dict[str, Any]) -> None:
    """The trainable: one task, in a process that Tune keeps for the next. The result is committed before it ends."""

    def report(epoch: Any) -> None:
        tune.report({"epoch": epoch.number, "wrong": epoch.wrong, "images": epoch.total})

    execute(Task(**json.loads(config["task"])), report)
    tune.report({"committed": True})


class Conversation:
    """The two ends of a search under Tune. What the source or the listener raises is kept, and ends the search."""

    def __init__(self, first: Task, source: TaskSource, listener: Listener) -> None:
        self._first: Task | None = first
        self._source, self._listener = source, listener
        self._tasks: dict[str, Task] = {}
        self.raised: Exception | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Tune pickles what it is given, to restore from; there is nothing here to restore from."""
        return {}

    def next_config(self, trial_id: str) -> dict[str, Any] | None:
        """The next task, for Tune's trial of that id; None when there is none."""
        if self.raised is not None:
            return None
        task, self._first = self._first or self._source.next_task(), None
        if task is None:
            return None
        self._tasks[trial_id] = task
        return {"task": json.dumps(task.to_dict())}

    def started(self, trial_id: str) -> None:
        """A worker has taken up the trial."""
        self._source.started(self._tasks[trial_id].trial_uid)

    def reported(self, trial_id: str, result: dict[str, Any]) -> None:
        """The trial has ended an epoch."""
        if "epoch" in result:
            uid = self._tasks[trial_id].trial_uid
            self._listener(Event("epoch", uid, result["epoch"], result["wrong"], result["images"]))

    def lost(self, trial_id: str) -> None:
        """The trial's worker was lost, and Tune starts it again."""
        text = "a worker was lost; its trial is tried again in a new one"
        self._listener(Event("note", self._tasks[trial_id].trial_uid, text=text))

    def ended(self, trial_id: str, reason: str | None) -> None:
        """The trial is over; `reason` says why Tune gave it up."""
        task = self._tasks.pop(trial_id)
        if reason is not None:
            record_failure(task, f"its worker was lost {TRIES} times: {reason}")
        self._source.finished(task.trial_uid)

    def keeping(self, call: Callable[..., Any], *values: Any) -> Any:
        """Make the call; keep what it raises, because Tune would swallow it."""
        try:
            return call(*values)
        except Exception as error:
            self.raised = self.raised or error
            return None


class AskingSearcher(Searcher):
    """Asks the conversation for every trial, and tells it nothing."""

    def __init__(self, conversation: Conversation) -> None:
        super().__init__()
        self._conversation = conversation

    def suggest(self, trial_id: str) -> dict[str, Any] | Any:
        """The next task as a config."""
        found = self._conversation.keeping(self._conversation.next_config, trial_id)
        return Searcher.FINISHED if found is None else found

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """The ledger has been told already."""

    def save(self, checkpoint_path: str) -> None:
        """There is no state to save."""

    def restore(self, checkpoint_path: str) -> None:
        """There is no state to restore."""


class PassingOn(tune.Callback):
    """Passes Tune's events on to the conversation."""

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """As `Conversation.started` says."""
        self._conversation.keeping(self._conversation.started, trial.trial_id)

    def on_trial_result(self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any) -> None:
        """As `Conversation.reported` says."""
        self._conversation.keeping(self._conversation.reported, trial.trial_id, result)

    def on_trial_recover(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """As `Conversation.lost` says."""
        self._conversation.keeping(self._conversation.lost, trial.trial_id)

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """As `Conversation.ended` says."""
        self._conversation.keeping(self._conversation.ended, trial.trial_id, None)

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """As `Conversation.ended` says, with the reason."""
        error = trial.get_pickled_error()
        words = str(error).strip().splitlines() if error is not None else []
        self._conversation.keeping(self._conversation.ended, trial.trial_id, one_line(words[-1] if words else "no reason given"))


def fit(conversation: Conversation, at_once: int, gpus_per_trial: float, directory: str) -> None:
    """Run the conversation to its end, `at_once` trials at a time; Tune's own files go to `directory`."""
    tuner = tune.Tuner(
        tune.with_resources(run_task, {"cpu": 1, "gpu": gpus_per_trial}),
        tune_config=tune.TuneConfig(
            search_alg=AskingSearcher(conversation),
            num_samples=-1,
            max_concurrent_trials=at_once,
            reuse_actors=True,
            trial_name_creator=lambda trial: trial.trial_id,
            trial_dirname_creator=lambda trial: trial.trial_id,
        ),
        run_config=tune.RunConfig(
            name="search",
            storage_path=directory,
            callbacks=[PassingOn(conversation)],
            failure_config=tune.FailureConfig(max_failures=TRIES - 1),
            stop=lambda trial_id, result: conversation.raised is not None,
            verbose=0,
        ),
    )
    tuner.fit()
    if conversation.raised is not None:
        raise conversation.raised
