"""`skdeep demo`: a grid search of learning rate and loss on scikit-learn's digits, with results on the terminal."""

from __future__ import annotations

import importlib.util
import sys
import time
import warnings
from typing import Any

import jax.numpy as jnp
import numpy as np
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, StratifiedKFold, train_test_split
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

import skdeep
from skdeep import DeepClassifier
from skdeep.display import SearchDisplay, TrainingCurvesDisplay
from skdeep.networks import MLP

LEARNING_RATES = np.geomspace(1e-4, 1e-1, 8)
LOSSES = ["cross_entropy", "brier"]
N_FOLDS = 5
BAR_WIDTH = 30


def run_demo(png: str) -> None:
    """Run the search, print the results, and draw them if matplotlib is installed."""
    started = time.perf_counter()
    skdeep.clear_cache()
    skdeep.register("loss", "brier", replace=True)(brier)
    X_train, X_test, y_train, y_test = train_test_split(*load_digits(return_X_y=True), random_state=0)
    print(f"Digits: {len(X_train)} images of 8 x 8 to train on, {len(X_test)} to test on, 10 classes.")
    print(f"Grid: {len(LEARNING_RATES)} learning rates x {len(LOSSES)} losses x {N_FOLDS} folds.\n")
    search = search_grid(X_train, y_train)
    print_table(search)
    best = search.best_estimator_
    print(f"\nBest: {describe(search.best_params_)}")
    print(f"Test accuracy: {best.score(X_test, y_test):.3f}")
    print_compiles(search)
    draw_results(search, png)
    print(f"Total: {time.perf_counter() - started:.1f} s")


def brier(raw: Any, target: Any) -> Any:
    """Return the Brier score of each row: squared distance of the probabilities from the truth."""
    probability = jnp.exp(raw - jnp.max(raw, axis=1, keepdims=True))
    probability = probability / jnp.sum(probability, axis=1, keepdims=True)
    truth = jnp.arange(raw.shape[1])[None, :] == target[:, None]
    return jnp.sum((probability - truth) ** 2, axis=1)


def search_grid(X: Any, y: Any) -> GridSearchCV:
    """Search over learning rates and losses by 5-fold cross-validation, and return the fitted search."""
    model = make_pipeline(StandardScaler(), DeepClassifier(network=MLP(widths=(100,)), random_state=0, max_epochs=60))
    grid = {"deepclassifier__learning_rate": LEARNING_RATES, "deepclassifier__loss": LOSSES}
    progress = Progress(len(LEARNING_RATES) * len(LOSSES) * N_FOLDS)

    def accuracy(estimator: Pipeline, X: Any, y: Any) -> float:
        progress.step()
        return float(estimator.score(X, y))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the smallest learning rates do not converge in 60 epochs
        search = GridSearchCV(model, grid, scoring=accuracy, cv=StratifiedKFold(N_FOLDS)).fit(X, y)
    progress.close()
    return search


class Progress:
    """A progress bar of fits; it prints nothing if standard output is not a terminal."""

    def __init__(self, total: int) -> None:
        self._total, self._done = total, 0
        self._is_shown = sys.stdout.isatty()

    def step(self) -> None:
        """Advance the bar by one fit."""
        self._done += 1
        if self._is_shown:
            filled = BAR_WIDTH * self._done // self._total
            bar = "█" * filled + "·" * (BAR_WIDTH - filled)
            print(f"\rfits {bar} {self._done}/{self._total}", end="", flush=True)

    def close(self) -> None:
        """End the line of the bar."""
        if self._is_shown:
            print("\n")


def print_table(search: GridSearchCV) -> None:
    """Print the mean accuracy per learning rate and loss, with a star at the best."""
    scores = search.cv_results_["mean_test_score"].reshape(len(LEARNING_RATES), len(LOSSES))
    print("Accuracy (mean over folds)")
    print(f"{'learning rate':>13}" + "".join(f"{name:>16}" for name in LOSSES))
    for rate, row in zip(LEARNING_RATES, scores, strict=True):
        cells = "".join(f"{score:>14.3f} {'*' if score == scores.max() else ' '}" for score in row)
        print(f"{rate:>13.2g}{cells}")


def describe(params: dict[str, Any]) -> str:
    """Return the best parameters as short text, without their prefix."""
    return ", ".join(
        f"{name.split('__')[-1]} = {value if isinstance(value, str) else f'{value:.2g}'}"
        for name, value in params.items()
    )


def print_compiles(search: GridSearchCV) -> None:
    """Print how many training programs were compiled for how many fits."""
    n_fits = len(search.cv_results_["params"]) * N_FOLDS + 1
    counts = skdeep.compile_counts()["train_block"]
    print(f"Fits: {n_fits}; training programs compiled: {counts.compiles} (one per loss and padded number of rows)")
    seconds = search.cv_results_["mean_fit_time"].sum() * N_FOLDS
    print(f"Seconds in fits: {seconds:.1f}, refit of the best on all rows: {search.refit_time_:.1f}")


def draw_results(search: GridSearchCV, png: str) -> None:
    """Write the scores of the search and the training curve of the best model to a PNG."""
    if importlib.util.find_spec("matplotlib") is None:
        print("Install matplotlib to get a plot of the scores and of the training curve.")
        return
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(ncols=2, figsize=(10, 3.8), layout="constrained")
    SearchDisplay.from_search(search, "deepclassifier__learning_rate", ax=left)
    left.set_title("Accuracy, mean and spread of the folds")
    TrainingCurvesDisplay.from_estimator(search, ax=right, yscale="log")
    right.set_title("Best model, trained on all training rows")
    figure.savefig(png, dpi=120)
    plt.close(figure)
    print(f"Scores and training curve: {png}")
