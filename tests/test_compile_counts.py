"""Counts of traces and compiles: a new number needs no new compile, new structure does."""

from __future__ import annotations

import copy
import functools
import pickle

import flax.linen as nn
import numpy as np
import optax
import pytest
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.model_selection import GridSearchCV, KFold

import skdeep
from skdeep import DeepClassifier, DeepRegressor
from skdeep.losses import CrossEntropy, Focal
from skdeep.networks import MLP
from skdeep.optimizers import AdamW
from skdeep.schedules import WarmupCosine

X, y = make_classification(n_samples=96, n_features=6, n_informative=4, n_classes=3, random_state=0)
SMALL = {"network": MLP(widths=(8,)), "max_epochs": 2, "tol": None}


class Net(nn.Module):
    act: object = nn.relu
    n_outputs: int | None = None

    @nn.compact
    def __call__(self, x):
        return nn.Dense(self.n_outputs)(self.act(nn.Dense(8)(x)))


class OwnNet(skdeep.Module):
    act: object = nn.relu
    n_outputs: int | None = None

    @nn.compact
    def __call__(self, x):
        return nn.Dense(self.n_outputs)(self.act(nn.Dense(8)(x)))


def training_compiles(fits):
    skdeep.clear_cache()
    for estimator, rows in fits:
        estimator.fit(X[:rows], y[:rows])
    return skdeep.compile_counts()["train_block"]


def variants(name, values, **params):
    return [(DeepClassifier(**{**SMALL, **params}).set_params(**{name: value}), 96) for value in values]


NUMBERS = {
    "learning_rate": ("learning_rate", [1, 0.1, np.float32(0.1), np.float64(0.01), np.int64(1)]),
    "seed": ("random_state", [0, 1, None]),
    "max_epochs": ("max_epochs", [1, 2, 5]),
    "tol": ("tol", [0, 1e-3, 1.0], {"tol": 0.1, "max_epochs": 3}),
    "n_iter_no_change": ("n_iter_no_change", [1, 5], {"tol": 0.0}),
    "class_weight": ("class_weight", [None, "balanced", {0: 2.0}]),
    "l1": ("l1", [0, 0.1, 1e-3]),
    "l2": ("l2", [0, 0.1, 1e-3]),
    "clip_norm": ("clip_norm", [1, 0.5]),
    "dropout": ("network__dropout_rate", [0.0, 0, 0.5, True * 0.25]),
    "label_smoothing": ("loss__label_smoothing", [0, 0.1]),
    "gamma": ("loss__gamma", [0, 1, 2.5], {"loss": "focal"}),
    "b1": ("optimizer__b1", [0.8, 0.9, 0]),
    "weight_decay": ("optimizer__weight_decay", [0, 0.1], {"optimizer": "adamw"}),
    "warmup": ("schedule__warmup_fraction", [0.1, 0.3], {"schedule": "warmup_cosine"}),
    "verbose": ("verbose", [0, 1]),
    "optimizer objects": ("optimizer", [AdamW(weight_decay=w) for w in (0, 0.1, 1)]),
    "loss objects": ("loss", [Focal(gamma=g) for g in (0, 0.1, 1)]),
}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("case", NUMBERS.values(), ids=NUMBERS.keys())
def test_a_new_number_needs_no_new_compile(case, capsys):
    name, values, *params = case
    assert training_compiles(variants(name, values, **(params[0] if params else {}))) == (1, 1)


def test_clones_repeated_fits_and_row_counts_of_one_padded_size_share_a_program():
    model = DeepClassifier(**SMALL)
    fits = [(model, 96), (model, 96), (clone(model), 96), (copy.deepcopy(model), 90), (clone(model), 70)]
    assert training_compiles(fits) == (1, 1)


def test_new_structure_needs_a_new_compile():
    fits = [(DeepClassifier(**SMALL), 96), (DeepClassifier(**SMALL | {"network": MLP(widths=(9,))}), 96)]
    assert training_compiles(fits) == (2, 2)


class OwnFocal(skdeep.Loss):
    """The computation of the built-in loss `focal` in a class of another name and module, as in a plugin."""

    gamma: float = 2.0
    tasks = ("binary", "multiclass", "multilabel")
    probabilistic = True

    def __call__(self, raw, target):
        return Focal.__call__(self, raw, target)


@pytest.mark.usefixtures("fresh_registry")
def test_a_plugins_loss_that_equals_a_built_in_one_lowers_to_the_same_text():
    """The second program is traced, because its structure is new, but not compiled, because its text is known."""
    skdeep.register("loss", "own_focal")(OwnFocal)
    fits = [(DeepClassifier(**SMALL, loss=loss), 96) for loss in ("focal", "own_focal")]
    assert training_compiles(fits) == (2, 1)


def test_folds_of_unequal_length_share_a_program():
    skdeep.clear_cache()
    grid = {"learning_rate": [0.1, 0.01, 1e-3]}
    GridSearchCV(DeepClassifier(**SMALL), grid, cv=KFold(7), refit=False).fit(X[:95], y[:95])
    counts = skdeep.compile_counts()
    assert counts["train_block"] == (1, 1)
    assert counts["predict_block"] == (1, 1)


