"""The compact TrOCR: the CRNN's features and a character decoder, saved in the hub's format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from tokenizers import Regex, Tokenizer, decoders, pre_tokenizers, processors
from tokenizers.models import WordLevel
from torch import Tensor, nn
from torch.nn import functional
from transformers import (
    PreTrainedTokenizerFast,
    TrOCRConfig,
    VisionEncoderDecoderConfig,
    VisionEncoderDecoderModel,
)

from deployments.recognition.charset import Charset
from deployments.recognition.crnn import load_crnn
from deployments.recognition.crnn_network import CrnnNetwork
from deployments.recognition.preprocess import LineFormat
from deployments.recognition.trocr_encoder import LineEncoder, LineEncoderConfig, sinusoids
from deployments.weights import FORMAT, TENSORS, WeightsError, resolve, sha256
from training.lines_data import LineBatch
from training.recognition_export import Provenance, load_run, training_facts
from training.weight_folder import share, write_metadata

PAD, START, END, UNKNOWN = "<pad>", "<s>", "</s>", "<unk>"
SPECIAL = (PAD, START, END, UNKNOWN)
# TrOCRLearnedPositionalEmbedding keeps its first two rows to itself.
POSITION_OFFSET = 2
# The engine generates lines of one padded width together: coarse widths make for full batches.
BUCKET_PX = 160


@dataclass(frozen=True, slots=True)
class TrocrArchitecture:
    """Sizes of the features (as of the CRNN) and of the decoder.

    ``ctc_symbols``: outputs of the CRNN's head, which counts characters for the decoder; 0: none.
    """

    height_px: int = 32
    channels: tuple[int, int, int, int] = (32, 64, 128, 192)
    rnn_width: int = 128
    width: int = 192
    heads: int = 4
    decoder_layers: int = 2
    max_characters: int = 128
    ctc_symbols: int = 0


def build_tokenizer(charset: Charset, max_length: int) -> PreTrainedTokenizerFast:
    """One token a character; special tokens first, then the charset in its order."""
    vocabulary = {symbol: i for i, symbol in enumerate([*SPECIAL, *charset.symbols])}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    tokenizer.decoder = decoders.Fuse()
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{START} $A {END}", special_tokens=[(START, vocabulary[START]), (END, vocabulary[END])]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token=PAD, bos_token=START, eos_token=END, unk_token=UNKNOWN,
        model_max_length=max_length, clean_up_tokenization_spaces=False,
    )  # fmt: skip


def build_model(architecture: TrocrArchitecture, vocabulary: int) -> VisionEncoderDecoderModel:
    """A fresh network; pads with 0, starts with 1, ends with 2, as :data:`SPECIAL` orders them."""
    a = architecture
    encoder = LineEncoderConfig(
        a.height_px, a.channels, a.rnn_width, hidden_size=a.width, symbols=a.ctc_symbols
    )
    decoder = TrOCRConfig(
        vocab_size=vocabulary, d_model=a.width, decoder_layers=a.decoder_layers,
        decoder_attention_heads=a.heads, decoder_ffn_dim=4 * a.width, cross_attention_hidden_size=a.width,
        max_position_embeddings=a.max_characters + 2, dropout=0.1, scale_embedding=True,
        layernorm_embedding=True, pad_token_id=0, bos_token_id=1, eos_token_id=2, decoder_start_token_id=1,
    )  # fmt: skip
    config = VisionEncoderDecoderConfig.from_encoder_decoder_configs(encoder, decoder)
    config.pad_token_id, config.eos_token_id, config.decoder_start_token_id = 0, 2, 1
    model = VisionEncoderDecoderModel(config)
    _number_steps(model.decoder.model.decoder.embed_positions)
    model.generation_config.update(pad_token_id=0, bos_token_id=1, eos_token_id=2, decoder_start_token_id=1)
    return model


def _number_steps(embedding: nn.Embedding) -> None:
    """Start the learned positions from the encoder's own: step i writes character i + 1."""
    steps = embedding.num_embeddings - POSITION_OFFSET
    with torch.no_grad():
        embedding.weight[POSITION_OFFSET:] = sinusoids(
            torch.arange(1, steps + 1, dtype=torch.float32), embedding.embedding_dim
        )


