"""Survival: the partial likelihood and the concordance index as double loops, and the fit as SciPy's minimum."""

from __future__ import annotations

import re

import jax
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize
from skdeep_statistics import CoxPartialLikelihood, concordance_index

from skdeep import DeepRegressor, MLPRegressor

RNG = np.random.default_rng(0)
N = 120
X = RNG.normal(size=(N, 2))
TIME = np.ceil(5 * RNG.exponential(np.exp(-X @ [1.0, -0.5])))  # whole numbers: many are equal
CUT_OFF = np.ceil(RNG.exponential(15.0, size=N))
EVENT = TIME <= CUT_OFF
TIME = np.minimum(TIME, CUT_OFF)
Y = np.column_stack([TIME, EVENT])
SETTINGS = {"network": "linear", "batch_size": N, "tol": None, "random_state": 0}


def losses(log_risk, time, event, weight):
    """Cox (1972) with Breslow's ties, row by row."""
    values = np.zeros(len(time))
    for i in range(len(time)):
        if event[i] and weight[i] > 0:
            at_risk = sum(weight[j] * np.exp(log_risk[j]) for j in range(len(time)) if time[j] >= time[i])
            values[i] = np.log(at_risk) - log_risk[i]
    return values


def concordance(time, event, risk, weight):
    """Harrell et al. (1982), pair by pair."""
    right = pairs = 0.0
    for i in range(len(time)):
        for j in range(len(time)):
            is_later = time[j] > time[i] or (time[j] == time[i] and not event[j])
            if event[i] and is_later:
                pairs += weight[i] * weight[j]
                right += weight[i] * weight[j] * (1.0 if risk[i] > risk[j] else 0.5 if risk[i] == risk[j] else 0.0)
    return right / pairs


@pytest.mark.parametrize("weights", ["one", "any", "some zero"])
def test_the_loss_is_the_double_loop(weights):
    log_risk = RNG.normal(size=N)
    weight = np.ones(N) if weights == "one" else RNG.uniform(0.2, 3.0, size=N)
    if weights == "some zero":
        weight[::3] = 0.0
    arguments = (log_risk[:, None], Y, weight)
    values = jax.jit(CoxPartialLikelihood())(*(np.float32(a) for a in arguments))
    assert_allclose(values, losses(log_risk, TIME, EVENT, weight), rtol=1e-4, atol=1e-5)


def test_large_log_risks_do_not_overflow():
    """A constant in all log risks changes nothing."""
    log_risk = RNG.normal(size=(N, 1)).astype(np.float32)
    ones = np.ones(N, np.float32)
    loss = jax.jit(CoxPartialLikelihood())
    near, far = (loss(log_risk + np.float32(shift), np.float32(Y), ones) for shift in (0.0, 256.0))
    assert_allclose(far, near, atol=1e-3)


@pytest.mark.parametrize("is_weighted", [False, True])
def test_a_linear_fit_is_the_minimum_of_the_partial_likelihood(is_weighted):
    weight = RNG.uniform(0.2, 3.0, size=N) if is_weighted else np.ones(N)

    def mean_loss(beta):
        return np.average(losses(X @ beta, TIME, EVENT, weight), weights=weight)

    best = minimize(mean_loss, np.zeros(2), method="BFGS", options={"gtol": 1e-6})
    model = DeepRegressor(
        loss=CoxPartialLikelihood(), optimizer="lbfgs", max_epochs=100, **SETTINGS | {"batch_size": "auto"}
    )
    model.fit(X, Y, sample_weight=weight if is_weighted else None)
    assert_allclose(model.params_["output"]["kernel"][:, 0], best.x, rtol=5e-3)
    # Within training, weights have mean 1, which adds a constant to the loss of each event.
    shift = np.log(weight.mean()) * np.average(EVENT, weights=weight)
    assert_allclose(model.history_["train_loss"].iloc[-1], best.fun - shift, rtol=1e-3)


