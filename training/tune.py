"""Tune a detector's thresholds on labelled pages with Optuna.

python -m training.tune --engine craft --pages DIR:20 --pages DIR2:20 --trials 100 --out weights/craft-lines

Every page goes through the network once; a trial then only reads lines off the kept answers with
other thresholds. What is maximised is the mean over the sets of 2 * overlap / (found + labelled):
an F1 in which a pair counts by its IoU, so that finding lines and fitting them both weigh. Each
set counts the same, however many lines it has.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
import torch

from deployments.detection.config import DetectionArgs, DetectionTuning
from deployments.detection.engines import build_engine
from deployments.errors import OcrError
from deployments.weights import WeightsError
from training.detection_data import DataError, LabelledPage, PageSource, load_image
from training.detection_evaluation import DetectionEngine
from training.detection_metrics import DetectionCounts, match_lines

Suggest = Callable[[optuna.Trial], dict[str, float]]


def _yolo_space(trial: optuna.Trial) -> dict[str, float]:
    return {
        "confidence": trial.suggest_float("confidence", 0.1, 0.6),
        "iou": trial.suggest_float("iou", 0.2, 0.7),
        "containment": trial.suggest_float("containment", 0.5, 0.98),
    }


def _craft_space(trial: optuna.Trial) -> dict[str, float]:
    low_text = trial.suggest_float("low_text", 0.1, 0.55)
    return {
        "low_text": low_text,
        "text_threshold": trial.suggest_float("text_threshold", low_text, 0.8),
        "link_threshold": trial.suggest_float("link_threshold", 0.1, 0.8),
        "join_gap": trial.suggest_float("join_gap", 0.0, 1.6),
        "part_gap": trial.suggest_float("part_gap", 0.8, 3.0),
        "growth": trial.suggest_float("growth", 0.0, 0.6),
    }


SPACES: dict[str, Suggest] = {"yolo": _yolo_space, "craft": _craft_space}
# What the network's answers are kept with: the widest that a trial can ask for.
WIDEST: dict[str, DetectionTuning] = {"yolo": DetectionTuning(confidence=0.1), "craft": DetectionTuning()}


@dataclass(frozen=True, slots=True)
class AnsweredPage:
    """A labelled page and what the network answered for it."""

    page: LabelledPage
    raw: Any


def answer(engine: DetectionEngine, source: PageSource) -> list[AnsweredPage]:
    """Run the network on every page of a set; pages that the engine refuses are left out."""
    answered = []
    for page in source.pages("val"):
        prepared = engine.prepare([load_image(page.image)])[0]
        if not isinstance(prepared, OcrError):
            answered.append(AnsweredPage(page, engine.forward([prepared])[0]))
    return answered


def count(engine: DetectionEngine, answered: Sequence[AnsweredPage]) -> DetectionCounts:
    """Read lines off the kept answers with the thresholds that the engine has now."""
    counts = DetectionCounts()
    for kept in answered:
        result = engine.finish([kept.raw])[0]
        lines = [] if isinstance(result, OcrError) else [line.quad for line in result.lines]
        counts += match_lines(lines, list(kept.page.quads), kept.page.is_exact).counts
    return counts


def soft_f1(counts: DetectionCounts) -> float:
    """F1 in which a matched pair counts by its overlap; 1 on pages without lines, found or labelled."""
    lines = counts.found + counts.labelled
    return 2 * counts.overlap / lines if lines else 1.0


def tune(
    engine: DetectionEngine, space: Suggest, sets: Sequence[Sequence[AnsweredPage]], trials: int, seed: int
) -> optuna.Study:
    """Search with a tree-structured Parzen estimator, starting from the defaults."""

    def objective(trial: optuna.Trial) -> float:
        engine.configure(DetectionTuning(**space(trial)))
        counts = [count(engine, answered) for answered in sets]
        trial.set_user_attr("f1", [round(each.f1, 4) for each in counts])
        trial.set_user_attr("mean_iou", [round(each.mean_iou, 4) for each in counts])
        return sum(map(soft_f1, counts)) / len(counts)

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed))
    defaults = DetectionTuning().model_dump()
    study.enqueue_trial(space(optuna.trial.FixedTrial(defaults)))
    study.optimize(objective, n_trials=trials, show_progress_bar=True)
    return study


def record(study: optuna.Study, sets: Sequence[str], seed: int) -> dict[str, Any]:
    """The study as JSON: every trial with its thresholds and its value, the best first."""
    trials = sorted(study.trials, key=lambda trial: -(trial.value or 0.0))
    return {
        "sets": list(sets),
        "seed": seed,
        "measure": "mean over sets of 2 * overlap / (found + labelled)",
        "best": study.best_params,
        "trials": [
            {"number": t.number, "value": t.value, "params": t.params, **t.user_attrs} for t in trials
        ],
    }


def plot(study: optuna.Study, path: Path) -> None:
    """One scatter a threshold: what it was, and what the trial reached."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    names = list(study.best_params)
    figure, axes = pyplot.subplots(1, len(names), figsize=(4 * len(names), 3.2), sharey=True)
    order = [trial.number for trial in study.trials]
    values = [trial.value or 0.0 for trial in study.trials]
    for axis, name in zip(axes, names, strict=True):
        axis.scatter([trial.params[name] for trial in study.trials], values, c=order, cmap="viridis", s=12)
        axis.axvline(study.best_params[name], color="crimson", linewidth=1)
        axis.set_xlabel(name)
    axes[0].set_ylabel("F1 weighted by IoU")
    figure.tight_layout()
    figure.savefig(path, dpi=80)
    pyplot.close(figure)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line; see the module's docstring."""
    parser = argparse.ArgumentParser(prog="python -m training.tune", description=__doc__.split("\n")[0])
    parser.add_argument("--engine", choices=sorted(SPACES), required=True)
    parser.add_argument("--weights", default="", help="name, path or hub id; empty: the shipped ones")
    parser.add_argument(
        "--pages", type=PageSource.parse, action="append", required=True, metavar="PATH[:ROWS]"
    )
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1, help="threads of torch")
    parser.add_argument("--out", type=Path, required=True, help="folder for tuning.json and tuning.png")
    try:
        _run(parser.parse_args(arguments))
    except (DataError, WeightsError, FileNotFoundError) as error:
        raise SystemExit(str(error)) from error


def _run(options: argparse.Namespace) -> None:
    torch.set_num_threads(options.threads)
    engine = build_engine(DetectionArgs(engine=options.engine, weights=options.weights))
    engine.configure(WIDEST[options.engine])
    engine.warm_up()
    sets = [answer(engine, source) for source in options.pages]
    study = tune(engine, SPACES[options.engine], sets, options.trials, options.seed)
    names = [f"{source.path.name}:{len(pages)}" for source, pages in zip(options.pages, sets, strict=True)]
    written = record(study, names, options.seed)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "tuning.json").write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")
    plot(study, options.out / "tuning.png")
    print(json.dumps(written["trials"][0], indent=1))


if __name__ == "__main__":
    main()
