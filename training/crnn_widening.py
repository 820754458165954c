"""A trained CRNN with wider LSTMs that reads, at first, exactly as it did.

New units see everything and are heard by nothing that was there: their outgoing weights to old units
and to the head are zero, their own are drawn at random, and always alike, so that runs which begin
with them can be averaged. Training goes on from the same loss, with room for more. Compare Chen,
Goodfellow and Shlens, "Net2Net" (2016), which copies units instead; Adam scales away the differences
that should part the copies.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from deployments.recognition.crnn_network import CrnnNetwork

GATES = 4
SEED = 0


def widen(network: CrnnNetwork, rnn_width: int) -> CrnnNetwork:
    """``network`` with ``rnn_width`` hidden units in each direction of each LSTM, ready to train.

    Raises:
        ValueError: the network is as wide already, or wider.
    """
    old = network.architecture.rnn_width
    if rnn_width <= old:
        raise ValueError(f"rnn_width {rnn_width} does not widen LSTMs of {old} units")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        wide = CrnnNetwork(replace(network.architecture, rnn_width=rnn_width))
    values = wide.state_dict()
    for name, value in network.state_dict().items():
        if values[name].shape == value.shape:
            values[name].copy_(value)
    features = network.architecture.channels[-1]
    for layer, inputs in enumerate((torch.arange(features), _both(old, rnn_width))):
        for direction in ("onward", "backward_"):
            _widen_lstm(_lstm(wide, layer, direction), _lstm(network, layer, direction), inputs)
    values["head.weight"].zero_()
    values["head.weight"][:, _both(old, rnn_width)] = network.head.weight.detach()
    return wide


@torch.no_grad()
def _widen_lstm(wide: nn.LSTM, narrow: nn.LSTM, inputs: Tensor) -> None:
    """Old units keep their weights; ``inputs`` are the wide columns of what they listen to."""
    old, new = narrow.hidden_size, wide.hidden_size
    rows = (torch.arange(GATES)[:, None] * new + torch.arange(old)).flatten()
    for name, columns in (("weight_ih_l0", inputs), ("weight_hh_l0", torch.arange(old))):
        weight = getattr(wide, name)
        weight[rows] = 0
        weight[rows[:, None], columns] = getattr(narrow, name)
    for name in ("bias_ih_l0", "bias_hh_l0"):
        getattr(wide, name)[rows] = getattr(narrow, name)


def _lstm(network: CrnnNetwork, layer: int, direction: str) -> nn.LSTM:
    lstm = getattr(network.rnn[layer], direction)
    assert isinstance(lstm, nn.LSTM)
    return lstm


def _both(old: int, new: int) -> Tensor:
    """Where the old units of both directions stand in the wide output of a layer."""
    return torch.cat((torch.arange(old), new + torch.arange(old)))
