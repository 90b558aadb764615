"""The parts of the HTML view: the table of a network, how training went, and fitted attributes. All texts are escaped."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from html import escape
from typing import Any

from skdeep.view.curve import curve_of
from skdeep.view.layers import Layers
from skdeep.view.summary import NUMBERS, NetworkSummary, table_of, worded_count
from skdeep.view.training import facts_of, trainings_of
from skdeep.view.values import worded_type, worded_value

_STYLE = """
.skdeep-view { font-family: monospace; font-size: 0.95em; max-width: 100%; }
.skdeep-view summary { padding: 0.5rem; cursor: pointer; }
.skdeep-view summary::marker { font-size: 0.7rem; }
.skdeep-view .scroll { overflow: auto; max-height: 32em; padding: 0 0.5rem 0.5rem; }
.skdeep-view table { border-collapse: collapse; margin: 0; font-size: inherit; }
.skdeep-view :is(table, thead, tbody, tr) { background: transparent !important; color: inherit !important; border: none !important; }
.skdeep-view table :is(td, th) {
  border: 1px solid rgba(128, 128, 128, 0.3); padding: 0.25em 0.6em; color: inherit !important; background: transparent;
  text-align: left !important; white-space: nowrap; font-weight: normal;
}
.skdeep-view table th, .skdeep-view tr.total td { font-weight: bold !important; }
.skdeep-view table :is(td, th).number { text-align: right !important; font-variant-numeric: tabular-nums; }
.skdeep-view tr:hover td { background: rgba(128, 128, 128, 0.15) !important; }
.skdeep-view td.wide { white-space: normal; overflow-wrap: anywhere; }
.skdeep-view p { margin: 0.2em 0.5rem 0.6em; }
.skdeep-view .side { display: flex; flex-wrap: wrap; gap: 0.5em 1.5em; align-items: flex-start; padding: 0 0.5rem 0.5rem; }
.skdeep-view svg.skdeep-curve { max-width: 100%; height: auto; font: 11px sans-serif; }
.skdeep-curve text { fill: currentColor; }
.skdeep-curve .axis { fill: none; stroke: currentColor; opacity: 0.7; }
.skdeep-curve .grid { stroke: currentColor; opacity: 0.15; }
"""


def page_of_summary(summary: NetworkSummary) -> str:
    """Return the tables of a summary as HTML, to be shown alone."""
    tables = [
        f"<p><b>{escape(summary.title(layers, count))}</b></p>{_table_of_layers(layers, count)}"
        for layers, count in summary.networks
    ]
    return _styled("".join([*tables, *(f"<p>{escape(note)}</p>" for note in summary.notes())]))


def section_of(estimator: Any, networks: Callable[[Any], tuple[tuple[Layers, int], ...]]) -> str:
    """Return the HTML of an estimator's network and training, to be put below its parameters. Never raise.

    `networks` returns the networks of a fitted estimator. If a part cannot be shown, such as a network that cannot be traced, one line
    says why.
    """
    if not hasattr(estimator, "n_iter_"):
        line = "Network: its shapes are known after fit. Before that, summary shows them for given data or shapes."
        return _styled(f"<p>{escape(line)}</p>")
    parts = (lambda: _network(estimator, networks(estimator)), lambda: _training(estimator))
    return _styled(
        "".join(_shown_or_why(name, part) for name, part in zip(("network", "training"), parts, strict=True))
    )


def _shown_or_why(name: str, part: Callable[[], str]) -> str:
    try:
        return part()
    except Exception as err:  # a view must not break the notebook, whatever a network of users or of a plugin raises
        reason = " ".join(f"{type(err).__name__}: {err}".split())[:200]
        return f"<p>The {name} cannot be shown: {escape(reason)}</p>"


def _styled(body: str) -> str:
    return f'<div class="skdeep-view"><style>{_STYLE}</style>{body}</div>'


def _details(title: str, body: str) -> str:
    return f"<details open><summary>{escape(title)}</summary>{body}</details>"


def _network(estimator: Any, networks: tuple[tuple[Layers, int], ...]) -> str:
    summary = NetworkSummary(type(estimator).__name__, networks)
    name = ", ".join(layers.network if count == 1 else f"{count} x {layers.network}" for layers, count in networks)
    title = f"Network: {name}, {summary.n_parameters:,} parameters, {worded_count(summary.flops)} FLOPs per row"
    tables = [
        (f"<p>{escape(summary.title(layers, count))}</p>" if len(networks) > 1 else "")
        + _table_of_layers(layers, count)
        for layers, count in networks
    ]
    return _details(title, "".join(tables))


def _training(estimator: Any) -> str:
    trainings = trainings_of(estimator)
    facts = facts_of(estimator, trainings)
    rows = "".join(f"<tr><td>{escape(name)}</td><td>{escape(value)}</td></tr>" for name, value in facts.items())
    table = f"<table><tbody>{rows}</tbody></table>"
    loss = next((f", {name} {facts[name]}" for name in ("validation loss", "training loss") if name in facts), "")
    return _details(f"Training: {facts['training']}{loss}", f'<div class="side">{table}{curve_of(trainings)}</div>')


def _table_of_layers(layers: Layers, count: int) -> str:
    table = table_of(layers, count)
    head = "".join(f"<th{_css(name)}>{escape(name)}</th>" for name in table.headers)
    lines = zip(table.lines, table.depths, strict=True)
    body = "".join(f"<tr>{_cells(table.headers, line, depth)}</tr>" for line, depth in lines)
    total = f'<tr class="total">{_cells(table.headers, table.total, 0)}</tr>'
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}{total}</tbody></table></div>'


def _cells(headers: Iterable[str], texts: Iterable[str], depth: int) -> str:
    first, *others = [f"{_css(name)}>{escape(text)}</td>" for name, text in zip(headers, texts, strict=True)]
    indent = f' style="padding-left: {0.6 + 1.2 * depth:.1f}em"' if depth else ""
    return f"<td{indent}{first}" + "".join(f"<td{other}" for other in others)


def _css(header: str) -> str:
    return ' class="number"' if header in NUMBERS else ""


def table_of_attributes(attributes: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the HTML of fitted attributes, given scikit-learn's records of them; only their values are read."""
    rows = "".join(
        f"<tr><td>{escape(name)}</td><td>{escape(worded_type(record['value']))}</td>"
        f'<td class="wide">{escape(worded_value(record["value"]))}</td></tr>'
        for name, record in attributes.items()
    )
    table = f'<div class="scroll"><table><thead><tr><th>Name</th><th>Type</th><th>Value</th></tr></thead><tbody>{rows}</tbody></table></div>'
    return f'<div class="skdeep-view"><details><summary>Fitted attributes</summary>{table}</details></div>'
