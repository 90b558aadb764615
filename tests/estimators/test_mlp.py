"""MLPClassifier and MLPRegressor: behaviour beyond the weights, which test_mlp_agreement.py compares with scikit-learn."""

from __future__ import annotations

import inspect
import pickle
import warnings

import jax
import numpy as np
import pytest
import scipy.optimize
import scipy.sparse
import sklearn.neural_network as theirs
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_iris, make_multilabel_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, scale

import skdeep
from skdeep import MLPClassifier, MLPRegressor
from skdeep.config import FitConfig, Model
from skdeep.core import as_traced
from skdeep.core.drivers.lbfgs import loss_and_gradient, packed
from skdeep.core.feeds import passes
from skdeep.errors import NonFiniteLossError, UnknownComponentError
from skdeep.losses import CrossEntropy, Huber, Poisson, Quantile, SquaredError
from skdeep.optimizers import AdamW
from skdeep.perceptron.network import Perceptron, dense_params, initial_weights
from skdeep.perceptron.rules import BatchMean, EpochsWithoutGain
from skdeep.perceptron.solvers import SGDSolver
from skdeep.records import Rows
from skdeep.schedules import Constant

campaign = pytest.mark.campaign
quiet = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, y = load_iris(return_X_y=True)
X = scale(X)
XR, yr = load_diabetes(return_X_y=True)
XR, yr = scale(XR), scale(yr)
SMALL = {"hidden_layer_sizes": (8,), "learning_rate_init": 0.05, "max_iter": 20, "random_state": 0}
BOTH = [(MLPClassifier, X, y), (MLPRegressor, XR, yr)]


# The interface is scikit-learn's.


@pytest.mark.parametrize("name", ["MLPClassifier", "MLPRegressor"])
def test_parameters_positions_and_defaults_are_those_of_scikit_learn(name):
    their = inspect.signature(getattr(theirs, name)).parameters
    our = inspect.signature(getattr(skdeep, name)).parameters
    positional = inspect.Parameter.POSITIONAL_OR_KEYWORD
    assert [p for p in our if our[p].kind is positional] == [p for p in their if their[p].kind is positional]
    assert list(our)[: len(their)] == list(their)
    assert {p: our[p].default for p in their} == {p: their[p].default for p in their}
    extra = {p: our[p].default for p in our if p not in their}
    assert extra.pop("device") == "auto"
    assert extra.pop("loss", "log_loss") == "log_loss"
    assert set(extra.values()) == {None}


@pytest.mark.parametrize("name", ["MLPClassifier", "MLPRegressor"])
def test_public_methods_and_their_arguments_are_those_of_scikit_learn(name):
    their, our = getattr(theirs, name), getattr(skdeep, name)
    for method in (m for m in dir(their) if not m.startswith("_")):
        expected = list(inspect.signature(getattr(their, method)).parameters)
        assert list(inspect.signature(getattr(our, method)).parameters)[: len(expected)] == expected, method


ATTRIBUTES = [
    pytest.param(*both, solver, early_stopping, id=f"{both[0].__name__}-{solver}-{early_stopping}")
    for both in BOTH
    for solver in ("adam", "sgd", "lbfgs")
    for early_stopping in (False, True)
]
# Each class, each solver, and early stopping of each class; all triples in the campaign.
QUICK = ["adam-False", "MLPClassifier-adam-True", "MLPClassifier-lbfgs-False", "MLPRegressor-sgd-True"]


@quiet
@pytest.mark.parametrize(
    ("cls", "x", "target", "solver", "early_stopping"),
    [
        case if any(case.id.endswith(end) for end in QUICK) else pytest.param(*case.values, id=case.id, marks=campaign)
        for case in ATTRIBUTES
    ],
)
def test_fitted_attributes_are_those_of_scikit_learn(cls, x, target, solver, early_stopping):
    params = SMALL | {"solver": solver, "early_stopping": early_stopping}
    their = getattr(theirs, cls.__name__)(**params).fit(x, target)
    our = cls(**params).fit(x, target)
    for name in (name for name in vars(their) if name.endswith("_") and not name.startswith("_")):
        expected, found = type(getattr(their, name)), type(getattr(our, name))
        assert found is expected, name


