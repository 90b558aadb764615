"""Continuing from an earlier fit: `partial_fit` after its first call, and `warm_start`."""

from __future__ import annotations

import copy
import functools
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from sklearn.base import clone
from sklearn.metrics import r2_score

from skdeep import DeepAutoencoder, DeepClassifier, DeepRegressor, MLPClassifier, MLPRegressor, SequenceGenerator
from skdeep.losses import Quantile
from skdeep.networks import MLP
from skdeep.optimizers import SGD, Adam

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(64, 3)).astype(np.float32)
y = X @ np.float32([1.0, -2.0, 0.5])
y = (y - y.mean()) / y.std()  # so that the regressor's scale of y is 0 and 1 to rounding
LABELS = (y > 0).astype(int)
LINEAR = {"network": "linear", "random_state": 0, "learning_rate": 0.01, "shuffle": False}


def optax_loop(calls, first):
    """Train linear regression in plain Optax, one full batch per step; a call is (optimizer, number of steps).

    An optimizer keeps its state as long as the same object is called again.
    """
    params = jax.tree.map(jnp.asarray, first)
    rows, target = jnp.asarray(X), jnp.asarray(y)

    def loss(params):
        raw = rows @ params["kernel"] + params["bias"][None, :]
        return jnp.mean((raw[:, 0] - target) ** 2)

    @functools.partial(jax.jit, static_argnums=(0, 3))
    def steps(optimizer, params, state, n_steps):
        state = optimizer.init(params) if state is None else state
        for _ in range(n_steps):
            updates, state = optimizer.update(jax.grad(loss)(params), state, params)
            params = optax.apply_updates(params, updates)
        return params, state

    last, state = None, None
    for made, rebuilt, n_steps in calls:
        params, state = steps(rebuilt, params, state if made is last else None, n_steps)
        last = made
    return params


def trained(calls):
    """Train by one `partial_fit` per step; return the first parameters and the last ones."""
    model = DeepRegressor(**LINEAR | {"learning_rate": 1e-12}, optimizer="rmsprop").partial_fit(X, y)
    first = copy.deepcopy(model.params_["output"])
    for params, n_steps in calls:
        model.set_params(**params)
        for _ in range(n_steps):
            model.partial_fit(X, y)
    return model, first


ADAGRAD = {"optimizer": "adagrad", "learning_rate": 0.1}
SGD_MOMENTUM = {"optimizer": SGD(momentum=0.9), "learning_rate": 0.01}
CHANGES = {
    "another kind restarts": (
        [(ADAGRAD, 5), (SGD_MOMENTUM, 4)],
        [("a", optax.adagrad(0.1), 5), ("b", optax.sgd(0.01, momentum=0.9), 4)],
    ),
    "another kind of the same tree restarts": (
        [({"optimizer": "adam", "learning_rate": 0.02}, 4), ({"optimizer": "nadam"}, 4)],
        [("a", optax.adam(0.02), 4), ("b", optax.nadam(0.02), 4)],
    ),
    "another rate goes on": (
        [(SGD_MOMENTUM, 4), ({"learning_rate": 0.03}, 4)],
        [("a", optax.sgd(0.01, momentum=0.9), 4), ("a", optax.sgd(0.03, momentum=0.9), 4)],
    ),
    "another number goes on": (
        [({"optimizer": "adam", "learning_rate": 0.02}, 4), ({"optimizer__b1": 0.5}, 4)],
        [("a", optax.adam(0.02), 4), ("a", optax.adam(0.02, b1=0.5), 4)],
    ),
    "an equal object goes on": (
        [({"optimizer": "adam", "learning_rate": 0.02}, 4), ({"optimizer": Adam(b1=0.5)}, 4)],
        [("a", optax.adam(0.02), 4), ("a", optax.adam(0.02, b1=0.5), 4)],
    ),
    "another structural field restarts": (
        [(SGD_MOMENTUM, 4), ({"optimizer": SGD(momentum=0.9, nesterov=True)}, 4)],
        [("a", optax.sgd(0.01, momentum=0.9), 4), ("b", optax.sgd(0.01, momentum=0.9, nesterov=True), 4)],
    ),
    "a factory goes on": (
        [({"optimizer": optax.adam, "learning_rate": 0.02}, 4), ({"learning_rate": 0.05}, 4)],
        [("a", optax.adam(0.02), 4), ("a", optax.adam(0.05), 4)],
    ),
    "another factory restarts": (
        [({"optimizer": optax.adam, "learning_rate": 0.02}, 4), ({"optimizer": optax.amsgrad}, 4)],
        [("a", optax.adam(0.02), 4), ("b", optax.amsgrad(0.02), 4)],
    ),
    "there and back restarts": (
        [(ADAGRAD, 3), (SGD_MOMENTUM, 3), (ADAGRAD, 3)],
        [("a", optax.adagrad(0.1), 3), ("b", optax.sgd(0.01, momentum=0.9), 3), ("c", optax.adagrad(0.1), 3)],
    ),
}


