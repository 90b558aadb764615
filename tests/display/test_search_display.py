"""SearchDisplay: lines and points hold the scores of cv_results_, for all searches of scikit-learn."""

from __future__ import annotations

import re

import numpy as np
import pytest
from scipy.stats import loguniform
from sklearn.datasets import load_diabetes
from sklearn.exceptions import NotFittedError
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV, HalvingRandomSearchCV, RandomizedSearchCV
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from skdeep.display import SearchDisplay

X, Y = load_diabetes(return_X_y=True)
ALPHAS = [1e-3, 1e-2, 1e-1, 1.0]


@pytest.fixture(scope="module")
def grid():
    model = make_pipeline(StandardScaler(), Ridge())
    return GridSearchCV(model, {"ridge__alpha": ALPHAS, "ridge__fit_intercept": [True, False]}, cv=3, scoring="r2").fit(
        X, Y
    )


def fold_scores(search, metric="score"):
    """Return the scores of the folds `(candidates, folds)`."""
    keys = [key for key in search.cv_results_ if re.fullmatch(rf"split\d+_test_{metric}", key)]
    return np.stack([search.cv_results_[key] for key in keys], axis=1)


def legend_of(shown):
    return [text.get_text() for text in shown.ax_.get_legend().get_texts()]


def test_a_grid_has_a_line_per_value_of_the_other_parameters(grid):
    shown = SearchDisplay.from_search(grid)
    scores = fold_scores(grid)
    assert shown.param == "ridge__alpha"
    assert list(shown.lines_) == ["fit_intercept=True", "fit_intercept=False"]
    for intercept in (True, False):
        rows = [k for k, p in enumerate(grid.cv_results_["params"]) if p["ridge__fit_intercept"] is intercept]
        line, band = shown.lines_[f"fit_intercept={intercept}"], shown.spread_[f"fit_intercept={intercept}"]
        np.testing.assert_array_equal(line.get_xdata(), ALPHAS)
        np.testing.assert_allclose(line.get_ydata(), scores[rows].mean(axis=1))
        lowest = (scores[rows].mean(axis=1) - scores[rows].std(axis=1)).min()
        np.testing.assert_allclose(band.get_paths()[0].vertices[:, 1].min(), lowest)
    assert shown.ax_.get_xscale() == "log"
    assert shown.ax_.get_xlabel() == "alpha"
    assert shown.ax_.get_ylabel() == "r2\n(mean and standard deviation of 3 folds)"
    assert shown.note_ is None


def test_the_star_is_at_the_best_candidate(grid):
    shown = SearchDisplay.from_search(grid, "alpha")
    assert shown.best_.get_xdata() == [grid.best_params_["ridge__alpha"]]
    np.testing.assert_allclose(shown.best_.get_ydata(), [grid.best_score_])
    assert legend_of(shown)[-1] == f"best: {grid.best_score_:.3g} at alpha={grid.best_params_['ridge__alpha']:.3g}"


def test_values_that_are_no_numbers_are_positions(grid):
    shown = SearchDisplay.from_search(grid, "ridge__fit_intercept")
    assert [label.get_text() for label in shown.ax_.get_xticklabels()] == ["True", "False"]
    assert list(shown.lines_) == [f"alpha={alpha:g}" for alpha in ALPHAS]
    for line in shown.lines_.values():
        assert line.get_linestyle() == "None"
        np.testing.assert_array_equal(np.round(line.get_xdata()), [0, 1])
    assert round(shown.best_.get_xdata()[0]) == int(not grid.best_params_["ridge__fit_intercept"])


