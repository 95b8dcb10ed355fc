"""Programmes of faults: each takes a scene and a generator and leaves a study that is done, with the delivered faults counted."""

import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.process import BaseProcess

import numpy as np
from faults.scenes import MOST_RESUMES, Scene

IN_WORKERS = ("before_claim", "after_claim", "mid_epoch", "before_commit", "after_commit", "after_report")
IN_DRIVERS = ("after_suggest",)
START_SECONDS = 0.6  # from a driver's start to its workers' first trials, about


def expected_seconds(scene: Scene) -> float:
    """How long the study takes without faults, about."""
    wishes = scene.wishes
    return START_SECONDS + wishes.trials * (wishes.seconds + 0.02) / wishes.workers


def kill_driver(scene: Scene, generator: np.random.Generator) -> None:
    """Kill -9 the driver at random times, one to three times."""
    for _ in range(int(generator.integers(1, 4))):
        driver = scene.start()
        time.sleep(float(generator.uniform(0, expected_seconds(scene))))
        scene.kill(driver)
    scene.finish()


def kill_workers(scene: Scene, generator: np.random.Generator) -> None:
    """Kill -9 random workers, at random times, as long as the driver runs."""
    driver = scene.start()
    while driver.is_alive():
        time.sleep(float(generator.exponential(0.4)))
        workers = scene.workers()
        if workers:
            _signal(scene, int(generator.choice(workers)), signal.SIGKILL, "worker killed")
    # Workers that are killed five times in a row while they start end the search, with that reason; it goes on as any other.
    assert scene.end(driver) in (0, 2), scene.said()
    scene.finish()


def kill_everything(scene: Scene, generator: np.random.Generator) -> None:
    """Kill -9 driver and workers at once, as when a machine goes down."""
    for _ in range(2):
        driver = scene.start()
        time.sleep(float(generator.uniform(0, expected_seconds(scene))))
        for pid in scene.workers():
            _signal(scene, pid, signal.SIGKILL, "worker killed")
        scene.kill(driver)
    scene.finish()


def kill_at(point: str) -> Callable[[Scene, np.random.Generator], None]:
    """A programme: processes die at this point, each time with a chance."""

    def programme(scene: Scene, generator: np.random.Generator) -> None:
        rule = f"{point}=kill:0.2:{int(generator.integers(2**31))}"
        attempts = scene.wishes.workers if point in IN_DRIVERS else 1
        for _ in range(MOST_RESUMES):
            before = len(scene.lines("reached"))
            code = scene.end(scene.start(rule))
            scene.count(f"killed at {point}", len(scene.lines("reached")) - before, attempts)
            if code == 0:
                break
            assert code == -signal.SIGKILL, f"exit code {code}: {scene.said()}"
        scene.finish()

    return programme


def stop_worker(scene: Scene, generator: np.random.Generator) -> None:
    """SIGSTOP a worker beyond its lease; what becomes of its trial must not depend on its waking up again."""
    driver = scene.start()
    scene.until(finished=int(generator.integers(1, 4)))
    workers = scene.workers()
    stopped = int(generator.choice(workers))
    _put_to_sleep(scene, [stopped], "worker stopped beyond its lease")
    time.sleep(float(generator.uniform(2, 6)))
    _signal(scene, stopped, signal.SIGCONT, "")
    assert scene.end(driver) == 0, scene.said()
    scene.finish()


def two_drivers(scene: Scene, generator: np.random.Generator) -> None:
    """A second driver of the same study is refused while the first one works, and says who that is."""
    first = scene.start()
    scene.until(finished=1)
    asleep = scene.workers()  # else a quick machine is done before the second one has begun
    _put_to_sleep(scene, asleep, "")
    code = scene.end(scene.start())
    for pid in asleep:
        _signal(scene, pid, signal.SIGCONT, "")
    assert code == 2, f"exit code {code}: {scene.said()}"
    assert str(first.pid) in scene.lines("stderr")[-1] and "is at work on it" in scene.lines("stderr")[-1]
    scene.count("second driver", 1, len(asleep))
    assert scene.end(first) == 0, scene.said()
    scene.finish()


def stopping(*signals: signal.Signals, code: int) -> Callable[[Scene, np.random.Generator], None]:
    """A programme: the driver is told to stop, at a random time, and ends with this exit code; its workers with it."""

    def programme(scene: Scene, generator: np.random.Generator) -> None:
        driver = scene.start()
        scene.until(finished=1)
        time.sleep(float(generator.uniform(0, expected_seconds(scene) / 3)))
        alive = driver.is_alive()
        for signum in signals:
            _send(driver, signum)
        ended = scene.end(driver)
        if alive and ended != 0:
            scene.count("+".join(signum.name for signum in signals), 1, scene.wishes.workers)
            assert ended == code, f"exit code {ended}: {scene.said()}"
        _gone(scene)
        scene.finish()

    return programme


def _send(driver: BaseProcess, signum: signal.Signals) -> None:
    if driver.is_alive() and driver.pid:
        os.kill(driver.pid, signum)


def _gone(scene: Scene) -> None:
    give_up_at = time.monotonic() + 60
    while scene.processes():
        assert time.monotonic() < give_up_at, f"processes {scene.processes()} outlive the search"
        time.sleep(0.02)


def _put_to_sleep(scene: Scene, workers: Sequence[int], fault: str) -> None:
    """SIGSTOP, but not inside a transaction: SQLite then lets nobody write, until the ledger's patience ends the whole search."""
    give_up_at = time.monotonic() + 60
    while True:
        for pid in workers:
            _signal(scene, pid, signal.SIGSTOP, "")
        if scene.can_be_written():
            break
        for pid in workers:
            _signal(scene, pid, signal.SIGCONT, "")
        assert time.monotonic() < give_up_at, "the ledger is always being written"
        time.sleep(0.02)
    for _ in workers if fault else ():
        scene.count(fault, 1)


def _signal(scene: Scene, pid: int, signum: signal.Signals, fault: str) -> None:
    try:
        os.kill(pid, signum)
    except ProcessLookupError:
        return
    if fault:
        scene.count(fault, 1)


PROGRAMMES: Mapping[str, Callable[[Scene, np.random.Generator], None]] = {
    "kill driver": kill_driver,
    "kill workers": kill_workers,
    "kill everything": kill_everything,
    **{f"kill at {point}": kill_at(point) for point in (*IN_WORKERS, *IN_DRIVERS)},
    "stop worker": stop_worker,
    "two drivers": two_drivers,
    "SIGINT": stopping(signal.SIGINT, code=130),
    "SIGINT twice": stopping(signal.SIGINT, signal.SIGINT, code=130),
    "SIGTERM": stopping(signal.SIGTERM, code=143),
    "SIGHUP": stopping(signal.SIGHUP, code=129),
}


def kills(faults: Counter[str]) -> int:
    """How many of the faults were a process killed with -9."""
    return sum(count for fault, count in faults.items() if "killed" in fault)