SIBLINGS = ("another rate goes on", "an equal object goes on", "another factory restarts")  # of "another number", ...


@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=pytest.mark.campaign) if case in SIBLINGS else case for case in CHANGES]
)
def test_an_optimizers_state_is_kept_only_for_an_equal_optimizer(case):
    ours, plain = CHANGES[case]
    model, first = trained(ours)
    expected = optax_loop(plain, first)
    np.testing.assert_allclose(model.params_["output"]["kernel"], expected["kernel"], rtol=2e-4, atol=1e-6)


@pytest.mark.campaign  # the case "another kind restarts" compares the parameters
def test_adagrad_then_momentum_still_fits():
    model = DeepRegressor(network=MLP((16,)), optimizer="adagrad", learning_rate=0.05, random_state=0)
    for _ in range(20):
        model.partial_fit(X, y)
    before = r2_score(y, model.predict(X))
    model.set_params(optimizer="sgd", optimizer__momentum=0.9, learning_rate=0.01)
    for _ in range(5):
        model.partial_fit(X, y)
    assert r2_score(y, model.predict(X)) > before > 0.2


def test_a_function_of_the_same_name_is_another_optimizer():
    """As if the cell of a notebook was changed and run again: sums of squares must not be used as velocity."""

    def make(text):
        scope = {"__name__": "notebook", "optax": optax}
        exec(f"def optimizer(rate):\n    return {text}", scope)
        return scope["optimizer"]

    model = DeepRegressor(**LINEAR | {"learning_rate": 0.1}, optimizer=make("optax.adagrad(rate)"))
    for _ in range(20):
        model.partial_fit(X, y)
    first = copy.deepcopy(model.params_["output"])
    model.set_params(optimizer=make("optax.sgd(rate, momentum=0.9)"), learning_rate=0.01).partial_fit(X, y)
    wanted = optax_loop([("sgd", optax.sgd(0.01, momentum=0.9), 1)], first)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6), model.params_["output"], wanted)
    velocity = model._memory.optimizer.state
    model.set_params(optimizer=make("optax.sgd(rate, momentum=0.9)")).partial_fit(X, y)  # the same code again
    assert any(not np.allclose(a, b) for a, b in zip(velocity, model._memory.optimizer.state, strict=True))
    twice = optax_loop([("sgd", optax.sgd(0.01, momentum=0.9), 2)], first)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6), model.params_["output"], twice)


def test_a_warm_start_with_a_loss_of_another_scaling_is_refused():
    target = np.abs(y)
    model = DeepRegressor(**LINEAR, warm_start=True, max_epochs=3, tol=None).fit(X, target)
    before = copy.deepcopy(model.params_)
    message = (
        "warm_start=True continues from the parameters of the last fit, which served the loss SquaredError "
        r"\(scaling='standard' and domain='real'\), but the loss Poisson has scaling='mean' and domain='non-negative'. "
        "Set warm_start=False, or fit a clone."
    )
    with pytest.raises(ValueError, match=message):
        model.set_params(loss="poisson").fit(X, target)
    jax.tree.map(np.testing.assert_array_equal, model.params_, before)
    assert model.set_params(loss="huber").fit(X, target).n_iter_ == 3
    assert model.set_params(loss="poisson", warm_start=False).fit(X, target).n_iter_ == 3


def test_a_schedule_continues_with_another_optimizer():
    model = DeepRegressor(**LINEAR, schedule="linear", max_epochs=8)
    for _ in range(4):
        model.partial_fit(X, y)
    model.set_params(optimizer="sgd").partial_fit(X, y)
    # The last step of epoch 5 of 8, of a rate that falls to 0 on a line.
    np.testing.assert_allclose(model.history_.learning_rate, 0.01 * (1 - np.arange(5) / 8), rtol=1e-5)