@quiet
@pytest.mark.parametrize(("cls", "x", "target"), BOTH, ids=["classifier", "regressor"])
def test_global_settings_stay_as_they_are(cls, x, target):
    before = jax.config.jax_enable_x64
    model = cls(**SMALL).fit(x, target)
    assert model.coefs_[0].dtype == np.float64
    assert jax.config.jax_enable_x64 == before
    assert jax.numpy.ones(1).dtype == np.float32


# Gradients, by finite differences.


LOSSES = [(CrossEntropy(), "codes"), (CrossEntropy(), "labels"), (SquaredError(), "values"), (Poisson(), "counts")]
ACTIVATIONS = ("identity", "logistic", "tanh", "relu", "gelu")
# Each activation with one loss, and each loss with one activation; all pairs in the campaign.
PAIRS = [
    pytest.param(
        name, *pair, marks=() if name == "relu" or pair == LOSSES[0] else pytest.mark.campaign, id=f"{pair[1]}-{name}"
    )
    for pair in LOSSES
    for name in ACTIVATIONS
]


@pytest.mark.parametrize(("activation", "loss", "target"), PAIRS)
def test_gradient(activation, loss, target):
    rng = np.random.default_rng(0)
    x, weight = rng.normal(size=(32, 4)), np.r_[rng.uniform(0.5, 2, size=30), 0, 0]
    targets = {
        "codes": rng.integers(0, 3, size=32).astype(np.int32),
        "labels": rng.integers(0, 2, size=(32, 3)).astype(float),
        "values": rng.normal(size=(32, 3)),
        "counts": rng.poisson(2.0, size=(32, 3)).astype(float),
    }
    coefs, intercepts = initial_weights((4, 5, 3), activation, np.random.RandomState(0), np.float64)
    config = as_traced(
        FitConfig(
            model=Model(Perceptron((5,), activation), (4,), 3),
            loss=loss,
            optimizer=SGDSolver(),
            schedule=Constant(),
            objective=BatchMean(0.0),
            stopping=EpochsWithoutGain(0.0, 1.0, 0.1),
            learning_rate=0.1,
            max_epochs=1,
        ),
        np.float64,
    )
    rows = Rows(x, targets[target], weight, np.int32(30))

    def value_and_grad(flat):
        with jax.enable_x64(True):
            value, grad = loss_and_gradient(config, {}, rows, flat)
            return float(value), np.asarray(grad)

    flat = packed(dense_params(coefs, intercepts))
    numeric = scipy.optimize.approx_fprime(flat, lambda f: value_and_grad(f)[0], 1e-7)
    np.testing.assert_allclose(value_and_grad(flat)[1], numeric, rtol=1e-4, atol=2e-5)


