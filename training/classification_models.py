"""The two kind classifiers as they are trained: network, input, loss, and how they are written out."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, Protocol

import open_clip
import torch
from pydantic import ValidationError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from deployments.classification.cnn import CnnArchitecture, KindNet
from deployments.classification.config import DEFAULT_PROMPTS, Prompts
from deployments.classification.preprocess import InputSpec
from deployments.classification.scores import KINDS
from deployments.types import Kind
from deployments.weights import TENSORS, WeightsError, resolve
from training.weight_folder import save_tensors

CLIP_CONFIG: dict[str, Any] = {
    "embed_dim": 64,
    "vision_cfg": {
        "timm_model_name": "test_resnet",
        "timm_model_pretrained": False,
        "timm_pool": "avg",
        "timm_proj": "linear",
        "image_size": [48, 192],
    },
    "text_cfg": {"context_length": 24, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2},
}
TEMPLATES = (
    "{}", "a photo of {}", "a scan of {}", "a line of {}", "{} on paper", "a picture of {}", "an image of {}",
    "a crop of {} from a document", "{} on a form", "{} in a letter", "a page with {}", "this is {}",
    "a scanned line of {}", "a blurry photo of {}", "{} in Russian", "{} in English", "faded {}", "some {}",
)  # fmt: skip
NOUNS: dict[Kind, tuple[str, ...]] = {
    Kind.HANDWRITTEN: (
        "handwritten text", "handwriting", "cursive handwriting", "text written by hand",
        "a line of text written by hand with a pen", "handwritten letters", "a handwritten note",
        "handwritten words in ink", "words written with a pencil", "script by hand",
    ),
    Kind.PRINTED: (
        "printed text", "typewritten text", "machine printed letters", "a line of text set in type",
        "typeset text", "printed letters", "text printed by a machine", "a printed receipt",
        "typed words", "text from a typewriter",
    ),
}  # fmt: skip
PROMPTS_A_STEP = 12
MAX_LOGIT_SCALE = 50.0


class TrainableKind(Protocol):
    """A kind classifier under training."""

    engine: str
    tensors: str
    """File of the weight's values."""
    module: Any
    spec: InputSpec
    is_bf16_faster: bool
    """On a CPU with bf16 units, forward and backward together."""

    def loss(self, pixels: Tensor, kinds: Tensor) -> Tensor:
        """Scalar loss of ``float (N, C, H, W)`` and the index of each kind in ``KINDS``, ``(N,)``."""
        ...

    def write(self, directory: Path) -> dict[str, Any]:
        """Write the weights; returns this engine's part of the metadata."""
        ...


class TrainableCnn:
    """Cross-entropy on grey lines of the classic 128 x 512 box."""

    engine = "cnn"
    tensors = TENSORS
    is_bf16_faster = True  # 197 ms a step of 64 lines, f32 256 ms

    def __init__(self) -> None:
        self.spec = InputSpec(height_px=128, width_px=512, channels=1, mean=(0.8,), std=(0.3,), max_rows=1)
        self.architecture = CnnArchitecture()
        self.module: Any = KindNet(self.architecture)

    def loss(self, pixels: Tensor, kinds: Tensor) -> Tensor:
        return functional.cross_entropy(self.module(pixels).float(), kinds, label_smoothing=0.01)

    def write(self, directory: Path) -> dict[str, Any]:
        _save(self.module, directory / self.tensors)
        return {"input": self.spec.model_dump(), "architecture": self.architecture.model_dump()}


