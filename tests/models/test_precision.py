"""Which numeric format a model runs in, on machines that this one need not be."""

from __future__ import annotations

import contextlib
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from deployments.precision import Precision

CPU = torch.device("cpu")


def formats_tried(monkeypatch: pytest.MonkeyPatch, **capabilities: Any) -> set[torch.dtype]:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    precision, tried = Precision(CPU), set()
    precision.choose(lambda: tried.add(precision.dtype), repeats=1)
    return tried


def test_a_processor_without_bf16_units_is_not_asked_to_emulate_them(monkeypatch: pytest.MonkeyPatch) -> None:
    assert formats_tried(monkeypatch, architecture="x86_64", avx2=True, avx512_bf16=False) == {torch.float32}


@pytest.mark.parametrize("unit", ["avx512_bf16", "amx_bf16", "avx_ne_convert"])
def test_one_that_has_them_is_measured(monkeypatch: pytest.MonkeyPatch, unit: str) -> None:
    both = {torch.float32, torch.bfloat16}
    assert formats_tried(monkeypatch, architecture="x86_64", **{unit: True}) == both


def test_one_that_does_not_say_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    assert formats_tried(monkeypatch, architecture="aarch64") == {torch.float32, torch.bfloat16}


@pytest.mark.parametrize(("major", "dtype"), [(7, torch.float16), (8, torch.bfloat16), (9, torch.bfloat16)])
def test_cards_that_only_emulate_bf16_run_in_float16(
    monkeypatch: pytest.MonkeyPatch, major: int, dtype: torch.dtype
) -> None:
    """Torch itself decides, on a card of that generation; every card can hold a tensor of bf16."""
    card = SimpleNamespace(major=major, minor=5, total_memory=16 << 30)
    monkeypatch.setattr(torch.version, "cuda", "12.8")
    for name, answer in {"is_available": True, "current_device": 0, "get_device_properties": card}.items():
        monkeypatch.setattr(torch.cuda, name, lambda *_, answer=answer: answer)
    monkeypatch.setattr(torch.cuda, "device", contextlib.nullcontext)
    monkeypatch.setattr(torch.cuda, "_check_bf16_tensor_supported", lambda _: True)
    assert Precision(torch.device("cuda")).dtype is dtype
