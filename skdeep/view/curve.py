"""The losses of a training as a small drawing in SVG, without matplotlib."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from itertools import pairwise
from typing import NamedTuple

from skdeep.view.training import Training

WIDTH, HEIGHT = 430, 200
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 84, 12, 34
_MOST_POINTS = 300
_MOST_LINES = 12

TRAINING_COLOUR, VALIDATION_COLOUR = "#0b7bc1", "#d55e00"
"""Two colours of Okabe and Ito (blue and vermilion) that can be read on white and on black."""


class Line(NamedTuple):
    """A loss by epoch: its label, its colour, and points (epoch, loss) with finite losses."""

    label: str
    colour: str
    points: list[tuple[float, float]]


def curve_of(trainings: Sequence[Training]) -> str:
    """Return the training and validation losses of all networks as an SVG element; empty if there are none.

    A circle marks the epoch whose parameters are kept, if early stopping chose it. The axis of losses is logarithmic if the largest loss is at
    least 20 times the smallest.
    """
    lines = [line for training in trainings[:_MOST_LINES] for line in _lines(training)]
    if not lines:
        return ""
    scale = _Scale.of(lines)
    body = [
        *scale.axes(),
        *(_drawn(line, scale, opacity=1 if len(trainings) == 1 else 0.55) for line in lines),
        *_labels(lines, scale),
        *(mark for training in trainings[:_MOST_LINES] for mark in _marks(training, scale)),
    ]
    return (
        f'<svg class="skdeep-curve" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" role="img" '
        f'aria-label="Losses by epoch" xmlns="http://www.w3.org/2000/svg">{"".join(body)}</svg>'
    )


def _lines(training: Training) -> list[Line]:
    kinds = (("train_loss", "training", TRAINING_COLOUR), ("val_loss", "validation", VALIDATION_COLOUR))
    found = []
    for column, label, colour in kinds:
        values = enumerate(training.values(column), 1)
        points = [(float(epoch), value) for epoch, value in values if math.isfinite(value)]
        if points:
            found.append(Line(label, colour, _thinned(points)))
    return found


def _thinned(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return at most about 2 * `_MOST_POINTS` points: the lowest and the highest of each run of consecutive points, and the last."""
    step = math.ceil(len(points) / _MOST_POINTS)
    if step == 1:
        return points
    kept = []
    for start in range(0, len(points), step):
        run = points[start : start + step]
        ends = {min(run, key=lambda p: p[1]), max(run, key=lambda p: p[1])}
        kept += sorted(ends)
    return kept if kept[-1] == points[-1] else [*kept, points[-1]]


class _Scale(NamedTuple):
    """The places of epochs and losses in the drawing."""

    last: float
    low: float
    high: float
    is_log: bool

    @classmethod
    def of(cls, lines: list[Line]) -> _Scale:
        losses = [loss for line in lines for _, loss in line.points]
        low, high = min(losses), max(losses)
        is_log = low > 0 and high >= 20 * low
        if not is_log:
            margin = 0.05 * (high - low) or 0.05 * abs(high) or 1.0
            low, high = low - margin if low < 0 or low - margin > 0 else 0.0, high + margin
        return cls(max(2.0, *(epoch for line in lines for epoch, _ in line.points)), low, high, is_log)

    def x(self, epoch: float) -> float:
        return _LEFT + (epoch - 1) / (self.last - 1) * (WIDTH - _LEFT - _RIGHT)

    def y(self, loss: float) -> float:
        loss, low, high = map(math.log, (loss, self.low, self.high)) if self.is_log else (loss, self.low, self.high)
        share = (loss - low) / (high - low)
        return HEIGHT - _BOTTOM - share * (HEIGHT - _TOP - _BOTTOM)

    def axes(self) -> list[str]:
        """Return the lines, ticks and names of both axes."""
        bottom, right = HEIGHT - _BOTTOM, WIDTH - _RIGHT
        parts = [f'<path class="axis" d="M{_LEFT} {_TOP}V{bottom}H{right}"/>']
        for epoch in epoch_ticks(int(self.last)):
            parts.append(_text(self.x(epoch), bottom + 14, f"{epoch:,}", "middle"))
        for loss in log_ticks(self.low, self.high) if self.is_log else ticks(self.low, self.high):
            y = self.y(loss)
            parts.append(f'<path class="grid" d="M{_LEFT} {y:.1f}H{right}"/>')
            parts.append(_text(_LEFT - 6, y + 3.5, f"{loss:.4g}", "end"))
        middle = (_TOP + bottom) / 2
        parts.append(_text((_LEFT + right) / 2, HEIGHT - 4, "epoch", "middle"))
        parts.append(f'<text transform="translate(11 {middle:.0f}) rotate(-90)" text-anchor="middle">loss</text>')
        return parts


