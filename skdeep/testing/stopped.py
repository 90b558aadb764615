"""Values of functions that contain `stop_gradient`, with its arguments held fixed, for finite differences.

The gradient treats these arguments as constants, so finite differences must too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import jax
from jax.extend.core import ClosedJaxpr, JaxprEqn, Literal

_CALLS = {
    "jit": "jaxpr",
    "pjit": "jaxpr",
    "closed_call": "call_jaxpr",
    "custom_jvp_call": "call_jaxpr",
    "custom_vjp_call": "call_jaxpr",
}


def values_with_stopped(function: Callable[..., Any], point: tuple[Any, ...], *others: tuple[Any, ...]) -> list[Any]:
    """Return the values of a function at other points, with the arguments of `stop_gradient` as they are at `point`.

    A `stop_gradient` inside a loop is not held fixed.
    """
    closed = jax.make_jaxpr(function)(*point)
    stopped: list[Any] = []

    def keep(value: Any) -> Any:
        stopped.append(value)
        return value

    _evaluate(closed, jax.tree.leaves(point), keep)
    values = []
    for other in others:
        fixed = iter(stopped)

        def take(_: Any, fixed: Iterator[Any] = fixed) -> Any:
            return next(fixed)

        values.append(_evaluate(closed, jax.tree.leaves(other), take)[0])
    return values


def _evaluate(closed: ClosedJaxpr, arguments: list[Any], stop: Callable[[Any], Any]) -> list[Any]:
    """Run a traced function operation by operation, with `stop` in place of `stop_gradient`."""
    jaxpr: Any = closed.jaxpr
    values = dict(zip((*jaxpr.constvars, *jaxpr.invars), (*closed.consts, *arguments), strict=True))

    def read(atom: Any) -> Any:
        return atom.val if isinstance(atom, Literal) else values[atom]

    for equation in jaxpr.eqns:
        outputs = _apply(equation, [read(atom) for atom in equation.invars], stop)
        values.update(zip(equation.outvars, outputs, strict=True))
    return [read(atom) for atom in jaxpr.outvars]


def _apply(equation: JaxprEqn, inputs: list[Any], stop: Callable[[Any], Any]) -> list[Any]:
    name = equation.primitive.name
    if name == "stop_gradient":
        return [stop(inputs[0])]
    if name in _CALLS:
        return _evaluate(equation.params[_CALLS[name]], inputs, stop)
    outputs = equation.primitive.bind(*inputs, **equation.primitive.get_bind_params(equation.params))
    return list(outputs) if equation.primitive.multiple_results else [outputs]
