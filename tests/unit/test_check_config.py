from __future__ import annotations

import copy
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from serve_app import check_config
from serve_app.check_config import check, check_file

ROOT = Path(__file__).resolve().parents[2]

Config = dict[str, Any]


@pytest.fixture
def config() -> Config:
    loaded: Config = yaml.safe_load((ROOT / "serve_config.yaml").read_text(encoding="utf-8"))
    return copy.deepcopy(loaded)


def application(config: Config) -> Config:
    found: Config = config["applications"][0]
    return found


def deployment(config: Config, name: str) -> Config:
    found: Config = next(d for d in application(config)["deployments"] if d["name"] == name)
    return found


def lines(config: Config) -> list[str]:
    return [f"{problem.path}: {problem.message}" for problem in check(config)]


def test_the_blocks_that_the_readme_shows_make_a_right_configuration(config: Config) -> None:
    """Under "Swap a model": what to write in the place of ours, and what to add."""
    section = (ROOT / "README.md").read_text(encoding="utf-8").split("## Swap a model")[1].split("\n## ")[0]
    args, deployments = map(yaml.safe_load, re.findall(r"```yaml\n(.*?)```", section, re.DOTALL))
    application(config)["args"].update(args)
    assert any("RecognitionTrocr has no block" in line for line in lines(config))
    application(config)["deployments"].extend(deployments)
    assert lines(config) == []


def test_every_config_of_the_repository_is_right() -> None:
    files = check_config._default_files()
    assert ROOT / "serve_config.yaml" in files
    assert {path: check_file(path) for path in files if check_file(path)} == {}


def rename(section: Callable[[Config], Config], key: str, new: str) -> Callable[[Config], None]:
    def edit(config: Config) -> None:
        section(config)[new] = section(config).pop(key)

    return edit


def put(section: Callable[[Config], Config], **values: Any) -> Callable[[Config], None]:
    def edit(config: Config) -> None:
        section(config).update(values)

    return edit


def drop(section: Callable[[Config], Config], key: str) -> Callable[[Config], None]:
    def edit(config: Config) -> None:
        del section(config)[key]

    return edit


def detection(config: Config) -> Config:
    return deployment(config, "Detection")


def autoscaling(config: Config) -> Config:
    found: Config = deployment(config, "OcrIngress")["autoscaling_config"]
    return found


def policy(config: Config) -> Config:
    found: Config = detection(config)["autoscaling_config"]["policy"]
    return found


