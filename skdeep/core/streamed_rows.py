"""Rows that are read and encoded block by block, for data that does not fit in memory."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float, Int, Shaped

from skdeep.contract import Loss, Network
from skdeep.core.content import array_digest
from skdeep.core.encode import check_rows
from skdeep.core.encoding import Classes, Encoding, Labels
from skdeep.core.inputs import arrays_of, specs_of
from skdeep.core.rows import WeightedRows, scaled_by_power_of_two
from skdeep.core.target import encode_classes
from skdeep.inputs import Inputs
from skdeep.sources.blocks import labels_of, numbers_of, read_block, taken
from skdeep.sources.source import Source
from skdeep.tables.frames import as_table

BLOCK_BYTES = 2**23
MOST_BLOCK_ROWS = 2**16
_SAMPLED_PLACES = 16


class RawBlock(NamedTuple):
    """Rows as the sources return them; `weight` is None if there are no weights. `start` is the position of the first row."""

    start: int
    x: Any
    y: Any
    weight: Any

    def take(self, index: Int[np.ndarray, " m"]) -> RawBlock:
        """Return the rows at these positions in the block."""
        parts = (part if part is None else taken(part, index) for part in self[1:])
        return RawBlock(self.start, *parts)


@dataclasses.dataclass(frozen=True)
class Sources:
    """The sources of X, y and the weights of the same rows."""

    x: Source
    y: Source
    weight: Source | None = None

    @property
    def n(self) -> int:
        """Number of rows."""
        return self.x.n

    def read(self, start: int, stop: int) -> RawBlock:
        """Return the rows from `start` to `stop - 1`; raise ValueError if a source returns another number of rows."""
        weight = None if self.weight is None else read_block(self.weight, start, stop, "sample_weight")
        return RawBlock(start, read_block(self.x, start, stop, "X"), read_block(self.y, start, stop, "y"), weight)

    def state(self) -> Any:
        """Return a value that is cheap to get and changes if the rows change, as far as that is possible."""
        return [None if source is None else source.state() for source in (self.x, self.y, self.weight)]

    def blocks(self, rows_per_block: int) -> Iterator[tuple[int, int]]:
        """Yield the first row of each block, and the row after its last one. No block goes beyond the end of a part."""
        edges = [0, self.n] if self.x.edges is None else [int(edge) for edge in self.x.edges]
        for first, last in pairwise(edges):
            for start in range(first, last, rows_per_block):
                yield start, min(start + rows_per_block, last)


class Weighing(NamedTuple):
    """What turns the user's weights `w` into those of training, whose mean is 1: `2**-exponent w factor[class] / mean`.

    `factors` is None if classes have no weights.
    """

    exponent: int = 0
    mean: float = 1.0
    factors: Float[np.ndarray, " classes"] | None = None

    def __call__(self, weight: Float[np.ndarray, " n"], target: Shaped[np.ndarray, "n ..."]) -> Float[np.ndarray, " n"]:
        """Return the weights of training of rows with these encoded targets."""
        scaled = scaled_by_power_of_two(weight, -self.exponent)
        if self.factors is not None:
            scaled = scaled * self.factors[target]
        with np.errstate(under="ignore"):
            normalised: Float[np.ndarray, " n"] = scaled / self.mean
        return normalised


_UNWEIGHTED = Weighing()


@dataclasses.dataclass(frozen=True)
class StreamedRows:
    """Rows to train on that are read block by block, in the place of `WeightedRows`.

    Parameters
    ----------
    sources : Sources
    encoding : Encoding
        What was learned of all rows.
    state : object
        `sources.state()` before anything was read.
    left_out : ndarray
        The sorted positions of rows that are not trained on: those of weight 0 and those that are held out.
    summary : object
        Statistics of y and the weights. Only estimators read it.
    weighing : Weighing
    network : Network or None
        Checks encoded rows if it is given.
    loss : Loss or None
        Checks targets if it is given.
    counts : tuple of int, default=()
        If JAX runs in several processes, of which each has its own rows: the number of rows to train on of each. All else is about the
        rows of this process.
    """

    sources: Sources
    encoding: Encoding
    state: Any
    left_out: Int[np.ndarray, " m"]
    summary: Any = None
    weighing: Weighing = _UNWEIGHTED
    network: Network | None = None
    loss: Loss | None = None
    counts: tuple[int, ...] = ()

    def replace(self, **changes: Any) -> StreamedRows:
        """Return the rows with some fields changed."""
        return dataclasses.replace(self, **changes)

    @property
    def n(self) -> int:
        """Number of rows to train on, of all processes."""
        return sum(self.counts) if self.counts else self.n_own

    @property
    def n_own(self) -> int:
        """Number of rows to train on of this process."""
        return self.sources.n - len(self.left_out)

    def steps_per_epoch(self, batch_size: int) -> int:
        """Return the number of batches of an epoch; of several processes, each has an equal share of each batch."""
        if not self.counts:
            return math.ceil(self.n / batch_size)
        return math.ceil(max(self.counts) / (batch_size // len(self.counts)))

    def target_range(self) -> tuple[Shaped[np.ndarray, "..."], Shaped[np.ndarray, "..."]]:
        """Return the smallest and the largest value of each output."""
        lowest, highest = self.summary.range
        return lowest, highest

    @property
    def rows_per_block(self) -> int:
        """Number of rows of a block: at most `BLOCK_BYTES` in float32."""
        specs = specs_of(self.encoding.in_shape)
        shapes = [spec.shape for spec in (specs.values() if isinstance(specs, dict) else [specs])]
        return rows_per_block_of(4 * sum(map(math.prod, shapes)))

    @property
    def edges(self) -> tuple[int, ...]:
        """The first row of each part that is best read from its start on, and `n`, without the rows that are left out."""
        found = self.sources.x.edges
        if found is None:
            return *range(0, self.n_own, self.rows_per_block), self.n_own
        kept = np.unique(found - np.searchsorted(self.left_out, found))
        return tuple(int(edge) for edge in kept)

    def read(self, start: int, stop: int) -> WeightedRows:
        """Return encoded rows, by their positions among those that are trained on.

        Raises
        ------
        ValueError
            If X or y has NaN, infinite values, unknown labels or another shape; the message has the row in the whole data.
        """
        first, last = map(int, self.positions(np.array([start, stop - 1])))
        last += 1
        block = self.sources.read(first, last)
        out = self.left_out[np.searchsorted(self.left_out, first) : np.searchsorted(self.left_out, last)]
        if len(out):
            kept = np.delete(np.arange(last - first), out - first)
            x = validated_x(block.x, self.encoding, first)  # before rows are dropped: the message names the row
            block = RawBlock(first, x, *block.take(kept)[2:])
            x = x[kept]
        else:
            x = validated_x(block.x, self.encoding, first)
        return self._encoded(block._replace(x=x))

    def sample(self, n: int) -> WeightedRows:
        """Return at most `n` encoded rows, and at most as many as a block has, from several places; all rows if there are no more."""
        n = min(n, self.rows_per_block)
        if self.n_own <= n:
            return self.read(0, self.n_own)
        length = max(1, n // _SAMPLED_PLACES)
        starts = np.linspace(0, self.n_own - length, min(n, _SAMPLED_PLACES)).astype(np.int64)
        return joined_rows([self.read(int(start), int(start) + length) for start in starts])

    def check_unchanged(self) -> None:
        """Raise ValueError if the data has changed since `fit` began, as far as that can be found out without reading it."""
        if self.sources.state() != self.state:
            raise ValueError(
                "X, y or sample_weight has changed during the fit: its length, its first or last row, or the size or time of its file. Rows "
                "that are read in blocks must stay as they are until the fit ends. Copy them first."
            )

    def content(self) -> Any:
        """Return digests of all rows, which are read once for this."""
        digests = []
        for start in range(0, self.n_own, self.rows_per_block):
            rows = self.read(start, min(start + self.rows_per_block, self.n_own))
            digests.append([array_digest(part) for part in (*arrays_of(rows.x), rows.target, rows.weight)])
        return digests

    def positions(self, rows: Int[np.ndarray, " m"]) -> Int[np.ndarray, " m"]:
        """Return the positions in the whole data of rows that are trained on."""
        found: Int[np.ndarray, " m"] = rows + np.searchsorted(self._kept_before, rows, side="right")
        return found

    @functools.cached_property
    def _kept_before(self) -> Int[np.ndarray, " m"]:
        """The number of rows to train on before each row that is left out."""
        return self.left_out - np.arange(len(self.left_out))

    def _encoded(self, block: RawBlock) -> WeightedRows:
        encoding = self.encoding
        with located(block.start, len(block.y)):
            if self.network is not None and encoding.table is None:
                check_rows(self.network, block.x, encoding.in_shape)
            x = encoding.encode(block.x)
            y = validated_y(block.y, encoding.target, block.start)
            if self.loss is not None and not isinstance(encoding.target, Classes | Labels):
                encoding.check_domain(self.loss, y)
            target = (
                codes_of(y, encoding.target.classes)
                if isinstance(encoding.target, Classes)
                else encoding.encode_target(y)
            )
        weight = np.ones(len(target)) if block.weight is None else validated_weight(block.weight, block.start)
        return WeightedRows(x, target, self.weighing(weight, target))


def rows_per_block_of(bytes_per_row: int) -> int:
    """Return how many rows make a block: a power of two, since files are best read in batches of such numbers of rows.

    Examples
    --------
    >>> from skdeep.core.streamed_rows import rows_per_block_of
    >>> rows_per_block_of(80)
    65536
    """
    most = max(1, min(MOST_BLOCK_ROWS, BLOCK_BYTES // max(1, bytes_per_row)))
    return 1 << (most.bit_length() - 1)


@contextlib.contextmanager
def located(start: int, n: int) -> Iterator[None]:
    """Add to a ValueError the rows in which it was found, unless its message names the row in the whole data."""
    try:
        yield
    except _LocatedError:
        raise
    except ValueError as err:
        raise _LocatedError(
            f"In the rows {start} to {start + n - 1}, whose first is counted as row 0 here: {err}"
        ) from err


class _LocatedError(ValueError):
    """A ValueError whose message names the row in the whole data."""


def validated_x(raw: Any, encoding: Encoding, start: int) -> Any:
    """Return a block of X as `Encoding.encode` takes it; `start` is the position of its first row."""
    if encoding.table is not None:
        with located(start, len(raw)):
            return encoding.table.read(as_table(raw))
    x = numbers_of(raw, start)
    if x.shape[1:] != encoding.columns:
        raise ValueError(
            f"X has rows of shape {x.shape[1:]} from row {start} on, but rows of shape {encoding.columns} before. All rows must have one shape."
        )
    return x


def validated_y(raw: Any, target: Any, start: int) -> Shaped[np.ndarray, "n ..."]:
    """Return a block of y as labels, or as floats `(n, outputs)`; `start` is the position of its first row."""
    if isinstance(target, Classes | Labels):
        return labels_of(raw, start)
    y = numbers_of(raw, start, "y").astype(np.float64, copy=False)
    return y.reshape(len(y), -1)


def validated_weight(raw: Any, start: int) -> Float[np.ndarray, " n"]:
    """Return a block of weights; `start` is the position of its first row.

    Raises
    ------
    ValueError
        If a weight is NaN, infinite or negative; the message has its row in the whole data.
    """
    weight = numbers_of(raw, start, "sample_weight").astype(np.float64, copy=False)
    if weight.size != len(weight):
        raise ValueError(f"sample_weight must have one value per row. Got shape {weight.shape} from row {start} on.")
    weight = weight.reshape(-1)
    if (weight < 0).any():
        row = int(np.argmax(weight < 0))
        raise ValueError(f"Negative values in data passed to sample_weight: {weight[row]} in row {start + row}.")
    return weight


def codes_of(labels: Shaped[np.ndarray, " n"], classes: Shaped[np.ndarray, " classes"]) -> Int[np.ndarray, " n"]:
    """Return what `encode_classes` returns, in less time if there are few different labels."""
    codes, found = pd.factorize(labels)
    return encode_classes(np.asarray(found), classes)[codes]


def joined_rows(parts: list[WeightedRows]) -> WeightedRows:
    """Return encoded rows one after the other."""
    first = parts[0].x
    if isinstance(first, Inputs):
        x: Any = first.map(lambda name, _: np.concatenate([part.x[name] for part in parts]))
    else:
        x = np.concatenate([part.x for part in parts])
    return WeightedRows(x, *(np.concatenate([part[i] for part in parts]) for i in (1, 2)))
