"""save, load and inspect: the same predictions to the bit, from a file that holds no code."""

import hashlib
import os
import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_selector
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, KFold, LeaveOneOut, RepeatedKFold, ShuffleSplit
from sklearn.pipeline import make_pipeline

import skdeep
from skdeep import (
    DeepAutoencoder,
    DeepClassifier,
    DeepRegressor,
    Inputs,
    MLPClassifier,
    MLPRegressor,
    SequenceGenerator,
    TabularClassifier,
    TabularRegressor,
)
from skdeep.errors import (
    CorruptModelError,
    ModelFileError,
    UnserializableParameterError,
)
from skdeep.losses import Quantile
from skdeep.networks import MLP, TabM
from skdeep.optimizers import Adam
from skdeep.persistence.model import dumped, loaded

RNG = np.random.default_rng(0)
N = 40
X = RNG.normal(size=(N, 4))
CODES = (X[:, 0] > 0).astype(int)
Y = np.array(["no", "yes"])[CODES]
FRAME = pd.DataFrame({"n": X[:, 0], "c": Y, "d": pd.date_range("2020-01-01", periods=N), "b": X[:, 1] > 0})
FRAME.loc[3, "n"] = np.nan
IMAGES = RNG.normal(size=(N, 6, 6, 1))
SHORT = {"max_epochs": 2, "tol": None, "random_state": 0}
SMALL = {"network": MLP(widths=(5,)), **SHORT}


def autoencoder(**params):
    return DeepAutoencoder(n_components=2, **SHORT, **params).fit(X)


CASES = {
    "text labels": (DeepClassifier(early_stopping=True, **SMALL), X, Y),
    "three classes": (DeepClassifier(**SMALL), X, CODES + (X[:, 1] > 0)),
    "multilabel": (DeepClassifier(**SMALL), X, np.stack([CODES, 1 - CODES, CODES], axis=1)),
    "boolean labels": (DeepClassifier(**SMALL), X, CODES == 1),
    "object labels": (DeepClassifier(**SMALL), X, Y.astype(object)),
    "dates as labels": (DeepClassifier(**SMALL), X, np.array(["2020-01-01", "2020-01-02"], "M8[D]")[CODES]),
    "one value": (DeepRegressor(**SMALL), X, X[:, 0]),
    "two values": (DeepRegressor(clip_predictions=True, **SMALL), X, X[:, :2]),
    "outputs by name": (DeepRegressor(loss="gaussian_nll", **SMALL), X, X[:, 0]),
    "fields of a component": (DeepRegressor(loss=Quantile((0.1, 0.9)), optimizer=Adam(b1=0.5), **SMALL), X, X[:, 0]),
    "members": (DeepRegressor(n_estimators=2, **SMALL), X, X[:, 0]),
    "folds of a table": (DeepClassifier(cv=KFold(2), numeric_scaling="standard", **SMALL), FRAME, Y),
    "realmlp": (TabularClassifier(**SHORT), FRAME, Y),
    "fast": (TabularRegressor(preset="fast", **SHORT), FRAME, X[:, 1]),
    "tabm": (TabularClassifier(preset="tabm", network=TabM(n_members=2, widths=(4,)), **SHORT), FRAME, Y),
    "portfolio": (TabularClassifier(preset="portfolio", cv=2, **SHORT), FRAME, Y),
    "MLPClassifier": (MLPClassifier(max_iter=2), X, Y),
    "L-BFGS": (MLPRegressor(max_iter=2, solver="lbfgs"), X, X[:, 0]),
    "momentum": (MLPRegressor(max_iter=2, solver="sgd", early_stopping=True), X.astype(np.float32), X[:, 0]),
    "autoencoder": (DeepAutoencoder(n_components=2, **SHORT), X, None),
    "variational": (DeepAutoencoder(n_components=2, variational=True, **SHORT), X, None),
    "images": (DeepClassifier(network="cnn", **SHORT), IMAGES, Y),
    "layers": (DeepClassifier(network=["flatten", ("dense", {"features": 5}), "relu"], **SHORT), IMAGES, Y),
    "averages in the state": (DeepClassifier(network=MLP(widths=(5,), normalization="batch"), **SHORT), X, Y),
    "several inputs": (DeepClassifier(network="branches", **SHORT), Inputs(image=IMAGES, table=FRAME), Y),
    "groups of columns": (
        DeepClassifier(network="branches", inputs={"a": slice(0, 2), "b": [2, 3]}, **SHORT),
        X,
        Y,
    ),
    "pretrained": (DeepClassifier(pretrain=FrozenEstimator(autoencoder()), **SHORT), X, Y),
    "a random state": (DeepClassifier(**{**SMALL, "random_state": np.random.RandomState(3)}), X, Y),
    "augmentation and schedule": (
        DeepClassifier(augmentation=["gaussian_noise", "mixup"], schedule="cosine", **SMALL),
        X,
        Y,
    ),
    "other parameters for training": (DeepClassifier(optimizer="schedule_free_adamw", **SMALL), X, Y),
}
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")  # after two epochs
METHODS = ("predict", "predict_proba", "transform")


