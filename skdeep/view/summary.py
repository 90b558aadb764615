"""The table of a network's layers, as text, as a data frame and as HTML."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

from skdeep.view.layers import Layers
from skdeep.view.modules import Path


class Row(NamedTuple):
    """One line of the table. A group, which has other layers inside it, shows no zeros."""

    depth: int
    name: str
    type: str
    output_shape: str
    n_parameters: int
    flops: int
    is_group: bool = False


@dataclasses.dataclass(frozen=True)
class NetworkSummary:
    """The layers of an estimator's network, with output shapes, parameters and floating-point operations (FLOPs).

    `str` is a table, notebooks show it as HTML, and `to_frame` returns a data frame. Each number of a layer is its own, without that of
    the layers inside it, so that columns can be added.

    Parameters
    ----------
    owner : str
        Class of the estimator.
    networks : tuple of (Layers, int)
        The different networks, and how many members of an ensemble each has; one network once if there is no ensemble.

    Examples
    --------
    >>> from skdeep import DeepClassifier
    >>> summary = DeepClassifier(network="linear").summary(input_shape=(64,), n_targets=10)
    >>> summary.n_parameters, summary.flops
    (650, 1290)
    """

    owner: str
    networks: tuple[tuple[Layers, int], ...]

    @property
    def n_networks(self) -> int:
        """Number of networks: 1, or the number of members of an ensemble."""
        return sum(count for _, count in self.networks)

    @property
    def n_parameters(self) -> int:
        """Number of trained parameters of all networks."""
        return sum(layers.n_parameters * count for layers, count in self.networks)

    @property
    def n_bytes(self) -> int:
        """Size of these parameters."""
        return sum(layers.n_bytes * count for layers, count in self.networks)

    @property
    def n_state(self) -> int:
        """Number of values that training does not learn by gradients: running averages, frozen parameters."""
        return sum(layers.n_state * count for layers, count in self.networks)

    @property
    def flops(self) -> int:
        """FLOPs per row of a prediction of all networks; a multiplication with an addition counts 2."""
        return sum(layers.flops * count for layers, count in self.networks)

    def to_frame(self) -> Any:
        """Return the layers as a pandas DataFrame.

        Returns
        -------
        pandas.DataFrame
            One row per layer of each different network. Columns: "network" (name), "networks" (how many members have it), "layer"
            (path, joined by "/", empty for the network itself), "type", "output_shape", "parameters", "flops".
        """
        import pandas as pd

        records = [
            (
                layers.network,
                count,
                "/".join(layer.path),
                layer.type,
                layer.output_shape,
                layer.n_parameters,
                layer.flops,
            )
            for layers, count in self.networks
            for layer in layers.layers
        ]
        return pd.DataFrame(
            records, columns=["network", "networks", "layer", "type", "output_shape", "parameters", "flops"]
        )

    def __str__(self) -> str:
        tables = [_text_of(self.title(layers, count), table_of(layers, count)) for layers, count in self.networks]
        return "\n\n".join([*tables, *self.notes()])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from skdeep.view.html import page_of_summary

        return page_of_summary(self)

    def title(self, layers: Layers, count: int) -> str:
        """Return the title of the table of one network."""
        owner = f"{self.owner}: " if self.n_networks == 1 else f"{self.owner}, {count} of {self.n_networks} networks: "
        return f"{owner}{layers.network}"

    def notes(self) -> list[str]:
        """Return the sentences below the tables: totals, and values that are not trained."""
        several = f"{self.n_networks} networks with " if self.n_networks > 1 else ""
        not_trained = f", and {self.n_state:,} values that are not trained" if self.n_state else ""
        return [
            f"{several}{self.n_parameters:,} parameters ({worded_bytes(self.n_bytes)}){not_trained}. A prediction takes "
            f"{worded_count(self.flops)} FLOPs per row; n is the number of rows."
        ]


def rows_of(layers: Layers) -> list[Row]:
    """Return the lines of a table: the input, the network itself if it has numbers of its own, and its layers as a tree."""
    groups = {layer.path[:length] for layer in layers.layers for length in range(len(layer.path))}
    shown: list[Row] = [Row(0, "input", "", layers.input_shape, 0, 0, is_group=True)]
    around: list[Path] = []
    for layer in layers.layers:
        if not layer.path and len(layers.layers) > 1 and not (layer.n_parameters or layer.flops):
            continue
        while around and layer.path[: len(around[-1])] != around[-1]:
            around.pop()
        outer = around[-1] if around else ()
        name = "/".join(layer.path[len(outer) :]) or layers.network
        shown.append(
            Row(
                len(around),
                name,
                layer.type if layer.path else "",
                layer.output_shape,
                layer.n_parameters,
                layer.flops,
                layer.path in groups,
            )
        )
        if layer.path:
            around.append(layer.path)
    return shown


NUMBERS = ("parameters", "FLOPs per row")
"""The columns that are aligned on the right."""


class Table(NamedTuple):
    """The texts of a table: headers, lines and the total, without columns that are empty. `depths` are the levels of the lines."""

    headers: tuple[str, ...]
    lines: list[tuple[str, ...]]
    total: tuple[str, ...]
    depths: list[int]


def table_of(layers: Layers, count: int) -> Table:
    """Return the texts of the table of a network that `count` members of an ensemble have."""
    rows = rows_of(layers)
    headers = ("layer", "type", "output shape", *NUMBERS)
    lines = [_cells_of(row) for row in rows]
    name = "total" if count == 1 else "total per network"
    total = (name, "", "", f"{layers.n_parameters:,}", f"{layers.flops:,}")
    kept = [i for i in range(len(headers)) if any(line[i] for line in lines) or headers[i] in NUMBERS]

    def chosen(cells: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(cells[i] for i in kept)

    return Table(chosen(headers), list(map(chosen, lines)), chosen(total), [row.depth for row in rows])


def _cells_of(row: Row) -> tuple[str, ...]:
    n_parameters = "" if row.is_group and not row.n_parameters else f"{row.n_parameters:,}"
    is_unknown = not row.output_shape  # a group of parameters in a network of pure functions
    flops = "" if (row.is_group or is_unknown) and not row.flops else f"{row.flops:,}"
    return row.name, row.type, row.output_shape, n_parameters, flops


def _text_of(title: str, table: Table) -> str:
    lines = [("  " * depth + line[0], *line[1:]) for depth, line in zip(table.depths, table.lines, strict=True)]
    widths = [max(map(len, column)) for column in zip(table.headers, *lines, table.total, strict=True)]
    rule = "-" * (sum(widths) + 2 * (len(widths) - 1))

    def aligned(cells: tuple[str, ...]) -> str:
        places = zip(cells, widths, table.headers, strict=True)
        return "  ".join(c.rjust(width) if name in NUMBERS else c.ljust(width) for c, width, name in places).rstrip()

    return "\n".join([title, rule, aligned(table.headers), rule, *map(aligned, lines), rule, aligned(table.total)])


def worded_bytes(n: int) -> str:
    """Return a number of bytes with three digits: "4.9 kB"."""
    size, units = float(n), ["bytes", "kB", "MB", "GB", "TB"]
    while size >= 999.5 and len(units) > 1:
        size /= 1000
        units.pop(0)
    return f"{n} bytes" if units[0] == "bytes" else f"{size:.3g} {units[0]}"


def worded_count(n: int) -> str:
    """Return a large number with three digits and its unit: "7.85 million"."""
    for bound, unit in ((10**12, "trillion"), (10**9, "billion"), (10**6, "million")):
        if n >= bound:
            return f"{n / bound:.3g} {unit}"
    return f"{n:,}"
