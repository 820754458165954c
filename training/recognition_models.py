"""What training needs of a recogniser: a loss over a batch of lines, and readings to score."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from deployments.recognition.charset import BLANK, Charset
from deployments.recognition.crnn import load_crnn
from deployments.recognition.crnn_network import STRIDE_PX, CrnnArchitecture, CrnnNetwork
from deployments.recognition.decode import read_greedily
from deployments.recognition.preprocess import LineFormat
from deployments.weights import WeightsError, resolve
from training.crnn_widening import widen
from training.lines_data import LineBatch


class TrainableReader(Protocol):
    """A network with its charset and its input format."""

    engine: str
    module: nn.Module
    charset: Charset
    line_format: LineFormat
    steps_per_px: float

    def loss(self, batch: LineBatch, device: torch.device) -> Tensor:
        """Mean loss per character."""
        ...

    def read(self, images: Tensor) -> list[str]:
        """Texts of ``(N, 1, H, W)`` float32 ink."""
        ...

    def description(self) -> dict[str, Any]:
        """The metadata sections ``input`` and ``architecture``."""
        ...


class TrainableCrnn:
    """The CRNN with CTC loss."""

    engine = "crnn"
    steps_per_px = 1 / STRIDE_PX

    def __init__(self, architecture: CrnnArchitecture | None = None, charset: Charset | None = None) -> None:
        self.charset = charset or Charset()
        self.architecture = architecture or CrnnArchitecture(symbols=len(self.charset))
        self.line_format = LineFormat(height_px=self.architecture.height_px)
        self.module: nn.Module = CrnnNetwork(self.architecture).to(memory_format=torch.channels_last)

    @classmethod
    def of_weights(cls, reference: str, rnn_width: int = 0) -> TrainableCrnn:
        """A trained CRNN to go on from, with its own charset and input format.

        ``rnn_width`` other than 0 gives its LSTMs that many hidden units; it reads the same at first.

        Raises:
            deployments.weights.WeightsError: the weight is not there, is no CRNN or is as wide already.
        """
        network, charset, line_format = load_crnn(resolve(reference, cls.engine))
        if rnn_width:
            try:
                network = widen(network, rnn_width)
            except ValueError as error:
                raise WeightsError(f"weights {reference!r}: {error}") from error
        reader = cls(network.architecture, charset)
        reader.module.load_state_dict(network.state_dict())
        reader.line_format = line_format
        return reader

    def loss(self, batch: LineBatch, device: torch.device) -> Tensor:
        images = batch.images.to(device, memory_format=torch.channels_last)
        indices, lengths = self.charset.encode_batch(batch.texts)
        with torch.autocast(device.type, torch.bfloat16):
            logits = self.module(images)
        n, steps, _ = logits.shape
        summed = functional.ctc_loss(
            logits.log_softmax(-1).transpose(0, 1),
            torch.tensor(indices, device=device),
            torch.full((n,), steps),
            torch.tensor(lengths),
            blank=BLANK,
            reduction="sum",
            zero_infinity=True,
        )
        return summed / sum(lengths)

    def read(self, images: Tensor) -> list[str]:
        with torch.autocast(images.device.type, torch.bfloat16):
            posteriors = self.module(images).softmax(-1)
        return [read_greedily(row, self.charset).text for row in posteriors.cpu().numpy().astype(np.float32)]

    def description(self) -> dict[str, Any]:
        return {
            "input": asdict(self.line_format) | {"charset": self.charset.symbols},
            "architecture": asdict(self.architecture),
        }


def trainable(
    engine: str, start_from: str = "", features_from: str = "", rnn_width: int = 0
) -> TrainableReader:
    """A network of an engine: a trained one, or one of the default size.

    Args:
        engine: ``crnn`` or ``trocr``.
        start_from: a weight of that engine to train further, by shipped name or path; empty starts
            at random.
        features_from: a CRNN weight whose features a ``trocr`` takes and keeps.
        rnn_width: hidden units that a ``crnn`` to train further is given; 0: those it has.

    Raises:
        deployments.weights.WeightsError: a weight is not there or is of another engine, or features
            or a width are given for what takes none.
    """
    if rnn_width and not (engine == "crnn" and start_from):
        raise WeightsError("only a crnn to train further can be widened")
    if engine == "crnn":
        if features_from:
            raise WeightsError("only trocr takes the features of another weight")
        return TrainableCrnn.of_weights(start_from, rnn_width) if start_from else TrainableCrnn()
    from training.trocr_model import TrainableTrocr

    if not start_from:
        return TrainableTrocr.on_features_of(features_from) if features_from else TrainableTrocr()
    reader = TrainableTrocr.of_weights(start_from)
    if features_from:
        reader.take_features(load_crnn(resolve(features_from, "crnn"))[0])
    return reader
