"""Thresholds are found by a study that can be kept and repeated."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import optuna
import pytest

from deployments.detection.config import DetectionTuning
from deployments.engine import Prepared
from deployments.errors import Outcome
from deployments.geometry import quad_from_box
from deployments.types import Image, PageLines, TextLine
from training import detection
from training.detection_data import LabelledPage, PageSource
from training.detection_metrics import DetectionCounts
from training.tune import AnsweredPage, _craft_space, _yolo_space, answer, plot, record, soft_f1, tune

TRUE, FALSE = quad_from_box((0, 0, 100, 20)), quad_from_box((0, 100, 100, 20))


class TwoBoxes:
    """Finds a true line at a score of 0.4 and a false one at 0.2, if the confidence lets them pass."""

    name = "two"

    def configure(self, tuning: object) -> None:
        assert isinstance(tuning, DetectionTuning)
        self._confidence = tuning.confidence

    def prepare(self, items: Sequence[Image]) -> list[Outcome[Prepared[Image]]]:
        raise AssertionError("the pages were answered before")

    def forward(self, batch: Sequence[Prepared[Image]]) -> list[None]:
        raise AssertionError("the pages were answered before")

    def finish(self, raw: Sequence[None]) -> list[Outcome[PageLines]]:
        found = ((TRUE, 0.4), (FALSE, 0.2))
        lines = tuple(TextLine(quad, score) for quad, score in found if score >= self._confidence)
        return [PageLines(lines) for _ in raw]

    def warm_up(self) -> None:
        pass


@pytest.fixture(scope="module")
def study() -> optuna.Study:
    page = LabelledPage(Path("page.png"), np.stack([TRUE]), is_exact=False)
    return tune(TwoBoxes(), _yolo_space, [[AnsweredPage(page, None)]], trials=12, seed=0)


def test_the_study_starts_from_the_defaults_and_finds_what_separates(study: optuna.Study) -> None:
    assert study.trials[0].params["confidence"] == DetectionTuning().confidence
    assert study.best_value == 1.0
    assert 0.2 < study.best_params["confidence"] <= 0.4


def test_the_record_holds_every_trial_and_is_plotted(study: optuna.Study, tmp_path: Path) -> None:
    kept = json.loads(json.dumps(record(study, ["set:1"], seed=0)))
    assert len(kept["trials"]) == 12
    values = [trial["value"] for trial in kept["trials"]]
    assert values == sorted(values, reverse=True)
    assert kept["best"] == kept["trials"][0]["params"] and kept["trials"][0]["f1"] == [1.0]
    plot(study, tmp_path / "tuning.png")
    assert (tmp_path / "tuning.png").stat().st_size > 1000


class Echo(TwoBoxes):
    """Takes every page and answers nothing."""

    def prepare(self, items: Sequence[Image]) -> list[Outcome[Prepared[Image]]]:
        return [Prepared(item, 1, 1) for item in items]

    def forward(self, batch: Sequence[Prepared[Image]]) -> list[None]:
        return [None for _ in batch]


def test_what_trained_neither_tunes_nor_evaluates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for split in ("train", "val"):
        (tmp_path / split).mkdir()
        (tmp_path / split / f"{split}.txt").touch()
        cv2.imwrite(str(tmp_path / split / f"{split}.png"), np.zeros((10, 20, 3), np.uint8))
    (tmp_path / "set.yaml").write_text("train: train\nval: val\n")
    answered = answer(Echo(), PageSource(tmp_path / "set.yaml"))
    assert [kept.page.image.stem for kept in answered] == ["val"]
    evaluated: list[LabelledPage] = []
    monkeypatch.setattr(detection, "build_engine", lambda args: Echo())
    monkeypatch.setattr(detection, "evaluate_pages", lambda engine, pages, aside: evaluated.extend(pages))
    detection.main(["evaluate", "--pages", str(tmp_path / "set.yaml")])
    assert [page.image.stem for page in evaluated] == ["val"]


def test_a_match_counts_by_its_overlap() -> None:
    assert soft_f1(DetectionCounts(found=2, labelled=2, matched=1, overlap=0.8)) == pytest.approx(0.4)
    assert soft_f1(DetectionCounts()) == 1.0


def test_a_peak_is_never_asked_to_be_below_the_edge() -> None:
    params = _craft_space(
        optuna.trial.FixedTrial(
            {
                "low_text": 0.3,
                "text_threshold": 0.5,
                "link_threshold": 0.2,
                "join_gap": 0.4,
                "part_gap": 1.0,
                "growth": 0.2,
            }
        )
    )
    assert DetectionTuning(**params).text_threshold == 0.5