# The state of adam has the structure of nadam's: shapes alone do not tell them apart.
@pytest.mark.parametrize(
    "solver", ["adam", *(pytest.param(name, marks=pytest.mark.campaign) for name in ("sgd", "adagrad"))]
)
def test_a_solvers_state_is_kept_only_for_an_equal_solver(solver):
    """Another solver starts with a new state, like an estimator whose weights were assigned."""
    params = {"hidden_layer_sizes": (4,), "random_state": 0, "learning_rate_init": 0.02, "shuffle": False}
    model = MLPRegressor(**params, solver=solver)
    for _ in range(3):
        model.partial_fit(X, y)
    anew = MLPRegressor(**params, solver="nadam").partial_fit(X, y)
    anew._memory = anew._memory._replace(optimizer=None, stopping=None)
    for name in ("coefs_", "intercepts_"):
        setattr(anew, name, copy.deepcopy(getattr(model, name)))
    model.set_params(solver="nadam")
    for _ in range(2):
        model.partial_fit(X, y)
        anew.partial_fit(X, y)
    np.testing.assert_allclose(model.coefs_[0], anew.coefs_[0], rtol=1e-5)


def test_a_solvers_state_is_kept_if_only_its_numbers_change():
    models = [MLPRegressor(hidden_layer_sizes=(4,), solver="nadam", random_state=0) for _ in range(2)]
    for model in models:
        model.partial_fit(X, y).partial_fit(X, y)
    models[1].set_params(solver__b1=0.9)  # the same number, given
    for model in models:
        model.partial_fit(X, y)
    np.testing.assert_array_equal(models[0].coefs_[0], models[1].coefs_[0])


@pytest.mark.parametrize("make", [DeepRegressor, MLPRegressor])
def test_schedule_free_continues_from_the_parameters_that_it_trains(make):
    """Ten calls equal ten epochs of `fit`, although predictions use other parameters than training."""
    if make is DeepRegressor:
        params = {**LINEAR, "optimizer": "schedule_free_adamw", "tol": None}
        whole, parts = make(**params, max_epochs=10).fit(X, y), make(**params, max_epochs=10)
    else:
        params = {"hidden_layer_sizes": (4,), "solver": "schedule_free_adamw", "random_state": 0, "shuffle": False}
        whole = make(**params, max_iter=10, n_iter_no_change=100).fit(X, y)
        parts = make(**params, max_iter=10)
    for _ in range(10):
        parts.partial_fit(X, y)
    np.testing.assert_allclose(whole.predict(X), parts.predict(X), rtol=1e-4, atol=1e-5)


# Edits of params_ between two calls.


@pytest.mark.parametrize("optimizer", ["adam", "schedule_free_adamw"])
def test_training_continues_from_edited_parameters(optimizer):
    model = DeepRegressor(**LINEAR | {"learning_rate": 1e-4}, optimizer=optimizer).partial_fit(X, y).partial_fit(X, y)
    model.params_["output"]["kernel"][...] = 7.0
    model.partial_fit(X, y)
    np.testing.assert_allclose(model.params_["output"]["kernel"], 7.0, atol=0.01)
    model.params_ = jax.tree.map(lambda leaf: np.full(leaf.shape, 3.0), model.params_)  # float64
    model.partial_fit(X, y)
    np.testing.assert_allclose(model.params_["output"]["bias"], 3.0, atol=0.01)
    assert model.params_["output"]["bias"].dtype == np.float32


def test_edits_keep_the_momentum():
    model = DeepRegressor(**LINEAR, optimizer=SGD(momentum=0.9)).partial_fit(X, y)
    anew = clone(model).partial_fit(X, y)
    for fitted in (model, anew):
        fitted.params_["output"]["kernel"][...] = 0.0
    anew._memory = anew._memory._replace(optimizer=None, stopping=None)
    velocity = model.partial_fit(X, y).params_["output"]["kernel"] - anew.partial_fit(X, y).params_["output"]["kernel"]
    assert np.abs(velocity).max() > 1e-3


@pytest.mark.parametrize("warm", [False, True])
def test_edits_of_another_shape_are_refused(warm):
    model = DeepRegressor(**LINEAR, warm_start=warm, max_epochs=1, tol=None).partial_fit(X, y)
    model.params_["output"]["kernel"] = np.zeros((4, 1), np.float32)
    message = r"params_/output/kernel has shape \(4, 1\), but the trained one has shape \(3, 1\)"
    with pytest.raises(ValueError, match=message):
        (model.fit if warm else model.partial_fit)(X, y)


# The checks of fit, in later calls too.


def regressor(**params):
    return DeepRegressor(network=MLP((4,), dropout_rate=0.1), random_state=0, **params)


