"""Tables among several inputs, groups of columns as inputs, and networks with a branch per input."""

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.compose import make_column_selector
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, cross_validate, train_test_split

from skdeep import DeepClassifier, DeepRegressor, Inputs
from skdeep.networks import LSTM, MLP, Branch, Branches

SMALL = {"max_epochs": 3, "tol": None, "random_state": 0}
RNG = np.random.default_rng(0)
N = 80
IMAGE = RNG.normal(size=(N, 4, 4, 1)).astype(np.float32)
TABLE = pd.DataFrame({"n": RNG.normal(size=N), "c": RNG.choice(list("abc"), N)})
TABLE.loc[::7, "n"] = np.nan
X = Inputs(image=IMAGE, table=TABLE, tokens=RNG.integers(0, 5, (N, 6)))
Y = (TABLE.c == "a").to_numpy()
BRANCHES = Branches((Branch("tokens", LSTM(units=4, n_tokens=5), 4), Branch("table", MLP(widths=(8,)), 4)))


class ByName(nn.Module):
    """A module of a user that takes its inputs by name."""

    n_outputs: int | None = None

    @nn.compact
    def __call__(self, image, table, tokens, train):
        assert table.shape[1] == 1 + 3 + 1  # the number, three levels, and whether the number is missing
        assert jnp.issubdtype(tokens.dtype, jnp.int32)
        parts = [image.reshape(len(image), -1), table, nn.Embed(5, 2)(tokens).reshape(len(tokens), -1)]
        return nn.Dense(self.n_outputs)(nn.Dropout(0.1, deterministic=not train)(jnp.hstack(parts)))


@pytest.mark.parametrize("network", [BRANCHES, ByName()])
def test_networks_of_several_inputs(network):
    model = DeepClassifier(**SMALL, network=network).fit(X, Y)
    assert model.input_shape_ == {"image": (4, 4, 1), "table": (5,), "tokens": (6,)}
    assert model.predict_proba(X).shape == (N, 2)


def test_a_table_beside_an_image_helps():
    """The class is the digit, or for one of the colours another one: neither input alone is enough."""
    digits = load_digits()
    rng = np.random.default_rng(0)
    colour = rng.choice(["red", "green", "blue"], len(digits.target))
    y = (digits.target + 5 * (colour == "red")) % 10
    image = digits.images[..., None].astype(np.float32) / 16
    table = pd.DataFrame({"colour": colour, "noise": rng.normal(size=len(y))})
    train, test, y_train, y_test = train_test_split(Inputs(image=image, table=table), y, random_state=0)

    def score(network, train, test):
        model = DeepClassifier(network=network, max_epochs=15, tol=None, random_state=0).fit(train, y_train)
        return model.score(test, y_test)

    both = score("branches", train, test)
    assert both > 0.9
    assert both > score("cnn", train["image"], test["image"]) + 0.2
    assert both > score("mlp", train["table"], test["table"]) + 0.2


@pytest.mark.parametrize("library", [pl.from_pandas, lambda frame: pl.from_pandas(frame).to_arrow()])
def test_tables_of_other_libraries(library):
    ours = DeepClassifier(**SMALL, network=BRANCHES).fit(X, Y)
    other = Inputs(image=IMAGE, table=library(TABLE), tokens=X["tokens"])
    theirs = DeepClassifier(**SMALL, network=BRANCHES).fit(other, Y)
    np.testing.assert_array_equal(ours.predict_proba(X), theirs.predict_proba(other))
    assert len(other[10:20]["table"]) == 10


def test_rows_of_inputs_with_tables():
    some = X[np.array([3, 1])]
    pd.testing.assert_frame_equal(some["table"], TABLE.iloc[[3, 1]])
    assert len(X[np.arange(N) < 5]) == 5
    assert "table=(80, 2) table" in repr(X)


def test_model_selection():
    model = DeepClassifier(**SMALL, network=BRANCHES)
    assert len(cross_validate(model, X, Y, cv=2)["test_score"]) == 2
    search = GridSearchCV(model, {"network__head__widths": [(4,), (8,)]}, cv=2).fit(X, Y)
    assert search.best_params_["network__head__widths"] in [(4,), (8,)]


def test_early_stopping_by_a_scorer():
    model = DeepClassifier(**SMALL, network=BRANCHES, early_stopping=True, scoring="accuracy").fit(X, Y)
    assert model.history_.val_score.notna().all()


