"""Fit on rows that are read block by block: which arguments stream, one pass that learns the encoding, and the split.

Rows of several processes (`estimators/several_processes.py`) take this path too, since no process has all of them either.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterator
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.utils.validation import validate_data

from skdeep.core.encoding import Encoding
from skdeep.core.feeds.read_ahead import ReadAhead
from skdeep.core.inputs import columns_of, float_dtype, hashable_specs
from skdeep.core.random import host_generator
from skdeep.core.rows import WeightedRows, bounded_weights, scaled_by_power_of_two, weight_exponent
from skdeep.core.streamed_rows import RawBlock, Sources, StreamedRows, Weighing, rows_per_block_of
from skdeep.estimators.members import is_ensemble
from skdeep.estimators.prepare import Draft, Split
from skdeep.estimators.several_processes import (
    check_one_encoding,
    check_validation,
    joined_summaries,
    own_validation,
    source_in_memory,
    spans_processes,
    with_counts,
)
from skdeep.estimators.target_summary import WeightSummary
from skdeep.estimators.warn import warn_caller
from skdeep.inputs import Inputs
from skdeep.sources import TableSource, source_of
from skdeep.sources.blocks import joined, labels_of, numbers_of, read_block
from skdeep.sources.sliced import SlicedSource
from skdeep.sources.source import Source, selected
from skdeep.tables.frames import as_frame, as_table
from skdeep.tables.summary import TableSummary

_FIRST_ROWS = 1024
_HELD_OUT_STREAM = 2**32 - 1
_ROWS_PER_DRAW = 2**16


def streamed(estimator: Any, data: Any) -> Any:
    """Return the arguments of `fit`, with `Sources` as X if X is read block by block, else unchanged.

    Raises
    ------
    ValueError, TypeError
        If a parameter or an argument needs all rows in memory, or names a column that X has not.
    """
    x = None if isinstance(data.X, Inputs) else source_of(data.X)
    data = _with_validation_in_memory(data)
    if x is None and spans_processes(estimator):
        x = source_in_memory(estimator, data.X)
        data = dataclasses.replace(data, y=_as_array(data.y), sample_weight=_as_array(data.sample_weight))
    if x is None:
        return data
    _check_can_stream(estimator, data)
    x, y, weight = arguments_as_sources(x, data.y, data.sample_weight)
    if y is None:
        raise ValueError(f"{type(estimator).__name__} needs y: an array, or the name of a column of X.")
    return dataclasses.replace(data, X=Sources(x, y, weight), y=None, sample_weight=None)


def check_in_memory(estimator: Any, X: Any) -> None:
    """Raise TypeError if X is a path, which `partial_fit` does not read."""
    if isinstance(X, str | os.PathLike):
        raise TypeError(
            f"partial_fit of {type(estimator).__name__} takes rows in memory, not a path. Read some rows, and give it these."
        )


def arguments_as_sources(x: Source, y: Any, sample_weight: Any) -> tuple[Source, Source | None, Source | None]:
    """Return sources of X, y and the weights, None for those that were not given. X loses the columns that the others name."""
    names = [name for given in (y, sample_weight) for name in _named(given)]
    if names and not isinstance(x, TableSource):
        raise TypeError(f"y or sample_weight names the column {names[0]!r}, but X has no named columns. Give an array.")
    of_y, of_weight = _beside(x, y, "y"), _beside(x, sample_weight, "sample_weight")
    if isinstance(x, TableSource) and names:
        x = x.select([name for name in x.columns if name not in names])
    return x, of_y, of_weight


def _check_can_stream(estimator: Any, data: Any) -> None:
    owner = type(estimator).__name__
    if not estimator._streams:
        raise TypeError(
            f"{owner} does not read X in blocks. Give X as an array or a table in memory, or use DeepClassifier or DeepRegressor."
        )
    obstacles = {
        "an ensemble (n_estimators, bootstrap, cv)": is_ensemble(estimator),
        "coalesce=True, since equal rows may be far apart": estimator.coalesce is True,
        "groups": data.groups is not None,
        "the parameter 'inputs'": estimator.inputs is not None,
        f"numeric_scaling={estimator.numeric_scaling!r}, which needs quantiles": estimator.numeric_scaling
        in ("robust", "quantile"),
    }
    how, instead = "reads this X in blocks", "Give X in memory"
    if spans_processes(estimator):
        how, instead = "trains in several processes here", "Train in one process"
    for obstacle, is_there in obstacles.items():
        if is_there:
            raise ValueError(
                f"{owner} {how}, which does not go together with {obstacle}. {instead}, or leave it out"
                f"{' (numeric_scaling=' + repr('standard') + ' works)' if 'quantiles' in obstacle else ''}."
            )


def _as_array(given: Any) -> Any:
    """Return a list as an array: beside rows in memory, its strings are labels and no names of columns."""
    return np.asarray(given) if isinstance(given, list | tuple) else given


def _named(given: Any) -> list[str]:
    """Return the names of columns in an argument, none if it is an array."""
    if isinstance(given, str):
        return [given]
    is_list = isinstance(given, list | tuple) and len(given) > 0 and all(isinstance(name, str) for name in given)
    return list(given) if is_list else []


def _beside(x: Source, given: Any, name: str) -> Source | None:
    """Return the source of y or of the weights: columns of X, or rows beside X."""
    if given is None:
        return None
    if names := _named(given):
        return selected(x, names)  # type: ignore[arg-type]  # a TableSource, as `arguments_as_sources` has checked
    source = source_of(given)
    if source is None:
        source = SlicedSource(given if isinstance(given, np.ndarray) else np.asarray(given))
    if source.n != x.n:
        raise ValueError(f"X and {name} have different numbers of rows: {x.n} and {source.n}.")
    return source


def _with_validation_in_memory(data: Any) -> Any:
    """Return the arguments with validation rows in memory: those of a source are read as a whole."""
    x = None if data.X_val is None or isinstance(data.X_val, Inputs) else source_of(data.X_val)
    if x is None:
        return data
    x, y, weight = arguments_as_sources(x, data.y_val, data.sample_weight_val)
    read = [None if source is None else source.read(0, source.n) for source in (x, y, weight)]
    return _as_validation(data, RawBlock(0, *read))


def _as_validation(data: Any, block: RawBlock) -> Any:
    """Return the arguments of `fit` with a block in memory as its validation rows."""
    y = None if block.y is None else labels_of(block.y, block.start, "y_val")
    weight = None if block.weight is None else numbers_of(block.weight, block.start, "sample_weight_val").reshape(-1)
    return dataclasses.replace(data, X_val=block.x, y_val=y, sample_weight_val=weight)


def read_stream(estimator: Any, data: Any) -> tuple[Encoding, StreamedRows]:
    """Return the encoding that is learned in one pass over the rows, and the rows.

    Of an X of arrays only the first rows are read here: all that is learned is learned of y and the weights.
    """
    sources = data.X
    if sources.n == 0:
        raise ValueError("Found array with 0 sample(s) while a minimum of 1 is required.")
    state = sources.state()
    rows_per_block = rows_per_block_like(read_block(sources.x, 0, 1, "X"))
    first = read_block(sources.x, 0, min(sources.n, _FIRST_ROWS, rows_per_block), "X")
    frame = as_frame(first)
    validate_data(estimator, first if frame is None else frame.to_native(), reset=True, skip_check_array=True)
    table = (
        None
        if frame is None or not estimator._may_be_table
        else TableSummary(frame.columns, estimator.categorical_features)
    )
    target, weights = estimator._target_summary(), WeightSummary()
    with _blocks(sources if table is not None else dataclasses.replace(sources, x=sources.y), rows_per_block) as blocks:
        for block in blocks:
            weight = weights.update(block)
            target.update(block, weight)
            if table is not None:
                table.update(as_table(block.x), weight, block.start)
    if spans_processes(estimator):
        weights, target, table = joined_summaries(sources.n, (weights, target, table))
    zeros = weights.zeros
    encoding = _encoding_of(estimator, first, table, target.target())
    rows = StreamedRows(sources, encoding, state, zeros, target, Weighing(weights.exponent))
    if spans_processes(estimator):
        check_one_encoding(encoding)
        rows = with_counts(rows)
    return encoding, rows


def _blocks(sources: Sources, rows_per_block: int) -> ReadAhead:
    """Return an iterator over all blocks, which are read in a thread."""

    def blocks(is_closed: Callable[[], bool]) -> Iterator[RawBlock]:
        return (sources.read(start, stop) for start, stop in sources.blocks(rows_per_block))

    return ReadAhead(blocks)


def rows_per_block_like(first: Any) -> int:
    """Return how many rows like these make a block of `BLOCK_BYTES`."""
    frame = as_frame(first)
    bytes_per_row = 8 * len(frame.columns) if frame is not None else np.asarray(first[:1]).nbytes
    return rows_per_block_of(bytes_per_row)


def _encoding_of(estimator: Any, first: Any, summary: TableSummary | None, target: Any) -> Encoding:
    names = getattr(estimator, "feature_names_in_", None)
    common: dict[str, Any] = {"target": target, "names": None if names is None else tuple(map(str, names))}
    if summary is not None and not (summary.is_array and estimator._scaling is None):
        table, warnings = summary.table(estimator._scaling)
        for message in warnings:
            warn_caller(message)
        read = table.read(as_frame(first))
        return Encoding(
            **common,
            columns=columns_of(read),
            in_shape=hashable_specs(table.specs),
            x_dtype=float_dtype(read).name,
            table=table,
        )
    if summary is None and estimator._scaling is not None:
        raise ValueError(
            f"numeric_scaling={estimator._scaling!r} of {type(estimator).__name__} is for tables, but X is read in blocks of arrays. Set it "
            "to None and scale X before, or give a table."
        )
    x = numbers_of(first, 0)
    if x.ndim < 2:
        raise ValueError(f"Expected 2D array, got 1D array instead: rows {x[:3]} ... of X. Reshape X to (n, 1).")
    fill = None if summary is None else summary.means()
    return Encoding(**common, columns=x.shape[1:], in_shape=estimator._in_shape(x), x_dtype=x.dtype.name, fill=fill)


def split_stream(estimator: Any, given: StreamedRows, data: Any, draft: Draft) -> tuple[Draft, Split]:
    """Return what `DeepEstimator._split` returns. The statistics of y and of tables are those of all rows of positive weight."""
    loss, owner = draft.resolved.loss, type(estimator).__name__
    if draft.resolved.optimizer.full_batch:
        raise ValueError(
            f"The optimizer {type(draft.resolved.optimizer).__name__} needs all rows at every step, but X is read in blocks. Choose another "
            "optimizer, such as 'adam'."
        )
    if data.X_val is None and (data.y_val is not None or data.sample_weight_val is not None):
        raise ValueError("y_val or sample_weight_val was given without X_val. Give X_val too.")
    if data.X_val is None and estimator.early_stopping:
        data, given = _held_out(estimator, given, data, draft, owner)
        given = with_counts(given) if given.counts else given
    encoding = given.summary.scaled(draft.encoding, loss)
    weighing = given.summary.weighing(estimator, encoding, given.weighing.exponent)
    draft = dataclasses.replace(draft, encoding=encoding)
    train = given.replace(encoding=encoding, weighing=weighing, loss=loss, summary=None)
    if data.X_val is None:
        return draft, Split(train)  # type: ignore[arg-type]  # in the place of WeightedRows
    validation, position = estimator._given_validation(data, draft)
    scored = estimator._scored(validation, data.X_val, position, data.sample_weight_val is not None)
    if given.counts:
        check_validation(estimator, scored)
    validation = estimator._finished(validation, encoding, loss)
    factors = weighing.factors
    weight = bounded_weights(validation.weight)
    weight = weight if factors is None else weight * factors[validation.target]
    x = validation.x if encoding.table is None else encoding.encode(validation.x)
    exponent = weight_exponent(validation.weight)
    validation = estimator._weighed(WeightedRows(x, validation.target, weight), "validates on")
    if given.counts:
        validation = own_validation(validation, scaled_by_power_of_two(weight.mean(), exponent))
    return draft, Split(train, validation, scored)  # type: ignore[arg-type]  # in the place of WeightedRows


def _held_out(estimator: Any, given: StreamedRows, data: Any, draft: Draft, owner: str) -> tuple[Any, StreamedRows]:
    """Return the arguments with the held-out rows as validation rows in memory, and the other rows."""
    fraction = estimator.validation_fraction
    if isinstance(fraction, bool) or not isinstance(fraction, Real):
        raise ValueError(
            f"{owner} reads X in blocks, so that validation_fraction must be a share or a number of rows. Got {fraction!r}. Other "
            "validation rows can be given as X_val."
        )
    n = given.n_own
    n_wanted = int(fraction) if isinstance(fraction, Integral) else max(1, round(float(fraction) * n))
    if not 0 < n_wanted < n:
        raise ValueError(
            f"early_stopping=True holds out validation_fraction={fraction} of n_samples={n} rows, which leaves {n - n_wanted} to train on. "
            "Give more rows or another validation_fraction, or set early_stopping=False."
        )
    rng = host_generator(draft.key, _HELD_OUT_STREAM) if estimator.shuffle else None
    chosen = given.positions(_draw(n, n_wanted, rng))
    rows = given.replace(left_out=np.union1d(given.left_out, chosen))
    return _as_validation(data, _rows_at(given.sources, chosen, given.rows_per_block)), rows


def _draw(n: int, n_wanted: int, rng: np.random.Generator | None) -> np.ndarray:
    """Return sorted positions: random ones, as many from each stretch of the data as its share, or the last ones without `rng`."""
    if rng is None:
        return np.arange(n - n_wanted, n)
    drawn = []
    for start in range(0, n, _ROWS_PER_DRAW):
        stop = min(start + _ROWS_PER_DRAW, n)
        n_here = stop * n_wanted // n - start * n_wanted // n
        drawn.append(start + np.sort(rng.choice(stop - start, n_here, replace=False)))
    return np.concatenate(drawn)


def _rows_at(sources: Sources, positions: np.ndarray, rows_per_block: int) -> RawBlock:
    """Return the rows at these sorted positions, as the sources return them."""
    found: list[RawBlock] = []
    for start, stop in sources.blocks(rows_per_block):
        first, last = np.searchsorted(positions, (start, stop))
        if first < last:
            found.append(sources.read(start, stop).take(positions[first:last] - start))
    parts = (
        None if part[0] is None else joined(list(part)) for part in zip(*(block[1:] for block in found), strict=True)
    )
    return RawBlock(0, *parts)
