"""Invalid input: the text of each error message, which gives the value, its place and the cure."""

from __future__ import annotations

import re

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pandas as pd
import pytest
from flax import nnx
from sklearn.exceptions import ConvergenceWarning

import skdeep
import skdeep.layers
from skdeep import DeepClassifier, DeepRegressor, MLPClassifier, NonFiniteLossError, UnknownComponentError
from skdeep.losses import Huber
from skdeep.networks import MLP
from skdeep.optimizers import Adam

X = np.random.default_rng(0).normal(size=(30, 4))
y = np.arange(30) % 3
SMALL = {"network": MLP(widths=(8,)), "max_epochs": 2, "tol": None}


def changed(array, value):
    array = array.astype(float)
    array.flat[5] = value
    return array


DATA = {
    "NaN in rows of two axes": (changed(X, np.nan).reshape(len(X), -1, 1), y, "Input X contains NaN"),
    "missing labels": (
        X,
        np.array(["a", None, *["b"] * (len(X) - 2)], dtype=object),
        "Input y contains missing values: 1 of ",
    ),
    "inf in X": (changed(X, np.inf), y, "Input X contains infinity"),
    "inf in float32": (
        changed(X, 1e39),
        y,
        r"X contains a value too large for dtype\('float32'\): .*1e\+39.* at \(1, 1\)",
    ),
    "empty": (X[:0], y[:0], "Found array with 0 sample"),
    "one class": (X, np.zeros(30), "needs at least 2 classes in the rows of positive weight. Got 1 class: .*0.0"),
    "unequal lengths": (X, y[:10], "inconsistent numbers of samples"),
    "regression target": (X, X[:, 0], "Unknown label type: continuous"),
    "columns of classes": (X, np.column_stack([y, y]), "several columns of classes.*MultiOutputClassifier"),
}


@pytest.mark.parametrize("case", DATA.values(), ids=DATA.keys())
def test_data_of_a_classifier(case):
    X, y, message = case
    with pytest.raises(ValueError, match=message):
        DeepClassifier(**SMALL).fit(X, y)


TARGETS = {
    "NaN in y": (changed(X[:, 0], np.nan), {}, "Input y contains NaN"),
    "inf in y": (changed(X[:, 0], np.inf), {}, "Input y contains infinity"),
    "inf in float32": (np.abs(changed(X[:, 0], 1e39)), {"loss": lambda r, t: (r - t)[:, 0] ** 2}, None),
    "negative counts": (
        X[:, 0],
        {"loss": "poisson"},
        r"The loss Poisson needs y >= 0. Got .*-.* in row \d+. Choose another",
    ),
    "no shares": (
        3 * X[:, 0],
        {"loss": "bernoulli"},
        r"The loss Bernoulli needs y in \[0, 1\]. Got .* in row \d+. Choose another",
    ),
    "only zeros": (np.zeros(30), {"loss": "poisson"}, "Poisson needs at least one y > 0"),
}


@pytest.mark.parametrize("case", TARGETS.values(), ids=TARGETS.keys())
def test_targets_of_a_regressor(case):
    y, params, message = case
    model = DeepRegressor(**SMALL, **params)
    if message is None:  # standardising brings it into range
        assert np.isfinite(model.fit(X, y).predict(X)).all()
        return
    with pytest.raises(ValueError, match=message):
        model.fit(X, y)


def test_unscaled_target_beyond_float32():
    class Raw(skdeep.Loss):
        tasks = ("regression",)

        def __call__(self, raw, target):
            return jnp.mean((raw - target) ** 2, axis=1)

    with pytest.raises(ValueError, match=r"Input y contains a value too large for dtype\('float32'\).*in row 5"):
        DeepRegressor(**SMALL, loss=Raw()).fit(X, changed(X[:, 0], 1e39))


