"""Documents in decoder processes: the same pages as in this one, and harm that stays there."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import PIL.Image
import PIL.PngImagePlugin
import psutil
import pytest

from deployments.errors import DecoderFailed, InputError, PayloadTooLarge, StageUnavailable
from deployments.tracing import SpanFields, span
from serve_app.decoding import process
from serve_app.decoding.memory import PageMemory
from serve_app.decoding.pool import DecoderPool
from serve_app.decoding.protocols import DecoderEnd
from serve_app.documents import open_document
from serve_app.lookahead import open_pages
from serve_app.page_ranges import parse_ranges
from serve_app.pages import DocumentOptions, SourceFile, SourcePage, TextLayer
from tests.api_client import PNG, THREE_PAGES, Bounds, two_rows
from tests.in_process import Unbounded
from tests.pdfs import locked, pdf_of
from tests.pictures import encoded

# Nothing here but a hang may outlast its time, however busy the machine is.
BOUNDS = replace(Bounds(), max_pixels=10**6, max_document_pixels=3 * 10**6, max_decode_s=300.0)
FAULTY = (sys.executable, "-m", "tests.faulty_decoder")


@pytest.fixture(scope="module")
def every_end() -> list[DecoderEnd]:
    """How processes of the pool ended, in order."""
    return []


@pytest.fixture(scope="module")
def pool(every_end: list[DecoderEnd]) -> Iterator[DecoderPool]:
    pool = DecoderPool(BOUNDS, FAULTY, every_end.append)
    pool.start()
    yield pool
    pool.close()


@pytest.fixture
def ends(every_end: list[DecoderEnd]) -> list[DecoderEnd]:
    """How processes end during a test."""
    every_end.clear()
    return every_end


def read(pool: DecoderPool, *data: bytes, options: DocumentOptions | None = None) -> list[SourcePage]:
    files = [SourceFile(each, f"{number}.bin") for number, each in enumerate(data, 1)]
    document = pool.open(files, BOUNDS, options or DocumentOptions())
    try:
        return [document.read(index, Unbounded()) for index in range(document.page_count)]
    finally:
        document.close()


def marked(mark: bytes) -> bytes:
    """A PNG whose comment makes the decoder come to harm."""
    note = PIL.PngImagePlugin.PngInfo()
    note.add_text("Comment", mark.decode())
    return encoded(two_rows(), pnginfo=note)


@pytest.mark.parametrize(
    ("data", "options"),
    [
        ([PNG], None),
        ([encoded(two_rows(), "JPEG", dpi=(300, 300))], None),
        ([encoded(two_rows().convert("L"), "JPEG")], None),
        ([THREE_PAGES], DocumentOptions(parse_ranges("2-"))),
        ([pdf_of()], DocumentOptions(dpi=150, text_layer=TextLayer.PREFER)),
        ([PNG, pdf_of(), THREE_PAGES], DocumentOptions(parse_ranges("1"), dpi=72)),
    ],
    ids=["png", "jpeg", "grey-jpeg", "tiff", "text-layer", "several"],
)
def test_pages_are_those_that_this_process_would_decode(
    pool: DecoderPool, data: list[bytes], options: DocumentOptions | None
) -> None:
    files = [SourceFile(each, f"{number}.bin") for number, each in enumerate(data, 1)]
    with open_document(files, BOUNDS, options) as document:
        expected = list(document)
    pages = read(pool, *data, options=options)
    assert len(pages) == len(expected)
    for page, wanted in zip(pages, expected, strict=True):
        np.testing.assert_array_equal(page.image, wanted.image)
        assert (page.origin, page.jpeg, page.is_grey) == (wanted.origin, wanted.jpeg, wanted.is_grey)
        assert page.decode_ms > 0
        assert [r.text for r in page.regions or ()] == [r.text for r in wanted.regions or ()]
        for region, other in zip(page.regions or (), wanted.regions or (), strict=True):
            np.testing.assert_array_equal(region.quad, other.quad)
            assert replace(region, quad=other.quad) == other


@pytest.mark.parametrize(
    "data", [b"", b"hello", PNG[:60], pdf_of([]), locked("x"), pdf_of([b""] * 4), pdf_of(size_pt=(9000, 900))]
)
def test_errors_are_those_of_this_process(pool: DecoderPool, data: bytes) -> None:
    with pytest.raises(InputError) as expected, open_document([SourceFile(data)], BOUNDS) as document:
        list(document)
    with pytest.raises(InputError) as raised:
        read(pool, data)
    assert (raised.type, raised.value.public) == (expected.type, expected.value.public)


def test_errors_name_the_file_at_fault(pool: DecoderPool) -> None:
    with pytest.raises(InputError, match=r"^File 2 \(2\.bin\): "):
        read(pool, PNG, b"Dear Sir")


def test_all_pages_of_a_request_count_together(pool: DecoderPool) -> None:
    limits = replace(BOUNDS, max_document_pixels=30_000)
    with pytest.raises(PayloadTooLarge, match="together"):
        pool.open([SourceFile(THREE_PAGES)], limits, DocumentOptions())


@pytest.mark.parametrize("mark", [b"<segfault>", b"<abort>", b"<babble>", b"<leave>"])
def test_a_crash_costs_one_request_and_the_pool_is_whole_again(
    pool: DecoderPool, ends: list[DecoderEnd], mark: bytes
) -> None:
    before = pool.pids
    others = pool.open([SourceFile(THREE_PAGES)], BOUNDS, DocumentOptions())
    others.read(0, Unbounded())
    with pytest.raises(DecoderFailed, match="crashed"):
        read(pool, marked(mark))
    assert ends == [DecoderEnd.CRASHED, DecoderEnd.CRASHED]
    assert_one_was_replaced(pool, before)
    assert [others.read(index, Unbounded()).origin.number for index in (1, 2)] == [2, 3]
    others.close()


def test_a_decoder_that_hangs_is_replaced_once_its_time_is_over() -> None:
    limits, ends = Impatient(), list[DecoderEnd]()
    pool = DecoderPool(limits, FAULTY, ends.append)
    pool.start()
    before = pool.pids
    # Those that exist are impatient, their successors are not.
    limits.max_decode_s = BOUNDS.max_decode_s
    with pytest.raises(DecoderFailed, match="longer"):
        read(pool, marked(b"<hang>"))
    assert ends == [DecoderEnd.HUNG]
    assert_one_was_replaced(pool, before)
    assert len(read(pool, THREE_PAGES)) == 3
    pool.close()


@dataclass
class Impatient:
    """Limits of a single decoder that waits for no job."""

    max_concurrent_documents: int = 1
    max_decode_s: float = 0.5
    max_decode_memory_bytes: int = BOUNDS.max_decode_memory_bytes


def assert_one_was_replaced(pool: DecoderPool, before: list[int]) -> None:
    assert len(pool.pids) == len(before)
    assert len(set(pool.pids) & set(before)) == len(before) - 1
    assert all(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE for pid in pool.pids)


def test_documents_at_the_same_time_are_read_while_decoders_crash(pool: DecoderPool) -> None:
    def attempt(number: int) -> int | str:
        try:
            return len(read(pool, marked(b"<segfault>") if number % 4 == 0 else THREE_PAGES))
        except DecoderFailed as error:
            return error.code

    with ThreadPoolExecutor(BOUNDS.max_concurrent_documents) as callers:
        answers = list(callers.map(attempt, range(8)))
    assert answers == ["decoder_failed" if number % 4 == 0 else 3 for number in range(8)]


def test_memory_is_bounded_and_its_end_is_no_crash(pool: DecoderPool) -> None:
    with pytest.raises(PayloadTooLarge, match="memory"):
        read(pool, marked(b"<balloon>"))


def test_a_crash_that_does_not_happen_again_costs_no_request(pool: DecoderPool) -> None:
    (page,) = read(pool, marked(b"<crashed_once>"))
    assert page.image.shape == (100, 200, 3)


def test_a_decoder_that_somebody_else_kills_costs_no_request(
    pool: DecoderPool, ends: list[DecoderEnd]
) -> None:
    (page,) = read(pool, marked(b"<killed_once>"))
    assert page.image.shape == (100, 200, 3)
    assert ends == [DecoderEnd.KILLED]
    for pid in pool.pids:
        os.kill(pid, signal.SIGKILL)
    assert len(read(pool, THREE_PAGES)) == 3


def test_decoders_that_somebody_else_kills_again_and_again_are_no_fault_of_the_document(
    pool: DecoderPool, ends: list[DecoderEnd]
) -> None:
    with pytest.raises(StageUnavailable) as raised:
        read(pool, marked(b"<killed>"))
    assert set(ends) == {DecoderEnd.KILLED} and raised.value.retry_after_s >= 1
    assert len(read(pool, THREE_PAGES)) == 3


async def test_the_end_of_a_decoder_is_logged_with_who_waited_for_it(
    pool: DecoderPool, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(caplog.handler, "filters", [SpanFields()])
    files = [SourceFile(marked(b"<abort>"), "secret.png")]
    memory = PageMemory(replace(BOUNDS, max_decoded_bytes=10**7))
    with span("job", job="7"), pytest.raises(DecoderFailed):
        async with await open_pages(lambda: files, BOUNDS, DocumentOptions(), pool, memory) as pages:
            await anext(pages)
    told = [record for record in caplog.records if "a decoder died" in record.message]
    fields = [getattr(record, "ray_serve_extra_fields", {}) for record in told]
    assert fields == [{"job": "7", "decoder_end": "crashed"}] * 2
    assert "secret" not in caplog.text


def test_a_decoder_knows_nothing_of_the_service(pool: DecoderPool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_AUTH_TOKEN", "secret")
    with pytest.raises(DecoderFailed):
        read(pool, marked(b"<abort>"))
    for pid in pool.pids:
        assert "RAY_AUTH_TOKEN" not in psutil.Process(pid).environ()
        assert Path(f"/proc/{pid}/oom_score_adj").read_text().strip() in ("0", "1000")


def test_pages_in_use_are_never_written_over(pool: DecoderPool) -> None:
    rng = np.random.default_rng(3)
    pictures = [rng.integers(0, 256, (40, 50, 3), dtype=np.uint8) for _ in range(6)]
    data = [encoded(PIL.Image.fromarray(picture)) for picture in pictures]
    crops = [read(pool, each)[0].image[3:, 4:] for each in data]
    for crop, picture in zip(crops, pictures, strict=True):
        np.testing.assert_array_equal(crop, picture[3:, 4:])
        assert not crop.flags.writeable


def test_the_memory_of_a_page_is_given_back_with_its_last_view(pool: DecoderPool) -> None:
    room = Unbounded()
    document = pool.open([SourceFile(PNG)], BOUNDS, DocumentOptions())
    page = document.read(0, room)
    crop = page.image[10:20, 30:40]
    (occupied,) = room.told
    assert occupied >= page.image.nbytes
    del page
    assert room.told == [occupied]
    del crop
    assert room.told == [occupied, 0]
    document.close()


def test_buffers_are_taken_again_once_free(pool: DecoderPool) -> None:
    read(pool, PNG)
    open_before = page_buffers()
    for _ in range(20):
        read(pool, PNG)
    assert 0 < open_before <= page_buffers() <= open_before + BOUNDS.max_concurrent_documents


def page_buffers() -> int:
    """Pieces of shared memory for pages that this process holds."""
    descriptors = Path("/proc/self/fd").iterdir()
    return sum(os.readlink(one).startswith("/memfd:page") for one in descriptors if one.is_symlink())


def test_a_decoder_that_does_not_start_is_no_fault_of_the_document(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "START_TIMEOUT_S", 0.05)
    pool = DecoderPool(Impatient(), (sys.executable, "-c", "import time; time.sleep(60)"))
    with pytest.raises(StageUnavailable, match="did not start"):
        read(pool, PNG)
    pool.close()


def test_a_closed_pool_takes_no_document_and_leaves_no_process() -> None:
    pool = DecoderPool(Impatient(), FAULTY)
    pool.start()
    pool.close()
    with pytest.raises(StageUnavailable, match="closing"):
        read(pool, PNG)
    assert pool.pids == []
