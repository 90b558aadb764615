"""Several arrays or tables with the same rows: the X of a network with several inputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np


class Inputs:
    """Several named arrays or tables of the same rows, as X for a network that takes its inputs by name.

    A table is a pandas, polars or pyarrow frame. `DeepClassifier` and `DeepRegressor` read it as they read an X that is a table,
    and a network gets it as one array of numbers and one-hot columns.

    An `Inputs` is indexed by rows like an array, so that `train_test_split`, `cross_validate` and `GridSearchCV` can split it.
    The network gets integer arrays as int32, so that ids stay exact, and all other arrays in the type of training.

    Parameters
    ----------
    arrays : mapping of str to array-like (n, ...) or table, default=None
        Arrays by name, for names that are not Python identifiers.
    **named : array-like (n, ...) or table
        Arrays by name, each with at least 2 dimensions.

    Attributes
    ----------
    names : tuple of str
        In alphabetical order.
    shape : tuple of int
        `(n,)`, the number of rows.

    Raises
    ------
    ValueError
        If there is no array, an array has fewer than 2 dimensions, or the numbers of rows differ.
    TypeError
        If a name is not a string.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeep import Inputs
    >>> X = Inputs(image=np.zeros((4, 8, 8, 1)), tokens=np.arange(12).reshape(4, 3))
    >>> X
    Inputs(image=(4, 8, 8, 1) float64, tokens=(4, 3) int64)
    >>> X[1:3]["tokens"]
    array([[3, 4, 5],
           [6, 7, 8]])
    """

    def __init__(self, arrays: Mapping[str, Any] | None = None, /, **named: Any) -> None:
        given = {**(arrays or {}), **named}
        if not given:
            raise ValueError(
                "Inputs needs at least one array. Give them by name, such as Inputs(image=..., table=...)."
            )
        for name in given:
            if not isinstance(name, str):
                raise TypeError(f"The names of Inputs must be strings. Got {name!r}.")
        self._arrays = {name: _as_rows(name, given[name]) for name in sorted(given)}
        counts = {name: len(array) for name, array in self._arrays.items()}
        if len(set(counts.values())) > 1:
            raise ValueError(f"All arrays of Inputs must have the same number of rows. Got {counts}.")

    @property
    def names(self) -> tuple[str, ...]:
        """The names, in alphabetical order."""
        return tuple(self._arrays)

    @property
    def shape(self) -> tuple[int]:
        """The number of rows, `(n,)`."""
        return (len(self),)

    def items(self) -> Iterator[tuple[str, np.ndarray]]:
        """Iterate over names and arrays."""
        return iter(self._arrays.items())

    def map(self, function: Any) -> Inputs:
        """Return an `Inputs` of the arrays `function(name, array)`."""
        return Inputs({name: function(name, array) for name, array in self.items()})

    def __len__(self) -> int:
        return len(next(iter(self._arrays.values())))

    def __getitem__(self, index: Any) -> Any:
        """Return the array with this name, or an `Inputs` of some rows."""
        if isinstance(index, str):
            return self._arrays[index]
        if isinstance(index, tuple):  # scikit-learn selects rows by X[index, ...]
            index, *others = index
            if others != [...]:
                raise IndexError(
                    "Inputs are indexed by a name or by rows only. For columns, index one array: X[name][:, 0]."
                )
        if isinstance(index, int | np.integer):
            raise IndexError(
                f"Inputs are indexed by a name or by several rows. For one row, give a slice or a list: [[{index}]]."
            )
        return self.map(lambda _, array: _rows_at(array, index))

    def __iter__(self) -> Iterator[Any]:
        raise TypeError("Inputs cannot be iterated over. For the arrays, use items(); for some rows, use a slice.")

    def __array__(self, *_: Any, **__: Any) -> np.ndarray:
        raise TypeError(
            "Inputs hold several arrays and cannot be converted to one array. DeepClassifier and DeepRegressor take Inputs. For other "
            f"estimators, give one of the arrays, such as X[{self.names[0]!r}]."
        )

    def __repr__(self) -> str:
        shown = (f"{name}={array.shape} {getattr(array, 'dtype', 'table')}" for name, array in self.items())
        return f"Inputs({', '.join(shown)})"


def is_table(array: Any) -> bool:
    """Return True for a pandas, polars or pyarrow table, also as narwhals sees it."""
    return isinstance(array, nw.DataFrame) or nw.dependencies.is_into_dataframe(array)


def _rows_at(array: Any, index: Any) -> Any:
    """Return some rows of an array or a table."""
    if not is_table(array):
        return array[index]
    frame = nw.from_native(array, eager_only=True)
    rows = np.arange(len(frame))[index]
    chosen = frame[rows]
    return chosen if isinstance(array, nw.DataFrame) else chosen.to_native()


def _as_rows(name: str, array: Any) -> Any:
    if is_table(array):
        return array
    if hasattr(array, "indptr"):
        raise TypeError(f"The input {name!r} is sparse, but Inputs take dense arrays. Give {name}.toarray().")
    rows = np.asarray(array)
    if rows.ndim < 2:
        raise ValueError(
            f"The input {name!r} must have rows of at least one value, shape (n, ...). Got shape {rows.shape}. For one value per row, "
            "reshape it to (n, 1)."
        )
    return rows
