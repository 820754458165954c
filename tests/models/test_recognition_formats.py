"""ONNX and TorchScript compute what torch computes, whatever the batch and the widths."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from PIL import Image as PilImage
from PIL import ImageDraw, ImageFont

from deployments.recognition.charset import Charset
from deployments.recognition.crnn import load_crnn
from deployments.recognition.decode import read_greedily
from deployments.recognition.preprocess import LineFormat, prepare_line
from deployments.weights import METADATA, WeightsError, resolve
from training import recognition, recognition_formats
from training.labelled_lines import TRAINING_ROWS, read_lines
from training.recognition_formats import FILES, TOLERANCE, ExportMismatch, export_formats

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "typewritten_en"


def render(text: str, size_px: int = 30) -> np.ndarray:
    font = ImageFont.load_default(size_px)
    image = PilImage.new("RGB", (round(font.getlength(text)) + 16, size_px + 18), (235, 230, 222))
    ImageDraw.Draw(image).text((8, 6), text, font=font, fill=(25, 25, 40))
    return np.asarray(image)


CROPS = [render("Total 1250.00"), render("The quick brown fox", 40), render("No. 7", 24)]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("formats")
    written = export_formats(resolve("crnn-ru-en", "crnn"), folder, ("onnx", "torchscript"), CROPS)
    assert [file.path.name for file in written] == list(FILES.values())
    assert all(0 <= file.largest_difference < TOLERANCE for file in written)
    return folder


@pytest.mark.filterwarnings("ignore:.*torch.jit:FutureWarning")
@pytest.mark.parametrize(("lines", "width"), [(1, 32), (1, 2400), (7, 352)])
def test_both_formats_take_any_number_of_lines_of_any_width(exported: Path, lines: int, width: int) -> None:
    torch.manual_seed(lines)
    images = torch.rand(lines, 1, 32, width)
    widths = torch.randint(1, width // 32 + 1, (lines,)) * 32
    network, _, _ = load_crnn(resolve("crnn-ru-en", "crnn"))
    with torch.inference_mode():
        expected = network(images, widths)
    session = onnxruntime.InferenceSession(exported / FILES["onnx"], providers=["CPUExecutionProvider"])
    (by_onnx,) = session.run(None, {"images": images.numpy(), "widths": widths.numpy()})
    by_script = torch.jit.load(exported / FILES["torchscript"])(images, widths)
    for row, width_px in enumerate(widths.tolist()):
        own = expected[row, : width_px // 4]
        np.testing.assert_allclose(by_onnx[row, : width_px // 4], own, atol=TOLERANCE)
        np.testing.assert_allclose(by_script[row, : width_px // 4], own, atol=TOLERANCE)


def test_what_is_exported_reads_with_its_metadata_alone(exported: Path) -> None:
    described = resolve(str(exported), "crnn").metadata["input"]
    charset, line_format = Charset(described["charset"]), LineFormat.of(described)
    session = onnxruntime.InferenceSession(exported / FILES["onnx"], providers=["CPUExecutionProvider"])
    ink = prepare_line(CROPS[1], line_format)
    (logits,) = session.run(None, {"images": ink[None, None], "widths": np.array([ink.shape[1]])})
    shifted = np.exp(logits[0] - logits[0].max(axis=1, keepdims=True))
    reading = read_greedily((shifted / shifted.sum(axis=1, keepdims=True)).astype(np.float32), charset)
    assert reading.text == "The quick brown fox"


@pytest.mark.skipif(not DATA.is_dir(), reason=f"no real lines at {DATA}")
def test_real_lines_pass_the_check(tmp_path: Path) -> None:
    assert DATA.name in TRAINING_ROWS
    crops = [line.image for line in list(read_lines(DATA, "evaluate"))[:8]]
    (written,) = export_formats(resolve("crnn-ru-en", "crnn"), tmp_path, ("torchscript",), crops)
    assert written.largest_difference < TOLERANCE


def test_an_export_that_computes_something_else_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = recognition_formats._WRITERS["torchscript"]

    def spoilt(*arguments):  # type: ignore[no-untyped-def]
        read = write(*arguments)
        return lambda images, widths: read(images, widths) + 0.01

    monkeypatch.setitem(recognition_formats._WRITERS, "torchscript", spoilt)
    with pytest.raises(ExportMismatch, match=r"differ from torch's by 0\.01"):
        export_formats(resolve("crnn-ru-en", "crnn"), tmp_path, ("torchscript",), CROPS)
    assert not list(tmp_path.glob("model*"))


def test_an_export_needs_lines_and_a_crnn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="checked on lines"):
        export_formats(resolve("crnn-ru-en", "crnn"), tmp_path, ("onnx",), [])
    with pytest.raises(WeightsError, match="not 'crnn'"):
        export_formats(resolve("cnn-kind", "crnn"), tmp_path, ("onnx",), CROPS)
    assert recognition.main(["export", "--weights", "crnn-ru-en", "--out", "x", "--set", str(tmp_path)]) == 1
    assert "neither a CSV file nor a folder with labels.jsonl" in capsys.readouterr().err


def test_the_command_line_exports_and_says_how_close_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number, crop in enumerate(CROPS):
        PilImage.fromarray(crop).save(tmp_path / f"{number}.png")
    rows = "".join(f"{number}.png,line {number},printed\n" for number in range(len(CROPS)))
    (tmp_path / "list.csv").write_text("File name,Text,Class\n" + rows, encoding="utf-8")
    out = tmp_path / "crnn-portable"
    arguments = ["export", "--weights", "crnn-ru-en", "--out", str(out), "--format", "torchscript"]
    with pytest.raises(SystemExit, match="--set"):
        recognition.main(arguments)
    assert recognition.main([*arguments, "--set", str(tmp_path / "list.csv")]) == 0
    assert "of torch's on 3 lines (allowed 0.001)" in capsys.readouterr().out
    assert {path.name for path in out.iterdir()} == {METADATA, FILES["torchscript"]}
