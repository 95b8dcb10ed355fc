"""Settings of every test: hypothesis repeats itself in CI and sets no deadline, because a busy machine is not a defect.

Compiled kernels are kept where they are without tests, so that a test's own home does not cost a compilation.
"""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from postgres_server import NoServer, PostgresServer, running_server

settings.register_profile("desk", deadline=None, max_examples=50)
settings.register_profile("ci", deadline=None, max_examples=50, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "desk")

caches = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
os.environ.setdefault("POLICYSEARCH_KERNELS", str(caches / "policysearch" / "kernels"))

# Begun in the background of a shell, the tests would ignore Ctrl-C, and so would all that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    pytest.importorskip("psycopg")
    try:
        with running_server() as server:
            yield server
    except NoServer as reason:
        pytest.skip(str(reason))
