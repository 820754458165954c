"""Count and ship the character model: ``python -m training.charlm --text FILE=WEIGHT... --out DIR``."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors.numpy import save_file

from deployments.recognition.charlm import LOG_STEPS, CharModel, fold_symbol
from deployments.recognition.charset import Charset, normalise
from deployments.weights import FORMAT, METADATA, TENSORS, sha256
from training.weight_folder import share, write_metadata

Counts = npt.NDArray[np.float64]
Keys = npt.NDArray[np.uint64]
_BYTE = np.uint64(8)


@dataclass(frozen=True, slots=True)
class NgramTable:
    """What is stored: sorted keys ``uint64 (M,)``, logs of probabilities and backoffs ``float32 (M,)``."""

    classes: str
    order: int
    keys: Keys
    log_probabilities: npt.NDArray[np.float32]
    backoffs: npt.NDArray[np.float32]

    def model(self) -> CharModel:
        return CharModel(self.classes, self.order, self.keys, self.log_probabilities, self.backoffs)


def folded_classes(charset: Charset) -> str:
    """The folded symbols of a charset, each once, in the order of the charset."""
    return "".join(dict.fromkeys(map(fold_symbol, charset.symbols)))


def count_ngrams(texts: Iterable[tuple[str, float]], classes: str, order: int) -> list[tuple[Keys, Counts]]:
    """Weighted counts of the n-grams of each order, 1 first: sorted keys and their counts.

    Lines are read as if a space stood before and after each. A symbol outside the classes ends one
    n-gram and starts another.
    """
    index = {symbol: i for i, symbol in enumerate(classes, start=1)}
    totals: list[tuple[Keys, Counts]] = [(np.zeros(0, np.uint64), np.zeros(0))] * order
    for text, weight in texts:
        symbols = np.fromiter((index.get(fold_symbol(c), 0) for c in text), np.uint64, len(text))
        grams = symbols.copy()
        for n in range(order):
            if n:
                shifted = grams[:-1] << _BYTE | symbols[n:]
                grams = np.where((grams[:-1] > 0) & (symbols[n:] > 0), shifted, np.uint64(0))
            keys, counts = np.unique(grams[grams > 0], return_counts=True)
            totals[n] = _merge(totals[n], (keys, counts.astype(np.float64) * weight))
    return totals


def estimate(counts: Sequence[tuple[Keys, Counts]], classes: str, least: float) -> NgramTable:
    """Witten-Bell interpolation of counted n-grams.

    Orders above 2 keep n-grams with at least ``least`` counts; what is dropped goes to the backoff
    weight of its context, so that every distribution still sums to one.
    """
    keys, counted = counts[0]
    smooth = (counted + 1) / (counted.sum() + len(classes) + 1)
    levels = [(keys, np.log(smooth).astype(np.float32))]
    contexts: list[tuple[Keys, npt.NDArray[np.float32]]] = []
    for n, (keys, counted) in enumerate(counts[1:], start=2):
        kept = counted >= (least if n > 2 else 0.0)
        # A context must be there itself, or nobody would find its followers.
        kept &= np.isin(keys >> _BYTE, levels[-1][0])
        owners, inverse = np.unique(keys >> _BYTE, return_inverse=True)
        totals = np.bincount(inverse, counted)
        spread = np.bincount(inverse) + np.bincount(inverse, counted * ~kept)
        mass = totals + np.bincount(inverse)
        used = np.isin(owners, keys[kept] >> _BYTE)
        contexts.append((owners[used], np.log(spread[used] / mass[used]).astype(np.float32)))
        so_far = _table(levels, contexts, classes, n).model()
        lower = _lower_probabilities(so_far, keys[kept], n)
        owner = inverse[kept]
        probability = (counted[kept] + spread[owner] * lower) / mass[owner]
        levels.append((keys[kept], np.log(probability).astype(np.float32)))
    return _table(levels, contexts, classes, len(counts))


def write_weight(table: NgramTable, target: Path, training: dict[str, object]) -> None:
    """Write a weight of the engine ``charlm``: keys in six bytes, logs in one each."""
    target.mkdir(parents=True, exist_ok=True)
    tensors = {
        "keys_high": (table.keys >> np.uint64(16)).astype(np.uint32),
        "keys_low": (table.keys & np.uint64(0xFFFF)).astype(np.uint16),
        "probabilities": _quantised(table.log_probabilities),
        "backoffs": _quantised(table.backoffs),
    }
    save_file(tensors, target / TENSORS)
    share(target / TENSORS)
    metadata = {
        "name": target.name,
        "engine": "charlm",
        "format": FORMAT,
        "sha256": {TENSORS: sha256(target / TENSORS)},
        "architecture": {"classes": table.classes, "order": table.order},
        "training": training,
        "results": {},
    }
    write_metadata(target, metadata)


def read_text(path: Path) -> str:
    """Distinct lines of a text file, or of the rows of line shards, a space around each."""
    if path.is_dir():
        files = sorted(path.glob("**/lines-*.jsonl"))
        rows = [json.loads(row)["text"] for file in files for row in file.read_text("utf-8").splitlines()]
    else:
        rows = path.read_text("utf-8").splitlines()
    return " " + " ".join(dict.fromkeys(normalise(row) for row in rows)) + " "


def perplexity(model: CharModel, text: str) -> float:
    """Per character of a text, over the classes the model knows."""
    context, logs = 0, []
    for symbol in text:
        known = model.class_of(symbol)
        if known:
            logs.append(float(model.next_log_probabilities(context)[known]))
        context = model.extend(context, known)
    return float(np.exp(-np.mean(logs)))


def _merge(one: tuple[Keys, Counts], other: tuple[Keys, Counts]) -> tuple[Keys, Counts]:
    keys, inverse = np.unique(np.concatenate((one[0], other[0])), return_inverse=True)
    return keys, np.bincount(inverse, np.concatenate((one[1], other[1]))).astype(np.float64)


def _lower_probabilities(model: CharModel, keys: Keys, n: int) -> Counts:
    """Probability of each n-gram's last class after its context without the oldest symbol."""
    contexts = (keys >> _BYTE) & np.uint64((1 << 8 * (n - 2)) - 1)
    last = (keys & np.uint64(255)).astype(np.int64)
    values = np.empty(len(keys))
    # Sorted by key they are not sorted by shorter context: group them, so that each is asked once.
    order = np.argsort(contexts, kind="stable")
    bounds = np.flatnonzero(np.diff(contexts[order], prepend=np.uint64(0xFFFF_FFFF_FFFF)))
    for start, end in pairwise([*bounds.tolist(), len(order)]):
        group = order[start:end]
        values[group] = model.next_log_probabilities(int(contexts[group[0]]))[last[group]]
    return np.exp(values)


