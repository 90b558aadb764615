"""Predictions in other threads while an estimator is fitted again: they see the earlier fit until fitting succeeds."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from skdeep import DeepClassifier, MLPClassifier
from skdeep.networks import MLP

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X = np.random.default_rng(0).normal(size=(60, 3))
y = (X[:, 0] > 0).astype(int)
WIDER = np.c_[X, X]


def deep(**params):
    return DeepClassifier(network=MLP((4,)), max_epochs=3, tol=None, random_state=0, **params)


def fails_late(model):
    """Fail when training has begun on other columns and other classes."""
    if isinstance(model, MLPClassifier):
        model.set_params(solver="lbfgs", dropout=0.5).fit(WIDER, np.where(y, "yes", "no"))
    else:
        model.set_params(scoring=lambda *_: 1 / 0).fit(WIDER, y + 5, X_val=WIDER, y_val=y + 5)


@pytest.mark.parametrize("model", [deep(), MLPClassifier(hidden_layer_sizes=(4,), max_iter=3, random_state=0)])
def test_predictions_while_fits_fail(model):
    expected = model.fit(X, y).predict_proba(X[:5])
    answers, is_done = [], threading.Event()

    def predict():
        while not is_done.is_set():
            try:
                answers.append(np.array_equal(model.predict_proba(X[:5]), expected))
            except Exception as err:
                answers.append(err)

    threads = [threading.Thread(target=predict) for _ in range(2)]
    for thread in threads:
        thread.start()
    before = vars(model).copy()
    end = time.monotonic() + 1.0
    while time.monotonic() < end:
        with pytest.raises((ValueError, ZeroDivisionError)):
            fails_late(model)
        model.set_params(
            **({"scoring": "loss"} if isinstance(model, DeepClassifier) else {"solver": "adam", "dropout": None})
        )
    is_done.set()
    for thread in threads:
        thread.join()
    assert len(answers) > 10
    assert all(answer is True for answer in answers), next(a for a in answers if a is not True)
    assert {name for name in before if before[name] is not vars(model)[name]} <= {"scoring"}


def test_predictions_during_a_fit_on_other_columns_use_the_earlier_fit():
    model = deep(scoring="accuracy").fit(X, y)
    expected = model.predict(X)
    seen = []

    def scorer(estimator, rows, target):
        seen.append(np.array_equal(model.predict(X), expected))
        return 0.0

    model.set_params(scoring=scorer).fit(WIDER, y + 5, X_val=WIDER, y_val=y + 5)
    assert seen == [True] * 3
    assert set(model.predict(WIDER)) <= {5, 6}


def test_attributes_of_a_failed_fit_are_not_left_behind():
    model = deep()
    with pytest.raises(ZeroDivisionError):
        fails_late(model)
    assert not [name for name in vars(model) if name.endswith("_") or name.startswith("_")]
