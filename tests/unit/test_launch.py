from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from serve_app import draining, launch
from serve_app.environment import OFFLINE, QUIET_RAY, environment
from serve_app.launch import (
    NOT_STARTED,
    config_on_port,
    drain_timeout_s,
    find_dashboard,
    main,
    run,
    summary,
)
from serve_app.listening import base_url, http_address


def test_nothing_is_fetched_unless_the_hub_is_allowed() -> None:
    assert OFFLINE.items() <= environment({}).items()
    assert not OFFLINE.keys() & environment({}, hub=True).keys()


def test_what_the_shell_sets_wins() -> None:
    name = next(iter(QUIET_RAY))
    assert environment({name: "mine", "HF_HUB_OFFLINE": "0"})[name] == "mine"
    assert environment({"HF_HUB_OFFLINE": "0"})["HF_HUB_OFFLINE"] == "0"


def test_the_repository_comes_first_on_the_python_path() -> None:
    root = str(Path(__file__).resolve().parents[2])
    assert environment({})["PYTHONPATH"] == root
    assert environment({"PYTHONPATH": "/else where"})["PYTHONPATH"] == f"{root}:/else where"


@pytest.mark.parametrize(
    ("excepted", "expected"),
    [({}, "127.0.0.1,localhost"), ({"no_proxy": ".bank"}, ".bank,127.0.0.1,localhost"),
     ({"NO_PROXY": ".bank"}, ".bank,127.0.0.1,localhost")],
)  # fmt: skip
def test_a_proxy_for_the_outside_is_not_asked_for_this_machine(
    excepted: dict[str, str], expected: str
) -> None:
    found = environment({"http_proxy": "http://proxy.bank:3128", **excepted})
    assert (found["no_proxy"], found["NO_PROXY"]) == (expected, expected)
    assert found["http_proxy"] == "http://proxy.bank:3128"


@pytest.mark.parametrize(
    ("config", "port", "expected"),
    [
        ({}, None, ("127.0.0.1", 8000)),
        ({"http_options": None}, None, ("127.0.0.1", 8000)),
        ({"http_options": {"host": "0.0.0.0", "port": 80}}, None, ("0.0.0.0", 80)),
        ({"http_options": {"port": 80}}, 90, ("127.0.0.1", 90)),
    ],
)
def test_http_address(config: dict[str, Any], port: int | None, expected: tuple[str, int]) -> None:
    assert http_address(config, port) == expected


@pytest.mark.parametrize(
    ("applications", "expected"),
    [
        ([{"args": {"limits": {"request_deadline_s": 240}}}], 240.0),
        ([{"args": {"limits": {"request_deadline_s": 5}}}, {"args": {}}], 60.0),
        ([{"name": "scriptorium"}], 60.0),
        (None, 60.0),
        ([{"args": {"limits": {"request_deadline_s": "soon"}}}], 60.0),
        ([{"args": 5}], 60.0),
    ],
)
def test_stopping_waits_as_long_as_a_request_may_take(applications: Any, expected: float) -> None:
    assert drain_timeout_s({"applications": applications}) == expected


def test_another_port_goes_into_a_copy_that_vanishes(tmp_path: Path) -> None:
    config = {"http_options": {"host": "0.0.0.0", "port": 1}, "applications": [{"name": "чтение"}]}
    original = tmp_path / "serve.yaml"
    with config_on_port(original, config, 2) as path:
        copy = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert copy == {**config, "http_options": {"host": "0.0.0.0", "port": 2}}
    assert not path.exists()
    with config_on_port(original, config, None) as path:
        assert path == original


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            "Started. View the dashboard at \x1b[1m\x1b[32mhttp://127.0.0.1:8265 \x1b[39m",
            "http://127.0.0.1:8265",
        ),
        ("View the dashboard at 127.0.0.1:8266", "http://127.0.0.1:8266"),
        ("INFO scripts.py -- Running config file", None),
    ],
)
def test_the_dashboard_is_found_in_the_output_of_ray(line: str, expected: str | None) -> None:
    assert find_dashboard(line) == expected


def test_the_summary_names_every_address() -> None:
    text = summary("http://127.0.0.1:8000", "http://127.0.0.1:8265", 12.3)
    for address in ("http://127.0.0.1:8000/ocr", "http://127.0.0.1:8000/docs", "http://127.0.0.1:8265"):
        assert address in text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: [", "line 1: "),
        ("- 1", "it holds no applications"),
        ("", "it holds no applications"),
        ("http_options: {port: 80}", "it holds no applications"),
        ("applications: [{}]\nhttp_options: [1]", "http_options must be a mapping"),
        ("applications: [{}]\nhttp_options: {port: many}", "must be a number from 1 to 65535, and is many"),
        ("applications: [{}]\nhttp_options: {port: }", "must be a number from 1 to 65535, and is None"),
        ("applications: [{}]\nhttp_options: {port: 70000}", "must be a number from 1 to 65535, and is 70000"),
    ],
)
def test_a_file_that_is_no_config_is_refused_in_words(
    tmp_path: Path, text: str, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "serve.yaml"
    path.write_text(text, encoding="utf-8")
    assert run(path, None, hub=False) == NOT_STARTED
    told = capsys.readouterr().err
    assert f"{path} is no Serve configuration: " in told and reason in told


def test_answers_that_are_on_their_way_have_a_moment_before_the_service_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []

    def answered(*_: object) -> bool:
        done.append("answered")
        return True

    monkeypatch.setattr(draining, "drain", answered)
    monkeypatch.setattr("serve_app.launch.time.sleep", lambda seconds: done.append(f"waited {seconds:g} s"))
    launch.drain(tmp_path, 60.0)
    assert done == ["answered", "waited 2 s"]


@pytest.mark.parametrize("port", ["0", "-5", "65536", "70000", "many"])
def test_a_port_that_there_is_not_is_refused_in_words(
    port: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["launch", "--port", port])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == NOT_STARTED
    assert f"must be a number from 1 to 65535, and is {port}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", "http://127.0.0.1:80"),
        ("0.0.0.0", "http://127.0.0.1:80"),
        ("::", "http://127.0.0.1:80"),
        ("::1", "http://[::1]:80"),
        ("scans.bank", "http://scans.bank:80"),
    ],
)
def test_the_address_to_open_is_one_that_can_be_opened(host: str, expected: str) -> None:
    assert base_url(host, 80) == expected
