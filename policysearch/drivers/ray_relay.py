"""A search whose Tune runs elsewhere than the driver's own thread: in a thread of its own, which a lost cluster may hold for
ever, or in a task on the head for a driver outside of the cluster (ray://). What Tune asks and tells is relayed to the driver's
thread.
"""

import queue
import shutil
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from policysearch.drivers import Later
from policysearch.drivers.ray_conduct import Plan, conduct
from policysearch.drivers.ray_conversation import Conversation
from policysearch.drivers.ray_depot import Depot, placed, send_weights
from policysearch.drivers.ray_preflight import alive
from searchspaces.errors import BadInput, PolicysearchError

POLL_SECONDS = 1.0
END_SECONDS = 5.0
SILENCE_SECONDS = 60.0  # of the driver: then it is gone, and the search on the cluster ends


class Relay:
    """An actor between the two: Tune's end calls `ask` and waits, the driver's end calls `questions` and `answer`."""

    def __init__(self) -> None:
        import asyncio

        self._waiting: deque[tuple[int, str, tuple[Any, ...]]] = deque()
        self._answers: dict[int, Any] = {}
        self._count = 0
        self._something = asyncio.Event()

    async def ask(self, method: str, values: tuple[Any, ...]) -> Any:
        """The driver's answer. TimeoutError when it gives none."""
        import asyncio

        self._count += 1
        future: Any = asyncio.get_running_loop().create_future()
        self._answers[self._count] = future
        self._waiting.append((self._count, method, values))
        self._something.set()
        return await asyncio.wait_for(future, SILENCE_SECONDS)

    async def questions(self, seconds: float) -> list[tuple[int, str, tuple[Any, ...]]]:
        """What is asked now, or within so many seconds."""
        import asyncio
        from contextlib import suppress

        if not self._waiting:
            self._something.clear()
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._something.wait(), seconds)
        found = list(self._waiting)
        self._waiting.clear()
        return found

    async def answer(self, number: int, value: Any) -> None:
        """For the question of that number."""
        future = self._answers.pop(number)
        if not future.done():
            future.set_result(value)