def test_steps_on_full_batches_lead_there_too():
    model = DeepRegressor(loss=CoxPartialLikelihood(), learning_rate=0.05, max_epochs=300, **SETTINGS).fit(X, Y)
    best = minimize(lambda beta: losses(X @ beta, TIME, EVENT, np.ones(N)).mean(), np.zeros(2), method="BFGS")
    assert_allclose(model.params_["output"]["kernel"][:, 0], best.x, rtol=0.02)


def test_predictions_are_log_risks_and_the_score_is_the_concordance_index():
    model = DeepRegressor(loss=CoxPartialLikelihood(), learning_rate=0.05, max_epochs=30, **SETTINGS).fit(X, Y)
    output = model.params_["output"]
    assert_allclose(model.predict(X), (X @ output["kernel"] + output["bias"])[:, 0], rtol=1e-4, atol=1e-5)
    expected = concordance(TIME, EVENT, model.predict(X), np.ones(N))
    assert_allclose(model.score(X, Y), expected, rtol=1e-6)
    assert expected > 0.7


def test_a_structured_y_and_early_stopping_by_concordance():
    records = np.array(list(zip(TIME, EVENT, strict=True)), dtype=[("time", float), ("event", bool)])
    model = DeepRegressor(
        loss=CoxPartialLikelihood(), early_stopping=True, scoring=None, max_epochs=20, learning_rate=0.05
    )
    model.set_params(random_state=0, tol=None).fit(X[:90], records[:90], X_val=X[90:], y_val=records[90:])
    assert_allclose(model.score(X[90:], Y[90:]), model.history_["val_score"].max(), rtol=1e-6)
    assert model.score(X[90:], records[90:]) > 0.6


@pytest.mark.parametrize("n_levels", [3, 1000])
def test_the_concordance_index_is_the_double_loop(n_levels):
    risk = RNG.integers(n_levels, size=N).astype(float)  # few levels: equal risks
    weight = RNG.uniform(size=N)
    assert_allclose(concordance_index(TIME, EVENT, risk), concordance(TIME, EVENT, risk, np.ones(N)))
    assert_allclose(concordance_index(TIME, EVENT, risk, weight), concordance(TIME, EVENT, risk, weight))


def test_concordance_of_perfect_and_of_reversed_order_and_of_many_rows():
    time = RNG.permutation(2000).astype(float)
    event = RNG.uniform(size=2000) < 0.5
    assert concordance_index(time, event, -time) == 1.0
    assert concordance_index(time, event, time) == 0.0
    assert concordance_index(time, event, np.zeros(2000)) == 0.5
    assert np.isnan(concordance_index([1.0, 2.0], [0, 0], [1.0, 2.0]))


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (Y[:, ::-1], "Give the time first: np.column_stack([time, event])."),
        (TIME, "needs y with two columns, the time and whether the event was seen"),
        (np.column_stack([Y, TIME]), "needs y with two columns"),
    ],
)
def test_what_y_must_be(y, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        DeepRegressor(loss=CoxPartialLikelihood()).fit(X, y)


def test_the_perceptrons_refuse_it():
    with pytest.raises(ValueError, match="which MLPRegressor cannot use"):
        MLPRegressor(loss=CoxPartialLikelihood()).fit(X, Y)


def test_weight_2_is_a_row_given_twice():
    weight = RNG.integers(1, 3, size=N)
    twice = np.repeat(np.arange(N), weight)
    settings = SETTINGS | {"optimizer": "lbfgs", "max_epochs": 50, "batch_size": "auto", "coalesce": False}
    weighted = DeepRegressor(loss=CoxPartialLikelihood(), **settings).fit(X, Y, sample_weight=weight)
    repeated = DeepRegressor(loss=CoxPartialLikelihood(), **settings).fit(X[twice], Y[twice])
    assert_array_equal(np.shape(repeated.predict(X)), (N,))
    assert_allclose(*(model.params_["output"]["kernel"] for model in (weighted, repeated)), rtol=1e-2)
