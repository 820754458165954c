"""An HTTP client as a ``Send`` of :mod:`benchmarks.speed.load`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from benchmarks.speed.load import Reply, Send
from benchmarks.speed.pages import PageFile

TIMEOUT_S = 120.0


@asynccontextmanager
async def http_client(url: str, transport: httpx.AsyncBaseTransport | None = None) -> AsyncIterator[Send]:
    """Sends pages to ``POST /ocr`` as raw bodies, over as many connections as it takes."""
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    client = httpx.AsyncClient(base_url=url, timeout=TIMEOUT_S, limits=limits, transport=transport)
    async with client:

        async def send(page: PageFile) -> Reply:
            try:
                answer = await client.post("/ocr", content=page.data, headers={"Accept": "application/json"})
            except httpx.HTTPError as error:
                raise OSError(str(error)) from error
            seconds = answer.headers.get("retry-after")
            return Reply(answer.status_code, float(seconds) if seconds else None)

        yield send
