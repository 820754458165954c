from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import BaseModel, ValidationError

from deployments.errors import StageFailed
from deployments.types import Kind
from serve_app import contract, openapi, problems, schemas, stream_schemas
from serve_app.api import create_api
from serve_app.jobs.contract import EXAMPLE_JOB
from serve_app.jobs.schemas import JobView, ResultQuery
from serve_app.keys import entry, new_key
from serve_app.middleware.config import Access, KeySource
from serve_app.render import json as json_format
from serve_app.render import text as text_format
from serve_app.results import DocumentResult, PageResult, Region
from tests.api_client import Config
from tests.readers import InkReader

ROOT = Path(__file__).parents[2]
MODELS = [
    model
    for model in (vars(schemas) | vars(stream_schemas)).values()
    if isinstance(model, type) and issubclass(model, BaseModel) and model is not BaseModel
]


def document() -> DocumentResult:
    quad = np.float32([[10.04, 20], [110, 24.96], [108, 45], [8, 40]])
    read = Region(quad, 0.91234567, Kind.HANDWRITTEN, 0.75, "Привет", 0.123456, "crnn")
    lost = Region(quad + np.float32([0, 40]), 0.5, error=StageFailed("Unread."))
    return DocumentResult(
        (
            PageResult(0, 200, 100, skew_deg=-2.8571, regions=(read, lost)),
            PageResult(1, 200, 100, error=StageFailed("Lost.")),
        ),
        {"detection": 3.14159},
        {"detection": "yolo"},
    )


def test_the_answer_has_the_agreed_shape_and_no_false_precision() -> None:
    answer = json.loads(json_format.render(document(), "id", {"total": 12.3456}).model_dump_json())
    assert answer["timings_ms"] == {"total": 12.3} and answer["engines"] == {"detection": "yolo"}
    first, second = answer["pages"]
    assert (first["page"], first["width"], first["height"], first["skew_deg"]) == (1, 200, 100, -2.86)
    assert first["text"] == "Привет" and first["error"] is None
    assert first["regions"][0] == {
        "bbox": {"x": 8.0, "y": 20.0, "width": 102.0, "height": 25.0},
        "polygon": [[10.0, 20.0], [110.0, 25.0], [108.0, 45.0], [8.0, 40.0]],
        "kind": "handwritten",
        "kind_confidence": 0.75,
        "text": "Привет",
        "confidence": 0.1235,
        "detection_confidence": 0.9123,
        "engine": "crnn",
        "error": None,
        "words": None,
    }
    assert first["regions"][1]["error"] == {"code": "stage_failed", "detail": "Unread."}
    assert (second["text"], second["regions"], second["error"]["code"]) == (None, [], "stage_failed")


def test_plain_text_parts_pages_by_form_feeds() -> None:
    assert text_format.render(document()) == "Привет\n\f\n"


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_wire_models_never_change(model: type[BaseModel]) -> None:
    assert model.model_config.get("frozen")


@pytest.mark.parametrize("model", [schemas.OcrQuery, schemas.EncodedDocument, ResultQuery])
def test_requests_with_unknown_fields_are_refused(model: type[BaseModel]) -> None:
    with pytest.raises(ValidationError, match="colour\n  Extra inputs are not permitted"):
        model.model_validate({"image": "data:,", "colour": "red"})


def test_answers_may_have_more_fields_than_a_client_knows() -> None:
    """A schema that closes an answer breaks strict clients with the first field that is added."""
    known = json.loads(openapi.contract_json())["components"]["schemas"]
    closed = {name for name, schema in known.items() if schema.get("additionalProperties") is False}
    assert closed == {"EncodedDocument"}
    schemas.Answer.model_validate(contract.EXAMPLE | {"pages_per_s": 3})
    JobView.model_validate(EXAMPLE_JOB | {"priority": 1})


def test_confidences_are_probabilities() -> None:
    with pytest.raises(ValidationError, match="kind_confidence"):
        region = contract.EXAMPLE["pages"][0]["regions"][0]
        schemas.RegionView.model_validate(region | {"kind_confidence": 1.5})


def test_the_published_example_is_an_answer() -> None:
    answer = schemas.Answer.model_validate(contract.EXAMPLE)
    assert json.loads(answer.model_dump_json()) == contract.EXAMPLE


