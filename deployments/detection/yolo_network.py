"""YOLO networks by ultralytics, quiet and offline: built, loaded and run without its trainer."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

# Read by ultralytics when it is first imported: no DNS probe, no pip install on its own, no
# banner, and its settings file in a folder of this process instead of the home directory.
os.environ.setdefault("YOLO_OFFLINE", "true")
os.environ.setdefault("YOLO_AUTOINSTALL", "false")
os.environ.setdefault("YOLO_VERBOSE", "false")
os.environ.setdefault("YOLO_CONFIG_DIR", tempfile.mkdtemp(prefix="ultralytics-"))

import torch
from torch import Tensor, nn
from ultralytics.nn import tasks
from ultralytics.nn.tasks import DetectionModel, load_checkpoint, yaml_model_load
from ultralytics.utils.loss import v8DetectionLoss
from ultralytics.utils.tal import dist2bbox, make_anchors

from deployments.weights import WeightsError

LOSS_GAINS = {"box": 7.5, "cls": 0.5, "dfl": 1.5}


def stock_architecture(name: str) -> dict[str, Any]:
    """One of the architectures that come with ultralytics, such as ``yolov8``."""
    return dict(yaml_model_load(f"{name}.yaml"))


def build_network(architecture: Mapping[str, Any]) -> DetectionModel:
    """A network with random weights from an ultralytics architecture (their yaml, as a dict)."""
    network = DetectionModel(dict(architecture), verbose=False)
    network.args = SimpleNamespace(**LOSS_GAINS)
    return network


def load_safetensors(path: Path, architecture: Mapping[str, Any]) -> DetectionModel:
    """Build a network and fill it from a safetensors file, in float32.

    Raises:
        WeightsError: the file does not fit the architecture.
    """
    from safetensors.torch import load_file

    network = build_network(architecture)
    state = {
        name: value.float() if value.is_floating_point() else value for name, value in load_file(path).items()
    }
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise WeightsError(f"{path}: not a weight of this architecture: {error}") from error
    return network


def load_pt(path: str) -> DetectionModel:
    """Load an ultralytics ``.pt`` file: a local path, or the name of one of their releases.

    A ``.pt`` file is a pickle; classes beside those of networks are refused, so loading one runs none
    of the code that it may hold. ``yolov8n.pt`` and its like are fetched from the ultralytics release
    page where the network allows it.

    Raises:
        WeightsError: the file cannot be had, or holds no plain detection model.
    """
    # Read once by ultralytics, from the environment, when it was imported.
    tasks.SAFE_LOAD = True
    try:
        network, _ = load_checkpoint(path)
    except Exception as error:
        raise WeightsError(f"{path}: ultralytics cannot load it: {error}") from error
    if not isinstance(network, DetectionModel):
        raise WeightsError(f"{path}: holds {type(network).__name__}, not a detection model")
    return network


def for_inference(network: DetectionModel, device: torch.device) -> nn.Module:
    """Fold batch norms into convolutions, and lay weights out channels-last on the device."""
    network.eval()
    network.end2end = False
    fused: nn.Module = network.fuse(verbose=False).requires_grad_(False)
    # The head then answers raw distances: it would decode them in the autocast type, and bf16
    # cannot tell row 159 from row 160.
    _head(fused).training = True
    return fused.to(device).to(memory_format=torch.channels_last)


def _head(network: nn.Module) -> Any:
    """The detection head: the last layer of any ultralytics network."""
    layers: Any = network.model
    return layers[-1]


def predict(network: nn.Module, images: Tensor) -> tuple[Tensor, Tensor]:
    """Candidates of a network prepared by :func:`for_inference`.

    ``images`` is ``(N, 3, H, W)`` in ``[0, 1]``. Returns boxes ``float32 (N, A, 4)``, left, top,
    right, bottom in input pixels, and the score of the best class ``float32 (N, A)``.
    """
    head = _head(network)
    outputs = network(images)
    outputs = outputs.get("one2many", outputs)
    anchors, strides = make_anchors(_shapes_in_float32(outputs["feats"]), head.stride, 0.5)
    distances = head.dfl(outputs["boxes"].float()).transpose(1, 2)
    boxes = dist2bbox(distances, anchors[None], xywh=False) * strides[None]
    return boxes, outputs["scores"].float().sigmoid().amax(dim=1)


def _shapes_in_float32(features: list[Tensor]) -> list[Tensor]:
    """Stand-ins of the same shapes: anchors take their type from the feature maps."""
    return [feature.new_zeros(1, dtype=torch.float32).expand(feature.shape) for feature in features]


class LineLoss:
    """Ultralytics' detection loss (task-aligned assignment, CIoU, BCE) for one class."""

    def __init__(self, network: DetectionModel) -> None:
        self._loss = v8DetectionLoss(network)
        # Boxes lower than this are treated as this high when anchors are assigned; the stock
        # value (twice the finest stride) makes neighbouring lines of small print fight.
        self._loss.assigner.stride_val = int(network.stride.min())

    def __call__(
        self, outputs: Mapping[str, Any], boxes: Tensor, owners: Tensor
    ) -> tuple[Tensor, dict[str, float]]:
        """Mean loss per image, and its parts.

        ``boxes`` is ``(M, 4)`` centre x, y, width, height as fractions of the image; ``owners``
        ``(M,)`` is the index of each box's image, ascending.
        """
        values = {
            "boxes": outputs["boxes"].float(),
            "scores": outputs["scores"].float(),
            "feats": _shapes_in_float32(outputs["feats"]),
        }
        truth = {"batch_idx": owners, "cls": torch.zeros_like(owners), "bboxes": boxes}
        loss, parts = self._loss(values, truth)
        images = values["scores"].shape[0]
        return loss.sum() / images, {name: float(part) for name, part in parts.items()}
