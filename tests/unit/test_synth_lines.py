"""Line recipes and their pixels, on small fonts and texts made here."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from deployments.types import Kind
from training.synth.alphabet import CHARSET, CYRILLIC, LATIN, normalise
from training.synth.corpora import Corpus
from training.synth.degrade import Degradation, scan
from training.synth.fonts import FontFace
from training.synth.handwriting import PenStyle, load_tracks, write
from training.synth.lines import apply
from training.synth.sampler import LineSampler
from training.synth.shards import LineSample, LineShards, write_shard

DEJAVU = Path("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf")


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    prose = {
        "ru": "Съешь ещё этих мягких французских булок, да выпей чаю.",
        "en": "The quick brown fox jumps.",
    }
    for language, paragraph in prose.items():
        (tmp_path / f"{language}.txt").write_text(f"{paragraph} " * 4, encoding="utf-8")
        (tmp_path / f"{language}-test.txt").write_text("unseen " * 20, encoding="utf-8")
        (tmp_path / f"{language}-words.txt").write_text("\n".join(paragraph.split()), encoding="utf-8")
        (tmp_path / f"{language}-fields.txt").write_text("Ivan\nMoscow", encoding="utf-8")
    return tmp_path


@pytest.fixture
def tracks(tmp_path: Path) -> Path:
    """One writer whose every letter is a 20 x 30 zigzag."""
    row = {"writer": 0, "session": 1, "strokes": [[[0, 30], [10, 0], [20, 30]]]}
    rows = [json.dumps(row | {"char": c}) for c in sorted(CYRILLIC | set("0123456789"))]
    (tmp_path / "strokes.jsonl").write_text("\n".join(rows), encoding="utf-8")
    return tmp_path


def _cook(sampler: LineSampler, rng: np.random.Generator) -> LineSample:
    """The next line that is not too wide for the set."""
    while True:
        try:
            return apply(sampler.sample(rng))
        except ValueError as error:
            assert "px:" in str(error)


@pytest.mark.parametrize("kind", ["prose", "words", "form", "receipt", "figures", "technical"])
@pytest.mark.parametrize("language", ["ru", "en"])
def test_texts_keep_to_charset_and_length(texts: Path, language: str, kind: str) -> None:
    corpus, rng = Corpus(texts), np.random.default_rng(3)
    made = [corpus.text(rng, language, kind, max_chars=40) for _ in range(200)]  # type: ignore[arg-type]
    assert all(1 <= len(text) <= 40 and set(text) <= CHARSET and text == text.strip() for text in made)
    assert len(set(made)) > 20


def test_test_split_takes_other_prose(texts: Path) -> None:
    rng = np.random.default_rng(0)
    lines = [Corpus(texts, "test").text(rng, "en", "prose").lower() for _ in range(20)]
    assert sum("unseen" in line for line in lines) > 10
    assert not any("quick" in line for line in lines)


@pytest.mark.parametrize("language", ["ru", "en"])
def test_some_lines_call_or_ask(texts: Path, language: str) -> None:
    """Where hardly a line ended in !, it was read as the l that ends many words."""
    corpus = Corpus(texts)

    def drawn(seed: int) -> list[str]:
        rng = np.random.default_rng(seed)
        return [corpus.text(rng, language, "words", 40, plain=True) for _ in range(2000)]  # type: ignore[arg-type]

    lines = drawn(0)
    assert lines == drawn(0)
    ends = [line[-1] for line in lines if line[-2:-1].isalpha()]
    assert all(0.008 < ends.count(sign) / len(ends) < 0.03 for sign in "!?")


def test_missing_texts_name_the_command(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"training\.synth texts"):
        Corpus(tmp_path)


def test_signs_that_a_face_lacks_are_replaced_as_people_do() -> None:
    plain = frozenset(LATIN | set(' "-.N5'))
    assert normalise("«Yes» — №5…", plain) == '"Yes" - N5...'


@pytest.mark.skipif(not DEJAVU.is_file(), reason="DejaVu Sans is not installed")
class TestSampler:
    @pytest.fixture
    def sampler(self, texts: Path, tracks: Path) -> LineSampler:
        both = frozenset({"latin", "cyrillic"})
        faces = [
            FontFace(DEJAVU, "DejaVuSans", style, both, "free", CHARSET)
            for style in ("printed", "handwritten")
        ]
        return LineSampler(Corpus(texts), faces, 0.5, load_tracks(tracks))

    def test_same_seed_gives_the_same_bytes(self, sampler: LineSampler) -> None:
        for seed in range(40):
            first, second = (_cook(sampler, np.random.default_rng(seed)) for _ in range(2))
            assert first.text == second.text
            np.testing.assert_array_equal(first.image, second.image)

    def test_lines_have_the_height_and_ink_of_their_text(self, sampler: LineSampler) -> None:
        rng = np.random.default_rng(1)
        samples = [_cook(sampler, rng) for _ in range(120)]
        assert {sample.image.shape[0] for sample in samples} == {48}
        assert {sample.kind for sample in samples} == {Kind.HANDWRITTEN, Kind.PRINTED}
        assert {sample.language for sample in samples} == {"ru", "en"}
        assert all(np.ptp(sample.image) > 40 for sample in samples)
        widths = np.array([sample.image.shape[1] for sample in samples])
        lengths = np.array([len(sample.text) for sample in samples])
        assert np.corrcoef(widths, lengths)[0, 1] > 0.8

    def test_faces_of_one_style_only_are_refused(self, texts: Path) -> None:
        face = FontFace(DEJAVU, "DejaVuSans", "printed", frozenset({"latin", "cyrillic"}), "free", CHARSET)
        with pytest.raises(ValueError, match="no faces for handwritten latin, handwritten cyrillic"):
            LineSampler(Corpus(texts), [face])


def test_pen_draws_a_box_a_letter_in_reading_order(tracks: Path) -> None:
    style = PenStyle(writer=0, x_height_px=20, pen_px=2)
    ink = write("да, 12", load_tracks(tracks), style, np.random.default_rng(0))
    assert ink.char_boxes.shape == (6, 4)
    assert np.all(np.diff(ink.char_boxes[:, 0]) > 0)
    for box in ink.char_boxes[[0, 1, 4, 5]].astype(int):
        assert ink.mask[max(box[1], 0) : box[3], box[0] : box[2]].max() > 200


def test_pen_refuses_letters_without_tracks(tracks: Path) -> None:
    with pytest.raises(ValueError, match="no pen tracks for \\['q'\\]"):
        write("q", load_tracks(tracks), PenStyle(0, 20, 2), np.random.default_rng(0))


def test_clean_scan_maps_coverage_to_paper_and_ink() -> None:
    coverage = np.zeros((48, 100), np.uint8)
    coverage[10:30, 20:60] = 255
    image = scan(coverage, Degradation(paper=240, ink=20, texture=0), np.random.default_rng(0))
    assert image[20, 40] == 20 and image[5, 5] == 240
    inverted = scan(
        coverage, Degradation(paper=240, ink=20, texture=0, inverted=True), np.random.default_rng(0)
    )
    np.testing.assert_array_equal(inverted, 255 - image)


def test_low_resolution_loses_fine_detail() -> None:
    coverage = np.zeros((48, 96), np.uint8)
    coverage[:, ::2] = 255
    image = scan(coverage, Degradation(texture=0, low_height_px=12), np.random.default_rng(0))
    assert image.shape == coverage.shape and np.ptp(image) < 20


def test_shards_give_back_what_was_written(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (48, width), dtype=np.uint8) for width in (30, 7, 200)]
    samples = [LineSample(image, f"строка {n}", Kind.PRINTED, "ru") for n, image in enumerate(images)]
    (tmp_path / "a").mkdir()
    write_shard(tmp_path / "a", 0, samples[:2])
    write_shard(tmp_path / "a", 1, samples[2:])
    shards = LineShards(tmp_path / "a")
    assert list(shards.widths) == [30, 7, 200]
    for number, image in enumerate(images):
        np.testing.assert_array_equal(shards[number].image, image)
        assert shards[number].text == f"строка {number}"


def test_folder_without_shards_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no line shards"):
        LineShards(tmp_path)
