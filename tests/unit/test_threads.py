from __future__ import annotations

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from deployments.threads import LAST, give_way

linux_only = pytest.mark.skipif(
    sys.platform != "linux", reason="elsewhere threads share their process's place"
)


def place() -> tuple[int, int]:
    """Niceness and scheduling policy of the calling thread."""
    thread = threading.get_native_id()
    return os.getpriority(os.PRIO_PROCESS, thread), os.sched_getscheduler(thread)


@linux_only
def test_only_the_thread_that_computes_gives_way() -> None:
    before = place()
    with ThreadPoolExecutor(1, initializer=give_way) as model:
        assert model.submit(place).result() == (LAST, os.SCHED_IDLE)
    assert place() == before


@linux_only
def test_where_the_idle_policy_is_refused_the_thread_runs_last_by_niceness(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "sched_setscheduler", refuse)
    before = place()
    with ThreadPoolExecutor(1, initializer=give_way) as model:
        assert model.submit(place).result() == (LAST, before[1])


def test_a_system_that_refuses_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "setpriority", refuse)
    monkeypatch.setattr(os, "sched_setscheduler", refuse, raising=False)
    give_way()


def refuse(*_: object) -> None:
    raise PermissionError
