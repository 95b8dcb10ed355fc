"""What happens on a node of the cluster: whether it fits the search, and the trainable that carries out one task after the other.

A worker that doesn't fit (other versions, a ledger or data out of its reach, another machine where only one may write) refuses
its task, which is then no failure of the trial. Nothing here imports torch; what a trial needs, it imports.
"""

import importlib.metadata
import json
import os
import platform
import shutil
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from policysearch.drivers import Task
from policysearch.drivers.execution import LedgerAway, broke_its_process, execute, ledger_at
from policysearch.drivers.ray_depot import Parts, copy_of, holds, node_directory, placed, send_weights
from policysearch.kept_weights import TRAINING
from policysearch.ledger import Superseded
from searchspaces.errors import BadInput
from searchspaces.json_text import one_line
from trials.places import is_url
from trials.values import TrialResult

HOLD_BACK_SECONDS = 5.0  # before a task is refused: or the worker that refuses would be the first to be given the next
FREE_BYTES = 256 * 1024**2
BROKEN = 70  # the exit code of a worker in whose process a GPU failed
OLD_SECONDS = 7 * 86_400.0
SAME = ("policysearch", "ray", "torch")


class Refused(Exception):
    """This worker can't carry out any task of the search; the message says why, and the cure."""


@dataclass(frozen=True)
class Common:
    """What every worker of a search is given, once.

    `versions` are the driver's ({}: on a cluster started by the driver nothing needs to be checked). `only_host` is the one
    machine that may write, None for any. `mark` is a directory beside the study's weights: who sees it writes weights there.
    `depot` is a handle of the `Depot`, `objective` a packed function.
    """

    versions: Mapping[str, str]
    only_host: str | None = None
    mark: str = ""
    depot: Any = None
    objective: str | None = None


class FromDepot:
    """`Parts` out of a depot on another node. Equal to every other, so that what was placed once stays placed."""

    def __init__(self, depot: Any) -> None:
        self._depot = depot

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FromDepot)

    def __hash__(self) -> int:
        return hash(FromDepot)

    def sizes(self) -> Mapping[str, int] | None:
        """As `Parts.sizes` says."""
        return self._call("sizes")  # type: ignore[no-any-return]

    def part(self, name: str, offset: int) -> bytes:
        """As `Parts.part` says."""
        return self._call("part", name, offset)  # type: ignore[no-any-return]

    def take_weights(self, name: str, part: bytes, offset: int, sha256: str | None) -> None:
        """As `Depot.take_weights` says."""
        self._call("take_weights", name, part, offset, sha256)

    def _call(self, method: str, *values: Any) -> Any:
        import ray

        return ray.get(getattr(self._depot, method).remote(*values), timeout=300)


def versions() -> dict[str, str]:
    """What must be the same on every node, as installed; read without importing any of it."""
    found = {"python": platform.python_version()}
    for name in SAME:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def node_name() -> str:
    """This node, as its messages name it: host and address."""
    import ray.util

    return f"{socket.gethostname()} ({ray.util.get_node_ip_address()})"


def run_task(config: dict[str, Any], common: Common) -> None:
    """The trainable: one task, in a process that Tune keeps for the next. The result is committed before it ends."""
    from ray import tune

    def report(epoch: Any) -> None:
        tune.report({"epoch": epoch.number, "wrong": epoch.wrong, "images": epoch.total})

    def note(text: str) -> None:
        tune.report({"note": one_line(text, 400)})

    task = Task(**json.loads(config["task"]))
    try:
        _carry_out(task, common, report, note)
    except (Refused, LedgerAway) as refusal:
        time.sleep(HOLD_BACK_SECONDS)
        tune.report({"refused": f"node {node_name()}: {one_line(str(refusal), 400)}"})
    except Superseded:
        tune.report({"late": True})


