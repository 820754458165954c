"""Which text a line reads as, where several looks at it found different ones.

The looks are not of one width, so their time steps do not stand for the same places and cannot be
averaged; their texts can be compared (docs/decisions/0017-choosing-between-looks.md).
"""

from __future__ import annotations

import numpy as np

from deployments.recognition.beam import Found, Priors, Search, find_text
from deployments.recognition.decode import LinePosteriors
from deployments.recognition.likelihood import log_likelihood


def choose_text(line: LinePosteriors, priors: Priors, search: Search) -> tuple[Found, LinePosteriors]:
    """The best text of a line, and the posteriors that it was found in: its steps are theirs."""
    # With more paper below alone, a line reads worse than as the mean that this look is part of.
    sources = [line, line.looks[-1], line.looks[0]] if line.looks else [line]
    found: dict[tuple[int, ...], tuple[Found, LinePosteriors]] = {}
    for source in sources:
        text = find_text(source.steps, priors, search)
        found.setdefault(text.symbols, (text, source))
    if len(found) == 1:
        return found.popitem()[1]
    return max(found.values(), key=lambda each: fit(each[0], line.looks))


def fit(text: Found, looks: tuple[LinePosteriors, ...]) -> float:
    """How well a text fits all looks and the models of text, in nats; what the search maximises for one."""
    symbols = np.array(text.symbols, np.int32)
    return float(np.mean([log_likelihood(look.steps, symbols) for look in looks])) + text.prior