@quiet
@pytest.mark.parametrize("limit", ["ROWS_PER_CALL", "DENSE_VALUES"])
def test_lbfgs_by_parts_of_the_rows_finds_the_same(limit, monkeypatch):
    x = scipy.sparse.csr_array(np.where(X > 0, X, 0))
    whole = MLPClassifier(8, solver="lbfgs", max_iter=20, random_state=0).fit(x, y, np.arange(150) % 3)
    monkeypatch.setattr(passes, limit, {"ROWS_PER_CALL": 40, "DENSE_VALUES": 0}[limit])
    monkeypatch.setattr(passes, "SPARSE_ROWS_PER_CALL", 64)
    parts = MLPClassifier(8, solver="lbfgs", max_iter=20, random_state=0).fit(x, y, np.arange(150) % 3)
    np.testing.assert_allclose(parts.coefs_[0], whole.coefs_[0], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(parts.loss_, whole.loss_, rtol=1e-6)


# Learning rates and the end of training.


def test_an_adaptive_rate_falls_by_fives_until_it_is_too_small():
    model = MLPClassifier(solver="sgd", learning_rate="adaptive", tol=0.5, max_iter=3000, random_state=0)
    rates = model.fit([[3, 2], [1, 6]], [1, 0]).history_.learning_rate.to_numpy()
    assert model.n_iter_ < 3000
    steps = np.unique(rates)[::-1]
    np.testing.assert_allclose(steps[:-1] / steps[1:], 5.0)
    assert steps[-1] <= 1e-6 < steps[-2]


@quiet
def test_an_inverse_scaling_rate_continues_in_a_warm_start():
    rows = [[3, 2], [1, 6], [5, 6], [-2, -4]]
    model = MLPClassifier(4, solver="sgd", learning_rate="invscaling", max_iter=1, power_t=0.25, warm_start=True)
    model.fit(rows, [1, 1, 1, 0])
    model.set_params(max_iter=2).fit(rows, [1, 1, 1, 0])
    # The first epoch of a fit has the initial rate, the second one the rate of the 8 rows that were seen.
    np.testing.assert_allclose(model.history_.learning_rate, [0.001, 0.001, 0.001 / (8 + 1) ** 0.25])


@quiet
def test_the_rate_of_adam_does_not_change():
    model = MLPClassifier(**SMALL | {"learning_rate": "invscaling"}).fit(X, y)
    assert set(model.history_.learning_rate) == {0.05}


@pytest.mark.parametrize("n_iter_no_change", [2, 5, 10])
def test_training_ends_after_more_epochs_without_gain_than_n_iter_no_change(n_iter_no_change):
    model = MLPClassifier(tol=0.01, max_iter=3000, n_iter_no_change=n_iter_no_change, random_state=0).fit(X, y)
    curve = np.array(model.loss_curve_)
    best = np.minimum.accumulate(np.r_[np.inf, curve[:-1]])
    is_stale = curve > best - 0.01
    assert is_stale[-n_iter_no_change - 1 :].all()
    assert not is_stale[-n_iter_no_change - 2]
    assert model.best_loss_ == curve.min()


@quiet
def test_an_infinite_patience_runs_all_epochs():
    model = MLPClassifier(**SMALL | {"tol": 1e9, "n_iter_no_change": np.inf, "max_iter": 60}).fit(X, y)
    assert model.n_iter_ == 60


def test_reaching_max_iter_warns_in_the_words_of_scikit_learn():
    for module in (theirs, skdeep):
        with pytest.warns(ConvergenceWarning) as caught:
            module.MLPClassifier(**SMALL | {"max_iter": 2}).fit(X, y)
        assert "Maximum iterations (2) reached and the optimization hasn't converged yet" in str(caught[0].message)
    assert caught[0].filename == __file__


def test_lbfgs_warns_when_it_stops_early():
    with pytest.warns(
        ConvergenceWarning, match=r"lbfgs failed to converge after 2 iteration\(s\) \(status=1\)"
    ) as caught:
        MLPClassifier(solver="lbfgs", max_iter=2, random_state=0).fit(X, y)
    assert "max_iter=2" in str(caught[0].message)
    assert caught[0].filename == __file__


@quiet
@pytest.mark.parametrize(
    "params",
    [
        {"tol": 0.5, "n_iter_no_change": 2},
        {"early_stopping": True, "n_iter_no_change": 2, "tol": 0.2},
        {"solver": "sgd", "learning_rate": "adaptive", "tol": 0.5, "n_iter_no_change": 1, "max_iter": 60},
    ],
    ids=["loss", "score", "adaptive"],
)
def test_verbose_prints_what_scikit_learn_prints(params, capsys):
    printed = []
    for module in (theirs, skdeep):
        module.MLPClassifier(**SMALL | {"verbose": True} | params).fit(X, y)
        printed.append(capsys.readouterr().out)
    assert printed[1] == printed[0]


def test_verbose_partial_fit_prints_a_lower_rate_and_that_the_loss_did_not_improve(capsys):
    params = {
        "solver": "sgd",
        "learning_rate": "adaptive",
        "learning_rate_init": 1e-5,
        "tol": 0.5,
        "n_iter_no_change": 1,
    }
    printed = []
    for module in (theirs, skdeep):
        model = module.MLPClassifier(hidden_layer_sizes=(8,), verbose=True, random_state=0, **params)
        for _ in range(8):
            model.partial_fit(X, y, classes=[0, 1, 2])
        printed.append(capsys.readouterr().out)
    assert printed[1] == printed[0]
    assert "Setting learning rate to" in printed[1]
    assert "Learning rate too small. Stopping." in printed[1]


@quiet
def test_verbose_lbfgs_prints_a_line_per_iteration(capsys):
    model = MLPClassifier(solver="lbfgs", max_iter=3, verbose=True, random_state=0).fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == f"Iteration 3, loss = {model.loss_:.8f}"
    assert len(lines) == 3


# Parameters that scikit-learn's perceptrons do not have.


@quiet
@pytest.mark.parametrize(
    ("params", "dtype"),
    [
        ({"dropout": 0.1, "normalization": "batch"}, np.float64),
        ({"normalization": "layer", "solver": "lbfgs"}, np.float32),
        ({"dropout": 0.1, "normalization": "batch", "early_stopping": True}, np.float32),
        ({"solver": AdamW(weight_decay=0.1)}, np.float32),
        ({"solver": "skdeep-optimizers:soap"}, np.float32),
        ({"loss": "focal", "activation": "gelu"}, np.float32),
        ({"class_weight": "balanced"}, np.float32),
        # Siblings of cases above.
        pytest.param({"solver": "adamw"}, np.float64, marks=campaign),
        pytest.param({"solver": "adamw"}, np.float32, marks=campaign),
        pytest.param({"loss": "hinge"}, np.float32, marks=campaign),
        pytest.param({"normalization": "batch"}, np.float32, marks=campaign),
    ],
    ids=str,
)
def test_extras_train_in_the_type_of_X(params, dtype):
    model = MLPClassifier(**SMALL | {"max_iter": 40} | params).fit(X.astype(dtype), y)
    assert model.score(X, y) > 0.8
    leaves = jax.tree.leaves((model.params_, model.model_state_))
    assert {leaf.dtype for leaf in leaves} == {np.dtype(dtype)}
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.decision_function(X), model.decision_function(X))


