"""What stands in documents, and what they are called, reaches no log."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import pytest

from deployments.errors import DeadlineExceeded, Outcome, StageFailed
from serve_app.calls import Clock, each
from serve_app.schemas import OutputFormat
from tests.api_client import PNG, serving, two_rows
from tests.pictures import encoded
from tests.readers import InkReader

TEXT, NAME = "ИВАНОВА 4711 0815", "passport-of-ivanova.png"


class Reading(InkReader):
    """Every line says ``TEXT``."""

    async def stream(self, pages: Any, options: Any, *more: Any) -> Any:
        async for result in InkReader.stream(self, pages, options, *more):
            yield replace(result, regions=tuple(replace(region, text=TEXT) for region in result.regions))


@pytest.mark.parametrize("output", list(OutputFormat))
async def test_readings_are_not_logged(output: OutputFormat, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        async with serving(Reading()) as client:
            answer = await client.post(f"/ocr?format={output}", files={"image": (NAME, PNG)})
    assert answer.status_code == 200
    assert secrets_in(caplog) == []


@pytest.mark.parametrize("failure", [RuntimeError("broken"), StageFailed("Lost."), None])
@pytest.mark.parametrize("accept", ["application/json", "application/x-ndjson"])
async def test_documents_that_fail_are_not_logged(
    failure: Exception | None, accept: str, caplog: pytest.LogCaptureFixture
) -> None:
    damaged = encoded(two_rows(), "TIFF", compression="tiff_lzw")[:-40]
    with caplog.at_level(logging.DEBUG):
        async with serving(Reading(failure=failure)) as client:
            answer = await client.post(
                "/ocr", files={"image": (NAME, PNG if failure else damaged)}, headers={"Accept": accept}
            )
    assert answer.status_code >= 400
    assert secrets_in(caplog) == []


async def test_a_stream_that_breaks_off_does_not_log_the_file(caplog: pytest.LogCaptureFixture) -> None:
    files = [("file", ("whole.png", PNG)), ("file", (NAME, PNG[:-30]))]
    with caplog.at_level(logging.DEBUG):
        async with serving(Reading()) as client:
            answer = await client.post("/ocr?format=ndjson", files=files)
    assert NAME in answer.text.splitlines()[-1]
    assert "unreadable_document" in caplog.text
    assert secrets_in(caplog) == []


async def test_what_fails_in_a_stage_is_logged_by_code(caplog: pytest.LogCaptureFixture) -> None:
    async def answer(crops: list[Any]) -> list[Outcome[Any]]:
        return [1, StageFailed(f"not for the log: {TEXT}"), StageFailed(), DeadlineExceeded()]

    async def fine(crops: list[Any]) -> list[Outcome[Any]]:
        return [1]

    with caplog.at_level(logging.INFO):
        await Clock().timed("recognition", each(answer, []))
        await Clock().timed("recognition", each(fine, []))
    (record,) = caplog.records
    assert vars(record)["ray_serve_extra_fields"] == {
        "failed": 3,
        "items": 4,
        "codes": "deadline_exceeded stage_failed",
    }
    assert secrets_in(caplog) == []


def secrets_in(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Records that hold the text or the name, in their message, their traceback or what goes with them."""
    formatted = [f"{caplog.handler.format(record)} {record.__dict__}" for record in caplog.records]
    return [line for line in formatted if any(secret in line for secret in (TEXT, NAME))]
