"""What Ray Tune is told of a search: a searcher that only asks the conversation, callbacks that only pass on, one trainable.

Tune chooses nothing and is never the truth: its copy of the search's state is empty, and results are read from the ledger. To be
imported once Ray's environment is set.
"""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import ray
from ray import tune
from ray.air._internal import usage
from ray.tune.execution.tune_controller import TuneController
from ray.tune.progress_reporter import TrialProgressCallback
from ray.tune.search import Searcher

from policysearch.drivers import Later
from policysearch.drivers.ray_node import Common, run_task
from searchspaces.errors import PolicysearchError
from searchspaces.json_text import one_line

# The last is what is said of a worker that nobody can reach and whose node is not yet known to be gone.
WITH_ITS_NODE = ("node has died", "node was terminated", "node is dead", "node failure", "unavailable: RpcError")
BEGINS_A_FAILURE = "Failure # "  # in Tune's file of a trial's errors
ENDS_A_REASON = "There are some potential root causes"
START_SECONDS = 60.0  # that a worker has to start in
RESTARTS = 5  # of Tune, when it stumbles over what a dying node leaves


class Ends(Protocol):
    """A `Conversation`, here or relayed."""

    raised: BaseException | None

    def next_config(self, trial_id: str) -> dict[str, Any] | Later | None: ...  # noqa: D102
    def step(self) -> list[str] | None: ...  # noqa: D102
    def vanished(self, trial_id: str) -> None: ...  # noqa: D102
    def begun_again(self, reason: str) -> None: ...  # noqa: D102
    def started(self, trial_id: str) -> None: ...  # noqa: D102
    def reported(self, trial_id: str, result: dict[str, Any]) -> None: ...  # noqa: D102
    def lost(self, trial_id: str, reason: str, with_node: bool) -> bool: ...  # noqa: D102
    def ended(self, trial_id: str, reason: str | None) -> None: ...  # noqa: D102
    def keeping(self, call: Any, *values: Any) -> Any: ...  # noqa: D102


class AskingSearcher(Searcher):
    """Asks the conversation for every trial, and tells it nothing."""

    def __init__(self, conversation: Ends) -> None:
        super().__init__()
        self._conversation = conversation

    def suggest(self, trial_id: str) -> dict[str, Any] | Any:
        """The next task as a config; None where there may be one later, for which Tune asks again."""
        found = self._conversation.keeping(self._conversation.next_config, trial_id)
        if isinstance(found, Later):
            return None
        return Searcher.FINISHED if found is None else found

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """The ledger has been told already."""

    def save(self, checkpoint_path: str) -> None:
        """There is no state to save."""

    def restore(self, checkpoint_path: str) -> None:
        """There is no state to restore."""