@quiet
def test_dropout_of_0_and_no_dropout_train_alike():
    plain = MLPClassifier(**SMALL).fit(X, y)
    dropped = MLPClassifier(**SMALL | {"dropout": 0.0}).fit(X, y)
    np.testing.assert_allclose(dropped.coefs_[0], plain.coefs_[0], atol=1e-12)
    assert np.abs(MLPClassifier(**SMALL | {"dropout": 0.5}).fit(X, y).coefs_[0] - plain.coefs_[0]).max() > 1e-3


@quiet
def test_dropout_drops_others_in_each_partial_fit():
    model = MLPClassifier(8, solver="sgd", learning_rate_init=1e-12, dropout=0.5, shuffle=False, random_state=0)
    for _ in range(4):
        model.partial_fit(X, y, classes=[0, 1, 2])
    assert len({round(loss, 6) for loss in model.loss_curve_}) == 4


@quiet
def test_class_weights_are_sample_weights():
    by_class = MLPClassifier(**SMALL | {"class_weight": {0: 3.0, 2: 0.5}}).fit(X, y)
    by_row = MLPClassifier(**SMALL).fit(X, y, np.array([3.0, 1.0, 0.5])[y])
    np.testing.assert_array_equal(by_class.coefs_[0], by_row.coefs_[0])
    with pytest.raises(ValueError, match=r"classes \[7\] of class_weight are not in y"):
        MLPClassifier(class_weight={7: 2.0}).fit(X, y)


@quiet
@pytest.mark.parametrize(
    "loss",
    ["huber", "gaussian_nll", *(pytest.param(loss, marks=campaign) for loss in ("absolute_error", "quantile"))],
)
def test_other_losses_take_y_as_it_is(loss):
    model = MLPRegressor(loss, learning_rate_init=0.01, early_stopping=True, random_state=0).fit(XR, yr + 5)
    assert model.score(XR, yr + 5) > 0.3
    assert model.predict(XR).shape == yr.shape
    assert 4 < model.predict(XR).mean() < 6


@quiet
def test_several_quantiles_are_scored_by_the_middle_one():
    model = MLPRegressor(Quantile((0.1, 0.5, 0.9)), learning_rate_init=0.01, random_state=0).fit(XR, yr)
    assert model.predict(XR).shape == (442, 3)
    assert model.score(XR, yr) > 0.3


@quiet
def test_batch_statistics_continue_in_partial_fit():
    model = MLPClassifier(**SMALL | {"normalization": "batch"})
    for _ in range(30):
        model.partial_fit(X, y, classes=[0, 1, 2])
    assert model.n_iter_ == 1
    assert model.t_ == 30 * 150
    assert model.history_.epoch.tolist() == list(range(1, 31))
    assert model.score(X, y) > 0.9


@quiet
def test_solver_and_loss_have_parameters_of_their_own():
    model = MLPClassifier(solver="adamw").set_params(solver__weight_decay=0.5)
    assert model.get_params()["solver__weight_decay"] == 0.5
    assert clone(model).solver == AdamW(weight_decay=0.5)
    assert MLPRegressor("huber").set_params(loss__delta=2.0).loss == Huber(delta=2.0)
    assert not any("__" in name for name in MLPClassifier().get_params())
    with pytest.raises(ValueError, match=r"'solver__b1' for MLPClassifier: solver='adam' has no fields of its own"):
        MLPClassifier().set_params(solver__b1=0.5)


