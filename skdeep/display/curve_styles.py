"""Line styles and legends of training curves."""

from __future__ import annotations

from typing import Any, NamedTuple

from skdeep.display.axes import COLOURS, MARKERS, place_legend


class Style(NamedTuple):
    """Arguments of matplotlib's `plot` for a line and for the mark at its best epoch."""

    line: dict[str, Any]
    mark: dict[str, Any]


def style_of(column: str, place: int, *, n_names: int, n_members: int, n_epochs: int = 0) -> Style:
    """Return the style of a column of the estimator number `place`.

    Training losses are dashed. The colour tells several estimators apart, or the columns of a single one. Lines of several
    estimators also have small markers, at every eighth of `n_epochs`. Lines of members are thin.
    """
    is_train = column == "train_loss"
    k = place if n_names > 1 else int(not is_train and column.startswith("val_"))
    colour = COLOURS[k % len(COLOURS)]
    many = n_members > 1
    line = {
        "color": colour,
        "linestyle": (0, (4, 2)) if is_train else "-",
        "linewidth": 0.9 if many else 1.8,
        "alpha": 0.6 if many else 1.0,
    }
    if n_names > 1 and not many:
        line |= {"marker": MARKERS[k % len(MARKERS)], "markersize": 4, "markevery": max(1, n_epochs // 8)}
    mark = {
        "color": colour,
        "marker": MARKERS[k % len(MARKERS)],
        "markersize": 6 if many else 9,
        "markeredgecolor": "white",
        "linestyle": "none",
        "zorder": 3,
    }
    return Style(line, mark)


def add_legend(ax: Any, display: Any, *, is_outside: bool) -> None:
    """Add a legend to the first panel: the estimators if there are several, the kinds of losses, and the best epochs."""
    from matplotlib.lines import Line2D

    handles: list[Any] = []
    several = len(display.histories) > 1
    shown = {column: name for (name, column), lines in display.lines_.items() if lines[0].axes is ax}
    if several:
        for place, name in enumerate(display.histories):
            style = style_of("val_loss", place, n_names=2, n_members=1)
            line = style.line | {"markersize": 7 if _epochs(display, name) else 4, "markevery": None}
            handles.append(Line2D([], [], label=f"{name}{_best_in_words(display, name)}", **line))
    for column, label in (("train_loss", "training"), ("val_loss", "validation")):
        if column in shown and not (several and len(shown) == 1):
            style = style_of(column, 0, n_names=1, n_members=1)
            handles.append(Line2D([], [], label=label, **(style.line | ({"color": "0.4"} if several else {}))))
    if not several and any(name for column, name in shown.items() if column.startswith("val_")):
        name = next(iter(display.histories))
        if words := _best_in_words(display, name):
            mark = style_of("val_loss", 0, n_names=1, n_members=1).mark
            handles.append(Line2D([], [], label=words.strip(" ()"), **mark))
    if handles:
        place_legend(ax, is_outside=is_outside, handles=handles)


def _epochs(display: Any, name: str) -> list[int]:
    """Return the epochs that are marked for an estimator, one per member."""
    for (owner, _), marks in display.best_.items():
        epochs = [int(mark.get_xdata()[0]) for mark in marks if mark is not None]
        if owner == name and epochs:
            return epochs
    return []


def _best_in_words(display: Any, name: str) -> str:
    epochs = _epochs(display, name)
    if not epochs:
        return ""
    first, last = min(epochs), max(epochs)
    return f" (best epoch {first})" if first == last else f" (best epochs {first} to {last})"
