"""Training on a toy set: it learns, survives an interruption, and what it exports reads the same."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as PilImage
from PIL import ImageDraw, ImageFont

from deployments.engine import Prepared
from deployments.recognition.charset import Charset
from deployments.recognition.config import RecognitionArgs
from deployments.recognition.crnn_network import CrnnArchitecture
from deployments.recognition.engines import build_engine
from deployments.recognition.preprocess import prepare_line, stack
from deployments.types import Kind
from deployments.weights import WeightsError, resolve
from training import line_augment, recognition
from training.checkpoints import LAST, AveragedWeights, Budget, cosine_rate, load
from training.lines_data import BatchPlan, LineStream, NoLines, Source, steps_needed
from training.recognition_card import record_results
from training.recognition_curve import PICTURE
from training.recognition_evaluation import evaluate_rendered, write_results
from training.recognition_export import export_run
from training.recognition_models import TrainableCrnn
from training.recognition_training import Recipe, Training
from training.synth.lines import LineSample
from training.synth.shards import LineJob, write_lines, write_shard

LETTERS = str.maketrans("0123456789", "abcdefghij")
CHARSET = Charset("0123456789")
SMALL = CrnnArchitecture(symbols=len(CHARSET), channels=(8, 16, 24, 32), rnn_width=24)
CPU = torch.device("cpu")
STEPS = 90


def render(digits: str, text: str = "") -> LineSample:
    """A line that shows digits; it is labelled with them or with another text."""
    font = ImageFont.load_default(30)
    image = PilImage.new("L", (round(font.getlength(digits)) + 16, 48), 235)
    ImageDraw.Draw(image).text((8, 6), digits, font=font, fill=25)
    return LineSample(np.asarray(image), text or digits, Kind.PRINTED, "en")


def numbers() -> list[str]:
    rng = np.random.default_rng(7)
    return ["".join(map(str, rng.integers(0, 10, rng.integers(3, 7)))) for _ in range(64)]


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """64 lines of three to six digits."""
    folder = tmp_path_factory.mktemp("digits")
    write_shard(folder, 0, map(render, numbers()))
    return folder


@pytest.fixture(scope="module")
def cipher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same lines labelled with letters: no network reads them so unless it learns it here."""
    folder = tmp_path_factory.mktemp("cipher")
    write_shard(folder, 0, [render(number, number.translate(LETTERS)) for number in numbers()])
    return folder


def recipe(lines: Path, steps: int) -> Recipe:
    source = (Source(str(lines)),)
    plan = BatchPlan(columns=3072, max_lines=16, pool=64)
    return Recipe(source, valid=source, steps=steps, rate=2e-3, warmup_steps=10, plan=plan, valid_batches=2)


@pytest.fixture(scope="module")
def trained(cipher: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, float, float]:
    """The shipped CRNN trained on the cipher, interrupted once; validation CER before and after."""
    run = tmp_path_factory.mktemp("run")
    first = Training(TrainableCrnn.of_weights("crnn-ru-en"), recipe(cipher, 20), run, CPU)
    before = first.validate()
    first.run()
    resumed = Training(TrainableCrnn.of_weights("crnn-ru-en"), recipe(cipher, STEPS), run, CPU)
    assert resumed.step == 20
    assert resumed.budget.spent_s > 0
    for name, value in first.module.state_dict().items():
        assert torch.equal(resumed.module.state_dict()[name], value), name
    after = resumed.run()
    assert after is not None
    return run, before, after


def test_sixty_four_lines_are_learned(trained: tuple[Path, float, float]) -> None:
    _, before, after = trained
    assert before > 0.9
    assert after < 0.1