def _carry_out(task: Task, common: Common, report: Any, note: Any) -> None:
    if common.versions:
        require_fit(tuple(sorted(common.versions.items())), common.only_host)
    objective = None if common.objective is None else _unpacked(common.objective)
    task, is_elsewhere = _here(task, common)

    def send(result: TrialResult) -> None:
        file = Path(task.weights_path)
        if is_elsewhere and result.weights_sha256 is not None:
            with suppress(Exception):  # the result counts without them: they are made again where they are missing
                send_weights(file, file.name, FromDepot(common.depot).take_weights)
            file.unlink(missing_ok=True)

    if broke_its_process(execute(task, report, objective, on_result=send, on_note=note)):
        os._exit(BROKEN)  # Tune keeps processes; the new one that it starts for this trial finds the result there


@lru_cache(maxsize=1)
def _unpacked(objective: str) -> Any:
    from policysearch.packing import receive

    return receive(objective)


@lru_cache(maxsize=1)
def require_fit(driver: tuple[tuple[str, str], ...], only_host: str | None) -> None:
    """Raise Refused unless this node's versions are the driver's, and it is the one machine that may write, if there is one."""
    differing = _differing(dict(driver))
    if differing:
        raise Refused(differing)
    if only_host is not None and socket.gethostname() != only_host:
        raise Refused(one_writer((only_host, socket.gethostname())))


def _differing(driver: Mapping[str, str]) -> str | None:
    here = versions()
    differing = [f"{name} {here[name]} there, {driver[name]} at the driver" for name in here if here[name] != driver[name]]
    return f"{', '.join(differing)}; install the same versions on every node" if differing else None


def one_writer(hosts: tuple[str, ...]) -> str:
    """Why SQLite won't do for these machines."""
    return (
        f"the ledger is a SQLite file, which only one machine may write, and the trials would run on {', '.join(hosts)};"
        " give a database for all of them: --storage postgresql://HOST/DATABASE"
    )


def _here(task: Task, common: Common) -> tuple[Task, bool]:
    """The task with this node's places in it; and whether its weights are to be sent."""
    data = task.spec.get("data")
    if common.depot is None:
        return task, False
    if data is not None:
        try:
            directory = placed(data["directory"], data["fingerprint"], FromDepot(common.depot))
        except BadInput as error:
            raise Refused(str(error)) from error
        except Exception as error:  # the depot is gone, or the way to it
            raise Refused(f"the data can't be had from the driver's node ({type(error).__name__})") from error
        if directory != data["directory"]:
            task = replace(task, spec={**task.spec, "data": {**data, "directory": directory}})
    if not task.weights_path or is_url(task.weights_path) or Path(common.mark).is_dir():
        return task, False
    _sweep(node_directory() / TRAINING)
    folder = node_directory() / "weights"
    folder.mkdir(exist_ok=True)
    return replace(task, weights_path=str(folder / Path(task.weights_path).name)), True


def _sweep(folder: Path) -> None:
    """Delete what trainings here have left that nobody went on from for long: their trials are over by now, elsewhere."""
    for file in folder.glob("*"):
        with suppress(OSError):
            if time.time() > file.stat().st_mtime + OLD_SECONDS:
                file.unlink()


def survey(common: Common, ledger_url: str, data: Mapping[str, str] | None) -> str | None:
    """What keeps this node from taking part in the search, in one line with the cure; None if nothing does."""
    differing = _differing(common.versions)
    if differing:
        return differing
    try:
        ledger_at(ledger_url).studies()
        return _survey_disk(FromDepot(common.depot), data)
    except BadInput as error:
        return str(error)
    except Exception as error:
        return (
            f"the driver's node can't be reached from here ({type(error).__name__}); open the cluster's ports between all nodes"
        )


def _survey_disk(parts: Parts, data: Mapping[str, str] | None) -> str | None:
    needed = FREE_BYTES
    if data is not None and not holds(Path(data["directory"]), data["fingerprint"]):
        here = copy_of(data["directory"], data["fingerprint"])
        if not holds(here, data["fingerprint"]):
            sizes = parts.sizes()
            if sizes is None:
                return (
                    f"data {data['directory']}: it isn't here, and the driver's node has it not either; search again from there"
                )
            needed += sum(sizes.values())
    free = shutil.disk_usage(node_directory()).free
    if free < needed:
        return (
            f"{node_directory()}: {needed / 1024**3:.1f} GiB are needed and {free / 1024**3:.1f} are free; make room, or name"
            " another directory with $POLICYSEARCH_NODE_DIR"
        )
    return None
