"""Names of sent files reach the answer as their senders wrote them."""

from __future__ import annotations

import pytest

from serve_app.file_names import plain_name, with_extended_name
from serve_app.schemas import Answer
from tests.api_client import PNG, assert_problem, serving

MULTIPART = {"Content-Type": "multipart/form-data; boundary=x"}
CYRILLIC = "%D1%81%D0%BA%D0%B0%D0%BD.pdf"  # скан.pdf


def body(parameters: str, content: bytes = PNG) -> bytes:
    head = (
        f'--x\r\nContent-Disposition: form-data; name="image"{parameters}\r\nContent-Type: image/png\r\n\r\n'
    )
    return head.encode() + content + b"\r\n--x--\r\n"


@pytest.mark.parametrize(
    ("parameters", "name"),
    [
        ('; filename="скан.pdf"', "скан.pdf"),
        (f"; filename*=UTF-8''{CYRILLIC}", "скан.pdf"),
        (f"; filename=\"scan.pdf\"; filename*=utf-8''{CYRILLIC}", "скан.pdf"),
        (f"; filename*=utf-8'ru'{CYRILLIC}; filename=\"scan.pdf\"", "скан.pdf"),
        (f'; filename="=?utf-8?B?0YHQutCw0L0ucGRm?="; filename*="utf-8\'\'{CYRILLIC}"', "скан.pdf"),
        ('; filename="=?utf-8?B?0YHQutCw0L0ucGRm?="', "скан.pdf"),
        ("; filename=\"scan.pdf\"; filename*=koi9-x''%D1", "scan.pdf"),
        ("; filename=\"scan.pdf\"; filename*=utf-8''%D1", "scan.pdf"),
        ("; filename=\"scan.pdf\"; filename*=utf-8''..%2F..%2Fetc%22%0d%0apasswd", "etc'passwd"),
    ],
)
async def test_names_of_parts(parameters: str, name: str) -> None:
    async with serving() as client:
        answer = await client.post("/ocr", content=body(parameters), headers=MULTIPART)
    assert answer.status_code == 200, answer.text
    (page,) = Answer.model_validate_json(answer.content).pages
    assert page.file_name == name


@pytest.mark.parametrize("size", [100, 5000])
async def test_a_document_without_a_name_is_told_what_it_lacks(size: int) -> None:
    async with serving() as client:
        answer = await client.post("/ocr", content=body("", b"x" * size), headers=MULTIPART)
    detail = assert_problem(answer, 400, "malformed_request").detail
    assert "file name" in detail and "4KB" not in detail


@pytest.mark.parametrize("name", ["=?utf-8?B?=?=", "=?x?Q?=FF?=", "=?utf-8?B?gA==?=", "=??=", "a=?b?="])
def test_what_is_no_encoded_word_is_a_name_like_others(name: str) -> None:
    assert plain_name(name) is not None


def test_a_disposition_without_an_extended_name_stays_as_it_is() -> None:
    plain = b'form-data; name="image"; filename="a*=b.png"'
    assert with_extended_name(plain) is plain
