"""X that is read in blocks: the same parameters as in memory, weights, validation, classes, tables, predictions, errors."""

import signal
import threading

import jax
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.base import clone

from skdeep import Checkpoint, DeepClassifier, DeepRegressor, TabularClassifier
from skdeep.sources import recognise

N = 900
rng = np.random.default_rng(0)
X = rng.normal(size=(N, 5)).astype(np.float32)
Y = np.array(["left", "right", "far"])[(X[:, 0] > 0) * 1 + (X[:, 1] > 0.5)]
VALUES = X @ np.arange(5.0) + 3
WEIGHT = np.where(np.arange(N) % 7 == 0, 0.0, rng.random(N))
NAMES = [f"c{i}" for i in range(5)]
FRAME = pd.DataFrame(X, columns=NAMES)
MIXED = pd.DataFrame(
    {
        "size": np.where(np.arange(N) % 11 == 0, np.nan, X[:, 0].astype(np.float64)),
        "colour": np.where(np.arange(N) < 700, "red", np.where(np.arange(N) < 850, "blue", "green")),
        "count": np.arange(N) % 5,
        "day": pd.date_range("2020-01-01", periods=N, freq="h"),
    }
)
KEYS = {"max_epochs": 3, "tol": None, "random_state": 0, "shuffle": False}


class Rows:
    """An object with `__len__` and slicing, which notes the largest block that was read."""

    def __init__(self, rows):
        self.rows, self.largest = rows, 0

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, index):
        assert isinstance(index, slice)
        block = self.rows[index]
        self.largest = max(self.largest, len(block))
        return block


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """Read blocks of 64 rows, and stream memory maps and PyArrow tables however small."""
    monkeypatch.setattr("skdeep.core.streamed_rows.MOST_BLOCK_ROWS", 80)
    monkeypatch.setattr(recognise, "IN_MEMORY_BYTES", 0)
    yield
    assert [thread for thread in threading.enumerate() if thread.name == "skdeep-read-ahead"] == []


@pytest.fixture
def parquet(tmp_path):
    def write(name="data.parquet", frame=FRAME, **columns):
        pq.write_table(pa.Table.from_pandas(frame.assign(**columns)), tmp_path / name, row_group_size=250)
        return tmp_path / name

    return write


def memmap(tmp_path):
    written = np.memmap(tmp_path / "x.dat", np.float32, "w+", shape=X.shape)
    written[:] = X
    return np.memmap(tmp_path / "x.dat", np.float32, "r", shape=X.shape)


def dask_frame(_):
    import dask.dataframe as dd

    return dd.from_pandas(FRAME, npartitions=4)


def dask_array(_):
    import dask.array as da

    return da.from_array(X, chunks=(200, 5))


KINDS = {
    "object": lambda _: Rows(X),
    "object of frames": lambda _: Rows(FRAME),
    "memmap": memmap,
    "arrow": lambda _: pa.Table.from_pandas(FRAME),
    "dask frame": dask_frame,
    "dask array": dask_array,
}


