"""Real lines join training as shards, beside the rendered ones.

Each line is cut twice, tight along its label and with a margin, since detectors crop both ways.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from deployments.recognition.preprocess import resize_to_height, to_grey
from training.labelled_lines import Split, read_lines
from training.synth.corpora import Language
from training.synth.lines import HEIGHT_PX, MAX_WIDTH_PX, LineSample
from training.synth.shards import write_shard

MARGINS = (0.0, 0.12)
_CYRILLIC = re.compile("[А-Яа-яЁё]")


def write_real_lines(folder: Path, target: Path, split: Split = "train") -> int:
    """Write the training rows of a labelled set as one shard; returns the number of lines.

    Args:
        folder: a set with labels.jsonl.
        target: folder of the shard.
        split: ``train`` leaves out the evaluation rows of a known set, ``all`` takes every row
            (a set of one's own).
    """
    target.mkdir(parents=True, exist_ok=True)
    samples = list(_samples(folder, split))
    write_shard(target, 0, samples)
    return len(samples)


def _samples(folder: Path, split: Split) -> Iterator[LineSample]:
    for margin in MARGINS:
        for line in read_lines(folder, split, margin):
            grey = resize_to_height(to_grey(line.image), HEIGHT_PX, MAX_WIDTH_PX)
            language: Language = "ru" if _CYRILLIC.search(line.text) else "en"
            yield LineSample(grey, line.text, line.kind, language)
