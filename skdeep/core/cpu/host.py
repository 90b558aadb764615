"""Evaluate a traced function in NumPy without compiling it, for parameter initialisation.

Parameters are initialised once per fit, but compiling their initialisation takes as long as compiling the training. So a
module's `init` is traced and its trace is evaluated here. Operations and types without a rule in this file run in JAX, one by
one, which is slower.

Results equal XLA's also where NumPy's own results differ, for example for a division of integers by 0. Three differences
remain: rounding; the sign of zero in a maximum; and subnormal numbers, which XLA replaces by 0 on some devices.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jax.extend.core import ClosedJaxpr, JaxprEqn
from scipy import special

from skdeep.core.cpu.host_program import HostProgram, Operation, host_program, key_name
from skdeep.core.random import fold_key, random_words, split_key, wrap_key

Rule = Callable[..., Any]


def evaluate(closed: ClosedJaxpr, arguments: Sequence[Any]) -> list[Any]:
    """Return the outputs of a traced function of arrays. Keys must be passed as uint32 words that the function wraps."""
    return run(as_program(closed), arguments)


def as_program(closed: ClosedJaxpr) -> HostProgram:
    """Return a traced function in the form that `run` takes."""
    return host_program(closed, _RULES)


def run(program: HostProgram, arguments: Sequence[Any]) -> list[Any]:
    """Return the outputs of a program of arrays. Keys must be passed as uint32 words that the program wraps."""
    values = dict(program.constants)
    values.update(zip(program.inputs, arguments, strict=True))
    with np.errstate(all="ignore"):  # unsigned products wrap around on purpose
        for operation in program.operations:
            outputs = _apply(operation, [values[number] for number in operation.inputs])
            values.update(zip(operation.outputs, outputs, strict=True))
    # A constant of the program must not be changed through an output; JAX's own kind of array does not survive pickling.
    return [_as_output(values[number], number in program.constants) for number in program.outputs]


def _as_output(value: Any, is_constant: bool) -> np.ndarray:
    return value if type(value) is np.ndarray and not is_constant else np.array(value)


def _apply(operation: Operation, inputs: list[Any]) -> list[Any]:
    if operation.equation is not None:
        return _apply_in_jax(operation.equation, inputs)
    return [np.asarray(_RULES[operation.name](*inputs, **operation.params), operation.dtype)]


def _apply_in_jax(equation: JaxprEqn, inputs: list[Any]) -> list[Any]:
    typed = [
        wrap_key(_unpack(value)) if key_name(atom.aval) == "pcg" else value
        for atom, value in zip(equation.invars, inputs, strict=True)
    ]
    outputs = equation.primitive.bind(*typed, **equation.primitive.get_bind_params(equation.params))
    outputs = outputs if equation.primitive.multiple_results else [outputs]
    return [
        _on_host(output, key_name(variable.aval)) for variable, output in zip(equation.outvars, outputs, strict=True)
    ]


def _on_host(output: Any, key_name: str | None) -> Any:
    """Return JAX's output as NumPy's array, in which rules compute; keys of other generators stay as they are."""
    if key_name is None:
        return np.asarray(output)
    return _pack(np.asarray(jax.random.key_data(output))) if key_name == "pcg" else output


def _pack(words: Any) -> Any:
    """Return each key of two words as one uint64, so that an array of keys has the same shape as in the trace."""
    return np.array(words, order="C").view(np.uint64)[..., 0]


def _unpack(keys: Any) -> Any:
    return np.array(np.asarray(keys)[..., None], order="C").view(np.uint32)


def _broadcast(x: Any, *_: Any, shape: Any, broadcast_dimensions: Any, **__: Any) -> Any:
    expanded = [1] * len(shape)
    for source, target in enumerate(broadcast_dimensions):
        expanded[target] = x.shape[source]
    return np.broadcast_to(np.reshape(x, expanded), shape)


def _bitcast(x: Any, *, new_dtype: Any, **_: Any) -> Any:
    sizes = x.dtype.itemsize, np.dtype(new_dtype).itemsize
    if sizes[1] < sizes[0]:
        return np.array(x[..., None], order="C").view(new_dtype)
    viewed = np.array(x, order="C").view(new_dtype)
    return viewed if sizes[0] == sizes[1] else viewed[..., 0]


def _random_bits(packed: Any, *, bit_width: int, shape: Any, **_: Any) -> Any:
    key = _unpack(packed)
    if bit_width > 32:
        high = random_words(fold_key(key, np.uint32(1), np), shape, np)
        return random_words(key, shape, np).astype(np.uint64) | (high.astype(np.uint64) << np.uint64(32))
    return random_words(key, shape, np).astype(f"uint{bit_width}")


def _select(which: Any, *cases: Any, **_: Any) -> Any:
    return np.choose(which.astype(int), cases)


def _shift_right_logical(x: Any, n: Any) -> Any:
    unsigned = np.dtype(f"u{x.dtype.itemsize}")
    return (x.astype(unsigned) >> n.astype(unsigned)).astype(x.dtype)


def _divide(x: Any, y: Any) -> Any:
    """Return x / y as XLA does: integers are truncated, and an integer divided by 0 gives a number with all bits 1."""
    if x.dtype.kind not in "iu":
        return np.true_divide(x, y)
    divisor = np.where(y == 0, 1, y).astype(y.dtype)
    quotient = np.floor_divide(x, divisor)
    is_below = (np.remainder(x, divisor) != 0) & ((x < 0) != (divisor < 0))
    return np.where(y == 0, np.invert(np.zeros_like(x)), quotient + is_below.astype(x.dtype))


def _convert(x: Any, *, new_dtype: Any, **_: Any) -> Any:
    """Return x in a type as XLA does: floats are truncated and clipped to the integers of the type; NaN becomes 0."""
    if x.dtype.kind != "f" or np.dtype(new_dtype).kind not in "iu":
        return np.asarray(x, new_dtype)
    limits = np.iinfo(new_dtype)
    is_low, is_high = x <= limits.min, x.astype(np.float64) >= float(limits.max) + (limits.bits < 64)
    inside = np.where(is_low | is_high | np.isnan(x), 0, x).astype(new_dtype)
    return np.where(is_low, limits.min, np.where(is_high, limits.max, inside)).astype(new_dtype)


def _odd(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return an odd function that returns zeros with their sign."""
    return lambda x: np.where(x == 0, x, function(x))


