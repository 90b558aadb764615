"""A display of losses, scores and learning rates per epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import pandas as pd

from skdeep.display.axes import log_helps, panels, pyplot_for
from skdeep.display.columns import columns_of, has_values
from skdeep.display.curve_styles import add_legend, style_of
from skdeep.display.fitted import fitted_network, members_of
from skdeep.history import is_score, label_of

_LABELS = {
    "train_loss": "loss",
    "val_loss": "loss",
    "learning_rate": "learning rate",
    "seconds": "seconds per epoch",
}
"""The label of the panel of each column; columns with one label share a panel."""


def _label(column: str) -> str:
    return label_of(column) if is_score(column) else _LABELS.get(column, column)


class TrainingCurvesDisplay:
    """Losses, scores and other columns of `history_` per epoch, of one or several estimators, with the best epochs.

    Use `from_estimator` or `from_estimators`. Training losses are dashed, validation losses are solid. An ensemble has one line per
    member.

    Parameters
    ----------
    histories : dict of str to DataFrame
        `history_` of each estimator by its name.
    best_epochs : dict of str to list of (int or None), default=None
        The best epoch of each member of an estimator by its name, from 1; None marks no epoch. An estimator that is no
        ensemble has one member.
    metrics : str, list of str or None, default=None
        Columns of `history_`. "loss" stands for "train_loss" and, if there are validation rows, "val_loss"; None is "loss". The
        losses share one panel; each other column has a panel of its own.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The first panel.
    axes_ : ndarray of Axes
        All panels, in the order of `metrics`.
    figure_ : matplotlib Figure
    lines_ : dict of (str, str) to list of Line2D
        The lines of the members by the name of the estimator and the column.
    best_ : dict of (str, str) to list of (Line2D or None)
        The marks at the best epochs, in the same order. Only validation losses and scores have marks.

    Raises
    ------
    ValueError
        If there is no estimator or no epoch, a metric is not a column of `history_`, or a validation column has no values.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("agg")
    >>> from sklearn.datasets import load_iris
    >>> from skdeep import DeepClassifier
    >>> from skdeep.display import TrainingCurvesDisplay
    >>> X, y = load_iris(return_X_y=True)
    >>> model = DeepClassifier(early_stopping=True, max_epochs=5, tol=None, random_state=0).fit(X, y)
    >>> display = TrainingCurvesDisplay.from_estimator(model)
    >>> list(display.lines_)
    [('DeepClassifier', 'train_loss'), ('DeepClassifier', 'val_loss')]
    """

    def __init__(
        self,
        histories: Mapping[str, pd.DataFrame],
        *,
        best_epochs: Mapping[str, Sequence[int | None]] | None = None,
        metrics: str | Sequence[str] | None = None,
    ) -> None:
        self.histories, self.metrics = dict(histories), metrics
        self.best_epochs = dict(best_epochs or {})
        self._columns = columns_of(self.histories, metrics)

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        metrics: str | Sequence[str] | None = None,
        *,
        name: str | None = None,
        ax: Any = None,
        yscale: str = "auto",
        line_kw: dict[str, Any] | None = None,
    ) -> Self:
        """Draw the training curves of one estimator.

        With early stopping, the best epoch is the one whose parameters are kept. Without, it is the epoch with the smallest
        validation loss; without validation rows there is none.

        Parameters
        ----------
        estimator : fitted estimator of skdeep
            Also a Pipeline with one as its last step, or a fitted search with one as its best estimator.
        metrics : str, list of str or None, default=None
            Columns of `history_`, as in the constructor.
        name : str, default=None
            By default the name of the class.
        ax, yscale, line_kw : as in `plot`

        Returns
        -------
        TrainingCurvesDisplay

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        NotFittedError
            If the estimator is not fitted.
        TypeError
            If it is not an estimator of skdeep.
        ValueError
            As in the constructor.
        """
        network = fitted_network(cls.__name__, estimator)
        named = {type(network).__name__ if name is None else name: network}
        return cls.from_estimators(named, metrics, ax=ax, yscale=yscale, line_kw=line_kw)

    @classmethod
    def from_estimators(
        cls,
        estimators: Mapping[str, Any] | Sequence[Any],
        metrics: str | Sequence[str] | None = None,
        *,
        ax: Any = None,
        yscale: str = "auto",
        line_kw: dict[str, Any] | None = None,
    ) -> Self:
        """Draw the training curves of several estimators on the same axes.

        Parameters
        ----------
        estimators : dict of str to estimator, list of (str, estimator), or list of estimators
            Fitted estimators as in `from_estimator`. Without names, they have the names of their classes with numbers.
        metrics, ax, yscale, line_kw : as in `from_estimator`

        Returns
        -------
        TrainingCurvesDisplay

        Raises
        ------
        ImportError, NotFittedError, TypeError, ValueError
            As in `from_estimator`. ValueError also if two estimators have the same name.
        """
        pyplot_for(f"{cls.__name__}.from_estimators")
        networks = _named(cls.__name__, estimators)
        histories = {name: network.history_ for name, network in networks.items()}
        best = {name: [_best_epoch(member) for member in members_of(net)] for name, net in networks.items()}
        return cls(histories, best_epochs=best, metrics=metrics).plot(ax=ax, yscale=yscale, line_kw=line_kw)

    def plot(self, ax: Any = None, *, yscale: str = "auto", line_kw: dict[str, Any] | None = None) -> Self:
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes or array-like of Axes, default=None
            Axes to draw on; by default those of a new figure. If there are several panels, they take the place of one Axes, or
            are drawn on as many Axes as there are panels.
        yscale : {"auto", "linear", "log"}, default="auto"
            "auto" is "log" for losses, learning rates and seconds whose values are positive and span a factor of 10 or more,
            if most of them are small.
        line_kw : dict, default=None
            Arguments of matplotlib's `plot` for all lines.

        Returns
        -------
        self

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If `yscale` is unknown or `ax` holds another number of Axes.
        """
        if yscale not in ("auto", "linear", "log"):
            raise ValueError(
                f"The 'yscale' parameter of {type(self).__name__}.plot must be 'auto', 'linear' or 'log'. Got {yscale!r} instead."
            )
        pyplot_for(f"{type(self).__name__}.plot")
        from matplotlib.ticker import MaxNLocator

        labels = list(dict.fromkeys(_label(column) for column in self._columns))
        is_outside = ax is None and len(self.histories) > 1
        size = (8.8 if is_outside else 6.4, 4.4 if len(labels) == 1 else 2.6)
        axes = panels(f"{type(self).__name__}.plot", ax, len(labels), size=size, sharex=True)
        self.lines_: dict[tuple[str, str], list[Any]] = {}
        self.best_: dict[tuple[str, str], list[Any]] = {}
        for panel, label in zip(axes, labels, strict=True):
            columns = [column for column in self._columns if _label(column) == label]
            for place, name in enumerate(self.histories):
                for column in columns:
                    self._draw(panel, name, place, column, line_kw or {})
            is_log = yscale == "log" or (yscale == "auto" and self._log_helps(columns))
            panel.set(ylabel=label, yscale="log" if is_log else "linear")
            panel.grid(alpha=0.3)
        axes[-1].set_xlabel("epoch")
        axes[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
        add_legend(axes[0], self, is_outside=is_outside)
        self.axes_, self.ax_, self.figure_ = axes, axes[0], axes[0].figure
        return self

    def _draw(self, panel: Any, name: str, place: int, column: str, line_kw: dict[str, Any]) -> None:
        history = self.histories[name]
        parts = [part for _, part in history.groupby("member")] if "member" in history else [history]
        best = self.best_epochs.get(name, [None] * len(parts))
        if not has_values({name: history}, column):
            return
        style = style_of(column, place, n_names=len(self.histories), n_members=len(parts), n_epochs=len(history))
        lines, marks = [], []
        for part, epoch in zip(parts, best, strict=True):
            lines += panel.plot(part["epoch"], part[column], **{**style.line, **line_kw})
            at = part.loc[part["epoch"] == epoch] if column.startswith("val_") else part[:0]
            marks.append(panel.plot(at["epoch"], at[column], **style.mark)[0] if len(at) else None)
        self.lines_[name, column], self.best_[name, column] = lines, marks

    def _log_helps(self, columns: list[str]) -> bool:
        parts = [history[c].to_numpy(float) for history in self.histories.values() for c in columns if c in history]
        values = np.concatenate(parts)
        return not any(map(is_score, columns)) and log_helps(values[np.isfinite(values)])


def _named(owner: str, estimators: Any) -> dict[str, Any]:
    """Return the estimators of skdeep by name; raise ValueError if two have the same name."""
    given = list(estimators.items() if isinstance(estimators, Mapping) else estimators)
    if not all(isinstance(item, tuple) for item in given):
        networks = [fitted_network(owner, model) for model in given]
        return {f"{type(network).__name__} {k}": network for k, network in enumerate(networks, start=1)}
    named = {name: fitted_network(owner, model) for name, model in given}
    if len(named) < len(given):
        raise ValueError(f"The estimators must have different names. Got {[name for name, _ in given]} instead.")
    return named


def _best_epoch(member: Any) -> int | None:
    """Return the epoch that early stopping kept, without it the epoch of the smallest validation loss, or None."""
    stops = member.early_stopping
    if isinstance(stops, str):
        stops = getattr(member, "preset_params_", {}).get("early_stopping", False)
    if stops and hasattr(member, "best_epoch_"):
        return int(member.best_epoch_)
    history = member.history_
    losses = history["val_loss"].to_numpy(float)
    return None if np.isnan(losses).all() else int(history["epoch"].iloc[int(np.nanargmin(losses))])
