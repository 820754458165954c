"""How well a text fits what a CTC network saw, compiled by Numba.

The forward algorithm of Graves et al., "Connectionist Temporal Classification" (2006), 4.1. It uses no
compiled code of other files, for the reason that :mod:`deployments.recognition.search_kernel` gives.
Letters: T time steps, V symbols, L symbols of a text.
"""

from __future__ import annotations

import numpy as np

from deployments.recognition.charset import BLANK
from deployments.recognition.search_kernel import compiled
from deployments.recognition.search_tables import Floats, Integers

# What one step may say against a text at most: one symbol that a look is blind to must not decide alone.
_LEAST_PROBABILITY = 1e-10
# Stands for zero, so that texts which do not fit at all (more symbols than steps) have a logarithm too.
_TINY = 1e-300


@compiled
def log_likelihood(posteriors: Floats, text: Integers) -> float:
    """Natural logarithm of the probability of a text, over all its alignments.

    ``posteriors``: ``(T, V)``, finite; ``text``: ``(L,)`` symbols below V, none of them the blank.
    """
    # Blanks stand at the even places, before, between and after the symbols. No step having been made,
    # all of the probability is in the first blank.
    places = 2 * len(text) + 1
    ending_at = np.zeros(places, np.float64)
    ending_at[0] = 1.0
    scale = 0.0
    for step in range(len(posteriors)):
        largest = 0.0
        for place in range(places - 1, -1, -1):
            symbol = BLANK if place % 2 == 0 else text[place // 2]
            whole = ending_at[place]
            if place > 0:
                whole += ending_at[place - 1]
            # Between two unlike symbols there need not be a blank.
            if place % 2 == 1 and place > 1 and symbol != text[place // 2 - 1]:
                whole += ending_at[place - 2]
            ending_at[place] = whole * max(float(posteriors[step, symbol]), _LEAST_PROBABILITY)
            largest = max(largest, ending_at[place])
        # Long lines would underflow. Every place keeps a share of its own, so the largest is not 0.
        ending_at /= largest
        scale += np.log(largest)
    ended = ending_at[places - 1] + (ending_at[places - 2] if places > 1 else 0.0)
    return scale + float(np.log(max(ended, _TINY)))
