"""Check Serve configurations key by key: what Serve ignores silently is an error here.

    python -m serve_app.check_config [FILE ...]      default: every YAML file of the repository

One line a problem, ``file: path.to.key: message``; exit code 1 if there is any. Serve drops keys
it does not know at every level and fills in defaults for blocks that are left half-written, so a
misspelt ``max_ongoing_requests`` would quietly run with 5.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ray.runtime_env import RuntimeEnv
from ray.serve.config import AutoscalingConfig
from ray.serve.schema import ServeDeploySchema

from deployments.autoscaling import QueuedWork
from deployments.detection.config import DetectionTuning
from deployments.settings import StageTuning
from serve_app.app import INGRESS, deployment_names, stage_args
from serve_app.config import AppConfig
from serve_app.config_keys import Problem, did_you_mean, invalid, join, unknown_keys
from serve_app.environment import ROOT
from serve_app.yaml_files import YamlError, mentions_serve, read, yaml_files

IMPORT_PATH = "serve_app.app:build"
# Mappings that Serve's schema leaves open, with the keys that Ray knows.
OPEN_BLOCKS = {"runtime_env": RuntimeEnv.known_fields}
POLICY = "deployments.autoscaling:QueuedWorkPolicy"
DEPLOYMENT_KEYS = ("max_ongoing_requests", "ray_actor_options")
AUTOSCALING_KEYS = (
    "min_replicas",
    "max_replicas",
    "upscale_delay_s",
    "downscale_delay_s",
)


def check(config: Any) -> list[Problem]:
    """All problems of one Serve configuration, in the order of the file's sections."""
    if not isinstance(config, dict):
        return [Problem("", "must be a mapping with a list of applications")]
    problems = [
        *unknown_keys(ServeDeploySchema, config, "", OPEN_BLOCKS),
        *invalid(ServeDeploySchema, config, ""),
    ]
    applications = config.get("applications")
    for index, application in enumerate(applications if isinstance(applications, list) else []):
        if isinstance(application, dict):
            problems += _check_application(application, f"applications[{index}]")
    return list(dict.fromkeys(problems))


def check_file(path: Path) -> list[Problem]:
    """All problems of the Serve configurations in a file; a file without any is a problem too."""
    try:
        configs = read(path)
    except YamlError as error:
        return [Problem("", str(error))]
    if not configs:
        return [Problem("", "holds no Serve configuration: no applications, no serveConfigV2")]
    return [
        Problem(join(config.key, problem.path), problem.message)
        for config in configs
        for problem in check(config.content)
    ]


def _check_application(application: Mapping[str, Any], path: str) -> Iterator[Problem]:
    listed = application.get("deployments")
    deployments: dict[str, tuple[Mapping[str, Any], str]] = {}
    for index, deployment in enumerate(listed if isinstance(listed, list) else []):
        if isinstance(deployment, dict):
            name, where = str(deployment.get("name")), f"{path}.deployments[{index}]"
            if name in deployments:
                yield Problem(where, f"{name} has a block already; Serve would take the last one of them")
            deployments.setdefault(name, (deployment, where))
            yield from _check_deployment(deployment, where)
    given = application.get("import_path")
    if given != IMPORT_PATH:
        if not _is_meant_for_ours(given):
            return
        yield Problem(f"{path}.import_path", f"no application of ours{did_you_mean(given, [IMPORT_PATH])}")
    args = application.get("args") or {}
    problems = [
        *unknown_keys(AppConfig, args, f"{path}.args"),
        *invalid(AppConfig, args, f"{path}.args"),
    ]
    yield from problems
    if problems:
        return
    config = AppConfig.model_validate(args)
    bound = deployment_names(config)
    shares = {name: stage.gpu_memory_fraction for name, stage in stage_args(config).items()}
    for name in bound.keys() - deployments.keys():
        yield Problem(f"{path}.deployments", f"{name} has no block, but these args bind it")
    for name, (deployment, where) in deployments.items():
        if name not in bound:
            yield Problem(f"{where}.name", f"these args bind no {name!r}{did_you_mean(name, bound)}")
        else:
            yield from _check_tuning(deployment, bound[name], where)
            yield from _check_gpu(deployment, shares.get(name), where)
            if name != INGRESS:
                yield from _check_queue(deployment, where, config)
    if INGRESS in deployments:
        yield from _check_drain(*deployments[INGRESS], config.limits.request_deadline_s)


