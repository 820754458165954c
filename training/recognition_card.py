"""The model card of a recogniser, written from its metadata and its measured results."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from deployments.weights import METADATA
from training.recognition_curve import PICTURE
from training.recognition_evaluation import SetResult, as_table
from training.weight_folder import write_metadata

_WHAT = {
    "crnn": "Reads one line of Russian or English text, printed or handwritten: convolutions, two "
    "bidirectional LSTM layers and CTC.",
    "trocr": "Reads one line of Russian or English text, printed or handwritten: a VisionEncoderDecoder of "
    "transformers whose encoder is the CRNN's feature columns and whose TrOCR decoder writes characters.",
}


def record_results(folder: Path, results: Sequence[SetResult], remarks: Sequence[str] = ()) -> None:
    """Put measured results into a weight's metadata and write its README.md.

    Args:
        folder: an exported weight.
        results: scores through the serving engine.
        remarks: paragraphs on what the model is not good at, or how it was chosen.
    """
    metadata = json.loads((folder / METADATA).read_text(encoding="utf-8"))
    metadata["results"] = {r.name: r.score.as_dict() for r in results}
    write_metadata(folder, metadata)
    card = model_card(metadata, results, remarks)
    if (folder / PICTURE).is_file():
        card += f"\n![Training loss and validation CER over lines seen]({PICTURE})\n"
    (folder / "README.md").write_text(card, encoding="utf-8")


def model_card(metadata: Mapping[str, Any], results: Sequence[SetResult], remarks: Sequence[str] = ()) -> str:
    """Markdown of a card."""
    training, shape = metadata["training"], metadata["input"]
    facts = {
        "engine": metadata["engine"],
        "input": f"grey, {shape['height_px']} px high, up to {shape['max_width_px']} px wide, "
        f"{len(shape['charset'])} symbols",
        "architecture": ", ".join(f"{name} {value}" for name, value in metadata["architecture"].items()),
        "trained on": "; ".join(training["data"]),
        "licences of the data": "; ".join(training["licences"]),
        "samples": f"{training['samples']:,} lines in {training['steps']:,} steps, seed {training['seed']}",
        "time": f"{training['hours']} h on {training['hardware']}, commit {training['commit']}",
    }
    rows = "\n".join(f"| {name} | {value} |" for name, value in facts.items())
    parts = [
        f"# {metadata['name']}",
        _WHAT[metadata["engine"]],
        f"| | |\n|---|---|\n{rows}",
        "## Results",
        "Line crops along the labels, read by the serving engine on a CPU with its default settings (for the "
        "CRNN beam search with charlm-ru-en, whose card shows what greedy decoding gives). Text is compared "
        "in lower case, with plain quotes and dashes, е for ё and single spaces. CER and WER are edit "
        "distances over reference lengths. No line of these sets was trained on.",
        as_table(results),
        *remarks,
    ]
    return "\n\n".join(part for part in parts if part) + "\n"
