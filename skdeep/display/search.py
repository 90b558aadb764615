"""A display of the scores of a search against one of its parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skdeep.display.axes import COLOURS, MARKERS, log_helps, panels, place_legend, pyplot_for
from skdeep.display.candidates import Candidates, candidates_of, chosen_parameter, parameter_values, short_names

_KINDS = ("auto", "lines", "points")
_SCALES = ("auto", "linear", "log")


class SearchDisplay:
    """The scores of a search against one parameter, with the spread over the folds, and the best candidate.

    Use `from_search`. If the other parameters form a grid, each of their combinations is a line. Otherwise candidates are points, with
    one colour per combination of those other parameters that have at most 4 values. `n_resources` of successive halving counts as
    such a parameter. Values that are not numbers are positions on the axis, in the order in which they occur.

    Parameters
    ----------
    cv_results : dict
        `cv_results_` of a search.
    param : str or None, default=None
        The parameter on the horizontal axis, with or without its prefix. None is the numeric parameter with the most values, or
        any parameter with the most values if none is numeric.
    metric : str, default="score"
        The key of the scores in `cv_results`: `mean_test_<metric>`.
    best_index : int or None, default=None
        The row of the best candidate in `cv_results`; None is the one with the largest mean score.
    score_name : str or None, default=None
        Label of the vertical axis; None is the metric.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    lines_ : dict of str to Line2D
        The mean scores by the values of the other parameters, such as "loss=focal"; "" if there are none.
    spread_ : dict of str to artist
        One standard deviation over the folds: PolyCollection for lines, LineCollection for points and categories.
    best_ : matplotlib Line2D or None
        The mark at the best candidate; None if it is left out.
    note_ : matplotlib Text or None
        The number of candidates that are left out, because they have no score (NaN) or not this parameter; None without such.

    Raises
    ------
    ValueError
        If there is no such parameter or metric.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("agg")
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.model_selection import GridSearchCV
    >>> from skdeep import DeepClassifier
    >>> from skdeep.display import SearchDisplay
    >>> X, y = load_iris(return_X_y=True)
    >>> model = DeepClassifier(max_epochs=5, tol=None, random_state=0)
    >>> search = GridSearchCV(model, {"learning_rate": [1e-3, 1e-2, 1e-1]}, cv=2).fit(X, y)
    >>> display = SearchDisplay.from_search(search)
    >>> display.ax_.get_xlabel(), display.ax_.get_xscale()
    ('learning_rate', 'log')
    """

    def __init__(
        self,
        cv_results: Mapping[str, Any],
        *,
        param: str | None = None,
        metric: str = "score",
        best_index: int | None = None,
        score_name: str | None = None,
    ) -> None:
        if f"mean_test_{metric}" not in cv_results:
            known = [key.removeprefix("mean_test_") for key in cv_results if key.startswith("mean_test_")]
            raise ValueError(
                f"The 'metric' parameter of {type(self).__name__} must be one of {known}, the scores of the search. Got {metric!r} instead."
            )
        self.cv_results, self.metric, self.best_index = cv_results, metric, best_index
        self.param = chosen_parameter(type(self).__name__, cv_results, param)
        self.score_name = score_name

    @classmethod
    def from_search(
        cls,
        search: Any,
        param: str | None = None,
        *,
        metric: str | None = None,
        ax: Any = None,
        kind: str = "auto",
        xscale: str = "auto",
        line_kw: dict[str, Any] | None = None,
    ) -> Self:
        """Draw the scores of a fitted search.

        Parameters
        ----------
        search : fitted search of scikit-learn
            `GridSearchCV`, `RandomizedSearchCV`, `HalvingGridSearchCV`, `HalvingRandomSearchCV`, or another object with
            `cv_results_`.
        param : str or None, default=None
            As in the constructor.
        metric : str, default=None
            The scorer, for a search with several; by default the one that `refit` names. The mark is at the search's best
            candidate for this scorer, and at the largest mean score for other scorers.
        ax, kind, xscale, line_kw : as in `plot`

        Returns
        -------
        SearchDisplay

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        NotFittedError
            If the search is not fitted.
        TypeError
            If the object is no search.
        ValueError
            As in the constructor and in `plot`, or if the search has several scorers and neither `metric` nor `refit` names one.
        """
        pyplot_for(f"{cls.__name__}.from_search")
        check_is_fitted(search)
        if not hasattr(search, "cv_results_"):
            raise TypeError(f"{cls.__name__} needs a search with cv_results_. Got {type(search).__name__} instead.")
        metric, chosen, name = _metric_of(cls.__name__, search, metric)
        best_index = getattr(search, "best_index_", None) if chosen else None
        display = cls(search.cv_results_, param=param, metric=metric, best_index=best_index, score_name=name)
        return display.plot(ax=ax, kind=kind, xscale=xscale, line_kw=line_kw)

    def plot(
        self, ax: Any = None, *, kind: str = "auto", xscale: str = "auto", line_kw: dict[str, Any] | None = None
    ) -> Self:
        """Draw the scores.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; by default those of a new figure.
        kind : {"auto", "lines", "points"}, default="auto"
            "auto" is "lines" if the other parameters form a grid of at most 7 combinations.
        xscale : {"auto", "linear", "log"}, default="auto"
            "auto" is "log" if the values are positive, span a factor of 10 or more, and most of them are small. Zeros are shown left
            of the positive values, on an axis that is linear up to the smallest of these.
        line_kw : dict, default=None
            Arguments of matplotlib's `plot` for the mean scores.

        Returns
        -------
        self

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If `kind` or `xscale` is unknown, or no candidate has a score.
        """
        for name, value, known in (("kind", kind, _KINDS), ("xscale", xscale, _SCALES)):
            if value not in known:
                raise ValueError(
                    f"The {name!r} parameter of SearchDisplay.plot must be one of {known}. Got {value!r} instead."
                )
        found, kind = candidates_of(self.cv_results, self.param, self.metric, kind)
        is_outside = ax is None and len(set(found.group)) > 4
        ax = panels("SearchDisplay.plot", ax, 1, size=(8.4 if is_outside else 6.4, 4.4))[0]
        drawn = self._draw_groups(ax, found, kind, line_kw or {})
        self._set_axis(ax, found, xscale)
        self._mark_best(ax, found, drawn)
        self._write_note(ax, found)
        n_folds = sum(key.startswith("split") and key.endswith(f"_test_{self.metric}") for key in self.cv_results)
        score = self.metric if self.score_name is None else self.score_name
        ax.set(xlabel=self._short_name, ylabel=f"{score}\n(mean and standard deviation of {n_folds} folds)")
        ax.grid(alpha=0.3)
        place_legend(ax, is_outside=is_outside)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    @property
    def _short_name(self) -> str:
        return short_names(list(parameter_values(self.cv_results)))[self.param]

    def _draw_groups(self, ax: Any, found: Candidates, kind: str, line_kw: dict[str, Any]) -> np.ndarray:
        """Draw the lines or points, and return the horizontal position of each candidate."""
        groups, drawn = found.group or [""] * len(found.x), found.x.copy()
        names = list(dict.fromkeys(groups))
        self.lines_: dict[str, Any] = {}
        self.spread_: dict[str, Any] = {}
        for k, name in enumerate(names):
            at = np.array([place for place, group in enumerate(groups) if group == name])
            at = at[np.argsort(found.x[at], kind="stable")]
            x, mean, std = found.x[at], found.mean[at], found.std[at]
            style = {"color": COLOURS[k % len(COLOURS)], "marker": MARKERS[k % len(MARKERS)], "markersize": 5}
            if kind == "lines" and found.categories is None:
                self.spread_[name] = ax.fill_between(
                    x, mean - std, mean + std, color=style["color"], alpha=0.15, linewidth=0
                )
                style["linestyle"] = "-"
            else:
                x = x + (0.0 if found.categories is None else 0.12 * (k - (len(names) - 1) / 2))
                self.spread_[name] = ax.vlines(
                    x, mean - std, mean + std, color=style["color"], alpha=0.5, linewidth=1.2
                )
                style["linestyle"] = "none"
            drawn[at] = x
            (self.lines_[name],) = ax.plot(x, mean, **{**style, "label": shortened(name) or "mean score", **line_kw})
        return drawn

    def _set_axis(self, ax: Any, found: Candidates, xscale: str) -> None:
        if found.categories is not None:
            is_long = sum(map(len, found.categories)) > 50
            turned = {"rotation": 30, "ha": "right", "rotation_mode": "anchor"} if is_long else {}
            ax.set_xticks(range(len(found.categories)), [shortened(label, 20) for label in found.categories], **turned)
            ax.set_xlim(-0.5, len(found.categories) - 0.5)
            return
        positive = found.x[found.x > 0]
        is_log = xscale == "log" or (xscale == "auto" and found.x.min() >= 0 and log_helps(positive))
        if is_log and len(positive) < len(found.x):
            ax.set_xscale("symlog", linthresh=positive.min() if len(positive) else 1.0)
        else:
            ax.set_xscale("log" if is_log else "linear")

    def _mark_best(self, ax: Any, found: Candidates, drawn: np.ndarray) -> None:
        index = found.rows[int(np.argmax(found.mean))] if self.best_index is None else self.best_index
        places = np.flatnonzero(found.rows == index)
        self.best_ = None
        if len(places) == 0:
            return
        place = int(places[0])
        value = (
            f"{found.x[place]:.3g}"
            if found.categories is None
            else shortened(found.categories[int(found.x[place])], 20)
        )
        label = f"best: {found.mean[place]:.3g} at {self._short_name}={value}"
        (self.best_,) = ax.plot(drawn[place], found.mean[place], label=label, **_BEST)

    def _write_note(self, ax: Any, found: Candidates) -> None:
        parts = []
        if found.n_without_score:
            parts.append(f"{found.n_without_score} without a score")
        if found.n_without_value:
            parts.append(f"{found.n_without_value} without {self._short_name}")
        self.note_ = None
        if parts:
            text = f"left out: {', '.join(parts)} (of {len(self.cv_results['params'])} candidates)"
            self.note_ = ax.set_title(text, loc="right", fontsize="small", color="0.3")


_BEST = {
    "marker": "*",
    "markersize": 15,
    "linestyle": "none",
    "color": "black",
    "markeredgecolor": "white",
    "zorder": 4,
}


def shortened(text: str, limit: int = 40) -> str:
    """Return a text that is cut off after `limit` characters."""
    return text if len(text) <= limit else f"{text[: limit - 3]}..."


def _metric_of(owner: str, search: Any, metric: str | None) -> tuple[str, bool, str]:
    """Return the key of the scores, whether the search chose its best candidate by it, and the label of the axis."""
    refit = getattr(search, "refit", None)
    if not getattr(search, "multimetric_", False):
        scoring = getattr(search, "scoring", None)
        return metric or "score", True, scoring if isinstance(scoring, str) else "score"
    if metric is None and not isinstance(refit, str):
        raise ValueError(
            f"The search has several scorers: give the 'metric' parameter of {owner}.from_search one of {list(search.scorer_)}."
        )
    chosen = str(refit) if metric is None else metric
    return chosen, chosen == refit, chosen
