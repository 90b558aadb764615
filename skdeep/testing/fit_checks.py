"""Checks that fit a small estimator with the component, for every kind."""

from __future__ import annotations

import pickle
from typing import Any

import cloudpickle
import jax
import numpy as np

from skdeep import compile_counts
from skdeep.component import Component
from skdeep.contract import Layer, Loss, Network, Optimizer
from skdeep.core.link import n_predicted
from skdeep.core.raw import empty
from skdeep.errors import NonFiniteLossError
from skdeep.estimators.classifier import DeepClassifier
from skdeep.estimators.regressor import DeepRegressor
from skdeep.networks import MLP
from skdeep.testing.loss_cases import in_domain, served_tasks, tasks_of
from skdeep.testing.module_programs import example_rows
from skdeep.testing.running import contract_check, expect

N_ROWS = 44
# Without a penalty, which would fall even if nothing was learned.
SETTINGS: dict[str, Any] = {"max_epochs": 30, "tol": None, "random_state": 0, "l2": None}
LEARNING_RATES = (1e-2, 1e-3, 0.1, 1.0)
SAFE_RATE = 1e-3
SMALLEST_GAIN = 1e-3


@contract_check(
    "correct the cause that is given above: the loss, a shape or a gradient stops training, or a prediction does not follow from "
    "the link."
)
def check_fit(component: Component, in_shape: tuple[int, ...] = (6,)) -> None:
    """The training loss falls within 30 epochs at one of four learning rates, and predictions have the documented shapes.

    Predictions are finite, the predicted class has the largest probability, and a pickled model predicts the same.
    """
    model, X, y = _estimator_for(component, in_shape)
    drops = {}
    for rate in LEARNING_RATES:
        try:
            losses = model.set_params(learning_rate=rate).fit(X, y).history_["train_loss"]
        except NonFiniteLossError:  # this learning rate is too large for the component
            drops[rate] = np.nan
            continue
        drops[rate] = losses.iloc[0] - losses.iloc[-1]
        if drops[rate] > SMALLEST_GAIN * abs(losses.iloc[0]):
            break
    else:
        raise AssertionError(
            f"The training loss did not fall at any learning rate. Its decrease by learning rate is {drops}."
        )
    expect_predictions(model, X)
    again = pickle.loads(cloudpickle.dumps(model))
    expect(np.array_equal(again.predict(X), model.predict(X)), "The model predicts other values after pickling.")


@contract_check("annotate numbers as `float` and keep them traced: see check_floats_are_traced.")
def check_fit_compiles_once(component: Component, in_shape: tuple[int, ...] = (6,)) -> None:
    """A second fit with other numbers in all float fields uses the compiled program of the first fit."""
    model, X, y = _estimator_for(component, in_shape)
    model.set_params(max_epochs=2).fit(X, y)
    before = compile_counts()["train_block"]
    moved = _moved(_part(model, component))
    model.set_params(**{_parameter(component): [moved] if isinstance(moved, Layer) else moved}).fit(X, y)
    after = compile_counts()["train_block"]
    expect(after == before, f"The second fit compiled the training program again: {before} became {after}.")


@contract_check("leave weights to the training step, and compute the loss of each row from that row alone.")
def check_fit_uses_weights(component: Component, in_shape: tuple[int, ...] = (6,)) -> None:
    """Weights change the model, weight 0 is the same as leaving the row out, and a common factor of all weights has no effect."""
    model, X, y = _estimator_for(component, in_shape)
    model.set_params(coalesce=False)
    weight = np.where(np.arange(len(y)) % 3 == 0, 2.0, 1.0)
    plain, weighted, scaled = (_raw(model.fit(X, y, w), X) for w in (None, weight, 3 * weight))
    expect(not np.allclose(plain, weighted, rtol=1e-5), "Weights do not change the model.")
    expect(np.allclose(weighted, scaled, rtol=1e-3, atol=1e-3), "Three times all weights give another model.")
    without = np.arange(len(y)) < N_ROWS - 4
    removed = _raw(model.fit(X[without], y[without]), X)
    zeroed = _raw(model.fit(X, y, without.astype(float)), X)
    expect(np.allclose(removed, zeroed, rtol=1e-3, atol=1e-3), "Rows of weight 0 change the model.")


def _moved(component: Any) -> Any:
    """Return the component with slightly different float fields that pass its own `check_fields`."""
    for factor, offset in ((0.99, 0.001), (1.01, 0.001), (0.99, 0.0), (1.01, 0.0), (1.0, 0.0)):
        moved = jax.tree.map(lambda value, f=factor, o=offset: value * f + o, component)
        try:
            moved.check_fields()
        except ValueError:
            continue
        break
    return moved