def _table(
    levels: Sequence[tuple[Keys, npt.NDArray[np.float32]]],
    contexts: Sequence[tuple[Keys, npt.NDArray[np.float32]]],
    classes: str,
    order: int,
) -> NgramTable:
    keys = np.concatenate([level[0] for level in levels])
    logs = np.concatenate([level[1] for level in levels])
    by_key = np.argsort(keys)
    keys, logs = keys[by_key], logs[by_key]
    backoffs = np.zeros(len(keys), np.float32)
    for owners, values in contexts:
        at = np.searchsorted(keys, owners)
        found = (at < len(keys)) & (keys[np.minimum(at, len(keys) - 1)] == owners)
        backoffs[at[found]] = values[found]
    return NgramTable(classes, order, keys, logs, backoffs)


def _quantised(logs: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    return np.asarray(np.clip(np.rint(-logs * LOG_STEPS), 0, 255), np.uint8)


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    texts = []
    for entry in options.text:
        name, _, weight = entry.rpartition("=")
        texts.append((read_text(Path(name)), float(weight)))
    classes = folded_classes(Charset())
    table = estimate(count_ngrams(texts, classes, options.order), classes, options.least)
    training = {
        "data": options.data,
        "licences": options.licence,
        "characters": sum(len(text) for text, _ in texts),
        "least_count": options.least,
    }
    write_weight(table, options.out, training)
    size = (options.out / TENSORS).stat().st_size
    print(f"{options.out}: {len(table.keys)} n-grams, {size / 1e6:.2f} MB")
    model = table.model()
    for path in options.test:
        print(f"{path.name}: perplexity {perplexity(model, read_text(path)[:200_000]):.3f} a character")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training.charlm", description=__doc__)
    parser.add_argument(
        "--text", action="append", required=True, metavar="PATH=WEIGHT", help="text file or line shards"
    )
    parser.add_argument("--test", type=Path, action="append", default=[], help="text to report on")
    parser.add_argument("--order", type=int, default=6, choices=range(2, 7))
    parser.add_argument("--least", type=float, default=4.0, help="counts that keep an n-gram above pairs")
    parser.add_argument("--out", type=Path, required=True, help=f"folder for {TENSORS} and {METADATA}")
    parser.add_argument("--data", action="append", default=[], help="a source of the texts; repeatable")
    parser.add_argument("--licence", action="append", default=[], help="licence of a source; repeatable")
    return parser


if __name__ == "__main__":
    sys.exit(main())
