"""Scores and times of the programs in `skdeep/docs/programs.md` on 12,800 images of Fashion-MNIST."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any, NamedTuple

from benchmarks import data
from benchmarks.compiling import compile_clock
from benchmarks.epochs import BATCH_SIZE, LEARNING_RATE, ROWS
from benchmarks.runner import Case, Contender, MissingError, Options, Prepared, Target, ratio, timed

EPOCHS = 5
REGRESSION_EPOCHS = 20  # 3 steps per epoch: diabetes has 331 training rows, which the network overfits in 100 epochs
MOST_EPOCHS = 50  # for the contender that stops at a loss threshold
THRESHOLD = 0.25
SHIRT = 6
IMAGES, ROWS_OF_PIXELS = (28, 28, 1), (28, 28)


class Split(NamedTuple):
    """Training rows and test rows."""

    x: Any
    y: Any
    x_test: Any
    y_test: Any


@cache
def fashion(options: Options) -> Split:
    """Return Fashion-MNIST; cached, so that the contenders share it."""
    return Split(*data.fashion_mnist(options.rows or ROWS), *data.fashion_mnist_test())


def shirts(options: Options) -> Split:
    """Return the same images with two classes, shirt or not. Shirts are a tenth of the rows, and the hardest class."""
    split = fashion(options)
    return split._replace(y=split.y == SHIRT, y_test=split.y_test == SHIRT)


def diabetes(options: Options) -> Split:
    """Return scikit-learn's diabetes data, with at most `options.rows` training rows; they determine the scaling of X."""
    from sklearn.datasets import load_diabetes
    from sklearn.model_selection import train_test_split
    from sklearn.preprocessing import StandardScaler

    x, x_test, y, y_test = train_test_split(*load_diabetes(return_X_y=True), random_state=0)
    x, y = x[: options.rows], y[: options.rows]
    scaler = StandardScaler().fit(x)
    return Split(scaler.transform(x), y, scaler.transform(x_test), y_test)


def prepare(
    options: Options, *, make: Callable[..., Any], load: Callable[[Options], Split] = fashion, epochs: int = EPOCHS
) -> Prepared:
    """Warm up by one epoch and one prediction, which compile; each repeat is a whole fit with another seed."""
    split = load(options)
    model = make(batch_size=BATCH_SIZE, learning_rate=LEARNING_RATE, max_epochs=1, tol=None, random_state=0)
    with compile_clock() as compiling:
        model.fit(split.x, split.y).predict(split.x_test)
    seeds = iter(range(1, 1000))

    def measure() -> dict[str, float]:
        model.set_params(max_epochs=options.epochs or epochs, random_state=next(seeds))
        fit_seconds = timed(lambda: model.fit(split.x, split.y))
        return {
            **scores(model, split),
            "epochs": model.n_iter_,
            "epoch_seconds": model.history_["seconds"].mean(),
            "fit_seconds": fit_seconds,
        }

    return Prepared(measure, {"compile_seconds": sum(compiling)})


def scores(model: Any, split: Split) -> dict[str, float]:
    """Return accuracy, recall and F1 of a classifier, or R^2 of a regressor."""
    from sklearn.base import is_classifier
    from sklearn.metrics import f1_score, recall_score

    found = {"train_score": model.score(split.x, split.y), "test_score": model.score(split.x_test, split.y_test)}
    if is_classifier(model):
        predicted = model.predict(split.x_test)
        found["test_recall_macro"] = recall_score(split.y_test, predicted, average="macro", zero_division=0)
        found["test_f1_macro"] = f1_score(split.y_test, predicted, average="macro", zero_division=0)
    return found


def make_dense(**params: Any) -> Any:
    """Return 784-512-512-10."""
    from skdeep import DeepClassifier
    from skdeep.networks import MLP

    return DeepClassifier(network=MLP(widths=(512, 512)), **{"l2": None, **params})


def make_one_convolution(**params: Any) -> Any:
    """Return conv32-pool-dense64-dense10."""
    from skdeep import DeepClassifier

    layers = [("conv", {"features": 32}), "relu", "max_pool", ("dense", {"features": 64}), "relu"]
    return DeepClassifier(network=layers, input_shape=IMAGES, **params)


def make_by_name(network: str, input_shape: tuple[int, ...], **params: Any) -> Any:
    """Return a classifier whose network is given by name."""
    from skdeep import DeepClassifier

    return DeepClassifier(network=network, input_shape=input_shape, **params)


def make_regressor(**params: Any) -> Any:
    """Return 10-64-64-1 with squared error."""
    from skdeep import DeepRegressor
    from skdeep.networks import MLP

    return DeepRegressor(network=MLP(widths=(64, 64)), loss="squared_error", l2=None, **params)


def make_own_module(**params: Any) -> Any:
    """Return a user's module of two layers; with two classes its loss is the binary cross-entropy of a sigmoid."""
    import flax.linen as nn

    import skdeep

    class TwoLayers(skdeep.Module):
        width: int = 128
        n_outputs: int | None = None

        @nn.compact
        def __call__(self, x: Any) -> Any:
            x = nn.relu(nn.Dense(self.width)(x))
            return nn.Dense(self.n_outputs)(x)

    return skdeep.DeepClassifier(network=TwoLayers(), **params)


def make_until_threshold(**params: Any) -> Any:
    """Return 784-512-512-10 with a callback that stops training at a loss of `THRESHOLD`."""
    from skdeep.callbacks import LossThreshold

    model = make_dense(**params)
    if not hasattr(model, "set_callbacks"):
        raise MissingError("This scikit-learn has no callbacks. Install scikit-learn 1.9 or newer.")
    return model.set_callbacks(LossThreshold(THRESHOLD))


def _contender(name: str, make: Callable[..., Any], notes: str, **options: Any) -> Contender:
    return Contender(name, partial(prepare, make=make, **options), notes=notes)


def _against_dense(name: str, text: str) -> Target:
    return Target(text, ratio((name, "epoch_seconds"), ("dense_512_512", "epoch_seconds")))


CASE = Case(
    name="classic_programs",
    summary="the programs of Keras and PyTorch tutorials, 12,800 Fashion-MNIST images, batch 128, 5 epochs",
    contenders=(
        _contender("dense_512_512", make_dense, "784-512-512-10"),
        _contender("one_conv", make_one_convolution, "conv32-pool-dense64-dense10"),
        _contender("two_conv", partial(make_by_name, "cnn", IMAGES), 'network="cnn": conv32-pool-conv64-pool-dense10'),
        _contender(
            "regression",
            make_regressor,
            f"diabetes, 10-64-64-1, R^2, {REGRESSION_EPOCHS} epochs",
            load=diabetes,
            epochs=REGRESSION_EPOCHS,
        ),
        _contender("own_module_sigmoid", make_own_module, "784-128-1, shirts against all others", load=shirts),
        _contender("lstm_rows", partial(make_by_name, "lstm", ROWS_OF_PIXELS), "LSTM(128) over 28 rows of pixels"),
        _contender("l1_l2", partial(make_dense, l1=1e-5, l2=1e-4), "784-512-512-10, l1=1e-5, l2=1e-4"),
        _contender(
            "loss_threshold",
            make_until_threshold,
            f"784-512-512-10 (compiled before) until the training loss is {THRESHOLD}, at most {MOST_EPOCHS} epochs",
            epochs=MOST_EPOCHS,
        ),
    ),
    headline="test_score",
    targets=(
        _against_dense("l1_l2", "epoch with penalties, ratio to without"),
        _against_dense("loss_threshold", "epoch with a callback, ratio to without"),
    ),
    repeats=3,
)
