"""What the character model gains, in its own card: ``python -m training.charlm_card --data SETS``."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from deployments.recognition.config import RecognitionArgs, RecognitionTuning
from deployments.recognition.engines import build_engine
from deployments.weights import METADATA, resolve
from training.lines_data import Source
from training.recognition_evaluation import SetResult, evaluate_real, evaluate_rendered
from training.weight_folder import write_metadata

_MEASURES = ("CER", "WER", "s per line")
Pair = tuple[SetResult, SetResult]


def measure_gain(args: RecognitionArgs, valid: Sequence[Source], data: Path | None) -> list[Pair]:
    """Each set read greedily and with beam search by one engine."""
    engine = build_engine(args)
    engine.warm_up()
    results = []
    for decoding in ("greedy", "beam"):
        engine.configure(RecognitionTuning(decoding=decoding))
        read = evaluate_rendered(engine, valid)
        results.append(read + (evaluate_real(engine, data) if data is not None else []))
    return list(zip(*results, strict=True))


def write_card(folder: Path, reader: str, pairs: Sequence[Pair]) -> None:
    """Put the gain into the weight's metadata and write its README.md."""
    metadata = json.loads((folder / METADATA).read_text(encoding="utf-8"))
    metadata["results"] = {
        beam.name: {
            "n": beam.score.n,
            "cer_greedy": round(greedy.score.cer, 4),
            "cer": round(beam.score.cer, 4),
        }
        for greedy, beam in pairs
    }
    write_metadata(folder, metadata)
    (folder / "README.md").write_text(model_card(metadata, reader, pairs), encoding="utf-8")


def model_card(metadata: Mapping[str, Any], reader: str, pairs: Sequence[Pair]) -> str:
    """Markdown of the card."""
    training, shape, tuning = metadata["training"], metadata["architecture"], RecognitionTuning()
    facts = {
        "model": f"n-grams of up to {shape['order']} of {len(shape['classes'])} folded symbols, "
        f"Witten-Bell interpolation, n-grams above pairs kept from {training['least_count']:g} counts",
        "lexicon": f"{training.get('words', 0):,} word forms with their frequencies, as hashes "
        "(deployments/recognition/lexicon.py)",
        "counted on": f"{training['characters']:,} characters: {'; '.join(training['data'])}",
        "licences of the data": "; ".join(training["licences"]),
    }
    rows = "\n".join(f"| {name} | {value} |" for name, value in facts.items())
    columns = ["set", "lines", *(f"{what} {how}" for what in _MEASURES for how in ("greedy", "beam"))]
    table = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    table += [
        f"| {b.name} | {b.score.n} | {g.score.cer:.1%} | {b.score.cer:.1%} | {g.score.wer:.1%} "
        f"| {b.score.wer:.1%} | {g.s_per_line:.4f} | {b.s_per_line:.4f} |"
        for g, b in pairs
    ]
    parts = [
        f"# {metadata['name']}",
        "A character model and a lexicon of Russian and English for beam search over the CRNN's posteriors. "
        "Letter case, digits, ё, quotes and dashes do not matter to them, so they never argue about a figure "
        "or a capital; an unknown word loses only to a known one that the image bears out about as well.",
        f"| | |\n|---|---|\n{rows}",
        "## What it gains",
        f"Read by {reader} with {tuning.beam_width} beams, weight {tuning.language_weight:g} and a bonus of "
        f"{tuning.length_bonus:g} a character, {tuning.word_weight:g} and {tuning.word_bonus:g} a letter for "
        "words, chosen on rendered lines other than those below. Seconds are of the whole engine on one "
        "thread, batches of 16, on a machine shared with other work.",
        "\n".join(table),
        *metadata.get("remarks", []),
    ]
    return "\n\n".join(parts) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m training.charlm_card", description=__doc__)
    parser.add_argument("--model", default="charlm-ru-en", help="the character model, by name or path")
    parser.add_argument("--weights", default="crnn-ru-en", help="the CRNN that reads, by name or path")
    parser.add_argument("--data", type=Path, help="folder of labelled sets; their evaluation rows are read")
    parser.add_argument("--valid", type=Source.parse, action="append", default=[], metavar="PATTERN")
    options = parser.parse_args(arguments)
    args = RecognitionArgs(weights=options.weights, language_model=options.model, device="cpu")
    pairs = measure_gain(args, options.valid, options.data)
    folder = resolve(options.model, "charlm").path
    write_card(folder, Path(options.weights).name, pairs)
    print((folder / "README.md").read_text(encoding="utf-8"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
