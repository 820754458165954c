"""Count the words that beam search knows: ``python -m training.lexicon --text FILE=WEIGHT... --into DIR``.

``DIR`` is a weight of ``training.charlm``, whose classes of symbols the words are hashed with. With
``--add FILE`` the words of a list join, all at one log probability, those that are counted or,
without ``--text``, those that the weight has.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from safetensors.numpy import save_file

from deployments.recognition.charlm import LOG_STEPS, CharModel, fold_symbol
from deployments.recognition.charset import normalise
from deployments.recognition.lexicon import RAREST, WORDS_FILE, Lexicon
from deployments.recognition.search_kernel import WORD_KEY_BITS, key_of_word
from deployments.weights import METADATA, resolve, sha256
from training.charlm import read_text
from training.weight_folder import share, write_metadata

LETTERS = re.compile(r"[^\W\d_]+")


class Words(NamedTuple):
    """A lexicon as it is stored: sorted keys ``uint64 (N,)``, natural logarithms ``float64 (N,)``."""

    keys: npt.NDArray[np.uint64]
    logs: npt.NDArray[np.float64]


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


def counted(counts: Counter[str], model: CharModel) -> Words:
    """The words with the logarithms of their shares; none with a letter that the model does not know."""
    known = {word: count for word, count in counts.items() if all(map(model.class_of, word))}
    logs = np.log(np.array(list(known.values()))) - np.log(sum(known.values()))
    keys = np.array([key_of(word, model) for word in known], np.uint64)
    order = np.argsort(keys)
    return Words(keys[order], logs[order])


def read_words(weights: Path) -> Words:
    """The lexicon of a weight's folder."""
    tables = Lexicon.of_weights(resolve(str(weights), "charlm")).tables
    return Words(tables.words.keys, tables.log_probabilities.astype(np.float64))


def added(words: Words, forms: Iterable[str], model: CharModel, log_probability: float) -> Words:
    """The words with those forms that are not among them, each at the same log probability.

    A list says of a form that it exists, not how often: what texts have counted stays as it is.
    """
    known = (form for form in forms if all(map(model.class_of, form)))
    new = np.setdiff1d(np.fromiter((key_of(form, model) for form in known), np.uint64), words.keys)
    keys = np.concatenate([words.keys, new])
    logs = np.concatenate([words.logs, np.full(len(new), log_probability)])
    order = np.argsort(keys)
    return Words(keys[order], logs[order])


def write_words(words: Words, target: Path) -> None:
    """Write the lexicon into a weight's folder; logarithms below -255 / 16 become that."""
    assert WORD_KEY_BITS == 48
    save_file(
        {
            "keys_high": (words.keys >> np.uint64(16)).astype(np.uint32),
            "keys_low": (words.keys & np.uint64(0xFFFF)).astype(np.uint16),
            "probabilities": np.asarray(np.clip(np.rint(-words.logs * LOG_STEPS), 0, 255), np.uint8),
        },
        target / WORDS_FILE,
    )
    share(target / WORDS_FILE)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = _parser()
    options = parser.parse_args(arguments)
    if not options.text and not options.add:
        parser.error("one of --text and --add is needed")
    model = CharModel.of_weights(resolve(str(options.into), "charlm"))
    words = counted(_counts(options), model) if options.text else read_words(options.into)
    for path in options.add:
        words = added(words, count_words([(read_text(path), 1.0)]), model, options.log_probability)
    write_words(words, options.into)
    _record(options, len(words.keys))
    size = (options.into / WORDS_FILE).stat().st_size
    print(f"{options.into}: {len(words.keys)} words, {size / 1e6:.2f} MB")
    return 0


def _counts(options: argparse.Namespace) -> Counter[str]:
    texts = []
    for entry in options.text:
        name, _, weight = entry.rpartition("=")
        texts.append((read_text(Path(name)), float(weight)))
    return Counter({word: n for word, n in count_words(texts).items() if n >= options.least})


def _record(options: argparse.Namespace, words: int) -> None:
    """Put the lexicon's checksum, size and sources into the metadata of its weight."""
    metadata = json.loads((options.into / METADATA).read_text(encoding="utf-8"))
    metadata["sha256"][WORDS_FILE] = sha256(options.into / WORDS_FILE)
    training = metadata["training"]
    training["words"] = words
    for name, lines in (("data", options.data), ("licences", options.licence)):
        training[name] = list(dict.fromkeys([*training.get(name, []), *lines]))
    write_metadata(options.into, metadata)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training.lexicon", description=__doc__)
    parser.add_argument(
        "--text", action="append", default=[], metavar="PATH=WEIGHT", help="text file or line shards"
    )
    parser.add_argument("--least", type=float, default=0.0, help="weighted counts that keep a word")
    parser.add_argument("--add", type=Path, action="append", default=[], metavar="FILE", help="list of words")
    parser.add_argument(
        "--log-probability", type=float, default=RAREST, help="natural, of each word that --add brings"
    )
    parser.add_argument("--data", action="append", default=[], metavar="TEXT", help="source, for the card")
    parser.add_argument("--licence", action="append", default=[], metavar="TEXT", help="licence of a source")
    parser.add_argument("--into", type=Path, required=True, help="folder of a character model")
    return parser


if __name__ == "__main__":
    sys.exit(main())
