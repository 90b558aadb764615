"""A table that is learned from blocks is that which is learned from all rows."""

import numpy as np
import pandas as pd
import pytest

from skdeep.tables import summary as module
from skdeep.tables.columns import MOST_LEVELS
from skdeep.tables.frames import as_frame
from skdeep.tables.learning import learn_table
from skdeep.tables.summary import Moments, TableSummary

N = 300
rng = np.random.default_rng(0)
WEIGHT = np.where(np.arange(N) % 5 == 0, 0.0, rng.random(N))
FRAME = pd.DataFrame(
    {
        "number": np.where(np.arange(N) % 7 == 1, np.nan, rng.normal(size=N)),
        "whole": np.arange(N) % 4,
        "text": np.where(np.arange(N) < 290, "a", "late"),
        "late text": [None] * 200 + ["b"] * 100,
        "flag": np.arange(N) % 3 == 0,
        "day": pd.date_range("2020-01-01", periods=N, freq="3D"),
        "type": pd.Categorical(np.array(["x", "y"])[np.arange(N) % 2]),
        "empty": [None] * N,
    }
)


def summarised(frame, weight, given="from_dtype", size=70):
    found = TableSummary(list(frame.columns), given)
    for start in range(0, len(frame), size):
        found.update(as_frame(frame[start : start + size]), weight[start : start + size], start)
    return found


@pytest.mark.parametrize("given", ["from_dtype", ["whole", "text", "late text", "day", "type"]])
@pytest.mark.parametrize("scaling", [None, "standard"])
def test_the_table_is_that_of_all_rows(given, scaling):
    expected = learn_table(as_frame(FRAME), WEIGHT, given, scaling, "float64")
    table, warnings = summarised(FRAME, WEIGHT, given).table(scaling)
    assert table.columns == expected.table.columns
    assert warnings == expected.warnings
    scale = expected.table.with_scale_of(expected.rows, WEIGHT).scale
    for part in ("center", "factor", "fill"):
        np.testing.assert_allclose(getattr(table.scale, part), getattr(scale, part), rtol=1e-10)


def test_numbers_without_gaps_are_an_array():
    frame = FRAME[["whole"]].assign(other=np.arange(N) * 1.5)
    found = summarised(frame, WEIGHT)
    assert found.is_array
    np.testing.assert_allclose(found.means(), np.average(frame, axis=0, weights=WEIGHT))
    assert not summarised(FRAME[["number"]], WEIGHT).is_array
    assert not summarised(FRAME[["text"]], WEIGHT).is_array


def test_moments_of_blocks_are_joined():
    values = rng.normal(size=(100, 3)) * [1, 1e6, 0] + [0, 5, 2]
    weight = rng.random(100)
    joined = Moments.of(values[:30], weight[:30]).joined(Moments.of(values[30:], weight[30:]))
    np.testing.assert_allclose(joined.mean, np.average(values, axis=0, weights=weight))
    variance = np.average((values - joined.mean) ** 2, axis=0, weights=weight)
    np.testing.assert_allclose(joined.deviation, np.sqrt(variance), atol=1e-12)


def test_the_heaviest_levels_are_kept_if_there_are_too_many(monkeypatch):
    monkeypatch.setattr(module, "MOST_COUNTED", 2 * MOST_LEVELS)
    names = np.concatenate([[f"rare {i}" for i in range(3000)], np.repeat([f"often {i}" for i in range(20)], 50)])
    frame = pd.DataFrame({"name": rng.permutation(names)})
    table, _ = summarised(frame, np.ones(len(frame)), size=500).table(None)
    assert {f"often {i}" for i in range(20)} <= set(table.columns[0].levels)
    assert table.columns[0].n_buckets > 0


def test_errors():
    with pytest.raises(ValueError, match="infinity or a value too large in row 250 of the column 'whole'"):
        summarised(
            FRAME[["whole"]].replace({"whole": {}}).assign(whole=np.where(np.arange(N) == 250, np.inf, 1.0)), WEIGHT
        )
    with pytest.raises(TypeError, match="held numbers in fit, but holds text now"):
        found = summarised(FRAME[["whole"]], WEIGHT)
        found.update(as_frame(pd.DataFrame({"whole": ["a"]})), np.ones(1), N)
    with pytest.raises(ValueError, match="X has the columns 'other' from row 300 on, but 'whole' before"):
        found.update(as_frame(pd.DataFrame({"other": [1]})), np.ones(1), N)
    with pytest.raises(TypeError, match="holds text, but categorical_features"):
        summarised(FRAME[["text", "whole"]], WEIGHT, ["whole"]).table(None)
    with pytest.raises(ValueError, match="no column with values"):
        summarised(FRAME[["empty"]], WEIGHT).table(None)
