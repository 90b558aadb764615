"""Validation rows by groups, splitters, positions and masks."""

import itertools
import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import clone
from sklearn.metrics import log_loss
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    PredefinedSplit,
    ShuffleSplit,
    TimeSeriesSplit,
    cross_validate,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdeep import DeepClassifier
from skdeep.estimators.prepare import prepare
from skdeep.estimators.training import FitData
from skdeep.networks import MLP

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3))
Y = (X[:, 0] > 0).astype(int)
GROUPS = np.repeat(np.arange(12), 5)
SMALL = {"network": MLP(widths=(8,)), "max_epochs": 3, "tol": None, "random_state": 0, "early_stopping": True}


def sides(fraction, X=X, y=Y, **data):
    """Return the positions of training and validation rows, whose first value is unlike any other's."""
    job = prepare(DeepClassifier(**SMALL, validation_fraction=fraction), FitData(X, y, **data))
    order = {value: i for i, value in enumerate(np.float32(X[:, 0]))}
    return tuple(sorted(order[value] for value in rows.x[:, 0]) for rows in (job.rows, job.validation))


@pytest.mark.parametrize("splitter", [KFold(4), TimeSeriesSplit(5), ShuffleSplit(2, test_size=0.25, random_state=1)])
def test_the_split_with_the_most_training_rows_is_used(splitter):
    train, validation = max(reversed(list(splitter.split(X))), key=lambda split: len(split[0]))
    assert sides(splitter) == (sorted(train), sorted(validation))


def test_the_split_of_time_series_validates_on_the_latest_rows():
    assert sides(TimeSeriesSplit(5))[1] == list(range(50, 60))
    assert sides(TimeSeriesSplit(5, max_train_size=20))[1] == list(range(50, 60))  # several have 20 training rows


def test_splitters_get_groups():
    train, validation = sides(GroupKFold(4), groups=GROUPS)
    assert not set(GROUPS[train]) & set(GROUPS[validation])
    assert len(train) + len(validation) == 60


def test_whole_groups_are_held_out():
    train, validation = sides(0.2, groups=GROUPS)
    assert not set(GROUPS[train]) & set(GROUPS[validation])
    assert len(validation) == 10  # two groups of 5 are the nearest to 12 rows
    assert sides(0.2, groups=GROUPS) == (train, validation)
    assert len(sides(5, groups=GROUPS)[1]) == 5


def test_with_groups_a_weight_is_a_row_given_several_times():
    weight = np.random.default_rng(2).integers(0, 4, 60)
    repeated = np.repeat(np.arange(60), weight)
    model = DeepClassifier(**SMALL, validation_fraction=0.2)
    weighted = model.fit(X, Y, sample_weight=weight, groups=GROUPS).predict_proba(X)
    given = clone(model).fit(X[repeated], Y[repeated], groups=GROUPS[repeated]).predict_proba(X)
    np.testing.assert_array_equal(weighted, given)


def test_groups_may_be_text():
    names = np.array([f"g{i}" for i in GROUPS])
    assert sides(0.2, groups=names.tolist()) == sides(0.2, groups=names)


@pytest.mark.parametrize(
    "held_out",
    [
        np.array([3, 5, 59]),
        [3, 5, 59],
        np.isin(np.arange(60), [3, 5, 59]),
        (np.setdiff1d(np.arange(60), [3, 5, 59]), np.array([3, 5, 59])),
        PredefinedSplit(np.where(np.isin(np.arange(60), [3, 5, 59]), 0, -1)),
    ],
)
def test_positions_and_masks(held_out):
    assert sides(held_out)[1] == [3, 5, 59]
    assert len(sides(held_out)[0]) == 57


def test_rows_on_neither_side_are_not_used():
    assert sides(([0, 1, 2, 3, 4], [10, 11])) == ([0, 1, 2, 3, 4], [10, 11])


def test_equal_rows_are_merged_on_each_side():
    doubled = np.concatenate([X, X])
    job = prepare(
        DeepClassifier(**SMALL, validation_fraction=np.arange(60, 120)), FitData(doubled, np.concatenate([Y, Y]))
    )
    assert len(job.rows.target) == len(job.validation.target) == 60


def test_rows_of_weight_zero_are_dropped():
    weight = np.ones(60)
    weight[[3, 10]] = 0
    train, validation = sides(np.array([3, 5, 59]), sample_weight=weight)
    assert validation == [5, 59]
    assert 10 not in train


class RowsOfScorer:
    def __call__(self, estimator, X, y):
        self.rows = X
        return estimator.score(X, y)


def test_a_scorer_gets_the_held_out_rows_of_a_table():
    frame = pd.DataFrame({"a": X[:, 0], "c": np.where(Y, "yes", "no"), "g": X[:, 1]})
    frame.loc[4, "a"] = np.nan
    scorer = RowsOfScorer()
    model = DeepClassifier(**SMALL, validation_fraction=np.arange(10), scoring=scorer)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # of columns without names
        model.fit(frame, Y)
    pd.testing.assert_frame_equal(scorer.rows, frame.head(10))
    assert model.history_.val_score.notna().all()