@pytest.mark.parametrize(
    ("params", "message"),
    [
        (
            {"learning_rate": 0},
            r"The 'learning_rate' parameter of DeepClassifier must be a float in the range \(0.0, inf\). Got 0",
        ),
        ({"learning_rate": -1.0}, "'learning_rate' parameter .* Got -1.0"),
        (
            {"learning_rate": float("nan")},
            r"'learning_rate' parameter of DeepClassifier must be a float in the range \(0.0, inf\). Got nan",
        ),
        (
            {"batch_size": 0},
            r"'batch_size' parameter of DeepClassifier must be .*'auto'.* or an int in the range \[1, inf\). Got 0",
        ),
        ({"max_epochs": 0}, "'max_epochs' parameter"),
        ({"validation_fraction": 1.0}, "'validation_fraction' parameter"),
        ({"tol": -1}, "'tol' parameter"),
        (
            {"l2": float("inf")},
            r"'l2' parameter of DeepClassifier must be None, a float in the range \[0.0, inf\) or a str among {'auto'}. Got inf",
        ),
        ({"input_shape": (2, 0)}, "'input_shape' parameter of DeepClassifier must be None or a tuple of positive ints"),
        ({"input_shape": (5, 2)}, "'input_shape' parameter is .5, 2., which is 10 values per row, but X has 4"),
        ({"optimizer": optax.adam(1e-3)}, "must not be an Optax object that is already built.*Give the factory"),
        (
            {"optimizer": "lbfgs", "batch_size": 10},
            "LBFGS needs all rows at every step. Got batch_size=10.*learning_rate",
        ),
        ({"loss": "squared_error"}, "SquaredError does not serve multiclass targets, only regression.*'cross_entropy'"),
        ({"class_weight": {7: 1.0}}, r"classes \[7\] of class_weight are not in y"),
        ({"network": "mlp", "loss": Adam()}, "'loss' parameter of DeepClassifier must be"),
        ({"network__widths": (0,)}, "'widths' field of MLP must be a tuple of positive ints"),
        (
            {"network__widths": 8},
            r"'widths' field of MLP .* Got 8 instead. MLP\(widths=...\) takes a tuple: write \(8,\)",
        ),
        ({"network__activation": "rleu"}, "Unknown activation 'rleu'. Did you mean 'relu'"),
        ({"network__activation": np.ones(2)}, "'activation' field of MLP must be a string or a function. Got array"),
        ({"optimizer__b1": "x"}, "'b1' field of Adam must be a number. Got 'x' instead."),
        ({"network": "mlp", "network__units": 3}, "Invalid field 'units' for MLP"),
        ({"optimizer": "sgd", "optimizer__b1": 0.9}, "Invalid field 'b1' for SGD"),
        ({"augmentation": None, "augmentation__std": 0.1}, "Invalid parameter 'augmentation__std' for DeepClassifier"),
        ({"network": ["dense", ("dorpout", {})]}, "Unknown layer 'dorpout'. Did you mean 'dropout'"),
    ],
)
def test_parameters(params, message):
    with pytest.raises(ValueError, match=message):
        DeepClassifier(**SMALL).set_params(**params).fit(X, y)


@pytest.mark.parametrize(
    ("kind", "name", "nearest"),
    [("loss", "cross_entrop", "cross_entropy"), ("optimizer", "adan", "adam"), ("network", "mpl", "mlp")],
)
def test_unknown_names_raise_in_fit_only(kind, name, nearest):
    model = DeepClassifier(**{kind: name})
    assert model.get_params()[kind] == name
    model.set_params(**{kind: name, f"{kind}__field": 1})
    with pytest.raises(
        UnknownComponentError, match=f"Unknown {kind} '{name}'. Did you mean '{nearest}'. Known: .*{nearest}"
    ):
        model.fit(X, y)


