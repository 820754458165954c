"""The unit tier's own guards hold."""

from __future__ import annotations

import asyncio
import socket
import time

import pytest

from tests.unit.conftest import ForbiddenInUnitTests


def test_sleep_is_refused() -> None:
    with pytest.raises(ForbiddenInUnitTests, match="sleep"):
        time.sleep(0)


def test_connections_are_refused() -> None:
    with socket.socket() as connection, pytest.raises(ForbiddenInUnitTests, match="network"):
        connection.connect(("127.0.0.1", 1))


def test_ray_is_refused() -> None:
    ray = pytest.importorskip("ray")
    with pytest.raises(ForbiddenInUnitTests, match="Ray"):
        ray.init()


async def test_event_loops_still_work() -> None:
    await asyncio.sleep(0)
