"""Agreement with scikit-learn's perceptron: the same numbers, up to the rounding of float64."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
import sklearn.neural_network as theirs
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris, load_wine
from sklearn.preprocessing import scale

import skdeep as ours

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 5))
WEIGHT = RNG.uniform(0.1, 3.0, size=60)
TARGETS = {
    "binary": (X[:, 0] > 0).astype(int),
    "multiclass": np.digitize(X[:, 0] + X[:, 1], [-0.7, 0.7]),
    "multilabel": (X[:, :3] + 0.3 * RNG.normal(size=(60, 3)) > 0).astype(int),
    "one output": X[:, 0] ** 2 + X[:, 1],
    "two outputs": np.c_[X[:, 0] ** 2, X[:, 1] - X[:, 2]],
    "counts": RNG.poisson(np.exp(X[:, 0])).astype(float),
}
SMALL = {"hidden_layer_sizes": (7, 4), "random_state": 3}


def pair_of(target, **params):
    """Return scikit-learn's and skdeep's estimator with the same parameters."""
    kind = "MLPClassifier" if target in ("binary", "multiclass", "multilabel") else "MLPRegressor"
    return [getattr(module, kind)(**SMALL | params) for module in (theirs, ours)]


def weights_of(model):
    return [*model.coefs_, *model.intercepts_]


def assert_same_training(their, our, atol=1e-12):
    assert our.n_iter_ == their.n_iter_
    for a, b in zip(weights_of(their), weights_of(our), strict=True):
        assert b.dtype == a.dtype
        np.testing.assert_allclose(b, a, rtol=0, atol=atol)
    for name in ("loss_", "loss_curve_", "best_loss_", "validation_scores_", "best_validation_score_"):
        if hasattr(their, name):
            expected, found = getattr(their, name), getattr(our, name)
            assert (found is None) == (expected is None), name
            if expected is not None:
                np.testing.assert_allclose(found, expected, rtol=1e-10, atol=atol, err_msg=name)
    for name in ("t_", "n_layers_", "n_outputs_", "out_activation_", "n_features_in_"):
        assert getattr(our, name) == getattr(their, name), name


SGD = {"solver": "sgd", "learning_rate_init": 0.05}
ADAM = {"solver": "adam", "learning_rate_init": 0.02}
OPTIONS = {
    "sgd without momentum": SGD | {"momentum": 0.0},
    "sgd with heavy-ball momentum": SGD | {"nesterovs_momentum": False},
    "sgd with nesterov's momentum": SGD,
    "sgd with falling rate": SGD | {"learning_rate": "invscaling", "power_t": 0.3},
    "sgd with adaptive rate": SGD | {"learning_rate": "adaptive", "tol": 0.05, "n_iter_no_change": 1},
    "sgd with a large penalty": SGD | {"alpha": 3.0},
    "adam": ADAM,
    "adam with a large epsilon": ADAM | {"epsilon": 0.1, "beta_1": 0.5, "beta_2": 0.9},
    "adam in the given order": ADAM | {"shuffle": False, "alpha": 0.0},
}


@pytest.mark.parametrize("name", OPTIONS)
def test_weights_after_1_10_and_100_updates(name):
    for n_updates in (1, 10, 100):  # one update per epoch
        their, our = pair_of("multiclass", max_iter=n_updates, batch_size=60, **{"tol": 0.0} | OPTIONS[name])
        assert_same_training(their.fit(X, TARGETS["multiclass"]), our.fit(X, TARGETS["multiclass"]))
    for n_epochs in (1, 10):  # ten updates per epoch, the last one with a smaller batch
        their, our = pair_of("multiclass", max_iter=n_epochs, batch_size=6, **{"tol": 0.0} | OPTIONS[name])
        rows = slice(0, 57)
        y = TARGETS["multiclass"][rows]
        assert_same_training(their.fit(X[rows], y), our.fit(X[rows], y))


@pytest.mark.parametrize(
    ("target", "activation"),
    [
        *((target, "relu") for target in TARGETS),
        ("multiclass", "logistic"),
        *(pytest.param("multiclass", name, marks=pytest.mark.campaign) for name in ("identity", "tanh")),
    ],
)
def test_tasks_and_activations_with_weighted_batches(target, activation):
    loss = {"loss": "poisson"} if target == "counts" else {}
    their, our = pair_of(target, activation=activation, max_iter=15, batch_size=16, alpha=0.1, **ADAM, **loss)
    y = TARGETS[target]
    assert_same_training(their.fit(X, y, WEIGHT), our.fit(X, y, WEIGHT))
    np.testing.assert_allclose(our.predict(X), their.predict(X), rtol=1e-10)
    if hasattr(their, "predict_proba"):
        np.testing.assert_allclose(our.predict_proba(X), their.predict_proba(X), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    "target",
    ["binary", "counts", *(pytest.param(name, marks=pytest.mark.campaign) for name in ("multiclass", "two outputs"))],
)
@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["unweighted", "weighted"])
def test_early_stopping(target, weight):
    params = ADAM | {"early_stopping": True, "validation_fraction": 0.2, "n_iter_no_change": 4, "max_iter": 60}
    loss = {"loss": "poisson"} if target == "counts" else {}
    their, our = pair_of(target, **params, **loss)
    assert_same_training(their.fit(X, TARGETS[target], weight), our.fit(X, TARGETS[target], weight))


@pytest.mark.parametrize("params", [ADAM, SGD | {"learning_rate": "invscaling"}], ids=["adam", "sgd"])
def test_epochs_by_hand_and_warm_starts(params):
    y = TARGETS["multiclass"]
    their, our = pair_of("multiclass", batch_size=20, **params)
    for rows in (slice(0, 40), slice(20, 60), slice(0, 60)):
        their.partial_fit(X[rows], y[rows], classes=[0, 1, 2])
        our.partial_fit(X[rows], y[rows], classes=[0, 1, 2])
        assert_same_training(their, our)
    their, our = pair_of("multiclass", warm_start=True, max_iter=5, tol=0.01, n_iter_no_change=3, **params)
    for _ in range(3):
        assert_same_training(their.fit(X, y), our.fit(X, y))
    assert_same_training(their.partial_fit(X, y), our.partial_fit(X, y))


def test_a_random_state_object_advances_as_in_scikit_learn():
    their, our = pair_of("multiclass", max_iter=200, tol=0.05, n_iter_no_change=1, **ADAM)
    streams = np.random.RandomState(5), np.random.RandomState(5)
    for model, stream in zip((their, our), streams, strict=True):
        model.set_params(random_state=stream).fit(X, TARGETS["multiclass"])
    assert their.n_iter_ < 200
    assert streams[0].randint(2**31) == streams[1].randint(2**31)


def test_float32_agrees_up_to_its_own_rounding():
    their, our = pair_of("multiclass", max_iter=10, **ADAM)
    x = X.astype(np.float32)
    assert_same_training(their.fit(x, TARGETS["multiclass"]), our.fit(x, TARGETS["multiclass"]), atol=2e-5)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_reported_losses_of_unscaled_rows_are_clipped_as_in_scikit_learn(dtype):
    their, our = pair_of("multiclass", max_iter=3)
    rows = (X * 1000).astype(dtype)
    np.testing.assert_allclose(
        our.fit(rows, TARGETS["multiclass"]).loss_curve_, their.fit(rows, TARGETS["multiclass"]).loss_curve_, rtol=1e-4
    )


def test_sparse_rows():
    sparse = sp.random_array((60, 8), density=0.3, rng=np.random.default_rng(0), format="csc")
    their, our = pair_of("multiclass", max_iter=10, early_stopping=True, batch_size=16, **ADAM)
    assert_same_training(their.fit(sparse, TARGETS["multiclass"]), our.fit(sparse, TARGETS["multiclass"]))
    np.testing.assert_allclose(our.predict_proba(sparse), their.predict_proba(sparse), rtol=1e-10)


LBFGS = {"solver": "lbfgs", "tol": 1e-9, "max_iter": 5000, "max_fun": 50000}


@pytest.mark.parametrize("target", ["binary", "multiclass", "multilabel", "one output", "counts"])
def test_lbfgs_reaches_the_same_loss_where_it_is_convex(target):
    # One layer with a penalty is convex: the minimum is the same even if rounding makes the iterations differ.
    loss = {"loss": "poisson"} if target == "counts" else {}
    their, our = pair_of(target, **LBFGS | {"hidden_layer_sizes": (), "alpha": 1.0}, **loss)
    their.fit(X, TARGETS[target], WEIGHT)
    our.fit(X, TARGETS[target], WEIGHT)
    np.testing.assert_allclose(our.loss_, their.loss_, rtol=1e-6)
    np.testing.assert_allclose(our.predict(X), their.predict(X), rtol=1e-3)


def test_lbfgs_of_several_outputs_minimises_their_sum():
    """scikit-learn gives SciPy the mean over outputs with the gradient of the sum, so its result cannot be compared."""
    y = TARGETS["two outputs"]
    model = ours.MLPRegressor(**LBFGS | {"hidden_layer_sizes": (), "alpha": 2.0}).fit(X, y)
    design = np.c_[X, np.ones(60)]
    exact = np.linalg.solve(design.T @ design + np.diag([2.0] * 5 + [0.0]), design.T @ y)
    np.testing.assert_allclose(np.vstack([model.coefs_[0], model.intercepts_[0]]), exact, atol=1e-4)
    penalty = 0.5 * 2.0 * (model.coefs_[0] ** 2).sum() / 60
    np.testing.assert_allclose(model.loss_, 0.5 * ((model.predict(X) - y) ** 2).mean() + penalty, rtol=1e-12)


@pytest.mark.parametrize("target", ["binary", "one output"])
def test_lbfgs_takes_the_same_first_steps(target):
    for max_iter in (1, 3, 10):
        their, our = pair_of(target, solver="lbfgs", activation="tanh", max_iter=max_iter)
        their.fit(X, TARGETS[target])
        our.fit(X, TARGETS[target])
        assert_same_training(their, our, atol=1e-7)


DATA = {
    "iris": (load_iris, "MLPClassifier"),
    "wine": (load_wine, "MLPClassifier"),
    "breast_cancer": (load_breast_cancer, "MLPClassifier"),
    "digits": (load_digits, "MLPClassifier"),
    "diabetes": (load_diabetes, "MLPRegressor"),
}


def curves_of(data, seeds, solver):
    load, kind = DATA[data]
    x, y = load(return_X_y=True)
    x = scale(x)
    for seed in seeds:
        models = [getattr(module, kind)(solver=solver, random_state=seed, max_iter=30) for module in (theirs, ours)]
        yield [model.fit(x, y).loss_curve_ for model in models]


@pytest.mark.parametrize("data", ["wine", "diabetes"])
def test_loss_curves_on_real_data(data):
    for their, our in curves_of(data, range(2), "adam"):
        np.testing.assert_allclose(our, their, rtol=1e-7)


@pytest.mark.campaign
@pytest.mark.parametrize("solver", ["adam", "sgd"])
@pytest.mark.parametrize("data", DATA)
def test_loss_curves_over_20_seeds(data, solver):
    pairs = list(curves_of(data, range(20), solver))
    for their, our in pairs:
        np.testing.assert_allclose(our, their, rtol=1e-6)
    assert len({round(their[-1], 9) for their, _ in pairs}) == 20  # seeds do differ


@pytest.mark.campaign
@pytest.mark.parametrize("data", DATA)
def test_lbfgs_over_20_seeds_ends_as_low_as_scikit_learn(data):
    load, kind = DATA[data]
    x, y = load(return_X_y=True)
    ends = [
        [
            getattr(module, kind)(solver="lbfgs", random_state=seed, alpha=0.01, max_iter=300).fit(scale(x), y).loss_
            for module in (theirs, ours)
        ]
        for seed in range(20)
    ]
    their, our = np.log(np.array(ends)).T
    spread = max(their.std(), our.std())
    assert abs(their.mean() - our.mean()) < 4 * spread / np.sqrt(10) + 1e-6
