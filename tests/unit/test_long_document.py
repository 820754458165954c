"""Parts of the benchmark that watches memory over a long document."""

from __future__ import annotations

import psutil
import pypdfium2
import pytest

from benchmarks.long_document import (
    Memory,
    Watch,
    memory_of,
    memory_with_children,
    processes_behind,
    slope,
)
from benchmarks.long_pdf import long_pdf
from deployments.fakes import decode_code
from serve_app.documents import open_document
from serve_app.pages import SourceFile
from tests.api_client import Bounds


@pytest.mark.parametrize("bars", [True, False])
def test_every_page_of_the_document_is_another(bars: bool) -> None:
    document = long_pdf(3, bars=bars)
    with open_document(
        [SourceFile(document)], Bounds(max_pixels=10**8, max_document_pixels=10**9, max_side_px=10_000)
    ) as opened:
        pages = [page.image for page in opened]
    assert len(pages) == 3 and pages[0].shape == pages[1].shape
    assert (pages[0] != pages[1]).any() and (pages[1] != pages[2]).any()
    assert len(document) < 3 * 110_000  # 300 such pages stay under the limit of a request.


def test_fake_engines_can_read_the_bars() -> None:
    with pypdfium2.PdfDocument(long_pdf(1, bars=True)) as document:
        page = document[0].render(scale=200 / 72).to_numpy()
    scale = page.shape[1] / 1240
    code = page[round(60 * scale) : round(140 * scale), round(60 * scale) : round(440 * scale), :3]
    assert decode_code(code) is not None


def test_the_slope_is_that_after_the_first_third() -> None:
    watch = Watch({}, pages=[0, 10, 20, 30], memory={})
    watch.memory["Stage"] = [Memory(100, 50), Memory(300, 150), Memory(301, 150), Memory(302, 150)]
    figures = watch.figures()["Stage"]
    assert figures["pss_mib_per_100_pages"] == 10 and figures["anonymous_mib_per_100_pages"] == 0
    assert slope([1], [5]) == 0


def test_memory_is_read_of_processes_that_live() -> None:
    memory = memory_with_children(psutil.Process())
    assert 1 < memory.anonymous_mib <= memory.pss_mib
    with pytest.raises(psutil.NoSuchProcess):
        memory_of(2**22 + 1)


def test_a_port_without_ray_has_no_replicas() -> None:
    with pytest.raises(LookupError):
        processes_behind(1)