class Relayed:
    """Tune's end: a conversation whose every word goes over the relay."""

    def __init__(self, ask: Callable[[str, tuple[Any, ...]], tuple[Any, bool]], weights_directory: Path | None) -> None:
        self._answered, self._weights_directory = ask, weights_directory
        self.raised: BaseException | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Tune pickles what it is given, to restore from; there is nothing here to restore from."""
        return {}

    def next_config(self, trial_id: str) -> dict[str, Any] | Later | None:
        """As `Conversation.next_config` says."""
        found: dict[str, Any] | Later | None = self._ask("next_config", trial_id)
        return found

    def step(self) -> list[str] | None:
        """As `Conversation.step` says."""
        doomed: list[str] | None = self._ask("step")
        return doomed

    def vanished(self, trial_id: str) -> None:
        """As `Conversation.vanished` says."""
        self._ask("vanished", trial_id)

    def started(self, trial_id: str) -> None:
        """As `Conversation.started` says."""
        self._ask("started", trial_id)

    def reported(self, trial_id: str, result: dict[str, Any]) -> None:
        """As `Conversation.reported` says."""
        self._ask("reported", trial_id, result)

    def lost(self, trial_id: str, reason: str, with_node: bool) -> bool:
        """As `Conversation.lost` says."""
        is_tried_again: bool = self._ask("lost", trial_id, reason, with_node)
        return is_tried_again

    def begun_again(self, reason: str) -> None:
        """As `Conversation.begun_again` says."""
        self._ask("begun_again", reason)

    def ended(self, trial_id: str, reason: str | None) -> None:
        """As `Conversation.ended` says; weights that came to this node go on to the driver first."""
        for file in self._weights_directory.glob("[!.]*") if self._weights_directory else ():
            send_weights(file, file.name, lambda *values: self._ask("take_weights", *values))
            file.unlink()
        self._ask("ended", trial_id, reason)

    def keeping(self, call: Any, *values: Any) -> Any:
        """As `Conversation.keeping` says."""
        try:
            return call(*values)
        except Exception as error:
            self.raised = self.raised or error
            return None

    # `Parts`, from the driver's machine.

    def sizes(self) -> Any:
        """As `Parts.sizes` says."""
        return self._ask("sizes")

    def part(self, name: str, offset: int) -> bytes:
        """As `Parts.part` says."""
        found: bytes = self._ask("part", name, offset)
        return found

    def _ask(self, method: str, *values: Any) -> Any:
        answer, is_over = self._answered(method, values)
        if is_over:
            raise PolicysearchError("the driver has ended the search")
        return answer


def conduct_aside(conversation: Conversation, plan: Plan, directory: str, raise_if_lost: Callable[[], None]) -> None:
    """Conduct the search in a thread of its own, and answer it from this one; `raise_if_lost` is called now and then."""
    questions: queue.SimpleQueue[tuple[str, tuple[Any, ...], queue.SimpleQueue[Any]] | None] = queue.SimpleQueue()
    failures: list[BaseException] = []

    def ask(method: str, values: tuple[Any, ...]) -> tuple[Any, bool]:
        answer: queue.SimpleQueue[Any] = queue.SimpleQueue()
        questions.put((method, values, answer))
        found: tuple[Any, bool] = answer.get()
        return found

    def run() -> None:
        try:
            conduct(Relayed(ask, None), plan, plan.data["directory"] if plan.data else None, directory)
        except BaseException as failure:
            failures.append(failure)
        finally:
            questions.put(None)

    def serve(until: Callable[[], bool]) -> None:
        while not until():
            try:
                question = questions.get(timeout=POLL_SECONDS)
            except queue.Empty:
                continue
            if question is None:
                return
            method, values, answer = question
            found = conversation.keeping(getattr(conversation, method), *values)
            answer.put((found, conversation.raised is not None))

    def is_lost() -> bool:
        raise_if_lost()
        return False

    threading.Thread(target=run, name="tune", daemon=True).start()
    try:
        serve(is_lost)
    except BaseException as error:
        conversation.raised = conversation.raised or error
        give_up_at = time.monotonic() + END_SECONDS
        if isinstance(error, KeyboardInterrupt):  # Tune ends by itself when it hears that all is over
            serve(lambda: time.monotonic() > give_up_at)
        raise
    if failures and conversation.raised is None:
        raise failures[0]


def conduct_there(conversation: Conversation, plan: Plan) -> None:
    """Conduct the search in a task on the cluster's head, and answer it from here."""
    head = next(node["NodeID"] for node in alive() if "node:__internal_head__" in node["Resources"])
    place = NodeAffinitySchedulingStrategy(head, soft=False)
    relay: Any = ray.remote(Relay).options(num_cpus=0, scheduling_strategy=place, max_concurrency=100).remote()
    task = ray.remote(_conducted).options(num_cpus=0, max_retries=0, scheduling_strategy=place)
    depot = Depot(plan.data["directory"] if plan.data else None, plan.weights_directory)
    running = task.remote(relay, plan)
    while not ray.wait([running], timeout=0)[0]:
        for number, method, values in ray.get(relay.questions.remote(POLL_SECONDS)):
            answer = conversation.keeping(getattr(depot if hasattr(depot, method) else conversation, method), *values)
            relay.answer.remote(number, (answer, conversation.raised is not None))
    refusal = ray.get(running)
    if refusal is not None and conversation.raised is None:
        kind, text = refusal
        raise BadInput(text) if kind == "BadInput" else PolicysearchError(text)


def _conducted(relay: Any, plan: Plan) -> tuple[str, str] | None:
    """The task: what it raises is told by its kind and text, because the driver knows no traceback of the cluster's."""
    directory = Path(tempfile.mkdtemp(prefix="policysearch-"))
    weights = directory / "weights"
    weights.mkdir()
    conversation = Relayed(lambda method, values: ray.get(relay.ask.remote(method, values)), weights)
    try:
        data = None if plan.data is None else placed(plan.data["directory"], plan.data["fingerprint"], conversation)
        there = replace(plan, weights_directory=str(weights))
        conduct(conversation, there, data, str(directory))
    except PolicysearchError as error:
        return type(error).__name__, str(error)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    return None
