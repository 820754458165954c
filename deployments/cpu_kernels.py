"""Settings of torch's CPU kernels that are read when torch is imported: free of torch."""

from __future__ import annotations

import os

# Of oneDNN, and of ideep between torch and it: how many prepared layers each keeps. Both keep 1024,
# of every shape that ever came.
_CACHE_SETTINGS = ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "LRU_CACHE_CAPACITY")
_KEPT_LAYERS = "32"


def keep_few_layers() -> None:
    """Have this process keep few prepared layers; call it before torch is imported.

    For a model that seldom sees a shape twice, as the CRNN does with its batches of lines: layers
    prepared for a shape are of no use afterwards and take 1 MB a shape or more, while preparing them
    anew takes some 9 ms of a step. A model with few shapes would be slower by a third.
    Settings of the environment win.
    """
    for name in _CACHE_SETTINGS:
        os.environ.setdefault(name, _KEPT_LAYERS)
