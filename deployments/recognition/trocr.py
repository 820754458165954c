"""TrOCR as an engine: any VisionEncoderDecoder checkpoint in the Hugging Face hub's format.

Li et al., "TrOCR: Transformer-based Optical Character Recognition with Pre-trained Models" (2021).
A checkpoint that carries our metadata is fed as it was trained, with ink images that keep their
aspect; any other is fed by its own image processor.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pickle import UnpicklingError
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from transformers import AutoImageProcessor, AutoTokenizer, VisionEncoderDecoderModel
from transformers.modeling_outputs import BaseModelOutput

from deployments.engine import Prepared
from deployments.errors import Outcome, StageFailed, UnreadableDocument
from deployments.precision import Precision, select_device
from deployments.recognition.config import RecognitionArgs, RecognitionTuning
from deployments.recognition.crnn_network import STRIDE_PX
from deployments.recognition.decode import Span, reading_of, spans_of
from deployments.recognition.preprocess import LineFormat, padded_width, scale_line, stack
from deployments.recognition.trocr_encoder import LineEncoder
from deployments.soundness import NO_NUMBERS
from deployments.types import Image, Reading
from deployments.weights import Weights, WeightsError, resolve

Pixels = npt.NDArray[np.float32]
WARM_UP_LINES = 16
_COUNT_SLACK, _COUNT_MARGIN = 1.25, 8


@dataclass(frozen=True, slots=True)
class Tokens:
    """One decoded line: token ids without start, end and padding, and the log probability of each.

    The end token's log probability is ``ending``: stopping too early is an error like any other.
    ``begun``: how many characters CTC counts up to each of the crop's own columns, and
    ``content_steps`` how many columns the crop spans; empty and 0 where nothing counts.
    """

    ids: tuple[int, ...]
    log_probabilities: tuple[float, ...]
    ending: float
    begun: tuple[float, ...] = ()
    content_steps: float = 0.0


class TrocrEngine:
    """The stage's engine; see :mod:`deployments.engine` for the contract.

    Raises:
        deployments.weights.WeightsError: the weights are not there or are no TrOCR checkpoint.
        ValueError: the device does not exist.
    """

    name = "trocr"

    def __init__(self, args: RecognitionArgs) -> None:
        weights = resolve(args.reference, self.name)
        self._precision = Precision(select_device(args.device, args.gpu_memory_fraction))
        self._pixels = _pixel_source(weights)
        try:
            self._tokenizer = AutoTokenizer.from_pretrained(weights.path, local_files_only=True)
            model = VisionEncoderDecoderModel.from_pretrained(
                weights.path, local_files_only=True, dtype=torch.float32
            )
        except UnpicklingError as error:
            raise WeightsError(f"weights {weights.reference!r}: hold more than tensors") from error
        except (OSError, ValueError, KeyError) as error:
            raise WeightsError(f"weights {weights.reference!r} are no TrOCR checkpoint: {error}") from error
        model.eval()
        if isinstance(model.encoder, LineEncoder):
            model.encoder.features.fuse()
        self._model = model.to(self._precision.device)
        self._tuning = RecognitionTuning()

    def prepare(self, items: Sequence[Image]) -> list[Outcome[Prepared[Pixels]]]:
        """Inputs ``float32 (C, H, W)``: ink of any width for our checkpoints, else of one size."""
        return [_prepared(item, self._pixels) for item in items]

    @torch.inference_mode()
    def forward(self, batch: Sequence[Prepared[Pixels]]) -> list[Tokens]:
        """Tokens of each line, by one batched generation per width.

        A decoder sees padding, so lines of different widths are not generated together.
        """
        tokens: dict[int, Tokens] = {}
        by_width = sorted(range(len(batch)), key=lambda i: batch[i].width)
        for _, group in groupby(by_width, key=lambda i: batch[i].width):
            members = list(group)
            tokens |= zip(members, self._generate([batch[i] for i in members]), strict=True)
        return [tokens[i] for i in range(len(batch))]

    def finish(self, raw: Sequence[Tokens]) -> list[Outcome[Reading]]:
        """Texts; confidences per character where every token is one character."""
        return [self._reading(tokens) for tokens in raw]

    def warm_up(self) -> None:
        """Run a full batch to the longest text in each numeric format and keep the faster."""
        blank = _prepared(np.full((64, 512, 3), 255, np.uint8), self._pixels)
        assert isinstance(blank, Prepared)
        self._precision.choose(lambda: self.forward([blank] * WARM_UP_LINES), repeats=1)

    def configure(self, tuning: RecognitionTuning) -> None:
        """Take new limits of the search."""
        self._tuning = tuning

    def _generate(self, batch: Sequence[Prepared[Pixels]]) -> list[Tokens]:
        longest = min(self._tuning.max_length, self._longest())
        begun = None
        with self._precision.autocast():
            inputs = {"pixel_values": self._stacked(batch)}
            if isinstance(self._model.encoder, LineEncoder) and self._model.encoder.head is not None:
                hidden, begun = self._model.encoder.encode(inputs["pixel_values"])
                inputs = {"encoder_outputs": BaseModelOutput(last_hidden_state=hidden)}
                # A decoder that has lost its place goes on for ever; the count says where to stop.
                longest = min(longest, math.ceil(_COUNT_SLACK * float(begun[:, -1].max())) + _COUNT_MARGIN)
            output = self._model.generate(
                **inputs,
                num_beams=self._tuning.num_beams,
                max_new_tokens=longest,
                do_sample=False,
                output_scores=True,
                return_dict_in_generate=True,
            )
        scores = self._model.compute_transition_scores(
            output.sequences, output.scores, getattr(output, "beam_indices", None), normalize_logits=True
        )
        if scores.isnan().any():
            raise StageFailed(NO_NUMBERS)
        ids = output.sequences[:, -scores.shape[1] :].tolist()
        tokens = [self._tokens(*row) for row in zip(ids, scores.float().tolist(), strict=True)]
        if begun is None:
            return tokens
        return [
            replace(
                line,
                begun=tuple(row[: item.payload.shape[2] // STRIDE_PX + 1]),
                content_steps=item.payload.shape[2] / STRIDE_PX,
            )
            for line, row, item in zip(tokens, begun.tolist(), batch, strict=True)
        ]

    def _stacked(self, batch: Sequence[Prepared[Pixels]]) -> torch.Tensor:
        """``(N, C, H, W)`` on the device; ink is padded to the width that the batch has in common."""
        if isinstance(self._pixels, InkPixels):
            pixels = stack([item.payload[0] for item in batch], batch[0].width)
        else:
            pixels = np.stack([item.payload for item in batch])
        return torch.from_numpy(pixels).to(self._precision.device)

    def _longest(self) -> int:
        # One position is the start token's.
        return int(self._model.config.decoder.max_position_embeddings) - 1

    def _tokens(self, ids: list[int], log_probabilities: list[float]) -> Tokens:
        special = set(self._tokenizer.all_special_ids)
        kept = [(i, score) for i, score in zip(ids, log_probabilities, strict=True) if i not in special]
        ends = self._tokenizer.eos_token_id
        ending = log_probabilities[ids.index(ends)] if ends in ids else 0.0
        return Tokens(tuple(i for i, _ in kept), tuple(score for _, score in kept), ending)

    def _reading(self, tokens: Tokens) -> Reading:
        if not tokens.ids:
            return Reading("", 0.0)
        symbols = [self._tokenizer.decode([i]) for i in tokens.ids]
        whole = self._tokenizer.decode(list(tokens.ids))
        # Pieces of bytes, or pieces that begin with their space, are no characters when they stand alone.
        if all(len(symbol) == 1 for symbol in symbols) and "".join(symbols) == whole:
            pairs = zip(symbols, map(math.exp, tokens.log_probabilities), strict=True)
            return reading_of(list(pairs), _counted_spans(symbols, tokens))
        text = " ".join(whole.split())
        total = sum(tokens.log_probabilities) + tokens.ending
        mean = math.exp(total / (len(tokens.ids) + 1))
        return Reading(text, min(mean, 1.0) if text else 0.0)


class InkPixels:
    """Ink of a fixed height with the aspect kept: what our own checkpoints are trained on."""

    def __init__(self, line_format: LineFormat) -> None:
        self.line_format = line_format

    def __call__(self, image: Image) -> Prepared[Pixels]:
        ink = scale_line(image, self.line_format)[None]
        return Prepared(ink, ink.shape[1], padded_width(ink.shape[2], self.line_format.bucket_px))


class ProcessorPixels:
    """What the checkpoint's own image processor makes of a crop."""

    def __init__(self, processor: Any) -> None:
        self._processor = processor

    def __call__(self, image: Image) -> Prepared[Pixels]:
        found = self._processor(images=image, input_data_format="channels_last", return_tensors="np")
        pixels = np.asarray(found["pixel_values"][0], np.float32)
        return Prepared(pixels, pixels.shape[1], pixels.shape[2])


