"""Accuracy on Fashion-MNIST's test images after 10 epochs on all training images; another seed per repeat."""

from __future__ import annotations

from functools import partial
from typing import Any

from benchmarks import data
from benchmarks.runner import Case, Contender, Options, Prepared, Target, value_of

EPOCHS = 10
IMAGES = (28, 28, 1)


def prepare(options: Options, *, make: Any) -> Prepared:
    """No warm-up is needed, since the clock of the epochs starts after compiling."""
    x, y = data.fashion_mnist(options.rows)
    seeds = iter(range(1, 1000))

    def measure() -> dict[str, float]:
        model = make(batch_size=128, max_epochs=options.epochs or EPOCHS, tol=None, random_state=next(seeds))
        model.fit(x, y)
        accuracy = model.score(*data.fashion_mnist_test())
        return {"test_accuracy": accuracy, "epoch_seconds": model.history_["seconds"].mean()}

    return Prepared(measure)


def make_two_convolutions(**training: Any) -> Any:
    """Return conv32-pool-conv64-pool-dense10."""
    from skdeep import DeepClassifier
    from skdeep.networks import CNN

    return DeepClassifier(network=CNN(widths=(32, 64)), input_shape=IMAGES, learning_rate=1e-3, **training)


def make_dense(**training: Any) -> Any:
    """Return 784-512-512-10."""
    from skdeep import DeepClassifier
    from skdeep.networks import MLP

    return DeepClassifier(network=MLP(widths=(512, 512)), learning_rate=1e-3, l2=None, **training)


def _contender(name: str, make: Any, notes: str) -> Contender:
    return Contender(name, partial(prepare, make=make), notes=notes)


def _accuracy(name: str, text: str, limit: float) -> Target:
    return Target(text, value_of(name, "test_accuracy"), limit, is_lower_bound=True)


CASE = Case(
    name="fashion_accuracy",
    summary="accuracy on Fashion-MNIST's test images after 10 epochs on all 60,000 training images, batch 128; another seed per repeat",
    contenders=(
        _contender("two_conv", make_two_convolutions, "conv32-pool-conv64-pool-dense10, Adam 1e-3"),
        _contender("two_conv_cosine", partial(make_two_convolutions, schedule="cosine"), "the same, Adam 1e-3 to 0"),
        _contender("dense_512_512", make_dense, "784-512-512-10, Adam 1e-3"),
    ),
    headline="test_accuracy",
    targets=(
        _accuracy("two_conv", "accuracy of two convolutions (aim 0.91)", 0.9),
        _accuracy("dense_512_512", "accuracy of 784-512-512-10", 0.885),
    ),
    repeats=2,
)