def _is_meant_for_ours(import_path: Any) -> bool:
    """Whether an import path is ours misspelt, and no application of somebody else's."""
    package = re.split(r"[.:]", str(import_path))[0]
    return bool(did_you_mean(package, [IMPORT_PATH.split(".")[0]]))


def _check_drain(deployment: Mapping[str, Any], path: str, deadline_s: float) -> Iterator[Problem]:
    """An ingress that is replaced finishes what it has in hand, for as long as a request may take."""
    given, where = deployment.get("graceful_shutdown_timeout_s"), f"{path}.graceful_shutdown_timeout_s"
    if given is None:
        yield Problem(where, "missing; Serve would take a default that breaks off requests")
    elif isinstance(given, int | float) and given < deadline_s:
        yield Problem(
            where,
            f"{given:g} breaks off requests when the ingress is replaced: they may take {deadline_s:g} s "
            "(limits.request_deadline_s)",
        )


def _check_queue(deployment: Mapping[str, Any], path: str, config: AppConfig) -> Iterator[Problem]:
    """While a stage restarts all calls of an ingress wait for it: each page in work, of jobs too, has one."""
    queue = deployment.get("max_queued_requests", -1)
    calls = config.limits.max_documents_in_work * config.pipeline.pages_in_flight
    if isinstance(queue, int) and 0 <= queue < calls:
        yield Problem(
            f"{path}.max_queued_requests",
            f"{queue} fails documents while the stage restarts: an ingress may have {calls} calls waiting "
            "(limits.max_documents_in_work x pipeline.pages_in_flight)",
        )


def _check_deployment(deployment: Mapping[str, Any], path: str) -> Iterator[Problem]:
    """Blocks must be complete: Serve replaces a block as a whole and fills in its own defaults."""
    for key in DEPLOYMENT_KEYS:
        if key not in deployment:
            yield Problem(f"{path}.{key}", "missing; Serve would take a default that fits nobody")
    options = deployment.get("ray_actor_options")
    if isinstance(options, dict) and "num_cpus" not in options:
        yield Problem(f"{path}.ray_actor_options.num_cpus", "missing; Serve would reserve one whole CPU")
    autoscaling, replicas = deployment.get("autoscaling_config"), deployment.get("num_replicas")
    if (autoscaling is None) == (replicas is None) or replicas == "auto":
        yield Problem(path, "needs either num_replicas as a number or a whole autoscaling_config")
    if isinstance(autoscaling, dict):
        yield from _check_autoscaling(deployment, autoscaling, f"{path}.autoscaling_config")


def _check_gpu(deployment: Mapping[str, Any], memory_share: float | None, path: str) -> Iterator[Problem]:
    """As many replicas share a card as their fractions of it allow, and none may take another's memory."""
    options = deployment.get("ray_actor_options")
    gpus = options.get("num_gpus") if isinstance(options, dict) else None
    where = f"{path}.ray_actor_options.num_gpus"
    if isinstance(gpus, str):
        yield Problem(where, f"{gpus!r} is a text: write the number without quotes")
        return
    if not isinstance(gpus, int | float) or not 0 < gpus < 1:
        if memory_share is not None and memory_share < 1 and gpus is None:
            yield Problem(where, "missing, but the args give its replicas a share of a GPU's memory")
        return
    if memory_share is None:
        yield Problem(where, f"{gpus}, but the args do not bound its memory: set gpu_memory_fraction")
    elif memory_share > gpus:
        yield Problem(
            where, f"{gpus} is less than gpu_memory_fraction ({memory_share}): a card would overflow"
        )


