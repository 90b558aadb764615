"""Seconds per epoch of the residual network with 8 layers, by name and in PyTorch."""

from __future__ import annotations

from functools import partial
from typing import Any

from benchmarks.epochs import epoch_target, prepare_skdeep, prepare_torch
from benchmarks.runner import Case, Contender

WIDTHS = (16, 32, 64)


def skdeep_network() -> Any:
    """Return the network with the present defaults written out, so that the comparison stays the same if they change."""
    from skdeep.networks import ResNet

    return ResNet(depth=8, width=WIDTHS[0])


def torch_network() -> Any:
    """Return the network in PyTorch, which has the same defaults of batch normalisation.

    At stride 2 it pads before the first pixel, and Flax after the last one; the number of products is the same.
    """
    from torch import nn

    return nn.Sequential(
        *torch_convolution(1, WIDTHS[0]),
        nn.ReLU(),
        torch_residual(WIDTHS[0], WIDTHS[0], 1),
        nn.ReLU(),
        torch_residual(WIDTHS[0], WIDTHS[1], 2),
        nn.ReLU(),
        torch_residual(WIDTHS[1], WIDTHS[2], 2),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(WIDTHS[2], 10),
    )


def torch_residual(n_channels: int, width: int, strides: int) -> Any:
    """Return a block of two convolutions beside a shortcut, which is a convolution of kernel size 1 if the shapes differ."""
    from torch import nn

    class Residual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            first = (*torch_convolution(n_channels, width, strides), nn.ReLU())
            self.layers = nn.Sequential(*first, *torch_convolution(width, width))
            is_same = n_channels == width
            self.shortcut = nn.Identity() if is_same else nn.Conv2d(n_channels, width, 1, strides, bias=False)

        def forward(self, x: Any) -> Any:
            return self.shortcut(x) + self.layers(x)

    return Residual()


def torch_convolution(n_channels: int, width: int, strides: int = 1) -> tuple[Any, Any]:
    """Return a convolution without bias, and batch normalisation."""
    from torch import nn

    return nn.Conv2d(n_channels, width, 3, strides, padding=1, bias=False), nn.BatchNorm2d(width)


CASE = Case(
    name="fashion_resnet",
    summary="seconds per epoch of ResNet(depth=8), 12,800 Fashion-MNIST images, batch 128",
    contenders=(
        Contender(
            "skdeep",
            partial(prepare_skdeep, network=skdeep_network, input_shape=(28, 28, 1)),
            notes="ResNet(depth=8, width=16), the default",
        ),
        Contender(
            "torch", partial(prepare_torch, network=torch_network, input_shape=(1, 28, 28)), ("torch",), "plain loop"
        ),
    ),
    headline="epoch_seconds",
    targets=(epoch_target("skdeep", "torch", "epoch, ratio to PyTorch's", 1 / 0.8),),
)
