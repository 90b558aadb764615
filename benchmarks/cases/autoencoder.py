"""Reconstruction error of Fashion-MNIST's test images from 32 numbers: DeepAutoencoder 784-256-32-256-784 against PCA."""

from __future__ import annotations

from typing import Any

from benchmarks import data
from benchmarks.compiling import compile_clock
from benchmarks.runner import Case, Contender, Options, Prepared, Target, ratio, timed

N_COMPONENTS = 32
EPOCHS = 10


def make_autoencoder(epochs: int, seed: int) -> Any:
    """Return an autoencoder 784-256-32-256-784."""
    from skdeep import DeepAutoencoder
    from skdeep.networks import MLP

    return DeepAutoencoder(
        n_components=N_COMPONENTS,
        encoder=MLP(widths=(256,)),
        learning_rate=1e-3,
        batch_size=128,
        max_epochs=epochs,
        tol=None,
        random_state=seed,
    )


def prepare_skdeep(options: Options) -> Prepared:
    """Warm up by a fit of one epoch, which compiles; each repeat has another seed."""
    x, _ = data.fashion_mnist(options.rows)
    model = make_autoencoder(epochs=1, seed=0)
    with compile_clock() as compiling:
        model.fit(x).transform(x)
    seeds = iter(range(1, 1000))

    def measure() -> dict[str, float]:
        model.set_params(max_epochs=options.epochs or EPOCHS, random_state=next(seeds))
        fit_seconds = timed(lambda: model.fit(x))
        return {
            "test_error": error_on_test_images(model),
            "epoch_seconds": model.history_["seconds"].mean(),
            "fit_seconds": fit_seconds,
            "transform_seconds": timed(lambda: model.transform(x)),
        }

    return Prepared(measure, {"compile_seconds": sum(compiling)})


def prepare_pca(options: Options) -> Prepared:
    """Measure PCA with the same number of components."""
    from sklearn.decomposition import PCA

    x, _ = data.fashion_mnist(options.rows)
    model = PCA(N_COMPONENTS, random_state=0)

    def measure() -> dict[str, float]:
        fit_seconds = timed(lambda: model.fit(x))
        return {
            "test_error": error_on_test_images(model),
            "fit_seconds": fit_seconds,
            "transform_seconds": timed(lambda: model.transform(x)),
        }

    return Prepared(measure)


def error_on_test_images(model: Any) -> float:
    """Return the mean squared error of the reconstructed test images, for either model."""
    x, _ = data.fashion_mnist_test()
    return float(((model.inverse_transform(model.transform(x)) - x) ** 2).mean())


CASE = Case(
    name="autoencoder",
    summary="reconstruction of Fashion-MNIST's test images from 32 numbers, 784-256-32-256-784, batch 128, 10 epochs",
    contenders=(
        Contender("skdeep", prepare_skdeep, notes="DeepAutoencoder, Adam 1e-3, another seed per repeat"),
        Contender("pca", prepare_pca, notes="scikit-learn's PCA with 32 components"),
    ),
    headline="test_error",
    targets=(
        Target("reconstruction error, ratio to PCA's", ratio(("skdeep", "test_error"), ("pca", "test_error")), 0.95),
    ),
    repeats=3,
)
