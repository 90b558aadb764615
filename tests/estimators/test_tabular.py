"""TabularClassifier and TabularRegressor: presets, what may be overridden, and what fit leaves as it was."""

import itertools

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdeep import DeepClassifier, DeepRegressor, TabularClassifier, TabularRegressor
from skdeep.losses import AbsoluteError, CrossEntropy, SquaredError, ZeroOne
from skdeep.networks import MLP, RealMLP
from skdeep.optimizers import SGD
from skdeep.records import Task
from skdeep.tables.presets import LARGE, PRESETS, SCALINGS, TableTask

SHORT = {"max_epochs": 4, "tol": None, "random_state": 0}
RNG = np.random.default_rng(0)
FRAME = pd.DataFrame(
    {
        "n": RNG.normal(size=120),
        "c": RNG.choice(list("abc"), 120),
        "many": RNG.choice([f"level {i}" for i in range(12)], 120),
    }
)
FRAME.loc[::9, "n"] = np.nan
Y = np.where(FRAME.c == "a", "yes", "no")

BINARY = TableTask(Task("binary", 2), 1000, 3, (3, 12, 1))
REGRESSION = TableTask(Task("regression", 1), 1000, 3)


@pytest.mark.parametrize("task", [BINARY, REGRESSION, TableTask(Task("multiclass", 3), LARGE, 0, (5,))])
@pytest.mark.parametrize("preset", PRESETS)
def test_presets_are_parameters_of_the_deep_estimators(preset, task):
    params = PRESETS[preset](task)
    cls = DeepRegressor if task.is_regression else DeepClassifier
    cls(**params)._check_parameters(False)
    assert params["numeric_scaling"] == SCALINGS[preset]


def test_the_settings_of_realmlp():
    """Values of table 3 of arXiv 2407.04491."""
    params = PRESETS["realmlp"](BINARY)
    assert params["network"].replace(dropout_schedule=None) == RealMLP()
    assert params["learning_rate"] == 0.04
    assert params["loss"] == CrossEntropy(label_smoothing=0.1, binary_outputs=2)
    assert params["scoring"] == ZeroOne()
    groups = {group.name: (group.rate, group.decay) for group in params["optimizer"].groups}
    assert groups["scale"] == (6.0, 36.0)
    assert groups["bias"] == (0.1, 0.0)
    assert groups["embedding"] == (1.0, 1.0)
    params = PRESETS["realmlp"](REGRESSION)
    assert (params["network"].activation, params["learning_rate"]) == ("mish", 0.2)
    assert params["loss"] == params["scoring"] == SquaredError()


def test_large_tables_have_other_settings():
    large = PRESETS["realmlp"](TableTask(Task("binary", 2), LARGE, 3))
    assert len(large["network"].widths) == 4
    assert large["loss"].uses_progress


@pytest.mark.parametrize("metric", ["log_loss", "roc_auc"])
def test_metrics_of_probabilities_have_no_label_smoothing(metric):
    params = PRESETS["realmlp"](TableTask(Task("binary", 2), 1000, 3, metric=metric))
    assert params["loss"] == params["scoring"] == CrossEntropy(binary_outputs=2)
    assert PRESETS["realmlp"](TableTask(Task("regression", 1), 1000, 3, metric="mae"))["scoring"] == AbsoluteError()


@pytest.mark.parametrize("preset", PRESETS)
def test_tables_with_gaps_and_categories(preset):
    model = TabularClassifier(preset=preset, **SHORT).fit(FRAME, Y)
    assert model.predict_proba(FRAME).shape == (120, 2)
    assert model.preset_params_.keys() == PRESETS[preset](BINARY).keys()
    np.testing.assert_array_equal(model.classes_, ["no", "yes"])


COLUMNS = [["c"], ["many"], ["c", "many"], ["n"], ["same"]]
# RealMLP embeds one column and encodes another as one-hot; the other networks take both alike.
IN_THE_CAMPAIGN = (
    *(("fast", columns) for columns in (["c"], ["many"])),
    *(("tabm", columns) for columns in (["c"], ["many"])),
    *(("tabm_small", columns) for columns in (["c"], ["many"], ["n"], ["same"])),
)


@pytest.mark.parametrize(
    ("preset", "columns"),
    [
        pytest.param(*case, marks=pytest.mark.campaign) if case in IN_THE_CAMPAIGN else case
        for case in itertools.product(PRESETS, COLUMNS)
    ],
)
def test_tables_with_columns_of_one_kind(preset, columns):
    same = FRAME.assign(same=0.1)[columns]
    values = RNG.normal(size=120)
    model = TabularRegressor(preset=preset, **SHORT).fit(same, values)
    assert model.n_features_in_ == len(columns)
    assert np.abs(model.predict(same) - values.mean()).max() < 5 * values.std()


def test_fit_changes_no_parameter():
    model = TabularRegressor(**SHORT)
    before = model.get_params()
    model.fit(FRAME, np.arange(120.0))
    assert model.get_params() == before
    assert before["learning_rate"] == before["network"] == "auto"
    assert clone(model).get_params() == before


