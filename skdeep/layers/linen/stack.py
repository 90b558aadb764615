"""The module that applies other modules one after the other."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import flax.linen as nn
import jax

from skdeep import linen
from skdeep.layers.linen.function import flattened
from skdeep.layers.rows import check_sequences


@dataclasses.dataclass(frozen=True, eq=False)
class Part:
    """A module inside another one: `build` makes the module, `output_mask` computes its output's step mask.

    The outer module calls `build` in its compact method, so that the inner module is its submodule.
    `output_mask(x, step_mask)` returns None if the output has no steps.

    Two parts are equal if their functions are. Python takes methods of two objects for unequal even if the objects are
    equal; here such methods are equal, so that equal networks have equal modules.
    """

    build: Callable[[], nn.Module]
    output_mask: Callable[[Any, Any], Any]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Part) and self._functions() == other._functions()

    def __hash__(self) -> int:
        return hash(self._functions())

    def _functions(self) -> tuple[Any, ...]:
        functions = (self.build, self.output_mask)
        return tuple((getattr(f, "__func__", f), getattr(f, "__self__", None)) for f in functions)


class Stack(nn.Module):
    """Apply the parts one after the other, then `last` and a dense output layer, unless `n_outputs` is None."""

    parts: tuple[Part, ...]
    n_outputs: int | None = None
    last: Callable[[Any], Any] = flattened

    @nn.compact
    def __call__(self, x: Any, train: bool, row_mask: Any) -> Any:
        x, _ = call_parts(self.parts, x, train, row_mask)
        if self.n_outputs is None:
            return x
        initializer = jax.nn.initializers.lecun_uniform()
        return nn.Dense(self.n_outputs, kernel_init=initializer, name="output")(self.last(x))


def checked_sequences(x: Any) -> Any:
    """Return x unchanged; raise ValueError unless its rows have the shape `(time, features)`."""
    check_sequences("The dense layer at each step", x)
    return x


def call_parts(parts: Sequence[Part], x: Any, train: bool, row_mask: Any, step_mask: Any = None) -> tuple[Any, Any]:
    """Apply the parts one after the other; return the output and its step mask. For compact methods only."""
    for part in parts:
        module = part.build()
        y = linen.call(module, x, **linen.call_arguments(module, train, row_mask, step_mask))
        x, step_mask = y, part.output_mask(x, step_mask)
    return x, step_mask
