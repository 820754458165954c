"""The API over a reader without models, called in this process: no sockets."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import PIL.Image

from serve_app.api import create_api
from serve_app.jobs.config import JobsConfig
from serve_app.middleware.config import Access
from serve_app.schemas import Problem
from tests.pictures import encoded
from tests.readers import InkReader


@dataclass(frozen=True)
class Bounds:
    max_body_bytes: int = 20_000
    max_bodies_bytes: int = 10**6
    max_head_bytes: int = 5_000
    max_body_s: float = 30.0
    max_body_idle_s: float = 10.0
    max_pixels: int = 40_000
    max_side_px: int = 1000
    min_side_px: int = 8
    max_files: int = 4
    max_pages: int = 3
    max_document_pixels: int = 60_000
    max_render_s: float = 5.0
    max_decoded_bytes: int = 10**6
    request_deadline_s: float = 30.0
    max_documents_in_work: int = 8
    max_wait_share: float = 0.5
    max_concurrent_documents: int = 2
    max_decode_s: float = 20.0
    max_decode_memory_bytes: int = 2 * 2**30


@dataclass(frozen=True)
class Config:
    limits: Bounds = field(default_factory=Bounds)
    access: Access = field(default_factory=Access)
    jobs: JobsConfig | None = None


def two_rows() -> PIL.Image.Image:
    """A printed row over a row in blue ink."""
    page = PIL.Image.new("RGB", (200, 100), "white")
    page.paste("black", (20, 10, 120, 30))
    page.paste("blue", (20, 60, 180, 80))
    return page


PNG = encoded(two_rows())
THREE_PAGES = encoded(
    two_rows(), "TIFF", compression="tiff_lzw", save_all=True, append_images=[two_rows(), two_rows()]
)
DATA_URL = "data:image/png;base64," + base64.b64encode(PNG).decode()


def client_of(reader: InkReader, **limits: Any) -> httpx.AsyncClient:
    app = create_api(reader, Config(Bounds(**limits)))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service")


@contextlib.asynccontextmanager
async def serving(reader: InkReader | None = None, **limits: Any) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(reader or InkReader(), **limits) as client:
        yield client


def assert_problem(answer: httpx.Response, status: int, code: str) -> Problem:
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), (
        answer.text
    )
    problem = Problem.model_validate_json(answer.content)
    assert (problem.status, problem.type) == (status, f"/problems/{code}")
    assert problem.request_id == answer.headers["x-request-id"]
    return problem


async def untouchable() -> AsyncIterator[bytes]:
    """A body that must not be asked for."""
    raise AssertionError("the body was read")
    yield b""
