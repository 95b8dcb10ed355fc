"""One training shared out over several processes of a machine, a GPU each (or a CPU core, to test it): data parallelism.

All of them run the same training: the same first weights, order of images, plan of augmentation and mixing, drawn alike in each.
Of every batch each takes its part, and the gradients are added up before the step, which all take alike; scored batches are dealt
out and put together again. So it is one process's training but for the rounding of sums, and for batch norm: its statistics in a
step are those of a process's part of the batch (as with smaller batches; the running ones are averaged when an epoch ends), and
dropout's masks are each process's own. Nets with group norm have neither. What each process's part is: `trials.share`.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import IO, Any

from torch import distributed

from trials.share import ALONE, Share
from trials.values import TrialSpec

PEER_LOST = ("Connection closed", "Connection reset", "Broken pipe", "gloo", "NCCL", "imed out")
"""How torch says that another process is gone, or doesn't answer."""
PATIENCE_SECONDS = 1800.0  # for a process that is still at its part, or compiles kernels first


@contextmanager
def shared(spec: TrialSpec, checkpoint_path: str | None) -> Iterator[Share]:
    """Inside, this process leads the training of `spec` by as many processes as its recipe says; the others end with it.

    What one of the others dies of is raised as a RuntimeError, with its last words.
    """
    count = spec.recipe.processes
    if count == 1:
        yield ALONE
        return
    with tempfile.TemporaryDirectory(prefix="policysearch-") as folder:
        meet = str(Path(folder) / "meet")
        followers = [_follower(rank, count, spec, checkpoint_path, meet) for rank in range(1, count)]
        try:
            with _together(0, count, spec.recipe.device, meet) as share:
                yield share
        except RuntimeError as failure:
            is_theirs = any(words in str(failure) for words in PEER_LOST)
            raise RuntimeError((is_theirs and _last_words(followers)) or str(failure)) from failure
        finally:
            for process, errors in followers:
                process.kill()
                process.communicate()
                errors.close()


def follow() -> None:
    """What a follower does: `python -m trials.sharing`, told on standard input what it is part of. It ends when that closes."""
    told = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_leader, daemon=True).start()
    from trials.run import take_part

    spec = TrialSpec.from_dict(told["spec"])
    with _together(told["rank"], spec.recipe.processes, spec.recipe.device, told["meet"]) as share:
        take_part(spec, told["checkpoint_path"], share)


def _end_with_leader() -> None:
    sys.stdin.read()
    os._exit(0)


@contextmanager
def _together(rank: int, count: int, device: str, meet: str) -> Iterator[Share]:
    """Inside, this process is one of those that meet at that file."""
    patience = timedelta(seconds=PATIENCE_SECONDS)
    backend = "nccl" if device == "cuda" else "gloo"
    distributed.init_process_group(backend, init_method=f"file://{meet}", rank=rank, world_size=count, timeout=patience)
    try:
        yield Share(rank, count)
    finally:
        with suppress(RuntimeError):
            distributed.destroy_process_group()


def _follower(
    rank: int, count: int, spec: TrialSpec, checkpoint_path: str | None, meet: str
) -> tuple[subprocess.Popen[bytes], IO[bytes]]:
    """Start one; it has the `rank`-th of the GPUs that this process may use."""
    errors = tempfile.TemporaryFile()  # noqa: SIM115  it lives as long as the follower
    command = [sys.executable, "-P", "-m", "trials.sharing"]
    environment = {**os.environ, **_gpu_of(rank)} if spec.recipe.device == "cuda" else dict(os.environ)
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=errors, env=environment)
    told: dict[str, Any] = {"spec": spec.to_dict(), "rank": rank, "checkpoint_path": checkpoint_path, "meet": meet}
    assert process.stdin is not None
    process.stdin.write(json.dumps(told).encode() + b"\n")
    process.stdin.flush()
    return process, errors


def _gpu_of(rank: int) -> dict[str, str]:
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    return {"CUDA_VISIBLE_DEVICES": named.split(",")[rank] if named else str(rank)}


def _last_words(followers: Iterable[tuple[subprocess.Popen[bytes], IO[bytes]]]) -> str:
    """The last line on standard error of the first follower that has failed."""
    for process, errors in followers:
        with suppress(subprocess.TimeoutExpired):
            if process.wait(2.0):
                errors.seek(0)
                lines = errors.read().decode("utf-8", errors="replace").strip().splitlines()
                return f"process {process.args!r} of the trial ended: {lines[-1] if lines else process.returncode}"
    return ""


if __name__ == "__main__":
    follow()
