"""What worker processes start with: the user's own settings stand, and a process that has them gives less memory back."""

import os
import platform
import subprocess
import sys

import pytest

from policysearch.drivers.worker_environment import memory_keeping, one_thread_each

# Ten blocks of 8 MB, written and freed again and again, as a training step does; prints the pages that the kernel had to give.
ASKING = """
import ctypes, resource
c = ctypes.CDLL(None)
c.malloc.restype = ctypes.c_void_p
c.malloc.argtypes, c.free.argtypes = [ctypes.c_size_t], [ctypes.c_void_p]
c.memset.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]
size = 8_000_000
for _ in range(10):
    blocks = [c.malloc(size) for _ in range(10)]
    for block in blocks: c.memset(block, 1, size)
    for block in blocks: c.free(block)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
"""


def test_threads_are_set_and_memory_is_as_the_user_has_it() -> None:
    environment = {"OMP_NUM_THREADS": "8", "MALLOC_TRIM_THRESHOLD_": "1", "GLIBC_TUNABLES": "glibc.malloc.tcache_count=3"}
    one_thread_each(environment)
    kept = environment | memory_keeping(environment)
    assert kept["OMP_NUM_THREADS"] == "1" and kept["MALLOC_TRIM_THRESHOLD_"] == "1"
    assert kept["GLIBC_TUNABLES"] == "glibc.malloc.tcache_count=3:glibc.malloc.hugetlb=1"
    assert memory_keeping({"GLIBC_TUNABLES": "glibc.malloc.hugetlb=0"})["GLIBC_TUNABLES"] == "glibc.malloc.hugetlb=0"
    assert memory_keeping(kept) == {"GLIBC_TUNABLES": kept["GLIBC_TUNABLES"]}


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc reads these variables")
def test_what_is_freed_is_had_again_without_the_kernel() -> None:
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_"))}
    kept = memory_keeping(plain)
    small_pages = {name: value for name, value in kept.items() if name != "GLIBC_TUNABLES"}  # fewer pages, whatever their size
    pages = [
        int(subprocess.run([sys.executable, "-ISc", ASKING], env=environment, capture_output=True, text=True, check=True).stdout)
        for environment in (plain, plain | small_pages, plain | kept)
    ]
    assert pages[1] < pages[0] / 3 and pages[2] < pages[0] / 3
