"""Seconds per epoch of 784-512-512-10 on Fashion-MNIST, and the share of the matrix products in them.

Measurements are warm: the warm-up has compiled everything.
"""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import Any

from benchmarks import data, peers
from benchmarks.compiling import compile_clock
from benchmarks.runner import Case, Contender, Options, Prepared, Target, ratio, timed

SETUP = peers.Setup(widths=(512, 512), n_features=784, n_classes=10, batch_size=128)
ALL_ROWS = 60_000
EPOCHS = 3
BATCHES_IN_MEMORY = 16


def prepare_skdeep(options: Options, *, make: Any = peers.skdeep_classifier, epochs: str = "max_epochs") -> Prepared:
    """Warm up by a fit of one epoch, which compiles."""
    x, y = data.fashion_mnist(options.rows)
    model = make(SETUP)
    with compile_clock() as compiling:
        model.fit(x, y)
    model.set_params(**{epochs: options.epochs or EPOCHS})

    def measure() -> dict[str, float]:
        fit_seconds = timed(lambda: model.fit(x, y))
        seconds = model.history_["seconds"]
        return {"epoch_seconds": seconds.mean(), "outside_epochs_seconds": fit_seconds - seconds.sum()}

    return Prepared(measure, {"compile_seconds": sum(compiling)})


def prepare_peer(name: str, options: Options) -> Prepared:
    """Warm up by one epoch; measurements continue the training."""
    x, y = data.fashion_mnist(options.rows)
    run_epoch = _epoch_of(name, x, y)
    first = timed(run_epoch)
    epochs = options.epochs or EPOCHS

    def measure() -> dict[str, float]:
        return {"epoch_seconds": timed(lambda: [run_epoch() for _ in range(epochs)]) / epochs}

    return Prepared(measure, {"first_epoch_seconds": first})


def prepare_products(options: Options) -> Prepared:
    """Measure only the matrix products of an epoch, compiled by XLA."""
    import jax

    n_steps = -(-(options.rows or ALL_ROWS) // SETUP.batch_size)
    batches, weights = jax.device_put(_operands())
    products = jax.jit(_products_of_steps)
    run = partial(products, n_steps, batches, weights)
    with compile_clock() as compiling:
        jax.block_until_ready(run())
    epochs = options.epochs or EPOCHS

    def measure() -> dict[str, float]:
        return {"epoch_seconds": timed(lambda: [jax.block_until_ready(run()) for _ in range(epochs)]) / epochs}

    return Prepared(measure, {"compile_seconds": sum(compiling)})


def _epoch_of(name: str, x: Any, y: Any) -> Any:
    if name == "torch":
        return peers.torch_epoch(SETUP, x, y)
    if name == "skorch":
        net = peers.skorch_classifier(SETUP).initialize()
        return partial(net.partial_fit, x, y)
    return partial(peers.sklearn_classifier(SETUP).partial_fit, x, y, classes=list(range(SETUP.n_classes)))


def _operands() -> tuple[Any, list[Any]]:
    import numpy as np

    rng = np.random.default_rng(0)
    sizes = (SETUP.n_features, *SETUP.widths, SETUP.n_classes)
    weights = [rng.standard_normal((n, m), dtype=np.float32) / np.float32(n**0.5) for n, m in pairwise(sizes)]
    return rng.random((BATCHES_IN_MEMORY, SETUP.batch_size, sizes[0]), dtype=np.float32), weights


def _products_of_steps(n_steps: Any, batches: Any, weights: list[Any]) -> list[Any]:
    """Return the products of the last step. Each step uses another batch, so that XLA cannot move a product out of the loop."""
    import jax.numpy as jnp
    from jax import lax

    def products_of_step(i: Any, _: list[Any]) -> list[Any]:
        layers = [lax.dynamic_index_in_dim(batches, i % BATCHES_IN_MEMORY, keepdims=False)]
        for weight in weights:
            layers.append(layers[-1] @ weight)
        signal, grads = layers.pop(), []
        for k in reversed(range(len(weights))):
            grads.append(layers[k].T @ signal)
            signal = signal @ weights[k].T if k else signal
        return grads[::-1]

    return lax.fori_loop(0, n_steps, products_of_step, [jnp.zeros_like(weight) for weight in weights])


CASE = Case(
    name="fashion_dense",
    summary="seconds per epoch of a dense 784-512-512-10 network, batch 128, on Fashion-MNIST",
    contenders=(
        Contender("skdeep", prepare_skdeep, notes="mean over the epochs of a warm fit"),
        Contender(
            "skdeep_mlp",
            partial(prepare_skdeep, make=peers.skdeep_mlp, epochs="max_iter"),
            notes="MLPClassifier of skdeep, a warm fit",
        ),
        Contender("torch", partial(prepare_peer, "torch"), ("torch",), "plain loop, no DataLoader"),
        Contender("skorch", partial(prepare_peer, "skorch"), ("torch", "skorch"), "no callbacks, no validation split"),
        Contender("sklearn", partial(prepare_peer, "sklearn"), notes="MLPClassifier.partial_fit"),
        Contender("matmul_only", prepare_products, notes="8 matrix products per step, jitted, nothing else"),
    ),
    headline="epoch_seconds",
    targets=(
        Target(
            "share of the matrix products in skdeep's epoch",
            ratio(("matmul_only", "epoch_seconds"), ("skdeep", "epoch_seconds")),
            0.75,
            is_lower_bound=True,
        ),
        Target(
            "epoch, ratio to the torch loop", ratio(("skdeep", "epoch_seconds"), ("torch", "epoch_seconds")), 1 / 1.5
        ),
        Target("epoch, ratio to skorch's", ratio(("skdeep", "epoch_seconds"), ("skorch", "epoch_seconds")), 1 / 1.9),
        Target(
            "epoch, ratio to scikit-learn's MLPClassifier's",
            ratio(("skdeep", "epoch_seconds"), ("sklearn", "epoch_seconds")),
            1 / 2,
        ),
        Target(
            "epoch of skdeep's MLPClassifier, ratio to scikit-learn's",
            ratio(("skdeep_mlp", "epoch_seconds"), ("sklearn", "epoch_seconds")),
            1 / 2,
        ),
    ),
)
