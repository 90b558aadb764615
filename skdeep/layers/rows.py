"""Which rows a layer takes: the errors, in one wording."""

from __future__ import annotations

from typing import Any


def check_sequences(owner: str, x: Any) -> None:
    """Raise ValueError unless x is `(n, time, features)`."""
    if x.ndim != 3:
        raise ValueError(
            f"{owner} takes rows of shape (time, features). Got rows of shape {x.shape[1:]} instead. "
            "Give the estimator input_shape=(time, features) to read flat rows as sequences."
        )


def per_axis(value: Any, n_axes: int) -> tuple[int, ...]:
    """Return one number for each axis."""
    return tuple(value) if isinstance(value, tuple) else (value,) * n_axes


def check_axes(owner: str, x: Any, **numbers: Any) -> None:
    """Raise ValueError unless rows have channels behind other axes, and each field one number per axis, or one for all.

    `numbers` holds the values of the fields by name.
    """
    lengths = x.shape[1:-1]
    if not lengths:
        raise ValueError(
            f"{owner} needs rows with channels behind their other axes. Got rows of shape {x.shape[1:]} instead. Give the "
            "estimator their shape, for example input_shape=(28, 28, 1)."
        )
    for name, value in numbers.items():
        n_numbers = len(per_axis(value, len(lengths)))
        if n_numbers != len(lengths):
            raise ValueError(
                f"The {name!r} field of {owner} has {n_numbers} numbers, but rows of shape {x.shape[1:]} have {len(lengths)} "
                "axes before the channels. Give one number for each of them, or one for all."
            )


def check_windows(owner: str, x: Any, name: str, sizes: tuple[int, ...]) -> None:
    """Raise ValueError unless windows of these sizes fit into the axes of the rows; `name` is the field to change."""
    lengths = x.shape[1:-1]
    if any(size > length for size, length in zip(sizes, lengths, strict=True)):
        raise ValueError(
            f"The windows of {owner}, {sizes}, are longer than the axes of its rows, {lengths}. Make {name!r} smaller, or "
            "use padding='same'."
        )
