"""Estimators on tables: categories, dates, missing values, scaling, names of columns."""

import pickle

import jax.numpy as jnp
import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from flax import linen as nn
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import skdeep
from skdeep import DeepClassifier, DeepRegressor, Inputs
from skdeep.networks import LSTM, MLP, RealMLP, TabM

SMALL = {"max_epochs": 3, "tol": None, "random_state": 0}


def make_frame(n=120, seed=0):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "size": rng.normal(50, 10, n).round(2),
            "colour": rng.choice(["red", "green", "blue", "grey"], n),
            "is_new": rng.random(n) < 0.5,
            "made": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, n), unit="D"),
        }
    )
    frame.loc[frame.index[::7], "size"] = np.nan
    frame.loc[frame.index[::11], "colour"] = None
    return frame


FRAME = make_frame()
Y = np.where(FRAME.colour == "red", "yes", np.where(FRAME["size"].fillna(50) > 55, "yes", "no"))

LIBRARIES = {
    "pandas": lambda frame: frame,
    "pandas with nullable types": lambda frame: frame.convert_dtypes(),
    "pandas with categories": lambda frame: frame.astype({"colour": "category"}),
    "polars": pl.from_pandas,
    "pyarrow": lambda frame: pl.from_pandas(frame).to_arrow(),
}


def fitted(frame=FRAME, y=Y, **params):
    return DeepClassifier(**{**SMALL, **params}).fit(frame, y)


@pytest.fixture(name="model", scope="module")
def _model():
    return fitted()


@pytest.mark.parametrize("library", LIBRARIES)
def test_tables_of_all_libraries_give_the_same_model(model, library):
    other = fitted(LIBRARIES[library](FRAME))
    np.testing.assert_array_equal(other.predict_proba(LIBRARIES[library](FRAME)), model.predict_proba(FRAME))
    assert list(other.feature_names_in_) == list(FRAME.columns)
    assert other.n_features_in_ == 4
    assert other.is_categorical_.tolist() == [False, True, True, False]


def test_the_network_gets_numbers_and_one_hot_columns(model):
    # size, six parts of a date; 4 colours, 2 booleans, and whether size is missing.
    assert model.input_shape_ == (14,)
    assert model.params_["Dense_0"]["kernel"].shape == (14, 128)


def test_one_hot_columns_are_those_of_scikit_learn():
    """With equal initial values and columns, training on a table is training on the columns that scikit-learn makes."""
    frame = FRAME[["size", "colour"]].copy()
    frame["size"] = frame["size"].fillna(50.0)
    encoder = make_column_transformer(("passthrough", ["size"]), (OneHotEncoder(), ["colour"]), sparse_threshold=0)
    ours = fitted(frame, numeric_scaling=None)
    levels = frame.assign(colour=frame.colour.where(frame.colour.notna(), "zzz"))  # scikit-learn gives None a column
    encoded = encoder.fit_transform(levels)[:, :-1]
    theirs = fitted(encoded, coalesce=False)
    theirs_of_ours = fitted(frame, coalesce=False)
    np.testing.assert_allclose(theirs_of_ours.predict_proba(frame), theirs.predict_proba(encoded), atol=1e-5)
    assert ours.input_shape_ == theirs.input_shape_


def test_columns_may_come_in_another_order(model):
    np.testing.assert_array_equal(model.predict_proba(FRAME[FRAME.columns[::-1]]), model.predict_proba(FRAME))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda frame: frame.drop(columns="size"), "Feature names seen at fit time, yet now missing:\n- size"),
        (lambda frame: frame.assign(other=1), "Feature names unseen at fit time:\n- other"),
        (lambda frame: frame.rename(columns={"size": "Size"}), "Feature names unseen at fit time:\n- Size\n"),
    ],
)
def test_other_columns_are_refused(model, change, message):
    with pytest.raises(ValueError) as err:  # noqa: PT011  # the message has several lines
        model.predict(change(FRAME))
    assert message in str(err.value)


def test_another_kind_of_column_is_refused(model):
    with pytest.raises(TypeError, match="The column 'size' of X held numbers in fit, but holds dates now."):
        model.predict(FRAME.assign(size=FRAME.made))
    numbers = fitted(FRAME[["size"]].fillna(0))
    with pytest.raises(TypeError, match="The column 'size' of X held numbers in fit, but has the type String now."):
        numbers.predict(FRAME[["colour"]].rename(columns={"colour": "size"}))


def test_unknown_levels_and_missing_ones_are_the_same(model):
    new = FRAME.head(8).assign(colour="purple")
    np.testing.assert_array_equal(model.predict_proba(new), model.predict_proba(new.assign(colour=None)))


def test_missing_and_present_numbers_differ(model):
    known = FRAME["size"].mean()
    rows = FRAME.head(8)
    p_missing, p_mean = (model.predict_proba(rows.assign(size=value)) for value in (np.nan, known))
    assert np.abs(p_missing - p_mean).max() > 1e-4  # the network is told that the value is missing


