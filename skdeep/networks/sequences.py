"""What rows a network of sequences takes."""

from __future__ import annotations


def check_sequence_shape(owner: str, in_shape: tuple[int, ...]) -> None:
    """Raise ValueError unless rows are `(time, features)` or `(time,)`."""
    if len(in_shape) not in (1, 2):
        raise ValueError(
            f"The network {owner} takes rows of shape (time, features) or (time,). Got rows of shape {in_shape} instead. "
            "Give the estimator input_shape=(time, features) with as many values."
        )


def check_unmasked(owner: str, mask_value: float | None) -> None:
    """Raise ValueError if a network that is to predict the next step has a value for steps that are padding."""
    if mask_value is not None:
        raise ValueError(
            f"The 'mask_value' field of {owner} has no meaning where the next token is predicted: what is padding is "
            f"known, and steps are vectors. Got {mask_value!r}. Leave it at None."
        )
