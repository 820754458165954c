"""The CRNN as an engine: crops in, text with character confidences out."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from deployments.engine import Prepared
from deployments.errors import Outcome
from deployments.precision import Precision, processor_time_s, select_device
from deployments.recognition.beam import Priors, Search, find_text, is_certain
from deployments.recognition.charlm import CharModel, CharPrior
from deployments.recognition.charset import Charset
from deployments.recognition.choice import choose_text, fit
from deployments.recognition.config import RecognitionArgs, RecognitionTuning
from deployments.recognition.consistency import Consistency
from deployments.recognition.crnn_int8 import Int8Convolutions, is_supported, peaks_of
from deployments.recognition.crnn_network import STRIDE_PX, CrnnArchitecture, CrnnNetwork
from deployments.recognition.decode import LinePosteriors, read_characters, read_greedily
from deployments.recognition.lexicon import Lexicon, WordPrior
from deployments.recognition.preprocess import Ink, LineFormat, padded_width, prepare_lines, stack
from deployments.recognition.second_look import (
    certainty,
    mean_posteriors,
    packed,
    widened,
    with_paper_below,
)
from deployments.recognition.sharpening import Softness, sharpened
from deployments.soundness import require_finite
from deployments.types import Image, Reading
from deployments.weights import TENSORS, Weights, WeightsError, resolve

logger = logging.getLogger(__name__)

WARM_UP_LINES = 16
WARM_UP_WIDTH_PX = 480


class CrnnEngine:
    """The stage's engine; see :mod:`deployments.engine` for the contract.

    Raises:
        deployments.weights.WeightsError: the weights are not there or do not fit the network.
        ValueError: the device does not exist.
    """

    name = "crnn"

    def __init__(self, args: RecognitionArgs) -> None:
        weights = resolve(args.reference, self.name)
        self._precision = Precision(select_device(args.device, args.gpu_memory_fraction))
        network, self.charset, self.line_format = load_crnn(weights)
        self._peaks = peaks_of(weights, network)
        network = network.fuse().to(self._precision.device)
        self._network = network.to(memory_format=torch.channels_last)
        self._convolve: Callable[[Tensor, Tensor | None], Tensor] = self._network.convolve
        self._priors = _priors(args.language_model, self.charset)
        self.configure(RecognitionTuning())

    def prepare(self, items: Sequence[Image]) -> list[Outcome[Prepared[Ink]]]:
        """Ink images of the network's height, widths a multiple of the bucket."""
        return prepare_lines(items, self.line_format)

    def forward(self, batch: Sequence[Prepared[Ink]]) -> list[LinePosteriors]:
        """Probabilities of each line's own time steps; what is not sure enough is looked at again."""
        most = len(batch) * max(item.width for item in batch)
        batch, lines = self._in_focus(batch, self._look(batch), most)
        doubtful = [i for i, line in enumerate(lines) if certainty(line.steps) < self._tuning.second_look]
        if doubtful:
            again = self._look_again([batch[i] for i in doubtful], most)
            for i, others in zip(doubtful, again, strict=True):
                mean = mean_posteriors([lines[i].steps, others[0].steps])
                # Only a search compares texts: without it, two looks and their mean are all there is.
                looks = (lines[i], *others) if len(others) > 1 else ()
                lines[i] = replace(lines[i], steps=mean, looks=looks)
        return lines

    def _in_focus(
        self, batch: Sequence[Prepared[Ink]], lines: list[LinePosteriors], most: int
    ) -> tuple[list[Prepared[Ink]], list[LinePosteriors]]:
        """Each line as it came or sharpened, whichever is read most surely, and what is read so."""
        sure = [certainty(line.steps) for line in lines]
        blurred = [
            i
            for i, item in enumerate(batch)
            if sure[i] < self._tuning.sharpening and Softness.of(item.payload).is_blurred
        ]
        views = [
            (i, replace(batch[i], payload=view))
            for i in blurred
            for view in sharpened(batch[i].payload, batch[i].width)
        ]
        chosen = list(batch)
        for (i, view), line in zip(views, self._look_packed([view for _, view in views], most), strict=True):
            if (surer := certainty(line.steps)) > sure[i]:
                chosen[i], lines[i], sure[i] = view, line, surer
        return chosen, lines

    def _look_again(self, batch: Sequence[Prepared[Ink]], most: int) -> list[tuple[LinePosteriors, ...]]:
        """The further looks at each line, in model steps of at most so many columns."""
        views = [replace(line, payload=with_paper_below(line.payload)) for line in batch]
        if self._searches():
            views += [self._widened(line) for line in batch]
        seen = self._look_packed(views, most)
        return [tuple(seen[first :: len(batch)]) for first in range(len(batch))]

    def _look_packed(self, views: Sequence[Prepared[Ink]], most: int) -> list[LinePosteriors]:
        """One look at each, in model steps of at most so many columns."""
        seen: dict[int, LinePosteriors] = {}
        for group in packed([view.width for view in views], most):
            seen |= zip(group, self._look([views[i] for i in group]), strict=True)
        return [seen[i] for i in range(len(views))]

    def _widened(self, line: Prepared[Ink]) -> Prepared[Ink]:
        ink = widened(line.payload, self.line_format.max_width_px)
        return Prepared(ink, line.height, padded_width(ink.shape[1], self.line_format.bucket_px))

    def _searches(self) -> bool:
        return self._priors is not None and self._tuning.decoding == "beam"

    @torch.inference_mode()
    def _look(self, batch: Sequence[Prepared[Ink]]) -> list[LinePosteriors]:
        device = self._precision.device
        widths = [item.width for item in batch]
        images = torch.from_numpy(stack([item.payload for item in batch], max(widths)))
        images = images.to(device, memory_format=torch.channels_last)
        # Lines of one width need neither masks nor reversals by length.
        own = None if len(set(widths)) == 1 else torch.tensor(widths, device=device)
        with self._precision.autocast():
            logits = self._network.read(self._convolve(images, own), own)
        # The compiled search checks no bounds: NaN would be no error there but a crash.
        posteriors = require_finite(logits.softmax(-1).cpu().numpy())
        return [
            LinePosteriors(row[: item.width // STRIDE_PX], item.payload.shape[1] / STRIDE_PX)
            for row, item in zip(posteriors, batch, strict=True)
        ]

    def finish(self, raw: Sequence[LinePosteriors]) -> list[Outcome[Reading]]:
        """Texts, as the tuning's decoding finds them."""
        return [self._read(line) for line in raw]

    def warm_up(self) -> None:
        """Run a page's usual batch in each numeric format, keep the fastest; the widest line; one search."""
        height = self.line_format.height_px
        usual = _blank_lines(WARM_UP_LINES, height, WARM_UP_WIDTH_PX)
        step_s = self._precision.choose(lambda: self.forward(usual))
        if self._precision.device.type == "cpu":
            self._choose_convolutions(lambda: self.forward(usual), step_s)
            # Or autocast would cast every weight at every step.
            self._network.to(self._precision.dtype)
        self.forward(_blank_lines(1, height, self.line_format.max_width_px))
        if self._priors is not None:
            # The search and the choice are compiled at their first call.
            symbols = len(self.charset)
            line = LinePosteriors(np.full((1, symbols), 1 / symbols, np.float32), 1.0)
            fit(find_text(line.steps, self._priors, self._search), (line,))

    def _choose_convolutions(self, step: Callable[[], object], step_s: float) -> None:
        """Take 8-bit convolutions where weight and processor allow them, if a step then takes less time."""
        if not self._peaks or not is_supported():
            return
        self._convolve = Int8Convolutions(self._network, self._peaks, self._precision.dtype)
        int8_s = processor_time_s(step)
        if int8_s >= step_s:
            self._convolve = self._network.convolve
        logger.info("8-bit convolutions: %.1f ms a step, %.1f without", 1000 * int8_s, 1000 * step_s)

    def configure(self, tuning: RecognitionTuning) -> None:
        """Take new switches."""
        self._tuning = tuning
        self._search = Search(
            tuning.beam_width,
            tuning.language_weight,
            tuning.length_bonus,
            tuning.word_weight,
            tuning.word_bonus,
        )
        self._consistency = Consistency(tuning.script_consistency, tuning.case_consistency)

    def _read(self, line: LinePosteriors) -> Reading:
        if self._priors is None or self._tuning.decoding == "greedy" or is_certain(line.steps):
            return read_greedily(line.steps, self.charset, self._consistency, line.content_steps)
        found, source = choose_text(line, self._priors, self._search)
        return read_characters(
            found.characters, source.steps, self.charset, self._consistency, source.content_steps
        )


def load_crnn(weights: Weights) -> tuple[CrnnNetwork, Charset, LineFormat]:
    """Network in evaluation mode, f32 on the CPU, with its charset and input format.

    Raises:
        deployments.weights.WeightsError: the metadata or the tensors do not fit this network.
    """
    try:
        charset = Charset(weights.metadata["input"]["charset"])
        line_format = LineFormat.of(weights.metadata["input"])
        shape = dict(weights.metadata["architecture"])
        network = CrnnNetwork(CrnnArchitecture(**shape | {"channels": tuple(shape["channels"])}))
        tensors = load_file(weights.file(TENSORS))
        network.load_state_dict({name: tensor.float() for name, tensor in tensors.items()}, strict=True)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise WeightsError(f"weights {weights.reference!r} do not fit the CRNN: {error}") from error
    outputs = network.architecture.symbols
    if outputs != len(charset):
        raise WeightsError(f"weights {weights.reference!r}: {outputs} outputs for {len(charset)} symbols")
    return network.eval(), charset, line_format


def _priors(reference: str, charset: Charset) -> Priors | None:
    if not reference:
        return None
    weights = resolve(reference, "charlm")
    model, lexicon = CharModel.of_weights(weights), Lexicon.of_weights(weights)
    words = WordPrior(lexicon, model, charset) if len(lexicon) else None
    return Priors(CharPrior(model, charset), words)


def _blank_lines(count: int, height_px: int, width_px: int) -> list[Prepared[Ink]]:
    return [Prepared(np.zeros((height_px, width_px), np.float32), height_px, width_px)] * count
