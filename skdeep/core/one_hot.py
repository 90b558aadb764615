"""Tables for networks that take one array: ids become one-hot columns inside the program, beside the numbers."""

from __future__ import annotations

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from skdeep.contract import Network, NetworkFunctions
from skdeep.core.inputs import InShape, float_dtype, specs_of
from skdeep.core.network import functions_of
from skdeep.records import CATEGORY, NUMERIC, TABLE_INPUTS, InputSpec, ModelState, Params, Raw


class WithOneHot(Network):
    """A network of one array that gets a table: numbers, then one column of 0 and 1 per level of each category.

    Id 0, for missing and unknown values, is 0 in all columns of its category. Parameters and model state are those of the network.

    Parameters
    ----------
    network : Network
    """

    network: Network

    names_inputs: ClassVar[bool] = True
    takes_tables: ClassVar[bool] = True

    @property
    def n_ids(self) -> int | None:
        return self.network.n_ids

    @property
    def reads_columns(self) -> bool:  # type: ignore[override]  # the network's
        return self.network.reads_columns

    @property
    def names_outputs(self) -> bool:  # type: ignore[override]  # the network's
        return self.network.names_outputs

    @property
    def n_members(self) -> int | None:  # type: ignore[override]  # the network's
        return self.network.n_members

    def build(self, in_shape: dict[str, InputSpec], n_outputs: Any) -> NetworkFunctions:
        n_ids = in_shape[CATEGORY].n_categories
        assert isinstance(n_ids, tuple)  # a table gives one number per column
        inner = functions_of(self.network, (n_columns(in_shape),), n_outputs)

        def init(key: Array, x: Any) -> tuple[Params, ModelState]:
            return inner.init(key, joined(x, n_ids))

        def apply(params: Params, model_state: ModelState, x: Any, *rest: Any) -> tuple[Raw, ModelState]:
            return inner.apply(params, model_state, joined(x, n_ids), *rest)

        return NetworkFunctions(init, apply)


def joined_shape(in_shape: InShape, network: Network) -> tuple[int, ...] | None:
    """Return the shape of a row for a network that gets a table with categories as one array; None for any other network."""
    specs = specs_of(in_shape)
    is_joined = isinstance(specs, dict) and not network.takes_tables and specs.keys() <= set(TABLE_INPUTS)
    return (n_columns(specs),) if is_joined else None


def n_columns(specs: dict[str, InputSpec]) -> int:
    """Return the number of columns of `joined`."""
    n_ids = specs[CATEGORY].n_categories
    assert isinstance(n_ids, tuple)
    numeric = specs[NUMERIC].shape[0] if NUMERIC in specs else 0
    return numeric + sum(n - 1 for n in n_ids)


def joined(x: dict[str, Array], n_ids: tuple[int, ...]) -> Float[Array, "n columns"]:
    """Return the numbers of a table and the one-hot columns of its ids, as one array."""
    ids = x[CATEGORY]
    one_hot = [jax.nn.one_hot(ids[:, i] - 1, n - 1, dtype=float_dtype(x)) for i, n in enumerate(n_ids)]
    return jnp.concatenate([x[NUMERIC], *one_hot] if NUMERIC in x else one_hot, axis=1)


def with_one_hot(network: Network, has_categories: bool) -> Network:
    """Return a network that takes a table with or without categories."""
    return WithOneHot(network) if has_categories and not network.takes_tables else network


def without_one_hot(network: Network) -> Network:
    """Return the network that takes one array; inverts `with_one_hot`."""
    return network.network if isinstance(network, WithOneHot) else network
