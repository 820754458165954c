"""The share of a GPU's memory that a replica may take, and what it takes.

Ray's fractions of a GPU place replicas and bound nothing: without this, one stage's large batch
could take the memory of the others on its card. An allocation over the share fails as if the card
were full, and the batcher then halves the step.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

if TYPE_CHECKING:
    import torch

GpuMemoryFraction = Annotated[
    float | None,
    Field(
        gt=0,
        le=1,
        description="share of the GPU's memory that tensors of one replica may take, 0 to 1, on CUDA "
        "only; empty: no bound. The CUDA context, some 0.5 GB, comes on top",
    ),
]

_shares: dict[int, float] = {}
"""The card that this process's model is on, by its number, and the share of it that may be taken."""


def limit(device: torch.device, fraction: float | None) -> None:
    """Bound this process's tensors to a share of the device's memory; CPUs have none to share."""
    if device.type != "cuda":
        return
    import torch

    # Torch sets no share on "cuda" as such, only on a card that is named.
    index: int | None = device.index
    if index is None:
        index = torch.cuda.current_device()
    if fraction is not None:
        torch.cuda.set_per_process_memory_fraction(fraction, index)
    _shares[index] = 1.0 if fraction is None else fraction


def in_use_bytes() -> dict[str, int]:
    """Bytes ``allocated`` by tensors, their ``peak`` since the last call, ``reserved``, and the ``limit``.

    ``reserved`` holds torch's cache too, which grows to the limit in good order and is freed there.
    Empty without CUDA, without importing torch: a process that has not done so uses no GPU.
    """
    if "torch" not in sys.modules:
        return {}
    import torch

    if not torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        return {}
    index = next(iter(_shares), torch.cuda.current_device())
    total = torch.cuda.get_device_properties(index).total_memory
    peak = torch.cuda.max_memory_allocated(index)
    torch.cuda.reset_peak_memory_stats(index)
    return {
        "allocated": torch.cuda.memory_allocated(index),
        "peak": peak,
        "reserved": torch.cuda.memory_reserved(index),
        "limit": int(_shares.get(index, 1.0) * total),
    }
