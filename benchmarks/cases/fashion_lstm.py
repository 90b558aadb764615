"""Seconds per epoch of recurrent networks over the rows of images: by name, as a module with Flax's RNN, and in PyTorch."""

from __future__ import annotations

from functools import partial
from typing import Any

from benchmarks.epochs import epoch_target, prepare_skdeep, prepare_torch
from benchmarks.runner import Case, Contender

SEQUENCES = (28, 28)
UNITS = 128


def linen_network() -> Any:
    """Return the network as a Linen module that a user may write."""
    import flax.linen as nn

    class LastStep(nn.Module):
        @nn.compact
        def __call__(self, x: Any) -> Any:
            return nn.Dense(10)(nn.RNN(nn.OptimizedLSTMCell(UNITS))(x)[:, -1])

    return LastStep()


def torch_network(kind: str) -> Any:
    """Return the network in PyTorch, with `nn.LSTM` or `nn.GRU`."""
    from torch import nn

    class LastStep(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.recurrent = getattr(nn, kind)(28, UNITS, batch_first=True)
            self.output = nn.Linear(UNITS, 10)

        def forward(self, x: Any) -> Any:
            return self.output(self.recurrent(x)[0][:, -1])

    return LastStep()


def _skdeep(name: str, network: Any, notes: str) -> Contender:
    return Contender(name, partial(prepare_skdeep, network=network, input_shape=SEQUENCES), notes=notes)


def _torch(name: str, kind: str) -> Contender:
    prepare = partial(prepare_torch, network=partial(torch_network, kind), input_shape=SEQUENCES)
    return Contender(name, prepare, ("torch",), f"nn.{kind}, plain loop")


CASE = Case(
    name="fashion_lstm",
    summary="seconds per epoch of LSTM(128) over the 28 rows of 12,800 Fashion-MNIST images, batch 128",
    contenders=(
        _skdeep("skdeep", lambda: "lstm", 'network="lstm"'),
        _skdeep("flax_rnn", linen_network, "a user's flax.linen module, nn.RNN(nn.OptimizedLSTMCell(128))"),
        _torch("torch", "LSTM"),
        _skdeep("skdeep_gru", lambda: "gru", 'network="gru"'),
        _torch("torch_gru", "GRU"),
    ),
    headline="epoch_seconds",
    targets=(
        epoch_target("skdeep", "torch", "epoch, ratio to PyTorch's (aim 1)", 1 / 0.9),
        epoch_target("flax_rnn", "skdeep", "Flax's RNN, ratio to the network by name", 1.1, is_lower_bound=True),
    ),
)
