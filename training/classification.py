"""Kind classifiers, from lines to shipped weights: ``python -m training.classification VERB``."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import torch

from deployments.classification.config import SHIPPED_WEIGHTS, ClassificationArgs
from deployments.classification.engines import build_engine
from deployments.precision import select_device
from deployments.weights import FORMAT, METADATA, SHIPPED, WeightsError, resolve, sha256
from training.labelled_lines import EvaluationRows, check_may_train
from training.lines_data import NoLines
from training.mixing import Mix
from training.weight_folder import commit, write_json, write_metadata

RESULTS = "results.json"
_KEPT = ("steps", "samples", "seed", "hours", "commit", "mixed_with", "share", "started_from")


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stdout
    )
    if options.threads:
        torch.set_num_threads(options.threads)
        cv2.setNumThreads(options.threads)
    try:
        options.verb(options)
    except (EvaluationRows, FileNotFoundError, NoLines, WeightsError) as error:
        raise SystemExit(str(error)) from error
    return 0


def render(options: argparse.Namespace) -> None:
    """Augmented lines that both classifiers learn from."""
    from training.classification_data import LinePlan, training_lines
    from training.classification_renditions import render as write

    for folder in options.set:
        check_may_train(folder)
    plan = LinePlan(
        root=options.data,
        made=options.made,
        shards=tuple(options.shards),
        sets=tuple(options.set),
        without=tuple(options.without),
        seed=options.seed,
    )
    write(training_lines(plan), options.number, options.seed, options.out)


def train(options: argparse.Namespace) -> None:
    from training.classification_models import trainable
    from training.classification_training import Recipe, Training

    torch.manual_seed(options.seed)
    recipe = Recipe(
        minutes=options.minutes,
        steps=options.steps,
        batch=options.batch,
        rate=options.rate,
        seed=options.seed,
        workers=options.workers,
        started_from=_facts(options.start_from, options.engine) if options.start_from else {},
    )
    device = select_device(options.device)
    classifier = trainable(options.engine, options.binarize, options.start_from)
    Training(classifier, options.renditions, recipe, options.run, device).run()


def _facts(reference: str, engine: str) -> dict[str, Any]:
    """What a weight's metadata say of its training, for the metadata of one that begins with it."""
    weights = resolve(reference, engine)
    training = weights.metadata.get("training", {})
    return {"name": weights.path.name} | {name: training[name] for name in _KEPT if name in training}


def export(options: argparse.Namespace) -> None:
    """Averaged weights of a run as a folder the service loads, with its calibration."""
    from training.classification_data import LICENCES
    from training.classification_evaluation import calibrate
    from training.classification_models import trainable
    from training.classification_training import averaged

    classifier = trainable(options.engine)
    known = averaged(classifier, options.run)
    if options.mix:
        values = options.mix.into(classifier.module.state_dict(), options.engine, classifier.tensors)
        classifier.module.load_state_dict(values)
        known |= options.mix.facts()
    directory = options.to or SHIPPED / SHIPPED_WEIGHTS[options.engine]
    directory.mkdir(parents=True, exist_ok=True)
    metadata: dict[str, Any] = {
        "name": directory.name,
        "engine": options.engine,
        "format": FORMAT,
        **classifier.write(directory),
        "training": {
            "data": [*LICENCES, "lines set in the faces of training/synth/fonts.json"],
            "learnt": options.learnt,
            "licences": [f"{name}: {licence}" for name, licence in LICENCES.items()],
            **known,
            "hardware": options.hardware,
            "commit": commit(),
        },
    }
    metadata["sha256"] = {path.name: sha256(path) for path in sorted(directory.glob("*.safetensors"))}
    write_metadata(directory, metadata)
    engine = build_engine(ClassificationArgs(engine=options.engine, weights=str(directory), device="cpu"))
    temperature, error = calibrate(engine, options.data)
    metadata["calibration"] = {"temperature": round(temperature, 4), "ece_held_out": round(error, 4)}
    write_metadata(directory, metadata)


