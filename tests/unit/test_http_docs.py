from __future__ import annotations

import re
from pathlib import Path

import pytest

from serve_app import contract, problems
from serve_app.config import Limits
from serve_app.http_docs import PAGE, page
from serve_app.problem_advice import ADVICE
from tests.api_client import PNG
from tests.job_service import ended, service, submit

TEXT = PAGE.read_text(encoding="utf-8")


def test_the_committed_page_is_what_the_code_says() -> None:
    assert page() == TEXT, "run: python -m serve_app.http_docs"


def test_there_is_advice_for_every_problem_and_for_nothing_else() -> None:
    assert set(ADVICE) == set(problems.catalogue()), "serve_app/problem_advice.py"


@pytest.mark.parametrize("code", problems.catalogue())
def test_the_type_of_every_problem_has_its_section(code: str) -> None:
    assert f"\n### {code}\n" in TEXT and f"`/problems/{code}`" in TEXT


def test_every_link_within_the_page_leads_somewhere() -> None:
    headings = re.findall(r"^#+ (.+)$", TEXT, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    assert set(re.findall(r"\]\(#([^)]+)\)", TEXT)) <= anchors


def test_every_limit_of_a_request_names_its_error() -> None:
    unbounded = {"max_concurrent_documents", "max_documents_in_work", "max_decoded_bytes"}
    for name in Limits.model_fields.keys() - unbounded:
        assert f"| `limits.{name}` |" in TEXT, f"say in the description of {name} with which status it ends"


def section(heading: str) -> str:
    _, _, rest = TEXT.partition(f"\n## {heading}\n")
    return rest.partition("\n## ")[0]


def header_rows() -> dict[str, tuple[str, str]]:
    _, _, answers = section("Headers").partition("What an answer carries:")
    rows = re.findall(r"^\| `([\w-]+)` \| (.+?) \| (.+) \|$", answers, re.MULTILINE)
    return {name: (where, meaning) for name, where, meaning in rows}


@pytest.mark.parametrize("output", ["json", "text", "pdf", "ndjson"])
async def test_answers_have_the_headers_that_the_page_says(tmp_path: Path, output: str) -> None:
    rows = header_rows()
    assert rows["Server-Timing"][0] == "200 of `POST`"
    assert rows["Retry-After"][0].startswith("200 of `GET /jobs/{job_id}`, 202, ")
    assert "JSON lines" in rows["Server-Timing"][1] and "nor for JSON lines" in rows["Content-Disposition"][1]
    async with service(tmp_path) as client:
        read = await client.post(f"/ocr?format={output}", content=PNG)
        job = await ended(client, await submit(client, PNG, f"/jobs?format={output}"))
        result = await client.get(job.links.result)
    assert ("server-timing" in read.headers) == (output != "ndjson") and "server-timing" not in result.headers
    assert ("content-disposition" in read.headers) == (output not in ("json", "ndjson"))
    assert ("content-disposition" in result.headers) == (output != "json")


async def test_a_submission_answers_json_whatever_format_its_result_has(tmp_path: Path) -> None:
    async with service(tmp_path) as client:
        headers = {"Accept": "application/pdf", "Prefer": "wait=0"}
        taken = await client.post("/jobs", content=PNG, headers=headers)
    assert (taken.status_code, taken.headers["content-type"]) == (202, "application/json")
    assert taken.json()["format"] == "pdf" and "preference-applied" not in taken.headers


def test_retrying_names_the_status_of_every_problem_that_passes_and_of_no_other() -> None:
    by_wait, by_backoff, *_ = re.findall(r"^\| (?!answer|---)(.+) \|$", section("Retrying"), re.MULTILINE)
    passing = {str(kind.status) for kind in problems.catalogue().values() if kind.retry}
    assert set(re.findall(r"\b[45]\d\d\b", by_wait)) == passing
    assert "not `application/problem+json`" in by_backoff and "Idempotency-Key" in section("Retrying")
    assert "not `application/problem+json`" in contract.DESCRIPTION
