"""Ports on which nothing listens yet."""

from __future__ import annotations

import random
import socket

# Below those that Linux, macOS and Windows give to connections and to servers that ask for any port.
_PORTS = range(20_000, 32_000)


def free_port() -> int:
    """Return a port that no other test will be given, so that it is free until it is used.

    A port from the system may be that of another test's server a moment later, or the near end of the very connection
    that asks whether somebody listens.
    """
    while True:
        port = random.choice(_PORTS)
        with socket.socket() as free:
            try:
                free.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
