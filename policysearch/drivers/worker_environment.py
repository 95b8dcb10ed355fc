"""The variables that a worker's process starts with: one thread, and memory that it keeps.

A training asks for the same megabytes at every step. glibc hands what is freed back to the kernel and takes it anew, page by
page, which is a tenth or more of the small net's time on a CPU (docs/performance.md). Told to keep up to 256 MiB, in large pages,
it does not. That changes no result, and other C libraries don't read it. What the user has set stands, but for the threads.
"""

from collections.abc import Mapping, MutableMapping

# One trial is one thread: the driver runs as many trials as there are cores.
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")

# Blocks from 64 MiB on, such as a whole set of images, still go back to the kernel as soon as they are freed.
_KEEPING = {"MALLOC_MMAP_THRESHOLD_": str(64 * 1024**2), "MALLOC_TRIM_THRESHOLD_": str(256 * 1024**2)}
_TUNABLES = "GLIBC_TUNABLES"
_LARGE_PAGES = "glibc.malloc.hugetlb"  # read by glibc 2.35 and later


def one_thread_each(environment: MutableMapping[str, str]) -> None:
    """Set the variables that keep numeric libraries to one thread. To be done before they are imported."""
    environment.update(dict.fromkeys(_THREADS, "1"))


def memory_keeping(given: Mapping[str, str]) -> dict[str, str]:
    """The variables that, beside the `given` ones, have a process keep what it frees. To be set before it starts."""
    tunables = [tunable for tunable in given.get(_TUNABLES, "").split(":") if tunable]
    if not any(tunable.startswith(f"{_LARGE_PAGES}=") for tunable in tunables):
        tunables.append(f"{_LARGE_PAGES}=1")
    return {name: value for name, value in _KEEPING.items() if name not in given} | {_TUNABLES: ":".join(tunables)}
