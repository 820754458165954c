"""Train, export and evaluate the line detectors.

python -m training.detection train --pages .cache/pages --minutes 55 --out runs/yolo-lines
python -m training.detection export --run runs/yolo-lines --out weights/yolo-lines
python -m training.detection evaluate --pages DIR --weights yolo-lines
"""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

from deployments.detection.config import DetectionArgs, DetectionTuning
from deployments.detection.engines import build_engine
from deployments.weights import WeightsError, resolve
from training.detection_data import DataError, PageSource
from training.detection_evaluation import evaluate as evaluate_pages
from training.detection_export import ExportError, export_run
from training.detection_training import Plan, Run
from training.labelled_lines import EvaluationRows, check_may_train, is_trained_twin
from training.mixing import Mix

if TYPE_CHECKING:
    from training.detection_training import Task


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line; see the module's docstring."""
    parser = argparse.ArgumentParser(prog="python -m training.detection", description=__doc__.split("\n")[0])
    verbs = parser.add_subparsers(dest="verb", required=True)
    _add_train(verbs.add_parser("train", help="train a line detector, from scratch or a weight"))
    _add_characters(
        verbs.add_parser("characters", help="cut labelled lines into characters, to train craft on")
    )
    _add_ceiling(verbs.add_parser("ceiling", help="what craft's boxes would find on perfect maps"))
    _add_export(verbs.add_parser("export", help="write a run's averaged weights as a shipped weight"))
    _add_evaluate(verbs.add_parser("evaluate", help="precision, recall and F1 on labelled pages"))
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    try:
        options = parser.parse_args(arguments)
        options.run_verb(options)
    except (DataError, EvaluationRows, ExportError, WeightsError, FileNotFoundError) as error:
        raise SystemExit(str(error)) from error


def train(options: argparse.Namespace) -> None:
    """Train, or continue the run that ``--out`` holds."""
    if options.minutes is None and options.steps is None:
        raise SystemExit("a run needs a limit: --minutes or --steps")
    for source in options.pages:
        check_may_train(source.path, source.rows)
    torch.set_num_threads(options.threads)
    plan = Plan(
        out=options.out,
        minutes=options.minutes,
        steps=options.steps,
        batch=options.batch,
        rate=options.rate,
        seed=options.seed,
        device=options.device,
    )
    task = _task(options)
    if options.start_from:
        _begin_with(task.network, options.engine, options.start_from)
    run = Run(plan, task)
    run.resume()
    run.train()


def _task(options: argparse.Namespace) -> Task:
    if options.engine == "craft":
        from training.detection_craft import CraftTask

        return CraftTask(options.pages, seed=options.seed)
    from training.detection_yolo import SPEC, YoloTask

    return YoloTask(options.pages, SPEC, width=options.width, seed=options.seed)


def _begin_with(network: nn.Module, engine: str, reference: str) -> None:
    """Give a network the values of a weight; raises WeightsError where that is built otherwise."""
    weight: nn.Module
    if engine == "craft":
        from deployments.detection.craft import load

        weight = load(resolve(reference, engine)).float()
    else:
        from deployments.detection import yolo

        weight, _ = yolo.load(reference)
    try:
        network.load_state_dict(weight.state_dict())
    except RuntimeError as error:
        raise WeightsError(f"weights {reference!r}: not of the network that is trained: {error}") from error


def characters(options: argparse.Namespace) -> None:
    """Write the characters of labelled lines as a CRAFT network finds them."""
    from deployments.detection.craft import CraftEngine
    from training.detection_weak import write_characters

    for source in options.pages:
        check_may_train(source.path, source.rows)
    torch.set_num_threads(options.threads)
    engine = CraftEngine(DetectionArgs(engine="craft", weights=options.weights))
    engine.warm_up()
    pages = [page for source in options.pages for page in source.pages()]
    lines, cut = write_characters(engine, pages, options.out)
    print(f"{len(pages)} pages, {lines} lines, {cut} of them cut at peaks, in {options.out}")


def ceiling(options: argparse.Namespace) -> None:
    """Print one row of measures for each set of pages with characters."""
    from training.detection_ceiling import ceiling as read_truth
    from training.detection_craft import SPEC
    from training.detection_heatmaps import read_characters

    tuning = DetectionTuning(**options.tuning)
    for source in options.pages:
        pages = source.select(page for page in read_characters(source.path) if page.lines)
        print(f"{source.path.name:20} {read_truth(pages, SPEC, tuning)}", flush=True)