def args(config: Config) -> Config:
    found: Config = application(config)["args"]
    return found


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (
            rename(lambda c: c, "http_options", "http_option"),
            "http_option: unknown key; did you mean 'http_options'?",
        ),
        (put(lambda c: c["http_options"], prot=1), "http_options.prot: unknown key; did you mean 'port'?"),
        (put(lambda c: c["http_options"], port="x"), "http_options.port: Input should be a valid integer"),
        (
            put(application, route_prefx="/"),
            "applications[0].route_prefx: unknown key; did you mean 'route_prefix'?",
        ),
        (
            rename(detection, "max_ongoing_requests", "max_ongoing_request"),
            "deployments[1].max_ongoing_request: unknown key; did you mean 'max_ongoing_requests'?",
        ),
        (drop(detection, "max_ongoing_requests"), "deployments[1].max_ongoing_requests: missing"),
        (
            put(detection, max_queued_requests=63),
            "deployments[1].max_queued_requests: 63 fails documents while the stage restarts: an ingress may "
            "have 64 calls waiting",
        ),
        (put(detection, max_ongoing_requests=3), "deployments[1].max_ongoing_requests: 3 is too small"),
        (
            rename(autoscaling, "target_ongoing_requests", "target_num_ongoing_requests"),
            "target_num_ongoing_requests: unknown key; did you mean 'target_ongoing_requests'?",
        ),
        (drop(autoscaling, "upscale_delay_s"), "deployments[0].autoscaling_config.upscale_delay_s: missing"),
        (put(autoscaling, min_replicas=5, max_replicas=2), "deployments[0].autoscaling_config"),
        (
            put(autoscaling, target_ongoing_requests=1000),
            "target_ongoing_requests: 1000 is above max_ongoing_requests",
        ),
        (drop(autoscaling, "target_ongoing_requests"), "target_ongoing_requests: missing"),
        (
            put(policy, policy_function="deployments.autoscaling:QueuedWorkPolice"),
            "unknown policy; did you mean 'deployments.autoscaling:QueuedWorkPolicy'?",
        ),
        (
            put(policy, policy_kwargs={"drain": 5, "target_utilisation": 0.8}),
            "policy_kwargs.drain: unknown key; did you mean 'drain_s'?",
        ),
        (put(policy, policy_kwargs={"drain_s": 5}), "policy_kwargs.target_utilisation: missing"),
        (
            put(policy, policy_kwargs={"drain_s": 0, "target_utilisation": 0.8}),
            "policy_kwargs.drain_s: Input should be greater than 0",
        ),
        (put(detection, num_replicas=2), "deployments[1]: needs either num_replicas"),
        (drop(detection, "autoscaling_config"), "deployments[1]: needs either num_replicas"),
        (
            put(lambda c: detection(c)["ray_actor_options"], num_gpu=0.5),
            "ray_actor_options.num_gpu: unknown key; did you mean 'num_gpus'?",
        ),
        (
            drop(lambda c: detection(c)["ray_actor_options"], "num_cpus"),
            "ray_actor_options.num_cpus: missing",
        ),
        (
            put(lambda c: detection(c)["ray_actor_options"], runtime_env={"env_var": {}}),
            "ray_actor_options.runtime_env.env_var: unknown key; did you mean 'env_vars'?",
        ),
        (
            put(lambda c: args(c)["detection"], engin="yolo"),
            "args.detection.engin: unknown key; did you mean 'engine'?",
        ),
        (
            put(lambda c: args(c)["detection"], engine="yollo"),
            "applications[0].args.detection.engine: Input should be",
        ),
        (
            put(lambda c: args(c)["limits"], max_pages=0),
            "applications[0].args.limits.max_pages: Input should be",
        ),
        (put(application, args=[1]), "applications[0].args: Input should be"),
        (
            put(detection, name="Detektion"),
            "deployments[1].name: these args bind no 'Detektion'; did you mean 'Detection'?",
        ),
        (put(detection, name="Detektion"), "applications[0].deployments: Detection has no block"),
        (put(detection, user_config={"treshold": 1}), "deployments[1].user_config.treshold: unknown key"),
        (
            put(detection, user_config={"batch": {"max_items": 0}}),
            "user_config.batch.max_items: Input should be",
        ),
        (
            put(lambda c: deployment(c, "OcrIngress"), user_config={"a": 1}),
            "user_config: OcrIngress takes none",
        ),
        (
            drop(lambda c: deployment(c, "OcrIngress"), "graceful_shutdown_timeout_s"),
            "graceful_shutdown_timeout_s: missing",
        ),
        (
            put(lambda c: application(c)["args"]["limits"], request_deadline_s=91),
            "deployments[0].graceful_shutdown_timeout_s: 90 breaks off requests",
        ),
        (
            put(lambda c: application(c)["args"]["jobs"], max_body_bytes=2**31 + 1),
            "jobs.max_body_bytes must not be above",
        ),
        (
            put(lambda c: application(c)["args"]["jobs"], max_stored_bytes=2**20),
            "jobs.max_body_bytes must not be above",
        ),
        (
            put(application, import_path="serve_app.app:bulid"),
            "import_path: no application of ours; did you mean 'serve_app.app:build'?",
        ),
        (put(application, import_path="server_app:build"), "import_path: no application of ours"),
        (
            lambda c: application(c)["deployments"].append(copy.deepcopy(detection(c))),
            "deployments[4]: Detection has a block already",
        ),
        (drop(detection, "user_config"), "deployments[1].user_config: missing"),
        (put(detection, user_config=None), "deployments[1].user_config: missing"),
        (
            put(lambda c: detection(c)["autoscaling_config"], policy=check_config.POLICY),
            "policy.policy_kwargs.",
        ),
        (put(policy, policy_kwargs=[1]), "policy.policy_kwargs: must be a mapping"),
        (
            put(lambda c: detection(c)["ray_actor_options"], num_gpus="0.5"),
            "num_gpus: '0.5' is a text",
        ),
        (put(lambda c: c, applications=7), "applications: Input should be a valid list"),
    ],
)
def test_a_mistake_is_found(config: Config, edit: Callable[[Config], None], expected: str) -> None:
    edit(config)
    assert any(expected in line for line in lines(config)), lines(config)


