from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from serve_app import contract, problems
from serve_app.config import Limits
from serve_app.http_docs import PAGE, page
from serve_app.openapi import contract_json
from serve_app.problem_advice import ADVICE
from serve_app.schemas import Problem
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


def field_rows(schema: str) -> dict[str, tuple[str, str]]:
    _, _, rest = TEXT.partition(f"\n### {schema}\n")
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \| (.+) \|$", rest.partition("\n##")[0], re.MULTILINE)
    return {name: (kind, meaning) for name, kind, meaning in rows}


def test_every_field_of_every_answer_is_described() -> None:
    answered = json.loads(contract_json())["components"]["schemas"]
    del answered["EncodedDocument"]
    for name, schema in answered.items():
        inherited = Problem.model_fields if re.fullmatch(".+Problem", name) else ()
        expected = set(schema.get("properties", ())) - set(inherited)
        assert set(field_rows(name)) == expected, name
        assert all(meaning.strip() for _, meaning in field_rows(name).values()), name


def test_fields_say_their_type_their_unit_and_when_they_are_null() -> None:
    region, page_ = field_rows("RegionView"), field_rows("PageView")
    assert region["polygon"][0] == "4 points `[x, y]`"
    assert "top left, top right, bottom right, bottom left" in region["polygon"][1]
    assert region["kind"][0] == "`handwritten`, `printed` or null"
    assert region["confidence"][0] == "number from 0 to 1 or null"
    assert page_["regions"][0] == "list of [RegionView](#regionview)"
    assert "positive when they rise to the right" in page_["skew_deg"][1]
    for name in ("Answer", "PageView", "RegionView", "WordView", "JobView"):
        for field, (kind, meaning) in field_rows(name).items():
            # Every region that is answered has been given to an engine.
            assert ("null" in meaning) == (" or null" in kind) or field == "engine", (name, field)


def test_the_bodies_of_state_are_shown() -> None:
    shown = [json.loads(body) for body in re.findall(r"^```json\n(\{.*\})\n```$", TEXT, re.MULTILINE)]
    assert {"status": "alive"} in shown
    assert [set(body["stages"].values()) for body in shown if "stages" in body] == [{True}, {True, False}]
    assert problems.catalogue()["overloaded"].model_dump() in shown


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
