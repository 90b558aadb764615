"""Random values, and random estimators on random data: what comes back is equal, with the same types, to the bit."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from skdeep import DeepAutoencoder, DeepClassifier, DeepRegressor, MLPClassifier, MLPRegressor
from skdeep.networks import MLP
from skdeep.persistence.container import from_bytes, to_bytes
from skdeep.persistence.decoding import Decoder
from skdeep.persistence.encoding import Encoder
from skdeep.persistence.model import dumped, loaded
from skdeep.persistence.own import Given, OwnObjects

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**29), 10**29), st.floats(), st.text(), st.sampled_from(["$array", "$"])
)
TYPES = st.one_of(
    hnp.boolean_dtypes(),
    hnp.integer_dtypes(),
    hnp.unsigned_integer_dtypes(),
    hnp.floating_dtypes(sizes=(16, 32, 64)),
    hnp.datetime64_dtypes(),
    hnp.timedelta64_dtypes(),
    st.just(np.dtype("<U3")),
)
ARRAYS = hnp.arrays(TYPES, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4))
VALUES = st.recursive(
    st.one_of(SCALARS, ARRAYS),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(st.text(max_size=3), inner, max_size=4),
        st.dictionaries(st.integers(-9, 9), inner, max_size=3),
    ),
    max_leaves=12,
)


def round_trip(value):
    encoder = Encoder(OwnObjects(DeepClassifier()))
    node = encoder.value(value, "x")
    manifest, arrays = from_bytes(to_bytes({"node": node}, encoder.arrays))
    decoder = Decoder(arrays, Given({}, {}), "builtin")
    found = decoder.value(manifest["node"])
    decoder.check_all_used()
    return found


def check_equal(left, right):
    assert type(left) is type(right)
    if isinstance(left, np.ndarray):
        assert left.shape == right.shape
        assert left.dtype.str == right.dtype.str
        assert left.tobytes() == right.tobytes()
    elif isinstance(left, list | tuple):
        assert len(left) == len(right)
        for a, b in zip(left, right, strict=True):
            check_equal(a, b)
    elif isinstance(left, dict):
        assert list(left) == list(right)
        for key in left:
            check_equal(left[key], right[key])
    else:
        assert left == right or (left != left and right != right)
        assert repr(left) == repr(right)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(VALUES)
def test_values(value):
    check_equal(value, round_trip(value))


@pytest.mark.parametrize(
    "value", [np.float64(0.1), np.int8(-3), np.bool_(True), np.str_("é"), np.datetime64("2020-01-02", "D")]
)
def test_scalars_of_numpy(value):
    found = round_trip(value)
    assert type(found) is type(value)
    assert found == value


def test_objects_in_arrays():
    value = np.array([["a", None], [1, 2.5]], dtype=object)
    found = round_trip(value)
    assert found.dtype == object
    assert found.tolist() == value.tolist()


ESTIMATORS = st.sampled_from([DeepClassifier, DeepRegressor, DeepAutoencoder, MLPClassifier, MLPRegressor])
LABELS = st.sampled_from(["int64", "uint8", "float32", "U2", "O", "bool", "M8[D]"])


@dataclasses.dataclass
class Draw:
    cls: type
    n_columns: int
    n_classes: int
    n_outputs: int
    kind: str
    dtype: str
    as_frame: bool
    params: dict


DRAWS = st.builds(
    Draw,
    cls=ESTIMATORS,
    n_columns=st.integers(1, 4),
    n_classes=st.integers(2, 4),
    n_outputs=st.integers(1, 3),
    kind=LABELS,
    dtype=st.sampled_from(["float32", "float64", "int32"]),
    as_frame=st.booleans(),
    params=st.fixed_dictionaries(
        {
            "random_state": st.integers(0, 2**31 - 1),
            "early_stopping": st.booleans(),
            "batch_size": st.sampled_from(["auto", 5]),
        }
    ),
)


def labels_of(kind, codes):
    words = {"U2": np.array(["a", "bb", "c", "dd"]), "O": np.array(["x", "yy", "z", "é"], object)}
    if kind in words:
        return words[kind][codes]
    if kind == "bool":
        return codes % 2 == 1
    return np.array(codes, "int64").astype(kind)


def made(draw):
    rng = np.random.default_rng(0)
    x = (10 * rng.normal(size=(24, draw.n_columns))).astype(draw.dtype)
    rows = pd.DataFrame(x, columns=[f"column {i}" for i in range(draw.n_columns)]) if draw.as_frame else x
    if draw.cls is DeepAutoencoder:
        return DeepAutoencoder(n_components=1, max_epochs=1, **draw.params).fit(rows), rows
    short = {"max_iter": 1} if draw.cls in (MLPClassifier, MLPRegressor) else {"max_epochs": 1, "network": MLP((3,))}
    if draw.cls in (DeepClassifier, MLPClassifier):
        target = labels_of(draw.kind, np.arange(24) % draw.n_classes)
    else:
        target = rng.normal(size=(24, draw.n_outputs))
        target = target[:, 0] if draw.n_outputs == 1 else target
    return draw.cls(**short, **draw.params).fit(rows, target), rows


@pytest.mark.filterwarnings("ignore:The ranges of the columns:UserWarning")
@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(DRAWS)
def test_estimators(draw):
    model, rows = made(draw)
    again = loaded(dumped(model), {}, "builtin")
    assert dumped(again) == dumped(model)
    for name in ("predict", "predict_proba", "transform"):
        if hasattr(model, name):
            before, after = getattr(model, name)(rows), getattr(again, name)(rows)
            assert before.dtype == after.dtype
            np.testing.assert_array_equal(after, before)
