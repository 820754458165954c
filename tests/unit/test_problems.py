from __future__ import annotations

import pytest

from deployments.errors import DeadlineExceeded, OcrError, Overloaded, PayloadTooLarge
from serve_app import problems


def test_the_catalogue_has_every_kind_once_and_only_leaves() -> None:
    kinds = problems.catalogue()
    assert {"payload_too_large", "overloaded", "not_found", "not_ready", "internal"} <= set(kinds)
    assert not {"bad_input", "retry_later", "service_error"} & set(kinds)
    assert all(kind.code == code and 400 <= kind.status < 600 and kind.title for code, kind in kinds.items())


def test_only_what_may_pass_is_worth_a_retry() -> None:
    assert problems.kind_of(Overloaded).retry
    assert not problems.kind_of(DeadlineExceeded).retry


def test_a_problem_without_detail_repeats_its_title() -> None:
    problem = problems.problem(problems.INTERNAL, "", "id")
    assert problem.detail == problem.title
    assert (problem.type, problem.status, problem.request_id) == ("/problems/internal", 500, "id")


@pytest.mark.parametrize(("seconds", "header"), [(0.0, "1"), (1.0, "1"), (1.2, "2"), (30.0, "30")])
def test_retry_after_is_whole_seconds_rounded_up(seconds: float, header: str) -> None:
    assert problems.retry_headers(Overloaded(retry_after_s=seconds)) == {"Retry-After": header}


@pytest.mark.parametrize("error", [PayloadTooLarge(), OcrError()])
def test_other_errors_ask_for_no_retry(error: OcrError) -> None:
    assert problems.retry_headers(error) == {}


def test_a_status_without_a_name_of_ours_keeps_its_own() -> None:
    assert problems.kind_of_status(404).code == "not_found"
    kind = problems.kind_of_status(409)
    assert (kind.code, kind.title) == ("http_409", "Conflict")
