from __future__ import annotations

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from deployments.threads import LAST, give_way


def niceness() -> int:
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere threads share their process's niceness")
def test_only_the_thread_that_computes_gives_way() -> None:
    before = niceness()
    with ThreadPoolExecutor(1, initializer=give_way) as model:
        assert model.submit(niceness).result() == LAST
    assert niceness() == before


def test_a_system_that_refuses_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "setpriority", refuse)
    give_way()
