"""Compiles kernels ahead, beside what else a search does first: `python -m trials.compiling ops|nets`, a process each.

Whoever needs them in the meantime waits for the lock they are compiled under, and loads them. It ends when what it had to do is
done, or standard input ends: with the search that started it, however that ends. It says nothing: what fails here fails again
where kernels are needed, and is told there.
"""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

KINDS = ("ops", "nets")


@contextmanager
def compiled_beside() -> Iterator[None]:
    """Inside, kernels that are not kept on this machine yet are being compiled, in processes that don't outlive this."""
    command = [sys.executable, "-P", "-m", "trials.compiling"]
    silent = {"stdin": subprocess.PIPE, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    processes = [subprocess.Popen([*command, kind], **silent) for kind in KINDS]  # type: ignore[call-overload]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def main(kind: str) -> None:
    """Compile, or find that somebody has."""
    threading.Thread(target=_end_with_the_search, daemon=True).start()
    if kind == "ops":
        from searchspaces.engines.fused.loading import kernels

        kernels()
    else:
        from trials.models.compiled import compiled_kernels

        compiled_kernels()


def _end_with_the_search() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1])
