"""Handwritten or printed by CLIP (Radford et al., 2021): the kind whose prompts lie nearer.

The model is any that open_clip loads: ours, a folder or hub repository in open_clip's layout
(``open_clip_config.json`` and ``open_clip_model.safetensors``), or a built-in architecture with a
public tag. The prompts are encoded once and kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pickle import UnpicklingError
from typing import Any

import numpy as np
import open_clip
import torch
from pydantic import ValidationError

from deployments.classification.config import (
    DEFAULT_PROMPTS,
    ClassificationArgs,
    Prompts,
)
from deployments.classification.crop_engine import CropEngine
from deployments.classification.preprocess import Box, InputSpec
from deployments.classification.scores import KINDS, Scores, calibrated_temperature
from deployments.engine import Prepared
from deployments.precision import Precision, select_device
from deployments.soundness import require_finite
from deployments.weights import WeightsError, resolve

HUB_PREFIX = "hf-hub:"
# Rows into which a public square model folds a long line: 3 keep letters above 70 of 224 px.
SQUARE_ROWS = 3


@dataclass(frozen=True, slots=True)
class _Source:
    """What open_clip is asked for, and what our metadata adds."""

    model_name: str
    pretrained: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)


def _source(args: ClassificationArgs) -> _Source:
    if args.pretrained is not None or args.reference.startswith(HUB_PREFIX):
        return _Source(args.reference, args.pretrained)
    if args.reference in open_clip.list_models():
        tags = ", ".join(open_clip.list_pretrained_tags_by_model(args.reference))
        raise WeightsError(f"weights {args.reference!r}: an open_clip model needs pretrained, one of: {tags}")
    weights = resolve(args.reference, ClipEngine.name)
    return _Source(f"local-dir:{weights.path}", None, weights.metadata)


def _load(source: _Source, device: torch.device) -> tuple[Any, Any]:
    """The model in evaluation mode, and its tokenizer."""
    try:
        model = open_clip.create_model(
            source.model_name,
            pretrained=source.pretrained,
            device=device,
            require_pretrained=True,
            pretrained_image=False,
            pretrained_text=False,
        )
        return model.eval(), open_clip.get_tokenizer(source.model_name)
    except UnpicklingError as error:
        raise WeightsError(f"weights {source.model_name!r}: hold more than tensors") from error
    except (RuntimeError, ValueError, OSError) as error:
        raise WeightsError(f"weights {source.model_name!r}: open_clip cannot load them: {error}") from error


def _described(source: _Source) -> tuple[InputSpec | None, Prompts]:
    """Input and prompts that our metadata names."""
    metadata = source.metadata
    try:
        spec = InputSpec.model_validate(metadata["input"]) if "input" in metadata else None
        prompts = Prompts.model_validate(metadata["prompts"]) if "prompts" in metadata else DEFAULT_PROMPTS
    except ValidationError as error:
        raise WeightsError(f"weights {source.model_name!r}: metadata: {error}") from error
    return spec, prompts


def _public_spec(model: Any) -> InputSpec:
    """The picture size and colours open_clip records for a public model."""
    height, width = np.broadcast_to(model.visual.image_size, 2).tolist()
    return InputSpec(
        height_px=height,
        width_px=width,
        channels=3,
        mean=tuple(model.visual.image_mean),
        std=tuple(model.visual.image_std),
        contrast=False,
        max_rows=SQUARE_ROWS,
    )


class ClipEngine(CropEngine):
    """The stage's engine; new prompts are encoded by the next ``forward``."""

    name = "clip"

    def __init__(self, args: ClassificationArgs) -> None:
        source = _source(args)
        spec, self._default_prompts = _described(source)
        precision = Precision(select_device(args.device, args.gpu_memory_fraction))
        self._model, self._tokenize = _load(source, precision.device)
        self._model.to(memory_format=torch.channels_last)
        temperature = calibrated_temperature(source.metadata)
        super().__init__(spec or _public_spec(self._model), precision, temperature)
        self._encoded: tuple[Prompts, torch.Tensor] | None = None

    @torch.inference_mode()
    def forward(self, batch: Sequence[Prepared[Box]]) -> list[Scores]:
        """Scaled cosine to the two kinds, ``float32 (2,)`` a crop."""
        anchors = self._anchors(self.tuning.prompts or self._default_prompts)
        pixels = self.normalise([item.payload for item in batch])
        with self.precision.autocast():
            features = self._model.encode_image(pixels)
        features = torch.nn.functional.normalize(features.float(), dim=-1)
        return list(require_finite((features @ anchors.T).cpu().numpy()))

    def _anchors(self, prompts: Prompts) -> torch.Tensor:
        """Direction of each kind, ``float32 (2, D)``, times the model's logit scale."""
        if self._encoded is None or self._encoded[0] != prompts:
            self._encoded = prompts, encode_prompts(self._model, self._tokenize, prompts)
        return self._encoded[1]


def encode_prompts(model: Any, tokenize: Any, prompts: Prompts) -> torch.Tensor:
    """Normalised mean of each kind's normalised prompt features, times the logit scale.

    Returns:
        ``float32 (2, D)`` in the order of ``scores.KINDS``; f32 whatever the image tower runs in.
    """
    device = model.logit_scale.device
    means = []
    for kind in KINDS:
        features = model.encode_text(tokenize(list(prompts.of(kind))).to(device), normalize=True)
        means.append(features.float().mean(dim=0))
    scale: torch.Tensor = model.logit_scale.exp().float()
    return torch.nn.functional.normalize(torch.stack(means), dim=-1) * scale