def assert_same(left, right):
    for a, b in zip(jax.tree.leaves(left.params_), jax.tree.leaves(right.params_), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("kind", KINDS)
def test_parameters_are_those_of_rows_in_memory(kind, tmp_path):
    made = KINDS[kind](tmp_path)
    is_frame = kind in ("object of frames", "arrow", "dask frame")
    expected = DeepClassifier(**KEYS).fit(FRAME if is_frame else X, Y)
    model = DeepClassifier(**KEYS).fit(made, Y)
    assert_same(model, expected)
    assert model.n_features_in_ == 5
    assert hasattr(model, "feature_names_in_") == is_frame
    np.testing.assert_array_equal(model.classes_, expected.classes_)
    np.testing.assert_array_equal(model.predict_proba(made), expected.predict_proba(FRAME if is_frame else X))


def test_parquet(parquet, tmp_path):
    path = parquet(y=Y, w=WEIGHT)
    expected = DeepClassifier(**KEYS).fit(FRAME, Y, WEIGHT)
    model = DeepClassifier(**KEYS).fit(path, y="y", sample_weight="w")
    assert_same(model, expected)
    assert model.feature_names_in_.tolist() == NAMES
    assert model.classes_.tolist() == ["far", "left", "right"]
    for name in ("predict", "predict_proba", "predict_log_proba", "decision_function"):
        np.testing.assert_array_equal(getattr(model, name)(str(path)), getattr(expected, name)(FRAME))
    assert model.score(path, "y", "w") == expected.score(FRAME, Y, WEIGHT)
    assert model.score(path, Y) == expected.score(FRAME, Y)


def test_a_folder_of_parquet_files(parquet, tmp_path):
    for i in range(3):
        rows = slice(300 * i, 300 * i + 300)
        parquet(f"part-{i}.parquet", FRAME[rows], y=Y[rows])
    assert_same(DeepClassifier(**KEYS).fit(tmp_path, y="y"), DeepClassifier(**KEYS).fit(FRAME, Y))


@pytest.mark.parametrize("weight", [None, WEIGHT])
def test_regression(weight, parquet):
    expected = DeepRegressor(**KEYS, clip_predictions=True).fit(X, VALUES, weight)
    model = DeepRegressor(**KEYS, clip_predictions=True).fit(Rows(X), VALUES, weight)
    # The mean and deviation of y are joined from those of blocks, so their last digits may differ.
    for a, b in zip(jax.tree.leaves(model.params_), jax.tree.leaves(expected.params_), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(model.predict(Rows(X)), expected.predict(X), rtol=1e-4)
    assert model.score(Rows(X), VALUES) == pytest.approx(model.score(X, VALUES))
    several = DeepRegressor(**KEYS).fit(parquet(a=VALUES, b=-VALUES), ["a", "b"])
    assert several.predict(FRAME).shape == (N, 2)


def test_bits_of_a_regression_in_one_block(monkeypatch):
    monkeypatch.setattr("skdeep.core.streamed_rows.MOST_BLOCK_ROWS", 1024)
    assert_same(DeepRegressor(**KEYS).fit(Rows(X), VALUES, WEIGHT), DeepRegressor(**KEYS).fit(X, VALUES, WEIGHT))


@pytest.mark.parametrize("class_weight", ["balanced", {"left": 2.0, "right": 1.0, "far": 0.0}])
def test_class_weights(class_weight):
    made = [DeepClassifier(**KEYS, class_weight=class_weight).fit(x, Y, WEIGHT) for x in (Rows(X), X)]
    assert_same(*made)


def test_multilabel():
    labels = np.stack([X[:, 0] > 0, X[:, 1] > 0], axis=1).astype(int)
    model = DeepClassifier(**KEYS).fit(Rows(X), labels)
    assert_same(model, DeepClassifier(**KEYS).fit(X, labels))
    with pytest.raises(ValueError, match="class_weight of DeepClassifier is not available for multilabel y"):
        DeepClassifier(**KEYS, class_weight="balanced").fit(Rows(X), labels)


@pytest.mark.parametrize("as_object", [True, False])
def test_a_class_that_is_found_late(as_object):
    y = np.where(np.arange(N) == N - 1, "last", Y).astype(object if as_object else "U5")
    model = DeepClassifier(**KEYS).fit(Rows(X), y)
    assert model.classes_.tolist() == ["far", "last", "left", "right"]
    assert_same(model, DeepClassifier(**KEYS).fit(X, y))


@pytest.mark.parametrize("scaling", [None, "standard"])
def test_tables_with_categories_dates_and_missing_values(scaling, parquet):
    """The last level is found in the last block only."""
    expected = DeepClassifier(**KEYS, numeric_scaling=scaling).fit(MIXED, Y)
    path = parquet(frame=MIXED, y=Y)
    model = DeepClassifier(**KEYS, numeric_scaling=scaling).fit(path, "y")
    assert model._encoding.table.columns == expected._encoding.table.columns
    assert model._encoding.in_shape == expected._encoding.in_shape
    for part in ("center", "factor", "fill"):
        left, right = (getattr(m._encoding.table.scale, part) for m in (model, expected))
        np.testing.assert_allclose(left, right, rtol=1e-12)
    for a, b in zip(jax.tree.leaves(model.params_), jax.tree.leaves(expected.params_), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(model.predict_proba(path), model.predict_proba(MIXED), rtol=1e-6)


def test_shuffled_rows_are_learned_and_depend_on_the_seed():
    made = [DeepClassifier(**KEYS | {"shuffle": True, "random_state": seed}).fit(Rows(X), Y) for seed in (0, 0, 1)]
    assert_same(made[0], made[1])
    assert (made[0].predict_proba(X) != made[2].predict_proba(X)).any()
    assert made[0].score(X, Y) > 0.6


def test_early_stopping_holds_out_rows(parquet):
    model = DeepClassifier(**KEYS | {"shuffle": True, "max_epochs": 20}, early_stopping=True, validation_fraction=90)
    model.fit(parquet(y=Y), "y")
    assert model.history_.val_loss.notna().all()
    scored = clone(model).set_params(scoring="accuracy").fit(Rows(FRAME), Y)
    assert scored.history_.val_score.between(0, 1).all()


def test_without_shuffle_the_last_rows_are_held_out():
    model = DeepClassifier(**KEYS, early_stopping=True, validation_fraction=0.1).fit(Rows(X), Y)
    cut = N - 90
    expected = DeepClassifier(**KEYS, early_stopping=True).fit(X[:cut], Y[:cut], X_val=X[cut:], y_val=Y[cut:])
    assert_same(model, expected)
    assert model.history_.val_loss.tolist() == expected.history_.val_loss.tolist()


def test_validation_rows_may_be_a_file(parquet):
    path = parquet(y=Y)
    model = DeepClassifier(**KEYS).fit(path, "y", X_val=path, y_val="y")
    expected = DeepClassifier(**KEYS).fit(FRAME, Y, X_val=FRAME, y_val=Y)
    assert model.history_.val_loss.tolist() == expected.history_.val_loss.tolist()


def test_resuming_gives_the_same_bits(tmp_path):
    keys = KEYS | {"shuffle": True}
    short = DeepClassifier(**keys | {"max_epochs": 2}, checkpoint=Checkpoint(tmp_path, every_epochs=1)).fit(Rows(X), Y)
    assert short.n_iter_ == 2
    source = Rows(X)
    longer = DeepClassifier(**keys | {"max_epochs": 5}, checkpoint=Checkpoint(tmp_path, every_epochs=1)).fit(source, Y)
    assert_same(longer, DeepClassifier(**keys | {"max_epochs": 5}).fit(Rows(X), Y))


def test_the_largest_block_that_is_read():
    source = Rows(X)
    model = DeepClassifier(**KEYS | {"shuffle": True}).fit(source, Y)
    assert source.largest == 64
    source.largest = 0
    model.predict(source)
    assert source.largest == 64


@pytest.mark.parametrize(
    ("value", "message"), [(np.nan, "Input X contains NaN in row 777, column 2"), (np.inf, "infinity in row 777")]
)
def test_the_row_of_a_value_that_is_not_finite(value, message, parquet):
    x = X.copy()
    x[777, 2] = value
    model = DeepClassifier(**KEYS)
    with pytest.raises(ValueError, match=message):
        model.fit(Rows(x), Y)
    assert not hasattr(model, "params_")
    if np.isinf(value):
        with pytest.raises(ValueError, match="infinity or a value too large in row 777 of the column 'c2'"):
            model.fit(parquet(frame=pd.DataFrame(x, columns=NAMES), y=Y), "y")
    fitted = DeepClassifier(**KEYS).fit(Rows(X), Y)
    with pytest.raises(ValueError, match=r"In the rows 768 to 831, whose first is counted as row 0 here"):
        fitted.predict(Rows(x))


def test_targets_are_checked_before_training():
    y = VALUES - VALUES.min()
    y[333] = -5
    with pytest.raises(ValueError, match="found in row 333 of the whole data"):
        DeepRegressor(**KEYS, loss="poisson").fit(Rows(X), y)
    with pytest.raises(ValueError, match="needs at least 2 classes"):
        DeepClassifier(**KEYS).fit(Rows(X), np.zeros(N))
    with pytest.raises(ValueError, match="Unknown label type"):
        DeepClassifier(**KEYS).fit(Rows(X), VALUES)


@pytest.mark.parametrize(
    ("parameters", "arguments", "message"),
    [
        ({"n_estimators": 2}, {}, "does not go together with an ensemble"),
        ({"coalesce": True}, {}, "does not go together with coalesce=True"),
        ({}, {"groups": np.arange(N)}, "does not go together with groups"),
        ({"numeric_scaling": "robust"}, {}, "which needs quantiles.*numeric_scaling='standard' works"),
        ({"numeric_scaling": "standard"}, {}, "is for tables, but X is read in blocks of arrays"),
        ({"optimizer": "lbfgs"}, {}, "needs all rows at every step, but X is read in blocks"),
        (
            {"early_stopping": True, "validation_fraction": np.arange(3)},
            {},
            "must be a share or a number of rows",
        ),
        ({"early_stopping": True, "validation_fraction": N}, {}, "which leaves 0 to train on"),
        ({}, {"sample_weight": -np.ones(N)}, "Negative values in data passed to sample_weight: -1.0 in row 0"),
        ({}, {"sample_weight": np.zeros(N)}, "at least one positive weight"),
        ({}, {"sample_weight": np.ones(3)}, "X and sample_weight have different numbers of rows: 900 and 3"),
        ({}, {"y_val": Y}, "without X_val"),
    ],
)
def test_what_does_not_stream(parameters, arguments, message):
    with pytest.raises(ValueError, match=message):
        DeepClassifier(**KEYS | parameters).fit(Rows(X), Y, **arguments)


def test_types_that_do_not_stream(parquet):
    with pytest.raises(TypeError, match="partial_fit of DeepClassifier takes rows in memory"):
        DeepClassifier(**KEYS).partial_fit(parquet(y=Y), "y")
    with pytest.raises(TypeError, match="TabularClassifier does not read X in blocks"):
        TabularClassifier().fit(parquet(y=Y), "y")
    with pytest.raises(TypeError, match="names the column 'y', but X has no named columns"):
        DeepClassifier(**KEYS).fit(Rows(X), "y")
    with pytest.raises(ValueError, match="has no column 'z'. Its columns are 'c0'"):
        DeepClassifier(**KEYS).fit(parquet(y=Y), "z")
    with pytest.raises(FileNotFoundError, match="there is no such file or folder"):
        DeepClassifier(**KEYS).fit("nowhere.parquet", "y")


def test_a_change_during_the_fit_is_found():
    class Growing(Rows):
        def __getitem__(self, index):
            if index.start == 0 and index.stop == 64:
                self.n_epochs = getattr(self, "n_epochs", 0) + 1
            return super().__getitem__(index)

        def __len__(self):
            return N + (getattr(self, "n_epochs", 0) > 1)

    with pytest.raises(ValueError, match="has changed during the fit"):
        DeepClassifier(**KEYS).fit(Growing(X), Y)


def test_ctrl_c_ends_the_thread():
    class Interrupting(Rows):
        def __getitem__(self, index):
            if index.start > 700 and threading.current_thread() is not threading.main_thread():
                signal.raise_signal(signal.SIGINT)
            return super().__getitem__(index)

    with pytest.raises(KeyboardInterrupt):
        DeepClassifier(**KEYS | {"max_epochs": 1000}).fit(Interrupting(X), Y)


def test_arrays_in_memory_do_not_stream(monkeypatch, tmp_path):
    monkeypatch.setattr("skdeep.estimators.supervised.read_stream", None)
    DeepClassifier(**KEYS).fit(X, Y)
    DeepClassifier(**KEYS).fit(X.tolist(), Y.tolist())
    DeepClassifier(**KEYS).fit(FRAME, Y)
    DeepClassifier(**KEYS).fit(jax.numpy.asarray(X), Y)
    monkeypatch.setattr(recognise, "IN_MEMORY_BYTES", 2**27)
    DeepClassifier(**KEYS).fit(memmap(tmp_path), Y)
    DeepClassifier(**KEYS).fit(pa.Table.from_pandas(FRAME), Y)
