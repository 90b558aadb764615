"""Accuracy on Fashion-MNIST with 100 labelled images, with and without an encoder pretrained on all unlabelled images."""

from __future__ import annotations

from functools import cache, partial
from typing import Any

from benchmarks import data
from benchmarks.runner import Case, Contender, Options, Prepared, Target, ratio, timed

LABELS_PER_CLASS = 10
WIDTH, N_COMPONENTS = 512, 128
NOISE = 0.3
EPOCHS, CLASSIFIER_EPOCHS = 10, 200
L2 = 1e-2


def prepare(kind: str, options: Options) -> Prepared:
    """Train the autoencoder once. Each repeat uses other labelled rows, which are the same for all contenders."""
    x, y = data.fashion_mnist(options.rows)
    once = {} if kind in ("scratch", "pca") else {"pretraining_seconds": timed(lambda: pretrained(options))}
    seeds = iter(range(1, 1000))

    def measure() -> dict[str, float]:
        seed = next(seeds)
        rows = labelled_rows(y, seed)
        model = make(kind, options, seed)
        fit_seconds = timed(lambda: model.fit(x[rows], y[rows]))
        accuracy = model.score(*data.fashion_mnist_test())
        return {"test_accuracy": accuracy, "share_wrong": 1 - accuracy, "fit_seconds": fit_seconds}

    return Prepared(measure, once)


@cache
def pretrained(options: Options) -> Any:
    """Return a frozen denoising autoencoder, fitted on all images."""
    from sklearn.frozen import FrozenEstimator

    from skdeep import DeepAutoencoder
    from skdeep.networks import MLP

    x, _ = data.fashion_mnist(options.rows)
    autoencoder = DeepAutoencoder(
        n_components=N_COMPONENTS,
        encoder=MLP(widths=(WIDTH,)),
        noise=NOISE,
        batch_size=128,
        max_epochs=options.epochs or EPOCHS,
        tol=None,
        random_state=0,
    )
    return FrozenEstimator(autoencoder.fit(x))


def labelled_rows(y: Any, seed: int) -> Any:
    """Return the positions of `LABELS_PER_CLASS` random rows per class."""
    import numpy as np

    rng = np.random.default_rng(seed)
    return np.concatenate([rng.permutation(np.flatnonzero(y == k))[:LABELS_PER_CLASS] for k in np.unique(y)])


def make(kind: str, options: Options, seed: int) -> Any:
    """Return the classifier of a contender: the network 784-512-128-10, initialised as `kind` says."""
    from sklearn.decomposition import PCA
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    from skdeep import DeepClassifier

    if kind == "pca":
        x, _ = data.fashion_mnist(options.rows)
        return make_pipeline(_fitted_pca(PCA(N_COMPONENTS, random_state=0), x), LogisticRegression(max_iter=1000))
    training = {"max_epochs": CLASSIFIER_EPOCHS, "tol": None, "l2": L2, "random_state": seed}
    if kind == "scratch":
        encoder = [("dense", {"features": WIDTH}), "relu", ("dense", {"features": N_COMPONENTS})]
        return DeepClassifier(network=encoder, **training)
    if kind == "frozen":  # a larger learning rate works if only the head is trained
        training |= {"freeze_pretrained": True, "learning_rate": 1e-2}
    return DeepClassifier(network="linear", pretrain=pretrained(options), **training)


def _fitted_pca(pca: Any, x: Any) -> Any:
    from sklearn.frozen import FrozenEstimator

    return FrozenEstimator(pca.fit(x))


CASE = Case(
    name="pretrain",
    summary="accuracy on Fashion-MNIST's test images from 10 labels per class, 784-512-128-10; other labels per repeat",
    contenders=(
        Contender("frozen", partial(prepare, "frozen"), notes="frozen denoising encoder, linear head, 200 epochs"),
        Contender("tuned", partial(prepare, "tuned"), notes="fine-tuned denoising encoder, linear head, 200 epochs"),
        Contender("scratch", partial(prepare, "scratch"), notes="the same network from random weights, 200 epochs"),
        Contender("pca", partial(prepare, "pca"), notes="PCA of all images, logistic regression on the labels"),
    ),
    headline="test_accuracy",
    targets=(
        Target(
            "error rate, ratio to the same network from scratch",
            ratio(("frozen", "share_wrong"), ("scratch", "share_wrong")),
            1.0,
        ),
        Target(
            "error rate, ratio to PCA and logistic regression",
            ratio(("frozen", "share_wrong"), ("pca", "share_wrong")),
        ),
    ),
    repeats=9,
)
