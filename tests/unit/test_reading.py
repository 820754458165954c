"""Documents on their way through the service, apart from HTTP."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from serve_app.reading import DocumentReader
from serve_app.render.formats import Reading
from serve_app.results import DocumentResult, PageResult
from serve_app.schemas import OcrQuery, OutputFormat
from tests.api_client import Bounds
from tests.in_process import InProcessDecoders, Slow
from tests.readers import InkReader


async def test_pages_are_decoded_again_only_while_somebody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    document, decoders = Slow(page_count=40), InProcessDecoders()
    monkeypatch.setattr(decoders, "open", lambda *_: document)
    monkeypatch.setattr("serve_app.reading.DecoderPool", lambda *_, **__: decoders)
    documents = DocumentReader(InkReader(), Bounds())
    reading = Reading(DocumentResult(tuple(PageResult(index, 8, 8) for index in range(40))), "id", {})
    writing = asyncio.create_task(documents.write_again(reading, OutputFormat.PDF, [], OcrQuery()))
    while not document.begun:
        await asyncio.sleep(0)
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    document.go.set()
    # Whatever still went on would be done by the time that the threads have ended.
    await asyncio.to_thread(cast(Any, documents)._rewriters.shutdown)
    await asyncio.to_thread(decoders.workers.shutdown)
    assert document.begun == [0] and document.log == ["read 0", "close"]
