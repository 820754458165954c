"""Count the words that beam search knows: ``python -m training.lexicon --text FILE=WEIGHT... --into DIR``.

``DIR`` is a weight of ``training.charlm``, whose classes of symbols the words are hashed with.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from deployments.recognition.charlm import LOG_STEPS, CharModel, fold_symbol
from deployments.recognition.charset import normalise
from deployments.recognition.lexicon import WORDS_FILE
from deployments.recognition.search_kernel import WORD_KEY_BITS, key_of_word
from deployments.weights import METADATA, resolve, sha256
from training.charlm import read_text
from training.recognition_export import write_metadata

LETTERS = re.compile(r"[^\W\d_]+")


def count_words(texts: Iterable[tuple[str, float]]) -> Counter[str]:
    """Weighted counts of the folded runs of letters, two letters at least."""
    counts: Counter[str] = Counter()
    for text, weight in texts:
        folded = "".join(map(fold_symbol, normalise(text)))
        for word, count in Counter(LETTERS.findall(folded)).items():
            if len(word) > 1:
                counts[word] += count * weight  # type: ignore[assignment]
    return counts


def key_of(word: str, model: CharModel) -> int:
    """The key of a word, as a beam search arrives at it letter by letter."""
    return int(key_of_word(np.array([model.class_of(letter) for letter in word], np.uint8)))


def write_words(counts: Counter[str], model: CharModel, target: Path) -> int:
    """Write the lexicon into a weight's folder; returns its number of words.

    Words with a letter that the model does not know are left out.
    """
    known = {word: count for word, count in counts.items() if all(map(model.class_of, word))}
    logs = np.log(np.array(list(known.values()))) - np.log(sum(known.values()))
    keys = np.array([key_of(word, model) for word in known], np.uint64)
    order = np.argsort(keys)
    keys, logs = keys[order], logs[order]
    assert WORD_KEY_BITS == 48
    save_file(
        {
            "keys_high": (keys >> np.uint64(16)).astype(np.uint32),
            "keys_low": (keys & np.uint64(0xFFFF)).astype(np.uint16),
            "probabilities": np.asarray(np.clip(np.rint(-logs * LOG_STEPS), 0, 255), np.uint8),
        },
        target / WORDS_FILE,
    )
    (target / WORDS_FILE).chmod(0o644)
    return len(keys)


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    texts = []
    for entry in options.text:
        name, _, weight = entry.rpartition("=")
        texts.append((read_text(Path(name)), float(weight)))
    counts = Counter({word: n for word, n in count_words(texts).items() if n >= options.least})
    model = CharModel.of_weights(resolve(str(options.into), "charlm"))
    words = write_words(counts, model, options.into)
    metadata = json.loads((options.into / METADATA).read_text(encoding="utf-8"))
    metadata["sha256"][WORDS_FILE] = sha256(options.into / WORDS_FILE)
    metadata["training"]["words"] = words
    write_metadata(options.into, metadata)
    print(f"{options.into}: {words} words, {(options.into / WORDS_FILE).stat().st_size / 1e6:.2f} MB")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training.lexicon", description=__doc__)
    parser.add_argument(
        "--text", action="append", required=True, metavar="PATH=WEIGHT", help="text file or line shards"
    )
    parser.add_argument("--least", type=float, default=0.0, help="weighted counts that keep a word")
    parser.add_argument("--into", type=Path, required=True, help="folder of a character model")
    return parser


if __name__ == "__main__":
    sys.exit(main())
