"""What rows a layer of sequences takes: the errors, in one wording."""

from __future__ import annotations

from typing import Any


def check_sequences(owner: str, x: Any) -> None:
    """Raise ValueError unless x is `(n, time, features)`."""
    if x.ndim != 3:
        raise ValueError(
            f"{owner} takes rows of shape (time, features). Got rows of shape {x.shape[1:]} instead. "
            "Give the estimator input_shape=(time, features) to read flat rows as sequences."
        )
