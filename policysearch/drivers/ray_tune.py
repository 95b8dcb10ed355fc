"""The Ray driver: the same tasks, run by Ray Tune on a cluster of one's own or on one started here for the search.

Ray's own record of the search is thrown away: the ledger is the truth, so a search under one driver goes on under the other. When
the cluster's head is gone the search ends with a line that says so, and the same command on another cluster goes on.
"""

import shutil
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from policysearch.drivers import Event, Listener, Task, TaskSource
from policysearch.drivers.execution import usable_cores
from policysearch.drivers.ray_cluster import joined
from policysearch.drivers.ray_conversation import Conversation
from policysearch.drivers.ray_door import Address, answers, open_door
from policysearch.drivers.ray_environment import environment
from policysearch.drivers.ray_here import own_cluster
from searchspaces.errors import PolicysearchError
from trials.places import is_url

if TYPE_CHECKING:
    from policysearch.drivers.ray_conduct import Plan

LOOK_SECONDS = 3.0
LOOKS = 5  # in vain, one after the other: then the head is gone; Ray itself would give up after a minute, and the process with it


class RayDriver:
    """Runs tasks as trials of Ray Tune, one core and `gpus_per_trial` of a GPU each.

    `workers` at once: by default as many as the cluster has cores (or GPUs, in shares); no more on a cluster that is started
    here. `address` names a cluster: HOST:PORT of its head, "auto" for the one of this machine or of $RAY_ADDRESS, or
    ray://HOST:PORT from outside of it; None starts one here. `objective` is run in place of trainings: packed text, as
    `policysearch.packing` makes it. BadInput when nothing answers at the address.
    """

    def __init__(self, workers: int | None, address: str | None, gpus_per_trial: float, objective: str | None = None) -> None:
        self.workers = workers
        self.address = address
        self.gpus_per_trial = gpus_per_trial
        self.objective = objective
        if address is not None:  # met once before a study is made for it
            with environment(False):
                open_door(Address.read(address))

    def run(self, source: TaskSource, listener: Listener) -> None:
        """As `Driver.run` says. Raises BadInput where the cluster doesn't fit, PolicysearchError when it is lost."""
        first = source.next_task()
        if not isinstance(first, Task):
            return
        with environment(self.address is None), _directory_for_tune(first) as directory:
            if self.address is None:
                self._run_here(first, source, listener, directory)
            else:
                self._run_there(Address.read(self.address), first, source, listener, directory)

    def _run_here(self, first: Task, source: TaskSource, listener: Listener, directory: str) -> None:
        cores = min(self.workers or usable_cores(), usable_cores())
        with own_cluster(cores) as cores:
            from policysearch.drivers.ray_node import Common
            from policysearch.drivers.ray_tune_trials import fit

            at_once = max(1, min(self.workers or cores, cores))
            conversation = Conversation(first, source, listener, at_once)
            fit(conversation, Common({}, objective=self.objective), at_once, self.gpus_per_trial, directory)
            conversation.close()

    def _run_there(self, address: Address, first: Task, source: TaskSource, listener: Listener, directory: str) -> None:
        note = open_door(address)
        if note is not None:
            listener(Event("note", text=note))
        with joined(address):
            from policysearch.drivers.ray_conduct import places
            from policysearch.drivers.ray_relay import conduct_aside, conduct_there

            at_once = places(self.workers, self.gpus_per_trial)
            conversation = Conversation(first, source, listener, at_once)
            plan = self._plan(first, directory)
            with _watching(address) as raise_if_lost:
                if address.is_client:
                    conduct_there(conversation, plan)
                else:
                    conduct_aside(conversation, plan, directory, raise_if_lost)
                conversation.close()

    def _plan(self, first: Task, directory: str) -> "Plan":
        from policysearch.drivers.ray_conduct import Plan
        from policysearch.drivers.ray_node import versions

        weights = str(Path(first.weights_path).parent) if _is_on_disk(first) else None
        data: Any = first.spec.get("data")
        host, found = socket.gethostname(), versions()
        shares = self.gpus_per_trial
        return Plan(first.ledger_url, data, weights, directory, host, found, self.workers, shares, self.objective)


@contextmanager
def _watching(address: Address) -> Iterator[Callable[[], None]]:
    """Inside, the cluster's head is looked after; what is given raises PolicysearchError once it is gone."""
    over, gone = threading.Event(), threading.Event()
    threading.Thread(target=_watch, args=(address, over, gone), name="watch", daemon=True).start()

    def raise_if_lost() -> None:
        if gone.is_set():
            raise _lost_head(address)

    try:
        yield raise_if_lost
    except PolicysearchError:
        raise
    except Exception as error:
        if gone.is_set() or not answers(address):
            raise _lost_head(address) from error
        raise
    finally:
        over.set()


def _watch(address: Address, over: threading.Event, gone: threading.Event) -> None:
    in_vain = 0
    while not over.wait(LOOK_SECONDS):
        in_vain = 0 if answers(address) else in_vain + 1
        if in_vain == LOOKS:
            gone.set()
            return


def _lost_head(address: Address) -> PolicysearchError:
    return PolicysearchError(
        f"address {address.said!r}: the Ray cluster's head is gone; what was finished is kept: start a cluster, and the same"
        " command goes on"
    )


def _is_on_disk(task: Task) -> bool:
    return bool(task.weights_path) and not is_url(task.weights_path)


@contextmanager
def _directory_for_tune(first: Task) -> Iterator[str]:
    """A directory beside the study's weights, gone afterwards. Only its owner may read it: it holds the ledger's address."""
    study = Path(first.weights_path).parent.parent if _is_on_disk(first) else Path(tempfile.gettempdir())
    for left in study.glob("ray-*") if _is_on_disk(first) else ():
        shutil.rmtree(left, ignore_errors=True)
    study.mkdir(parents=True, exist_ok=True)
    directory = tempfile.mkdtemp(prefix="ray-", dir=study)
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)
