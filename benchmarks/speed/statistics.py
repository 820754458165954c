"""Percentiles of one trial, and medians with spread over repeated ones."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest-rank percentile: the least value that ``share`` of all do not exceed. 0 for none."""
    if not values:
        return 0.0
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def latencies_ms(seconds: Sequence[float]) -> dict[str, float]:
    """Percentiles of latencies, in milliseconds."""
    shares = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}
    return {name: round(1000 * percentile(seconds, share), 1) for name, share in shares.items()}


def merge_trials(trials: Sequence[Any]) -> Any:
    """The same figures of several trials as one tree, every number replaced by :func:`spread`.

    Keys that only some trials have are merged over those; what is no number is the first trial's.
    """
    first = trials[0]
    if isinstance(first, Mapping):
        keys = dict.fromkeys(key for trial in trials for key in trial)
        return {key: merge_trials([trial[key] for trial in trials if key in trial]) for key in keys}
    if isinstance(first, bool) or not isinstance(first, int | float):
        return first
    return spread([float(value) for value in trials])


def medians(merged: Any) -> Any:
    """A tree of :func:`merge_trials` with the median alone in the place of every spread."""
    if isinstance(merged, Mapping):
        return merged["median"] if "median" in merged else {k: medians(v) for k, v in merged.items()}
    return merged


def spread(values: Sequence[float]) -> dict[str, Any]:
    """Median, least and greatest, and the values in the order they were taken."""
    rounded = [_significant(value) for value in values]
    return {
        "median": _significant(median(values)), "min": min(rounded), "max": max(rounded), "values": rounded,
    }  # fmt: skip


def _significant(value: float, digits: int = 4) -> float:
    return float(f"{value:.{digits}g}") if abs(value) < 10**digits else round(value)
