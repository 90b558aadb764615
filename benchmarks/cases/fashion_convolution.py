"""Seconds per epoch of conv32-pool-conv64-pool-dense10: by name, as a user's module in Linen and NNX, and in PyTorch."""

from __future__ import annotations

from functools import partial
from typing import Any
from unittest import mock

from benchmarks.epochs import epoch_target, prepare_skdeep, prepare_torch
from benchmarks.runner import Case, Contender

IMAGES = (28, 28, 1)
SHARE_WITHOUT_THE_PASS = 0.1


def linen_network() -> Any:
    """Return the network as a Linen module that a user may write."""
    import flax.linen as nn

    class TwoConvolutions(nn.Module):
        @nn.compact
        def __call__(self, x: Any) -> Any:
            x = nn.max_pool(nn.relu(nn.Conv(32, (3, 3))(x)), (2, 2), (2, 2))
            x = nn.max_pool(nn.relu(nn.Conv(64, (3, 3))(x)), (2, 2), (2, 2))
            return nn.Dense(10)(x.reshape(x.shape[0], -1))

    return TwoConvolutions()


def nnx_network() -> Any:
    """Return an NNX factory of the network that a user may write."""
    from flax import nnx

    class TwoConvolutions(nnx.Module):
        def __init__(self, rngs: Any) -> None:
            self.first = nnx.Conv(1, 32, (3, 3), rngs=rngs)
            self.second = nnx.Conv(32, 64, (3, 3), rngs=rngs)
            self.output = nnx.Linear(64 * 7 * 7, 10, rngs=rngs)

        def __call__(self, x: Any) -> Any:
            x = nnx.max_pool(nnx.relu(self.first(x)), (2, 2), (2, 2))
            x = nnx.max_pool(nnx.relu(self.second(x)), (2, 2), (2, 2))
            return self.output(x.reshape(x.shape[0], -1))

    return lambda in_shape, n_outputs, rngs: TwoConvolutions(rngs)


def torch_network() -> Any:
    """Return the network in PyTorch."""
    from torch import nn

    return nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(64 * 7 * 7, 10),
    )


def _without_the_pass() -> Any:
    return mock.patch.dict("skdeep.core.cpu.rewriting.RULES", clear=True)


def _contender(name: str, network: Any, notes: str, **options: Any) -> Contender:
    return Contender(name, partial(prepare_skdeep, network=network, input_shape=IMAGES, **options), notes=notes)


CASE = Case(
    name="fashion_convolution",
    summary="seconds per epoch of conv32-pool-conv64-pool-dense10, 12,800 Fashion-MNIST images, batch 128",
    contenders=(
        _contender("skdeep", lambda: "cnn", 'network="cnn"'),
        _contender("skdeep_linen", linen_network, "a user's flax.linen module"),
        _contender("skdeep_nnx", nnx_network, "a user's NNX factory"),
        Contender(
            "torch", partial(prepare_torch, network=torch_network, input_shape=(1, 28, 28)), ("torch",), "plain loop"
        ),
        _contender(
            "without_the_pass",
            linen_network,
            "the Linen module, convolutions left to XLA; a tenth of the rows, times 10",
            within=_without_the_pass,
            share=SHARE_WITHOUT_THE_PASS,
        ),
    ),
    headline="epoch_seconds",
    targets=(
        epoch_target("skdeep", "torch", "epoch, ratio to PyTorch's", 1 / 0.95),
        epoch_target("skdeep_linen", "skdeep", "a user's Linen module, ratio to the network by name", 1.05),
        epoch_target("skdeep_nnx", "skdeep", "a user's NNX module, ratio to the network by name", 1.05),
        epoch_target(
            "without_the_pass",
            "skdeep_linen",
            "without the rewriting for the CPU, ratio to with it",
            10,
            is_lower_bound=True,
        ),
    ),
)