def test_objects_as_candidates_of_a_grid_share_a_program():
    skdeep.clear_cache()
    grid = {
        "loss": [CrossEntropy(), CrossEntropy(label_smoothing=0.1)],
        "optimizer": [AdamW(), AdamW(b1=0.5)],
        "schedule": [WarmupCosine(), WarmupCosine(final=0.1)],
        "network": [MLP(widths=(8,), dropout_rate=0.0), MLP(widths=(8,), dropout_rate=0.1)],
    }
    GridSearchCV(DeepClassifier(**SMALL), grid, cv=2, refit=False).fit(X, y)
    assert skdeep.compile_counts()["train_block"] == (1, 1)


@pytest.mark.parametrize(("network", "traces"), [(OwnNet(), 1), (OwnNet(act=nn.silu), 1)])
def test_own_module_with_a_jitted_activation_is_traced_once(network, traces):
    skdeep.clear_cache()
    model = DeepClassifier(**SMALL | {"network": network})
    GridSearchCV(model, {"learning_rate": [0.1, 0.01]}, cv=3, refit=False).fit(X, y)
    assert skdeep.compile_counts()["train_block"] == (traces, 1)


def test_raw_linen_module_whose_deep_copies_are_unequal_compiles_once():
    assert copy.deepcopy(Net()) != Net() or copy.deepcopy(nn.relu) is nn.relu
    skdeep.clear_cache()
    model = DeepClassifier(**SMALL | {"network": Net()})
    GridSearchCV(model, {"learning_rate": [0.1, 0.01]}, cv=3, refit=False).fit(X, y)
    assert skdeep.compile_counts()["train_block"].compiles == 1
    assert skdeep.compile_counts()["predict_block"].compiles == 1


@pytest.mark.parametrize(
    "optimizer",
    [functools.partial(optax.adam, b1=0.8), optax.adam, lambda rate: optax.sgd(rate, momentum=0.5)],
    ids=["partial", "function", "lambda"],
)
def test_optax_factories_compile_once_in_a_search(optimizer):
    skdeep.clear_cache()
    model = DeepClassifier(**SMALL | {"optimizer": optimizer})
    GridSearchCV(model, {"learning_rate": [0.1, 0.01]}, cv=3, refit=False).fit(X, y)
    assert skdeep.compile_counts()["train_block"] == (1, 1)


def test_partials_as_candidates_compile_once_each():
    skdeep.clear_cache()
    partials = [functools.partial(optax.adam, b1=0.8), functools.partial(optax.adam, b1=0.8)]
    GridSearchCV(DeepClassifier(**SMALL), {"optimizer": partials}, cv=3, refit=False).fit(X, y)
    assert skdeep.compile_counts()["train_block"] == (1, 1)


def test_unpickled_estimators_share_the_programs():
    skdeep.clear_cache()
    model = DeepClassifier(**SMALL).fit(X, y)
    model.predict(X)
    again = pickle.loads(pickle.dumps(model))
    again.predict(X)
    again.fit(X, y)
    assert {name: counts.compiles for name, counts in skdeep.compile_counts().items() if counts.compiles > 1} == {}
    assert skdeep.compile_counts()["train_block"] == (1, 1)


def test_predict_needs_no_new_compile_for_other_row_counts():
    skdeep.clear_cache()
    model = DeepRegressor(**SMALL).fit(X, X[:, 0])
    for rows in (1, 2, 50, 96):
        model.predict(X[:rows])
    large = np.repeat(X, 20, axis=0)
    for rows in (129, 1000, 1920):
        model.predict(large[:rows])
    counts = skdeep.compile_counts()
    assert (counts["predict_block"], counts["predict_blocks"]) == ((1, 1), (1, 1))


def test_partial_fit_and_early_stopping_compile_once_each():
    skdeep.clear_cache()
    model = DeepClassifier(**SMALL)
    for rows in (70, 80, 96):
        model.partial_fit(X[:rows], y[:rows], classes=[0, 1, 2])
    assert skdeep.compile_counts()["train_block"] == (1, 1)
    skdeep.clear_cache()
    for fraction_rows in (90, 96):
        DeepClassifier(**SMALL | {"early_stopping": True}).fit(X[:fraction_rows], y[:fraction_rows])
    assert skdeep.compile_counts()["train_block"] == (1, 1)


def test_programs_with_host_callbacks_are_never_matched_by_text():
    import jax

    from skdeep.core.programs import Program

    def program_of(function):
        def calls_host(x):
            return jax.pure_callback(function, jax.ShapeDtypeStruct(x.shape, x.dtype), x)

        return Program(calls_host, name="calls_host")

    skdeep.clear_cache()
    x = np.ones(2, np.float32)
    outputs = [program_of(f)(x) for f in (lambda x: x + 1, lambda x: x + 2)]
    assert [np.asarray(output).tolist() for output in outputs] == [[2.0, 2.0], [3.0, 3.0]]
    assert skdeep.compile_counts()["calls_host"] == (2, 2)
