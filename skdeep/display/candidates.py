"""The candidates of a search as points: a position per candidate, the mean and the spread of its scores, and its line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any, NamedTuple

import numpy as np

from skdeep.errors import nearest

MAX_LINES = 7
"""The number of colours and markers."""

_FEW_VALUES = 4


class Candidates(NamedTuple):
    """The candidates that have a value of the parameter and a score, in the order of the search.

    `rows` holds their rows in `cv_results_`, `x` their positions on the axis, `group` the label of their line. `categories` holds
    the labels of the positions 0, 1, ... if the parameter is not numeric, else None. `n_without_value` and `n_without_score` count the
    candidates that are left out.
    """

    rows: np.ndarray
    x: np.ndarray
    mean: np.ndarray
    std: np.ndarray
    group: list[str]
    categories: list[str] | None
    n_without_value: int
    n_without_score: int


def candidates_of(results: Mapping[str, Any], param: str, metric: str, kind: str) -> tuple[Candidates, str]:
    """Return the candidates, and "lines" or "points" for the kind "auto".

    They are lines if each combination of the other parameters is one line with two or more candidates on average, and there are at
    most `MAX_LINES` of them. Otherwise they are points, with one group per combination of those parameters that have few values.
    """
    values = parameter_values(results)
    column, mean = values.pop(param), np.asarray(results[f"mean_test_{metric}"], float)
    has_value = np.array([value is not _ABSENT for value in column])
    has_score = np.isfinite(mean)
    index = np.flatnonzero(has_value & has_score)
    if len(index) == 0:
        raise ValueError(
            f"No candidate has both a value of {param!r} and a score. {np.sum(~has_score)} of {len(mean)} candidates have no score: "
            "see the warnings of the fits, or set error_score='raise'."
        )
    x, categories = _positions([column[k] for k in index])
    others = {name: [other[k] for k in index] for name, other in values.items()}
    others = {name: other for name, other in others.items() if _n_distinct(other) > 1}
    names = short_names([*values, param])
    every = _groups(others, names)
    if kind == "auto":
        kind = "lines" if _are_lines(every, x) else "points"
    group = every if kind == "lines" else _groups_of_few(others, names)
    std = np.asarray(results[f"std_test_{metric}"], float)[index]
    left_out = int(np.sum(~has_value)), int(np.sum(has_value & ~has_score))
    return Candidates(index, x, mean[index], std, group, categories, *left_out), kind


class _Absent:
    """Stands for a parameter that a candidate does not have."""

    def __repr__(self) -> str:
        return "-"


_ABSENT = _Absent()


def parameter_values(results: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Return the values of each parameter; `n_resources` of successive halving is one of them."""
    names = [key.removeprefix("param_") for key in results if key.startswith("param_")]
    params = results["params"]
    values = {name: [candidate.get(name, _ABSENT) for candidate in params] for name in names}
    if "iter" in results and "n_resources" in results:
        values["n_resources"] = list(np.asarray(results["n_resources"]).tolist())
    return values


def chosen_parameter(owner: str, results: Mapping[str, Any], param: str | None) -> str:
    """Return the full name of a parameter; for None the numeric one with the most values, or any with the most values.

    A name without its prefix is accepted if it belongs to one parameter only.
    """
    values = parameter_values(results)
    values = {name: values[name] for name in values if name != "n_resources" or name == param}
    if param is None:
        return max(values, key=lambda name: (is_numeric(_present(values[name])), _n_distinct(values[name])))
    if param in values:
        return param
    ends = [name for name in values if name.endswith(f"__{param}")]
    if len(ends) == 1:
        return ends[0]
    hint = nearest(param, [*values, *short_names(list(values)).values()])
    raise ValueError(
        f"The 'param' parameter of {owner} must be a parameter of the search. Got {param!r} instead.{hint} "
        f"The parameters are {', '.join(values)}."
    )


def is_numeric(values: Sequence[Any]) -> bool:
    """Return True if all values are numbers and no bools."""
    return len(values) > 0 and all(
        isinstance(v, Real | np.number) and not isinstance(v, bool | np.bool_) for v in values
    )


def labels_of(values: Sequence[Any]) -> list[str]:
    """Return a text for each value of a parameter. Numbers have 3 digits, or more if different numbers need more.

    Examples
    --------
    >>> from skdeep.display.candidates import labels_of
    >>> labels_of([0.001, 1 / 3, "auto", None])
    ['0.001', '0.333', 'auto', 'None']
    >>> labels_of([1000, 1001])
    ['1000', '1001']
    """
    numbers = {float(value) for value in values if is_numeric([value])}
    digits = next((d for d in (3, 4, 6, 9) if len({f"{number:.{d}g}" for number in numbers}) == len(numbers)), 17)
    return [_label(value, digits) for value in values]


def _label(value: Any, digits: int) -> str:
    if is_numeric([value]):
        return f"{value:.{digits}g}"
    return value if isinstance(value, str) else getattr(value, "__name__", None) or repr(value)


def short_names(names: Sequence[str]) -> dict[str, str]:
    """Return each name without its prefix, or in full if two names end alike.

    Examples
    --------
    >>> from skdeep.display.candidates import short_names
    >>> short_names(["clf__l2", "clf__loss", "pca__alpha", "clf__alpha"])
    {'clf__l2': 'l2', 'clf__loss': 'loss', 'pca__alpha': 'pca__alpha', 'clf__alpha': 'clf__alpha'}
    """
    ends = [name.rsplit("__", 1)[-1] for name in names]
    return {name: end if ends.count(end) == 1 else name for name, end in zip(names, ends, strict=True)}


def _present(values: Sequence[Any]) -> list[Any]:
    return [value for value in values if value is not _ABSENT]


def _n_distinct(values: Sequence[Any]) -> int:
    return len(set(labels_of(values)) - {repr(_ABSENT)})


def _positions(values: list[Any]) -> tuple[np.ndarray, list[str] | None]:
    """Return numbers as they are, and other values as positions with labels, in the order in which they occur."""
    if is_numeric(values):
        return np.array(values, float), None
    labels = labels_of(values)
    categories = list(dict.fromkeys(labels))
    return np.array([categories.index(label) for label in labels], float), categories


def _groups(others: dict[str, list[Any]], names: dict[str, str]) -> list[str]:
    """Return for each candidate the values of the other parameters as text; empty texts if there are none."""
    labels = [[f"{names[name]}={label}" for label in labels_of(other)] for name, other in others.items()]
    return [", ".join(parts) for parts in zip(*labels, strict=True)]


def _groups_of_few(others: dict[str, list[Any]], names: dict[str, str]) -> list[str]:
    few = {name: other for name, other in others.items() if _n_distinct(other) <= min(_FEW_VALUES, len(other) // 2)}
    groups = _groups(few, names)
    return groups if len(set(groups)) <= MAX_LINES else []


def _are_lines(groups: list[str], x: np.ndarray) -> bool:
    if not groups:
        return len(np.unique(x)) == len(x)
    n_groups = len(set(groups))
    is_one_each = len(set(zip(groups, x.tolist(), strict=True))) == len(x)
    return is_one_each and n_groups <= MAX_LINES and len(x) >= 2 * n_groups
