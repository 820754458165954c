"""Model cards of the kind classifiers, written from their metadata: the numbers are those measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_WHAT = {
    "clip": "A compact CLIP: a small convolutional image tower and a smaller text tower, trained together on "
    "line crops and English prompts. It answers by which kind's prompts lie nearer to the crop. The folder "
    "has the layout of open_clip's hub repositories (`open_clip_config.json`, "
    "`open_clip_model.safetensors`), so `open_clip.create_model('local-dir:...')` reads it too.",
    "cnn": "A small convolutional encoder with a linear classifier on grey crops of 128 x 512.",
}
_LIMITS = {
    "clip": "Only the words of its training prompts mean anything to the text tower; other words are silent. "
    "For free prompts take a public model. Looks it has not seen cost accuracy: the same model trained "
    "for 750 steps without receipts and historic lines reached 0.934 on the receipts and 0.967 on the "
    "historic lines.",
    "cnn": "It knows the two kinds and nothing else.",
}


def model_card(metadata: Mapping[str, Any]) -> str:
    """The card as Markdown."""
    engine, training, calibration = metadata["engine"], metadata["training"], metadata["calibration"]
    parts = [
        f"# {metadata['name']}: handwritten or printed",
        _WHAT[engine],
        "Typewriting counts as printed. Input: a line crop of any size; it becomes dark ink on white, "
        "keeps its proportions, and when it is long is "
        + ("folded into two rows." if metadata["input"]["max_rows"] > 1 else "represented by its middle."),
        "## Results\n\n"
        "Evaluation rows of each set, cut along the labelled boxes or polygons, never trained on. Of "
        "`pages_ru_printed` and `words_ru_handwritten` no row is; the writers of the latter also drew the "
        "single letters of `strokes_ru`.\n\n" + _results(metadata.get("results", {})),
        f"Calibration: temperature {calibration['temperature']}, fitted on held-out training lines, "
        f"where the calibration error (15 bins) is {calibration['ece_held_out']}.",
        "## Training\n\n" + _training(engine, training),
        "## Limits\n\n"
        + _LIMITS[engine]
        + " A line that holds both kinds gets one answer. Script faces in print (engraved letterheads, "
        "logotypes) pass for handwriting. Hands other than Russian and English were not tried.",
    ]
    return "\n\n".join(parts) + "\n"


def _results(results: Mapping[str, Mapping[str, float]]) -> str:
    rows = ["| set | lines | accuracy | ECE |", "|---|---|---|---|"]
    for name, result in results.items():
        rows.append(f"| {name} | {result['lines']} | {result['accuracy']:.4f} | {result['ece']:.4f} |")
    return "\n".join(rows)


def _training(engine: str, training: Mapping[str, Any]) -> str:
    facts = f"{_run(training)}, on {training['hardware']}."
    before = training.get("started_from", {})
    while before:
        facts += f" It began with `{before['name']}` of {_run(before)}."
        before = before.get("started_from", {})
    sets = " --set PAGES" if training.get("learnt") else ""
    start = f" --start-from {training['started_from']['name']}" if "started_from" in training else ""
    mix = f" --mix {training['mixed_with']}={training['share']}" if "mixed_with" in training else ""
    commands = (
        f"```\npython -m training.classification render --data DATA --out LINES --shards SHARDS{sets}\n"
        f"python -m training.classification train --engine {engine} --renditions LINES --run RUN{start}\n"
        f"python -m training.classification export --engine {engine} --data DATA --run RUN{mix}\n"
        f"python -m training.classification evaluate --engine {engine} --data DATA\n```"
    )
    data = "\n".join(f"- {source}" for source in [*training["licences"], *training.get("learnt", [])])
    return (
        f"{facts}\n\n{commands}\n\nData and licences:\n\n{data}\n"
        "- lines set in the open fonts that `training/synth/fonts.json` lists with their licences"
    )


def _run(training: Mapping[str, Any]) -> str:
    """One run, and what its values were mixed with."""
    run = (
        f"{training['steps']} steps, {training['samples']} renditions, seed {training['seed']}, "
        f"{training['hours']} hours, at commit {training['commit']}"
    )
    if "mixed_with" in training:
        run += f" (the mean with `{training['mixed_with']}` as it was, whose share is {training['share']})"
    return run
