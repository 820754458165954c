"""From lines to recognisers: ``python -m training.recognition train|curve|evaluate|export|calibrate``."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from deployments.precision import select_device
from deployments.weights import WeightsError, resolve
from training.labelled_lines import EvaluationRows
from training.lines_data import BatchPlan, NoLines, Source
from training.mixing import Mix
from training.own_sets import OwnSet
from training.real import LabelError
from training.recognition_curve import EmptyCurve


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stdout
    )
    if options.threads:
        torch.set_num_threads(options.threads)
    try:
        return int(options.verb(options) or 0)
    except (FileNotFoundError, EvaluationRows, LabelError, NoLines, EmptyCurve, WeightsError) as error:
        print(error, file=sys.stderr)
        return 1


def train(options: argparse.Namespace) -> None:
    from training.own_sets import write_set
    from training.recognition_models import trainable
    from training.recognition_training import Recipe, Training

    if options.minutes is None and options.steps is None:
        raise SystemExit("a run needs a limit: --minutes or --steps")
    sources, valid = list(options.source), list(options.valid)
    for number, own in enumerate(options.set):
        learned, held_out = write_set(own, options.run / f"set-{number}", options.seed)
        sources.append(learned)
        valid += [held_out] if held_out else []
    if not sources:
        raise SystemExit("nothing to train on: name shards with --source, or a set of your own with --set")
    recipe = Recipe(
        sources=tuple(sources),
        valid=tuple(valid),
        minutes=options.minutes,
        steps=options.steps,
        rate=options.rate,
        plan=BatchPlan(columns=options.columns, short_first=options.short_first),
        seed=options.seed,
        workers=options.workers,
    )
    reader = trainable(options.engine, options.start_from, options.features_from, options.rnn_width)
    given = reader.line_format
    reader.line_format = replace(
        given,
        deskew=options.deskew or given.deskew,
        adaptive_threshold=options.adaptive_threshold or given.adaptive_threshold,
    )
    Training(reader, recipe, options.run, select_device(options.device)).run()


def evaluate(options: argparse.Namespace) -> None:
    from deployments.recognition.config import RecognitionArgs, RecognitionTuning
    from deployments.recognition.engines import build_engine
    from training.recognition_evaluation import (
        as_table,
        evaluate_blurred,
        evaluate_on_forms,
        evaluate_real,
        evaluate_rendered,
        evaluate_shaded,
        evaluate_squared,
        write_results,
    )

    if not options.valid and options.data is None:
        raise SystemExit("nothing to evaluate: name shards with --valid, or labelled sets with --data")
    args = RecognitionArgs(engine=options.engine, weights=options.weights, device=options.device)
    engine = build_engine(args)
    engine.warm_up()
    if options.decoding:
        engine.configure(RecognitionTuning(decoding=options.decoding))
    results = evaluate_rendered(engine, options.valid) if options.valid else []
    if options.data is not None:
        results += evaluate_real(engine, options.data)
        if options.squared:
            results += evaluate_squared(engine, options.data)
        if options.on_forms:
            results += evaluate_on_forms(engine, options.data)
        if options.shaded:
            results += evaluate_shaded(engine, options.data)
        if options.blurred:
            results += evaluate_blurred(engine, options.data)
    print(as_table(results))
    if options.out is not None:
        write_results(results, options.out)
    if options.card:
        from training.recognition_card import record_results

        record_results(resolve(args.reference, args.engine).path, results, options.remark)


def export(options: argparse.Namespace) -> None:
    if options.weights:
        _export_formats(options)
        return
    from training.recognition_export import Provenance, export_run

    provenance = Provenance(tuple(options.data), tuple(options.licence))
    metadata = export_run(options.run, options.out, provenance, options.mix)
    print(f"{options.out}: {metadata['engine']} of {metadata['training']['samples']} lines")


def curve(options: argparse.Namespace) -> None:
    from training.recognition_curve import draw_curve

    draw_curve(options.run, options.out)


def calibrate(options: argparse.Namespace) -> None:
    from training.crnn_peaks import record_peaks

    peaks = record_peaks(resolve(options.weights, "crnn"), options.source, options.lines)
    print("activations up to", ", ".join(f"{peak:g}" for peak in peaks))


def _export_formats(options: argparse.Namespace) -> None:
    from training.own_sets import crops_of
    from training.recognition_formats import CHECKED_LINES, TOLERANCE, export_formats

    if options.set is None:
        raise SystemExit("an export to other formats is checked on lines: name a set with --set")
    crops = crops_of(options.set.path, CHECKED_LINES)
    formats = tuple(options.format) or ("onnx", "torchscript")
    for written in export_formats(resolve(options.weights, "crnn"), options.out, formats, crops):
        found = f"{written.largest_difference:.1g} of torch's on {len(crops)} lines"
        print(f"{written.path}: logits within {found} (allowed {TOLERANCE:g})")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training.recognition", description=__doc__)
    parser.add_argument("--threads", type=int, default=0, help="torch threads; 0: one per core")
    verbs = parser.add_subparsers(required=True)
    _add_train(verbs.add_parser("train", help="train, or go on with an interrupted run"))
    _add_curve(verbs.add_parser("curve", help="draw a run's loss and validation CER"))
    _add_evaluate(verbs.add_parser("evaluate", help="score a weight through the serving engine"))
    _add_export(
        verbs.add_parser("export", help="write a run as a weight, or a weight as ONNX and TorchScript")
    )
    _add_calibrate(verbs.add_parser("calibrate", help="measure what the 8-bit form of a CRNN weight needs"))
    return parser


def _add_calibrate(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(verb=calibrate)
    parser.add_argument("--weights", required=True, help="shipped name or path; its metadata is written")
    parser.add_argument("--source", type=Source.parse, required=True, metavar="PATTERN", help="shard folders")
    parser.add_argument("--lines", type=int, default=1600, help="how many lines of each folder are read")


def _add_curve(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(verb=curve)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="PNG to write")


def _add_train(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(verb=train)
    parser.add_argument("--engine", choices=("crnn", "trocr"), default="crnn")
    parser.add_argument("--run", type=Path, required=True, help="folder of checkpoints and curves")
    parser.add_argument(
        "--source", type=Source.parse, action="append", default=[], metavar="PATTERN[=WEIGHT]",
        help="shard folders to train on; repeatable, looked up again while training runs",
    )  # fmt: skip
    parser.add_argument(
        "--set", type=OwnSet.parse, action="append", default=[], metavar="PATH[=WEIGHT]",
        help="a set of your own: a CSV File name,Text,Class or a folder with labels.jsonl; repeatable",
    )  # fmt: skip
    parser.add_argument("--valid", type=Source.parse, action="append", default=[], metavar="PATTERN")
    parser.add_argument(
        "--minutes", type=float, help="training time, pauses between resumed runs not counted"
    )
    parser.add_argument(
        "--start-from", default="", metavar="WEIGHTS",
        help="a weight of the engine to train further, by shipped name or path",
    )  # fmt: skip
    parser.add_argument(
        "--rnn-width", type=int, default=0, metavar="UNITS",
        help="crnn: hidden units that the LSTMs of --start-from are widened to",
    )  # fmt: skip
    parser.add_argument(
        "--features-from", default="", metavar="WEIGHTS", help="trocr: a CRNN weight whose features it keeps"
    )
    parser.add_argument("--deskew", action="store_true", help="lines are turned level before they are read")
    parser.add_argument(
        "--adaptive-threshold",
        action="store_true",
        help="lines are made black and white, each place against its neighbourhood, before they are read",
    )
    parser.add_argument("--steps", type=int, help="optimiser steps")
    parser.add_argument("--rate", type=float, default=1e-3, help="peak learning rate")
    parser.add_argument("--columns", type=int, default=16_000, help="pixels of width in a batch")
    parser.add_argument("--short-first", type=int, default=0, help="lines at the start that are short")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--workers", type=int, default=0, help="processes that prepare lines")
    parser.add_argument("--seed", type=int, default=0)


def _add_evaluate(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(verb=evaluate)
    parser.add_argument("--engine", choices=("crnn", "trocr"), default="crnn")
    parser.add_argument("--weights", default="", help="shipped name, path or hub id; empty: the engine's own")
    parser.add_argument(
        "--decoding", choices=("greedy", "beam"), help="crnn; else as it is served by default"
    )
    parser.add_argument("--data", type=Path, help="folder of labelled sets; their evaluation rows are read")
    parser.add_argument(
        "--squared",
        action="store_true",
        help="score the handwriting of --data also as if it stood on the squares of an exercise book",
    )
    parser.add_argument(
        "--on-forms",
        action="store_true",
        help="score the handwriting of --data also in fields of a form: on lines and dots, between sides",
    )
    parser.add_argument(
        "--shaded",
        action="store_true",
        help="score all of --data also in light that changes along the line: a lamp to one side, a shadow",
    )
    parser.add_argument("--blurred", action="store_true", help="score all of --data also out of focus")
    parser.add_argument("--valid", type=Source.parse, action="append", default=[], metavar="PATTERN")
    parser.add_argument("--out", type=Path, help="JSON of scores; readings go beside it as .tsv")
    parser.add_argument(
        "--card", action="store_true", help="record the scores in the weight's metadata and card"
    )
    parser.add_argument("--remark", action="append", default=[], help="a paragraph for the card; repeatable")
    parser.add_argument("--device", default="auto")


def _add_export(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(verb=export)
    made_from = parser.add_mutually_exclusive_group(required=True)
    made_from.add_argument("--run", type=Path, help="a run, to export as a weight that the service loads")
    made_from.add_argument("--weights", help="a CRNN weight, to export in other formats")
    parser.add_argument("--out", type=Path, required=True, help="folder to write, named as the weight")
    parser.add_argument(
        "--format", choices=("onnx", "torchscript"), action="append", default=[],
        help="with --weights; repeatable, both without it",
    )  # fmt: skip
    parser.add_argument(
        "--set", type=OwnSet.parse, help="with --weights: a set whose lines check what was exported"
    )
    parser.add_argument(
        "--mix", type=Mix.parse, metavar="WEIGHTS=SHARE",
        help="with --run of a CRNN: a weight, such as the one it began with, and its share in their mean",
    )  # fmt: skip
    parser.add_argument("--data", action="append", default=[], help="a source of the lines; repeatable")
    parser.add_argument("--licence", action="append", default=[], help="licence of a source; repeatable")


if __name__ == "__main__":
    sys.exit(main())