def ticks(low: float, high: float) -> list[float]:
    """Return 3 to 6 round numbers between two numbers."""
    step = 10.0 ** math.floor(math.log10((high - low) / 4))
    step *= next(factor for factor in (1, 2, 5, 10) if (high - low) / (step * factor) <= 5)
    return [round(i * step, 12) for i in range(math.ceil(low / step), math.floor(high / step) + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """Return powers of ten between two positive numbers, with 2 and 5 times them if these are few."""
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    powers = [10.0**e for e in exponents]
    if sum(low <= power <= high for power in powers) <= 2:
        return [tick for power in powers for factor in (1, 2, 5) if low <= (tick := factor * power) <= high]
    inside = [power for power in powers if low <= power <= high]
    return inside[:: math.ceil(len(inside) / 6)]


def epoch_ticks(last: int) -> list[int]:
    """Return epoch 1 and up to 5 round epochs."""
    found = [int(tick) for tick in ticks(0, last) if tick == int(tick) and tick >= 1]
    return [1, *(tick for tick in found if tick > max(1, 0.1 * last))]


def _text(x: float, y: float, text: str, anchor: str, style: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{style}>{escape(text)}</text>'


def _drawn(line: Line, scale: _Scale, opacity: float) -> str:
    places = [(scale.x(epoch), scale.y(loss)) for epoch, loss in line.points]
    if len(places) == 1:
        ((x, y),) = places
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{line.colour}"/>'
    text = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    dashes = ' stroke-dasharray="5 2.5"' if line.label == "validation" else ""
    return (
        f'<polyline points="{text}" fill="none" stroke="{line.colour}" stroke-width="1.6" opacity="{opacity}"{dashes}/>'
    )


def _labels(lines: list[Line], scale: _Scale) -> list[str]:
    """Return the name of each kind of loss beside the end of its first line, at least 13 units apart."""
    ends = sorted(
        (scale.y(line.points[-1][1]), line) for line in {line.label: line for line in reversed(lines)}.values()
    )
    heights = [y for y, _ in ends]
    for i, (above, below) in enumerate(pairwise(heights)):
        if below - above < 13:
            middle = (above + below) / 2
            heights[i : i + 2] = [middle - 6.5, middle + 6.5]
    return [
        _text(WIDTH - _RIGHT + 7, y + 3.5, line.label, "start", f' style="fill: {line.colour}"')
        for y, (_, line) in zip(heights, ends, strict=True)
    ]


def _marks(training: Training, scale: _Scale) -> list[str]:
    """Return a circle at the epoch whose parameters are kept, on the loss of validation rows if there is one."""
    epoch = training.best_epoch
    if epoch is None:
        return []
    loss, colour = training.at_kept_epoch("val_loss"), VALIDATION_COLOUR
    if not math.isfinite(loss):
        loss, colour = training.at_kept_epoch("train_loss"), TRAINING_COLOUR
    if not math.isfinite(loss):
        return []
    title = f"<title>epoch {epoch}: the parameters that are kept</title>"
    return [
        f'<circle cx="{scale.x(epoch):.1f}" cy="{scale.y(loss):.1f}" r="4" fill="none" stroke="{colour}" stroke-width="1.8">{title}</circle>'
    ]