def test_unknown_fields_raise_at_once():
    with pytest.raises(
        ValueError, match="Invalid field 'epss' for Adam. Did you mean 'eps'. Its fields are: b1, b2, eps"
    ):
        DeepClassifier().set_params(optimizer__epss=1)
    with pytest.raises(ValueError, match="Invalid field 'epss' for Adam"):
        DeepClassifier(optimizer=Adam()).set_params(loss="hinge", optimizer__epss=1)
    with pytest.raises(ValueError, match="Invalid parameter 'augmentation__std' for DeepClassifier: augmentation=None"):
        DeepClassifier().set_params(augmentation__std=1)
    with pytest.raises(ValueError, match="Invalid parameter 'solver__b1' for MLPClassifier: solver='adam'"):
        MLPClassifier().set_params(solver__b1=1)
    with pytest.raises(ValueError, match="Invalid parameter 'solver__b1' for MLPClassifier: solver='sgd'"):
        MLPClassifier().set_params(solver="sgd", solver__b1=1).fit(X, y)
    with pytest.raises(ValueError, match="Invalid parameter 'learning_rat'"):
        DeepClassifier().set_params(learning_rat=1)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"loss": MLP}, "must be"),
        (
            {"optimizer": Huber()},
            "The 'optimizer' parameter must be a optimizer|The 'optimizer' parameter must be an optimizer",
        ),
        ({"network": MLP}, r"must be an object, not a class: write MLP\(...\)"),
        ({"network": nn.Dense}, r"must be an object, not a class: write Dense\(...\)"),
        ({"network": nnx.Linear(4, 3, rngs=nnx.Rngs(0))}, "must not be an NNX module that is already built"),
        ({"network": [3]}, "'network' parameter must be a list of layers"),
    ],
)
def test_components_of_the_wrong_kind(params, message):
    with pytest.raises(TypeError, match=message):
        DeepClassifier(**{**SMALL, **params}).fit(X, y)


def test_network_of_the_wrong_width_names_both_widths_and_the_cures():
    with pytest.raises(
        ValueError, match=r"shape \(32, 7\) for 32 rows, but the loss needs 3 outputs.*3 wide.*n_outputs: int"
    ):
        DeepClassifier(**SMALL | {"network": nn.Dense(7)}).fit(X, y)


def test_a_loss_that_reduces_is_refused():
    with pytest.raises(
        ValueError, match=r"returned shape \(\) for 32 rows, but it must return one value per row, \(32,\)"
    ):
        DeepRegressor(**SMALL, loss=lambda raw, target: jnp.mean((raw - target) ** 2)).fit(X, y)


def test_predict_on_other_columns_shows_the_difference():
    model = DeepClassifier(**SMALL).fit(pd.DataFrame(X, columns=list("abcd")), y)
    with pytest.raises(ValueError, match="feature names should match.*\n.*now missing:\n- d"):
        model.predict(pd.DataFrame(X[:, :3], columns=list("abc")))
    with pytest.raises(ValueError, match="X has 3 features, but DeepClassifier is expecting 4"):
        DeepClassifier(**SMALL).fit(X, y).predict(X[:, :3])
    with pytest.raises(
        ValueError, match="feature names should match.*\n.*unseen at fit time:\n- e\n.*now missing:\n- d"
    ):
        model.predict(pd.DataFrame(X, columns=list("abce")))


class Branching(skdeep.Loss):
    gamma: float = 2.0
    delta: float = 1.0

    def __call__(self, raw, target):
        return raw[:, 0] ** 2 if self.gamma > 1 else raw[:, 0]


def test_a_float_field_in_control_flow_is_named():
    with pytest.raises(
        TypeError,
        match=r"Branching uses its float field 'gamma' in Python control flow.*gamma: float = skdeep.static\(2.0\)",
    ):
        DeepRegressor(**SMALL, loss=Branching()).fit(X, y)


class DropsOut(nn.Module):
    rate: float
    n_outputs: int

    @nn.compact
    def __call__(self, x, train: bool):
        return nn.Dense(self.n_outputs)(nn.Dropout(self.rate, deterministic=not train)(x))


class Branches(nn.Module):
    level: float

    @nn.compact
    def __call__(self, x):
        return nn.Dense(3)(x if self.level > 1 else -x)


class BuildsDropout(skdeep.Network):
    share: float = 0.25

    def build(self, in_shape, n_outputs):
        return DropsOut(self.share, n_outputs)


class BuildsBranches(skdeep.Layer):
    level: float = 2.0

    def build(self):
        return Branches(self.level)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (
            BuildsDropout(),
            r"Dropout uses its field 'rate' .* but that is the float field 'share' of BuildsDropout, which is traced.* "
            r"Use skdeep.layers.Dropout\(rate\).build\(\)\(x, train\) .*: 'share: float = skdeep.static\(0.25\)'",
        ),
        (
            [BuildsBranches()],
            r"Branches uses its field 'level' .*'return nn.Dense.*the float field 'level' of BuildsBranches.* "
            r"Use jnp.where or lax.cond, .*'level: float = skdeep.static\(2.0\)'",
        ),
    ],
    ids=["dropout", "branch"],
)
def test_a_traced_number_in_a_module_of_ones_own_is_named(network, message):
    with pytest.raises(TypeError, match=message):
        DeepClassifier(**SMALL | {"network": network}).fit(X, y)


