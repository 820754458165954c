from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import PIL.Image
import pytest

from tests.api_client import DATA_URL, PNG, assert_problem, serving
from tests.pictures import encoded


@pytest.mark.parametrize(
    "query",
    ["layot=line", "layout=word", "format=docx", "layout=line&layout=&x=1",
     "pages=0", "pages=3-1", "pages=a", "dpi=49", "dpi=601", "text_layer=always", "engine=../crnn",
     "min_confidence=1.1", "kind=typed", "words=perhaps"],
)  # fmt: skip
async def test_unknown_or_bad_parameters_are_named(query: str) -> None:
    async with serving() as client:
        answer = await client.post(f"/ocr?{query}", content=PNG)
    problem = assert_problem(answer, 422, "invalid_parameter")
    name = "x" if "x=1" in query else query.split("=")[0]
    assert f"'{name}'" in problem.detail and "query" in problem.detail


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [(b"", 400, "malformed_request"), (b"hello", 415, "unsupported_format"),
     (b"%PDF-1.4", 422, "unreadable_document"), (PNG[:150], 422, "unreadable_document"),
     (encoded(PIL.Image.new("L", (400, 101))), 413, "payload_too_large"),
     (encoded(PIL.Image.new("L", (4, 100))), 422, "unreadable_document")],
)  # fmt: skip
async def test_bad_documents(content: bytes, status: int, code: str) -> None:
    async with serving() as client:
        for answer in (
            await client.post("/ocr", content=content),
            await client.post("/ocr", files={"image": ("scan.png", content)}),
            await client.post("/api/", json={"image": "data:;base64," + base64.b64encode(content).decode()}),
        ):
            assert_problem(answer, status, code)
        assert (await client.post("/ocr", content=PNG)).status_code == 200


@pytest.mark.parametrize(
    "parts",
    [{"files": {"picture": ("a.png", PNG)}}, {"files": {"image": (None, "text")}},
     {"files": {"image": ("a", PNG), "layout": (None, "line")}},
     {"content": b"--x\r\nnothing", "headers": {"Content-Type": "multipart/form-data; boundary=x"}},
     {"content": b"x", "headers": {"Content-Type": "multipart/form-data"}},
     {"content": b"--x\r\nContent-Disposition: form-data\r\n\r\n1\r\n--x--\r\n",
      "headers": {"Content-Type": "multipart/form-data; boundary=x"}}],
)  # fmt: skip
async def test_multipart_without_documents_or_with_other_parts_is_malformed(parts: dict[str, Any]) -> None:
    async with serving() as client:
        assert_problem(await client.post("/ocr", **parts), 400, "malformed_request")


async def test_too_many_files_are_too_much() -> None:
    async with serving() as client:
        answer = await client.post("/ocr", files=[("image", (f"{i}", PNG)) for i in range(5)])
    assert "4 files" in assert_problem(answer, 413, "payload_too_large").detail


HEADER = b'--x\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n'


@pytest.mark.parametrize(
    "part",
    [HEADER + b"X-Long: " + b"1" * 5000 + b"\r\n\r\n", HEADER + b"X-Many: 1\r\n" * 20 + b"\r\n",
     HEADER.replace(b'"image"', b'"' + b"i" * 5000 + b'"') + b"\r\n"],
)  # fmt: skip
async def test_floods_of_part_headers_are_malformed(part: bytes) -> None:
    body = part + PNG + b"\r\n--x--\r\n"
    async with serving() as client:
        answer = await client.post(
            "/ocr", content=body, headers={"Content-Type": "multipart/form-data; boundary=x"}
        )
    assert_problem(answer, 400, "malformed_request")


WHOLE = HEADER + b"\r\n" + PNG + b"\r\n"