def _check_autoscaling(
    deployment: Mapping[str, Any], autoscaling: Mapping[str, Any], path: str
) -> Iterator[Problem]:
    policy, problems = autoscaling.get("policy"), []
    if policy is not None:
        problems = list(_check_policy(policy, f"{path}.policy"))
        yield from problems
    # The schema takes a bare mapping here, so Serve looks at its values only when it deploys. It
    # imports the policy then; one that is wrong has been told already.
    yield from invalid(AutoscalingConfig, {**autoscaling, "policy": {}} if problems else autoscaling, path)
    # Our policy counts work: how many requests there should be is no matter to it.
    needed = AUTOSCALING_KEYS if policy is not None else (*AUTOSCALING_KEYS, "target_ongoing_requests")
    for key in needed:
        if key not in autoscaling:
            yield Problem(f"{path}.{key}", "missing; Serve would take a default that fits nobody")
    target, limit = autoscaling.get("target_ongoing_requests"), deployment.get("max_ongoing_requests")
    if isinstance(target, int | float) and isinstance(limit, int) and target > limit:
        yield Problem(
            f"{path}.target_ongoing_requests",
            f"{target} is above max_ongoing_requests ({limit}), so load could never ask for a replica",
        )


def _check_policy(policy: Any, path: str) -> Iterator[Problem]:
    """Serve looks for a policy, and a policy at its parameters, only when all is deployed."""
    function = policy.get("policy_function") if isinstance(policy, dict) else policy
    if function != POLICY:
        yield Problem(f"{path}.policy_function", f"unknown policy{did_you_mean(function, [POLICY])}")
        return
    where = f"{path}.policy_kwargs"
    kwargs = (policy.get("policy_kwargs") or {}) if isinstance(policy, dict) else {}
    if not isinstance(kwargs, dict):
        yield Problem(where, "must be a mapping")
        return
    yield from unknown_keys(QueuedWork, kwargs, where)
    yield from invalid(QueuedWork, kwargs, where)
    for name in QueuedWork.model_fields.keys() - kwargs.keys():
        yield Problem(f"{where}.{name}", "missing; each stage has its own")


def _check_tuning(
    deployment: Mapping[str, Any], tuning: type[StageTuning] | None, path: str
) -> Iterator[Problem]:
    user_config = deployment.get("user_config")
    if tuning is None:
        if user_config is not None:
            yield Problem(f"{path}.user_config", f"{deployment['name']} takes none")
        return
    where = f"{path}.user_config"
    if user_config is None:
        yield Problem(where, "missing; running replicas would keep what they have: {} takes the defaults")
        return
    problems = [
        *unknown_keys(tuning, user_config, where),
        *invalid(tuning, user_config, where),
    ]
    yield from problems
    limit = deployment.get("max_ongoing_requests")
    if problems or not isinstance(limit, int):
        return
    # A detection call carries one page, so a batch is as many calls; the other stages get a page's
    # crops in one call. One batch must be able to wait while another runs.
    batch = tuning.model_validate(user_config).batch
    calls = batch.max_items if issubclass(tuning, DetectionTuning) else 1
    if limit < 2 * calls:
        message = f"{limit} is too small: {calls} calls make a batch and the next one must be able to wait"
        yield Problem(f"{path}.max_ongoing_requests", f"{message}, {2 * calls} at least")


def _default_files() -> list[Path]:
    found = []
    for path in yaml_files(ROOT):
        try:
            if read(path):
                found.append(path)
        except YamlError:
            if mentions_serve(path):
                found.append(path)
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("files", type=Path, nargs="*", metavar="FILE")
    files = parser.parse_args(arguments).files or _default_files()
    number = 0
    for path in files:
        for problem in check_file(path):
            number += 1
            print(
                f"{path}: {problem.path}: {problem.message}" if problem.path else f"{path}: {problem.message}"
            )
    print(f"{len(files)} files checked, {number or 'no'} problems", file=sys.stderr)
    return 1 if number else 0


if __name__ == "__main__":
    sys.exit(main())