def export(options: argparse.Namespace) -> None:
    """Write a run as a shipped weight."""
    about = json.loads(options.about.read_text(encoding="utf-8")) if options.about else {}
    print(export_run(options.engine, options.run, options.out, about, mix=options.mix))


def evaluate(options: argparse.Namespace) -> None:
    """Print one row of measures for each set of pages."""
    engine = build_engine(DetectionArgs(engine=options.engine, weights=options.weights))
    engine.warm_up()
    engine.configure(DetectionTuning(**options.tuning))
    for source in options.pages:
        pages = [page for page in source.pages("val") if not is_trained_twin(page.image)]
        print(f"{source.path.name:20} {evaluate_pages(engine, pages, options.aside)}", flush=True)


def _add_engine(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--engine", choices=["yolo", "craft"], default="yolo")


def _add_pages(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--pages",
        "--data",
        action="append",
        required=True,
        type=PageSource.parse,
        metavar="PATH[:ROWS][*WEIGHT]",
        help="a folder with labels.jsonl, or the yaml of a set in YOLO format, whose split val is what "
        "evaluates if there is one, and train what trains; ROWS pages from its "
        "start (from its end if negative), drawn WEIGHT times as often; repeatable. Training craft "
        "needs folders with characters: of synthetic pages, or written by the verb characters",
    )


def _add_train(parser: argparse.ArgumentParser) -> None:
    _add_engine(parser)
    _add_pages(parser)
    parser.add_argument("--out", type=Path, required=True, help="folder of checkpoints and the curve")
    parser.add_argument(
        "--start-from",
        default="",
        metavar="WEIGHTS",
        help="a weight of the same engine and size to train further, by shipped name or path; without it "
        "training begins with random ones",
    )
    parser.add_argument("--minutes", type=float, help="training time, minutes")
    parser.add_argument("--steps", type=int, help="optimiser steps; the first limit reached ends the run")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--rate", type=float, default=2e-3, help="peak learning rate")
    parser.add_argument("--width", type=float, default=0.1875, help="yolo: channel multiplier of YOLOv8")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2, help="threads of torch")
    parser.add_argument("--device", default="cpu")
    parser.set_defaults(run_verb=train)


def _add_characters(parser: argparse.ArgumentParser) -> None:
    _add_pages(parser)
    parser.add_argument("--weights", default="", help="craft: name, path or hub id; empty: the shipped ones")
    parser.add_argument(
        "--out", type=Path, required=True, help="folder for chars.jsonl; images stay in place"
    )
    parser.add_argument("--threads", type=int, default=2, help="threads of torch")
    parser.set_defaults(run_verb=characters)


def _add_ceiling(parser: argparse.ArgumentParser) -> None:
    _add_pages(parser)
    _add_tuning(parser)
    parser.set_defaults(run_verb=ceiling)


def _add_tuning(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--tuning", type=json.loads, default={}, help="thresholds, as a JSON object")


def _add_export(parser: argparse.ArgumentParser) -> None:
    _add_engine(parser)
    parser.add_argument("--run", type=Path, required=True, help="folder of a training run")
    parser.add_argument("--out", type=Path, required=True, help="folder of the weight; its name is the name")
    parser.add_argument(
        "--mix",
        type=Mix.parse,
        metavar="WEIGHTS=SHARE",
        help="write the mean with this weight, of which SHARE, 0 to 1, is taken",
    )
    parser.add_argument("--about", type=Path, help="JSON object for the metadata: data, licences, commit")
    parser.set_defaults(run_verb=export)


def _add_evaluate(parser: argparse.ArgumentParser) -> None:
    _add_engine(parser)
    _add_pages(parser)
    parser.add_argument("--weights", default="", help="name, path or hub id; empty: the shipped ones")
    parser.add_argument(
        "--aside",
        type=float,
        default=0.0,
        metavar="SHARE",
        help="show pages as a camera beside them does: corners moved by up to this share of the sides",
    )
    _add_tuning(parser)
    parser.set_defaults(run_verb=evaluate)


if __name__ == "__main__":
    main()
