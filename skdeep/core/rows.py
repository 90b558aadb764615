"""Weights, merging of equal rows, the validation split and padded sizes, on the host.

Equal rows are merged, so that a weight of 2 has exactly the effect of a row that is given twice, whatever the batches, the
shuffles and the validation split are. Rows with equal hashes are compared before they are merged. Only ratios of weights
matter. Before weights are added, they are multiplied by a power of two, which is exact, so that no sum overflows.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped, UInt64

from skdeep.core.encode import ROWS_PER_BLOCK, is_sparse
from skdeep.core.inputs import arrays_of

SMALLEST_SIZE = 32
LARGEST_POWER = 4096
# Weights whose relative difference is smaller count as equal: sums in another order differ in their last digits.
WEIGHT_TOLERANCE = 1e-9


class WeightedRows(NamedTuple):
    """X, target and weight of rows, before padding; X is an array, a sparse matrix or `skdeep.Inputs`."""

    x: Any
    target: Shaped[np.ndarray, "n ..."]
    weight: Float[np.ndarray, " n"]

    @property
    def n(self) -> int:
        """Number of rows."""
        return len(self.target)

    def steps_per_epoch(self, batch_size: int) -> int:
        """Return the number of batches of an epoch."""
        return -(-self.n // batch_size)

    def sample(self, n: int) -> WeightedRows:
        """Return all rows: they are in memory. Rows that are not return some."""
        return self

    def target_range(self) -> tuple[Shaped[np.ndarray, "..."], Shaped[np.ndarray, "..."]]:
        """Return the smallest and the largest value of each output, of the rows of positive weight."""
        known = self.target[self.weight > 0]
        return known.min(axis=0), known.max(axis=0)

    def take(self, index: Shaped[np.ndarray, " m"]) -> WeightedRows:
        """Return the rows at these positions."""
        return WeightedRows(self.x[index], self.target[index], self.weight[index])


def padded_size(n: int) -> int:
    """Return the size that `n` rows are padded to: a power of two from 32 to 4,096, above that at most 1/8 more than `n`.

    Examples
    --------
    >>> [padded_size(n) for n in (1, 33, 1437, 5000, 60000)]
    [32, 64, 2048, 5120, 61440]
    """
    power = 1 << max(0, n - 1).bit_length()
    if power <= LARGEST_POWER:
        return max(SMALLEST_SIZE, power)
    step = power // 16
    return -(-n // step) * step


class DistinctRows(NamedTuple):
    """Rows of positive weight, and the position of each given row among them, -1 if its weight is 0."""

    rows: WeightedRows
    position: Int[np.ndarray, " given"]


def merge_equal_rows(given: WeightedRows, keep_order: bool = False) -> DistinctRows:
    """Drop rows of weight 0 and merge rows with equal x and target, adding their weights.

    With `keep_order`, or if all merged weights are equal, the rows keep the order of first occurrence, and are not copied
    if no rows merge. Otherwise their order depends on their content only.
    """
    rows, position = drop_zero_weights(given)
    rows = rows._replace(weight=bounded_weights(rows.weight))
    hashes = hash_rows(rows)
    order = np.argsort(hashes, kind="stable")
    hashes = hashes[order]
    if (hashes[1:] != hashes[:-1]).all():
        group_of = np.arange(len(order))
        first = order
    else:
        order, group_of = _order_equal_hashes(rows, order, hashes)
        first = np.full(group_of[-1] + 1, len(order))
        np.minimum.at(first, group_of, order)
    weight = np.bincount(group_of, weights=rows.weight[order]).astype(np.float64, copy=False)
    is_uniform = _are_equal(weight)
    if is_uniform:
        weight = np.ones(len(first))
    if keep_order or is_uniform:
        if len(first) == len(order):
            return DistinctRows(rows._replace(weight=weight) if is_uniform else rows, position)
        by_occurrence = np.argsort(first)
        first, weight = first[by_occurrence], weight[by_occurrence]
        group_of = np.argsort(by_occurrence)[group_of]
    group_of_row = np.empty(len(order), dtype=np.int64)
    group_of_row[order] = group_of
    position = np.where(position < 0, -1, group_of_row[position])
    return DistinctRows(WeightedRows(rows.x[first], rows.target[first], weight), position)


def drop_zero_weights(given: WeightedRows) -> DistinctRows:
    """Return the rows of positive weight: the given object itself if all weights are positive."""
    positive = given.weight > 0
    if positive.all():
        return DistinctRows(given, np.arange(len(positive)))
    position = np.where(positive, np.cumsum(positive) - 1, -1)
    return DistinctRows(given.take(np.flatnonzero(positive)), position)


def bounded_weights(weight: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Return the weights times the power of two that scales the largest to [1, 2), so that their sum is finite.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeep.core.rows import bounded_weights
    >>> bounded_weights(np.array([8.0, 3.0])).tolist()
    [1.0, 0.375]
    """
    scaled: Float[np.ndarray, " n"] = scaled_by_power_of_two(weight, -weight_exponent(weight))
    return scaled


