"""The mean of a run's values and of a weight that was there before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from deployments.weights import TENSORS, WeightsError, resolve


@dataclass(frozen=True, slots=True)
class Mix:
    """A weight of the same build, and its share, 0 to 1, in the values that are exported.

    Training on lines of a new kind costs some of what was known of others; the mean of the values
    before and after keeps most of both. Wortsman et al., "Robust fine-tuning of zero-shot models" (2022).
    """

    weights: str
    share: float

    @classmethod
    def parse(cls, text: str) -> Mix:
        """Read ``WEIGHTS=SHARE``; raises ValueError."""
        weights, _, share = text.rpartition("=")
        if not weights or not 0 < float(share) < 1:
            raise ValueError(f"{text!r} is not WEIGHTS=SHARE with a share between 0 and 1")
        return cls(weights, float(share))

    def into(self, values: Mapping[str, Tensor], engine: str, tensors: str = TENSORS) -> dict[str, Tensor]:
        """The weighted means with a weight's file ``tensors``.

        Raises WeightsError where the weight of that engine is built otherwise.
        """
        return self.mean(values, load_file(resolve(self.weights, engine).file(tensors)))

    def mean(self, values: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """As :meth:`into`, with the values of the weight as its network names them."""
        if {name: value.shape for name, value in other.items()} != {n: v.shape for n, v in values.items()}:
            raise WeightsError(f"weights {self.weights!r}: not of the network that was trained")
        return {
            name: torch.lerp(value.float(), other[name].float(), self.share)
            if value.is_floating_point()
            else value
            for name, value in values.items()
        }

    def facts(self) -> dict[str, str | float]:
        """What the metadata of the mixed weight says of it."""
        return {"mixed_with": Path(self.weights).name, "share": self.share}
