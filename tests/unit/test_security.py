"""What a request names is never opened, and what it holds is never logged."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from typing import Any

import pytest

from deployments.errors import StageFailed
from serve_app.results import Region
from tests.api_client import PNG, serving
from tests.readers import InkReader

SECRET = "Ivanov-4276-1234"


EVENTS = {"open", "socket.connect", "socket.getaddrinfo", "urllib.Request"}


class Opened:
    """Files and addresses that this process opens while it is asked to look."""

    def __init__(self) -> None:
        self.names: list[str] | None = None
        sys.addaudithook(self._hook)

    def _hook(self, event: str, arguments: tuple[object, ...]) -> None:
        if self.names is not None and event in EVENTS:
            self.names.append(f"{event} {arguments[:2]}")


# An audit hook stays for good: one for all tests.
OPENED = Opened()


@pytest.fixture
def opened() -> Iterator[list[str]]:
    OPENED.names = []
    yield OPENED.names
    OPENED.names = None


@pytest.mark.parametrize(
    "name", ["/etc/hostname", "file:///etc/hostname", "http://127.0.0.1:9/secret.png", "../../etc/hostname"]
)
async def test_nothing_that_a_request_names_is_opened(name: str, opened: list[str]) -> None:
    async with serving() as client:
        statuses = [
            (await client.post("/api/", json={"image": name})).status_code,
            (await client.post("/ocr", params={"url": name}, content=PNG)).status_code,
            (await client.post("/ocr", content=name.encode())).status_code,
            (await client.post("/ocr", files={"image": (name, PNG)})).status_code,
        ]
    assert statuses == [400, 422, 415, 200]
    assert not [one for one in opened if "hostname" in one or "127.0.0.1" in one or "secret" in one]


class SecretReader(InkReader):
    """Reads a secret in every line."""

    def _region(self, *args: Any) -> Region:
        # slots of a dataclass leave super() without its class.
        return replace(InkReader._region(self, *args), text=SECRET)


@pytest.mark.parametrize("accept", ["application/json", "text/plain", "application/x-ndjson", "text/csv"])
@pytest.mark.parametrize(
    "reader",
    [
        SecretReader(),
        SecretReader(region_errors={0: StageFailed()}),
        SecretReader(page_errors={0: StageFailed()}),
        SecretReader(failure=StageFailed("The detection stage failed")),
        SecretReader(failure=ZeroDivisionError()),
    ],
    ids=["read", "region-failed", "page-failed", "stage-failed", "bug"],
)
async def test_neither_text_nor_name_of_a_document_is_logged(
    reader: InkReader, accept: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        async with serving(reader) as client:
            files = {"image": (f"{SECRET}.png", PNG)}
            answer = await client.post("/ocr", files=files, headers={"Accept": accept})
            damaged = {"image": (f"{SECRET}.png", PNG[:70])}
            await client.post("/ocr", files=damaged, headers={"Accept": accept})
    assert answer.status_code in (200, 500)
    assert not [record for record in caplog.records if SECRET in f"{record.__dict__} {record.getMessage()}"]


async def test_a_clock_that_jumps_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    jumps = count(0, -86_400)
    monkeypatch.setattr(time, "time", lambda: float(next(jumps)))
    async with serving(request_deadline_s=20.0) as client:
        answers = [(await client.post("/ocr", content=PNG)).status_code for _ in range(3)]
        streamed = await client.post("/ocr", content=PNG, headers={"Accept": "application/x-ndjson"})
    assert answers == [200] * 3
    assert '"end"' in streamed.text
