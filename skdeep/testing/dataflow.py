"""Dataflow of a traced function: the inputs on which each output and each random draw depends, and the constants.

The function is traced, not run. Numbers alone do not reveal some faults reliably: a field that is never read, a random
draw from a constant key, noise that NumPy drew once and that every step repeats. The traced program shows them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, TypeAlias

import jax
import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn, Literal

Inputs: TypeAlias = frozenset[int]

_DRAWS = ("random_bits", "random_gamma", "threefry2x32", "rng_bit_generator")
_NOTHING: Inputs = frozenset()


class Dataflow(NamedTuple):
    """The dataflow of a function. Inputs are positions among the leaves of all arguments.

    Attributes
    ----------
    outputs : list of frozenset of int
        For each leaf of the output, the inputs that it depends on.
    draws : list of frozenset of int
        For each random draw, the inputs that its key depends on.
    constants : list of ndarray
        The arrays that became constants when the function was traced.
    primitives : set of str
        The names of all operations.
    traced : list of ClosedJaxpr
        One element: the traced function, which can be evaluated on the leaves of other arguments.
    """

    outputs: list[Inputs]
    draws: list[Inputs]
    constants: list[np.ndarray]
    primitives: set[str]
    traced: list[ClosedJaxpr]

    @property
    def used(self) -> Inputs:
        """The inputs on which at least one output depends."""
        return _NOTHING.union(*self.outputs)


def dataflow_of(function: Callable[..., Any], *arguments: Any) -> Dataflow:
    """Trace a function of pytrees and return its dataflow."""
    flow = Dataflow([], [], [], set(), [])
    leaves, tree = jax.tree.flatten(arguments)
    closed = jax.make_jaxpr(lambda *flat: function(*jax.tree.unflatten(tree, flat)))(*leaves)
    flow.traced.append(closed)
    flow.outputs.extend(_walk(closed, [frozenset([i]) for i in range(len(leaves))], flow))
    return flow


def _walk(closed: ClosedJaxpr | Jaxpr, inputs: Sequence[Inputs], flow: Dataflow) -> list[Inputs]:
    """Return the inputs on which each output depends, given those of each variable that goes in; record draws and constants."""
    jaxpr: Any = closed.jaxpr if isinstance(closed, ClosedJaxpr) else closed
    flow.constants.extend(np.asarray(c) for c in getattr(closed, "consts", ()) if np.ndim(c))
    depends = dict(zip(jaxpr.invars, inputs, strict=True))

    def of(atom: Any) -> Inputs:
        if not isinstance(atom, Literal):
            return depends.get(atom, _NOTHING)  # a constant depends on no input
        if np.ndim(atom.val):
            flow.constants.append(np.asarray(atom.val))
        return _NOTHING

    for equation in jaxpr.eqns:
        flow.primitives.add(equation.primitive.name)
        into = [of(atom) for atom in equation.invars]
        if equation.primitive.name in _DRAWS:
            flow.draws.append(_NOTHING.union(*into[:2] if equation.primitive.name == "threefry2x32" else into[:1]))
        depends.update(zip(equation.outvars, _through(equation, into, flow), strict=True))
    return [of(atom) for atom in jaxpr.outvars]


def _through(equation: JaxprEqn, into: list[Inputs], flow: Dataflow) -> list[Inputs]:
    """Return the inputs on which each output of one operation depends.

    Calls, `cond` and `scan` are followed inside. For any other operation, every output depends on all its inputs.
    """
    name, inner = equation.primitive.name, list(_inner(equation))
    everything = _NOTHING.union(*into)
    if name == "cond":
        branches = [_walk(branch, into[1:], flow) for branch in inner]
        return [into[0].union(*outputs) for outputs in zip(*branches, strict=True)]
    if name == "scan":
        return _through_scan(equation, inner[0], into, flow)
    if len(inner) == 1 and len(_jaxpr(inner[0]).invars) == len(into):
        outputs = _walk(inner[0], into, flow)
        if len(outputs) == len(equation.outvars):
            return outputs
    else:
        for body in inner:
            _walk(body, [everything] * len(_jaxpr(body).invars), flow)
    return [everything] * len(equation.outvars)


def _through_scan(equation: JaxprEqn, body: Any, into: list[Inputs], flow: Dataflow) -> list[Inputs]:
    """Walk the body of a scan repeatedly until the dependencies of the carry no longer grow."""
    n_consts, n_carry = _scan_sizes(equation.params)
    carried = slice(n_consts, n_consts + n_carry)
    n_draws, n_constants = len(flow.draws), len(flow.constants)
    while True:
        del flow.draws[n_draws:], flow.constants[n_constants:]
        outputs = _walk(body, into, flow)
        grown = [before | after for before, after in zip(into[carried], outputs[:n_carry], strict=True)]
        if grown == into[carried]:
            return outputs
        into = [*into[:n_consts], *grown, *into[n_consts + n_carry :]]


def _scan_sizes(params: dict[str, Any]) -> tuple[int, int]:
    """Return how many inputs of a scan are constants, and how many are carried."""
    if "num_consts" in params:
        return params["num_consts"], params["num_carry"]
    consts, carry, _ = map(len, params["ft_in"].unpack())  # jax 0.11
    return consts, carry


def _inner(equation: JaxprEqn) -> Iterator[Any]:
    for value in equation.params.values():
        for item in value if isinstance(value, tuple | list) else (value,):
            if isinstance(item, ClosedJaxpr | Jaxpr):
                yield item


def _jaxpr(closed: Any) -> Any:
    return closed.jaxpr if isinstance(closed, ClosedJaxpr) else closed


def is_patternless(array: np.ndarray, share_distinct: float = 0.0) -> bool:
    """Tell whether numbers look random: not monotonic along any axis, and with more than this share of distinct values.

    Constants, ranges, grids and tables of increasing numbers are patterns.
    """
    if array.size < 4 or array.dtype.kind not in "fb":
        return False
    if len(np.unique(array)) <= max(1.0, share_distinct * array.size):
        return False
    axes = [axis for axis, length in enumerate(array.shape) if length > 2]
    return bool(axes) and not any(_is_in_order(array.astype(np.float64), axis) for axis in axes)


def _is_in_order(array: np.ndarray, axis: int) -> bool:
    steps = np.diff(array, axis=axis)
    return bool(((steps >= 0).all(axis) | (steps <= 0).all(axis)).all())
