"""Embeddings of token ids."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from skdeep.contract import Layer
from skdeep.layers.fields import check_positive
from skdeep.layers.masks import both_masks, steps_other_than


class Embedding(Layer):
    """A learned vector per token: maps rows of ids `(time,)` to `(time, features)`.

    Ids are whole numbers from 0 to `n_tokens - 1`; they may be floats, and rows may have the shape `(time, 1)`. If the
    embedding is the network's first layer, ids reach it as int32, and `fit` and prediction raise ValueError for other ids. The
    network's parameters have the names and shapes of Flax's `Embed`.

    Parameters
    ----------
    n_tokens : int, default=256
        Number of different ids.
    features : int, default=64
        Length of the vectors.
    mask_token : int or None, default=None
        Steps with this id are masked. It may lie outside 0 to `n_tokens - 1`.

    References
    ----------
    Bengio et al., "A Neural Probabilistic Language Model", JMLR 3, 2003.

    Examples
    --------
    >>> from skdeep.layers import Embedding
    >>> Embedding(n_tokens=1000, mask_token=0)
    Embedding(n_tokens=1000, features=64, mask_token=0)
    """

    n_tokens: int = 256
    features: int = 64
    mask_token: int | None = None
    example_shape: ClassVar[tuple[int, ...]] = (5,)

    @property
    def n_ids(self) -> int:
        return self.n_tokens

    def build(self) -> Any:
        from skdeep.layers.linen.embedding import Embedding

        return Embedding(self.n_tokens, self.features)

    def output_mask(self, x: Any, step_mask: Any) -> Any:
        found = None if self.mask_token is None else steps_other_than(x, self.mask_token)
        return both_masks(found, step_mask)

    def check_rows(self, x: np.ndarray) -> None:
        check_ids(x, self.n_tokens, self.mask_token)

    def check_fields(self) -> None:
        check_positive(self, "n_tokens", "features")
        if not (self.mask_token is None or isinstance(self.mask_token, int)):
            raise ValueError(
                f"The 'mask_token' field of Embedding must be an int or None. Got {self.mask_token!r} instead."
            )


def check_ids(x: np.ndarray, n_tokens: int, mask_token: float | None) -> None:
    """Raise ValueError, with the first wrong value, unless all values are ids of tokens or equal `mask_token`."""
    is_wrong = (x < 0) | (x >= n_tokens) | (x != np.floor(x))
    if mask_token is not None:
        is_wrong &= x != np.asarray(mask_token, x.dtype)
    if is_wrong.any():
        position = np.unravel_index(np.argmax(is_wrong), x.shape)
        beside = "" if mask_token is None else f", or {mask_token:g} for masked steps"
        raise ValueError(
            f"Token ids must be whole numbers from 0 to {n_tokens - 1} (n_tokens={n_tokens}){beside}. Got "
            f"{x[position]:g} in row {position[0]} of X, step {position[1]}. Give X other ids, or a larger n_tokens."
        )