@pytest.mark.parametrize(
    "body",
    [b"", WHOLE, WHOLE + HEADER, WHOLE + WHOLE[:-200], WHOLE + WHOLE + b"--x", WHOLE + b"--x-"],
    ids=["empty", "after a file", "in a header", "in a file", "in a boundary", "at the end of the boundary"],
)
async def test_a_multipart_body_that_breaks_off_is_malformed(body: bytes) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    async with serving() as client:
        answer = await client.post("/ocr", content=body, headers=headers)
        whole = await client.post("/ocr", content=WHOLE + WHOLE + b"--x--", headers=headers)
    assert "closing boundary" in assert_problem(answer, 400, "malformed_request").detail
    assert [page["file"] for page in whole.json()["pages"]] == [1, 2]


@pytest.mark.parametrize("charset", ["undefined", '"a\0b"'])
async def test_charsets_that_decode_nothing_are_malformed(charset: str) -> None:
    headers = {"Content-Type": f"multipart/form-data; boundary=x; charset={charset}"}
    async with serving() as client:
        answer = await client.post("/ocr", content=WHOLE + b"--x--\r\n", headers=headers)
    assert "charset" in assert_problem(answer, 400, "malformed_request").detail


@pytest.mark.parametrize("charset", ["idna", "hex", "punycode", "utf-7", "utf-16", "unicode_escape", "none"])
async def test_charsets_of_forms_do_no_harm(charset: str) -> None:
    names = HEADER.replace(b'"a"', b'"\xff..\\u12\xd0\xb6"') + b"\r\n"
    async with serving() as client:
        answer = await client.post(
            "/ocr",
            content=names + PNG + b"\r\n--x--\r\n",
            headers={"Content-Type": f"multipart/form-data; boundary=x; charset={charset}"},
        )
    assert answer.status_code in (200, 400), answer.text


@pytest.mark.parametrize(
    ("body", "reason"),
    [(b"", "JSON"), (b"[]", "body"), (b"{}", "image"), (b'{"image": 5}', "image"),
     (json.dumps({"image": DATA_URL, "imgae": ""}).encode(), "imgae"),
     (b'{"image": "iVBORw0KGgo="}', "data URL"), (b'{"image": "data:image/png,abc"}', "data URL"),
     (b'{"image": "http://127.0.0.1/a.png"}', "data URL"), (b'{"image": "file:///etc/passwd"}', "data URL"),
    
     (b'{"image": "data:image/png;base64,???"}', "base64"), (b"\xff\xfe{", "body")],
)  # fmt: skip
async def test_bad_json_is_malformed_and_named(body: bytes, reason: str) -> None:
    async with serving() as client:
        problem = assert_problem(await client.post("/api/", content=body), 400, "malformed_request")
    assert reason in problem.detail


class Chunks(httpx.AsyncByteStream):
    """An endless upload that counts what was taken from it."""

    taken = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            self.taken += 1000
            yield b"\x89" * 1000


@pytest.mark.parametrize(
    "content_type", ["application/octet-stream", "multipart/form-data; boundary=x", "application/json"]
)
async def test_an_endless_body_is_refused_while_it_arrives(content_type: str) -> None:
    upload = Chunks()
    path = "/api/" if "json" in content_type else "/ocr"
    async with serving() as client:
        answer = await client.post(path, content=upload, headers={"Content-Type": content_type})
    if "multipart" in content_type:
        assert answer.status_code in (400, 413)
    else:
        assert_problem(answer, 413, "payload_too_large")
    assert upload.taken <= 22_000


async def test_a_declared_size_over_the_limit_is_refused_unread() -> None:
    upload = Chunks()
    async with serving() as client:
        answer = await client.post("/ocr", content=upload, headers={"Content-Length": "20001"})
    assert "20000 bytes" in assert_problem(answer, 413, "payload_too_large").detail
    assert upload.taken == 0


async def test_a_multipart_file_over_the_limit() -> None:
    async def parts() -> AsyncIterator[bytes]:
        yield b'--x\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n'
        for _ in range(30):
            yield b"1" * 1000

    async with serving() as client:
        answer = await client.post(
            "/ocr", content=parts(), headers={"Content-Type": "multipart/form-data; boundary=x"}
        )
    assert_problem(answer, 413, "payload_too_large")


async def test_a_body_at_the_limit_is_read() -> None:
    async with serving(max_body_bytes=len(PNG)) as client:
        assert (await client.post("/ocr", content=PNG)).status_code == 200