def test_the_committed_contract_is_that_of_the_code() -> None:
    committed = (ROOT / "openapi.json").read_text(encoding="utf-8")
    assert committed == openapi.contract_json(), "run: python -m serve_app.openapi"


def test_writing_the_contract(tmp_path: Path) -> None:
    openapi.main([str(tmp_path / "contract.json")])
    assert json.loads((tmp_path / "contract.json").read_text(encoding="utf-8"))["openapi"].startswith("3.")


def test_an_option_is_not_the_name_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        openapi.main(["--help"])
    assert not list(tmp_path.iterdir())


def operations() -> dict[str, dict[str, Any]]:
    paths = json.loads(openapi.contract_json())["paths"]
    return {f"{method} {path}": route for path, routes in paths.items() for method, route in routes.items()}


def test_every_operation_is_documented() -> None:
    assert set(operations()) == {
        "post /ocr", "post /api/", "get /healthz", "get /readyz", "get /problems/{code}",
        "post /jobs", "get /jobs/{job_id}", "get /jobs/{job_id}/result", "delete /jobs/{job_id}",
    }  # fmt: skip
    for route in operations().values():
        assert route["description"] and route["operationId"] and route["tags"]


@pytest.mark.parametrize("name", ["post /ocr", "post /api/"])
def test_every_problem_of_a_reading_has_an_example(name: str) -> None:
    responses = operations()[name]["responses"]
    assert list(responses) == [
        "200", "400", "401", "406", "408", "413", "415", "422", "429", "431", "500", "503", "504"
    ]  # fmt: skip
    shown = set()
    for status, response in responses.items():
        for code, example in response["content"].get(problems.MEDIA_TYPE, {}).get("examples", {}).items():
            schemas.Problem.model_validate(example["value"])
            assert (str(example["value"]["status"]), example["value"]["type"]) == (
                status,
                f"/problems/{code}",
            )
            shown.add(code)
    elsewhere = {"not_found", "method_not_allowed", "not_ready"}
    of_jobs = {code for code in problems.catalogue() if "job" in code} | {"idempotency_key_reused"}
    assert shown == set(problems.catalogue()) - elsewhere - of_jobs


def test_unready_is_of_two_kinds_and_one_tells_the_stages() -> None:
    content = operations()["get /readyz"]["responses"]["503"]["content"][problems.MEDIA_TYPE]
    stages, plain = (choice["$ref"].rpartition("/")[2] for choice in content["schema"]["anyOf"])
    values = {code: example["value"] for code, example in content["examples"].items()}
    assert (stages, plain, set(values)) == ("StagesProblem", "Problem", {"not_ready", "stopping"})
    schemas.StagesProblem.model_validate(values["not_ready"])
    assert schemas.Problem.model_validate(values["stopping"]).model_dump() == values["stopping"]


def test_every_reference_in_the_contract_leads_somewhere() -> None:
    text = openapi.contract_json()
    known = json.loads(text)["components"]["schemas"]
    assert {name for name in re.findall(r'"#/components/schemas/(\w+)"', text)} <= set(known)
    assert "HTTPValidationError" not in known and '"#/$defs/' not in text


def test_operations_that_take_work_name_keys_and_rates() -> None:
    contract_ = json.loads(openapi.contract_json())
    assert set(contract_["components"]["securitySchemes"]) == {"bearer", "header"}
    for name, route in operations().items():
        headers = next(iter(route["responses"].values()))["headers"]
        closed, takes_work = name.endswith("/ocr") or "/jobs" in name or "/api/" in name, "post" in name
        assert ("security" in route) == closed and ("RateLimit" in headers) == takes_work, name
        assert ("401" in route["responses"]) == closed and ("429" in route["responses"]) == takes_work
    refused = operations()["post /ocr"]["responses"]
    assert "WWW-Authenticate" in refused["401"]["headers"] and "Retry-After" in refused["429"]["headers"]


def test_keys_are_optional_in_the_contract_only_where_they_are() -> None:
    assert {} in operations()["post /ocr"]["security"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OCR_KEYS", entry("alice", new_key()))
        access = Access(keys=KeySource(environment="OCR_KEYS"))
        strict = create_api(InkReader(), Config(access=access)).openapi()
    assert strict["paths"]["/ocr"]["post"]["security"] == [{"bearer": []}, {"header": []}]
