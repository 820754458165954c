"""CRAFT's maps on SegFormer, as a task of the training loop, and its export."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import IterableDataset
from transformers import SegformerConfig, SegformerForSemanticSegmentation

from deployments.detection.craft import IMAGENET_MEAN, IMAGENET_STD
from deployments.detection.preprocess import InputSpec
from deployments.types import Image
from deployments.weights import TENSORS
from training.detection_augment import Straightened, Variation, draw_view, quads_skew
from training.detection_data import PageSource, load_image
from training.detection_heatmaps import CharacterPage, draw_heatmaps, read_characters
from training.detection_yolo import stack_images
from training.weight_folder import share

STRIDE = 4
FOCUS = 2.0
SMALL: dict[str, Any] = {
    "depths": [1, 2, 2, 2],
    "hidden_sizes": [16, 32, 64, 128],
    "num_attention_heads": [1, 1, 2, 4],
    "decoder_hidden_size": 64,
}
# The maps are a quarter of the input: lines of a typescript need its height, and not its width, to lie apart.
SPEC = InputSpec(
    long_side_px=2048, squeeze=0.4, max_upscale=1.5, narrow_squeeze=0.55, narrow_long_side_px=3072
)
WINDOW = Variation(height_px=576, width_px=320, scale=(0.75, 1.4), squeeze=(0.9, 1.1), turn_deg=0.6)

Example = tuple[Image, npt.NDArray[np.float32]]


class CraftTask:
    """A SegFormer with two labels; windows of synthetic pages with their characters' maps."""

    def __init__(
        self,
        sources: Sequence[PageSource],
        architecture: Mapping[str, Any] | None = None,
        spec: InputSpec = SPEC,
        vary: Variation = WINDOW,
        seed: int = 0,
    ) -> None:
        torch.manual_seed(seed)
        self.architecture = dict(architecture or SMALL)
        labels = {0: "character", 1: "affinity"}
        config = SegformerConfig(
            id2label=labels,
            label2id={name: index for index, name in labels.items()},
            drop_path_rate=0.0,
            classifier_dropout_prob=0.0,
            **self.architecture,
        )
        self.network: nn.Module = SegformerForSemanticSegmentation(config)
        # Most of a page is background: start there, as focal losses want it.
        nn.init.constant_(self.network.decode_head.classifier.bias, -3.0)
        self._sources, self._spec, self._vary = tuple(sources), spec, vary
        self._mean = torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1)
        self._std = torch.tensor(IMAGENET_STD).view(1, 3, 1, 1)

    def stream(self, seed: int, epoch: int) -> IterableDataset[Example]:
        return HeatmapStream(self._sources, self._spec, self._vary, [seed, epoch])

    def collate(self, examples: list[Example]) -> tuple[Tensor, ...]:
        """Images, and maps with their confidence, ``float32 (N, 3, H / 4, W / 4)``."""
        maps = np.stack([maps for _, maps in examples])
        return stack_images([pixels for pixels, _ in examples]), torch.from_numpy(maps)

    def loss(self, images: Tensor, truth: tuple[Tensor, ...]) -> tuple[Tensor, Mapping[str, float]]:
        (drawn,) = truth
        maps, confidence = drawn[:, :2], drawn[:, 2:]
        normal = (images - self._mean.to(images.device)) / self._std.to(images.device)
        logits = self.network(pixel_values=normal).logits.float()
        focal, dice = focal_loss(logits, maps, confidence), dice_loss(logits, maps, confidence)
        return focal + dice, {"focal": focal.item(), "dice": dice.item()}


class HeatmapStream(IterableDataset[Example]):
    """Endless random windows with their maps."""

    def __init__(
        self, sources: Sequence[PageSource], spec: InputSpec, vary: Variation, seeds: list[int]
    ) -> None:
        self._spec, self._vary, self._seeds = spec, vary, seeds
        self._pages: list[CharacterPage] = []
        weights: list[float] = []
        for source in sources:
            found = source.select(page for page in read_characters(source.path) if page.lines)
            self._pages += found
            weights += [source.weight] * len(found)
        self._chances = np.array(weights) / max(sum(weights), 1e-9)

    def __iter__(self) -> Iterator[Example]:
        worker = torch.utils.data.get_worker_info()
        rng = np.random.default_rng([*self._seeds, worker.id if worker else 0])
        while True:
            page = self._pages[int(rng.choice(len(self._pages), p=self._chances))]
            straight = straightened(page)
            for _ in range(2):
                yield self._example(page, straight, rng)

    def _example(self, page: CharacterPage, straight: Straightened, rng: np.random.Generator) -> Example:
        view = draw_view(straight, self._spec, self._vary, rng)
        size = (self._vary.width_px // STRIDE, self._vary.height_px // STRIDE)
        return view.pixels, draw_heatmaps(page.lines, view.from_page / STRIDE, size)


def straightened(page: CharacterPage) -> Straightened:
    """Decode a page; its skew is that of the quads of its lines' ends."""
    ends = [
        np.stack([line.quads[0, 0], line.quads[-1, 1], line.quads[-1, 2], line.quads[0, 3]])
        for line in page.lines
    ]
    # Baselines run along the lower corners: tops differ between high and low letters.
    ends_low = np.stack([np.stack([end[3], end[2], end[2], end[3]]) for end in ends])
    return Straightened(load_image(page.image), np.stack(ends), quads_skew(ends_low))


def focal_loss(logits: Tensor, maps: Tensor, confidence: Tensor) -> Tensor:
    """Focal loss for soft targets: cross entropy weighted by how far off a pixel is, and how sure the truth.

    Summed and divided by the maps' total, so that empty margins do not drown the characters.
    Lin et al., "Focal Loss for Dense Object Detection" (2017); Li et al., "Generalized Focal
    Loss" (2020), for targets between 0 and 1.
    """
    cost = functional.binary_cross_entropy_with_logits(logits, maps, reduction="none")
    away = (logits.sigmoid() - maps).abs().pow(FOCUS)
    return (cost * away * confidence).sum() / maps.sum().clamp(min=100.0)


def dice_loss(logits: Tensor, maps: Tensor, confidence: Tensor) -> Tensor:
    """One minus the Dice coefficient of the two maps over the batch, with squared sizes."""
    chances, maps = logits.sigmoid() * confidence, maps * confidence
    shared = 2 * (chances * maps).sum(dim=(0, 2, 3))
    sizes = chances.square().sum(dim=(0, 2, 3)) + maps.square().sum(dim=(0, 2, 3))
    return (1 - (shared + 1) / (sizes + 1)).mean()


def save_checkpoint(architecture: Mapping[str, Any], values: Mapping[str, Tensor], out: Path) -> None:
    """Write a network's values as a hub checkpoint, in float16."""
    network = CraftTask((), architecture).network
    network.load_state_dict(values)
    network.half().save_pretrained(out)  # type: ignore[operator]
    share(out / TENSORS)