def test_a_fresh_network_starts_to_learn(digits: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    training = Training(TrainableCrnn(SMALL, CHARSET), recipe(digits, 40), tmp_path, CPU)
    batch = next(iter(training._validation()))
    before = float(training.reader.loss(batch, CPU).detach())
    training.run()
    assert float(training.reader.loss(batch, CPU).detach()) < before / 2


def test_the_curve_goes_on_over_the_interruption(trained: tuple[Path, float, float]) -> None:
    with (trained[0] / "curve.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    steps = [int(row["step"]) for row in rows]
    assert steps == sorted(steps)
    assert {20, STEPS} <= set(steps)


def test_the_exported_weight_reads_what_training_read(
    trained: tuple[Path, float, float], cipher: Path, tmp_path: Path
) -> None:
    run, _, _ = trained
    metadata = export_run(run, tmp_path / "crnn-digits")
    assert metadata["training"]["steps"] == STEPS
    engine = build_engine(RecognitionArgs(weights=str(tmp_path / "crnn-digits"), device="cpu"))
    state = load(run / LAST)
    assert state is not None
    reader = TrainableCrnn(CrnnArchitecture(**state["description"]["architecture"]))
    reader.module.load_state_dict(state["average"]["values"])
    reader.module.eval()
    images = [np.dstack([render(text).image] * 3) for text in ("2024", "13", "90577")]
    prepared = [item for item in engine.prepare(images) if isinstance(item, Prepared)]
    served = [reading.text for reading in engine.finish(engine.forward(prepared))]  # type: ignore[union-attr]
    with torch.inference_mode():
        lines = [stack([prepare_line(image, reader.line_format)]) for image in images]
        assert served == [reader.read(torch.from_numpy(line))[0] for line in lines]
    results = evaluate_rendered(engine, [Source(str(cipher))])
    assert results[0].score.n == 64
    assert results[0].score.cer < 0.1
    write_results(results, tmp_path / "results.json")
    assert len((tmp_path / "results.tsv").read_text(encoding="utf-8").splitlines()) == 64


def test_the_command_line_trains_exports_and_evaluates(
    digits: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, weight = tmp_path / "run", tmp_path / "weight"
    arguments = ["train", "--run", str(run), "--source", f"{digits}=2", "--steps", "1", "--columns", "2048"]
    assert recognition.main(["--threads", "1", *arguments, "--device", "cpu"]) == 0
    assert recognition.main(["export", "--run", str(run), "--out", str(weight), "--data", "digits"]) == 0
    assert (
        recognition.main(
            ["evaluate", "--weights", str(weight), "--valid", str(digits), "--device", "cpu", "--card"]
        )
        == 0
    )
    row = f"| {digits.name}, printed | 64 |"
    assert row in capsys.readouterr().out
    card = (weight / "README.md").read_text(encoding="utf-8")
    assert row in card
    assert "| trained on | digits |" in card
    assert resolve(str(weight), "crnn").metadata["results"][f"{digits.name}, printed"]["n"] == 64


def test_handwriting_is_also_scored_on_squares_and_forms_and_all_in_bad_photographs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "words_ru_handwritten"
    folder.mkdir()
    rows = []
    for number, kind in enumerate(("handwritten", "printed", "handwritten")):
        PilImage.fromarray(render("1986").image).save(folder / f"{number}.png")
        rows.append(json.dumps({"image": f"{number}.png", "text": "1986", "kind": kind}))
    (folder / "labels.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")
    changes = ["--squared", "--on-forms", "--shaded", "--blurred"]
    assert recognition.main(["evaluate", "--data", str(tmp_path), *changes, "--device", "cpu"]) == 0
    printed = capsys.readouterr().out
    assert "| words_ru_handwritten, handwritten | 2 |" in printed
    assert "| words_ru_handwritten on squares | 2 |" in printed
    assert "| words_ru_handwritten in form fields | 2 |" in printed
    assert "| words_ru_handwritten in uneven light | 3 |" in printed
    assert "| words_ru_handwritten out of focus | 3 |" in printed


def test_a_curve_is_drawn_and_goes_with_the_weight(
    trained: tuple[Path, float, float], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, _, _ = trained
    export_run(run, tmp_path / "weight")
    record_results(tmp_path / "weight", [])
    assert "](curve.png)" in (tmp_path / "weight" / "README.md").read_text(encoding="utf-8")
    assert recognition.main(["curve", "--run", str(run), "--out", str(tmp_path / "again.png")]) == 0
    assert (tmp_path / "again.png").read_bytes() == (tmp_path / "weight" / PICTURE).read_bytes()
    with PilImage.open(tmp_path / "again.png") as picture:
        assert picture.size == (800, 400)
        colours = {colour for _, colour in picture.convert("RGB").getcolors(1 << 20) or ()}
        # Loss and validation CER are both there.
        assert {(0x2F, 0x5D, 0x9B), (0xB3, 0x54, 0x1E)} <= colours
    assert recognition.main(["curve", "--run", str(tmp_path), "--out", "x.png"]) == 1
    assert "curve.csv" in capsys.readouterr().err


def test_a_run_of_no_steps_is_exported_without_a_picture(
    digits: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    Training(TrainableCrnn(SMALL, CHARSET), Recipe((Source(str(digits)),), steps=0), run, CPU).run()
    assert recognition.main(["export", "--run", str(run), "--out", str(tmp_path / "weight")]) == 0
    assert (tmp_path / "weight" / "metadata.json").is_file()
    assert not (tmp_path / "weight" / PICTURE).exists()
    assert recognition.main(["curve", "--run", str(run), "--out", str(tmp_path / "x.png")]) == 1
    assert "no row with a loss" in capsys.readouterr().err


def test_one_seed_gives_the_same_batches(digits: Path) -> None:
    def batches() -> list[torch.Tensor]:
        plan = BatchPlan(pool=32)
        stream = iter(
            LineStream([Source(str(digits))], CHARSET, TrainableCrnn(SMALL, CHARSET).line_format, plan, 3)
        )
        return [next(stream).images for _ in range(3)]

    for one, other in zip(batches(), batches(), strict=True):
        assert torch.equal(one, other)


def test_batches_hold_like_widths_within_the_budget(digits: Path) -> None:
    plan = BatchPlan(columns=640, max_lines=6, pool=64)
    stream = iter(LineStream([Source(str(digits))], CHARSET, TrainableCrnn(SMALL, CHARSET).line_format, plan))
    for _ in range(10):
        images = next(stream).images
        assert len(images) <= 6
        assert len(images) * images.shape[-1] <= 640 or len(images) == 1


def test_lines_outside_the_charset_are_left_out(tmp_path: Path) -> None:
    write_shard(tmp_path, 0, [render("12"), render("AB")])
    stream = iter(
        LineStream([Source(str(tmp_path))], CHARSET, TrainableCrnn(SMALL, CHARSET).line_format, BatchPlan())
    )
    assert set(next(stream).texts) == {"12"}


@pytest.mark.parametrize(
    ("text", "fault"),
    [("AB", "outside the charset"), ("1" * 90, "more characters than their width has time steps")],
)
def test_lines_of_which_none_fits_end_the_stream(tmp_path: Path, text: str, fault: str) -> None:
    """Batches were drawn for ever, without a word."""
    write_shard(tmp_path, 0, [render("12", text)])
    line_format, plan = TrainableCrnn(SMALL, CHARSET).line_format, BatchPlan(pool=8)
    with pytest.raises(NoLines, match=f"0 of 8 lines fit: 8 have .*{fault}"):
        next(iter(LineStream([Source(str(tmp_path))], CHARSET, line_format, plan)))


def test_a_pattern_without_lines_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(NoLines, match="no lines at"):
        LineStream(
            [Source(str(tmp_path / "*"))], CHARSET, TrainableCrnn(SMALL, CHARSET).line_format, BatchPlan()
        )


def test_mistyped_validation_is_noticed_before_training(
    digits: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["train", "--run", str(tmp_path / "run"), "--source", str(digits), "--device", "cpu"]
    arguments += ["--start-from", "crnn-ru-en", "--steps", "1", "--valid", str(tmp_path / "mistyped")]
    assert recognition.main(arguments) == 1
    assert "no lines at" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_run_without_a_limit_is_refused_before_anything_is_written(digits: Path, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="--minutes or --steps"):
        recognition.main(["train", "--run", str(tmp_path / "run"), "--source", str(digits)])
    assert not (tmp_path / "run").exists()


def test_a_run_goes_on_with_the_network_it_was_begun_with(
    trained: tuple[Path, float, float], digits: Path
) -> None:
    wider = TrainableCrnn(replace(SMALL, rnn_width=32), CHARSET)
    with pytest.raises(WeightsError, match=r"was begun with another network: .*'rnn_width': 192"):
        Training(wider, Recipe(sources=(Source(str(digits)),), steps=1), trained[0], CPU)


def test_lines_of_two_jobs_do_not_mix_in_a_folder(tmp_path: Path) -> None:
    job = LineJob(0, 5, tmp_path / "fonts", tmp_path / "texts")
    assert write_lines(job, tmp_path / "lines") == 0
    assert write_lines(job, tmp_path / "lines") == 0
    for other in (replace(job, seed=6), replace(job, number=60)):
        with pytest.raises(FileExistsError, match="lines of another job"):
            write_lines(other, tmp_path / "lines")


@pytest.mark.parametrize("text", ["a=0", "a=-1", "a=b"])
def test_a_source_weight_must_be_positive(text: str) -> None:
    with pytest.raises(ValueError, match="positive"):
        Source.parse(text)


def test_a_source_is_a_pattern_with_an_optional_weight() -> None:
    assert Source.parse("lines/*=0.25") == Source("lines/*", 0.25)
    assert Source.parse("lines/*") == Source("lines/*", 1.0)


def test_equal_neighbours_need_a_blank_between() -> None:
    assert steps_needed("book") == 5


def test_a_variation_is_decided_by_its_draw() -> None:
    image = render("3141").image
    drawn = line_augment.sample(np.random.default_rng(5))
    assert np.array_equal(line_augment.apply(image, drawn), line_augment.apply(image, drawn))
    others = [line_augment.sample(np.random.default_rng(seed)) for seed in range(5)]
    assert len({line_augment.apply(image, other).tobytes() for other in others}) == 5


def test_early_averages_are_not_held_by_the_random_start() -> None:
    module = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.zeros_(module.weight)
    average = AveragedWeights(module, decay=0.999)
    torch.nn.init.ones_(module.weight)
    average.update(module)
    assert float(average.values["weight"].detach()) == pytest.approx(9 / 11)
    for _ in range(50):
        average.update(module)
    assert float(average.values["weight"].detach()) > 0.99


def test_averages_follow_the_weights_and_the_rate_its_schedule() -> None:
    module = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.zeros_(module.weight)
    average = AveragedWeights(module, decay=0.9)
    torch.nn.init.ones_(module.weight)
    for _ in range(200):
        average.update(module)
    assert float(average.values["weight"].detach()) == pytest.approx(1, abs=1e-3)
    assert cosine_rate(1.0, 0.0, step=0, warmup_steps=10) == pytest.approx(0.1)
    assert cosine_rate(1.0, 0.0, step=50, warmup_steps=10) == pytest.approx(1.0)
    assert cosine_rate(1.0, 1.0, step=50, warmup_steps=10) == pytest.approx(0.01)


def test_a_budget_ends_by_whichever_limit_comes_first() -> None:
    assert Budget(minutes=None, steps=10).progress(5) == 0.5
    assert Budget(minutes=1.0, steps=1000, spent_s=60).progress(5) >= 1
    assert Budget(minutes=None, steps=0).progress(0) >= 1 and Budget(minutes=0.0, steps=None).progress(0) >= 1
    with pytest.raises(ValueError, match="limit"):
        Budget(None, None)