def test_random_candidates_are_points():
    spaces = {"alpha": loguniform(1e-4, 1.0), "tol": loguniform(1e-6, 1e-2), "fit_intercept": [True, False]}
    search = RandomizedSearchCV(Ridge(), spaces, n_iter=12, cv=2, random_state=0).fit(X, Y)
    shown = SearchDisplay.from_search(search, "alpha")
    scores = fold_scores(search)
    assert set(shown.lines_) == {"fit_intercept=True", "fit_intercept=False"}
    drawn = {x: y for line in shown.lines_.values() for x, y in zip(*line.get_data(), strict=True)}
    expected = {p["alpha"]: mean for p, mean in zip(search.cv_results_["params"], scores.mean(axis=1), strict=True)}
    assert drawn.keys() == expected.keys()
    np.testing.assert_allclose([drawn[x] for x in expected], list(expected.values()))
    ends = {tuple(segment[:, 1]) for spread in shown.spread_.values() for segment in spread.get_segments()}
    limits = zip(scores.mean(axis=1) - scores.std(axis=1), scores.mean(axis=1) + scores.std(axis=1), strict=True)
    np.testing.assert_allclose(sorted(ends), sorted(limits))
    assert shown.ax_.get_xscale() == "log"
    assert all(line.get_linestyle() == "None" for line in shown.lines_.values())


@pytest.mark.parametrize("is_random", [False, True])
def test_halving_has_a_group_per_number_of_resources(is_random):
    if is_random:
        search = HalvingRandomSearchCV(Ridge(), {"alpha": loguniform(1e-3, 1.0)}, n_candidates=6, cv=2, random_state=0)
    else:
        search = HalvingGridSearchCV(
            Ridge(), {"alpha": np.geomspace(1e-3, 1.0, 6)}, cv=2, min_resources=40, random_state=0
        )
    search.fit(X, Y)
    shown = SearchDisplay.from_search(search)
    numbers = dict.fromkeys(search.cv_results_["n_resources"].tolist())
    assert len(numbers) > 1
    assert list(shown.lines_) == [f"n_resources={n}" for n in numbers]
    for n in numbers:
        rows = np.flatnonzero(search.cv_results_["n_resources"] == n)
        line = shown.lines_[f"n_resources={n}"]
        expected = sorted((search.cv_results_["params"][k]["alpha"], fold_scores(search)[k].mean()) for k in rows)
        np.testing.assert_allclose(np.transpose(line.get_data()), expected)
    np.testing.assert_allclose(shown.best_.get_ydata(), [search.best_score_])


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.FitFailedWarning")
@pytest.mark.filterwarnings("ignore:One or more of the test scores")
@pytest.mark.filterwarnings("ignore:Scoring failed")
def test_candidates_without_a_score_are_left_out_with_a_note():
    search = GridSearchCV(KNeighborsRegressor(), {"n_neighbors": [1, 10, 100_000]}, cv=2).fit(X, Y)
    shown = SearchDisplay.from_search(search)
    np.testing.assert_array_equal(shown.lines_[""].get_xdata(), [1, 10])
    assert shown.note_.get_text() == "left out: 1 without a score (of 3 candidates)"
    failed = GridSearchCV(KNeighborsRegressor(), {"n_neighbors": [100_000]}, cv=2, refit=False).fit(X, Y)
    with pytest.raises(
        ValueError, match="^No candidate has both a value of 'n_neighbors' and a score. 1 of 1 candidates have no"
    ):
        SearchDisplay.from_search(failed)


def test_candidates_without_the_parameter_are_left_out_with_a_note():
    search = GridSearchCV(Ridge(), [{"alpha": [0.1, 1.0]}, {"fit_intercept": [True, False]}], cv=2).fit(X, Y)
    shown = SearchDisplay.from_search(search, "alpha")
    np.testing.assert_array_equal(shown.lines_[""].get_xdata(), [0.1, 1.0])
    assert shown.note_.get_text() == "left out: 2 without alpha (of 4 candidates)"


def test_no_star_if_the_best_candidate_is_left_out():
    results = {
        "params": [{"a": 1}, {"b": 2}],
        "param_a": np.ma.array([1, 0], mask=[False, True]),
        "param_b": np.ma.array([0, 2], mask=[True, False]),
        "mean_test_score": np.array([0.1, 0.9]),
        "std_test_score": np.array([0.0, 0.0]),
    }
    assert SearchDisplay(results, param="a", best_index=1).plot().best_ is None
    assert SearchDisplay(results, param="a").plot().best_.get_ydata() == [0.1]