def weight_exponent(weight: Float[np.ndarray, " n"]) -> int:
    """Return the exponent of the largest power of two that is at most the largest weight; 0 if all weights are 0."""
    largest = weight.max()
    return int(np.frexp(largest)[1]) - 1 if largest > 0 else 0


def scaled_by_power_of_two(value: Any, exponent: int) -> Any:
    """Return `value * 2**exponent`, which is exact unless the result is too small for float64."""
    with np.errstate(under="ignore"):
        return np.ldexp(value, exponent)


def unit_mean(weight: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Return the weights divided by their mean, so that a batch's expected weight is its number of rows."""
    bounded = bounded_weights(weight)
    with np.errstate(under="ignore"):
        normalised: Float[np.ndarray, " n"] = bounded / bounded.mean()
    return normalised


def hash_rows(rows: WeightedRows) -> UInt64[np.ndarray, " n"]:
    """Return a 64-bit hash of each row's x and target. -0.0 and 0.0 have the same hash."""
    target = rows.target.reshape(len(rows.target), -1)
    mixed = _hash_sparse(rows.x) if is_sparse(rows.x) else _hash_arrays(arrays_of(rows.x))
    salt = np.uint64(0xD6E8FEB86659FD93)
    return _mix(mixed + _mix(_hash_dense(target) ^ salt))


def choose_held_out(
    target: Shaped[np.ndarray, "n ..."], fraction: float | int, stratify: bool, rng: np.random.Generator | None
) -> Bool[np.ndarray, " n"]:
    """Mark the held-out rows: a fraction or a number of them, drawn at random, or the last rows if `rng` is None.

    With `stratify`, rows are drawn in proportion to the sizes of classes. One row of each class is never held out. Rows
    that rounding down leaves to draw come from classes without a held-out row first.

    Raises
    ------
    ValueError
        If no row would be left to train on, or none to validate on.
    """
    n, wanted = len(target), _wanted(target, fraction)
    if rng is None:
        held_out = np.arange(n)[max(0, n - wanted) :]
    elif stratify and wanted < n:
        held_out = _choose_by_class(target, wanted, rng)
    else:
        held_out = rng.permutation(n)[:wanted]
    if not 0 < len(held_out) < n:
        raise ValueError(
            f"early_stopping=True holds out validation_fraction={fraction} of n_samples={n} distinct rows, which leaves "
            f"{n - len(held_out)} to train on and {len(held_out)} to validate on. Give more rows or another validation_fraction, "
            "or set early_stopping=False."
        )
    is_held_out = np.zeros(n, dtype=bool)
    is_held_out[held_out] = True
    return is_held_out


def are_divisible(target: Shaped[np.ndarray, "n ..."], fraction: float | int, stratify: bool) -> bool:
    """Return whether `choose_held_out` can hold out random rows and leave some, with `stratify` one of each class."""
    return _wanted(target, fraction) < len(target) and not (stratify and len(np.unique(target)) == len(target))


def _wanted(target: Shaped[np.ndarray, "n ..."], fraction: float | int) -> int:
    return fraction if isinstance(fraction, int) else max(1, round(fraction * len(target)))


def _are_equal(weight: Float[np.ndarray, " n"]) -> bool:
    return bool(np.ptp(weight) <= WEIGHT_TOLERANCE * weight.max())


def _choose_by_class(codes: Int[np.ndarray, " n"], wanted: int, rng: np.random.Generator) -> Int[np.ndarray, " m"]:
    members = [rng.permutation(np.flatnonzero(codes == code)) for code in np.unique(codes)]
    sizes = np.array([len(m) for m in members])
    quota = wanted * sizes / len(codes)
    take = np.minimum(np.floor(quota).astype(int), sizes - 1)
    # Rounding down, and the row of each class that must train, leave rows to draw. Draw first from classes without a
    # held-out row, because a score may need all classes, then by the largest remainder.
    wanted = min(wanted, int((sizes - 1).sum()))
    while take.sum() < wanted:
        for index in np.lexsort((-(quota - take), take > 0)):
            take[index] += take[index] < sizes[index] - 1 and take.sum() < wanted
    return np.concatenate([m[:k] for m, k in zip(members, take, strict=True)])


def _order_equal_hashes(
    rows: WeightedRows, order: Int[np.ndarray, " n"], hashes: UInt64[np.ndarray, " n"]
) -> tuple[Int[np.ndarray, " n"], Int[np.ndarray, " n"]]:
    """Return an order in which equal rows are neighbours, and for each row in it the number of its group of equal rows.

    Different rows with the same hash (a collision) are sorted by their bytes.
    """
    same_hash = np.concatenate([[False], hashes[1:] == hashes[:-1]])
    same_row = same_hash.copy()
    candidates = np.flatnonzero(same_hash)
    same_row[candidates] = _rows_equal(rows, order[candidates - 1], order[candidates])
    if (same_row != same_hash).any():
        order = _sort_collisions(rows, order, same_hash)
        same_row[candidates] = _rows_equal(rows, order[candidates - 1], order[candidates])
    return order, np.cumsum(~same_row) - 1


def _sort_collisions(
    rows: WeightedRows, order: Int[np.ndarray, " n"], same_hash: Bool[np.ndarray, " n"]
) -> Int[np.ndarray, " n"]:
    order = order.copy()
    starts = np.flatnonzero(~same_hash)
    for start, stop in zip(starts, np.append(starts[1:], len(order)), strict=True):
        if stop - start > 1:
            group = order[start:stop]
            order[start:stop] = sorted(group, key=lambda i: (_row_bytes(rows, i), i))
    return order


def _row_bytes(rows: WeightedRows, index: np.integer[Any]) -> bytes:
    arrays = [rows.x[[index]].toarray()] if is_sparse(rows.x) else [array[index] for array in arrays_of(rows.x)]
    return b"".join((values + 0.0).tobytes() for values in (*arrays, rows.target[index]))


def _rows_equal(
    rows: WeightedRows, left: Int[np.ndarray, " m"], right: Int[np.ndarray, " m"]
) -> Bool[np.ndarray, " m"]:
    equal = np.empty(len(left), dtype=bool)
    target = rows.target.reshape(len(rows.target), -1)
    for start in range(0, len(left), ROWS_PER_BLOCK):
        a, b = left[start : start + ROWS_PER_BLOCK], right[start : start + ROWS_PER_BLOCK]
        if is_sparse(rows.x):
            unequal_entries = (rows.x[a] != rows.x[b]).tocsr()
            same_x = np.diff(unequal_entries.indptr) == 0
        else:
            same_x = np.ones(len(a), dtype=bool)
            for array in arrays_of(rows.x):
                same_x &= _same(array[a], array[b]).reshape(len(a), -1).all(axis=1)
        equal[start : start + len(a)] = same_x & (target[a] == target[b]).all(axis=1)
    return equal


def _same(left: Shaped[np.ndarray, "..."], right: Shaped[np.ndarray, "..."]) -> Bool[np.ndarray, "..."]:
    """Return where values are equal; missing values of a table, NaN, are equal to each other."""
    equal: Bool[np.ndarray, "..."] = left == right
    return equal | ((left != left) & (right != right)) if left.dtype.kind == "f" else equal


def _hash_arrays(arrays: list[Any]) -> UInt64[np.ndarray, " n"]:
    hashes = _hash_dense(arrays[0].reshape(len(arrays[0]), -1))
    for array in arrays[1:]:
        hashes = _mix(hashes) + _hash_dense(array.reshape(len(array), -1))
    return hashes


def _hash_dense(values: Shaped[np.ndarray, "n columns"]) -> UInt64[np.ndarray, " n"]:
    """Return the sum of each value's bits times an odd factor of its column, modulo 2^64 (multilinear hashing)."""
    hashes = np.empty(len(values), dtype=np.uint64)
    factors = _factors(np.arange(values.shape[1], dtype=np.uint64))
    for start in range(0, len(values), ROWS_PER_BLOCK):
        bits = _bits(values[start : start + ROWS_PER_BLOCK])
        hashes[start : start + len(bits)] = (bits * factors).sum(axis=1, dtype=np.uint64)
    return hashes


def _hash_sparse(x: Any) -> UInt64[np.ndarray, " n"]:
    """Return the same hashes as `_hash_dense`. Absent entries add nothing, because the bits of 0.0 are 0."""
    terms = _bits(x.data) * _factors(x.indices.astype(np.uint64))
    sums = np.concatenate([np.zeros(1, dtype=np.uint64), np.cumsum(terms, dtype=np.uint64)])
    hashes: UInt64[np.ndarray, " n"] = sums[x.indptr[1:]] - sums[x.indptr[:-1]]
    return hashes


def _bits(values: Shaped[np.ndarray, "..."]) -> UInt64[np.ndarray, "..."]:
    unsigned = np.dtype(f"u{values.dtype.itemsize}")
    # Adding 0 turns -0.0 into 0.0. Floats with few digits have bits in their high half only, and high bits have little
    # effect on a product modulo 2^64: fold them onto the low half by XOR.
    bits: UInt64[np.ndarray, "..."] = (
        np.ascontiguousarray(values + values.dtype.type(0)).view(unsigned).astype(np.uint64)
    )
    bits ^= bits >> np.uint64(4 * values.dtype.itemsize)
    return bits


def _factors(columns: UInt64[np.ndarray, " columns"]) -> UInt64[np.ndarray, " columns"]:
    factors: UInt64[np.ndarray, " columns"] = _mix(
        columns * np.uint64(0x9E3779B97F4A7C15) + np.uint64(0x632BE59BD9B4E019)
    )
    return factors | np.uint64(1)


def _mix(value: UInt64[np.ndarray, " n"]) -> UInt64[np.ndarray, " n"]:
    """Mix bits by the finaliser of splitmix64 (Steele, Lea and Flood, 2014)."""
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    value ^= value >> np.uint64(31)
    return value
