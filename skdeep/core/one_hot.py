"""Tables for networks that take them as one array: ids become one-hot columns inside the program, beside the numbers."""

from __future__ import annotations

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array

from skdeep.contract import Network, NetworkFunctions
from skdeep.core.inputs import InShape, float_dtype, hashable_specs, specs_of
from skdeep.core.network import functions_of
from skdeep.records import CATEGORY, NUMERIC, SEPARATOR, TABLE_INPUTS, InputSpec, ModelState, Params, Raw


class WithOneHot(Network):
    """A network that gets each table as one array: numbers, then one column of 0 and 1 per level of each category.

    Id 0, for missing and unknown values, is 0 in all columns of its category. Parameters and model state are those of the network.

    Parameters
    ----------
    network : Network
    """

    network: Network

    names_inputs: ClassVar[bool] = True
    takes_tables: ClassVar[bool] = True

    def check_rows(self, x: Any) -> None:
        """Check nothing: rows of tables are numbers and ids that the encoding made."""

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

    def auto_l2(self, n_values: int) -> float | None:
        return self.network.auto_l2(n_values)

    def build(self, in_shape: dict[str, InputSpec], n_outputs: Any) -> NetworkFunctions:
        specs = hashable_specs(in_shape)
        inner = functions_of(self.network, joined_shapes(specs), n_outputs)

        def init(key: Array, x: Any) -> tuple[Params, ModelState]:
            return inner.init(key, joined(x, specs))

        def apply(params: Params, model_state: ModelState, x: Any, *rest: Any) -> tuple[Raw, ModelState]:
            return inner.apply(params, model_state, joined(x, specs), *rest)

        return NetworkFunctions(init, apply)


def joined_shapes(in_shape: InShape) -> Any:
    """Return the shape of a row, or the specs by name, as the network sees them that gets each table as one array."""
    found = {}
    for name, parts in _tables_of(in_shape).items():
        if parts.keys() == {""}:
            found[name] = parts[""]
            continue
        numeric = parts[NUMERIC].shape[0] if NUMERIC in parts else 0
        found[name] = InputSpec((numeric + sum(n - 1 for n in _counts(parts[CATEGORY])),))
    return found[""].shape if found.keys() == {""} else found


def joined(x: dict[str, Array], in_shape: InShape) -> Any:
    """Return each table as one array, the numbers and then the one-hot columns of its ids; other inputs as they are."""
    found = {}
    for name, parts in _tables_of(in_shape).items():
        if parts.keys() == {""}:
            found[name] = x[name]
            continue
        prefix = f"{name}{SEPARATOR}" if name else ""
        ids = x[prefix + CATEGORY]
        columns = [x[prefix + NUMERIC]] if NUMERIC in parts else []
        for i, n in enumerate(_counts(parts[CATEGORY])):
            columns.append(jax.nn.one_hot(ids[:, i] - 1, n - 1, dtype=float_dtype(x)))
        found[name] = jnp.concatenate(columns, axis=1)
    return found[""] if found.keys() == {""} else found


def _tables_of(in_shape: InShape) -> dict[str, dict[str, InputSpec]]:
    """Return the specs of the parts of each input: "numeric" and "category" of tables, "" of others. An X that is a table is ""."""
    found: dict[str, dict[str, InputSpec]] = {}
    specs = specs_of(in_shape)
    for name, spec in specs.items():
        if specs.keys() <= set(TABLE_INPUTS):
            found.setdefault("", {})[name] = spec
        else:
            before, _, part = name.rpartition(SEPARATOR)
            is_part = bool(before) and part in TABLE_INPUTS
            found.setdefault(before if is_part else name, {})[part if is_part else ""] = spec
    return found


def _counts(spec: InputSpec) -> tuple[int, ...]:
    assert isinstance(spec.n_categories, tuple)  # a table gives one number per column
    return spec.n_categories


def with_one_hot(network: Network, table: Any) -> Network:
    """Return a network that takes a table, None for none."""
    wants_array = table is not None and table.has_categories and not (network.takes_tables and hasattr(table, "scale"))
    return WithOneHot(network) if wants_array else network


def without_one_hot(network: Network) -> Network:
    """Return the network that takes one array per table; inverts `with_one_hot`."""
    return network.network if isinstance(network, WithOneHot) else network
