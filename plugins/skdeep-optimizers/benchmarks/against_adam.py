"""Comparison of every optimizer with Adam on three data sets of scikit-learn.

    OPENBLAS_NUM_THREADS=1 python benchmarks/against_adam.py

The target is the training loss of Adam after `EPOCHS` epochs, at the best of its learning rates. For each optimizer and
learning rate, this prints the epoch in which the mean training loss over seeds first reaches the target, the mean held-out
score over seeds, and the time per step.
"""

from __future__ import annotations

import warnings

import numpy as np
from skdeep_optimizers import ADOPT, SAM, SOAP, AdEMAMix, Prodigy
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdeep import DeepClassifier, DeepRegressor
from skdeep.optimizers import Adam

EPOCHS, SEEDS = 50, range(5)
DATA = {
    "breast_cancer": (DeepClassifier, load_breast_cancer),
    "digits": (DeepClassifier, load_digits),
    "diabetes": (DeepRegressor, load_diabetes),
}
RATES = (3e-4, 1e-3, 3e-3, 1e-2, 3e-2)
OPTIMIZERS = {
    "adam": (Adam(), RATES),
    "adam, b = 0.95": (Adam(b1=0.95, b2=0.95), RATES),
    "adopt": (ADOPT(), RATES),
    "adopt, b2 = 0.99": (ADOPT(b2=0.99), RATES),
    "ademamix": (AdEMAMix(), RATES),
    "ademamix, b3 = 0.99": (AdEMAMix(b3=0.99, warmup_steps=100), RATES),
    "prodigy": (Prodigy(), (0.5, 1.0, 2.0)),
    "sam": (SAM(), RATES),
    "asam": (SAM(rho=0.5, adaptive=True), RATES),
    "soap": (SOAP(), RATES),
}


def fitted(estimator, optimizer, rate, seed, X, y, epochs=EPOCHS):
    """Return a fitted pipeline of scaler and network."""
    network = estimator(optimizer=optimizer, learning_rate=rate, max_epochs=epochs, tol=None, random_state=seed)
    return make_pipeline(StandardScaler(), network).fit(X, y)


def results(name):
    """Return training losses (seeds, epochs) and held-out scores (seeds,), by optimizer and learning rate."""
    estimator, load = DATA[name]
    X, y = load(return_X_y=True)
    losses, scores = {}, {}
    for label, (optimizer, rates) in OPTIMIZERS.items():
        for rate in rates:
            runs = []
            for seed in SEEDS:
                X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=seed)
                model = fitted(estimator, optimizer, rate, seed, X_train, y_train)
                runs.append((model[-1].history_["train_loss"].to_numpy(), model.score(X_test, y_test)))
            losses[label, rate] = np.array([run[0] for run in runs])
            scores[label, rate] = np.array([run[1] for run in runs])
    return losses, scores


def report_losses(name):
    """Print one line per optimizer and learning rate on one data set."""
    losses, scores = results(name)
    target = np.mean(min((losses["adam", r][:, -1] for r in RATES), key=np.mean))
    print(f"\n{name}: Adam's best mean loss after {EPOCHS} epochs is {target:.2g}")
    for (label, rate), curves in losses.items():
        mean = curves.mean(axis=0)
        below = np.flatnonzero(mean <= target * (1 + 1e-9))
        epoch = below[0] + 1 if below.size else "-"
        score = scores[label, rate]
        print(
            f"{label:20s} {rate:<7g} loss {mean[-1]:8.2g}  epoch {epoch!s:>3}  score {score.mean():.3f} +- {score.std():.3f}"
        )


def report_times(repeats=7):
    """Print the time per step of each optimizer on the digits."""
    X, y = load_digits(return_X_y=True)
    times = {label: [] for label in OPTIMIZERS}
    for _ in range(repeats + 1):  # the first repeat compiles
        for label, (optimizer, rates) in OPTIMIZERS.items():
            model = fitted(DeepClassifier, optimizer, rates[0], 0, X, y)[-1]
            times[label].append(sum(model.history_["seconds"]) / (EPOCHS * -(-len(X) // 200)))
    print("\ndigits: milliseconds per step (median of alternating repeats), and as a multiple of Adam's")
    for label, seconds in times.items():
        ratio = np.median(np.array(seconds[1:]) / np.array(times["adam"][1:]))
        print(f"{label:20s} {1e3 * np.median(seconds[1:]):.3f}  {ratio:.2f}")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    for name in DATA:
        report_losses(name)
    report_times()
