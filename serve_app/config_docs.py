"""Writes docs/configuration.md from the models: ``python -m serve_app.config_docs``.

A test compares the committed page with what this prints.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from deployments.autoscaling import QueuedWork
from deployments.classification.config import ClassificationTuning
from deployments.detection.config import DetectionTuning
from deployments.recognition.config import RecognitionArgs, RecognitionTuning
from serve_app.config import AppConfig

PAGE = Path(__file__).resolve().parent.parent / "docs" / "configuration.md"

_HEAD = """# Configuration

One file, `serve_config.yaml`, holds every knob; `make check-config` checks every key of it.
This page is written from the code (`python -m serve_app.config_docs`).

* `args` of the application: engines, weights, limits. A change restarts the deployments.
* `user_config` of a deployment: thresholds and batch bounds. A change is taken over live.
* The rest of a deployment's block (replicas, resources, queues, autoscaling) is
  [Serve's own](https://docs.ray.io/en/latest/serve/configure-serve-deployment.html) and complete in the file.
"""


def page() -> str:
    """The whole page, as Markdown."""
    sections: dict[str, BaseModel] = {
        "`args`": AppConfig(),
        "`args.recognition.engines.<engine>`": RecognitionArgs(),
        "`user_config` of `Detection`": DetectionTuning(),
        "`user_config` of `Classification`": ClassificationTuning(),
        "`user_config` of `Recognition…`": RecognitionTuning(),
        "`autoscaling_config.policy.policy_kwargs` of the stages": QueuedWork(),
    }
    return "\n".join([_HEAD, *(f"## {title}\n\n{_table(model)}" for title, model in sections.items())])


def _table(defaults: BaseModel) -> str:
    rows = "".join(
        f"| `{path}` | {_value(value)} | {_cell(meaning)} |\n" for path, value, meaning in _leaves(defaults)
    )
    return f"| key | default | meaning |\n|---|---|---|\n{rows}"


def _leaves(defaults: BaseModel, prefix: str = "") -> Iterator[tuple[str, Any, str]]:
    """Path, default and description of every key below a model."""
    for name, field in type(defaults).model_fields.items():
        value = getattr(defaults, name)
        if isinstance(value, BaseModel):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value, field.description or ""


def _value(value: Any) -> str:
    return "–" if value in ("", None) or value == {} else f"`{value}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(f"wrote {PAGE}")
