"""The Ray driver in a process that has imported Ray before: as a user's script may, and as a run of all tests does."""

import json
import os
import subprocess
import sys

import pytest

SCRIPT = """
import json, os
import ray
from policysearch.drivers.ray_environment import environment
from policysearch.drivers.ray_here import own_cluster
said = []
for _ in range(2):
    with environment(True), own_cluster(1) as cores:
        task = ray.remote(lambda: [os.environ[name] for name in ("OMP_NUM_THREADS", "GLIBC_TUNABLES")])
        said.append([cores, [node["NodeManagerAddress"] for node in ray.nodes()], ray.get(task.remote())])
    kept = ("RAY_AUTH_MODE", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "OMP_NUM_THREADS", "GLIBC_TUNABLES")
    said.append([name for name in kept if name in os.environ])
print(json.dumps(said))
"""


@pytest.mark.slow
def test_it_starts_twice_listens_on_this_machine_only_and_leaves_no_trace() -> None:
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("RAY_", "OMP_", "GLIBC_"))}
    ran = subprocess.run([sys.executable, "-c", SCRIPT], env=plain, capture_output=True, text=True, timeout=200, check=True)
    assert json.loads(ran.stdout.splitlines()[-1]) == [[1, ["127.0.0.1"], ["1", "glibc.malloc.hugetlb=1"]], []] * 2
