"""The environment is the one that the locks describe."""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOCKS = ("requirements.lock", "requirements-train.lock", "requirements-test.lock")


def pins(lock: str) -> dict[str, str]:
    text = (ROOT / lock).read_text(encoding="utf-8")
    return {canonical(name): version for name, version in re.findall(r"^([\w.-]+)==(\S+)", text, re.M)}


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def declared(*extras: str) -> dict[str, str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *(r for e in extras for r in project["optional-dependencies"][e])]
    return {canonical(re.split(r"[\[=]", r)[0]): r.partition("==")[2] for r in wanted}


@pytest.mark.parametrize(
    ("lock", "extras"), [(LOCKS[0], ()), (LOCKS[1], ("train",)), (LOCKS[2], ("train", "test"))]
)
def test_locks_follow_the_declared_versions(lock: str, extras: tuple[str, ...]) -> None:
    locked = pins(lock)
    assert {name: locked.get(name) for name in declared(*extras)} == declared(*extras)


def test_layers_agree_on_versions() -> None:
    """Each layer is installed over the one before."""
    runtime, train, test = map(pins, LOCKS)
    assert runtime.items() <= train.items() <= test.items()


def test_installed_versions_are_the_locked_ones() -> None:
    installed = {canonical(d.metadata["Name"]): d.version for d in importlib.metadata.distributions()}
    differing = {
        name: (installed.get(name), pin) for name, pin in pins(LOCKS[2]).items() if installed.get(name) != pin
    }
    assert differing == {}


def test_opencv_is_the_build_for_machines_without_a_display() -> None:
    with pytest.raises(importlib.metadata.PackageNotFoundError):
        importlib.metadata.version("opencv-python")
    program = "import cv2; print([m for m in open('/proc/self/maps') if 'libGL' in m or 'libX11' in m])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr


def test_every_tier_is_run_and_this_one_first() -> None:
    options = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["pytest"]
    named = options["ini_options"]["testpaths"]
    tests = {path.relative_to(ROOT).parts[1] for path in ROOT.glob("tests/*/**/test_*.py")}
    assert sorted(named) == sorted(f"tests/{tier}" for tier in tests)
    # Once Ray has run in the process, its threads sleep and look at the clock behind a test's back.
    assert named[0] == "tests/unit"