def evaluate(options: argparse.Namespace) -> None:
    """Print accuracy and calibration of every set's evaluation rows; write them beside the weights."""
    from training.classification_card import model_card
    from training.classification_evaluation import as_json, table
    from training.classification_evaluation import evaluate as judge

    weights = options.weights or str(SHIPPED / SHIPPED_WEIGHTS[options.engine])
    engine = build_engine(
        ClassificationArgs(
            engine=options.engine, weights=weights, pretrained=options.pretrained, device=options.device
        )
    )
    engine.warm_up()
    results = judge(engine, options.data)
    print(table(results))
    for text in results["all"].wrong:
        print("wrong:", text)
    directory = Path(weights)
    if directory.is_dir():
        write_json(directory / RESULTS, as_json(results))
        metadata = json.loads((directory / METADATA).read_text(encoding="utf-8"))
        metadata["results"] = {
            name: {"lines": result.n, "accuracy": round(result.accuracy, 5), "ece": round(result.ece, 5)}
            for name, result in results.items()
        }
        write_metadata(directory, metadata)
        (directory / "README.md").write_text(model_card(metadata), encoding="utf-8")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training.classification", description=__doc__)
    parser.add_argument("--threads", type=int, default=0, help="torch threads; 0: one per core")
    verbs = parser.add_subparsers(required=True)
    rendering = verbs.add_parser("render", help="make augmented lines to train on")
    rendering.set_defaults(verb=render)
    _add_render(rendering)
    training = verbs.add_parser("train", help="train, or go on with an interrupted run")
    _engine(training, train)
    _add_train(training)
    exporting = verbs.add_parser("export", help="averaged weights of a run, calibrated, as a folder to serve")
    _engine(exporting, export)
    _data(exporting)
    exporting.add_argument("--run", type=Path, required=True)
    exporting.add_argument("--to", type=Path, help="folder; default: the shipped weight of the engine")
    exporting.add_argument(
        "--mix",
        type=Mix.parse,
        metavar="WEIGHTS=SHARE",
        help="the mean with a weight, SHARE of it the weight's",
    )
    exporting.add_argument(
        "--learnt", action="append", default=[], help="what else it learnt from, for the metadata; repeatable"
    )
    exporting.add_argument(
        "--hardware", default="2 CPU cores", help="what it was trained on, for the metadata"
    )
    judging = verbs.add_parser("evaluate", help="accuracy and calibration on the evaluation rows")
    _engine(judging, evaluate)
    _data(judging)
    judging.add_argument("--weights", help="as in serve_config.yaml; default: the shipped weight")
    judging.add_argument("--pretrained", help="open_clip tag, with --weights naming an open_clip model")
    judging.add_argument("--device", default="auto")
    return parser


def _engine(parser: argparse.ArgumentParser, verb: Any) -> None:
    parser.set_defaults(verb=verb)
    parser.add_argument("--engine", choices=("clip", "cnn"), required=True)


def _data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, required=True, help="folder of the labelled sets")


def _add_render(parser: argparse.ArgumentParser) -> None:
    _data(parser)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--number", type=int, default=30_000, help="renditions; training repeats them")
    parser.add_argument("--made", type=int, default=4000, help="lines to set in type; half as many by hand")
    parser.add_argument("--shards", type=Path, nargs="*", default=[], help="folders of synthetic lines")
    parser.add_argument(
        "--set", type=Path, action="append", default=[], metavar="FOLDER",
        help="pages or lines of your own with their kinds, as labels.jsonl; repeatable",
    )  # fmt: skip
    parser.add_argument("--without", nargs="*", default=[], help="sources to leave out")
    parser.add_argument("--seed", type=int, default=0)


def _add_train(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--renditions", type=Path, required=True, help="folder written by render")
    parser.add_argument("--run", type=Path, required=True, help="folder of the checkpoint and the curve")
    parser.add_argument("--minutes", type=float, help="end after so many, pauses not counted")
    parser.add_argument("--steps", type=int, default=3000, help="end after so many, if that comes first")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--start-from", default="", help="a weight to train further, by name or path")
    parser.add_argument("--binarize", action="store_true", help="lines are made black and white (Otsu)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--device", default="auto")


if __name__ == "__main__":
    sys.exit(main())