def _elementwise(function: Any) -> Rule:
    return lambda *inputs, **_: function(*inputs)


_RULES: dict[str, Rule] = {
    **{
        name: _elementwise(function)
        for name, function in {
            "add": np.add, "sub": np.subtract, "mul": np.multiply, "div": _divide, "neg": np.negative,
            "max": np.maximum, "min": np.minimum, "sqrt": np.sqrt, "rsqrt": lambda x: 1 / np.sqrt(x),
            "exp": np.exp, "log": np.log, "log1p": np.log1p, "expm1": np.expm1, "pow": np.power, "abs": np.abs,
            "sin": np.sin, "cos": np.cos, "tanh": np.tanh, "sign": _odd(np.sign), "floor": np.floor,
            "erf": special.erf, "erf_inv": _odd(special.erfinv), "nextafter": lambda x, y: np.where(x == y, y, np.nextafter(x, y)),
            "and": np.bitwise_and, "or": np.bitwise_or, "xor": np.bitwise_xor, "not": np.invert,
            "shift_right_logical": _shift_right_logical, "shift_left": np.left_shift,
            "lt": np.less, "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal, "eq": np.equal,
            "stop_gradient": np.asarray, "copy": np.asarray, "copy_p": np.asarray,
            "random_wrap": _pack, "random_unwrap": _unpack,
        }.items()
    },
    "convert_element_type": _convert,
    "square": lambda x, **_: x * x,
    "integer_pow": lambda x, *, y, **_: x**y,
    "reshape": lambda x, *, new_sizes, dimensions, **_: np.reshape(
        x if dimensions is None else np.transpose(x, dimensions), new_sizes
    ),
    "squeeze": lambda x, *, dimensions, **_: np.squeeze(x, tuple(dimensions)),
    "transpose": lambda x, *, permutation, **_: np.transpose(x, permutation),
    "slice": lambda x, *, start_indices, limit_indices, strides, **_: x[
        tuple(slice(*s) for s in zip(start_indices, limit_indices, strides or (1,) * x.ndim, strict=True))
    ],
    "concatenate": lambda *parts, dimension, **_: np.concatenate(parts, dimension),
    "iota": lambda *, dtype, shape, dimension, **_: np.broadcast_to(
        np.arange(shape[dimension], dtype=dtype).reshape([-1 if d == dimension else 1 for d in range(len(shape))]), shape
    ),
    "broadcast_in_dim": _broadcast,
    "bitcast_convert_type": _bitcast,
    "select_n": _select,
    "random_bits": _random_bits,
    "random_fold_in": lambda key, data, **_: _pack(fold_key(_unpack(key), data.astype(np.uint32), np)),
    "random_split": lambda key, *, shape, **_: _pack(split_key(_unpack(key), tuple(shape), np)),
}  # fmt: skip
