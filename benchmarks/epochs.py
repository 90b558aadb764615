"""Seconds per epoch of one network on images of Fashion-MNIST (batch 128, Adam), in skdeep and in PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeAlias

from benchmarks import data
from benchmarks.compiling import compile_clock
from benchmarks.runner import Options, Prepared, Target, ratio, timed

ROWS = 12_800
EPOCHS = 2
BATCH_SIZE = 128
LEARNING_RATE = 1e-3

Images: TypeAlias = Callable[[int], tuple[Any, Any]]
"""A function that returns so many flat images and their classes, both as NumPy arrays."""


def prepare_skdeep(
    options: Options,
    *,
    network: Callable[[], Any],
    input_shape: tuple[int, ...],
    within: Callable[[], AbstractContextManager[Any]] = nullcontext,
    share: float = 1.0,
    images: Images = data.fashion_mnist,
) -> Prepared:
    """Warm up by a fit of one epoch, which compiles; then time the epochs of whole fits.

    `within` returns a context in which the fits run. With a `share` below 1, only this share of the rows is trained on,
    and the seconds are divided by it.
    """
    from skdeep import DeepClassifier

    x, y = images(round((options.rows or ROWS) * share))
    model = DeepClassifier(
        network=network(),
        input_shape=input_shape,
        batch_size=BATCH_SIZE,
        learning_rate=LEARNING_RATE,
        max_epochs=1,
        tol=None,
        l2=None,
        random_state=0,
    )
    with within(), compile_clock() as compiling:
        model.fit(x, y)
    model.set_params(max_epochs=options.epochs or EPOCHS)

    def measure() -> dict[str, float]:
        with within():
            fit_seconds = timed(lambda: model.fit(x, y))
        return {"epoch_seconds": model.history_["seconds"].mean() / share, "fit_seconds": fit_seconds / share}

    return Prepared(measure, {"compile_seconds": sum(compiling), "n_parameters": model.n_parameters_})


def prepare_torch(
    options: Options,
    *,
    network: Callable[[], Any],
    input_shape: tuple[int, ...],
    images: Images = data.fashion_mnist,
    device_of: Callable[[], str] = lambda: "cpu",
) -> Prepared:
    """Warm up by one epoch of a plain loop (shuffle indices, take rows, step); measurements continue the training.

    All rows are on the device from the beginning, and an epoch ends when the device has done its last step.
    """
    import torch

    device = device_of()
    x, y = images(options.rows or ROWS)
    torch.manual_seed(0)
    inputs, classes = torch.from_numpy(x).reshape(-1, *input_shape).to(device), torch.from_numpy(y).to(device)
    module = network().to(device)
    optimizer = torch.optim.Adam(module.parameters(), lr=LEARNING_RATE)

    def run_epoch() -> None:
        order = torch.randperm(len(inputs), device=device)
        for start in range(0, len(inputs), BATCH_SIZE):
            rows = order[start : start + BATCH_SIZE]
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(module(inputs[rows]), classes[rows]).backward()
            optimizer.step()
        if device != "cpu":
            torch.cuda.synchronize()

    first = timed(run_epoch)
    epochs = options.epochs or EPOCHS

    def measure() -> dict[str, float]:
        return {"epoch_seconds": timed(lambda: [run_epoch() for _ in range(epochs)]) / epochs}

    n_parameters = sum(values.numel() for values in module.parameters())
    return Prepared(measure, {"first_epoch_seconds": first, "n_parameters": n_parameters})


def epoch_target(name: str, other: str, text: str, limit: float, is_lower_bound: bool = False) -> Target:
    """Return the target for the ratio of two contenders' seconds per epoch."""
    return Target(text, ratio((name, "epoch_seconds"), (other, "epoch_seconds")), limit, is_lower_bound)
