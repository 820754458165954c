"""TrOCR engines over checkpoints in the hub's format, made here: the foreign kind and our own."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    PreTrainedTokenizerFast,
    TrOCRConfig,
    TrOCRProcessor,
    VisionEncoderDecoderConfig,
    VisionEncoderDecoderModel,
    ViTConfig,
    ViTImageProcessor,
)

from deployments.engine import Prepared
from deployments.errors import UnreadableDocument
from deployments.recognition.charset import Charset
from deployments.recognition.config import RecognitionArgs, RecognitionTuning
from deployments.recognition.crnn import load_crnn
from deployments.recognition.crnn_network import CrnnFeatures
from deployments.recognition.trocr import Tokens, TrocrEngine
from deployments.recognition.trocr_encoder import LineEncoder
from deployments.types import Reading
from deployments.weights import METADATA, WeightsError, resolve
from training.checkpoints import LAST, AveragedWeights, save
from training.lines_data import LineBatch
from training.mixing import Mix
from training.recognition_export import export_run
from training.recognition_models import trainable
from training.trocr_model import TrainableTrocr, TrocrArchitecture

SMALL = TrocrArchitecture(
    channels=(8, 8, 16, 16), rnn_width=16, width=32, heads=2, decoder_layers=1, max_characters=16
)
CHARSET = Charset("abcdef 0123")


def byte_level_tokenizer() -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=320, special_tokens=["<s>", "<pad>", "</s>", "<unk>"], show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )  # fmt: skip
    tokenizer.train_from_iterator(["договор на оказание услуг", "invoice and contract"] * 4, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", pad_token="<pad>", eos_token="</s>", unk_token="<unk>"
    )


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint as microsoft/trocr and raxtemur/trocr-base-ru are laid out, tiny and random."""
    folder = tmp_path_factory.mktemp("trocr-foreign")
    torch.manual_seed(3)
    tokenizer = byte_level_tokenizer()
    encoder = ViTConfig(
        image_size=48,
        patch_size=16,
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=64,
    )
    decoder = TrOCRConfig(
        vocab_size=len(tokenizer), d_model=32, decoder_layers=1, decoder_attention_heads=2,
        decoder_ffn_dim=64,
        max_position_embeddings=24, cross_attention_hidden_size=32,
        bos_token_id=0, pad_token_id=1, eos_token_id=2, decoder_start_token_id=2,
    )  # fmt: skip
    config = VisionEncoderDecoderConfig.from_encoder_decoder_configs(encoder, decoder)
    config.decoder_start_token_id, config.pad_token_id, config.eos_token_id = 2, 1, 2
    model = VisionEncoderDecoderModel(config)
    # Random heads would say one token for ever; larger embeddings let the image decide.
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(4)
    model.save_pretrained(folder)
    processor = ViTImageProcessor(size={"height": 48, "width": 48})
    TrOCRProcessor(image_processor=processor, tokenizer=tokenizer).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A compact checkpoint that has learned two lines by heart, through our exporter."""
    folder = tmp_path_factory.mktemp("trocr-own")
    torch.manual_seed(0)
    reader = TrainableTrocr(SMALL, CHARSET)
    batch = LineBatch(torch.stack([torch.zeros(1, 32, 96), torch.zeros(1, 32, 96)]), ["fab 1", "cede"])
    batch.images[0, :, 8:24, 8:64] = 1
    batch.images[1, :, 4:8, 32:88] = 1
    optimizer = torch.optim.Adam(reader.module.parameters(), 5e-3)
    for _ in range(120):
        optimizer.zero_grad()
        torch.autograd.backward(reader.loss(batch, torch.device("cpu")))
        optimizer.step()
    average = AveragedWeights(reader.module)
    state = {"engine": "trocr", "description": reader.description(), "average": average.state_dict()}
    save(folder / LAST, state | {"step": 120, "lines": 240, "seed": 0, "spent_s": 1.0})
    export_run(folder, folder / "weight")
    return folder / "weight"


def bars() -> list[np.ndarray]:
    """The two lines that ``own`` knows, as crops of another size."""
    thick, thin = np.full((64, 192, 3), 240, np.uint8), np.full((64, 192, 3), 240, np.uint8)
    thick[16:48, 16:128] = 10
    thin[8:16, 64:176] = 10
    return [thick, thin]


def read(engine: TrocrEngine, images: list[np.ndarray]) -> list[Reading]:
    prepared = [item for item in engine.prepare(images) if isinstance(item, Prepared)]
    return [item for item in engine.finish(engine.forward(prepared)) if isinstance(item, Reading)]


def engine_of(folder: Path) -> TrocrEngine:
    return TrocrEngine(RecognitionArgs(engine="trocr", weights=str(folder), device="cpu"))


def test_our_checkpoint_reads_what_it_learned_with_a_confidence_a_character(own: Path) -> None:
    readings = read(engine_of(own), bars())
    assert [reading.text for reading in readings] == ["fab 1", "cede"]
    for reading in readings:
        assert len(reading.char_confidences) == len(reading.text)
        assert reading.confidence > 0.5


def metaspace_tokenizer() -> PreTrainedTokenizerFast:
    """Pieces as SentencePiece makes them: the first of a word brings its space along."""
    pieces = [(space + symbol, -2.0) for space in ("▁", "") for symbol in "ABC123"]
    specials = [(name, 0.0) for name in ("<unk>", "<s>", "<pad>", "</s>")]
    tokenizer = Tokenizer(models.Unigram([*specials, ("▁", -5.0), *pieces], 0))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", pad_token="<pad>", eos_token="</s>", unk_token="<unk>"
    )


@pytest.mark.parametrize(
    ("tokenizer", "text"),
    [
        (byte_level_tokenizer(), "Щ"),
        (byte_level_tokenizer(), "№ЩЮ"),
        (byte_level_tokenizer(), "договор"),
        (metaspace_tokenizer(), "A B C"),
        (metaspace_tokenizer(), "1 2 3"),
    ],
)
def test_pieces_that_are_no_characters_keep_letters_and_spaces(
    foreign: Path, tokenizer: PreTrainedTokenizerFast, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = engine_of(foreign)
    monkeypatch.setattr(engine, "_tokenizer", tokenizer)
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    (reading,) = engine.finish([Tokens(tuple(ids), (math.log(0.9),) * len(ids), 0.0)])
    assert isinstance(reading, Reading)
    assert reading.text == text
    # What stands for which character is not known, so only the line has a confidence.
    assert reading.char_confidences == () and 0.8 < reading.confidence <= 1


def test_a_line_reads_the_same_alone_and_in_a_batch(own: Path) -> None:
    engine = engine_of(own)
    together = read(engine, bars())
    alone = [read(engine, [image])[0] for image in bars()]
    assert [r.text for r in together] == [r.text for r in alone]
    assert [r.confidence for r in together] == pytest.approx([r.confidence for r in alone], abs=1e-4)


def test_a_foreign_checkpoint_is_fed_by_its_own_processor(foreign: Path) -> None:
    engine = engine_of(foreign)
    prepared = engine.prepare(bars())
    assert [(item.height, item.width) for item in prepared if isinstance(item, Prepared)] == [(48, 48)] * 2
    assert all(item.payload.shape == (3, 48, 48) for item in prepared if isinstance(item, Prepared))
    for reading in read(engine, bars()):
        assert 0 <= reading.confidence <= 1


def test_the_confidence_is_the_geometric_mean_of_the_models_own_probabilities(foreign: Path) -> None:
    engine = engine_of(foreign)
    engine.configure(RecognitionTuning(max_length=6))
    prepared = [item for item in engine.prepare(bars()[:1]) if isinstance(item, Prepared)]
    tokens = engine.forward(prepared)[0]
    pixels = torch.from_numpy(prepared[0].payload)[None]
    model = engine._model
    written = torch.tensor([[2, *tokens.ids]])
    with torch.inference_mode():
        logits = model(pixel_values=pixels, decoder_input_ids=written).logits.log_softmax(-1)[0]
    expected = [float(logits[step, token]) for step, token in enumerate(tokens.ids)]
    assert list(tokens.log_probabilities) == pytest.approx(expected, abs=1e-3)


def test_beams_and_length_change_live(own: Path) -> None:
    engine = engine_of(own)
    engine.configure(RecognitionTuning(num_beams=3))
    assert [reading.text for reading in read(engine, bars())] == ["fab 1", "cede"]
    engine.configure(RecognitionTuning(max_length=2))
    assert [len(reading.text) for reading in read(engine, bars())] == [2, 2]


def test_tokens_of_several_letters_give_one_confidence_for_the_line(foreign: Path) -> None:
    engine = engine_of(foreign)
    ids = engine._tokenizer("договор", add_special_tokens=False)["input_ids"]
    assert len(ids) < len("договор")
    scores = tuple(math.log(0.5) for _ in ids)
    reading = engine.finish([Tokens(tuple(ids), scores, math.log(0.5))])[0]
    assert isinstance(reading, Reading)
    assert (reading.text, reading.char_confidences) == ("договор", ())
    assert reading.confidence == pytest.approx(0.5)


def test_nothing_written_is_an_empty_reading(foreign: Path) -> None:
    assert engine_of(foreign).finish([Tokens((), (), -1.0)]) == [Reading("", 0.0)]


def test_an_unreadable_crop_fails_alone(own: Path) -> None:
    outcomes = engine_of(own).prepare([bars()[0], np.zeros((0, 5, 3), np.uint8), np.zeros((5, 5), np.uint8)])
    assert [type(outcome) for outcome in outcomes] == [Prepared, UnreadableDocument, UnreadableDocument]


def test_warm_up_keeps_the_readings(own: Path) -> None:
    engine = engine_of(own)
    engine.warm_up()
    assert [reading.text for reading in read(engine, bars())] == ["fab 1", "cede"]


def test_a_folder_that_is_no_checkpoint_is_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="trocr-nothing"):
        (tmp_path / "trocr-nothing").mkdir()
        engine_of(tmp_path / "trocr-nothing")


def test_an_unknown_key_of_its_input_is_named(tmp_path: Path) -> None:
    metadata = {"name": "odd", "engine": "trocr", "format": 1, "sha256": {}, "input": {"deskewed": True}}
    (tmp_path / METADATA).write_text(json.dumps(metadata), encoding="utf-8")
    with pytest.raises(WeightsError, match=r"do not fit TrOCR: .*'deskewed'"):
        engine_of(tmp_path)


def test_features_of_another_width_are_refused_with_both_widths() -> None:
    with pytest.raises(WeightsError, match=r"features have rnn_width 192, the trocr .* has 128"):
        trainable("trocr", start_from="trocr-ru-en", features_from="crnn-ru-en")


def test_a_decoder_gets_lines_prepared_as_its_features_know_them(monkeypatch: pytest.MonkeyPatch) -> None:
    network, charset, line_format = load_crnn(resolve("crnn-ru-en", "crnn"))
    prepared = replace(line_format, deskew=True, adaptive_threshold=True)
    monkeypatch.setattr("training.trocr_model.load_crnn", lambda _: (network, charset, prepared))
    given = TrainableTrocr.on_features_of("crnn-ru-en").line_format
    assert given.deskew and given.adaptive_threshold and given.max_core == line_format.max_core
    assert given.bucket_px == TrainableTrocr(SMALL, CHARSET).line_format.bucket_px


def test_only_a_crnn_is_exported_as_a_mean(own: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="only a CRNN"):
        export_run(own.parent, tmp_path, mix=Mix("nowhere", 0.5))


def test_a_decoder_on_trained_features_leaves_them_as_they_are() -> None:
    reader = TrainableTrocr.on_features_of("crnn-ru-en")
    encoder = reader.module.encoder
    assert isinstance(encoder, LineEncoder)
    network, _, _ = load_crnn(resolve("crnn-ru-en", "crnn"))
    image = torch.rand(1, 1, 32, 64)
    with torch.inference_mode():
        expected = CrnnFeatures.forward(network, image)
        torch.testing.assert_close(encoder.features.eval()(image), expected)
    before = {name: value.clone() for name, value in reader.module.state_dict().items()}
    reader.module.train()
    optimizer = torch.optim.SGD([p for p in reader.module.parameters() if p.requires_grad], 0.1)
    torch.autograd.backward(reader.loss(LineBatch(image, ["да"]), torch.device("cpu")))
    optimizer.step()
    changed = {
        name for name, value in reader.module.state_dict().items() if not torch.equal(value, before[name])
    }
    assert not any(name.startswith("encoder.features.") for name in changed)
    assert "encoder.project.weight" in changed
    assert any(name.startswith("decoder.") for name in changed)
