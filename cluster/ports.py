"""Ports for services of tests and measurements: below those that the system gives to connections."""

from __future__ import annotations

import contextlib
import secrets
import socket

# Ray takes ports for its workers from 10002 to 19999; ours lie above, below the ephemeral ones.
PORT_RANGE = range(20000, 30000)


def free_ports(number: int) -> list[int]:
    """Ports that nothing listens on, all different."""
    found: list[int] = []
    first = PORT_RANGE.start + secrets.randbelow(len(PORT_RANGE) - 200)
    for port in range(first, PORT_RANGE.stop):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("0.0.0.0", port))
            found.append(port)
        if len(found) == number:
            return found
    raise RuntimeError("no free ports")


def free_port() -> int:
    """A port that nothing listens on."""
    return free_ports(1)[0]
