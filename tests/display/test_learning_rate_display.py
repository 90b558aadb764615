"""LearningRateDisplay: the line, the suggestion, the limits, and arrays that do not fit."""

from __future__ import annotations

import re

import numpy as np
import pytest

from skdeep.display import LearningRateDisplay

RATES = np.geomspace(1e-5, 1.0, 11)
LOSSES = np.array([2.3, 2.3, 2.2, 2.0, 1.5, 1.0, 0.8, 1.2, 5.0, np.inf, np.nan])


def test_the_line_holds_rates_and_finite_losses():
    shown = LearningRateDisplay(RATES, LOSSES, 1e-3).plot()
    np.testing.assert_array_equal(shown.line_.get_xdata(), RATES)
    np.testing.assert_array_equal(shown.line_.get_ydata(), np.where(np.isfinite(LOSSES), LOSSES, np.nan))
    assert shown.ax_.get_xscale() == "log"
    assert shown.ax_.get_xlabel() == "learning rate"


def test_a_diverged_end_does_not_flatten_the_rest():
    low, high = LearningRateDisplay(RATES, LOSSES).plot().ax_.get_ylim()
    assert low < 0.8 < 2.3 < high < 3.0


def test_the_suggestion_is_a_vertical_line():
    shown = LearningRateDisplay(RATES, LOSSES, 1e-3).plot()
    assert set(shown.suggestion_line_.get_xdata()) == {1e-3}
    assert [text.get_text() for text in shown.ax_.get_legend().get_texts()] == ["suggestion: 0.001"]
    assert LearningRateDisplay(RATES, LOSSES).plot().suggestion_line_ is None


@pytest.mark.parametrize("losses", [[1.0, 1.0], [1.0, 2.0], [0.0, 0.0], [2.0, np.nan]])
def test_limits_hold_all_losses_up_to_the_smallest(losses):
    low, high = LearningRateDisplay([0.1, 1.0], losses).plot().ax_.get_ylim()
    assert low < losses[0] < high


def test_arguments_of_the_line():
    assert LearningRateDisplay(RATES, LOSSES).plot(line_kw={"color": "red"}).line_.get_color() == "red"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0.1, 0.2], [1.0]),
         "learning_rates and losses of LearningRateDisplay must have one dimension and the same length, at "
         "least 2. Got shapes (2,) and (1,) instead."),
        (([0.1], [1.0]), "learning_rates and losses of LearningRateDisplay must have one dimension"),
        (([0.2, 0.1], [1.0, 2.0]), "learning_rates of LearningRateDisplay must be positive, finite and increasing."),
        (([0.0, 0.1], [1.0, 2.0]), "learning_rates of LearningRateDisplay must be positive, finite and increasing."),
        (([0.1, 0.2], [np.nan, np.inf]), "losses of LearningRateDisplay has no finite value. Begin at a smaller learning rate."),
        (([0.1, 0.2], [1.0, 2.0], -1.0), "The 'suggestion' parameter of LearningRateDisplay must be positive. Got -1.0 instead."),
    ],
)  # fmt: skip
def test_arrays_that_do_not_fit(arguments, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        LearningRateDisplay(*arguments)