@quiet
def test_a_search_compiles_one_program_for_all_rates_and_penalties():
    skdeep.clear_cache()
    pipeline = make_pipeline(StandardScaler(), MLPClassifier(**SMALL))
    grid = {"mlpclassifier__learning_rate_init": [0.1, 0.01, 1e-3], "mlpclassifier__alpha": [0, 1e-3]}
    search = GridSearchCV(pipeline, grid, cv=3, refit=False).fit(X, y)
    assert search.cv_results_["mean_test_score"].max() > 0.9
    assert skdeep.compile_counts()["train_block"].compiles == 1


@quiet
def test_weights_that_are_assigned_are_predicted_with_and_trained_on():
    model = MLPClassifier(**SMALL).fit(X, y)
    model.coefs_[0][:, :4] = 0.0
    hidden = np.maximum(X @ model.coefs_[0] + model.intercepts_[0], 0)
    raw = hidden @ model.coefs_[1] + model.intercepts_[1]
    np.testing.assert_allclose(model.decision_function(X), raw, rtol=1e-10)
    before = model.coefs_[0].copy()
    model.partial_fit(X, y)
    assert 0 < np.abs(model.coefs_[0] - before).max() < 0.2


@quiet
def test_reported_losses_are_those_of_the_metrics():
    frozen = {"learning_rate_init": 1e-12, "max_iter": 1, "alpha": 0.0, "random_state": 0}
    model = MLPClassifier(**frozen).fit(X, y)
    assert model.loss_ == pytest.approx(log_loss(y, model.predict_proba(X)), abs=1e-9)
    labels = make_multilabel_classification(150, 4, n_classes=3, random_state=0)[1]
    model = MLPClassifier(**frozen).fit(X, labels)
    summed = sum(log_loss(labels[:, k], model.predict_proba(X)[:, k], labels=[0, 1]) for k in range(3))
    assert model.loss_ == pytest.approx(summed, abs=1e-9)


@quiet
def test_predictions_have_the_wider_type_of_weights_and_rows():
    for fitted, given in ((np.float64, np.float32), (np.float32, np.float64), (np.float32, np.float32)):
        wider = np.result_type(fitted, given)
        model = MLPRegressor(**SMALL).fit(XR.astype(fitted), yr)
        assert model.predict(XR.astype(given)).dtype == wider
        probability = MLPClassifier(**SMALL).fit(X.astype(fitted), y).predict_proba(X.astype(given))
        assert probability.dtype == wider


@quiet
def test_small_probabilities_keep_their_order():
    model = MLPClassifier(**SMALL).fit(X, y > 0)
    model.intercepts_[-1][...] = -60.0
    assert len(np.unique(model.predict_proba(X)[:, 1])) > 100


@quiet
def test_training_cannot_change_from_classes_to_labels():
    labels = (X[:, :3] > 0).astype(int)
    model = MLPClassifier(**SMALL).fit(X, y)
    with pytest.raises(ValueError, match="y has multilabel targets, but MLPClassifier was trained on multiclass ones"):
        model.partial_fit(X, labels)
    assert model.predict(X).shape == (150,)


@quiet
def test_another_normalisation_starts_with_new_layers():
    model = MLPClassifier(**SMALL | {"warm_start": True})
    for normalization, name in (("batch", "MaskedBatchNorm_0"), ("layer", "LayerNorm_0"), (None, None)):
        model.set_params(normalization=normalization).fit(X, y)
        assert set(model.params_) - {"Dense_0", "output"} == ({name} if name else set())


@pytest.mark.parametrize("weights", [{0: -1.0}, {0: np.nan}, {0: 0.0, 1: 0.0, 2: 0.0}])
def test_invalid_class_weights_raise(weights):
    with pytest.raises(ValueError, match="class_weight"):
        MLPClassifier(**SMALL | {"class_weight": weights}).fit(X, y)