def test_the_scale_of_tables():
    model = DeepRegressor(**SMALL, network=Branches(), numeric_scaling="standard")
    model.fit(Inputs(image=IMAGE, table=TABLE[["n"]].fillna(0)), np.arange(float(N)))
    np.testing.assert_allclose(model._encoding.table.tables["table"].scale.center, TABLE.n.fillna(0).mean())
    assert model.input_shape_ == {"image": (4, 4, 1), "table": (1,)}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop(columns="c"), "The table 'table' must have the columns that it had in fit. Missing: ['c']; not seen in fit: none."),
        (lambda t: t.assign(d=1), "Missing: none; not seen in fit: ['d']."),
        (lambda t: t.to_numpy(), "The input 'table' was a table in fit. Give a table now."),
    ],
)  # fmt: skip
def test_other_tables_are_refused(change, message):
    model = DeepClassifier(**SMALL, network=BRANCHES).fit(X, Y)
    with pytest.raises(ValueError) as err:  # noqa: PT011  # the message has brackets
        model.predict(Inputs(image=IMAGE, table=change(TABLE[["n", "c"]]), tokens=X["tokens"]))
    assert message in str(err.value)
    reordered = Inputs(image=IMAGE, table=TABLE[["c", "n"]], tokens=X["tokens"])
    np.testing.assert_array_equal(model.predict_proba(reordered), model.predict_proba(X))


FLAT = np.hstack([IMAGE.reshape(N, -1), RNG.normal(size=(N, 2))])
FRAME = pd.DataFrame(IMAGE.reshape(N, -1), columns=[f"p{i}" for i in range(16)]).assign(c=TABLE.c, n=TABLE.n)


@pytest.mark.parametrize(
    ("X", "inputs", "shapes"),
    [
        (FLAT, {"image": (slice(0, 16), (4, 4, 1)), "table": slice(16, None)}, {"image": (4, 4, 1), "table": (2,)}),
        (FLAT, {"a": [0, 2], "b": np.arange(18) > 12}, {"a": (2,), "b": (5,)}),
        (FRAME, {"image": ([f"p{i}" for i in range(16)], (4, 4, 1)), "table": ["c", "n"]}, {"image": (4, 4, 1), "table": (5,)}),
        (
            FRAME,
            {"numbers": make_column_selector(dtype_include="number"), "text": make_column_selector(dtype_exclude="number")},
            {"numbers": (18,), "text": (3,)},
        ),
    ],
)  # fmt: skip
def test_groups_of_columns_are_inputs(X, inputs, shapes):
    model = DeepClassifier(**SMALL, network="branches", inputs=inputs).fit(X, Y)
    assert model.input_shape_ == shapes
    assert model.n_features_in_ == 18
    assert model.predict(X).shape == (N,)
    if isinstance(X, pd.DataFrame):
        assert model.feature_names_in_[0] == "p0"
        with pytest.raises(ValueError, match="The feature names should match"):
            model.predict(X.rename(columns={"p0": "q0"}))


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"image": (slice(0, 16), (5, 5, 1))}, "The input 'image' in the 'inputs' parameter of DeepClassifier has the shape \\(5, 5, 1\\)"),
        ({"a": slice(18, None)}, "The input 'a' in the 'inputs' parameter of DeepClassifier has no columns."),
        (3, "The 'inputs' parameter of DeepClassifier must be None or an instance of 'collections.abc.Mapping'"),
    ],
)  # fmt: skip
def test_groups_that_cannot_be(inputs, message):
    with pytest.raises(ValueError, match=message):
        DeepClassifier(**SMALL, network="branches", inputs=inputs).fit(FLAT, Y)


@pytest.mark.parametrize(
    ("network", "X", "message"),
    [
        ("branches", X, "The input 'tokens' holds ids, for which Branches has no default. Give a branch, such as Branch\\('tokens', LSTM"),
        (Branches((Branch("picture", MLP()),)), X, "has branches for 'picture', but X has the inputs image, table, tokens"),
    ],
)  # fmt: skip
def test_branches_that_do_not_match(network, X, message):
    with pytest.raises(ValueError, match=message):
        DeepClassifier(**SMALL, network=network).fit(X, Y)


def test_one_array_is_one_input():
    model = DeepClassifier(**SMALL, network="branches").fit(FLAT, Y)
    assert sorted(model.params_) == ["head", "x"]
