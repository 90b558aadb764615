"""Columns of pandas, polars and pyarrow tables are read alike."""

import datetime
import decimal

import numpy as np
import pandas as pd
import polars as pl
import pytest

from skdeep.tables.frames import as_frame, frame_of_array, in_order_of, is_all_numbers, read_column

DATES = [datetime.datetime(2020, 1, 1), None, datetime.datetime(2021, 2, 3, 4, 5, 6)]
COLUMNS = {
    "float": [1.0, None, 3.5],
    "int": [1, 2, 3],
    "text": ["a", None, "b"],
    "boolean": [True, None, False],
    "date": DATES,
    "duration": [datetime.timedelta(hours=1), None, datetime.timedelta(days=1)],
    "empty": [None] * 3,
}
# As the calendar says; seconds by datetime.timestamp in UTC.
SECONDS = [datetime.datetime(*d.timetuple()[:6], tzinfo=datetime.UTC).timestamp() if d else np.nan for d in DATES]
PARTS = np.array([[2020, 1, 1, 0, 3, SECONDS[0]], [np.nan] * 6, [2021, 2, 3, 4, 3, SECONDS[2]]])


def as_objects():
    return pd.DataFrame({name: pd.Series(values, dtype=object) for name, values in COLUMNS.items()})


TABLES = {
    "pandas": lambda: pd.DataFrame(COLUMNS),
    "pandas with nullable types": lambda: pd.DataFrame(COLUMNS).convert_dtypes(),
    "pandas with objects": as_objects,
    "pandas with pyarrow types": lambda: pl.DataFrame(COLUMNS).to_pandas(use_pyarrow_extension_array=True),
    "polars": lambda: pl.DataFrame(COLUMNS),
    "pyarrow": lambda: pl.DataFrame(COLUMNS).to_arrow(),
}


@pytest.fixture(params=TABLES, name="frame")
def _frame(request):
    return as_frame(TABLES[request.param]())


def read(frame, name):
    return read_column(frame[name], name)


@pytest.mark.parametrize("name", COLUMNS)
def test_kinds(frame, name):
    assert read(frame, name).kind == ("number" if name in ("float", "int") else name)


def test_numbers(frame):
    np.testing.assert_array_equal(read(frame, "float").values, [[1], [np.nan], [3.5]])
    np.testing.assert_array_equal(read(frame, "int").values, [[1], [2], [3]])
    np.testing.assert_array_equal(read(frame, "duration").values, [[3600], [np.nan], [86400]])
    np.testing.assert_array_equal(read(frame, "date").values, PARTS)


@pytest.mark.parametrize("name", ["text", "boolean"])
def test_categories(frame, name):
    values = read(frame, name).values
    assert [None if pd.isna(value) else value for value in values] == COLUMNS[name]


def test_dates_are_read_in_their_time_zone():
    column = pd.Series(pd.to_datetime(["2020-07-01 23:30"]).tz_localize("Europe/Berlin"))
    # Summer time is two hours before UTC.
    seconds = datetime.datetime(2020, 7, 1, 21, 30, tzinfo=datetime.UTC).timestamp()
    np.testing.assert_array_equal(read(as_frame(column.to_frame("t")), "t").values, [[2020, 7, 1, 23, 3, seconds]])


@pytest.mark.parametrize(
    "values",
    [pd.Categorical(["b", "a", None]), pl.Series(["b", "a", None], dtype=pl.Enum(["b", "a"]))],
    ids=["pandas", "polars"],
)
def test_categorical_types(values):
    frame = as_frame(pd.DataFrame({"c": values}) if isinstance(values, pd.Categorical) else pl.DataFrame({"c": values}))
    kind, found = read(frame, "c")
    assert kind == "text"
    assert list(found[:2]) == ["b", "a"]


def test_dates_and_numbers_in_object_columns():
    frame = as_frame(
        pd.DataFrame(
            {"d": [datetime.date(2020, 1, 1), None], "n": pd.Series([decimal.Decimal("1.5"), None], dtype=object)}
        )
    )
    assert read(frame, "d").kind == "date"
    np.testing.assert_array_equal(read(frame, "n").values, [[1.5], [np.nan]])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1, "a"], "The column 'c' of X must hold numbers, text, booleans, dates or durations, and only one of these kinds. Got values of "
         "type int, str. Convert its values to one type, such as X[name].astype(str)."),
        ([{}, []], "Got values of type dict, list. Leave it out, or convert it to numbers, text or dates."),
        ([b"a", None], "Got values of type bytes. Convert it to text or numbers."),
        ([1j, 2j], "Got values of type complex."),
        ([datetime.time(1), None], "Got values of type time. Convert it to text or numbers."),
    ],
)  # fmt: skip
def test_other_objects_are_refused(values, message):
    frame = as_frame(pd.DataFrame({"c": pd.Series(values, dtype=object)}))
    with pytest.raises(TypeError) as err:
        read(frame, "c")
    assert message in str(err.value)


def test_nested_columns_of_polars_are_refused():
    with pytest.raises(TypeError, match="The column 'c' of X must hold numbers"):
        read(as_frame(pl.DataFrame({"c": [[1], [2, 3]]})), "c")


def test_columns_of_the_same_name_are_refused():
    frame = pd.DataFrame(np.zeros((2, 3)), columns=["a", "b", "a"])
    with pytest.raises(ValueError, match="X has several columns with the same name: 'a'. Rename or drop"):
        as_frame(frame)


@pytest.mark.parametrize("x", [np.zeros((2, 2)), [[1, 2]], None, "text", pd.Series([1])])
def test_other_objects_are_no_tables(x):
    assert as_frame(x) is None


def test_columns_of_an_array_are_named_by_their_positions():
    frame = frame_of_array(np.array([[1, "a"], [None, "b"]], dtype=object))
    assert frame.columns == ["x0", "x1"]
    np.testing.assert_array_equal(read(frame, "x0").values, [[1], [np.nan]])


def test_columns_whose_names_are_numbers():
    frame = as_frame(pd.DataFrame({3: [1.0, 2.0], 1: ["a", "b"]}))
    assert frame.columns == ["3", "1"]
    assert read(frame, "1").kind == "text"


def test_order_of_names():
    frame = as_frame(pd.DataFrame({"a": [1], "b": [2]}))
    assert in_order_of(frame, ("b", "a")).columns == ["b", "a"]
    assert in_order_of(frame, ("b", "c")).columns == ["a", "b"]
    assert in_order_of(frame, None).columns == ["a", "b"]


def test_tables_of_numbers():
    assert is_all_numbers(as_frame(pd.DataFrame({"a": [1], "b": [True]})))
    assert not is_all_numbers(as_frame(pd.DataFrame({"a": [1], "b": ["x"]})))