def _pixel_source(weights: Weights) -> InkPixels | ProcessorPixels:
    if "input" in weights.metadata:
        try:
            return InkPixels(LineFormat.of(weights.metadata["input"]))
        except ValueError as error:
            raise WeightsError(f"weights {weights.reference!r} do not fit TrOCR: {error}") from error
    try:
        processor = AutoImageProcessor.from_pretrained(weights.path, local_files_only=True)
    except (OSError, ValueError) as error:
        raise WeightsError(f"weights {weights.reference!r} have no image processor: {error}") from error
    return ProcessorPixels(processor)


def _prepared(image: Image, source: InkPixels | ProcessorPixels) -> Outcome[Prepared[Pixels]]:
    if image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
        return UnreadableDocument(
            "The line crop has no pixels" if image.size == 0 else "A line crop must be RGB"
        )
    return source(image)


def _counted_spans(symbols: Sequence[str], tokens: Tokens) -> list[Span]:
    """Spans of characters by CTC's count, stretched to the number of characters that were written."""
    if not tokens.begun or tokens.begun[-1] <= 0:
        return []
    stretch = tokens.begun[-1] / len(symbols)
    begins = np.searchsorted(tokens.begun, (np.arange(len(symbols)) + 0.5) * stretch).tolist()
    return spans_of(symbols, begins, tokens.content_steps)
