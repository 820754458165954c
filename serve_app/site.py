"""The pages a person opens: the reading room at ``/`` and the API reference at ``/docs``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

from fastapi import FastAPI
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

_WEB = Path(__file__).parent / "web"

# Nothing is loaded from elsewhere. Pasted and chosen images are shown from blob: URLs.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# Swagger UI writes style elements of its own.
_DOCS_POLICY = _POLICY.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")

# Files change only with the service: browsers keep them, and ask whether they are still current.
_REVALIDATE = {"Cache-Control": "no-cache"}


class _Assets(StaticFiles):
    def file_response(
        self,
        full_path: str | os.PathLike[str],
        stat_result: os.stat_result,
        scope: Scope,
        status_code: int = 200,
    ) -> Response:
        response = super().file_response(full_path, stat_result, scope, status_code)
        response.headers.update(_REVALIDATE)
        return response


class SiteLimits(Protocol):
    """What the page refuses to send, for the service would not take it."""

    @property
    def max_files(self) -> int: ...
    @property
    def max_body_bytes(self) -> int: ...


def mount_site(app: FastAPI, limits: SiteLimits, max_job_bytes: int) -> None:
    """Serve the pages and their assets; every link in them is relative, so a path prefix does no harm.

    The page names jobs for documents of up to ``max_job_bytes``, 0 where there are none.
    """
    page = (_WEB / "index.html").read_text(encoding="utf-8")
    start = _with_limits(page.replace("{max_job_bytes}", str(max_job_bytes)), limits)

    @app.api_route("/", methods=["GET", "HEAD"], include_in_schema=False)
    async def reading_room() -> Response:
        return HTMLResponse(start, headers=_headers(_POLICY))

    @app.api_route("/docs", methods=["GET", "HEAD"], include_in_schema=False)
    async def reference() -> Response:
        return FileResponse(_WEB / "docs.html", media_type="text/html", headers=_headers(_DOCS_POLICY))

    app.mount("/static", _Assets(directory=_WEB / "static"), name="static")
    app.mount("/swagger", _Assets(packages=[("fastapi_swagger", "resources")]), name="swagger")


def _with_limits(page: str, limits: SiteLimits) -> str:
    for name in ("max_files", "max_body_bytes"):
        page = page.replace(f"{{{name}}}", str(getattr(limits, name)))
    return page


def _headers(policy: str) -> dict[str, str]:
    return {"Content-Security-Policy": policy, **_REVALIDATE}