REFUSED = [
    (regressor(), {"loss": "cross_entropy"}, "The loss CrossEntropy does not serve regression targets"),
    (
        regressor(),
        {"loss": "gaussian_nll"},
        "has 1 raw outputs for the loss SquaredError, but the loss GaussianNLL needs 2",
    ),
    (regressor(), {"loss": Quantile((0.1, 0.5, 0.9))}, "but the loss Quantile needs 3"),
    (
        regressor(),
        {"loss": "poisson"},
        r"\(scaling='standard' and domain='real'\), but the loss Poisson has scaling='mean'",
    ),
    (
        regressor(),
        {"network__widths": (8,)},
        r"the network of the earlier fit, but widths\[0\] was 4 then and is 8 now",
    ),
    (regressor(), {"network__widths": (4, 4)}, r"but widths was \(4,\) then and is \(4, 4\) now"),
    (regressor(), {"network__activation": "tanh"}, "but activation was 'relu' then and is 'tanh' now"),
    (regressor(), {"network": "linear"}, r"but the network was MLP\("),
    (
        regressor(),
        {"input_shape": (3, 1)},
        r"rows of shape \(3,\), but input_shape=\(3, 1\) gives rows of shape \(3, 1\)",
    ),
    (regressor(), {"optimizer": "lbfgs", "batch_size": 8}, "needs all rows at every step"),
    (DeepAutoencoder(n_components=2, encoder="linear"), {"n_components": 3}, "n_components was 2 then and is 3 now"),
    (DeepAutoencoder(n_components=2, encoder="linear"), {"variational": True}, "was Autoencoder"),
    (
        DeepAutoencoder(n_components=2, encoder="linear"),
        {"loss": "poisson"},
        "but the loss Poisson has scaling='mean'",
    ),
]


@pytest.mark.parametrize(("model", "params", "message"), REFUSED)
def test_changes_that_partial_fit_cannot_continue_with_raise(model, params, message):
    model = clone(model).partial_fit(X, y)
    before = copy.deepcopy(vars(model))
    model.set_params(**params)
    with pytest.raises(ValueError, match=message):
        model.partial_fit(X, y)
    assert all(vars(model)[name] is not None or before[name] is None for name in before)
    assert model.n_iter_ == before["n_iter_"]


def test_the_kind_of_a_later_y_is_checked():
    indicator = np.c_[LABELS, LABELS]
    for first, later in ((LABELS, indicator), (indicator, LABELS)):
        model = DeepClassifier(**LINEAR).partial_fit(X, first)
        with pytest.raises(
            ValueError,
            match="y has (multilabel|binary) targets, but DeepClassifier was trained on (multilabel|binary) ones",
        ):
            model.partial_fit(X, later)
        with pytest.raises(ValueError, match="was trained on"):
            DeepClassifier(**LINEAR, max_epochs=1, tol=None).fit(X, first, X_val=X, y_val=later)


def test_other_classes_are_refused():
    model = DeepClassifier(**LINEAR).partial_fit(X, LABELS, classes=[0, 1]).partial_fit(X, LABELS, classes=[1, 0])
    with pytest.raises(ValueError, match=r"`classes=array\(\[0, 1, 2\]\)` is not the same as on last call"):
        model.partial_fit(X, LABELS, classes=[0, 1, 2])


def test_numbers_of_the_network_take_effect():
    """At a dropout rate of 1 - 1e-6 only the output's bias has a gradient."""
    model = DeepRegressor(network=MLP((4,), dropout_rate=0.0), optimizer="sgd", random_state=0).partial_fit(X, y + 1)
    kernel = model.params_["output"]["kernel"].copy()
    model.set_params(network__dropout_rate=0.999999).partial_fit(X, y)
    np.testing.assert_array_equal(model.params_["output"]["kernel"], kernel)
    assert model.network_.dropout_rate == 0.999999
    model.set_params(network__dropout_rate=0.0).partial_fit(X, y)
    assert (model.params_["output"]["kernel"] != kernel).any()


def test_the_noise_of_an_autoencoder_takes_effect():
    models = [DeepAutoencoder(n_components=2, encoder="linear", random_state=0).partial_fit(X) for _ in range(2)]
    models[1].set_params(noise=5.0)
    assert models[1].partial_fit(X).history_.train_loss.iloc[-1] > 1.5 * models[0].partial_fit(X).history_.train_loss[1]