def check_same(model, again, rows):
    assert type(again) is type(model)
    assert vars(again).keys() == vars(model).keys()
    methods = [name for name in METHODS if hasattr(model, name)]
    assert methods
    for name in methods:
        before, after = getattr(model, name)(rows), getattr(again, name)(rows)
        assert before.dtype == after.dtype
        np.testing.assert_array_equal(after, before)


@pytest.mark.parametrize("name", CASES)
def test_predictions_are_the_same_to_the_bit(name, tmp_path):
    model, rows, target = CASES[name]
    model = model.fit(rows) if target is None else model.fit(rows, target)
    path = tmp_path / "model.skdeep"
    digest = skdeep.save(model, path)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == digest
    again = skdeep.load(path, expect_sha256=digest, plugins="builtin")
    check_same(model, again, rows)
    assert dumped(again) == path.read_bytes()
    pd.testing.assert_frame_equal(again.history_, model.history_)


def test_texts_are_scored_and_generated_as_before():
    model = SequenceGenerator(**SHORT).fit(["hello world " * 5])
    again = loaded(dumped(model), {}, "builtin")
    assert again.score(["hello"]) == model.score(["hello"])
    assert again.generate("he", 5, random_state=0) == model.generate("he", 5, random_state=0)
    tokens = SequenceGenerator(level="token", **SHORT).fit([[1, 2, 3] * 9])
    again = loaded(dumped(tokens), {}, "builtin")
    assert again.score([[1, 2]]) == tokens.score([[1, 2]])


def test_training_goes_on_as_it_would_have():
    model = DeepClassifier(**SMALL).partial_fit(X, Y, classes=["no", "yes"])
    again = loaded(dumped(model), {}, "builtin")
    for one in (model, again):
        one.partial_fit(X[:20], Y[:20])
    check_same(model, again, X)


def test_a_new_fit_equals_that_of_the_original():
    model, rows, target = CASES["realmlp"]
    again = loaded(dumped(model.fit(rows, target)), {}, "builtin")
    check_same(model.fit(FRAME[:30], Y[:30]), again.fit(FRAME[:30], Y[:30]), rows)


def test_an_estimator_that_is_not_fitted(tmp_path):
    model = DeepClassifier(learning_rate=0.5, validation_fraction=GroupKFold(3))
    skdeep.save(model, tmp_path / "a")
    again = skdeep.load(tmp_path / "a")
    assert repr(again) == repr(model)
    assert again.validation_fraction.n_splits == 3
    assert not skdeep.inspect(tmp_path / "a").is_fitted


# What cannot be stored.


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (
            DeepClassifier(validation_fraction=iter([])),
            "A model file holds no code, so validation_fraction = .*joblib.dump",
        ),
        (DeepClassifier(inputs={"a": make_column_selector("n")}), "so inputs/a = .*ColumnSelector|so inputs/a = "),
        (DeepClassifier(class_weight={0: np.complex64(1)}), "is an array of type complex64"),
        (
            make_pipeline(DeepClassifier()),
            "saves the estimators of skdeep: .* Got a Pipeline. Save a Pipeline with skops.io.dump",
        ),
        (LogisticRegression(), "Got a LogisticRegression"),
        (type("Mine", (DeepClassifier,), {})(), "Got a Mine"),
        (DeepClassifier, "Got a ABCMeta|Got a type"),
    ],
)
def test_what_cannot_be_stored_says_so(model, message, tmp_path):
    with pytest.raises(UnserializableParameterError, match=message):
        skdeep.save(model, tmp_path / "a")
    assert os.listdir(tmp_path) == []


SPLITTERS = [
    ShuffleSplit(2, test_size=0.3),
    RepeatedKFold(n_splits=3, n_repeats=2, random_state=1),
    KFold(2),
    LeaveOneOut(),
]


@pytest.mark.parametrize("splitter", SPLITTERS, ids=lambda splitter: type(splitter).__name__)
def test_splitters_of_scikit_learn(splitter):
    again = loaded(dumped(DeepClassifier(validation_fraction=splitter)), {}, "builtin").validation_fraction
    assert repr(again) == repr(splitter)
    assert again.get_n_splits(X) == splitter.get_n_splits(X)


def test_a_random_state_that_two_parameters_share():
    shared = np.random.RandomState(0)
    model = DeepClassifier(cv=KFold(2, shuffle=True, random_state=shared), **{**SMALL, "random_state": shared})
    again = loaded(dumped(model), {}, "builtin")
    assert again.cv.random_state is again.random_state
    check_same(model.fit(X, Y), again.fit(X, Y), X)


