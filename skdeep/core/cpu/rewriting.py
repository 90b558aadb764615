"""A pass over a traced function that replaces operations which XLA's CPU backend computes slowly.

Inside loops on a CPU, XLA's gradient of a convolution takes 20 to 35 times as long as in the form used here, and the gradient
of a window maximum is slow too. So the forward function of a network is traced, and its trace is evaluated with other
operations in their place, before it is differentiated. This works for built-in layers, plugins and users' modules alike.

Operations that no rule can rewrite stay unchanged, such as a convolution inside a function with a custom derivative
(`jax.custom_vjp`). For these, a program with a loop can request an error (`inside_a_loop`), so that its caller runs a program
without the loop instead. On accelerators nothing is rewritten.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import jax
from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn, Literal

from skdeep.core.cpu.convolution import convolve
from skdeep.core.cpu.pooling import pool_max, pool_min, pool_sum
from skdeep.core.placement import current_placement

Rule = Callable[..., Any]

RULES: dict[str, Rule] = {
    "conv_general_dilated": convolve,
    "reduce_window_max": pool_max,
    "reduce_window_min": pool_min,
    "reduce_window_sum": pool_sum,
}
"""For each name of an operation, a function of its inputs and parameters that computes the output by other operations, or
returns None if it cannot."""


_refuses = ContextVar("_refuses", default=False)


class LeftAloneError(Exception):
    """An operation that is slow inside loops on a CPU could not be rewritten."""


@contextmanager
def inside_a_loop() -> Iterator[None]:
    """Let `rewritten_for_cpu` raise LeftAloneError, inside the block, for operations that it cannot rewrite.

    Outside of loops these operations are fast enough.
    """
    token = _refuses.set(True)
    try:
        yield
    finally:
        _refuses.reset(token)


_noted: ContextVar[set[str] | None] = ContextVar("_noted", default=None)


@contextmanager
def noted_operations() -> Iterator[set[str]]:
    """Yield a set that gets the names of the operations, before rewriting, in all functions that the block traces."""
    names: set[str] = set()
    token = _noted.set(names)
    try:
        yield names
    finally:
        _noted.reset(token)


_as_written = ContextVar("_as_written", default=False)


@contextmanager
def as_written() -> Iterator[None]:
    """Let `rewritten_for_cpu` return functions unchanged inside the block, so that a trace has the operations of the author."""
    token = _as_written.set(True)
    try:
        yield
    finally:
        _as_written.reset(token)


def rewritten_for_cpu(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function of pytrees of arrays with the same results, computed by operations that are fast on the device.

    Call the returned function inside a traced function only.
    """

    def call(*arguments: Any) -> Any:
        if _as_written.get() or not current_placement().is_cpu or jax.config.jax_disable_jit:  # type: ignore[attr-defined]  # made at run time
            return function(*arguments)
        closed, shapes = jax.make_jaxpr(function, return_shape=True)(*arguments)
        noted = _noted.get()
        if noted is not None:
            noted.update(_names_in(closed))
        outputs = _evaluate(closed, jax.tree.leaves(arguments))
        return jax.tree.unflatten(jax.tree.structure(shapes), outputs)

    return call


def _evaluate(closed: ClosedJaxpr, arguments: Sequence[Any]) -> list[Any]:
    jaxpr = closed.jaxpr
    values: dict[Any, Any] = dict(zip(jaxpr.constvars, closed.consts, strict=True))
    values.update(zip(jaxpr.invars, arguments, strict=True))

    def read(atom: Any) -> Any:
        return atom.val if isinstance(atom, Literal) else values[atom]

    for equation in jaxpr.eqns:
        outputs = _apply(equation, [read(atom) for atom in equation.invars])
        values.update(zip(equation.outvars, outputs, strict=True))
    return [read(atom) for atom in jaxpr.outvars]


def _apply(equation: JaxprEqn, inputs: list[Any]) -> list[Any]:
    """Return the outputs of one operation, rewritten if there is a rule for it or for an operation inside it."""
    primitive, params = equation.primitive, equation.params
    if primitive.name in RULES:
        output = RULES[primitive.name](*inputs, **params)
        if output is not None:
            return [output]
    elif not _is_rewritable(params):
        return _bind(equation, inputs, params)
    elif primitive.name in _BODIES:
        return _BODIES[primitive.name](equation, inputs)
    if _refuses.get():
        raise LeftAloneError(primitive.name)
    return _bind(equation, inputs, params)


def _bind(equation: JaxprEqn, inputs: list[Any], params: dict[str, Any]) -> list[Any]:
    primitive = equation.primitive
    with equation.ctx.manager:
        outputs = primitive.bind(*inputs, **primitive.get_bind_params(params))
    return outputs if primitive.multiple_results else [outputs]


def _inlined(equation: JaxprEqn, inputs: list[Any]) -> list[Any]:
    (body,) = (value for value in equation.params.values() if isinstance(value, ClosedJaxpr))
    return _evaluate(body, inputs)


def _with_rewritten_bodies(equation: JaxprEqn, inputs: list[Any]) -> list[Any]:
    params = {name: _rewritten(value) if _is_rewritable(value) else value for name, value in equation.params.items()}
    return _bind(equation, inputs, params)


def _checkpointed(equation: JaxprEqn, inputs: list[Any]) -> list[Any]:
    params = equation.params
    body = ClosedJaxpr(params["jaxpr"], ())
    again: Callable[..., list[Any]] = jax.checkpoint(
        lambda *values: _evaluate(body, values), prevent_cse=params["prevent_cse"], policy=params["policy"]
    )
    return again(*inputs)


_BODIES: dict[str, Callable[[JaxprEqn, list[Any]], list[Any]]] = {
    "jit": _inlined,
    "closed_call": _inlined,
    "scan": _with_rewritten_bodies,
    "while": _with_rewritten_bodies,
    "cond": _with_rewritten_bodies,
    "checkpoint": _checkpointed,
    "remat2": _checkpointed,  # its name in jax 0.10
}
"""For each name of an operation that contains others, a function that evaluates it with its body rewritten."""


def _rewritten(bodies: Any) -> Any:
    if isinstance(bodies, tuple):
        return tuple(map(_rewritten, bodies))
    return jax.make_jaxpr(lambda *values: _evaluate(bodies, values))(*bodies.in_avals)


def _is_rewritable(value: Any) -> bool:
    """Return True if a parameter of an operation is or contains a trace with operations that have a rule."""
    return any(name in RULES for name in _names_in(value))


def _names_in(value: Any) -> Iterator[str]:
    """Yield the names of all operations in a trace, or in the traces among the parameters of an operation."""
    if isinstance(value, dict):
        value = tuple(value.values())
    if isinstance(value, tuple | list):
        for part in value:
            yield from _names_in(part)
    jaxpr = value.jaxpr if isinstance(value, ClosedJaxpr) else value
    if isinstance(jaxpr, Jaxpr):
        for equation in jaxpr.eqns:
            yield equation.primitive.name
            yield from _names_in(equation.params)
