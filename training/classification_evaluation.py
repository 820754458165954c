"""How well a kind classifier does on lines it never saw, through the very engine that serves it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt

from deployments.classification.config import ClassificationTuning
from deployments.classification.engines import ClassificationEngine
from deployments.classification.scores import Scores, handwritten_probability
from deployments.engine import Prepared
from deployments.errors import OcrError
from deployments.types import Image, Kind, KindScore
from training.calibration import Floats, expected_calibration_error, fit_temperature
from training.classification_data import (
    LabelledCrop,
    labelled_crops,
)
from training.labelled_lines import TRAINING_ROWS

STEP_CROPS = 50


@dataclass(frozen=True, slots=True)
class SetResult:
    """Result on one set. ``wrong`` tells the texts of up to twenty lines that were mistaken."""

    n: int
    accuracy: float
    ece: float
    handwritten_recall: float | None
    printed_recall: float | None
    wrong: tuple[str, ...] = ()


def evaluate(
    engine: ClassificationEngine, root: Path, names: Sequence[str] = tuple(TRAINING_ROWS)
) -> dict[str, SetResult]:
    """Results of every set's evaluation rows, and of all of them together as ``all``."""
    engine.configure(ClassificationTuning())
    results, everything = {}, []
    for name in names:
        judged = list(_judge(engine, labelled_crops(root, name, "evaluation")))
        results[name] = summarise(judged)
        everything += judged
    results["all"] = summarise(everything)
    return results


def table(results: dict[str, SetResult]) -> str:
    """The results as a Markdown table."""
    rows = [
        "| set | lines | accuracy | ECE | handwritten recall | printed recall |",
        "|---|---|---|---|---|---|",
    ]
    for name, result in results.items():
        recalls = (result.handwritten_recall, result.printed_recall)
        numbers = [result.accuracy, result.ece, *recalls]
        cells = ["" if number is None else f"{number:.4f}" for number in numbers]
        rows.append(f"| {name} | {result.n} | {' | '.join(cells)} |")
    return "\n".join(rows)


def as_json(results: dict[str, SetResult]) -> dict[str, dict[str, object]]:
    """The results as plain numbers, five digits each."""
    return {
        name: {
            key: round(value, 5) if isinstance(value, float) else value
            for key, value in asdict(result).items()
        }
        for name, result in results.items()
    }


def summarise(judged: Sequence[tuple[LabelledCrop, KindScore]]) -> SetResult:
    """Accuracy, calibration and recalls of judged lines."""
    correct = np.array([crop.kind is score.kind for crop, score in judged], dtype=bool)
    confidences = np.array([score.confidence for _, score in judged], dtype=np.float64)
    kinds = np.array([crop.kind is Kind.HANDWRITTEN for crop, _ in judged], dtype=bool)
    wrong = [
        f"{crop.source}: {crop.text}" for (crop, _), right in zip(judged, correct, strict=True) if not right
    ]
    return SetResult(
        n=len(judged),
        accuracy=float(correct.mean()) if len(judged) else 0.0,
        ece=expected_calibration_error(confidences, correct),
        handwritten_recall=float(correct[kinds].mean()) if kinds.any() else None,
        printed_recall=float(correct[~kinds].mean()) if (~kinds).any() else None,
        wrong=tuple(wrong[:20]),
    )


def _judge(
    engine: ClassificationEngine, crops: Iterable[LabelledCrop]
) -> Iterator[tuple[LabelledCrop, KindScore]]:
    remaining = iter(crops)
    while batch := list(islice(remaining, STEP_CROPS)):
        for crop, outcome in zip(
            batch, engine.finish(_raw(engine, [crop.image for crop in batch])), strict=True
        ):
            if isinstance(outcome, OcrError):
                raise outcome
            yield crop, outcome


def _raw(engine: ClassificationEngine, images: Sequence[Image]) -> list[Scores]:
    prepared = []
    for outcome in engine.prepare(images):
        if not isinstance(outcome, Prepared):
            raise outcome
        prepared.append(outcome)
    return engine.forward(prepared)


def calibrate(engine: ClassificationEngine, root: Path) -> tuple[float, float]:
    """Fit the temperature on held-out training lines as the service would cut them.

    Both kinds weigh the same, however many lines each has.

    Returns:
        The temperature, and the calibration error on those lines with it.
    """
    margins, labels = [], []
    for name, rows in TRAINING_ROWS.items():
        remaining = labelled_crops(root, name, "calibration") if rows else iter(())
        while batch := list(islice(remaining, STEP_CROPS)):
            raw = np.stack(_raw(engine, [crop.image for crop in batch])).astype(np.float64)
            margins.append(raw[:, 0] - raw[:, 1])
            labels += [crop.kind is Kind.HANDWRITTEN for crop in batch]
    return _calibrated(np.concatenate(margins), np.array(labels))


def _calibrated(margins: Floats, labels: npt.NDArray[np.bool_]) -> tuple[float, float]:
    sizes = np.bincount(labels, minlength=2)
    temperature = fit_temperature(margins, labels, weights=1 / sizes[labels.astype(int)])
    confidence = handwritten_probability(np.stack([np.abs(margins), np.zeros_like(margins)], -1), temperature)
    return temperature, expected_calibration_error(confidence, (margins > 0) == labels)