@pytest.mark.parametrize(
    ("fraction", "data", "message"),
    [
        ([], {}, "leaves 60 of 60 rows to train on and 0 to validate on"),
        (np.arange(60), {}, "leaves 0 of 60 rows to train on and 60 to validate on"),
        (
            np.array([0, 60]),
            {},
            "The positions in validation_fraction of DeepClassifier must be from 0 to 59. Got 0 to 60.",
        ),
        (np.array([-1]), {}, "must be from 0 to 59. Got -1 to -1."),
        (np.array([1, 1]), {}, "The positions in validation_fraction of DeepClassifier have repeated values."),
        (np.ones(3, bool), {}, "must have one value per row, shape \\(60,\\). Got shape \\(3,\\)."),
        (([0, 1], [1, 2]), {}, "has 1 rows on both sides, the first at position 1."),
        (
            np.array([0.5, 0.5, 1]),
            {},
            "must be a number, a splitter, positions of the held-out rows, a mask, or a pair",
        ),
        ("a tenth", {}, "The 'validation_fraction' parameter of DeepClassifier must be"),
        (1.5, {}, "The 'validation_fraction' parameter of DeepClassifier must be"),
        (PredefinedSplit(np.full(60, -1)), {}, "yields no split"),
        (PredefinedSplit(np.arange(70) // 60 - 1), {}, "has the position 69, but there are 60 rows"),
        (GroupKFold(3), {}, "The 'groups' parameter should not be None."),
        (np.arange(7), {"groups": GROUPS}, "put rows of 1 groups on both sides, the first"),
        (0.2, {"groups": GROUPS[:-1]}, "Found input variables with inconsistent numbers of samples"),
        (0.2, {"groups": np.where(GROUPS == 1, np.nan, GROUPS)}, "groups has missing values. Give each row a group."),
        (0.2, {"groups": np.zeros((60, 2))}, "groups must have one dimension"),
        (0.2, {"groups": np.zeros(60)}, "leaves 0 of 60 rows to train on and 60 to validate on"),
    ],
)
def test_splits_that_cannot_be(fraction, data, message):
    model = DeepClassifier(**SMALL).fit(X, Y)
    before = model.predict_proba(X)
    with pytest.raises(ValueError, match=message):
        model.set_params(validation_fraction=fraction).fit(X, Y, **data)
    np.testing.assert_array_equal(model.predict_proba(X), before)


def test_parameters_that_are_objects():
    model = DeepClassifier(**SMALL, validation_fraction=GroupKFold(3))
    again = clone(pickle.loads(pickle.dumps(model)))
    assert again.validation_fraction.n_splits == 3
    again.fit(X, Y, groups=GROUPS)


def test_groups_come_by_metadata_routing():
    with sklearn.config_context(enable_metadata_routing=True):
        model = DeepClassifier(**SMALL, validation_fraction=GroupKFold(3)).set_fit_request(groups=True)
        pipeline = make_pipeline(StandardScaler(), model)
        scores = cross_validate(pipeline, X, Y, params={"groups": GROUPS}, cv=GroupKFold(2), error_score="raise")
        assert len(scores["test_score"]) == 2
        search = GridSearchCV(model, {"learning_rate": [0.1, 0.01]}, cv=GroupKFold(2), error_score="raise")
        assert search.fit(X, Y, groups=GROUPS).best_score_ > 0


def loss_on(model, X, y):
    """Return the log loss of predictions, as scikit-learn computes it."""
    return log_loss(y, model.predict_proba(X), labels=[0, 1])


def rows_in_clumps(n, seed):
    """Return 10 nearly equal rows of one label for each of `n` clumps; only the first column says something of other clumps."""
    rng = np.random.default_rng(seed)
    signal, context = rng.normal(size=n), rng.normal(size=(n, 30))
    label = (signal + rng.normal(size=n) > 0).astype(int)
    clump = np.repeat(np.arange(n), 10)
    rows = np.column_stack([signal, context])[clump] + 0.05 * rng.normal(size=(10 * n, 31))
    return rows, label[clump], clump


LONG = {"l2": None, "learning_rate": 0.003, "max_epochs": 60, "tol": None, "early_stopping": True, "random_state": 0}


def test_leaking_groups_mislead_a_random_split():
    """Rows of one group on both sides reward learning the groups by heart, which does not help with new groups."""
    rows, y, group = rows_in_clumps(150, seed=1)
    known, new = slice(0, 400), slice(400, None)
    by_chance = DeepClassifier(**LONG, validation_fraction=0.25).fit(rows[known], y[known])
    by_group = DeepClassifier(**LONG, validation_fraction=0.25).fit(rows[known], y[known], groups=group[known])
    assert by_chance.history_.val_loss.min() < 0.1  # it promises to be almost perfect
    assert loss_on(by_chance, rows[new], y[new]) > 0.9
    assert by_group.history_.val_loss.min() > 0.3
    assert by_group.best_epoch_ < by_chance.best_epoch_ / 2
    assert loss_on(by_group, rows[new], y[new]) < loss_on(by_chance, rows[new], y[new]) - 0.2


def test_drift_in_time_misleads_a_random_split():
    """Ten rows per period, whose circumstances determine y and never return: a random split learns the periods by heart."""
    rows, y, _ = rows_in_clumps(150, seed=0)
    past, future = slice(0, 600), slice(600, None)
    by_chance = DeepClassifier(**LONG, validation_fraction=0.2).fit(rows[past], y[past])
    in_time = DeepClassifier(**LONG, validation_fraction=TimeSeriesSplit(4)).fit(rows[past], y[past])
    assert by_chance.history_.val_loss.min() < 0.1
    assert in_time.history_.val_loss.min() > 0.3
    assert in_time.best_epoch_ < by_chance.best_epoch_ / 2
    assert loss_on(in_time, rows[future], y[future]) < loss_on(by_chance, rows[future], y[future]) - 0.3


# Tables with few distinct rows.

# Applicants of Berkeley's graduate schools in 1973, by department: men admitted and rejected, women admitted and rejected.
# Bickel, Hammel and O'Connell, "Sex bias in graduate admissions" (Science, 1975).
ADMISSIONS = {
    "A": (512, 313, 89, 19),
    "B": (353, 207, 17, 8),
    "C": (120, 205, 202, 391),
    "D": (138, 279, 131, 244),
    "E": (53, 138, 94, 299),
    "F": (22, 351, 24, 317),
}
CELLS = pd.DataFrame(
    [
        (department, sex, admitted, n)
        for department, counts in ADMISSIONS.items()
        for (sex, admitted), n in zip(itertools.product("mf", (1, 0)), counts, strict=True)
    ],
    columns=["department", "sex", "admitted", "n"],
)
SHORT = {"early_stopping": True, "max_epochs": 60, "tol": None, "random_state": 0}


def test_rows_with_one_x_and_several_targets_are_divided():
    """Were all admitted applicants of a cell held out, training would teach that it admits nobody."""
    columns, weight = CELLS[["department", "sex"]], CELLS.n
    model = DeepClassifier(**SHORT).fit(columns, CELLS.admitted, weight)
    admitted = CELLS.n.where(CELLS.admitted == 1, 0).to_numpy().reshape(-1, 2).sum(axis=1)
    rate = admitted / CELLS.n.to_numpy().reshape(-1, 2).sum(axis=1)
    assert np.abs(model.predict_proba(columns[::2])[:, 1] - rate).max() < 0.12
    again = CELLS.loc[CELLS.index.repeat(CELLS.n)].sample(frac=1, random_state=0)
    each = DeepClassifier(**SHORT).fit(again[["department", "sex"]], again.admitted)
    np.testing.assert_array_equal(each.predict_proba(columns), model.predict_proba(columns))


def test_a_scorer_gets_both_targets_of_an_x():
    seen = []
    each = CELLS.loc[CELLS.index.repeat(CELLS.n)]
    model = DeepClassifier(**SHORT | {"max_epochs": 1}, scoring=lambda e, X, y: seen.append((X, y)) or 0.5)
    model.fit(each[["department", "sex"]], each.admitted)
    rows, y = seen[-1]
    assert len(y) == pytest.approx(0.1 * CELLS.n.sum(), abs=1)
    targets = pd.Series(np.asarray(y)).groupby([np.asarray(rows.department), np.asarray(rows.sex)]).nunique()
    assert (targets == 2).sum() >= 10


@pytest.mark.parametrize("copies", [15, [15, 30, 5]])
def test_if_each_class_has_one_distinct_row_copies_are_held_out(copies):
    colour = pd.DataFrame({"colour": ["red", "green", "blue"]})
    taste = np.array(["sweet", "sour", "salty"])
    position = np.repeat(np.arange(3), copies)
    model = DeepClassifier(**SHORT, learning_rate=0.01).fit(colour.iloc[position], taste[position])
    assert model.predict(colour).tolist() == taste.tolist()
    weighted = DeepClassifier(**SHORT, learning_rate=0.01).fit(colour, taste, np.broadcast_to(copies, 3))
    np.testing.assert_array_equal(weighted.predict_proba(colour), model.predict_proba(colour))


def test_three_rows_of_three_classes_cannot_be_divided():
    with pytest.raises(ValueError, match="n_samples=3 distinct rows, which leaves 3 to train on and 0 to validate on"):
        DeepClassifier(early_stopping=True).fit(np.eye(3), [0, 1, 2])
    with pytest.raises(ValueError, match="leaves 0 to train on and 4 to validate on"):
        DeepClassifier(early_stopping=True, shuffle=False, validation_fraction=4).fit(
            np.eye(3)[[0, 0, 1, 2]], [0, 0, 1, 2]
        )
