"""How much work a replica has, has done, and can do: what autoscaling goes by.

Work is measured in pixels of the model's input, which is what a model pays for: for recognition,
whose lines have one height, crops weighted by their width; for detection, the size of pages.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from deployments.batching import Step

# Names of what a stage reports to Serve's autoscaler, in pixels and pixels per second.
PENDING_PIXELS = "pending_pixels"
DONE_PIXELS = "done_pixels"
PIXELS_PER_S = "pixels_per_s"

_RECENT_STEPS = 64
_FASTEST_PERCENT = 90.0


class WorkMeter:
    """Counts the work of one replica's model steps, and tells how fast full ones are.

    A replica that is hardly used runs small batches, and those cost more for each pixel than full
    ones do. What it could do is told by its fastest recent steps: company makes a step faster for
    each pixel, and whatever disturbs one only makes it slower.
    """

    def __init__(self) -> None:
        self.done_pixels = 0
        self._speeds: deque[float] = deque(maxlen=_RECENT_STEPS)

    def count(self, step: Step) -> None:
        """Add a step that has run."""
        self.done_pixels += step.pixels
        if step.run_s > 0:
            self._speeds.append(step.pixels / step.run_s)

    @property
    def pixels_per_s(self) -> float:
        """Speed of a full step; 0 before the first step."""
        return float(np.percentile(self._speeds, _FASTEST_PERCENT)) if self._speeds else 0.0
