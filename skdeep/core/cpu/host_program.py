"""A traced function as data that `host.py` runs: a list of operations on numbered values, without JAX's objects.

Nested traces are inlined, and operations on which no output depends are left out. If all operations have a rule in `host.py`, the
data holds only plain values and NumPy arrays, so that a file can hold it (`core/disk`).
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn, Literal


class Operation(NamedTuple):
    """One operation: its name, its parameters, the numbers of its inputs and outputs, and the dtype of its first output.

    `equation` is JAX's operation if there is no rule for it, else None.
    """

    name: str
    params: dict[str, Any]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    dtype: Any
    equation: JaxprEqn | None


class HostProgram(NamedTuple):
    """A traced function: constants by number, the numbers of inputs and outputs, and the operations in order."""

    constants: dict[int, Any]
    inputs: tuple[int, ...]
    operations: tuple[Operation, ...]
    outputs: tuple[int, ...]

    @property
    def is_data(self) -> bool:
        """True if it holds only plain values and NumPy arrays."""
        return all(operation.equation is None for operation in self.operations) and all(
            type(constant) is np.ndarray for constant in self.constants.values()
        )


INLINED = {"jit": "jaxpr", "pjit": "jaxpr", "closed_call": "call_jaxpr", "custom_jvp_call": "call_jaxpr"}
"""For each name of an operation that calls a trace, the parameter that holds the trace."""


def host_program(closed: ClosedJaxpr, rules: Any) -> HostProgram:
    """Return a traced function as a program of the operations in `rules`; other operations stay JAX's."""
    writer = _Writer(rules)
    inputs = tuple(writer.new() for _ in closed.jaxpr.invars)
    outputs = writer.write(closed, inputs)
    return HostProgram(writer.constants, inputs, tuple(writer.operations), tuple(outputs))


class _Writer:
    def __init__(self, rules: Any) -> None:
        self.rules = rules
        self.constants: dict[int, Any] = {}
        self.operations: list[Operation] = []
        self._n_values = 0

    def new(self) -> int:
        self._n_values += 1
        return self._n_values - 1

    def write(self, closed: ClosedJaxpr, inputs: Sequence[int]) -> list[int]:
        """Append the operations of a trace, and return the numbers of its outputs."""
        jaxpr = closed.jaxpr
        numbers: dict[Any, int] = dict(zip(jaxpr.invars, inputs, strict=True))
        for variable, value in zip(jaxpr.constvars, closed.consts, strict=True):
            numbers[variable] = self._constant(value if key_name(variable.aval) else np.asarray(value))

        def number_of(atom: Any) -> int:
            if isinstance(atom, Literal):
                return self._constant(np.asarray(atom.val, host_dtype(atom.aval)))
            return numbers[atom]

        for equation in _needed(jaxpr):
            found = self._outputs_of(equation, tuple(map(number_of, equation.invars)))
            numbers.update(zip(equation.outvars, found, strict=True))
        return [number_of(atom) for atom in jaxpr.outvars]

    def _constant(self, value: Any) -> int:
        number = self.new()
        self.constants[number] = value
        return number

    def _outputs_of(self, equation: JaxprEqn, inputs: tuple[int, ...]) -> Sequence[int]:
        name, params = equation.primitive.name, equation.params
        if name in INLINED:
            return self.write(params[INLINED[name]], inputs)
        outputs = tuple(self.new() for _ in equation.outvars)
        kept = {key: plain for key, value in params.items() if (plain := _as_plain(value)) is not _NOT_PLAIN}
        has_rule = (
            name in self.rules
            and all(map(_is_plain, (*equation.invars, *equation.outvars)))
            and not _names_read_by(self.rules[name]) & (params.keys() - kept.keys())
        )
        dtype = host_dtype(equation.outvars[0].aval) if has_rule else None
        self.operations.append(
            Operation(name, kept if has_rule else {}, inputs, outputs, dtype, None if has_rule else equation)
        )
        return outputs


def _needed(jaxpr: Jaxpr) -> list[JaxprEqn]:
    """Return the equations on which the outputs depend. The forward pass in a module's `init` is not among them."""
    wanted = {id(atom) for atom in jaxpr.outvars}
    kept = []
    for equation in reversed(jaxpr.eqns):
        if any(id(variable) in wanted for variable in equation.outvars):
            wanted.update(id(atom) for atom in equation.invars)
            kept.append(equation)
    return kept[::-1]


def _is_plain(atom: Any) -> bool:
    """Return True if a value has a type that NumPy knows, or is a single key of `skdeep.core.random`."""
    key = key_name(atom.aval)
    return atom.aval.dtype.kind in "biuf" if key is None else key == "pcg" and atom.aval.ndim == 0


_NOT_PLAIN = object()


def _as_plain(value: Any) -> Any:
    """Return a parameter that rules read; `_NOT_PLAIN` for others, such as shardings and generators of random numbers."""
    if isinstance(value, tuple | list | range):
        items = tuple(map(_as_plain, value))
        return _NOT_PLAIN if any(item is _NOT_PLAIN for item in items) else items
    if isinstance(value, np.generic):
        value = value.item()
    return value if value is None or isinstance(value, bool | int | float | str | np.dtype) else _NOT_PLAIN


@functools.cache
def _names_read_by(rule: Callable[..., Any]) -> frozenset[str]:
    """Return the names of the parameters that a rule reads; it ignores all others."""
    parameters = inspect.signature(rule).parameters.values() if inspect.isroutine(rule) else ()
    return frozenset(p.name for p in parameters if p.kind is p.KEYWORD_ONLY)


def key_name(aval: Any) -> str | None:
    """Return the name of a key's generator, or None for ordinary arrays."""
    if not jax.dtypes.issubdtype(aval.dtype, jax.dtypes.prng_key):
        return None
    return "pcg" if "pcg" in str(aval.dtype) else str(aval.dtype)


def host_dtype(aval: Any) -> Any:
    """Return the dtype that a value has on the host; a key is one uint64."""
    return np.dtype(np.uint64) if key_name(aval) else aval.dtype
