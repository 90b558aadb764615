"""Tables among several inputs: `skdeep.Inputs` in which some inputs are data frames."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from jaxtyping import Float

from skdeep.inputs import Inputs, is_table
from skdeep.records import NUMERIC, SEPARATOR, InputSpec
from skdeep.tables.columns import Column
from skdeep.tables.frames import in_order_of
from skdeep.tables.table import Table


@dataclasses.dataclass(frozen=True)
class Tables:
    """The tables of an X of several inputs, by name; it has the methods of a `Table`.

    A table of numbers becomes one array under its name. One with categories becomes two, "name/numeric" and "name/category", which
    `WithOneHot` joins in the program.
    """

    tables: dict[str, Table]

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns of all tables."""
        return tuple(column for table in self.tables.values() for column in table.columns)

    @property
    def numeric_names(self) -> tuple[str, ...]:
        """The names of the numeric values of all tables."""
        return tuple(name for table in self.tables.values() for name in table.numeric_names)

    @property
    def n_categories(self) -> tuple[int, ...]:
        """Number of ids of the categories of all tables."""
        return tuple(n for table in self.tables.values() for n in table.n_categories)

    @property
    def has_categories(self) -> bool:
        """Whether there are ids."""
        return bool(self.n_categories)

    @property
    def specs(self) -> dict[str, InputSpec]:
        """The inputs that `encode` returns for the tables, by name."""
        found: dict[str, InputSpec] = {}
        for name, table in self.tables.items():
            specs = table.specs
            if not table.has_categories:
                specs = {"": specs[NUMERIC]}
            found |= {_joined(name, part): spec for part, spec in specs.items()}
        return found

    def for_network(self, max_one_hot_levels: int | None) -> Tables:
        """Return the tables unchanged: networks get tables among several inputs with ids, or as one array."""
        return self

    def check(self, x: Inputs) -> None:
        """Raise ValueError if an input that was a table in `fit` is none now."""
        for name in self.tables:
            if name not in x.names or not is_table(x[name]):
                raise ValueError(f"The input {name!r} was a table in fit. Give a table now.")

    def read(self, x: Inputs) -> Inputs:
        """Return the inputs with the numbers and ids of each table; see `Table.read`."""
        found = {name: array for name, array in x.items() if name not in self.tables}
        for name, table in self.tables.items():
            found |= {_joined(name, part): array for part, array in table.read(_frame_of(x, name, table)).items()}
        return Inputs(found)

    def with_scale_of(self, x: Inputs, weight: Float[np.ndarray, " n"]) -> Tables:
        """Return the tables with the scale of these rows, which `read` returned."""
        return Tables({name: table.with_scale_of(_part(x, name), weight) for name, table in self.tables.items()})

    def encode(self, x: Inputs) -> Inputs:
        """Return rows that `read` returned as the inputs of a network."""
        of_tables = {_joined(name, part) for name, table in self.tables.items() for part in table.parts}
        found = {name: array for name, array in x.items() if name not in of_tables}
        for name, table in self.tables.items():
            rows = table.encode(_part(x, name))
            parts = rows.items() if isinstance(rows, Inputs) else [("", rows)]
            found |= {_joined(name, part): array for part, array in parts}
        return Inputs(found)


def _frame_of(x: Inputs, name: str, table: Table) -> Any:
    """Return an input as a table with the columns of the fit, in their order; raise ValueError if it has others."""
    frame = x[name]
    names = [column.name for column in table.columns]
    missing, unseen = (sorted(set(a) - set(b)) for a, b in ((names, frame.columns), (frame.columns, names)))
    if missing or unseen:
        raise ValueError(
            f"The table {name!r} must have the columns that it had in fit. Missing: {missing or 'none'}; not seen in fit: {unseen or 'none'}."
        )
    return in_order_of(frame, tuple(names))


def _joined(name: str, part: str) -> str:
    return f"{name}{SEPARATOR}{part}" if part else name


def _part(x: Inputs, name: str) -> Inputs:
    prefix = f"{name}{SEPARATOR}"
    return Inputs({key.removeprefix(prefix): array for key, array in x.items() if key.startswith(prefix)})