FIT_CHECKS = (check_fit, check_fit_compiles_once)
"""The checks for every kind. `check_fit_uses_weights` is for losses only, since no other kind affects the weights."""


def _estimator_for(component: Component, in_shape: tuple[int, ...]) -> tuple[Any, np.ndarray, np.ndarray]:
    """Return an unfitted estimator that uses the component, and X and y from which it can learn."""
    loss = component if isinstance(component, Loss) else None
    network: Any = MLP(widths=(8,))
    if isinstance(component, Layer | Network):
        network = [component] if isinstance(component, Layer) else component
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N_ROWS, *in_shape))
    score = X.reshape(N_ROWS, -1)[:, :2].sum(axis=1)
    if isinstance(component, Layer | Network):
        X = example_rows(component, X)
    settings = {**SETTINGS, "network": network, "learning_rate": SAFE_RATE}
    if loss is not None:
        settings["loss"] = loss
    elif isinstance(component, Optimizer):
        settings["optimizer"] = component
    elif component.kind in ("schedule", "augmentation"):
        settings[component.kind] = component
    tasks = () if loss is None else tasks_of(loss)
    if loss is not None and "regression" in tasks:
        if 1 not in {task.n_targets for task in served_tasks(loss, "regression")}:
            score = np.stack([score, X.reshape(N_ROWS, -1)[:, 0]], axis=1)
        y = in_domain(loss, score.reshape(N_ROWS, -1))
        return DeepRegressor(**settings), X, y[:, 0] if y.shape[1] == 1 else y
    if loss is not None and "multiclass" not in tasks:
        y = (score > 0).astype(int)
        return DeepClassifier(**settings), X, y if "binary" in tasks else np.stack([y, score > 0.7], axis=1).astype(int)
    return DeepClassifier(**settings), X, np.digitize(score, (-0.7, 0.7))


def _parameter(component: Component) -> str:
    return "network" if isinstance(component, Layer) else component.kind


def _part(model: Any, component: Component) -> Any:
    return component if isinstance(component, Layer) else getattr(model, f"{component.kind}_")


def _raw(model: Any, X: np.ndarray) -> np.ndarray:
    """Return the raw outputs as one array `(n, raw)`; arrays by name are concatenated."""
    return np.concatenate(jax.tree.leaves(model._raw(X)[0]), axis=1)


def expect_predictions(model: Any, X: np.ndarray) -> None:
    """Expect finite predictions of the documented shapes, and that the predicted classes have the largest probabilities."""
    prediction = model.predict(X)
    if isinstance(model, DeepRegressor):
        _expect_numbers(model, X, prediction)
        return
    is_multilabel = np.ndim(prediction) == 2
    n_classes = np.shape(prediction)[1] if is_multilabel else len(model.classes_)
    one_each, one = (len(X), n_classes), (len(X),)
    _expect_shape("predict", prediction, one_each if is_multilabel else one)
    decision = model.decision_function(X)
    _expect_shape("decision_function", decision, one if n_classes == 2 and not is_multilabel else one_each)
    expect(np.isfinite(decision).all(), "A decision value is NaN or infinite.")
    if not hasattr(model, "predict_proba"):
        return
    probability = model.predict_proba(X)
    _expect_shape("predict_proba", probability, one_each)
    expect(np.isfinite(probability).all(), "A probability is NaN or infinite.")
    if is_multilabel:
        surest, chosen = 0.5, np.where(prediction > 0, probability, 1 - probability)
    else:
        position = np.searchsorted(model.classes_, prediction)
        surest, chosen = probability.max(axis=1), probability[np.arange(len(X)), position]
    n_other = int((chosen < surest - 1e-6).sum())
    expect(
        n_other == 0,
        f"predict and predict_proba disagree: {n_other} of {len(X)} predicted classes do not have the largest probability.",
    )


def _expect_numbers(model: Any, X: np.ndarray, prediction: Any) -> None:
    task = model._task
    inner = np.shape(model.loss_.link(empty(model._model.n_raw, 1, np.float64), task, np))[2:]
    n = n_predicted(model.loss_, task)
    outputs = () if n == 1 else (n,)
    _expect_shape("predict", prediction, (len(X), *outputs, *inner))
    expect(np.isfinite(prediction).all(), "A prediction is NaN or infinite.")
    if model.loss_.has_std:
        std = model.predict(X, return_std=True)[1]
        _expect_shape("predict(X, return_std=True)", std, (len(X), *outputs))
        expect((std > 0).all() and np.isfinite(std).all(), "A predicted standard deviation is not positive and finite.")


def _expect_shape(method: str, array: Any, wanted: tuple[int, ...]) -> None:
    expect(np.shape(array) == wanted, f"{method} returned the shape {np.shape(array)}, not {wanted}.")