def test_an_array_after_a_table(model):
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        p = model.predict_proba(FRAME.to_numpy(dtype=object))
    np.testing.assert_allclose(p, model.predict_proba(FRAME), atol=1e-6)


def test_missing_values_in_an_array():
    X, y = load_iris(return_X_y=True)
    X[::5, 1] = np.nan
    model = DeepClassifier(max_epochs=60, tol=None, learning_rate=0.01, random_state=0).fit(X, y)
    assert model.input_shape_ == (5,)
    assert model.is_categorical_ is None
    assert model.score(X, y) > 0.9


def test_values_that_are_missing_only_later_are_means():
    X, y = load_iris(return_X_y=True)
    model = DeepClassifier(**SMALL).fit(X, y)
    later, filled = X.copy(), X.copy()
    later[3, 1], filled[3, 1] = np.nan, X[:, 1].mean()
    np.testing.assert_allclose(model.predict_proba(later), model.predict_proba(filled), rtol=1e-5)


def test_arrays_without_missing_values_train_as_before():
    """The columns of a table of numbers are one array, whatever holds them."""
    X, y = load_iris(return_X_y=True, as_frame=True)
    array, frame = (DeepClassifier(**SMALL).fit(given, y) for given in (X.to_numpy(), X))
    np.testing.assert_array_equal(array.predict_proba(X.to_numpy()), frame.predict_proba(X))


def test_categories_of_an_array():
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.normal(size=100), rng.integers(0, 3, 100)])
    y = X[:, 1] == 1
    model = DeepClassifier(categorical_features=[1], max_epochs=40, tol=None, learning_rate=0.02, random_state=0).fit(
        X, y
    )
    assert model.is_categorical_.tolist() == [False, True]
    assert model.input_shape_ == (4,)
    assert model.score(X, y) == 1.0
    objects = np.empty((100, 2), dtype=object)
    objects[:, 0], objects[:, 1] = X[:, 0], X[:, 1]
    np.testing.assert_array_equal(model.predict(objects), model.predict(X))


@pytest.mark.parametrize("scaling", ["standard", "robust", "quantile"])
def test_scaling_takes_the_statistics_of_the_training_rows(scaling):
    X, y = load_iris(return_X_y=True)
    first, second = X[:100], X[100:] * 1000
    params = {**SMALL, "numeric_scaling": scaling, "early_stopping": True}
    model = DeepRegressor(**params).fit(first, y[:100], X_val=second, y_val=y[100:])
    alone = DeepRegressor(**{**params, "early_stopping": False}).fit(first, y[:100])
    np.testing.assert_array_equal(model._encoding.table.scale.center, alone._encoding.table.scale.center)
    if scaling == "standard":
        np.testing.assert_allclose(model._encoding.table.scale.center, first.mean(axis=0))
        own = DeepRegressor(**SMALL, coalesce=False).fit(StandardScaler().fit_transform(first), y[:100])
        ours = DeepRegressor(**SMALL, coalesce=False, numeric_scaling="standard").fit(first, y[:100])
        np.testing.assert_allclose(
            ours.predict(first), own.predict(StandardScaler().fit_transform(first)), rtol=1e-3, atol=1e-4
        )


def test_scaling_is_for_tables():
    X, y = load_iris(return_X_y=True)
    message = "numeric_scaling='robust' of DeepClassifier is for tables, dense X of shape \\(n, features\\), but X has rows of shape"
    with pytest.raises(ValueError, match=message):
        DeepClassifier(numeric_scaling="robust", input_shape=(2, 2), network=["flatten"]).fit(X, y)


@pytest.mark.parametrize("network", [RealMLP(widths=(8,), max_one_hot_levels=2), TabM(n_members=2, widths=(8,))])
def test_networks_for_tables_get_ids(network):
    model = fitted(network=network, numeric_scaling="robust")
    assert "category" in model.input_shape_
    assert model.network_ == network
    assert np.isfinite(model.predict_proba(FRAME)).all()


class Named(nn.Module):
    n_outputs: int | None = None

    @nn.compact
    def __call__(self, numeric, category):
        assert category.dtype == np.int32
        embedded = nn.Embed(8, 3)(category).reshape(len(category), -1)
        return nn.Dense(self.n_outputs)(jnp.hstack([numeric, embedded]))


def test_a_users_module_gets_numbers_and_ids_by_name():
    model = fitted(network=Named())
    assert model.input_shape_ == {"numeric": (7,), "category": (3,)}


def test_a_users_module_of_one_array_gets_one_array():
    model = fitted(network=nn.Dense(1))
    assert model.params_["kernel"].shape == (14, 1)


@pytest.mark.parametrize("network", [LSTM(units=4), ["lstm"]])
def test_networks_of_sequences_refuse_tables(network):
    with pytest.raises(
        ValueError, match="does not read the values of a row as columns of a table. Fill in missing values"
    ):
        fitted(network=network)


def test_rows_of_ids_may_not_have_missing_values():
    X = np.arange(20.0).reshape(10, 2) % 5
    model = DeepClassifier(**SMALL, network=LSTM(units=4, n_tokens=5)).fit(X, X[:, 0] > 2)
    with pytest.raises(ValueError, match="Input X contains NaN"):
        model.predict(np.full_like(X, np.nan))


