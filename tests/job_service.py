"""The API with jobs, called in this process, its store on a temporary disk."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from serve_app.api import create_api
from serve_app.jobs.config import JobsConfig
from serve_app.jobs.schemas import JobView
from serve_app.middleware.config import Access
from tests.api_client import THREE_PAGES, Bounds, Config
from tests.readers import InkReader


@asynccontextmanager
async def service(
    tmp_path: Path,
    reader: InkReader | None = None,
    prefix: str = "",
    access: Access | None = None,
    **options: Any,
) -> AsyncIterator[httpx.AsyncClient]:
    """The whole application, its jobs running."""
    jobs = JobsConfig(directory=str(tmp_path / "jobs"), **options)
    config = Config(Bounds(max_body_bytes=5000), access or Access(), jobs)
    app = create_api(reader or InkReader(), config)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app, root_path=prefix)
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            yield client


async def submit(client: httpx.AsyncClient, content: bytes = THREE_PAGES, path: str = "/jobs") -> JobView:
    answer = await client.post(path, content=content)
    assert answer.status_code == 202, answer.text
    return JobView.model_validate_json(answer.content)


async def ended(client: httpx.AsyncClient, job: JobView) -> JobView:
    async with asyncio.timeout(120):
        while True:
            answer = await client.get(job.links.job)
            view = JobView.model_validate_json(answer.content)
            if view.finished_at is not None:
                assert "retry-after" not in answer.headers
                return view
            assert answer.headers["retry-after"] == "2"
