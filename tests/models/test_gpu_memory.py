"""The share of a GPU's memory; what CUDA would do is recorded where there is none."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch

from deployments import gpu_memory
from deployments.precision import select_device

SHARES = list[tuple[float, int]]


@pytest.fixture
def one_gpu(monkeypatch: pytest.MonkeyPatch) -> SHARES:
    shares: SHARES = []
    for name, answer in {
        "is_available": True,
        "is_initialized": True,
        "device_count": 1,
        "current_device": 0,
        "memory_allocated": 100,
        "memory_reserved": 200,
        "get_device_properties": SimpleNamespace(total_memory=1000),
    }.items():
        monkeypatch.setattr(torch.cuda, name, lambda *_, answer=answer: answer)
    # Torch's own checks of what it is given stay in place.
    monkeypatch.setattr(torch.cuda.memory, "_lazy_init", lambda: None)
    monkeypatch.setattr(
        torch._C, "_cuda_setMemoryFraction", lambda *share: shares.append(share), raising=False
    )
    monkeypatch.setattr(gpu_memory, "_shares", {})
    return shares


@pytest.mark.parametrize("name", ["auto", "cuda", "cuda:0"])
def test_the_share_is_set_on_the_device_that_is_chosen(one_gpu: SHARES, name: str) -> None:
    assert select_device(name, 0.25).type == "cuda"
    assert one_gpu == [(0.25, 0)]
    assert gpu_memory.in_use_bytes() == {"allocated": 100, "peak": 100, "reserved": 200, "limit": 250}


def test_without_a_share_the_card_is_the_limit(one_gpu: SHARES) -> None:
    select_device("cuda:0")
    assert one_gpu == []
    assert gpu_memory.in_use_bytes()["limit"] == 1000


def test_the_card_of_the_model_is_told_of_and_not_the_first(
    one_gpu: SHARES, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda card: 5000 * card)
    for fraction in (None, 0.5):
        select_device("cuda:1", fraction)
        assert gpu_memory.in_use_bytes()["allocated"] == 5000
    assert one_gpu == [(0.5, 1)] and gpu_memory.in_use_bytes()["limit"] == 500


@pytest.fixture(autouse=True)
def peaks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What tensors took since the card last forgot it; 100 bytes of them stay."""
    taken: list[int] = []
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda _: max(taken, default=100))
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda _: taken.clear())
    return taken


def test_a_peak_is_told_once(one_gpu: SHARES, peaks: list[int]) -> None:
    """Otherwise the largest step since the start would hide that steps have been made smaller."""
    peaks += [180, 240, 120]
    assert gpu_memory.in_use_bytes()["peak"] == 240
    assert gpu_memory.in_use_bytes()["peak"] == 100


def test_a_cpu_has_no_share(one_gpu: SHARES) -> None:
    select_device("cpu", 0.25)
    assert one_gpu == []


def test_nothing_is_in_use_without_cuda_or_without_torch() -> None:
    program = (
        "import sys; from deployments import gpu_memory as g; assert g.in_use_bytes() == {}, 1\n"
        "assert 'torch' not in sys.modules; import torch\n"
        "assert torch.cuda.is_available() or g.in_use_bytes() == {}, 2"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
