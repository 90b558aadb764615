"""The check that matters most: a small fit with the component, from a name to a saved model."""

from __future__ import annotations

import pickle
from typing import Any

import cloudpickle
import jax
import numpy as np

from skdeep import compile_counts
from skdeep.component import Component
from skdeep.contract import Layer, Loss, Network, Optimizer
from skdeep.errors import NonFiniteLossError
from skdeep.estimators.classifier import DeepClassifier
from skdeep.estimators.regressor import DeepRegressor
from skdeep.networks import MLP
from skdeep.testing.loss_checks import in_domain, tasks_of
from skdeep.testing.module_checks import example_rows
from skdeep.testing.running import contract_check, expect

N_ROWS = 44
SETTINGS: dict[str, Any] = {"max_epochs": 30, "tol": None, "random_state": 0}
LEARNING_RATES = (1e-2, 1e-3, 0.1, 1.0)
SAFE_RATE = 1e-3
SMALLEST_GAIN = 1e-3


@contract_check("see the cause; the component's loss, shapes or gradients do not lead training anywhere.")
def check_fit(component: Component, in_shape: tuple[int, ...] = (6,)) -> None:
    """Within 30 epochs the training loss falls at some usual learning rate, and predictions are finite."""
    model, X, y = _estimator_for(component, in_shape)
    drops = {}
    for rate in LEARNING_RATES:
        try:
            losses = model.set_params(learning_rate=rate).fit(X, y).history_["train_loss"]
        except NonFiniteLossError:  # too large a rate for this one
            drops[rate] = np.nan
            continue
        drops[rate] = losses.iloc[0] - losses.iloc[-1]
        if drops[rate] > SMALLEST_GAIN * abs(losses.iloc[0]):
            break
    else:
        raise AssertionError(f"The training loss fell, by learning rate, by {drops}.")
    _check_predictions(model, X)
    again = pickle.loads(cloudpickle.dumps(model))
    expect(np.array_equal(again.predict(X), model.predict(X)), "The model predicts otherwise after pickling.")


@contract_check("annotate numbers as `float` and keep them traced: see check_floats_are_traced.")
def check_fit_compiles_once(component: Component, in_shape: tuple[int, ...] = (6,)) -> None:
    """A second fit with other numbers in all float fields uses the program of the first."""
    model, X, y = _estimator_for(component, in_shape)
    model.set_params(max_epochs=2).fit(X, y)
    before = compile_counts()["train_block"]
    moved = _moved(_part(model, component))
    model.set_params(**{_parameter(component): [moved] if isinstance(moved, Layer) else moved}).fit(X, y)
    after = compile_counts()["train_block"]
    expect(after == before, f"The training program was made anew: {before} became {after}.")


@contract_check("leave weights to the training step: a loss sees rows only, and a layer must not look past its row.")
def check_fit_uses_weights(component: Component, in_shape: tuple[int, ...] = (6,)) -> None:
    """Weights change the model, weight 0 is absence, and all weights times three is the same model."""
    model, X, y = _estimator_for(component, in_shape)
    model.set_params(coalesce=False)
    weight = np.where(np.arange(len(y)) % 3 == 0, 2.0, 1.0)
    plain, weighted, scaled = (_raw(model.fit(X, y, w), X) for w in (None, weight, 3 * weight))
    expect(not np.allclose(plain, weighted, rtol=1e-5), "Weights do not change the model.")
    expect(np.allclose(weighted, scaled, rtol=1e-3, atol=1e-3), "Weights times three give another model.")
    without = np.arange(len(y)) < N_ROWS - 4
    removed = _raw(model.fit(X[without], y[without]), X)
    zeroed = _raw(model.fit(X, y, without.astype(float)), X)
    expect(np.allclose(removed, zeroed, rtol=1e-3, atol=1e-3), "Rows of weight 0 change the model.")


def _moved(component: Any) -> Any:
    """Return the component with its floats changed a little, in a direction that its own check allows."""
    for factor, offset in ((0.99, 0.001), (1.01, 0.001), (0.99, 0.0), (1.01, 0.0), (1.0, 0.0)):
        moved = jax.tree.map(lambda value, f=factor, o=offset: value * f + o, component)
        try:
            moved.check_fields()
        except ValueError:
            continue
        break
    return moved


FIT_CHECKS = (check_fit, check_fit_compiles_once)
"""For every kind; the weights are for losses alone: nothing else sees them."""


def _estimator_for(component: Component, in_shape: tuple[int, ...]) -> tuple[Any, np.ndarray, np.ndarray]:
    """Return an unfitted estimator with the component in its place, and data that it can learn from."""
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
        return DeepRegressor(**settings), X, in_domain(loss, score)
    if loss is not None and "multiclass" not in tasks:
        y = (score > 0).astype(int)
        return DeepClassifier(**settings), X, y if "binary" in tasks else np.stack([y, 1 - y], axis=1)
    return DeepClassifier(**settings), X, np.digitize(score, (-0.7, 0.7))


def _parameter(component: Component) -> str:
    return "network" if isinstance(component, Layer) else component.kind


def _part(model: Any, component: Component) -> Any:
    return component if isinstance(component, Layer) else getattr(model, f"{component.kind}_")


def _raw(model: Any, X: np.ndarray) -> np.ndarray:
    raw: np.ndarray = model._raw(X)[0]
    return raw


def _check_predictions(model: Any, X: np.ndarray) -> None:
    prediction = model.predict(X)
    expect(len(prediction) == len(X), f"predict returned {np.shape(prediction)} for {len(X)} rows.")
    numbers = [prediction] if isinstance(model, DeepRegressor) else [model.decision_function(X)]
    if hasattr(model, "predict_proba"):
        numbers.append(model.predict_proba(X))
    for array in numbers:
        expect(np.isfinite(array).all(), "A prediction is NaN or infinite.")
