"""The pages a person opens: the reading room at ``/`` and the API reference at ``/docs``."""

from __future__ import annotations

import os
from pathlib import Path

from fastapi import FastAPI
from starlette.responses import FileResponse, Response
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


def mount_site(app: FastAPI) -> None:
    """Serve the pages and their assets; every link in them is relative, so a path prefix does no harm."""

    @app.api_route("/", methods=["GET", "HEAD"], include_in_schema=False)
    async def reading_room() -> Response:
        return _page("index.html", _POLICY)

    @app.api_route("/docs", methods=["GET", "HEAD"], include_in_schema=False)
    async def reference() -> Response:
        return _page("docs.html", _DOCS_POLICY)

    app.mount("/static", _Assets(directory=_WEB / "static"), name="static")
    app.mount("/swagger", _Assets(packages=[("fastapi_swagger", "resources")]), name="swagger")


def _page(name: str, policy: str) -> Response:
    headers = {"Content-Security-Policy": policy, **_REVALIDATE}
    return FileResponse(_WEB / name, media_type="text/html", headers=headers)
