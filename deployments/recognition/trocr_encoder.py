"""The encoder of our compact TrOCR: the CRNN's features of a line, as transformers expects them.

A ViT at 384x384 costs hundreds of milliseconds a line on a CPU and squeezes long lines; columns of
convolutional features cost a hundredth and keep the aspect. Importing this module registers the
encoder with transformers, so that checkpoints with it load like any other.

A decoder needs long to learn where on the line to look for its next character. Our columns say it:
their positions are counted not in pixels but in characters, by the CTC head that the features were
trained with, so that the decoder's step i finds its columns at position i.
"""

from __future__ import annotations

import math
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import AutoConfig, AutoModel, PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutput

from deployments.recognition.crnn_network import CrnnArchitecture, CrnnFeatures


class LineEncoderConfig(PretrainedConfig):  # type: ignore[misc]
    """Sizes of :class:`LineEncoder`; ``hidden_size`` is what the decoder attends to.

    ``symbols``: outputs of the CTC head that counts characters; 0: there is none, and positions are
    those of the columns.
    """

    model_type = "ink-line-encoder"

    def __init__(
        self,
        height_px: int = 32,
        channels: tuple[int, ...] | list[int] = (32, 64, 128, 192),
        rnn_width: int = 128,
        hidden_size: int = 192,
        symbols: int = 0,
        **kwargs: Any,
    ) -> None:
        self.height_px = height_px
        self.channels = list(channels)
        self.rnn_width = rnn_width
        self.hidden_size = hidden_size
        self.symbols = symbols
        super().__init__(**kwargs)


class LineEncoder(PreTrainedModel):  # type: ignore[misc]
    """``(N, 1, H, W)`` ink images to ``(N, W / 4, hidden_size)`` features with their positions."""

    config_class = LineEncoderConfig
    main_input_name = "pixel_values"

    def __init__(self, config: LineEncoderConfig) -> None:
        super().__init__(config)
        first, second, third, fourth = config.channels
        shape = CrnnArchitecture(0, config.height_px, (first, second, third, fourth), config.rnn_width)
        self.features = CrnnFeatures(shape)
        context = 2 * config.rnn_width
        self.head = nn.Linear(context, config.symbols) if config.symbols else None
        self.norm = nn.LayerNorm(context)
        self.project = nn.Linear(context, config.hidden_size)
        self._frozen = False
        self.post_init()

    def forward(
        self, pixel_values: Tensor, return_dict: bool | None = None, **ignored: Any
    ) -> BaseModelOutput | tuple[Tensor]:
        hidden, _ = self.encode(pixel_values)
        return (hidden,) if return_dict is False else BaseModelOutput(last_hidden_state=hidden)

    def encode(self, pixel_values: Tensor) -> tuple[Tensor, Tensor]:
        """Features ``(N, W / 4, hidden_size)`` and the position ``(N, W / 4)`` of each column."""
        images = pixel_values.contiguous(memory_format=torch.channels_last)
        features = self.features(images).transpose(0, 1)
        columns = self.project(self.norm(features))
        positions = self._positions(features)
        return columns + sinusoids(positions, columns.shape[-1]).to(columns.dtype), positions

    def freeze_features(self) -> None:
        """Keep the features as they are: only the projection learns."""
        self.features.requires_grad_(False)
        if self.head is not None:
            self.head.requires_grad_(False)
        self._frozen = True

    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        if self._frozen:
            self.features.eval()
        return self

    def _positions(self, features: Tensor) -> Tensor:
        """``(N, T)`` float32: how many characters have begun up to a column, or its number."""
        n, steps, _ = features.shape
        if self.head is None:
            return torch.arange(steps, device=features.device, dtype=torch.float32).expand(n, steps)
        return characters_begun(self.head(features).float().softmax(-1))


def characters_begun(posteriors: Tensor) -> Tensor:
    """Expected number of characters that have begun up to each step of a CTC posterior.

    Args:
        posteriors: ``(N, T, V)`` probabilities, the blank at 0.

    Returns:
        ``(N, T)``. A character begins at a step in so far as the step before did not say it.
    """
    letters = posteriors[..., 1:]
    before = functional.pad(letters[:, :-1], (0, 0, 1, 0))
    return (letters * (1 - before)).sum(-1).cumsum(-1)


def sinusoids(positions: Tensor, size: int) -> Tensor:
    """Encodings ``(..., size)`` of real-valued positions, after Vaswani et al. (2017), size even."""
    rate = torch.exp(torch.arange(0, size, 2, device=positions.device) * (-math.log(10_000.0) / size))
    angles = positions[..., None] * rate
    return torch.stack((angles.sin(), angles.cos()), dim=-1).flatten(-2)


AutoConfig.register(LineEncoderConfig.model_type, LineEncoderConfig)
AutoModel.register(LineEncoderConfig, LineEncoder)
