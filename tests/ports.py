"""Ports for the servers of tests.

They lie below the range from which the kernel gives ports to whoever connects somewhere: one that was free there may be a
connection's by the time that a server wants it, or wants it again after it was killed.
"""

import random
import socket

FROM, TO = 20_000, 32_000


def free_port() -> int:
    """One at which nobody listens on this machine. Between servers of one machine only chance keeps them apart: 1 in 12,000."""
    while True:
        port = random.SystemRandom().randrange(FROM, TO)  # not the tests' own dice, which begin alike in two suites
        with socket.socket() as found:
            try:
                found.bind(("", port))
            except OSError:
                continue
            return port
