from __future__ import annotations

import contextlib
import errno
import os
import shutil
import socket
from pathlib import Path
from types import SimpleNamespace

import pytest

from serve_app import preflight
from serve_app.preflight import MIN_FREE_BYTES, listening_error, obstacle


@pytest.fixture(autouse=True)
def _the_port_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "listening_error", lambda host, port: None)


@pytest.mark.parametrize("variable", ["RAY_TMPDIR", "TMPDIR"])
def test_a_full_disk_is_said_with_its_folder(
    variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = {str(tmp_path): MIN_FREE_BYTES - 1}
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=free[str(path)]))
    reason = obstacle("127.0.0.1", 8000, {variable: str(tmp_path)})
    assert reason is not None
    assert "No space left" in reason and str(tmp_path) in reason and "99 MiB of the 100 MiB" in reason
    free[str(tmp_path)] += 1
    assert obstacle("127.0.0.1", 8000, {variable: str(tmp_path)}) is None


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    reason = obstacle("127.0.0.1", 8000, {"RAY_TMPDIR": str(tmp_path / "gone")})
    assert reason is not None and "No such file or directory" in reason


def refusal(number: int) -> OSError:
    return OSError(number, os.strerror(number))


@pytest.mark.parametrize(("port", "other"), [(8000, 8001), (65535, 65534)])
def test_a_port_in_use_comes_with_another_one(port: int, other: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "listening_error", lambda host, port: refusal(errno.EADDRINUSE))
    reason = obstacle("127.0.0.1", port, {})
    assert (
        reason is not None and f"port {port} of 127.0.0.1 is in use" in reason and f"PORT={other}" in reason
    )


def test_a_port_that_is_for_others_is_not_said_to_be_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "listening_error", lambda host, port: refusal(errno.EACCES))
    assert obstacle("0.0.0.0", 80, {}) == (
        "the service cannot listen at port 80 of 0.0.0.0: Permission denied"
    )


@pytest.mark.parametrize(
    ("host", "family"), [("127.0.0.1", socket.AF_INET), ("::", socket.AF_INET6), ("::1", socket.AF_INET6)]
)
def test_a_host_is_tried_in_its_own_family(
    host: str, family: socket.AddressFamily, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[tuple[object, ...]] = []

    class Probe(contextlib.nullcontext["Probe"]):
        def __init__(self, family: int, *_: object) -> None:
            super().__init__(self)
            self.family = family

        def setsockopt(self, *_: int) -> None: ...

        def bind(self, address: tuple[object, ...]) -> None:
            tried.append((self.family, *address[:2]))

    monkeypatch.setattr(socket, "socket", Probe)
    assert listening_error(host, 8000) is None
    assert tried == [(family, host, 8000)]


def test_what_keeps_a_server_from_listening_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: socket.socket, address: object) -> None:
        raise refusal(errno.EACCES)

    monkeypatch.setattr(socket.socket, "bind", refuse)
    error = listening_error("127.0.0.1", 80)
    assert error is not None and error.errno == errno.EACCES


def test_a_host_that_nobody_knows_is_told_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    monkeypatch.setattr(preflight, "listening_error", listening_error)
    assert obstacle("scans.bank", 8000, {}) == (
        "the service cannot listen at port 8000 of scans.bank: Name or service not known"
    )
