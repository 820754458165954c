"""The encoder of our compact TrOCR: the CRNN's features of a line, as transformers expects them.

A ViT at 384x384 costs hundreds of milliseconds a line on a CPU and squeezes long lines; columns of
convolutional features cost a hundredth and keep the aspect. Importing this module registers the
encoder with transformers, so that checkpoints with it load like any other.
"""

from __future__ import annotations

import math
from typing import Any, Self

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutput

from deployments.recognition.crnn_network import CrnnArchitecture, CrnnFeatures


class LineEncoderConfig(PretrainedConfig):  # type: ignore[misc]
    """Sizes of :class:`LineEncoder`; ``hidden_size`` is what the decoder attends to."""

    model_type = "ink-line-encoder"

    def __init__(
        self,
        height_px: int = 32,
        channels: tuple[int, ...] | list[int] = (32, 64, 128, 192),
        rnn_width: int = 128,
        hidden_size: int = 192,
        **kwargs: Any,
    ) -> None:
        self.height_px = height_px
        self.channels = list(channels)
        self.rnn_width = rnn_width
        self.hidden_size = hidden_size
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
        self.project = nn.Linear(2 * config.rnn_width, config.hidden_size)
        self._frozen = False
        self.post_init()

    def forward(
        self, pixel_values: Tensor, return_dict: bool | None = None, **ignored: Any
    ) -> BaseModelOutput | tuple[Tensor]:
        images = pixel_values.contiguous(memory_format=torch.channels_last)
        columns = self.project(self.features(images)).transpose(0, 1)
        hidden = columns + _positions(columns)
        return (hidden,) if return_dict is False else BaseModelOutput(last_hidden_state=hidden)

    def freeze_features(self) -> None:
        """Keep the features as they are: only the projection learns."""
        self.features.requires_grad_(False)
        self._frozen = True

    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        if self._frozen:
            self.features.eval()
        return self


def _positions(columns: Tensor) -> Tensor:
    """Sinusoids of Vaswani et al. (2017) for ``(N, T, C)``: lines may be of any length."""
    steps, size = columns.shape[1:]
    step = torch.arange(steps, device=columns.device, dtype=torch.float32)[:, None]
    rate = torch.exp(torch.arange(0, size, 2, device=columns.device) * (-math.log(10_000.0) / size))
    angles = step * rate
    return torch.stack((angles.sin(), angles.cos()), dim=-1).flatten(1).to(columns.dtype)


AutoConfig.register(LineEncoderConfig.model_type, LineEncoderConfig)
AutoModel.register(LineEncoderConfig, LineEncoder)
