"""Predictions for rows that are read block by block."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from skdeep.core.feeds.read_ahead import ReadAhead
from skdeep.core.streamed_rows import located
from skdeep.estimators.streaming import Sources, arguments_as_sources, rows_per_block_like
from skdeep.inputs import Inputs
from skdeep.sources import Source, TableSource, source_of
from skdeep.sources.blocks import labels_of, read_block
from skdeep.sources.source import selected


def by_blocks(method: Callable[..., Any]) -> Callable[..., Any]:
    """Return a method that also takes an X which is read in blocks, and then joins the results of the blocks."""

    @functools.wraps(method)
    def of_any_x(self: Any, X: Any, *args: Any, **kwargs: Any) -> Any:
        source = None if isinstance(X, Inputs) else source_of(X)
        if source is None:
            return method(self, X, *args, **kwargs)
        return _joined(_of_fit(self, source), lambda block: method(self, block, *args, **kwargs))

    return of_any_x


def for_score(X: Any, y: Any, sample_weight: Any) -> tuple[Any, Any, Any]:
    """Return the arguments of `score`; if X is read in blocks, y and the weights are read into memory, and X keeps its other columns."""
    source = None if isinstance(X, Inputs) else source_of(X)
    if source is None:
        return X, y, sample_weight
    _, of_y, of_weight = arguments_as_sources(source, y, sample_weight)
    read = [
        None if each is None else labels_of(each.read(0, each.n), 0, name)
        for each, name in ((of_y, "y"), (of_weight, "sample_weight"))
    ]
    return X, *read


def _of_fit(estimator: Any, source: Source) -> Source:
    """Return a source of the columns that the estimator was fitted on, if it knows their names."""
    names = getattr(estimator, "feature_names_in_", None)
    if names is None or not isinstance(source, TableSource):
        return source
    return selected(source, [str(name) for name in names])


def _joined(source: Source, function: Callable[[Any], Any]) -> Any:
    """Return the results of a function for all blocks, one after the other: an array, or a tuple of arrays."""
    if source.n == 0:
        raise ValueError("Found array with 0 sample(s) while a minimum of 1 is required.")
    found: list[np.ndarray] = []
    is_tuple = False
    with _blocks(source) as blocks:
        for start, block in blocks:
            with located(start, len(block)):
                results = function(block)
            is_tuple = isinstance(results, tuple)
            results = results if is_tuple else (results,)
            found = found or [np.empty((source.n, *part.shape[1:]), part.dtype) for part in results]
            for i, part in enumerate(results):
                if not np.can_cast(part.dtype, found[i].dtype):  # a prediction that needs float64, or a longer label
                    found[i] = found[i].astype(np.result_type(found[i], part))
                found[i][start : start + len(part)] = part
    return tuple(found) if is_tuple else found[0]


def _blocks(source: Source) -> ReadAhead:
    """Return an iterator over pairs of the first row of a block and the block, which is read in a thread."""
    size = rows_per_block_like(read_block(source, 0, 1, "X"))

    def blocks(is_closed: Callable[[], bool]) -> Iterator[Any]:
        return ((start, read_block(source, start, stop, "X")) for start, stop in Sources(source, source).blocks(size))

    return ReadAhead(blocks)
