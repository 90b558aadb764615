"""Estimators on several inputs, and ids that stay integers."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.model_selection import GridSearchCV, cross_val_predict

from skdeep import DeepAutoencoder, DeepClassifier, DeepRegressor, Inputs, MLPClassifier, Network
from skdeep.layers import Embedding
from skdeep.networks import LSTM

RNG = np.random.default_rng(0)
N = 60
TABLE = RNG.normal(size=(N, 3)).astype(np.float32)
IDS = RNG.integers(0, 5, (N, 2))
LEVEL = np.array([-2.0, 0.0, 1.0, 3.0, -1.0])
Y = TABLE[:, 0] + LEVEL[IDS[:, 0]]
X = Inputs(table=TABLE, ids=IDS)
COLUMNS = np.hstack([TABLE, IDS]).astype(np.float32)
SETTINGS = {"max_epochs": 3, "tol": None, "random_state": 0}


class Joined(nn.Module):
    """A linear model of a table and the vectors of two ids."""

    n_outputs: int | None = None

    def outputs(self, table, ids):
        vectors = nn.Embed(5, 2, name="embedding")(ids.astype(jnp.int32)).reshape(len(ids), -1)
        return nn.Dense(self.n_outputs, name="output")(jnp.concatenate([table, vectors], axis=1))


class ByName(Joined):
    @nn.compact
    def __call__(self, table, ids):
        assert ids.dtype == jnp.int32
        assert table.dtype == jnp.float32
        return self.outputs(table, ids)


class AsDict(Joined):
    @nn.compact
    def __call__(self, x):
        return self.outputs(x["table"], x["ids"])


class OfColumns(Joined):
    @nn.compact
    def __call__(self, x):
        return self.outputs(x[:, :3], x[:, 3:])


@pytest.fixture(scope="module")
def of_columns():
    return DeepRegressor(network=OfColumns(), **SETTINGS).fit(COLUMNS, Y)


@pytest.mark.parametrize("module", [ByName(), AsDict()], ids=["by name", "as dict"])
def test_training_is_that_of_the_same_model_on_joined_columns(module, of_columns):
    model = DeepRegressor(network=module, **SETTINGS).fit(X, Y)
    jax.tree.map(assert_array_equal, model.params_, of_columns.params_)
    assert_array_equal(model.predict(X), of_columns.predict(COLUMNS))
    assert model.input_shape_ == {"ids": (2,), "table": (3,)}
    assert not hasattr(model, "n_features_in_")


def test_nnx_module_takes_inputs_by_name():
    class Module(nnx.Module):
        def __init__(self, in_shape, n_outputs, rngs):
            assert in_shape["ids"].is_int
            self.embed = nnx.Embed(5, 2, rngs=rngs)
            self.output = nnx.Linear(in_shape["table"].shape[0] + 4, n_outputs, rngs=rngs)

        def __call__(self, table, ids):
            return self.output(jnp.concatenate([table, self.embed(ids).reshape(len(ids), -1)], axis=1))

    model = DeepRegressor(network=lambda in_shape, n_outputs, rngs: Module(in_shape, n_outputs, rngs), **SETTINGS)
    assert model.fit(X, Y).predict(X).shape == (N,)


def test_network_component_gets_specs():
    class Wide(Network):
        names_inputs = True

        def build(self, in_shape, n_outputs):
            assert {name: spec.dtype for name, spec in in_shape.items()} == {"ids": "int32", "table": "float"}
            return ByName(n_outputs)

    assert DeepRegressor(network=Wide(), **SETTINGS).fit(X, Y).n_parameters_ == 5 * 2 + 7 + 1


def test_weights_are_repetitions_of_rows():
    weight = np.where(np.arange(N) % 3 == 0, 2.0, 1.0)
    index = np.repeat(np.arange(N), weight.astype(int))
    weighted = DeepRegressor(network=ByName(), **SETTINGS).fit(X, Y, sample_weight=weight)
    repeated = DeepRegressor(network=ByName(), **SETTINGS).fit(X[index], Y[index])
    jax.tree.map(assert_array_equal, weighted.params_, repeated.params_)


def test_search_early_stopping_scoring_and_partial_fit():
    classes = np.where(Y > 0, "high", "low")
    model = DeepClassifier(
        network=ByName(), early_stopping=True, scoring="accuracy", max_epochs=40, batch_size=16, random_state=0
    )
    search = GridSearchCV(model, {"learning_rate": [1e-4, 0.1]}, cv=3).fit(X, classes)
    assert search.best_params_ == {"learning_rate": 0.1}
    assert search.score(X, classes) > 0.85
    assert set(cross_val_predict(search.best_estimator_, X, classes, cv=2)) <= {"high", "low"}
    parts = DeepClassifier(network=ByName(), random_state=0)
    parts.partial_fit(X[:30], classes[:30], classes=["high", "low"]).partial_fit(X[30:], classes[30:])
    assert parts.n_iter_ == 2


@pytest.mark.parametrize("model", [Embedding, LSTM], ids=["layer", "network"])
def test_ids_above_the_exact_numbers_of_float32_stay_apart(model):
    n_ids = 2**24 + 2
    network = [Embedding(n_ids, 1)] if model is Embedding else LSTM(units=1, n_tokens=n_ids)
    assert (network[0] if isinstance(network, list) else network).n_ids == n_ids


class Parity(nn.Module):
    """One number per parity of an id; float32 would make all large ids even."""

    n_outputs: int | None = None
    n_ids: int = 2**30

    @nn.compact
    def __call__(self, x):
        assert x.dtype == jnp.int32
        return nn.Embed(2, self.n_outputs)(x[:, 0] % 2)


@pytest.mark.parametrize("dtype", [np.int64, np.float64, np.int32])
def test_ids_of_one_array_reach_the_module_as_integers(dtype):
    ids = (2**24 + np.arange(40))[:, None].astype(dtype)
    y = np.arange(40) % 2
    model = DeepClassifier(network=Parity(), learning_rate=0.1, max_epochs=20, tol=None, random_state=0).fit(ids, y)
    assert model.score(ids, y) == 1.0


def test_ids_of_inputs_are_exact():
    class OfInputs(nn.Module):
        n_outputs: int | None = None

        @nn.compact
        def __call__(self, ids):
            return nn.Embed(2, self.n_outputs)(ids[:, 0] % 2)

    X, y = Inputs(ids=(2**24 + np.arange(40))[:, None]), np.arange(40) % 2
    model = DeepClassifier(network=OfInputs(), learning_rate=0.1, max_epochs=20, tol=None, random_state=0).fit(X, y)
    assert model.score(X, y) == 1.0


def test_embedding_of_an_autoencoder():
    model = DeepAutoencoder(encoder=[Embedding(5, 2), "dense"], n_components=2, max_epochs=2, tol=None, random_state=0)
    codes = model.fit(IDS).transform(IDS)
    assert codes.shape == (N, 2)
    decoded = model.inverse_transform(codes)
    assert_allclose(model.score(IDS), -np.mean((decoded - IDS) ** 2), rtol=1e-5)
    with pytest.raises(ValueError, match="are ids, to which noise=0.1 cannot be added"):
        model.set_params(noise=0.1).fit(IDS)


@pytest.mark.parametrize(
    ("run", "error", "message"),
    [
        (
            lambda m: m.predict(TABLE),
            ValueError,
            r"shape \(3,\), but DeepRegressor was fitted on rows of shape \{'ids'",
        ),
        (lambda m: m.predict(Inputs(table=TABLE)), ValueError, r"shape \{'table': \(3,\)\}, but DeepRegressor was"),
        (lambda m: m.predict(Inputs(table=TABLE, ids=IDS + 0.5)), ValueError, r"X\['ids'\] holds ids, .* Got .*\.5"),
        (lambda m: m.predict(Inputs(table=TABLE * np.nan, ids=IDS)), ValueError, r"Input X\['table'\] contains NaN"),
        (lambda m: m.fit(Inputs(table=TABLE, ids=IDS + 2**40), Y), ValueError, r"X\['ids'\] holds ids, .* at \(0, 0\)"),
        (lambda m: m.fit(X, Y[:5]), ValueError, "inconsistent numbers of samples"),
        (lambda m: DeepRegressor().fit(X, Y), ValueError, "MLP takes one array, but X has the inputs ids, table"),
        (
            lambda m: DeepRegressor(network=ByName(), input_shape=(5,)).fit(X, Y),
            ValueError,
            "leave input_shape at None",
        ),
        (
            lambda m: DeepClassifier(network=ByName(), augmentation="mixup").fit(X, Y > 0),
            ValueError,
            "Mixup changes rows",
        ),
        (lambda m: MLPClassifier().fit(X, Y > 0), TypeError, "DeepClassifier and DeepRegressor take Inputs"),
        (lambda m: DeepAutoencoder().fit(X), TypeError, "DeepClassifier and DeepRegressor take Inputs"),
    ],
)
def test_errors_name_the_input_and_keep_the_fit(run, error, message):
    model = DeepRegressor(network=ByName(), **SETTINGS).fit(X, Y)
    before = model.predict(X)
    with pytest.raises(error, match=message):
        run(model)
    assert_array_equal(model.predict(X), before)