def test_the_dropout_that_the_message_names_takes_a_traced_rate():
    class Mended(DropsOut):
        @nn.compact
        def __call__(self, x, train: bool):
            return nn.Dense(self.n_outputs)(skdeep.layers.Dropout(self.rate).build()(x, train))

    class BuildsMended(BuildsDropout):
        def build(self, in_shape, n_outputs):
            return Mended(self.share, n_outputs)

    assert DeepClassifier(**SMALL | {"network": BuildsMended()}).fit(X, y).n_parameters_ == 4 * 3 + 3


class Exploding(skdeep.Optimizer):
    def transformation(self, learning_rate):
        return optax.sgd(-1e30 * learning_rate)


def test_a_non_finite_loss_names_epoch_rate_and_cure():
    with pytest.raises(
        NonFiniteLossError, match=r"NaN or infinite in epoch \d at learning rate 1e\+03. Lower the learning_rate"
    ):
        DeepRegressor(**SMALL, optimizer=Exploding(), learning_rate=1000).fit(X, y)


def test_with_early_stopping_the_best_parameters_survive_a_non_finite_loss():
    class LateExplosion(skdeep.Schedule):
        def __call__(self, progress):
            return jnp.where(progress < 0.5, 1.0, 1e30)

    model = DeepRegressor(**SMALL | {"max_epochs": 10}, early_stopping=True, schedule=LateExplosion(), optimizer="sgd")
    with pytest.warns(ConvergenceWarning, match="parameters of the best epoch .* were kept"):
        model.fit(X, X[:, 0])
    assert np.isfinite(model.predict(X)).all()
    assert model.best_epoch_ <= 5


def test_too_few_rows_to_hold_some_out():
    with pytest.raises(
        ValueError, match="holds out validation_fraction=0.1 of n_samples=2 distinct rows.*or set early_stopping=False"
    ):
        DeepClassifier(**SMALL, early_stopping=True).fit(X[:2], [0, 1])


def test_validation_labels_without_rows():
    with pytest.raises(ValueError, match="y_val or sample_weight_val was given without X_val"):
        DeepClassifier(**SMALL).fit(X, y, y_val=y)


def test_reaching_max_epochs_warns():
    with pytest.warns(ConvergenceWarning, match="Reached max_epochs=2 and training has not converged"):
        DeepClassifier(**SMALL | {"tol": 1e-4}).fit(X, y)


def test_a_failed_fit_leaves_the_fitted_model_usable():
    model = DeepClassifier(**SMALL).fit(X, y)
    before = model.predict_proba(X)
    with pytest.raises(ValueError, match="Input X contains infinity"):
        model.fit(changed(X, np.inf), y)
    np.testing.assert_array_equal(model.predict_proba(X), before)


def test_a_non_finite_loss_leaves_the_fitted_model_usable():
    model = DeepClassifier(**SMALL).fit(X, y)
    before = model.predict_proba(X)
    with pytest.raises(NonFiniteLossError):
        model.set_params(optimizer=Exploding(), learning_rate=1000).fit(X[:, :2], y % 2)
    np.testing.assert_array_equal(model.predict_proba(X), before)


def test_early_stopping_without_one_good_epoch_raises():
    with pytest.raises(NonFiniteLossError):
        DeepRegressor(**SMALL, early_stopping=True, loss=lambda raw, target: raw[:, 0] * jnp.nan).fit(X, X[:, 0])


@pytest.mark.parametrize("cls", [DeepClassifier, MLPClassifier])
def test_a_missing_device_raises(cls):
    there_are = ", ".join(f"'{device.platform}' ({device})" for device in jax.devices())
    message = (
        f"The 'device' parameter of {cls.__name__} must be a device that JAX has here: {there_are}. Got 'tpu' instead."
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        cls(device="tpu").fit(X, y)
    model = DeepClassifier(**SMALL).fit(X, y).set_params(device="tpu")  # as a model from another machine
    with pytest.raises(ValueError, match="The 'device' parameter of DeepClassifier must be a device that JAX has here"):
        model.predict(X)
    assert model.set_params(device="cpu").predict(X).shape == y.shape
