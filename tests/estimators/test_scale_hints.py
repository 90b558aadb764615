"""The warning that names the cause of a bad fit, and fits that must not get it (warnings are errors in tests)."""

from __future__ import annotations

import warnings

import flax.linen as nn
import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import ConvergenceWarning

from skdeep import DeepClassifier, DeepRegressor
from skdeep.networks import LSTM, MLP, TCN

rng = np.random.default_rng(0)
X = rng.normal(size=(60, 3)).astype(np.float32)
y = X[:, 0] + 0.1 * rng.normal(size=60)
codes = np.arange(60) % 3
SMALL = {"network": MLP(widths=(8,)), "max_epochs": 3, "tol": None, "random_state": 0}


def warnings_of(fit):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit()
    return [(w.category, str(w.message)) for w in caught]


def one_message(fit):
    [(category, message)] = warnings_of(fit)
    assert category is ConvergenceWarning
    return message


def test_unscaled_columns_are_named():
    frame = pd.DataFrame(X * [1, 1e5, 1e4], columns=["age", "income", "debt"])
    message = one_message(lambda: DeepRegressor(**SMALL).fit(frame, y))
    assert "columns of X are far from unit size ('income', 'debt', sizes up to " in message
    assert message.endswith("Scale X (for example with StandardScaler).")
    assert "learning_rate" not in message
    of_array = one_message(lambda: DeepClassifier(**SMALL).fit(X * [1, 1e6, 1] + [0, 0, 1e6], codes))
    assert "unit size (2, 1, sizes" in of_array or "unit size (1, 2, sizes" in of_array


@pytest.mark.parametrize("tol", [None, 1e-4])
def test_a_large_rate_is_named(tol):
    model = DeepRegressor(**SMALL | {"tol": tol}, learning_rate=1e6)
    message = one_message(lambda: model.fit(X, y))
    assert "learning_rate=1e+06 is large. Lower the learning_rate." in message
    assert "columns" not in message


def test_large_columns_that_do_no_harm_get_no_warning():
    model = DeepRegressor(**SMALL | {"network": ["layer_norm", "dense"]})
    assert warnings_of(lambda: model.fit(1000 * X, y)) == []


FRAME = pd.DataFrame({"age": X[:, 0] / 1e3, "income": 2 * X[:, 1], "fixed": 7.0})


@pytest.mark.parametrize(
    "frame", [FRAME, FRAME.assign(colour="red"), FRAME.assign(age=FRAME.age.where(FRAME.age > -0.001))]
)
@pytest.mark.parametrize("network", [MLP(widths=(8,)), "realmlp"])
def test_columns_of_very_different_ranges_are_named(frame, network):
    model = DeepClassifier(**SMALL | {"network": network, "max_epochs": 1})
    message = one_message(lambda: model.fit(frame, codes))
    assert "'income' has values from -" in message
    assert "'age' from -" in message
    assert "Set numeric_scaling='standard' in DeepClassifier, or put StandardScaler before it." in message
    assert warnings_of(lambda: model.set_params(numeric_scaling="standard").fit(frame, codes)) == []


def test_an_array_of_very_different_ranges():
    model = DeepRegressor(**SMALL | {"max_epochs": 1})
    assert "column 1 has values from" in one_message(lambda: model.fit(FRAME.to_numpy(), codes))


def test_rare_values_and_rows_of_other_shapes_have_no_ranges():
    rare = np.zeros((60, 3))
    rare[5, 0], rare[:, 1:] = 0.006, X[:, 1:]  # the deviations differ by more than 1,000, the ranges by less
    assert warnings_of(lambda: DeepClassifier(**SMALL).fit(rare, codes)) == []
    image = DeepClassifier(**SMALL, input_shape=(3, 1))
    assert warnings_of(lambda: image.fit(FRAME.to_numpy(), codes)) == []


def test_a_large_rate_that_does_no_harm_gets_no_warning():
    model = DeepRegressor(**SMALL | {"network": "linear"}, optimizer="lbfgs", learning_rate=1.0)
    assert warnings_of(lambda: model.fit(X, y)) == []


IDS = rng.integers(0, 50, (60, 4)).astype(float)


@pytest.mark.parametrize(
    "network", [LSTM(4), pytest.param(TCN((4,)), marks=pytest.mark.campaign), ["lstm"]], ids=["lstm", "tcn", "list"]
)
def test_ids_that_are_taken_as_measurements(network):
    model = DeepClassifier(**SMALL | {"network": network}, input_shape=(4, 1))
    message = one_message(lambda: model.fit(IDS, codes))
    assert "X holds whole numbers up to 49, which the network" in message
    assert ("put Embedding(n_tokens=...) first" if isinstance(network, list) else "set n_tokens") in message


@pytest.mark.parametrize(
    ("network", "rows"),
    [(LSTM(4, n_tokens=50), IDS), (LSTM(4), IDS / 50), (LSTM(4), IDS % 5), (MLP(widths=(8,)), IDS % 11)],
    ids=["n_tokens", "scaled", "few values", "mlp"],
)
def test_rows_that_are_no_ids_or_known_to_be(network, rows):
    assert warnings_of(lambda: DeepClassifier(**SMALL | {"network": network}).fit(rows, codes)) == []


@pytest.mark.parametrize("ends_in_softmax", [True, False])
def test_a_module_that_ends_in_softmax(ends_in_softmax):
    module = nn.Sequential([nn.Dense(3), nn.softmax] if ends_in_softmax else [nn.Dense(3)])
    caught = warnings_of(lambda: DeepClassifier(**SMALL | {"network": module}).fit(X, codes))
    assert len(caught) == ends_in_softmax
    assert all("Leave out the softmax at the end of the network." in message for _, message in caught)
