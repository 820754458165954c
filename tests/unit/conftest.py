"""The unit tier starts no Ray, opens no network connection and does not sleep: doing so fails the test."""

from __future__ import annotations

import importlib
import socket
import sys
import time
from typing import Any, NoReturn

import PIL.Image
import pytest

from tests.in_process import InProcessDecoders

try:
    ray: Any = importlib.import_module("ray")
except ImportError:  # The unit tier runs without it as well.
    ray = None


class ForbiddenInUnitTests(BaseException):
    """Not an ``Exception``: code under test must not be able to swallow it."""


def _forbid(what: str) -> Any:
    def refuse(*_: object, **__: object) -> NoReturn:
        raise ForbiddenInUnitTests(f"a unit test must not {what}")

    return refuse


@pytest.fixture(autouse=True)
def _no_ray_no_sockets_no_sleep(monkeypatch: pytest.MonkeyPatch) -> None:
    # Event loops need socket.socketpair, which is made of sockets but connects nothing outside.
    for name in ("connect", "connect_ex", "bind", "listen"):
        monkeypatch.setattr(socket.socket, name, _forbid("use the network"))
    monkeypatch.setattr(time, "sleep", _forbid("sleep"))
    if ray is not None:
        monkeypatch.setattr(ray, "init", _forbid("start Ray"))


@pytest.fixture(autouse=True)
def _documents_are_decoded_here(monkeypatch: pytest.MonkeyPatch) -> None:
    # Starting processes for each application would take most of the tier's time; test_decoding.py has them.
    monkeypatch.setattr("serve_app.reading.DecoderPool", lambda limits, **_: InProcessDecoders())
    # Nor do decoders import ultralytics, which puts a function of its own in the place of Pillow's.
    patches = sys.modules.get("ultralytics.utils.patches")
    if patches is not None:
        monkeypatch.setattr(PIL.Image, "open", patches._image_open)
