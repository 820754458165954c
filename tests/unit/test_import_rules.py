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
CONFINED: dict[str, tuple[str, ...]] = {
    "ray": (
        "serve_app/app.py",
        "serve_app/ingress.py",
        "serve_app/check_config.py",
        "serve_app/batch/job.py",
        "serve_app/batch/__main__.py",
        "deployments/metrics.py",
        "deployments/autoscaling.py",
        "deployments/*/deployment.py",
        "benchmarks/hop.py",
        "benchmarks/speed/serve_batch.py",
        "cluster/local_nodes.py",
    ),
    "torch": (
        "deployments/detection/yolo*.py",
        "deployments/detection/craft.py",
        "deployments/classification/clip.py",
        "deployments/classification/cnn.py",
        "deployments/recognition/trocr*.py",
        "deployments/recognition/crnn*.py",
        "deployments/*/tensors.py",
        "deployments/precision.py",
        "deployments/gpu_memory.py",
        "training/*.py",
        "benchmarks/crops.py",
        "benchmarks/speed/limit.py",
        "benchmarks/speed/monolith.py",
    ),
    "torchvision": ("deployments/detection/yolo_boxes.py",),
    "transformers": (
        "deployments/detection/craft.py",
        "deployments/recognition/trocr*.py",
        "training/detection_craft.py",
        "training/trocr_model.py",
    ),
    "open_clip": ("deployments/classification/clip.py", "training/classification_models.py"),
    "ultralytics": ("deployments/detection/yolo_network.py",),
    "timm": (),
    # Of the layer ``batch``, which the service runs without.
    "pyarrow": ("serve_app/batch/storage.py",),
    "fastapi": (
        "serve_app/api.py",
        "serve_app/contract.py",
        "serve_app/faults.py",
        "serve_app/ingress.py",
        "serve_app/site.py",
        "serve_app/streaming.py",
        "serve_app/middleware/stack.py",
        "serve_app/jobs/routes.py",
    ),
    "starlette": (
        "serve_app/disconnect.py",
        "serve_app/faults.py",
        "serve_app/site.py",
        "serve_app/streaming.py",
        "serve_app/uploads.py",
        "serve_app/middleware/*.py",
        "serve_app/jobs/routes.py",
    ),
    "sqlite3": ("serve_app/jobs/*.py",),
}

# What no room may import. The service never depends on how its weights were made.
FORBIDDEN = {
    "serve_app": ("training", "benchmarks", "cluster", "tests"),
    "deployments": ("serve_app", "training", "benchmarks", "cluster", "tests"),
    "training": ("serve_app", "benchmarks", "cluster", "tests"),
    "benchmarks": ("tests",),
    "cluster": ("training", "benchmarks", "tests"),
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
            found.append(f"{path}: {top} is imported only by {', '.join(CONFINED[top]) or 'nobody'}")
        if room == "deployments" and path.parts[1] in STAGES:
            others = {f"deployments.{stage}" for stage in STAGES} - {f"deployments.{path.parts[1]}"}
            if any(module == other or module.startswith(f"{other}.") for other in others):
                found.append(f"{path}: a stage must not import another: {module}")
    return found


def matches(path: Path, pattern: str) -> bool:
    """fnmatch where ``*`` stays inside one directory."""
    parts, patterns = path.parts, pattern.split("/")
    return len(parts) == len(patterns) and all(map(fnmatch, parts, patterns))


def test_imports_keep_to_the_rules() -> None:
    found = [each for path in source_files() for each in violations(path, (ROOT / path).read_text("utf-8"))]
    assert found == []


def test_no_leave_is_given_that_nobody_takes() -> None:
    """A pattern that no importing file matches would let a library in unseen."""
    importers: dict[str, list[Path]] = {library: [] for library in CONFINED}
    for path in source_files():
        modules = imported_modules((ROOT / path).read_text("utf-8"), ".".join(path.parent.parts))
        for library in {module.split(".")[0] for module in modules} & CONFINED.keys():
            importers[library].append(path)
    idle = [
        (library, pattern)
        for library, patterns in CONFINED.items()
        for pattern in patterns
        if not any(matches(path, pattern) for path in importers[library])
    ]
    assert idle == []


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
        ("cluster/render.py", "from benchmarks.records import write_record"),
        ("deployments/detection/preprocess.py", "import torch.nn"),
        ("deployments/stage.py", "import ray"),
        ("deployments/classification/cnn.py", "import timm"),
    ],
)
def test_a_breach_is_seen(path: str, source: str) -> None:
    assert violations(Path(path), source)


def test_files_stay_small() -> None:
    files = [*source_files(), *(path.relative_to(ROOT) for path in sorted((ROOT / "tests").rglob("*.py")))]
    lines = {str(path): len((ROOT / path).read_text("utf-8").splitlines()) for path in files}
    large = {path: number for path, number in lines.items() if number > MAX_LINES}
    assert not large, "cut them along their subjects"


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
