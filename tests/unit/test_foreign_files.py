"""Files of others are decoded in processes of their own, and never beside the requests (decision 7)."""

from __future__ import annotations

import io
from pathlib import Path

import PIL.JpegImagePlugin
import pytest

from serve_app.decoding.pool import DecoderPool
from tests.api_client import two_rows
from tests.job_service import ended, service, submit
from tests.pictures import encoded


@pytest.mark.parametrize(("output", "opened_here"), [("pdf", 0), ("png", 2)])
async def test_what_is_opened_to_draw_on_was_written_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, output: str, opened_here: int
) -> None:
    monkeypatch.setattr("serve_app.reading.DecoderPool", DecoderPool)
    opened: list[bytes] = []
    plain = PIL.JpegImagePlugin.JpegImageFile._open

    def watched(picture: PIL.JpegImagePlugin.JpegImageFile) -> None:
        assert isinstance(picture.fp, io.BytesIO)
        opened.append(picture.fp.getvalue())
        plain(picture)

    sent = encoded(two_rows(), "JPEG")
    monkeypatch.setattr(PIL.JpegImagePlugin.JpegImageFile, "_open", watched)
    async with service(tmp_path) as client:
        answer = await client.post(f"/ocr?format={output}", content=sent)
        done = await ended(client, await submit(client, sent))
        again = await client.get(f"{done.links.result}?format={output}")
    assert answer.status_code == again.status_code == 200
    assert sent not in opened
    assert len(opened) == opened_here
