"""The drawing of losses: well-formed SVG, its axes, and what it marks."""

from __future__ import annotations

import math
from xml.etree import ElementTree

import pytest

from skdeep.view.curve import HEIGHT, WIDTH, curve_of, epoch_ticks, log_ticks, ticks
from skdeep.view.training import Training

SVG = "{http://www.w3.org/2000/svg}"


def training(train, validation=None, best_epoch=None):
    losses = {"train_loss": train, "val_loss": [math.nan] * len(train) if validation is None else validation}
    return Training(losses, best_epoch)


def drawn(*trainings):
    root = ElementTree.fromstring(curve_of(trainings))  # made by this package
    return root, [element.text for element in root.iter(f"{SVG}text")]


def places(root):
    return [
        [tuple(map(float, point.split(","))) for point in line.get("points").split()]
        for line in root.iter(f"{SVG}polyline")
    ]


def test_lines_names_and_the_best_epoch():
    root, texts = drawn(training([1.0, 0.5, 0.4], [1.1, 0.7, 0.9], best_epoch=2))
    train, validation = places(root)
    assert len(train) == len(validation) == 3
    assert train[0][1] < train[1][1] < train[2][1]  # lower losses are further down
    assert {"epoch", "loss", "training", "validation"} <= set(texts)
    (circle,) = root.iter(f"{SVG}circle")
    assert (float(circle.get("cx")), float(circle.get("cy"))) == validation[1]
    assert circle[0].text == "epoch 2: the parameters that are kept"


def test_no_validation_rows():
    root, texts = drawn(training([1.0, 0.5]))
    assert len(places(root)) == 1
    assert "validation" not in texts


def test_members_have_a_line_each():
    root, texts = drawn(*[training([1.0, 0.5], [1.0, 0.6], best_epoch=1)] * 3)
    assert len(places(root)) == 6
    assert texts.count("training") == 1


@pytest.mark.parametrize(
    "losses", [[0.0, 0.0], [-3.0, -4.0], [math.nan, 1.0], [math.inf, 1.0, 0.5], [1e-30, 1e30], [5.0], [1e12, 1e12]]
)
def test_unusual_losses(losses):
    root, _ = drawn(training(losses))
    for x, y in [place for line in places(root) for place in line]:
        assert 0 <= x <= WIDTH
        assert 0 <= y <= HEIGHT


@pytest.mark.parametrize("losses", [[], [math.nan, math.nan]])
def test_nothing_to_draw(losses):
    assert curve_of([training(losses)]) == ""


def test_long_trainings_keep_peaks():
    losses = [1.0] * 10_000
    losses[5003] = 2.0
    root, _ = drawn(training(losses))
    (line,) = places(root)
    assert len(line) < 700
    assert min(y for _, y in line) < line[0][1]


def test_ticks():
    assert ticks(0, 1) == [0, 0.2, 0.4, 0.6, 0.8, 1.0]
    assert ticks(0.31, 0.34) == [0.31, 0.32, 0.33, 0.34]
    assert log_ticks(0.004, 3) == [0.01, 0.1, 1]
    assert log_ticks(0.9, 25) == [1, 2, 5, 10, 20]
    assert epoch_ticks(60) == [1, 20, 40, 60]
    assert epoch_ticks(2) == [1, 2]
