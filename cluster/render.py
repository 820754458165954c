"""Writes the parts of the cluster's files that repeat others: ``python -m cluster.render``.

A manifest is written by hand, around regions that are rendered:

    # rendered from SOURCE
    ...
    # end of SOURCE

Everything between the two lines is replaced, at the indentation of the first. Some files are
rendered whole. A test compares the committed files with what this writes.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import yaml

from cluster import dashboard, ray_environment
from cluster.promql import APPLICATION

ROOT = Path(__file__).resolve().parents[1]
CLUSTER = ROOT / "cluster"

_REGION = re.compile(
    r"^(?P<indent> *)# rendered from (?P<source>.+)\n(?P<body>(?:.*\n)*?)(?P=indent)# end of (?P=source)$",
    re.MULTILINE,
)
_LOCAL_LINES = {"  host: 127.0.0.1": "  host: 0.0.0.0", "  encoding: TEXT": "  encoding: JSON"}
_CPU_HEAD = """\
# One node without a GPU, in a container: serve_config.yaml, reachable from outside the container and
# with logs as JSON. Rendered (make cluster-files).
"""

_ONE_GPU_HEAD = """\
# One node with one GPU: one set of replicas of serve_config.gpu.yaml, where the reasons stand.
# Rendered (make cluster-files).
"""


def cpu_config() -> str:
    """The local default for a container."""
    text = (ROOT / "serve_config.yaml").read_text(encoding="utf-8")
    for local, contained in _LOCAL_LINES.items():
        if text.count(f"{local}\n") != 1:
            raise ValueError(f"serve_config.yaml no longer has one line {local!r}")
        text = text.replace(f"{local}\n", f"{contained}\n")
    return _CPU_HEAD + text[text.index("proxy_location:") :]


def one_gpu_config() -> str:
    """The production configuration on a single node: one set of replicas, which does not scale."""
    config = yaml.safe_load((CLUSTER / "serve_config.gpu.yaml").read_text(encoding="utf-8"))
    # On one machine the built-in store of jobs does.
    del config["applications"][0]["args"]["jobs"]
    for deployment in config["applications"][0]["deployments"]:
        number = deployment["max_replicas_per_node"]
        deployment["autoscaling_config"] |= {"min_replicas": number, "max_replicas": number}
        # Of an upgrade of the cluster (docs/operations.md), and more than one node holds.
        deployment["autoscaling_config"].pop("initial_replicas", None)
    return _ONE_GPU_HEAD + yaml.safe_dump(config, sort_keys=False, width=110)


def replicas_at_their_maximum() -> str:
    """PromQL for the deployments that have as many replicas as the production configuration allows."""
    config = yaml.safe_load((CLUSTER / "serve_config.gpu.yaml").read_text(encoding="utf-8"))
    series = "ray_serve_autoscaling_target_replicas"
    return "  or\n".join(
        f'{series}{{{APPLICATION}, deployment="{each["name"]}"}} >= '
        f"{each['autoscaling_config']['max_replicas']}\n"
        for each in config["applications"][0]["deployments"]
    )


def environment_of_container() -> str:
    """ray.env as ``env`` of a Kubernetes container."""
    lines: list[str] = []
    for variable in ray_environment.load():
        lines += [f"# {line}" for line in variable.reason]
        lines += [f"- name: {variable.name}", f'  value: "{variable.value}"']
    return "\n".join(lines) + "\n"


def environment_of_docker() -> str:
    """ray.env as options of ``docker run``; the reasons stand in ray.env."""
    return "".join(f"- --env={v.name}={v.value}\n" for v in ray_environment.load())


def _file(name: str) -> Callable[[], str]:
    return lambda: (CLUSTER / name).read_text(encoding="utf-8")


SOURCES: Mapping[str, Callable[[], str]] = {
    "cluster/serve_config.gpu.yaml": _file("serve_config.gpu.yaml"),
    "cluster/ray.env": environment_of_container,
    "cluster/ray.env for docker run": environment_of_docker,
    "the bounds in cluster/serve_config.gpu.yaml": replicas_at_their_maximum,
    # A region of it is rendered itself, and may be older on disk.
    "cluster/monitoring/alerts.yaml": lambda: with_regions(_file("monitoring/alerts.yaml")()),
}
WHOLE: Mapping[str, Callable[[], str]] = {
    "serve_config.cpu.yaml": cpu_config,
    "serve_config.one-gpu.yaml": one_gpu_config,
    "monitoring/grafana/dashboards/scriptorium.json": dashboard.text,
}


def with_regions(text: str) -> str:
    """A manifest with its regions rendered anew.

    Raises KeyError for a region of a source that does not exist.
    """

    def region(found: re.Match[str]) -> str:
        indent, source = found["indent"], found["source"]
        body = "".join(f"{indent}{line}\n" if line else "\n" for line in SOURCES[source]().splitlines())
        return f"{indent}# rendered from {source}\n{body}{indent}# end of {source}"

    return _REGION.sub(region, text)


def files() -> dict[Path, str]:
    """Every file with something rendered in it, and what it should say."""
    found = {CLUSTER / name: render() for name, render in WHOLE.items()}
    for path in sorted(CLUSTER.rglob("*.yaml")):
        text = path.read_text(encoding="utf-8")
        if path not in found and _REGION.search(text):
            found[path] = with_regions(text)
    return found


def main() -> int:
    for path, text in files().items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            print(f"wrote {path.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