class TrainableClip:
    """Images against prompts, both towers learning together (Radford et al., 2021).

    Several prompts describe one image and many images one prompt, so that the two InfoNCE terms
    count every pair of the same kind as a match.
    """

    engine = "clip"
    tensors = "open_clip_model.safetensors"
    is_bf16_faster = True  # 159 ms a step of 64 lines, f32 278 ms

    def __init__(self) -> None:
        # On held-out training lines two rows show long lines better than their middle does: the 5th
        # percentile of the margin is 3.1, with one row 2.4. For the larger box of the CNN one is best.
        self.spec = InputSpec(
            height_px=48, width_px=192, channels=3, mean=(0.8,) * 3, std=(0.3,) * 3, max_rows=2
        )
        self.module: Any = open_clip.CLIP(**CLIP_CONFIG)
        self._tokenize = open_clip.SimpleTokenizer(context_length=CLIP_CONFIG["text_cfg"]["context_length"])
        self._tokens = {
            kind: self._tokenize([template.format(noun) for template in TEMPLATES for noun in nouns])
            for kind, nouns in NOUNS.items()
        }
        self._silence_unused_words()

    @property
    def prompts(self) -> Prompts:
        """The ensemble that the weight answers with by default."""
        return DEFAULT_PROMPTS

    def loss(self, pixels: Tensor, kinds: Tensor) -> Tensor:
        tokens = torch.cat([self._some_prompts(kind) for kind in KINDS]).to(pixels.device)
        prompt_kinds = torch.arange(len(KINDS), device=pixels.device).repeat_interleave(PROMPTS_A_STEP)
        self.module.logit_scale.data.clamp_(0, math.log(MAX_LOGIT_SCALE))
        images, prompts, scale = self.module(pixels, tokens)
        similarity = scale.float() * images.float() @ prompts.float().T
        is_match = kinds[:, None] == prompt_kinds[None]
        to_text = _match_loss(similarity, is_match, smoothing=0.01)
        to_image = -(functional.log_softmax(similarity, dim=0) * is_match).sum(0) / is_match.sum(0).clamp(
            min=1
        )
        # Even a perfect match is shared by half the batch: brought to the size of the first term.
        loss: Tensor = to_text + 0.5 * to_image.mean() / math.log(max(3, len(kinds)))
        return loss

    def write(self, directory: Path) -> dict[str, Any]:
        _save(self.module, directory / self.tensors)
        config = {
            "model_cfg": CLIP_CONFIG,
            "preprocess_cfg": {"mean": self.spec.mean, "std": self.spec.std, "resize_mode": "longest"},
        }
        (directory / "open_clip_config.json").write_text(
            json.dumps(config, indent=2) + "\n", encoding="utf-8"
        )
        return {
            "input": self.spec.model_dump(),
            "architecture": CLIP_CONFIG,
            "prompts": self.prompts.model_dump(),
        }

    def _some_prompts(self, kind: Kind) -> Tensor:
        tokens = self._tokens[kind]
        return torch.index_select(tokens, 0, torch.randperm(len(tokens))[:PROMPTS_A_STEP])

    def _silence_unused_words(self) -> None:
        """Words that no prompt teaches stay at zero: they say nothing rather than something random."""
        seen = torch.cat(
            [*self._tokens.values(), self._tokenize([*DEFAULT_PROMPTS.handwritten, *DEFAULT_PROMPTS.printed])]
        )
        unused = torch.ones(CLIP_CONFIG["text_cfg"]["vocab_size"], dtype=torch.bool)
        unused[seen.flatten()] = False
        with torch.no_grad():
            self.module.token_embedding.weight[unused] = 0


def trainable(engine: str, binarize: bool = False, start_from: str = "") -> TrainableKind:
    """The classifier of that engine.

    Args:
        engine: ``clip`` or ``cnn``.
        binarize: it learns from black and white lines.
        start_from: a weight of that engine to train further, by shipped name or path; empty starts
            at random.

    Raises:
        deployments.weights.WeightsError: a weight is not there, or is not of this network and input.
    """
    classifier: TrainableKind = TrainableClip() if engine == "clip" else TrainableCnn()
    classifier.spec = classifier.spec.model_copy(update={"binarize": binarize})
    if start_from:
        _load(classifier, start_from)
    return classifier


def _load(classifier: TrainableKind, start_from: str) -> None:
    """The values of a weight folder into the classifier's network."""
    weights = resolve(start_from, classifier.engine)
    try:
        spec = InputSpec.model_validate(weights.metadata.get("input"))
    except ValidationError as error:
        raise WeightsError(f"weights {start_from!r}: {error}") from error
    if spec != classifier.spec:
        raise WeightsError(f"weights {start_from!r}: of another input than what is trained")
    try:
        classifier.module.load_state_dict(load_file(weights.file(classifier.tensors)))
    except RuntimeError as error:
        raise WeightsError(f"weights {start_from!r}: not of the network that is trained") from error


def _match_loss(similarity: Tensor, is_match: Tensor, smoothing: float) -> Tensor:
    """Cross-entropy of each image between the prompts that match it, taken together, and the rest."""
    matched = similarity.masked_fill(~is_match, float("-inf")).logsumexp(1)
    others = similarity.masked_fill(is_match, float("-inf")).logsumexp(1)
    margin = matched - others
    right, wrong = functional.softplus(-margin), functional.softplus(margin)
    return ((1 - smoothing) * right + smoothing * wrong).mean()


def _save(module: nn.Module, path: Path) -> None:
    """Weights as bf16, which halves the file; running statistics keep f32."""
    tensors = {
        name: value.bfloat16() if value.is_floating_point() and "running_" not in name else value
        for name, value in module.state_dict().items()
    }
    save_tensors(tensors, path)