@quiet
def test_sparse_labels_are_predicted_sparse():
    labels = (X[:, :3] > 0).astype(int)
    sparse = MLPClassifier(**SMALL).fit(X, scipy.sparse.csr_matrix(labels)).predict(X)
    assert scipy.sparse.issparse(sparse)
    np.testing.assert_array_equal(sparse.toarray(), MLPClassifier(**SMALL).fit(X, labels).predict(X))


def test_labels_of_partial_fit_are_predicted_as_the_first_were_given():
    labels = (X[:, :3] > 0).astype(int)
    for first, later in [(scipy.sparse.csr_matrix(labels), labels), (labels, scipy.sparse.csr_matrix(labels))]:
        ours, sklearns = (
            module.MLPClassifier(**SMALL).partial_fit(X, first, classes=[0, 1, 2]).partial_fit(X, later)
            for module in (skdeep, theirs)
        )
        assert scipy.sparse.issparse(ours.predict(X)) == scipy.sparse.issparse(sklearns.predict(X))


@quiet
def test_class_weights_of_several_labels_are_a_dict_for_each():
    labels = (X[:, :2] > 0).astype(int)
    weights = [{0: 1.0, 1: 3.0}, {0: 2.0, 1: 1.0}]
    by_rows = np.array([3.0 if a else 1.0 for a in labels[:, 0]]) * np.array([1.0 if b else 2.0 for b in labels[:, 1]])
    by_class = MLPClassifier(**SMALL | {"class_weight": weights}).fit(X, labels)
    expected = MLPClassifier(**SMALL).fit(X, labels, sample_weight=by_rows)
    np.testing.assert_array_equal(by_class.coefs_[0], expected.coefs_[0])
    with pytest.raises(ValueError, match="y has 2 labels: give class_weight a list with a dict"):
        MLPClassifier(class_weight={0: 2.0}).fit(X, labels)
    with pytest.raises(ValueError, match="a list of dicts is for multilabel y only"):
        MLPClassifier(class_weight=weights).fit(X, y)


# Interrupts and errors, and the estimator's attributes after them.


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_an_interrupt_warns_and_keeps_the_weights(solver, monkeypatch):
    def press(line):
        if line["epoch"] == 3:
            raise KeyboardInterrupt

    printer = "IterationPrinter" if solver == "lbfgs" else "SolverPrinter"
    monkeypatch.setattr(f"skdeep.estimators.printing.{printer}.__call__", lambda self, line: press(line))
    model = MLPClassifier(solver=solver, verbose=True, random_state=0)
    with pytest.warns(UserWarning, match="Training interrupted by user"):
        model.fit(X, y)
    assert model.n_iter_ >= 3
    assert np.isfinite(model.loss_)
    assert model.predict(X).shape == (150,)


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_weights_that_are_not_finite_raise_and_leave_the_earlier_fit(solver):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = MLPRegressor(**SMALL | {"solver": solver, "warm_start": True}).fit(XR, yr)
        before = model.predict(XR)
        with pytest.raises(NonFiniteLossError, match="Solver produced non-finite parameter weights"):
            model.fit(XR * 1e200, yr)
    assert issubclass(NonFiniteLossError, ValueError)
    np.testing.assert_array_equal(model.predict(XR), before)


def test_early_stopping_keeps_the_best_weights_of_a_diverging_training():
    model = MLPRegressor(solver="sgd", learning_rate_init=1.0, early_stopping=True, random_state=0)
    with pytest.warns(ConvergenceWarning, match="became NaN or infinite in iteration"):
        model.fit(XR * 10, yr)
    assert np.isfinite(model.predict(XR)).all()
    assert np.isnan(model.validation_scores_[-1])