def test_several_scorers():
    options = {"scoring": ["r2", "neg_mean_absolute_error"], "cv": 2}
    search = GridSearchCV(Ridge(), {"alpha": ALPHAS}, refit="r2", **options).fit(X, Y)
    shown = SearchDisplay.from_search(search)
    np.testing.assert_allclose(shown.lines_[""].get_ydata(), fold_scores(search, "r2").mean(axis=1))
    assert shown.best_.get_xdata() == [search.best_params_["alpha"]]
    errors = fold_scores(search, "neg_mean_absolute_error").mean(axis=1)
    other = SearchDisplay.from_search(search, metric="neg_mean_absolute_error")
    np.testing.assert_allclose(other.lines_[""].get_ydata(), errors)
    assert other.best_.get_xdata() == [ALPHAS[int(np.argmax(errors))]]
    assert other.ax_.get_ylabel().startswith("neg_mean_absolute_error\n")
    with pytest.raises(
        ValueError,
        match=re.escape("must be one of ['r2', 'neg_mean_absolute_error'], the scores of the search. Got 'f1'"),
    ):
        SearchDisplay.from_search(search, metric="f1")
    unnamed = GridSearchCV(Ridge(), {"alpha": ALPHAS}, refit=False, **options).fit(X, Y)
    with pytest.raises(
        ValueError, match=r"^The search has several scorers: give the 'metric' parameter of SearchDisplay.from_search"
    ):
        SearchDisplay.from_search(unnamed)


@pytest.mark.parametrize(
    ("values", "scale"), [([0.1, 0.2, 0.3], "linear"), ([0.0, 1e-4, 1e-3, 1e-2], "symlog"), (["mean", 1], "linear")]
)
def test_the_scale_of_the_parameter(values, scale):
    n = len(values)
    results = {
        "params": [{"a": value} for value in values],
        "param_a": values,
        "mean_test_score": np.arange(n),
        "std_test_score": np.ones(n),
    }
    shown = SearchDisplay(results).plot()
    assert shown.ax_.get_xscale() == scale
    assert SearchDisplay(results).plot(kind="points").lines_[""].get_linestyle() == "None"


def test_components_are_categories():
    scalers = [StandardScaler(), MinMaxScaler()]
    search = GridSearchCV(make_pipeline(StandardScaler(), Ridge()), {"standardscaler": scalers}, cv=2).fit(X, Y)
    shown = SearchDisplay.from_search(search)
    assert [label.get_text() for label in shown.ax_.get_xticklabels()] == ["StandardScaler()", "MinMaxScaler()"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"param": "alfa"},
         "The 'param' parameter of SearchDisplay must be a parameter of the search. Got 'alfa' instead. Did "
         "you mean 'alpha'? The parameters are ridge__alpha, ridge__fit_intercept."),
        ({"metric": "f1"}, "The 'metric' parameter of SearchDisplay must be one of ['score'], the scores of the search. Got 'f1' instead."),
        ({"kind": "bars"}, "The 'kind' parameter of SearchDisplay.plot must be one of ('auto', 'lines', 'points'). Got 'bars' instead."),
        ({"xscale": "square"}, "The 'xscale' parameter of SearchDisplay.plot must be one of ('auto', 'linear', 'log'). Got 'square' instead."),
    ],
)  # fmt: skip
def test_wrong_arguments(grid, options, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        SearchDisplay.from_search(grid, **options)


def test_wrong_objects():
    with pytest.raises(NotFittedError, match="^This GridSearchCV instance is not fitted yet"):
        SearchDisplay.from_search(GridSearchCV(Ridge(), {"alpha": [1.0]}))
    with pytest.raises(
        TypeError, match="^SearchDisplay needs a search with cv_results_. Got LinearRegression instead.$"
    ):
        SearchDisplay.from_search(LinearRegression().fit(X, Y))
