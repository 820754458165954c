"""Requests -> the files in them. Their bodies are bounded already (``serve_app.middleware.bodies``)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import AsyncGenerator

from pydantic import ValidationError
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from deployments.errors import MalformedRequest, PayloadTooLarge, UnsupportedFormat
from serve_app.file_names import plain_name, with_extended_name
from serve_app.pages import SourceFile
from serve_app.schemas import EncodedDocument

FILE_FIELDS = ("image", "file")

_MAX_TEXT_FIELDS = 8
_MAX_TEXT_FIELD_BYTES = 4096


async def uploaded_files(request: Request, max_bytes: int, max_files: int) -> list[SourceFile]:
    """The files in multipart fields ``image`` and ``file``, or the whole body of any other type."""
    _refuse_coding(request)
    media_type = request.headers.get("content-type", "").lower()
    if media_type.startswith("multipart/"):
        return await _multipart_files(request, max_bytes, max_files)
    body = await request.body()
    if media_type.startswith("application/json") and body.lstrip()[:1] in (b"{", b"["):
        raise UnsupportedFormat("The body must be the document itself; inside JSON it goes to POST /api/.")
    return [SourceFile(body)]


async def plain_body(request: Request) -> bytes:
    """The whole body. Raises UnsupportedFormat where it says that it is compressed."""
    _refuse_coding(request)
    return await request.body()


def encoded_document(body: bytes) -> bytes:
    """The document inside ``{"image": "data:...;base64,..."}``."""
    try:
        url = EncodedDocument.model_validate_json(body).image
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "body"
        raise MalformedRequest(f"{where}: {first['msg']}.") from error
    head, comma, content = url.partition(",")
    if not (head.lower().startswith("data:") and head.lower().endswith(";base64") and comma):
        raise MalformedRequest("image: must be a data URL with base64 content (data:image/png;base64,...).")
    try:
        return base64.b64decode(content, validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedRequest("image: the content of the data URL is not valid base64.") from error


def _refuse_coding(request: Request) -> None:
    """Documents are compressed already; what unpacks bodies can be made to unpack too much."""
    coding = request.headers.get("content-encoding", "identity").strip().lower()
    if coding not in ("", "identity"):
        raise UnsupportedFormat(f"Content-Encoding: send the body as it is, not as {coding[:40]!r}.")


async def _multipart_files(request: Request, max_bytes: int, max_files: int) -> list[SourceFile]:
    parser = _WholeParts(
        request.headers,
        request.stream(),
        max_files=max_files,
        max_fields=_MAX_TEXT_FIELDS,
        max_part_size=_MAX_TEXT_FIELD_BYTES,
    )
    # The body is bounded already: parts stay in memory, and no disk is needed.
    parser.spool_max_size = max_bytes + 1
    try:
        form = await parser.parse()
    except MultiPartException as error:
        if error.message.startswith("Too many files"):
            raise PayloadTooLarge(f"A request may have {max_files} files at most.") from error
        if error.message.startswith("Part exceeded"):
            raise MalformedRequest(
                f"A part without a file name has more than {_MAX_TEXT_FIELD_BYTES} bytes: "
                "send documents as files, with filename=."
            ) from error
        raise MalformedRequest(f"The multipart body cannot be parsed: {error.message}") from error
    except ValueError as error:
        # Of codecs that may not be used, such as charset=undefined, and of names that there cannot be.
        raise MalformedRequest("The multipart body cannot be parsed: its charset is none of text.") from error
    try:
        return [SourceFile(await part.read(), plain_name(part.filename)) for part in _files(form)]
    finally:
        await form.close()


class _WholeParts(MultiPartParser):
    """Refuses a body that breaks off: the parser itself leaves out the part without an end, silently."""

    _ended = False

    def on_headers_finished(self) -> None:
        part = self._current_part
        part.content_disposition = with_extended_name(part.content_disposition or b"")
        super().on_headers_finished()

    def on_end(self) -> None:
        self._ended = True

    async def parse(self) -> FormData:
        self.stream = self._whole(self.stream)
        return await super().parse()

    async def _whole(self, stream: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
        async for chunk in stream:
            yield chunk
        # Raised from the stream, where the parser closes the files that it has begun.
        if not self._ended:
            raise MultiPartException("It ends before its closing boundary.")


def _files(form: FormData) -> list[UploadFile]:
    fields = form.multi_items()
    unknown = sorted({name for name, _ in fields} - set(FILE_FIELDS))
    if unknown:
        raise MalformedRequest(f"Unknown multipart field {unknown[0]!r}: send documents as 'image'.")
    if not fields:
        raise MalformedRequest("Send a document in the field 'image' or 'file'; none was sent.")
    files = [value for _, value in fields if isinstance(value, UploadFile)]
    if len(files) < len(fields):
        raise MalformedRequest("The multipart fields 'image' and 'file' must be files, with file names.")
    return files
