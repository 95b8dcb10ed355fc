"""A study whose trials are pretended: short, without torch in the workers, with an error that is a known function of the params.

Every trial writes down what it did in a file of its own before it returns (the witness), and the driver what it was told was
finished (the acknowledgements). Both are synced line by line, so that they say the truth whoever is killed next. `run_study` is
what a driver's process runs.
"""

import os
import signal
import sys
import time
from dataclasses import asdict, dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from searchspaces.errors import PolicysearchError
from searchspaces.json_text import canonical_json
from trials.failpoints import NOTES_VARIABLE, VARIABLE, reach

if TYPE_CHECKING:
    from policysearch.drivers import Event
    from policysearch.objective import Context

NAME = "pretended"
IMAGES = 1000
MARK = "POLICYSEARCH_FAULTS_ROOT"  # in the environment of all processes of a scene, so that they can be found
INTERRUPTED = 130


@dataclass(frozen=True)
class Wishes:
    """What is run. `odd` is what the first trial to begin does, each time: "hang", "memory" (asks for too much) or "killed"."""

    root: str
    trials: int = 12
    workers: int = 2
    seconds: float = 0.1
    seed: int = 0
    storage: str | None = None
    odd: str = ""
    max_trial_minutes: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values; `Wishes(**values)` is the inverse."""
        return asdict(self)


def write_line(path: str, line: str) -> None:
    """Append a line; it is on disk when this returns."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        os.write(descriptor, f"{line}\n".encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def error_of(params: Any) -> int:
    """How many of `IMAGES` a policy of these params gets wrong."""
    return 50 + int.from_bytes(sha256(canonical_json(dict(params)).encode()).digest()[:4]) % (IMAGES - 100)


def pretend(context: "Context", witness: str, seconds: float, odd: str) -> tuple[int, int]:
    """The objective."""
    write_line(witness, f"B {context.trial_uid} {os.getpid()} {time.monotonic():.6f}")
    wrong = error_of(context.params)
    time.sleep(seconds / 2)
    context.report(1, wrong, IMAGES)
    reach("mid_epoch")
    if odd and _is_the_odd_one(f"{witness}.odd", context.trial_uid):
        _misbehave(odd)
    time.sleep(seconds / 2)
    write_line(witness, f"E {context.trial_uid} {os.getpid()} {wrong}")
    return wrong, IMAGES


def _is_the_odd_one(path: str, trial_uid: str) -> bool:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    except FileExistsError:
        return Path(path).read_text() == trial_uid
    os.write(descriptor, trial_uid.encode())
    os.close(descriptor)
    return True


def _misbehave(odd: str) -> None:
    if odd == "hang":
        while True:
            time.sleep(60)
    if odd == "memory":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (2**30, resource.RLIM_INFINITY))
        try:
            bytearray(2**32)
        finally:
            resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    if odd == "killed":  # as the kernel does
        os.kill(os.getpid(), signal.SIGKILL)


def run_study(values: dict[str, Any], environment: dict[str, str]) -> None:
    """Search, or go on; the process ends with the exit code that the command line would give."""
    os.setpgid(0, 0)
    wishes = Wishes(**values)
    root = Path(wishes.root)
    _settle(root, environment)
    from policysearch import Study

    def hear(event: "Event") -> None:
        if event.kind == "finished":
            write_line(str(root / "acknowledged"), f"{event.trial_uid} {event.wrong}")
        print(event.kind, event.trial_uid, event.text, flush=True)

    objective = partial(pretend, witness=str(root / "witness"), seconds=wishes.seconds, odd=wishes.odd)
    try:
        Study(
            objective=objective,
            space="photometric",
            sampler="random",
            epochs=1,
            calibrate=False,
            finalists=0,
            workers=wishes.workers,
            seed=wishes.seed,
            name=NAME,
            home=root / "home",
            storage=wishes.storage,
            max_trial_minutes=wishes.max_trial_minutes,
        ).run(trials=wishes.trials, listener=hear)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except PolicysearchError as error:
        print(error, file=sys.stderr, flush=True)
        sys.exit(error.exit_code)


def _settle(root: Path, environment: dict[str, str]) -> None:
    """Make a process forked from another one look like one that was started: signals, environment, output."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for signum in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, signal.SIG_DFL)
    os.environ.update({MARK: str(root), NOTES_VARIABLE: str(root / "reached"), VARIABLE: ""} | environment)
    for stream, name in ((sys.stdout, "stdout"), (sys.stderr, "stderr")):
        stream.flush()
        descriptor = os.open(root / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.dup2(descriptor, 1 if name == "stdout" else 2)
        os.close(descriptor)
    sys.stdout, sys.stderr = os.fdopen(1, "w", closefd=False), os.fdopen(2, "w", closefd=False)
