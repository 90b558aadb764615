"""Seconds per epoch of one network on 12,800 images of Fashion-MNIST (batch 128, Adam), in skdeep and in PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from benchmarks import data
from benchmarks.compiling import compile_clock
from benchmarks.runner import Options, Prepared, Target, ratio, timed

ROWS = 12_800
EPOCHS = 2
BATCH_SIZE = 128
LEARNING_RATE = 1e-3


def prepare_skdeep(
    options: Options,
    *,
    network: Callable[[], Any],
    input_shape: tuple[int, ...],
    within: Callable[[], AbstractContextManager[Any]] = nullcontext,
    share: float = 1.0,
) -> Prepared:
    """Warm up by a fit of one epoch, which compiles; then time the epochs of whole fits.

    `within` returns a context in which the fits run. With a `share` below 1, only this share of the rows is trained on,
    and the seconds are divided by it.
    """
    from skdeep import DeepClassifier

    x, y = data.fashion_mnist(round((options.rows or ROWS) * share))
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
            model.fit(x, y)
        return {"epoch_seconds": model.history_["seconds"].mean() / share}

    return Prepared(measure, {"compile_seconds": sum(compiling), "n_parameters": model.n_parameters_})


def prepare_torch(options: Options, *, network: Callable[[], Any], input_shape: tuple[int, ...]) -> Prepared:
    """Warm up by one epoch of a plain loop (shuffle indices, take rows, step); measurements continue the training."""
    import torch

    x, y = data.fashion_mnist(options.rows or ROWS)
    torch.manual_seed(0)
    inputs, classes = torch.from_numpy(x).reshape(-1, *input_shape), torch.from_numpy(y)
    module = network()
    optimizer = torch.optim.Adam(module.parameters(), lr=LEARNING_RATE)

    def run_epoch() -> None:
        order = torch.randperm(len(inputs))
        for start in range(0, len(inputs), BATCH_SIZE):
            rows = order[start : start + BATCH_SIZE]
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(module(inputs[rows]), classes[rows]).backward()
            optimizer.step()

    first = timed(run_epoch)
    epochs = options.epochs or EPOCHS

    def measure() -> dict[str, float]:
        return {"epoch_seconds": timed(lambda: [run_epoch() for _ in range(epochs)]) / epochs}

    n_parameters = sum(values.numel() for values in module.parameters())
    return Prepared(measure, {"first_epoch_seconds": first, "n_parameters": n_parameters})


def epoch_target(name: str, other: str, text: str, limit: float, is_lower_bound: bool = False) -> Target:
    """Return the target for the ratio of two contenders' seconds per epoch."""
    return Target(text, ratio((name, "epoch_seconds"), (other, "epoch_seconds")), limit, is_lower_bound)
