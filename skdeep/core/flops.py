"""Floating-point operations of a traced function, by the named scope that they are in.

A multiplication with an addition counts 2. Each value of an elementwise operation counts 1, and so does each value that a reduction
reads. Comparisons, conversions, integers, random numbers and movements of data count 0. The body of a loop counts once per step;
of a loop whose number of steps is not known, once. Of the branches of a condition, the one with the most operations counts.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn

Scope = tuple[str, ...]
"""The names of `jax.named_scope` around an operation, from the outermost to the innermost."""

_ELEMENTWISE = """
abs acos acosh add add_any asin asinh atan atan2 atanh cbrt ceil clamp cos cosh digamma div erf erf_inv erfc exp exp2 expm1 floor
integer_pow lgamma log log1p logistic max min mul neg pow rem round rsqrt sign sin sinh sqrt square sub tan tanh
"""
_REDUCTIONS = """
argmax argmin cumlogsumexp cummax cummin cumprod cumsum reduce_max reduce_min reduce_prod reduce_sum
"""
ELEMENTWISE, REDUCTIONS = frozenset(_ELEMENTWISE.split()), frozenset(_REDUCTIONS.split())
"""The names of operations that count once per value of their output, and of those that count once per value of their input."""


class Operation(NamedTuple):
    """An operation of a trace: its scope, the floating-point operations of all its calls, and the shapes of its outputs."""

    scope: Scope
    flops: int
    shapes: tuple[tuple[int, ...], ...]


def operations(closed: ClosedJaxpr) -> Iterator[Operation]:
    """Yield the operations of a trace in their order, those inside loops and calls included.

    Examples
    --------
    >>> import jax
    >>> import jax.numpy as jnp
    >>> from skdeep.core.flops import operations
    >>> def layer(x, kernel):
    ...     with jax.named_scope("dense"):
    ...         return jnp.tanh(x @ kernel)
    >>> trace = jax.make_jaxpr(layer)(jnp.ones((5, 3)), jnp.ones((3, 2)))
    >>> [(operation.scope, operation.flops) for operation in operations(trace)]
    [(('dense',), 60), (('dense',), 10)]
    """
    yield from _operations(closed.jaxpr, (), 1)


def flops_by_scope(closed: ClosedJaxpr) -> Counter[Scope]:
    """Return the floating-point operations of each scope, without those of the scopes inside it."""
    total: Counter[Scope] = Counter()
    for operation in operations(closed):
        total[operation.scope] += operation.flops
    return total


def _operations(jaxpr: Jaxpr, around: Scope, times: int) -> Iterator[Operation]:
    for equation in jaxpr.eqns:
        scope = (*around, *_names(equation))
        name = equation.primitive.name
        if name in _COUNTS or name in ELEMENTWISE or name in REDUCTIONS:
            yield Operation(scope, times * _flops(equation), _shapes(equation))
            continue
        bodies = list(_bodies(equation))
        if name == "cond":
            bodies = [max(bodies, key=lambda body: sum(inner.flops for inner in _operations(body, (), 1)))]
        steps = equation.params["length"] if name == "scan" else 1
        for body in bodies:
            yield from _operations(body, scope, times * steps)
        yield Operation(scope, 0, _shapes(equation))


def _names(equation: JaxprEqn) -> Scope:
    text = str(equation.source_info.name_stack)
    return tuple(text.split("/")) if text else ()


def _bodies(equation: JaxprEqn) -> Iterator[Jaxpr]:
    """Yield the traces among the parameters of an operation."""
    for value in equation.params.values():
        for part in value if isinstance(value, tuple | list) else (value,):
            body = part.jaxpr if isinstance(part, ClosedJaxpr) else part
            if isinstance(body, Jaxpr):
                yield body


def _shapes(equation: JaxprEqn) -> tuple[tuple[int, ...], ...]:
    return tuple(map(_shape, equation.outvars))


def _flops(equation: JaxprEqn) -> int:
    if not _is_of_floats(equation.invars[0]):
        return 0
    name = equation.primitive.name
    if name in ELEMENTWISE:
        return _size(equation.outvars[0])
    if name in REDUCTIONS:
        return _size(equation.invars[0])
    return _COUNTS[name](equation)


def _of_product(equation: JaxprEqn) -> int:
    (contracted, _), _ = equation.params["dimension_numbers"]
    shape = _shape(equation.invars[0])
    n_terms: int = math.prod(shape[axis] for axis in contracted)
    return 2 * _size(equation.outvars[0]) * n_terms


def _of_convolution(equation: JaxprEqn) -> int:
    """Count the products of all windows, with those of the padding."""
    kernel = equation.invars[1]
    n_outputs: int = _shape(kernel)[equation.params["dimension_numbers"].rhs_spec[0]]
    return 2 * _size(equation.outvars[0]) * _size(kernel) // max(1, n_outputs)


def _of_windows(equation: JaxprEqn) -> int:
    n_values: int = math.prod(equation.params["window_dimensions"])
    return _size(equation.outvars[0]) * n_values


def _of_updates(equation: JaxprEqn) -> int:
    return _size(equation.invars[2])


def _of_fourier(equation: JaxprEqn) -> int:
    """Count 5 N log2 N per transform of N values, the usual convention for transforms of complex numbers."""
    lengths: int = math.prod(equation.params["fft_lengths"])
    return round(5 * _size(equation.outvars[0]) * math.log2(max(2, lengths)))


_COUNTS: dict[str, Callable[[JaxprEqn], int]] = {
    "dot_general": _of_product,
    "conv_general_dilated": _of_convolution,
    "reduce_window_sum": _of_windows,
    "reduce_window_max": _of_windows,
    "reduce_window_min": _of_windows,
    "scatter-add": _of_updates,
    "fft": _of_fourier,
}
"""For each name of an operation that is neither elementwise nor a reduction, a function that counts its floating-point operations."""


def _size(variable: Any) -> int:
    return math.prod(_shape(variable))


def _shape(variable: Any) -> tuple[int, ...]:
    return tuple(variable.aval.shape)


def _is_of_floats(variable: Any) -> bool:
    return bool(jnp.issubdtype(variable.aval.dtype, jnp.inexact))