BAD = {
    "activation": ({"activation": "rleu"}, UnknownComponentError, "Did you mean 'relu'"),
    "solver": ({"solver": "adamv"}, UnknownComponentError, "Unknown optimizer 'adamv'"),
    "loss": ({"loss": "log_los"}, UnknownComponentError, "Unknown loss 'log_los'"),
    "loss of another task": ({"loss": "huber"}, ValueError, "does not serve multiclass targets.*'log_loss'"),
    "width 0": ({"hidden_layer_sizes": (5, 0)}, ValueError, r"must be > 0, got \[5, 0\]"),
    "half a width": ({"hidden_layer_sizes": (2.5,)}, ValueError, r"must be integers, got \[2.5\]"),
    "dropout": ({"dropout": 1.0}, ValueError, "The 'dropout' parameter of MLPClassifier must be"),
    "dropout with lbfgs": ({"dropout": 0.1, "solver": "lbfgs"}, ValueError, "dropout or normalization='batch'"),
    "learning_rate": ({"learning_rate": 0.1}, ValueError, "The 'learning_rate' parameter of MLPClassifier must be"),
    "no validation rows": (
        {"early_stopping": True, "validation_fraction": 0.0},
        ValueError,
        "set validation_fraction above 0",
    ),
    "validation rows": (
        {"early_stopping": True, "validation_fraction": 0.005},
        ValueError,
        "validation set is too small",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_parameters(name):
    params, error, message = BAD[name]
    with pytest.raises(error, match=message):
        MLPClassifier(**params).fit(X, y)


@quiet
def test_bad_input():
    model = MLPClassifier(**SMALL).fit(X, y)
    with pytest.raises(ValueError, match="Negative values in data passed to `sample_weight`"):
        model.fit(X, y, -np.ones(150))
    with pytest.raises(ValueError, match="at least one"):
        model.fit(X, y, np.zeros(150))
    with pytest.raises(ValueError, match="classes must be passed on the first call to partial_fit"):
        MLPClassifier().partial_fit(X, y)
    with pytest.raises(ValueError, match="is not the same as on last call to partial_fit"):
        model.partial_fit(X, y, classes=[0, 1, 5])
    with pytest.raises(ValueError, match="has classes not in `self.classes_`"):
        model.partial_fit(X, y + 1)
    with pytest.raises(AttributeError, match="has no attribute 'partial_fit'") as caught:
        MLPClassifier(solver="lbfgs").partial_fit(X, y)
    assert "lbfgs is not stochastic" in str(caught.value.__cause__)
    with pytest.raises(ValueError, match=r"cannot continue from coefs_ of shapes \[\(4, 8\), \(8, 3\)\]"):
        model.set_params(warm_start=True, hidden_layer_sizes=9).fit(X, y)
    assert model.set_params(hidden_layer_sizes=8).fit(X, y).score(X, y) > 0.9
    model.intercepts_[0] = np.zeros(5)
    with pytest.raises(ValueError, match=r"cannot continue from intercepts_ of shapes \[\(5,\), \(3,\)\]"):
        model.fit(X, y)
    with pytest.raises(ValueError, match="needs y >= 0"):
        MLPRegressor("poisson").fit(XR, yr)
    with pytest.raises(ValueError, match="y has 2 outputs, but MLPRegressor was fitted on 1"):
        MLPRegressor().partial_fit(XR, yr).partial_fit(XR, np.c_[yr, yr])


def test_a_batch_larger_than_the_rows_is_clipped_with_a_warning():
    with pytest.warns(UserWarning, match="going to be clipped"):
        MLPClassifier(**SMALL | {"batch_size": 500, "tol": 10.0, "n_iter_no_change": 1}).fit(X, y)


@quiet
def test_one_class():
    model = MLPClassifier(**SMALL).fit(X, np.full(150, "only"))
    assert model.classes_.tolist() == ["only"]
    assert set(model.predict(X)) == {"only"}
    np.testing.assert_array_equal(model.predict_proba(X), np.ones((150, 1)))
    model = MLPClassifier(**SMALL | {"early_stopping": True}).fit(X, np.full(150, "only"))
    assert set(model.validation_scores_) == {1.0}  # whatever the raw outputs: it always predicts the one class


@quiet
@pytest.mark.parametrize(("assigned", "trained"), [(np.float16, np.float32), (np.int64, np.float64)])
def test_weights_assigned_in_another_dtype(assigned, trained):
    model = MLPClassifier(**SMALL).fit(X.astype(np.float32), y)
    model.coefs_ = [np.round(4 * coef).astype(assigned) for coef in model.coefs_]
    model.intercepts_ = [np.zeros(len(b), assigned) for b in model.intercepts_]
    assert np.isfinite(model.predict_proba(X.astype(np.float32))).all()
    assert model.partial_fit(X, y).coefs_[0].dtype == trained


def test_no_dropout_at_all_trains_with_lbfgs():
    params = {"solver": "lbfgs", "hidden_layer_sizes": (4,), "max_iter": 500, "random_state": 0}
    none, zero = (MLPClassifier(dropout=dropout, **params).fit(X, y) for dropout in (None, 0.0))
    np.testing.assert_allclose(zero.loss_, none.loss_)
