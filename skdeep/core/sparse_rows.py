"""Rows of a sparse matrix as their stored entries, and networks applied to them inside the program.

If rows of a sparse X with many columns were made dense, nearly all products of a first matrix product `x @ kernel` would be
with 0. If a network uses its rows in such a product only, the product is computed from the stored entries instead, as a sum
of rows of the kernel. The product is found in the trace of the network, so that this works for built-in networks and for
users' modules. For all other networks, rows are made dense inside the program.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr, JaxprEqn, jaxpr_as_fun
from jaxtyping import Array, Float, Shaped

from skdeep.records import SparseRows

FEWEST_ENTRIES = 16
LARGEST_SHARE = 1 / 16
"""If a row's padded entries are at most this share of the columns, their product is faster than a dense one (on a CPU)."""

_ROWS_BY_MATRIX = (((1,), (0,)), ((), ()))


def most_entries(x: Any) -> int:
    """Return the padded number of entries per row: the most that a row of a CSR matrix has, rounded up to a power of two."""
    largest = int(np.diff(x.indptr).max(initial=0))
    return max(FEWEST_ENTRIES, 1 << max(0, largest - 1).bit_length())


def takes_entries(x: Any) -> bool:
    """Return True if the rows of a CSR matrix are kept as entries.

    That is, if the padded entries of a row are at most `LARGEST_SHARE` of the columns, and those of all rows are at most 8
    times the stored entries, or at most 2^24.
    """
    n_padded = x.shape[0] * most_entries(x)
    return bool(most_entries(x) <= LARGEST_SHARE * x.shape[1] and n_padded <= max(2**24, 8 * x.nnz))


def stays_on_host(x: Any) -> bool:
    """Return True if X is sparse but not kept as entries, so that its rows are made dense on the host."""
    return hasattr(x, "indptr") and not takes_entries(x)


def entries_of(x: Any, n_entries: int) -> SparseRows:
    """Return the rows of a CSR matrix as entries on the host, padded to `n_entries` per row."""
    counts = np.diff(x.indptr)
    row = np.repeat(np.arange(x.shape[0]), counts)
    place = np.arange(x.nnz) - np.repeat(x.indptr[:-1], counts)
    column = np.zeros((x.shape[0], n_entries), np.int32)
    value = np.zeros((x.shape[0], n_entries), x.dtype)
    column[row, place], value[row, place] = x.indices, x.data
    parts: list[Any] = [column, value]
    return SparseRows(*parts)


def apply_to_entries(
    apply: Callable[..., Any], in_shape: tuple[int, ...], params: Any, rows: SparseRows, *rest: Any
) -> Any:
    """Return `apply(params, x, *rest)` where x `(n, *in_shape)` is the dense form of the entries in `rows`."""
    n = rows.value.shape[0]
    x = jax.ShapeDtypeStruct((n, *in_shape), rows.value.dtype)
    closed, shapes = jax.make_jaxpr(apply, return_shape=True)(params, x, *rest)
    i = len(jax.tree.leaves(params))
    product = _first_product(closed, i)
    if product is None:
        return apply(params, made_dense(rows, in_shape), *rest)
    others = jax.tree.leaves((params, rest))
    invars = [*closed.jaxpr.invars[:i], *closed.jaxpr.invars[i + 1 :]]
    kernel = _function(closed, invars, [product.invars[1]])(*others)[0]
    outputs = _function(closed, [*invars, *product.outvars], closed.jaxpr.outvars, without=product)(
        *others, product_of_entries(rows, kernel)
    )
    return jax.tree.unflatten(jax.tree.structure(shapes), outputs)


def product_of_entries(rows: SparseRows, kernel: Float[Array, "columns units"]) -> Float[Array, "n units"]:
    """Return `x @ kernel`, as a sum of rows of the kernel."""
    taken = kernel.at[rows.column].get(mode="promise_in_bounds")
    return jnp.sum(rows.value[:, :, None] * taken, axis=1)


def made_dense(rows: SparseRows, shape: tuple[int, ...]) -> Shaped[Array, "n ..."]:
    """Return the rows as a dense array."""
    n = rows.value.shape[0]
    flat = jnp.zeros((n, math.prod(shape)), rows.value.dtype)
    # Padding has column 0 and value 0: it adds 0 to the first column.
    flat = flat.at[jnp.arange(n)[:, None], rows.column].add(rows.value, mode="promise_in_bounds")
    return flat.reshape(n, *shape)


def _first_product(closed: ClosedJaxpr, i: int) -> JaxprEqn | None:
    """Return the operation `x @ kernel` if it is the only use of x, the i-th input of the trace; else None."""
    x = closed.jaxpr.invars[i]
    users = [equation for equation in closed.jaxpr.eqns if any(atom is x for atom in equation.invars)]
    if len(users) != 1 or any(atom is x for atom in closed.jaxpr.outvars):
        return None
    (equation,) = users
    is_product = equation.primitive.name == "dot_general" and equation.invars[0] is x
    return equation if is_product and equation.params["dimension_numbers"] == _ROWS_BY_MATRIX else None


def _function(
    closed: ClosedJaxpr, invars: list[Any], outvars: list[Any], without: JaxprEqn | None = None
) -> Callable[..., list[Any]]:
    """Return the part of a trace that computes `outvars` from `invars`, without operations that they do not depend on."""
    needed, equations = {id(atom) for atom in outvars}, []
    for equation in reversed(closed.jaxpr.eqns):
        if equation is not without and any(id(variable) in needed for variable in equation.outvars):
            needed.update(id(atom) for atom in equation.invars)
            equations.append(equation)
    part = closed.jaxpr.replace(
        invars=invars, outvars=outvars, eqns=equations[::-1], debug_info=closed.jaxpr.debug_info.with_unknown_names()
    )
    function: Callable[..., list[Any]] = jaxpr_as_fun(ClosedJaxpr(part, closed.consts))
    return function
