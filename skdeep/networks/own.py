"""Users' own Flax modules as networks."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, ClassVar, Self

from skdeep.contract import Network
from skdeep.linen import user_fields, values_of, with_fields, with_outputs


class FlaxNetwork(Network):
    """A `flax.linen.Module` as a network; its fields are structure.

    A field `n_outputs` that is None is filled with the width that the loss needs. Inputs by name reach `__call__` by its
    parameters, `def __call__(self, image, table)`, or as a dict. A module whose rows hold ids says how many by an attribute or
    property `n_ids`; X then reaches it as int32.

    Parameters
    ----------
    module : flax.linen.Module

    Examples
    --------
    >>> import flax.linen as nn
    >>> from skdeep.networks import FlaxNetwork
    >>> FlaxNetwork(nn.Dense(3)).get_params()["features"]
    3
    """

    module: Any
    names_inputs: ClassVar[bool] = True

    @property
    def n_ids(self) -> int | None:
        return getattr(self.module, "n_ids", None)

    def build(self, in_shape: tuple[int, ...], n_outputs: int) -> Any:
        return with_outputs(self.module, n_outputs)

    def build_causal(self, in_shape: tuple[int, ...], n_outputs: int) -> Any:
        """Return the module as `build` does; that it gives `n_outputs` at each step is up to it."""
        return self.build(in_shape, n_outputs)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the fields of the module."""
        return values_of(self.module, user_fields(self.module))

    def replace(self, **changes: Any) -> Self:
        """Return a network whose module has these fields changed."""
        return type(self)(with_fields(self.module, changes))


class NNXNetwork(Network):
    """An NNX factory `f(in_shape, n_outputs, rngs) -> flax.nnx.Module` as a network.

    A factory and not an instance: an instance carries weights, so every fit would start from them.

    Parameters
    ----------
    factory : callable

    Examples
    --------
    >>> from flax import nnx
    >>> from skdeep.networks import NNXNetwork
    >>> network = NNXNetwork(lambda in_shape, n_outputs, rngs: nnx.Linear(in_shape[0], n_outputs, rngs=rngs))
    >>> network.build((4,), 3)(rngs=nnx.Rngs(0)).kernel.shape
    (4, 3)
    """

    factory: Callable[..., Any]
    names_inputs: ClassVar[bool] = True

    @property
    def n_ids(self) -> int | None:
        return getattr(self.factory, "n_ids", None)

    def build(self, in_shape: tuple[int, ...], n_outputs: int) -> Any:
        return functools.partial(self.factory, in_shape, n_outputs)

    def build_causal(self, in_shape: tuple[int, ...], n_outputs: int) -> Any:
        """Return the factory as `build` does; that its module gives `n_outputs` at each step is up to it."""
        return self.build(in_shape, n_outputs)
