"""Blocks are checked and encoded; messages name the row in the whole data; rows may be left out."""

import numpy as np
import pandas as pd
import pytest

from skdeep.core.encoding import Classes, Encoding, Values
from skdeep.core.streamed_rows import Sources, StreamedRows, Weighing, codes_of, located
from skdeep.core.target import TargetScale, encode_classes
from skdeep.losses import Poisson
from skdeep.networks import Linear
from skdeep.sources.sliced import SlicedSource
from skdeep.tables.frames import as_frame
from skdeep.tables.learning import learn_table

N = 100
X = np.arange(N * 2, dtype=np.float32).reshape(N, 2)
LABELS = np.array(["no", "yes"])[np.arange(N) % 2]


class Rows:
    """Rows that return whatever `change` makes of a block."""

    def __init__(self, rows, change=lambda block, index: block):
        self.rows, self.change = rows, change

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, index):
        return self.change(self.rows[index], index)


def streamed(x=X, y=LABELS, weight=None, target=None, left_out=(), **fields):
    sources = Sources(*(None if part is None else SlicedSource(part) for part in (x, y, weight)))
    target = Classes(np.array(["no", "yes"])) if target is None else target
    encoding = Encoding(target, columns=(2,), in_shape=(2,))
    return StreamedRows(sources, encoding, sources.state(), np.array(left_out, np.int64), **fields)


def test_blocks_are_encoded():
    rows = streamed(network=Linear()).read(3, 6)
    assert rows.x.tolist() == X[3:6].tolist()
    assert rows.target.tolist() == [1, 0, 1]
    assert rows.weight.tolist() == [1, 1, 1]


def test_values_are_scaled_and_checked():
    target = Values(1, True, TargetScale(np.array([10.0]), np.array([2.0])))
    assert streamed(y=np.arange(N) * 2.0, target=target).read(5, 7).target.tolist() == [[0], [1]]
    y = np.ones(N)
    y[77] = -1
    with pytest.raises(ValueError, match=r"In the rows 70 to 79.*needs y >= 0. Got -1.0 in row 7"):
        streamed(y=y, target=target, loss=Poisson()).read(70, 80)


@pytest.mark.parametrize(("value", "name"), [(np.nan, "NaN"), (np.inf, "infinity")])
def test_the_row_of_a_value_that_is_not_finite(value, name):
    x = X.copy()
    x[63, 1] = value
    with pytest.raises(ValueError, match=f"Input X contains {name} in row 63, column 1"):
        streamed(x).read(50, 70)
    y = np.zeros(N)
    y[42] = value
    with pytest.raises(ValueError, match=f"Input y contains {name} in row 42"):
        streamed(y=y, target=Values(1, True)).read(40, 70)


def test_the_row_of_a_missing_label():
    y = LABELS.astype(object)
    y[61] = None
    with pytest.raises(ValueError, match="Input y contains missing values, the first in row 61"):
        streamed(y=y).read(60, 70)


def test_unknown_labels():
    y = np.where(np.arange(N) == 61, "maybe", LABELS)
    with pytest.raises(ValueError, match=r"In the rows 60 to 69.*not among the classes.*maybe"):
        streamed(y=y).read(60, 70)


def test_another_shape():
    x = Rows(X, lambda block, index: block[:, :1] if index.start >= 50 else block)
    with pytest.raises(ValueError, match=r"rows of shape \(1,\) from row 50 on, but rows of shape \(2,\) before"):
        streamed(x).read(50, 60)


def test_another_number_of_rows():
    with pytest.raises(ValueError, match="X returned 9 rows for the rows 50 to 59 of 100"):
        streamed(Rows(X, lambda block, index: block[:9])).read(50, 60)


def test_weights_are_those_of_training():
    weight = np.arange(N) + 1.0
    rows = streamed(weight=weight, weighing=Weighing(3, 2.0, np.array([1.0, 10.0]))).read(0, 3)
    assert rows.weight.tolist() == [1 / 16, 20 / 16, 3 / 16]
    with pytest.raises(ValueError, match="Negative values in data passed to sample_weight: -1.0 in row 99"):
        streamed(weight=np.where(np.arange(N) == 99, -1.0, 1.0)).read(90, 100)


def test_rows_are_left_out():
    left_out = [0, 4, 5, 99]
    rows = streamed(left_out=left_out)
    kept = np.delete(np.arange(N), left_out)
    assert rows.n == len(kept)
    assert rows.positions(np.arange(rows.n)).tolist() == kept.tolist()
    for start, stop in ((0, 3), (2, 5), (90, 96), (0, 96)):
        assert rows.read(start, stop).x.tolist() == X[kept[start:stop]].tolist()


def test_a_sample_is_from_several_places():
    rows = streamed()
    assert rows.sample(100).x.tolist() == X.tolist()
    sampled = rows.sample(32).x[:, 0]
    assert len(sampled) == 32
    assert sampled[0] == 0
    assert sampled[-1] == X[-1, 0]


def test_tables_are_read():
    frame = pd.DataFrame({"a": [1.0, None] * 50, "b": ["x", "y"] * 50})
    learned = learn_table(as_frame(frame), np.ones(N), "from_dtype", None, "float64")
    table = learned.table.with_scale_of(learned.rows, np.ones(N))
    sources = Sources(SlicedSource(frame), SlicedSource(LABELS))
    encoding = Encoding(Classes(np.array(["no", "yes"])), columns=None, in_shape=(1,), table=table)
    rows = StreamedRows(sources, encoding.for_network(Linear()), sources.state(), np.zeros(0, np.int64)).sample(40)
    assert len(rows.target) == 32
    assert rows.x["category"].shape[0] == 32


def test_the_content_is_that_of_all_rows():
    changed = X.copy()
    changed[50, 1] += 1
    assert streamed().content() == streamed(X.copy()).content()
    assert streamed().content() != streamed(changed).content()


def test_codes_of_labels():
    classes = np.unique(LABELS)
    for labels in (LABELS, LABELS.astype(object)):
        assert codes_of(labels, classes).tolist() == encode_classes(labels, classes).tolist()


def test_a_located_error_is_located_once():
    message = r"^In the rows 8 to 9, whose first is counted as row 0 here: wrong$"
    with pytest.raises(ValueError, match=message), located(0, 9), located(8, 2):
        raise ValueError("wrong")