def test_one_warning_for_columns_without_values():
    with pytest.warns(
        UserWarning, match="All values are missing in the column 'nothing' of X, which is not used."
    ) as caught:
        model = fitted(FRAME.assign(nothing=None))
    assert len(caught) == 1
    assert caught[0].filename == __file__
    np.testing.assert_array_equal(
        model.predict_proba(FRAME.assign(nothing=1.0)), model.predict_proba(FRAME.assign(nothing=None))
    )


def test_partial_fit_keeps_the_table():
    model = DeepClassifier(random_state=0)
    model.partial_fit(FRAME[:60], Y[:60], classes=["no", "yes"])
    scale = model._encoding.table.scale
    model.partial_fit(FRAME[60:].assign(colour="new"), Y[60:])
    assert model._encoding.table.scale is scale
    assert model.predict(FRAME).shape == (120,)


def test_a_failed_fit_leaves_the_fitted_model_usable():
    model = fitted()
    before = model.predict_proba(FRAME)
    with pytest.raises(TypeError, match="Got values of type dict"):
        model.fit(FRAME.assign(colour=[{}] * 120), Y)
    np.testing.assert_array_equal(model.predict_proba(FRAME), before)


def test_pickles(model):
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict_proba(FRAME), model.predict_proba(FRAME))


def test_weights_are_repeated_rows():
    weight = np.random.default_rng(0).integers(0, 3, 120)
    repeated = np.repeat(np.arange(120), weight)
    params = {**SMALL, "numeric_scaling": "robust"}
    weighted = DeepClassifier(**params).fit(FRAME, Y, sample_weight=weight)
    given = DeepClassifier(**params).fit(FRAME.iloc[repeated], Y[repeated])
    np.testing.assert_allclose(weighted.predict_proba(FRAME), given.predict_proba(FRAME), atol=1e-6)


def test_weights_are_repeated_rows_whose_missing_values_are_equal():
    """Rows with NaN merge too: in several batches, the order of rows then is the same."""
    weight = np.random.default_rng(1).integers(1, 4, 120)
    repeated = np.repeat(np.arange(120), weight)
    params = {**SMALL, "batch_size": 16}
    weighted = DeepClassifier(**params).fit(FRAME, Y, sample_weight=weight)
    given = DeepClassifier(**params).fit(FRAME.iloc[repeated], Y[repeated])
    np.testing.assert_array_equal(weighted.predict_proba(FRAME), given.predict_proba(FRAME))


@pytest.mark.parametrize("dtype", ["int64", "category"])
def test_large_whole_numbers_stay_different_categories(dtype):
    """float64 cannot tell 10^17 from 10^17 + 1."""
    ids = np.array([10**17, 10**17 + 1] * 40)
    frame = pd.DataFrame({"id": pd.Series(ids).astype(dtype), "n": np.arange(80.0) / 80})
    model = DeepClassifier(max_epochs=40, tol=None, learning_rate=0.02, random_state=0, categorical_features=["id"])
    model.fit(frame, ids % 2)
    assert model.input_shape_ == (3,)
    assert model.score(frame, ids % 2) == 1


def test_searches_and_pipelines():
    search = GridSearchCV(
        make_pipeline(DeepClassifier(**SMALL)), {"deepclassifier__numeric_scaling": [None, "robust"]}, cv=2
    )
    assert search.fit(FRAME, Y).best_score_ > 0.4
    assert len(cross_val_score(DeepRegressor(**SMALL), FRAME, np.arange(120.0), cv=2)) == 2


def test_inputs_are_not_read_as_tables():
    X = Inputs(numeric=np.full((4, 2), np.nan))
    with pytest.raises(ValueError, match="X\\['numeric'\\] contains NaN"):
        DeepClassifier(**SMALL, network=RealMLP(widths=(4,))).fit(X, [0, 1, 0, 1])


@pytest.mark.parametrize("network", [MLP(widths=(8,)), RealMLP(widths=(8,))])
def test_a_second_fit_on_a_table_compiles_nothing(network):
    skdeep.clear_cache()
    for seed, rate in ((0, 0.1), (1, 0.01)):
        fitted(make_frame(seed=seed), network=network, numeric_scaling="robust", learning_rate=rate).predict(FRAME)
    assert skdeep.compile_counts()["train_block"].traces == 1
    assert skdeep.compile_counts()["predict_block"].traces == 1


@pytest.mark.parametrize(("X", "network"), [(FRAME, "mlp"), (Inputs(table=FRAME), "branches")])
def test_tables_with_array_api_dispatch(X, network):
    """With dispatch, scikit-learn's own functions take neither tables nor Inputs."""
    plain = DeepRegressor(**SMALL, network=network).fit(X, np.arange(120.0), np.ones(120))
    with sklearn.config_context(array_api_dispatch=True):
        model = DeepRegressor(**SMALL, network=network).fit(X, np.arange(120.0), np.ones(120))
        np.testing.assert_array_equal(model.predict(X), plain.predict(X))
