"""Wider LSTMs: the same readings at first, and room that training uses."""

from __future__ import annotations

import pytest
import torch

from deployments.recognition.crnn_network import CrnnArchitecture, CrnnNetwork
from deployments.weights import WeightsError
from training.crnn_widening import widen
from training.recognition_models import TrainableCrnn, trainable

SMALL = CrnnArchitecture(symbols=7, height_px=16, channels=(4, 4, 8, 8), rnn_width=6)


@pytest.fixture
def network() -> CrnnNetwork:
    torch.manual_seed(0)
    return CrnnNetwork(SMALL).eval()


def test_a_widened_network_reads_the_same(network: CrnnNetwork) -> None:
    images, widths = torch.rand(2, 1, 16, 40), torch.tensor([40, 24])
    wide = widen(network, 10).eval()
    assert wide.architecture.rnn_width == 10
    with torch.inference_mode():
        torch.testing.assert_close(wide(images, widths), network(images, widths))


def test_runs_that_can_be_averaged_begin_alike(network: CrnnNetwork) -> None:
    first, second = widen(network, 10).state_dict(), widen(network, 10).state_dict()
    assert all(torch.equal(value, second[name]) for name, value in first.items())


def test_new_units_learn(network: CrnnNetwork) -> None:
    wide = widen(network, 10)
    wide(torch.rand(2, 1, 16, 40)).square().sum().backward()
    head = wide.head.weight
    assert head.grad is not None
    new = torch.ones(20, dtype=torch.bool)
    new[[*range(6), *range(10, 16)]] = False
    assert not head[:, new].any() and head.grad[:, new].any(dim=0).all()


def test_a_network_is_not_narrowed(network: CrnnNetwork) -> None:
    with pytest.raises(ValueError, match="rnn_width 6 does not widen LSTMs of 6 units"):
        widen(network, 6)


def test_the_shipped_weight_can_be_widened() -> None:
    narrow = TrainableCrnn.of_weights("crnn-ru-en").architecture.rnn_width
    wide = TrainableCrnn.of_weights("crnn-ru-en", narrow + 32)
    assert wide.description()["architecture"]["rnn_width"] == narrow + 32
    with pytest.raises(WeightsError, match="does not widen"):
        TrainableCrnn.of_weights("crnn-ru-en", narrow)


@pytest.mark.parametrize("arguments", [{"engine": "trocr", "start_from": "trocr-ru-en"}, {"engine": "crnn"}])
def test_only_a_trained_crnn_is_widened(arguments: dict[str, str]) -> None:
    with pytest.raises(WeightsError, match="only a crnn to train further"):
        trainable(**arguments, rnn_width=256)
