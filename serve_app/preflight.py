"""What would keep the service from starting, looked for first: Ray says it late and in other words."""

from __future__ import annotations

import errno
import os
import shutil
import socket
from collections.abc import Mapping
from pathlib import Path

# Logs and sockets of a start; a disk with less is as good as full.
MIN_FREE_BYTES = 100 * 2**20
MAX_PORT = 65535


def listening_error(host: str, port: int) -> OSError | None:
    """Why no server could listen there now; None if one could. The host is a name or an address."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        return error
    return None


def obstacle(host: str, port: int, env: Mapping[str, str] = os.environ) -> str | None:
    """Why the service cannot start here, and what to do; None if nothing is in its way.

    Ray keeps logs, sockets and what its memory does not hold under ``RAY_TMPDIR``, ``TMPDIR`` or /tmp.
    """
    if error := listening_error(host, port):
        if error.errno != errno.EADDRINUSE:
            return f"the service cannot listen at port {port} of {host}: {error.strerror}"
        return (
            f"port {port} of {host} is in use; stop what listens there or choose another: "
            f"make serve PORT={port + 1 if port < MAX_PORT else port - 1}"
        )
    folder = Path(env.get("RAY_TMPDIR") or env.get("TMPDIR") or "/tmp")
    try:
        free_bytes = shutil.disk_usage(folder).free
    except OSError as error:
        return f"{folder}, where Ray keeps its files, cannot be used: {error.strerror}; set RAY_TMPDIR"
    if free_bytes < MIN_FREE_BYTES:
        return (
            f"No space left on the disk of {folder}, where Ray keeps its files: {free_bytes // 2**20} MiB "
            f"of the {MIN_FREE_BYTES // 2**20} MiB that a start needs; free some, or set RAY_TMPDIR"
        )
    return None
