"""Panels of displays: new, given and nested axes, labels, and the choice of a log axis."""

from __future__ import annotations

import ast
import inspect
import re
import sys

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

import skdeep
from skdeep import display
from skdeep.display.axes import label_outer, log_helps, panels


def test_the_package_is_an_attribute_of_skdeep():
    assert skdeep.display is display
    assert "display" in skdeep.__all__


def test_new_panels_fill_a_grid_without_its_last_cells():
    axes = panels("Owner.plot", None, 3, n_columns=2, size=(3.0, 2.0), sharex=True)
    assert axes.shape == (3,)
    assert len(axes[0].figure.axes) == 3
    assert axes[0].figure.get_size_inches().tolist() == [6.0, 4.0]


def test_labels_are_at_the_lowest_panel_of_each_column():
    axes = panels("Owner.plot", None, 3, n_columns=2, sharex=True)
    label_outer(axes, "x", "y")
    assert [panel.get_xlabel() for panel in axes] == ["", "x", "x"]
    assert [panel.get_ylabel() for panel in axes] == ["y", "", "y"]
    assert [panel.xaxis.get_tick_params()["labelbottom"] for panel in axes] == [False, True, True]


def test_one_given_axes_is_used_for_one_panel():
    _, ax = plt.subplots()
    assert panels("Owner.plot", ax, 1).tolist() == [ax]


def test_several_panels_take_the_place_of_one_axes():
    figure, (left, right) = plt.subplots(1, 2)
    axes = panels("Owner.plot", right, 2)
    assert {panel.figure for panel in axes} == {figure}
    assert not right.axison
    assert left.axison
    assert all(panel.get_position().x0 >= right.get_position().x0 for panel in axes)


def test_as_many_axes_as_panels_are_used():
    _, grid = plt.subplots(2, 2)
    assert panels("Owner.plot", grid, 4).tolist() == grid.ravel().tolist()


def test_another_number_of_axes_raises():
    message = "The 'ax' parameter of Owner.plot must be one Axes or 3 of them. Got 2 instead."
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        panels("Owner.plot", plt.subplots(2)[1], 3)


def test_an_axes_outside_of_a_grid_has_no_place_for_panels():
    ax = plt.figure().add_axes((0.1, 0.1, 0.8, 0.8))
    message = (
        "The 'ax' parameter of Owner.plot is an Axes outside of any grid, but the plot needs 2 panels. Make it with"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        panels("Owner.plot", ax, 2)
    assert panels("Owner.plot", ax, 1)[0] is ax


@pytest.mark.parametrize(
    ("values", "helps"),
    [
        (np.geomspace(1e-4, 1e-1, 7), True),
        ([32, 64, 128, 256, 512], True),
        ([1e-3, 1e-2], True),
        ([1, 2], False),
        (np.linspace(0.1, 5, 10), False),
        (np.linspace(10, 90, 9), False),
        ([0.0, 0.1, 10.0], False),
        ([-1.0, 0.1, 10.0], False),
        ([3.0, 3.0], False),
        ([], False),
    ],
)
def test_log_axes_are_for_positive_values_over_several_magnitudes(values, helps):
    assert log_helps(values) is helps


HISTORY = pd.DataFrame({"epoch": [1], "train_loss": [1.0], "val_loss": [np.nan]})
RESULTS = {"params": [{"a": 1}], "param_a": [1], "mean_test_score": [0.5], "std_test_score": [0.1]}
DISPLAYS = {
    "TrainingCurvesDisplay": lambda: display.TrainingCurvesDisplay({"model": HISTORY}),
    "WeightsDisplay": lambda: display.WeightsDisplay({"layer": np.ones((2, 2))}),
    "SearchDisplay": lambda: display.SearchDisplay(RESULTS),
    "ReconstructionDisplay": lambda: display.ReconstructionDisplay(np.ones((1, 2)), np.ones((1, 2))),
    "LearningRateDisplay": lambda: display.LearningRateDisplay([0.1, 0.2], [1.0, 2.0]),
}


@pytest.mark.parametrize("name", DISPLAYS)
def test_without_matplotlib_the_error_names_the_extra(name, monkeypatch):
    shown = DISPLAYS[name]()
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    message = f"{name}.plot requires matplotlib. Install it with the extra 'plot': pip install \"skdeep-flax[plot]\"."
    with pytest.raises(ImportError, match=f"^{re.escape(message)}$"):
        shown.plot()


@pytest.mark.parametrize("name", DISPLAYS)
def test_each_display_draws_on_a_given_axes_and_returns_itself(name):
    figure, ax = plt.subplots()
    shown = DISPLAYS[name]()
    assert shown.plot(ax=ax) is shown
    assert shown.ax_ is ax
    assert shown.figure_ is figure
    assert plt.get_fignums() == [figure.number]
    assert shown.plot().figure_ is not figure


@pytest.mark.parametrize("name", DISPLAYS)
def test_documented_defaults_are_those_of_the_signatures(name):
    cls = getattr(display, name)
    methods = [getattr(cls, method) for method in vars(cls) if method == "plot" or method.startswith("from_")]
    for function in (cls, *methods):
        parameters = inspect.signature(function).parameters
        documented = re.findall(r"^ +(\w+) : .*, default=(.+)$", function.__doc__, flags=re.MULTILINE)
        for parameter, default in documented:
            assert parameters[parameter].default == ast.literal_eval(default)


def test_legends_of_new_figures_with_several_estimators_are_outside():
    shown = display.TrainingCurvesDisplay({"a": HISTORY, "b": HISTORY})
    for ax, is_outside in ((None, True), (plt.subplots()[1], False)):
        legend = shown.plot(ax=ax).ax_.get_legend()
        shown.figure_.canvas.draw()
        assert bool(legend.get_window_extent().x0 > shown.ax_.get_window_extent().x1) is is_outside
