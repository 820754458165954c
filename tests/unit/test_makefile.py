"""What the commands of the Makefile would do, and how they mend an environment that is broken."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="no make on this machine")

# Makes an environment whose Python has a pip, and notes how it was asked to.
VENV_MAKER = """#!/bin/sh
echo "$@" >> "{notes}"
for folder; do :; done
mkdir -p "$folder/bin"
printf '#!/bin/sh\nexit 0\n' > "$folder/bin/python"
chmod +x "$folder/bin/python"
"""


def make(*arguments: str) -> str:
    """The output of make, which takes nothing over from a make that runs the tests."""
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS", "CONFIG"))
    }
    command = ["make", "--no-print-directory", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=inherited, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("given", "checked"), [([], ""), (["CONFIG=my config.yaml"], '"my config.yaml"')], ids=["all", "one"]
)
def test_the_configuration_that_is_named_is_the_one_checked(given: list[str], checked: str) -> None:
    (command,) = [
        line for line in make("--dry-run", "check-config", *given).splitlines() if "check_config" in line
    ]
    assert command.partition("-m serve_app.check_config")[2].strip() == checked


def test_accuracy_takes_pages_and_crops_from_the_folder_that_is_named() -> None:
    commands = [
        line for line in make("--dry-run", "accuracy", "DATA=/sets").splitlines() if " -m benchmarks." in line
    ]
    assert len(commands) == 2
    assert all('--data "/sets"' in command for command in commands)


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("found", ["nothing", "without pip", "whole"])
def test_an_environment_without_pip_is_made_anew(found: str, tmp_path: Path) -> None:
    """Where python3.11-venv was missing, a Python stands there that can install nothing."""
    venv, notes = tmp_path / "venv", tmp_path / "notes"
    if found != "nothing":
        script(venv / "bin" / "python", f"#!/bin/sh\nexit {int(found == 'without pip')}\n")
    maker = script(tmp_path / "python3.11", VENV_MAKER.format(notes=notes))
    make(f"VENV={venv}", f"PYTHON={maker}", f"{venv}/bin/uv")
    asked = notes.read_text(encoding="utf-8").split() if notes.exists() else []
    assert asked == ([] if found == "whole" else ["-m", "venv", "--clear", str(venv)])