def test_a_misspelt_application_hides_no_other_mistake(config: Config) -> None:
    put(application, import_path="serve_app.app:bulid")(config)
    args(config)["limits"]["max_pagez"] = 1
    detection(config)["user_config"]["confidance"] = 0.9
    found = "\n".join(lines(config))
    assert "max_pagez" in found and "import_path" in found
    del args(config)["limits"]["max_pagez"]
    assert "confidance" in "\n".join(lines(config))


def test_the_first_of_two_blocks_is_looked_at(config: Config) -> None:
    application(config)["deployments"].append(copy.deepcopy(detection(config)))
    detection(config)["user_config"]["confidance"] = 0.9
    assert any("confidance" in line for line in lines(config))


def test_an_application_of_somebody_else_is_left_alone(config: Config) -> None:
    put(application, import_path="ourbank.archive.app:build", args={"anything": 1})(config)
    assert lines(config) == []


def test_unknown_keys_are_reported_once(config: Config) -> None:
    args(config)["detection"]["engin"] = "yolo"
    assert lines(config) == ["applications[0].args.detection.engin: unknown key; did you mean 'engine'?"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("applications: []\napplications: []\n", "line 2: the key 'applications' stands here twice"),
        ("applications:\n  - {\n", "line 3"),
        ("applications: [\x00]", "not YAML"),
        ("- 1\n- 2\n", "holds no Serve configuration"),
        ("", "holds no Serve configuration"),
        ("spec:\n  serveConfigV2: 3\n", "spec.serveConfigV2: must be a block of text"),
        ("spec:\n  serveConfigV2: |\n    a: 1\n    a: 2\n", "spec.serveConfigV2: line 2: the key 'a' stands"),
        ("spec:\n  serveConfigV2: just words\n", "must be a mapping"),
    ],
)
def test_a_file_that_is_no_config_is_said_to_be_none(tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text, encoding="utf-8")
    problems = check_file(path)
    assert any(expected in f"{p.path}: {p.message}" for p in problems), problems


def test_a_config_inside_a_manifest_is_checked_with_its_path(tmp_path: Path, config: Config) -> None:
    detection(config)["max_ongoing_request"] = 1
    path = tmp_path / "rayservice.yaml"
    path.write_text(yaml.safe_dump({"kind": "RayService", "spec": {"serveConfigV2": yaml.safe_dump(config)}}))
    (problem,) = check_file(path)
    assert problem.path == "spec.serveConfigV2.applications[0].deployments[1].max_ongoing_request"


def test_the_command_prints_a_line_a_problem(
    tmp_path: Path, config: Config, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "serve.yaml"
    path.write_text(yaml.safe_dump(config))
    assert check_config.main([str(path)]) == 0
    config["http_option"] = {}
    path.write_text(yaml.safe_dump(config))
    assert check_config.main([str(path), str(tmp_path / "absent.yaml")]) == 1
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == f"{path}: http_option: unknown key; did you mean 'http_options'?"
    assert printed[1].startswith(f"{tmp_path / 'absent.yaml'}: ")