class TrainableTrocr:
    """The compact TrOCR with cross entropy over characters (teacher forcing)."""

    engine = "trocr"
    steps_per_px = 0.0

    def __init__(self, architecture: TrocrArchitecture | None = None, charset: Charset | None = None) -> None:
        self.charset = charset or Charset()
        self.architecture = architecture or TrocrArchitecture()
        a = self.architecture
        self.line_format = LineFormat(height_px=a.height_px, bucket_px=BUCKET_PX)
        self.tokenizer = build_tokenizer(self.charset, a.max_characters)
        self.module: nn.Module = build_model(a, len(self.tokenizer))

    @classmethod
    def on_features_of(cls, reference: str) -> TrainableTrocr:
        """A fresh decoder that learns to write from the features of a trained CRNN, which are kept.

        Raises:
            deployments.weights.WeightsError: the weight is not there or is no CRNN.
        """
        network, charset, line_format = load_crnn(resolve(reference, "crnn"))
        shape = network.architecture
        architecture = TrocrArchitecture(
            shape.height_px, shape.channels, shape.rnn_width, ctc_symbols=shape.symbols
        )
        reader = cls(architecture, charset)
        # Features know lines that were prepared like those they learned from.
        reader.line_format = replace(line_format, bucket_px=BUCKET_PX)
        reader.take_features(network)
        return reader

    @classmethod
    def of_weights(cls, reference: str) -> TrainableTrocr:
        """A compact TrOCR that this project exported, to go on from, features included.

        Raises:
            deployments.weights.WeightsError: the weight is not there or is no compact TrOCR.
        """
        weights = resolve(reference, cls.engine)
        if "architecture" not in weights.metadata:
            raise WeightsError(f"weights {reference!r}: only a TrOCR exported here can be trained further")
        reader = _of_description(weights.metadata)
        reader.line_format = LineFormat.of(weights.metadata["input"])
        model = VisionEncoderDecoderModel.from_pretrained(
            weights.path, local_files_only=True, dtype=torch.float32
        )
        reader.module.load_state_dict(model.state_dict())
        return reader

    def take_features(self, network: CrnnNetwork) -> None:
        """Put a CRNN's features and head in place of the present ones, and keep them as they are.

        Raises:
            deployments.weights.WeightsError: the CRNN is of another shape.
        """
        encoder = self.module.encoder
        assert isinstance(encoder, LineEncoder)
        a, theirs = self.architecture, network.architecture
        shape = {"height_px": a.height_px, "channels": a.channels, "rnn_width": a.rnn_width}
        for name, own in (shape | ({"symbols": a.ctc_symbols} if encoder.head else {})).items():
            if (other := getattr(theirs, name)) != own:
                raise WeightsError(f"the features have {name} {other}, the trocr that takes them has {own}")
        values = network.state_dict()
        encoder.features.load_state_dict({name: values[name] for name in encoder.features.state_dict()})
        if encoder.head is not None:
            encoder.head.load_state_dict(network.head.state_dict())
        encoder.freeze_features()

    def loss(self, batch: LineBatch, device: torch.device) -> Tensor:
        labels = self._labels(batch.texts, device)
        inputs = functional.pad(labels[:, :-1], (1, 0), value=1)
        with torch.autocast(device.type, torch.bfloat16):
            output = self.module(pixel_values=batch.images.to(device), decoder_input_ids=inputs)
        logits: Tensor = output.logits.float()
        return functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=0)

    def read(self, images: Tensor) -> list[str]:
        module = self.module
        assert isinstance(module, VisionEncoderDecoderModel)
        with torch.autocast(images.device.type, torch.bfloat16):
            ids = module.generate(images, max_new_tokens=self.architecture.max_characters - 1)
        return [" ".join(self.tokenizer.decode(row, skip_special_tokens=True).split()) for row in ids]

    def description(self) -> dict[str, Any]:
        return {
            "input": asdict(self.line_format) | {"charset": self.charset.symbols},
            "architecture": asdict(self.architecture),
        }

    def _labels(self, texts: list[str], device: torch.device) -> Tensor:
        rows = [
            torch.tensor([len(SPECIAL) - 1 + index for index in self.charset.encode(text)] + [2])
            for text in (text[: self.architecture.max_characters - 2] for text in texts)
        ]
        return nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=0).to(device)


def _of_description(description: Mapping[str, Any]) -> TrainableTrocr:
    shape = dict(description["architecture"])
    architecture = TrocrArchitecture(**shape | {"channels": tuple(shape["channels"])})
    return TrainableTrocr(architecture, Charset(description["input"]["charset"]))


def export_trocr(run_dir: Path, target: Path, provenance: Provenance | None = None) -> dict[str, Any]:
    """Write the averaged weights of a TrOCR run as a checkpoint in the hub's format, in bf16.

    Raises:
        FileNotFoundError: the run has no checkpoint.
    """
    state = load_run(run_dir)
    reader = _of_description(state["description"])
    reader.module.load_state_dict(state["average"]["values"])
    model = reader.module.to(torch.bfloat16)
    assert isinstance(model, VisionEncoderDecoderModel)
    model.save_pretrained(target)
    share(target / TENSORS)
    reader.tokenizer.save_pretrained(target)
    metadata = {
        "name": target.name,
        "engine": "trocr",
        "format": FORMAT,
        "sha256": {TENSORS: sha256(target / TENSORS)},
        **reader.description(),
        "training": training_facts(state, provenance or Provenance()),
        "results": {},
    }
    write_metadata(target, metadata)
    return metadata
