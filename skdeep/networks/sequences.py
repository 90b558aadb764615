"""Checks of the rows of networks for sequences."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from skdeep.contract import Network
from skdeep.layers.embedding import check_ids
from skdeep.layers.fields import check_positive

LARGEST_MASK_ID = 2**24
"""`mask_value` is a float32 number, which is exact for whole numbers up to this one."""


class SequenceNetwork(Network):
    """Base class of networks for sequences of measurements or token ids, with the fields `mask_value` and `n_tokens`."""

    reads_columns: ClassVar[bool] = False

    @property
    def n_ids(self: Any) -> int | None:
        n_tokens: int | None = self.n_tokens
        return n_tokens

    def check_rows(self: Any, x: np.ndarray) -> None:
        if self.n_tokens is not None:
            check_ids(x, self.n_tokens, self.mask_value)

    def check_n_tokens(self: Any) -> None:
        """Raise ValueError unless `n_tokens` is None or positive, and `mask_value` can be an id if rows hold ids."""
        check_positive(self, "n_tokens", or_none=True)
        value = self.mask_value
        if self.n_tokens is None or value is None or (abs(value) <= LARGEST_MASK_ID and value == round(value)):
            return
        raise ValueError(
            f"The 'mask_value' field of {type(self).__name__} must be a whole number of at most {LARGEST_MASK_ID} where n_tokens is given, "
            f"since rows then hold ids. Got {value!r} instead."
        )


def check_sequence_shape(owner: str, in_shape: tuple[int, ...], n_tokens: int | None = None) -> None:
    """Raise ValueError unless rows are `(time, features)` or `(time,)`, with one value per step if `n_tokens` is given."""
    if n_tokens is not None and len(in_shape) == 2 and in_shape[1] != 1:
        raise ValueError(
            f"The network {owner} with n_tokens={n_tokens} takes rows of one id per step, of shape (time,) or (time, 1). "
            f"Got rows of shape {in_shape} instead. Leave n_tokens at None if the values are measurements."
        )
    if len(in_shape) not in (1, 2):
        raise ValueError(
            f"The network {owner} takes rows of shape (time, features) or (time,). Got rows of shape {in_shape} instead. "
            "Give the estimator input_shape=(time, features) with as many values."
        )


def check_unmasked(owner: str, mask_value: float | None) -> None:
    """Raise ValueError if `mask_value` is set where the network predicts the next token."""
    if mask_value is not None:
        raise ValueError(
            f"The 'mask_value' field of {owner} must be None where the next token is predicted, since the estimator "
            f"knows which steps are padding. Got {mask_value!r} instead. Leave it at None."
        )
