"""Modules one after the other."""

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
    """A module inside another one: what makes it, and its rule of masks.

    It is made inside the module that uses it, and so belongs to it. `output_mask(x, step_mask)` returns the step mask of
    the output, None once there are no steps.

    Parts are equal if their functions are. Python compares methods by the identity of their objects; methods of equal
    objects are equal here, so that the modules of equal networks are.
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
    """Parts one after the other, then a dense output layer of what `last` makes of it, unless `n_outputs` is None."""

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
    """Return the rows; raise ValueError unless they are `(time, features)`."""
    check_sequences("The dense layer at each step", x)
    return x


def call_parts(parts: Sequence[Part], x: Any, train: bool, row_mask: Any, step_mask: Any = None) -> tuple[Any, Any]:
    """Return the output of parts one after the other, and its step mask; inside a compact method only."""
    for part in parts:
        module = part.build()
        y = linen.call(module, x, **linen.call_arguments(module, train, row_mask, step_mask))
        x, step_mask = y, part.output_mask(x, step_mask)
    return x, step_mask