class PassingOn(tune.Callback):
    """Passes Tune's events on to the conversation."""

    def __init__(self, conversation: Ends) -> None:
        self._conversation = conversation

    def on_step_end(self, iteration: int, trials: list[Any], **info: Any) -> None:
        """As `Conversation.step` says; workers that show no life are ended."""
        doomed = self._conversation.keeping(self._conversation.step)
        for trial in trials if doomed is not None else []:
            if trial.trial_id in doomed and trial.temporary_state.ray_actor is not None:
                ray.kill(trial.temporary_state.ray_actor)
            if trial.status == "ERROR":  # of those whose worker could not be taken up again Tune tells nobody
                self._conversation.keeping(self._conversation.vanished, trial.trial_id)

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """As `Conversation.started` says."""
        self._conversation.keeping(self._conversation.started, trial.trial_id)

    def on_trial_result(self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any) -> None:
        """As `Conversation.reported` says."""
        said = {name: result[name] for name in ("epoch", "wrong", "images", "refused", "late", "note") if name in result}
        self._conversation.keeping(self._conversation.reported, trial.trial_id, said)

    def on_trial_recover(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """As `Conversation.lost` says."""
        text = _last_error(trial)
        with_node = any(words in text for words in WITH_ITS_NODE)
        if not self._conversation.keeping(self._conversation.lost, trial.trial_id, _reason(text), with_node):
            trial.max_failures = 0  # once more, to find the result that it has now; if that fails, never again

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """As `Conversation.ended` says."""
        self._conversation.keeping(self._conversation.ended, trial.trial_id, None)

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """As `Conversation.ended` says, with the reason."""
        self._conversation.keeping(self._conversation.ended, trial.trial_id, _reason(_last_error(trial)))


def _last_error(trial: Any) -> str:
    """What Tune has written of the trial's last failure."""
    try:
        return Path(str(trial.error_file)).read_text(encoding="utf-8").rpartition(BEGINS_A_FAILURE)[2].partition("\n")[2]
    except OSError:
        return ""


def _reason(text: str) -> str:
    """The line of an error that says most."""
    lines = text.strip().splitlines() or ["no reason given"]
    telling = next((line for line in lines if line.startswith("The actor")), lines[-1])
    return one_line(telling.partition(ENDS_A_REASON)[0].strip(), 300)


class Silence(TrialProgressCallback):
    """In the place of Tune's own, which prints of every trial that it is completed."""

    def _print(self, msg: str) -> None:
        pass

    def log_result(self, trial: Any, result: dict[str, Any], error: bool = False) -> None:
        """Nothing."""


class WhenRaised(tune.Stopper):
    """Ends the search as soon as something was raised, whether or not a trial says anything."""

    def __init__(self, conversation: Ends) -> None:
        self._conversation = conversation

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        """For one trial."""
        return self._conversation.raised is not None

    def stop_all(self) -> bool:
        """For all of them."""
        return self._conversation.raised is not None


def fit(conversation: Ends, common: Common, at_once: int, gpus_per_trial: float, directory: str) -> None:
    """Run the conversation to its end, `at_once` trials at a time; Tune's own files go to `directory`.

    PolicysearchError where Tune itself fails again and again. A conversation that has raised is to be closed, which says why.
    """
    for restart in range(RESTARTS + 1):
        try:
            with _silent_tune(), _patient_starts():
                _tuner(conversation, common, at_once, gpus_per_trial, f"{directory}/{restart}").fit()
            return
        except Exception as error:  # Tune's or Ray's: what the conversation raises is kept in it, and told when it is closed
            if conversation.raised is not None:
                return
            if restart == RESTARTS:
                raise PolicysearchError(
                    f"Ray Tune stumbled {RESTARTS + 1} times ({_reason(str(error))}); what is finished is kept: the same command"
                    " goes on"
                ) from error
            conversation.keeping(conversation.begun_again, _reason(str(error)))


def _tuner(conversation: Ends, common: Common, at_once: int, gpus_per_trial: float, directory: str) -> tune.Tuner:
    trainable = tune.with_parameters(run_task, common=common)
    return tune.Tuner(
        tune.with_resources(trainable, {"cpu": 1, "gpu": gpus_per_trial}),
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
            callbacks=[PassingOn(conversation), Silence()],
            failure_config=tune.FailureConfig(max_failures=-1),  # the conversation counts, and gives up
            stop=WhenRaised(conversation),
            verbose=0,
        ),
    )


@contextmanager
def _silent_tune() -> Iterator[None]:
    """Tune's log would print the traceback of every lost worker; the driver says it in one line. And for its usage statistics,
    which are off, it would import MLflow and all else that a callback could be of: seconds.
    """
    log, counted = logging.getLogger("ray.tune"), usage.tag_callbacks
    level = log.level
    log.setLevel(logging.CRITICAL)
    usage.tag_callbacks = lambda callbacks: False
    try:
        yield
    finally:
        log.setLevel(level)
        usage.tag_callbacks = counted


@contextmanager
def _patient_starts() -> Iterator[None]:
    """Tune gives the trial of a worker that is still starting to the first that is free, and ends the one that starts: where
    trials take less time than starts, a second worker or a node that joins would never be used. So it waits a while.
    """
    controllers: Any = TuneController
    taking = controllers._maybe_reuse_cached_actor
    since: dict[str, float] = {}

    def patient(controller: Any, trial: Any) -> Any:
        if trial in controller._trial_to_actor and trial not in controller._resetting_trials:
            now = time.monotonic()
            if now < since.setdefault(trial.trial_id, now) + START_SECONDS:
                return False
        return taking(controller, trial)

    controllers._maybe_reuse_cached_actor = patient
    try:
        yield
    finally:
        controllers._maybe_reuse_cached_actor = taking