def test_partial_fit_continues_with_another_loss_of_the_same_scaling():
    model = regressor().partial_fit(X, y).set_params(loss="huber").partial_fit(X, y)
    assert type(model.loss_).__name__ == "Huber"


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_copies_continue_as_the_original(copied):
    model = DeepRegressor(network=["dense", jax.nn.gelu], optimizer=optax.adam, random_state=0).partial_fit(X, y)
    copy_of = copied(model)
    np.testing.assert_array_equal(model.partial_fit(X, y).predict(X), copy_of.partial_fit(X, y).predict(X))


GENERATOR = {"network": "gru", "network__units": 4, "context_length": 4, "random_state": 0}


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"context_length": 8}, "context_length was 4 then and is 8 now"),
        ({"level": "token"}, "level was 'character' then and is 'token' now"),
        ({"boundaries": False}, "boundaries was 'auto' then and is False now"),
        ({"vocabulary": "abcd"}, "vocabulary has other tokens"),
        ({"network__units": 5}, "units was 4 then and is 5 now"),
        ({"embedding_features": 3}, "was 64 then and is 3 now"),
    ],
)
def test_changes_that_a_generator_cannot_continue_with_raise(params, message):
    model = SequenceGenerator().set_params(**GENERATOR).partial_fit(["abc", "cab"]).set_params(**params)
    with pytest.raises(ValueError, match=message):
        model.partial_fit(["abc", "cab"])


# Weights of classes.


@pytest.mark.parametrize("later", [{0: 1.0, 1: 20.0}, "balanced"])
@pytest.mark.parametrize("make", [DeepClassifier, MLPClassifier])
def test_each_partial_fit_uses_the_current_class_weights(make, later):
    """Class weights equal sample weights; "balanced" balances the rows of each call."""
    params = LINEAR if make is DeepClassifier else {"hidden_layer_sizes": (), "random_state": 0, "shuffle": False}
    labels = (y > 0.5).astype(int)
    weight_of = later if isinstance(later, dict) else {c: 64 / (2 * (labels == c).sum()) for c in (0, 1)}
    weighted = make(**params).partial_fit(X, LABELS, classes=[0, 1])
    sampled = clone(weighted).partial_fit(X, LABELS, classes=[0, 1])
    weighted.set_params(class_weight=later).partial_fit(X, labels)
    sampled.partial_fit(X, labels, sample_weight=np.array([weight_of[c] for c in labels]))
    np.testing.assert_allclose(weighted.predict_proba(X), sampled.predict_proba(X), rtol=1e-5)
    weighted.set_params(class_weight=None).partial_fit(X, labels)
    np.testing.assert_allclose(weighted.predict_proba(X), sampled.partial_fit(X, labels).predict_proba(X), rtol=1e-5)


# Warm starts.


@pytest.mark.parametrize("make", [DeepClassifier, MLPClassifier])
def test_a_warm_start_over_other_classes_is_refused(make):
    params = {"max_epochs": 1, "tol": None, **LINEAR} if make is DeepClassifier else {"max_iter": 1}
    model = make(**params, warm_start=True).fit(X, LABELS)
    message = r"same classes as in the previous call to fit. Previously got \[0 1\], `y` has \['no' 'yes'\]"
    with pytest.raises(ValueError, match=message):
        model.fit(X, np.array(["no", "yes"])[LABELS])
    with pytest.raises(ValueError, match="same classes"):
        model.fit(X, LABELS + 1)
    assert model.fit(X, 1 - LABELS).classes_.tolist() == [0, 1]


def test_a_warm_start_over_another_kind_of_y_is_refused():
    model = DeepClassifier(**LINEAR, max_epochs=1, tol=None, warm_start=True).fit(X, np.arange(64) % 3)
    with pytest.raises(
        ValueError, match="of the same kind .* Previously got multiclass targets, `y` has multilabel ones"
    ):
        model.fit(X, (np.arange(64)[:, None] % [2, 3, 4] == 0).astype(int))
    assert model.predict(X).shape == (64,)


# The reason why `partial_fit` is not available.


def test_the_error_says_why_partial_fit_is_unavailable_with_early_stopping():
    for model in (DeepClassifier(early_stopping=True), DeepAutoencoder(early_stopping=True)):
        assert not hasattr(model, "partial_fit")
        with pytest.raises(AttributeError, match="has no attribute 'partial_fit'.*Set early_stopping=False"):
            model.partial_fit(X, LABELS)
        with pytest.raises(AttributeError, match="not available with early_stopping=True"):
            type(model).partial_fit(model, X, LABELS)
