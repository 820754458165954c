"""What the pages for readers say of themselves: links that lead somewhere, commands that can be run."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
CARDS = [*sorted((ROOT / "weights").glob("*/README.md")), *sorted((ROOT / "docs" / "decisions").glob("*.md"))]
# Says at its top to activate the environment.
ACTIVATED = {"training.md"}


RUNBOOK = ("## Runbook", "## Capacity")
# A page of Prometheus; all else that the runbook sends people to is on the dashboard.
ELSEWHERE = {"Targets"}


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES + CARDS, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\((?!https?:)([^)\s]+)\)", page.read_text(encoding="utf-8")):
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_name_the_python_of_the_environment(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    if page.name in ACTIVATED:
        assert ". .venv/bin/activate" in text.partition("```")[0]
        return
    ours = r"(?:serve_app|training|cluster|benchmarks)\b"
    # Modules that only write a page are named, not run by readers; Ray runs jobs with a Python of its own.
    bare = re.findall(rf"^ *python -m {ours}.*$", text, re.MULTILINE)
    run_by_readers = r"(?:serve_app\.(?:keys|client)|training|benchmarks|cluster\.capacity)\b"
    bare += re.findall(rf"`python -m {run_by_readers}[^`]*`", text)
    assert not bare


def test_fine_tuning_begins_with_the_environment_that_training_needs() -> None:
    guide = (ROOT / "docs" / "finetuning.md").read_text(encoding="utf-8")
    target = "make .venv/.train"
    assert guide.index(target) < guide.index("python -m training")
    assert "$(VENV)/.train: requirements-train.lock" in (ROOT / "Makefile").read_text(encoding="utf-8")


def test_the_runbook_names_panels_as_the_dashboard_does() -> None:
    dashboard = ROOT / "cluster" / "monitoring" / "grafana" / "dashboards" / "scriptorium.json"
    titles = {panel["title"] for panel in json.loads(dashboard.read_text(encoding="utf-8"))["panels"]}
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    runbook = text.partition(RUNBOOK[0])[2].partition(RUNBOOK[1])[0]
    named = {" ".join(name.split()) for name in re.findall(r"(?<!\*)\*([^*]+)\*(?!\*)", runbook)}
    assert "Wait for the model" in named
    assert named - titles <= ELSEWHERE