def test_a_preset_is_the_deep_estimator_with_these_parameters():
    model = TabularClassifier(**SHORT).fit(FRAME, Y)
    same = DeepClassifier(**{**model.preset_params_, **SHORT}, calibration="auto").fit(FRAME, Y)
    np.testing.assert_array_equal(model.predict_proba(FRAME), same.predict_proba(FRAME))


def test_keywords_override_the_preset():
    model = TabularClassifier(**SHORT, learning_rate=0.01, numeric_scaling="standard", loss="focal").fit(FRAME, Y)
    assert model.history_.learning_rate.max() <= 0.01
    assert type(model.loss_).__name__ == "Focal"
    assert model._encoding.table.scaling == "standard"


def test_another_network_gets_rates_that_suit_it():
    small = RealMLP(widths=(16,), numeric_features=None, parametric=False)
    model = TabularClassifier(**SHORT, network=small).fit(FRAME, Y)
    assert {group.name for group in model.optimizer_.groups} == {"bias", "embedding", "scale"}
    model = TabularClassifier(**SHORT, network=MLP(widths=(16,))).fit(FRAME, Y)
    assert model.preset_params_["learning_rate"] == 1e-3
    assert model.input_shape_ == (1 + 3 + 12 + 1,)


def test_an_optimizer_of_the_user_replaces_the_groups():
    model = TabularClassifier(**SHORT, optimizer="sgd").fit(FRAME, Y)
    assert isinstance(model.optimizer_, SGD)


def test_components_that_are_chosen_in_fit_have_no_fields_yet():
    with pytest.raises(ValueError, match="network='auto' has no fields of its own"):
        TabularClassifier().set_params(network__widths=(8,))
    model = TabularClassifier(network="realmlp").set_params(network__widths=(8,))
    assert model.network.widths == (8,)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"preset": "best"}, "The 'preset' parameter of TabularClassifier must be a str among"),
        ({"metric": "rmse"}, "The 'metric' parameter of TabularClassifier must be a str among"),
        ({"max_epochs": 0}, "The 'max_epochs' parameter of TabularClassifier must be"),
    ],
)
def test_invalid_parameters(params, message):
    with pytest.raises(ValueError, match=message):
        TabularClassifier(**params).fit(FRAME, Y)


def test_a_failed_fit_leaves_the_fitted_model_usable():
    model = TabularClassifier(**SHORT).fit(FRAME, Y)
    before = model.predict_proba(FRAME)
    with pytest.raises(ValueError, match="y contains NaN"):
        model.set_params(preset="fast").fit(FRAME, np.full(120, np.nan))
    np.testing.assert_array_equal(model.predict_proba(FRAME), before)


def test_partial_fit_is_not_for_presets_that_choose_an_epoch():
    assert not hasattr(TabularClassifier(), "partial_fit")


def test_a_search_over_presets():
    search = GridSearchCV(TabularClassifier(**SHORT), {"preset": ["realmlp", "fast"]}, cv=2).fit(FRAME, Y)
    assert search.best_score_ > 0.6


def test_defaults_are_better_than_a_linear_model_where_a_line_is_wrong():
    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    train, test, y_train, y_test = train_test_split(X, y, random_state=0)
    assert TabularClassifier(preset="fast", random_state=0).fit(train, y_train).score(test, y_test) > 0.94
    linear = make_pipeline(StandardScaler(), LogisticRegression()).fit(FRAME[["n"]].fillna(0), Y)
    assert TabularClassifier(**{**SHORT, "max_epochs": 40}).fit(FRAME, Y).score(FRAME, Y) > linear.score(
        FRAME[["n"]].fillna(0), Y
    )


def test_regression():
    X, y = load_diabetes(return_X_y=True, as_frame=True)
    train, test, y_train, y_test = train_test_split(X, y, random_state=0)
    # scikit-learn's ridge regression has R^2 = 0.36 here.
    model = TabularRegressor(preset="fast", max_epochs=128, random_state=0).fit(train, y_train)
    assert model.score(test, y_test) > 0.25


@pytest.mark.parametrize("cls", [TabularClassifier, TabularRegressor])
def test_tags_say_what_is_allowed(cls):
    tags = cls().__sklearn_tags__().input_tags
    assert tags.allow_nan
    assert not tags.sparse


def test_a_table_of_one_row_is_refused():
    with pytest.raises(ValueError, match="needs at least 2 classes in the rows of positive weight. Got 1 class"):
        TabularClassifier(**SHORT).fit(FRAME.iloc[[1]], Y[[1]])
    with pytest.raises(ValueError, match="holds out validation_fraction=0.2 of n_samples=1 distinct rows"):
        TabularRegressor(**SHORT).fit(FRAME.iloc[[1]], [1.0])


def test_realmlp_limits_predictions_of_a_regressor_to_the_range_of_y():
    X = np.linspace(0, 1, 80)[:, None]
    y = 5 + 3 * X[:, 0]
    far = np.array([[-50.0], [50.0]])
    model = TabularRegressor(**SHORT).fit(X, y)
    assert model.preset_params_["clip_predictions"] is True
    assert ((model.predict(far) >= 5) & (model.predict(far) <= 8)).all()
    free = TabularRegressor(**SHORT, clip_predictions=False).fit(X, y)
    np.testing.assert_array_equal(np.clip(free.predict(far), 5, 8), model.predict(far))