def test_what_load_would_refuse_is_not_saved():
    nested = "relu"
    for _ in range(30):
        nested = ("residual", {"layers": [nested]})
    endless = []
    endless.append(endless)
    edited = DeepClassifier(**SMALL).fit(X, Y)
    edited.params_ = {
        **edited.params_,
        "Dense_0": {"kernel": np.zeros((4, 6), np.float32), "bias": np.zeros(6, np.float32)},
    }
    noted = DeepClassifier(**SMALL).fit(X, Y)
    noted.note = "x"
    for model, message in [
        (DeepClassifier(network=[nested]), "load would refuse it: .*nested deeper than"),
        (DeepClassifier(network=endless), "contains itself, or is nested too deeply"),
        (DeepClassifier(validation_fraction=list(range(2_500_000))), "load would refuse it: .*its header would have"),
        (edited, "load would refuse it: The array"),
        (noted, "so note = 'x'"),
        (DeepClassifier(validation_fraction=np.ma.masked_array(np.arange(8))), "so validation_fraction = "),
        (
            DeepClassifier(class_weight={"x" * 10**6: 1, "y": np.array(["a"] * 100 + ["b" * 10**6])}),
            "arrays of strings",
        ),
    ]:
        with pytest.raises(UnserializableParameterError, match=message):
            dumped(model)


def test_labels_of_very_different_lengths_and_odd_keys():
    model = DeepClassifier(**SMALL).fit(X, np.array(["a", "x" * 3000])[CODES])
    check_same(model, loaded(dumped(model), {}, "builtin"), X)
    odd = DeepClassifier(class_weight={"\ud800": np.float64(1), "a/b": np.int64(2)})
    assert loaded(dumped(odd), {}, "builtin").class_weight == odd.class_weight


def test_output_in_tables_stays_set():
    model = DeepAutoencoder(n_components=2, **SHORT).set_output(transform="pandas").fit(X)
    assert isinstance(loaded(dumped(model), {}, "builtin").transform(X), pd.DataFrame)


# Files.


def test_another_file_than_expected(tmp_path):
    digest = skdeep.save(DeepClassifier(), tmp_path / "a")
    assert skdeep.load(tmp_path / "a", expect_sha256=digest.upper() + "\n")
    with pytest.raises(ModelFileError, match=f"has the SHA-256 digest {digest}, not '{'0' * 64}' as expected"):
        skdeep.load(tmp_path / "a", expect_sha256="0" * 64)
    for wrong in ("00", "é", 5, b"x"):
        with pytest.raises(ValueError, match="expect_sha256 must be the 64 hexadecimal digits"):
            skdeep.load(tmp_path / "a", expect_sha256=wrong)


def test_errors_name_the_file(tmp_path):
    (tmp_path / "a").write_bytes(b"x")
    with pytest.raises(CorruptModelError, match="too short") as found:
        skdeep.load(tmp_path / "a")
    assert "The file is" in found.value.__notes__[0]
    assert str(tmp_path / "a") in found.value.__notes__[0]


def test_inspect_reads_the_header_only(tmp_path):
    path = tmp_path / "a"
    skdeep.save(DeepClassifier(**SMALL).fit(X, Y), path)
    info = skdeep.inspect(path)
    assert info.estimator == "DeepClassifier"
    assert info.params["max_epochs"] == 2
    assert info.arrays["params_/Dense_0/kernel"] == ("F32", (4, 5))
    assert ["network", "mlp"] in info.components
    assert info.created_by.keys() >= {"skdeep-flax", "jax", "numpy", "python"}
    assert info.is_fitted
    data = bytearray(path.read_bytes())
    assert info.n_bytes == len(data)
    data[-1] ^= 1
    path.write_bytes(data)
    assert skdeep.inspect(path) == info
    with pytest.raises(CorruptModelError, match="has been changed"):
        skdeep.load(path)


LOAD = """
import sys, numpy as np, skdeep
info = skdeep.inspect("a")
assert "flax" not in sys.modules and "optax" not in sys.modules
np.save("p.npy", skdeep.load("a").predict_proba(np.load("x.npy")))
"""


def test_another_process_loads_it(forks, tmp_path):
    model = DeepClassifier(**SMALL).fit(X, Y)
    skdeep.save(model, tmp_path / "a")
    np.save(tmp_path / "x.npy", X)
    done = forks.run(LOAD, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    np.testing.assert_array_equal(np.load(tmp_path / "p.npy"), model.predict_proba(X))


def test_files_hold_no_pickle():
    data = dumped(CASES["realmlp"][0].fit(FRAME, Y))
    with pytest.raises((pickle.UnpicklingError, ValueError, EOFError)):
        pickle.loads(data)
    assert b"skdeep.estimators" not in data
    assert b"__reduce__" not in data
