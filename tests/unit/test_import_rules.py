"""Who may import whom (docs/architecture.md), how long a file may be, and that Ray stays at the edges."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("serve_app", "deployments", "training", "benchmarks", "cluster")
STAGES = ("detection", "classification", "recognition")
MAX_LINES = 350

# A library may be imported only by the files that match one of its patterns.
CONFINED = {
    "ray": (
        "serve_app/app.py",
        "serve_app/ingress.py",
        "serve_app/telemetry.py",
        "serve_app/check_config.py",
        "serve_app/batch/job.py",
        "serve_app/batch/__main__.py",
        "deployments/stage.py",
        "deployments/metrics.py",
        "deployments/autoscaling.py",
        "deployments/*/deployment.py",
        "benchmarks/*.py",
        "cluster/local_nodes.py",
        "benchmarks/speed/*.py",
    ),
    "torch": (
        "deployments/*/yolo*.py",
        "deployments/*/craft*.py",
        "deployments/*/clip*.py",
        "deployments/*/cnn*.py",
        "deployments/*/trocr*.py",
        "deployments/*/crnn*.py",
        "deployments/*/tensors.py",
        "deployments/precision.py",
        "deployments/gpu_memory.py",
        "training/*.py",
        "training/*/*.py",
        "benchmarks/*.py",
        "benchmarks/speed/*.py",
    ),
    # Of the layer ``batch``, which the service runs without.
    "pyarrow": ("serve_app/batch/*.py",),
    "fastapi": ("serve_app/*.py", "serve_app/middleware/*.py", "serve_app/jobs/routes.py"),
    "starlette": ("serve_app/*.py", "serve_app/middleware/*.py", "serve_app/jobs/routes.py"),
    "sqlite3": ("serve_app/jobs/*.py",),
    "ultralytics": ("deployments/detection/yolo*.py", "training/detection*.py"),
}
CONFINED |= {name: CONFINED["torch"] for name in ("torchvision", "transformers", "open_clip", "timm")}

# What no room may import. The service never depends on how its weights were made.
FORBIDDEN = {
    "serve_app": ("training", "benchmarks", "cluster", "tests"),
    "deployments": ("serve_app", "training", "benchmarks", "cluster", "tests"),
    "training": ("serve_app", "benchmarks", "cluster", "tests"),
    "benchmarks": ("tests",),
    "cluster": ("training", "tests"),
}


def source_files() -> list[Path]:
    return sorted(path.relative_to(ROOT) for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def imported_modules(source: str, package: str) -> Iterator[str]:
    """Absolute names of all imported modules, those inside functions and of relative imports included."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            module = ".".join([*base, *filter(None, [node.module])])
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def violations(path: Path, source: str) -> list[str]:
    """What the import rules say against a file at ``path``, relative to the repository."""
    room, found = path.parts[0], []
    for module in imported_modules(source, ".".join(path.parent.parts)):
        top = module.split(".")[0]
        if top in FORBIDDEN.get(room, ()):
            found.append(f"{path}: {room} must not import {module}")
        if top in CONFINED and not any(matches(path, pattern) for pattern in CONFINED[top]):
            found.append(f"{path}: {top} is imported only by {', '.join(CONFINED[top])}")
        if room == "deployments" and path.parts[1] in STAGES:
            others = {f"deployments.{stage}" for stage in STAGES} - {f"deployments.{path.parts[1]}"}
            if any(module == other or module.startswith(f"{other}.") for other in others):
                found.append(f"{path}: a stage must not import another: {module}")
    return found


def matches(path: Path, pattern: str) -> bool:
    """fnmatch where ``*`` stays inside one directory."""
    parts, patterns = path.parts, pattern.split("/")
    return len(parts) == len(patterns) and all(map(fnmatch, parts, patterns))


@pytest.mark.parametrize("path", source_files(), ids=str)
def test_imports_keep_to_the_rules(path: Path) -> None:
    assert violations(path, (ROOT / path).read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("deployments/detection/yolo.py", "from deployments.recognition import decode"),
        ("deployments/detection/yolo.py", "from deployments import recognition"),
        ("deployments/detection/yolo.py", "from ..recognition.decode import greedy"),
        ("deployments/batching.py", "import serve_app.config"),
        ("serve_app/pipeline.py", "import ray"),
        ("serve_app/pipeline.py", "def late():\n    from ray import serve"),
        ("serve_app/render/text.py", "import torch"),
        ("serve_app/config.py", "from training import metrics"),
        ("deployments/detection/preprocess.py", "import torch.nn"),
    ],
)
def test_a_breach_is_seen(path: str, source: str) -> None:
    assert violations(Path(path), source)


@pytest.mark.parametrize("path", [*source_files(), *sorted((ROOT / "tests").rglob("*.py"))], ids=str)
def test_files_stay_small(path: Path) -> None:
    number = len((ROOT / path).read_text(encoding="utf-8").splitlines())
    assert number <= MAX_LINES, f"{path} has {number} lines; cut it along its subjects"


RAY_FREE = (
    "serve_app.api",
    "serve_app.assembly",
    "serve_app.batch.worker",
    "serve_app.in_process",
    "serve_app.config",
    "serve_app.documents",
    "serve_app.launch",
    "serve_app.pipeline",
    "deployments.batching",
    "deployments.fakes",
    "deployments.weights",
    "deployments.detection.engines",
    "deployments.classification.engines",
    "deployments.recognition.engines",
)


def test_product_code_is_importable_without_ray() -> None:
    """Everything but the Serve shells works in an environment that has no Ray."""
    program = "import sys, importlib; sys.modules['ray'] = None\n"
    program += "\n".join(f"importlib.import_module({name!r})" for name in RAY_FREE)
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_choosing_an_engine_loads_no_network_library() -> None:
    """``engines`` modules import an engine only when it is built."""
    program = "import sys, deployments.detection.engines, deployments.classification.engines\n"
    program += "import deployments.recognition.engines, serve_app.api, serve_app.config\n"
    program += "print({'torch', 'transformers', 'ultralytics', 'open_clip'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, "set()"), done.stderr
