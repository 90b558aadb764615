"""Users' own Flax modules as networks."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, ClassVar, Self

from skdeep.contract import Network
from skdeep.linen import user_fields, values_of, with_fields, with_outputs
from skdeep.records import TABLE_INPUTS


class FlaxNetwork(Network):
    """A `flax.linen.Module` as a network; its fields are not traced, so another value compiles a new program.

    If the module has a field `n_outputs` that is None, `fit` sets it to the number of raw outputs that the loss needs. Inputs
    by name reach `__call__` as arguments if it has a parameter for each, `def __call__(self, image, table)`, else as one dict.
    If `__call__` has a parameter "numeric", "one_hot" or "category", it gets a table with categories by these names, else as one array.
    If rows hold ids, an attribute or property `n_ids` of the module gives their number; X then reaches it as int32. `init_rows` and
    `n_members` have the meaning that they have in a `Network`.

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

    @property
    def takes_tables(self) -> bool:  # type: ignore[override]  # the module's
        return any(name in inspect.signature(type(self.module).__call__).parameters for name in TABLE_INPUTS)

    @property
    def max_one_hot_levels(self) -> int:
        return getattr(self.module, "max_one_hot_levels", 0)

    @property
    def init_rows(self) -> int:  # type: ignore[override]  # the module's
        return getattr(self.module, "init_rows", 0)

    @property
    def n_members(self) -> int | None:  # type: ignore[override]  # the module's
        return getattr(self.module, "n_members", None)

    def build(self, in_shape: tuple[int, ...], n_outputs: int) -> Any:
        return with_outputs(self.module, n_outputs)

    def build_causal(self, in_shape: tuple[int, ...], n_outputs: int) -> Any:
        """Return the module as `build` does. The module must return `n_outputs` per step; this is not checked here."""
        return self.build(in_shape, n_outputs)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the fields of the module."""
        return values_of(self.module, user_fields(self.module))

    def replace(self, **changes: Any) -> Self:
        """Return a network with a copy of the module in which these fields are changed."""
        return type(self)(with_fields(self.module, changes))


class NNXNetwork(Network):
    """An NNX factory `f(in_shape, n_outputs, rngs) -> flax.nnx.Module` as a network.

    It takes a factory, not an instance: an instance holds weights, so that every fit would start from the same ones.

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

    @property
    def init_rows(self) -> int:  # type: ignore[override]  # the factory's
        return getattr(self.factory, "init_rows", 0)

    @property
    def n_members(self) -> int | None:  # type: ignore[override]  # the factory's
        return getattr(self.factory, "n_members", None)

    def build(self, in_shape: tuple[int, ...], n_outputs: int) -> Any:
        return functools.partial(self.factory, in_shape, n_outputs)

    def build_causal(self, in_shape: tuple[int, ...], n_outputs: int) -> Any:
        """Return the factory as `build` does. Its module must return `n_outputs` per step; this is not checked here."""
        return self.build(in_shape, n_outputs)
