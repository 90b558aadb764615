"""Checks of the shape of the rows that a layer takes, with one wording of the errors."""

from __future__ import annotations

from typing import Any


def check_sequences(owner: str, x: Any) -> None:
    """Raise ValueError unless x has the shape `(n, time, features)`."""
    if x.ndim != 3:
        raise ValueError(
            f"{owner} takes rows of shape (time, features). Got rows of shape {x.shape[1:]} instead. "
            "Give the estimator input_shape=(time, features) to read flat rows as sequences."
        )


def per_axis(value: Any, n_axes: int) -> tuple[int, ...]:
    """Return a tuple of `n_axes` numbers; one number is repeated."""
    return tuple(value) if isinstance(value, tuple) else (value,) * n_axes


def check_axes(owner: str, x: Any, **numbers: Any) -> None:
    """Raise ValueError unless rows are `(..., channels)` and each field holds one number, or one per axis before channels.

    `numbers` maps the names of the fields to their values.
    """
    lengths = x.shape[1:-1]
    if not lengths:
        raise ValueError(
            f"{owner} needs rows with channels as the last of two or more axes. Got rows of shape {x.shape[1:]} instead. Give the "
            "estimator their shape, for example input_shape=(28, 28, 1)."
        )
    for name, value in numbers.items():
        n_numbers = len(per_axis(value, len(lengths)))
        if n_numbers != len(lengths):
            raise ValueError(
                f"The {name!r} field of {owner} has {n_numbers} numbers, but rows of shape {x.shape[1:]} have {len(lengths)} "
                "axes before the channels. Give one number per axis, or one number for all axes."
            )


def check_windows(owner: str, x: Any, name: str, sizes: tuple[int, ...]) -> None:
    """Raise ValueError if a window is longer than its axis of the rows; `name` is the field that the message advises to change."""
    lengths = x.shape[1:-1]
    if any(size > length for size, length in zip(sizes, lengths, strict=True)):
        raise ValueError(
            f"The windows of {owner}, {sizes}, are longer than the axes of its rows, {lengths}. Make {name!r} smaller, or "
            "use padding='same'."
        )
