from __future__ import annotations

import os
import pickle
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from deployments import shared_images
from deployments.shared_images import NotShared, SharedBuffers, SharedImages, received
from deployments.types import Image
from tests.memory_files import files_held


def images(*shapes: tuple[int, int], seed: int = 0) -> list[Image]:
    rng = np.random.default_rng(seed)
    return [rng.integers(0, 256, (*shape, 3), np.uint8) for shape in shapes]


def assert_same(got: list[Image], sent: list[Image]) -> None:
    assert len(got) == len(sent)
    for one, other in zip(got, sent, strict=True):
        np.testing.assert_array_equal(one, other)


def test_images_arrive_as_they_were_sent() -> None:
    sent = images((3, 5), (64, 601), (1, 1))
    with SharedBuffers().lend(sent) as shared:
        got = pickle.loads(pickle.dumps(shared)).open()
        assert_same(got, sent)
        assert all(image.flags.c_contiguous and not image.flags.writeable for image in got)


def test_cut_and_turned_images_arrive_too() -> None:
    (page,) = images((40, 50))
    sent = [page[5:20, 7:30], page[::-1, ::2]]
    with SharedBuffers().lend(sent) as shared:
        assert_same(shared.open(), sent)


def test_another_process_reads_them() -> None:
    (sent,) = images((30, 40))
    with SharedBuffers().lend([sent]) as shared:
        code = f"from deployments.shared_images import *; print(int({shared!r}.open()[0].sum()))"
        answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(answer.stdout) == int(sent.sum())


def test_a_call_without_images_has_none() -> None:
    with SharedBuffers().lend([]) as shared:
        assert shared.open() == []


def test_a_file_is_taken_again_for_more_and_for_less() -> None:
    buffers = SharedBuffers()
    files = set()
    for seed, shape in enumerate([(10, 10), (200, 300), (20, 30)]):
        sent = images(shape, seed=seed)
        with buffers.lend(sent) as shared:
            assert_same(shared.open(), sent)
            # Not its descriptor: a new file may get the number of one that was closed.
            files.add(os.stat(f"/proc/self/fd/{shared.descriptor}").st_ino)
    assert len(files) == 1


def test_calls_at_the_same_time_have_files_of_their_own() -> None:
    buffers, first, second = SharedBuffers(), images((9, 9), seed=1), images((9, 9), seed=2)
    with buffers.lend(first) as one, buffers.lend(second) as other:
        assert_same(one.open(), first)
        assert_same(other.open(), second)


def test_after_a_failed_call_its_file_is_not_written_again() -> None:
    buffers, sent = SharedBuffers(), images((50, 60))
    with pytest.raises(TimeoutError), buffers.lend(sent) as shared:
        late = shared.open()  # the receiver is still at it
        raise TimeoutError
    with buffers.lend(images((50, 60), seed=1)):
        assert_same(late, sent)


def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_images, "MAX_KEPT_BYTES", 10_000)
    buffers = SharedBuffers(kept=1)
    before = files_held()
    with buffers.lend(images((9, 9))), buffers.lend(images((9, 9))):
        pass
    assert files_held() == before + 1
    with buffers.lend(images((100, 100))):
        pass
    assert files_held() == before
    with buffers.lend(images((9, 9))):
        pass
    buffers.close()
    assert files_held() == before


def test_after_closing_nothing_is_kept_even_of_calls_under_way() -> None:
    buffers, before = SharedBuffers(), files_held()
    with buffers.lend(images((9, 9))):
        with buffers.lend(images((9, 9))):
            pass
        assert files_held() == before + 2
        buffers.close()
        assert files_held() == before + 1
    assert files_held() == before
    with buffers.lend(images((9, 9))) as shared:
        assert_same(shared.open(), images((9, 9)))
    assert files_held() == before


def _elsewhere(shared: SharedImages) -> list[SharedImages]:
    """What the same numbers may stand for on another machine."""
    return [
        replace(shared, process=2**22 + 1),
        replace(shared, descriptor=10**6),
        replace(shared, token=bytes(16)),
        replace(shared, shapes=((10**4, 10**4, 3),)),
    ]


@pytest.mark.parametrize("which", range(4), ids=["no process", "no file", "another file", "too small"])
def test_what_is_not_there_is_told_from_what_is(which: int) -> None:
    with SharedBuffers().lend(images((9, 9))) as shared, pytest.raises(NotShared):
        _elsewhere(shared)[which].open()


def test_a_file_that_is_no_memory_is_not_taken() -> None:
    read_end, write_end = os.pipe()
    os.close(write_end)  # opening it would wait for another writer
    with pytest.raises(NotShared):
        SharedImages(os.getpid(), read_end, bytes(16), ()).open()
    os.close(read_end)
    with open(os.devnull, "rb") as empty, pytest.raises(NotShared):
        SharedImages(os.getpid(), empty.fileno(), bytes(16), ()).open()


def test_items_that_came_along_are_taken_as_they_are() -> None:
    sent = images((2, 2))
    assert received(sent) is sent
