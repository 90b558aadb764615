"""Augmentations that mix pairs of rows, and their losses in the same proportion."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp

from skdeep.contract import Augmentation


class Mixup(Augmentation):
    """Mixup: replace each row by a weighted mean of itself and another row; the losses are averaged with the same weights.

    The weight of the row itself is drawn from Beta(alpha, alpha), once per batch.

    Parameters
    ----------
    alpha : float, default=0.2
        Positive. At small values most mixtures are close to one of the two rows; at 1 all weights are equally likely.

    References
    ----------
    Zhang et al., "mixup: Beyond Empirical Risk Minimization", arXiv 1710.09412.

    Examples
    --------
    >>> from skdeep.augmentations import Mixup
    >>> Mixup().mixes
    True
    """

    alpha: float = 0.2
    mixes = True

    def mix(self, key: Any, x: Any, other: Any) -> tuple[Any, Any]:
        share = jax.random.beta(key, self.alpha, self.alpha, dtype=x.dtype)
        return share * x + (1 - share) * other, share

    def check_fields(self) -> None:
        _check_alpha(self)


class CutMix(Augmentation):
    """CutMix: paste a box of another image into each image; the losses are averaged with the shares of the area.

    There is one box per batch. The share of the area outside the box is drawn from Beta(alpha, alpha), before the box is
    clipped at the edges of the image. In flat rows, the box is a run of consecutive columns.

    Parameters
    ----------
    alpha : float, default=1.0
        Positive; at 1 all shares are equally likely.

    References
    ----------
    Yun et al., "CutMix: Regularization Strategy to Train Strong Classifiers", arXiv 1905.04899.

    Examples
    --------
    >>> from skdeep.augmentations import CutMix
    >>> CutMix(alpha=0.5)
    CutMix(alpha=0.5)
    """

    alpha: float = 1.0
    mixes = True
    example_shape = (6, 5, 2)

    def mix(self, key: Any, x: Any, other: Any) -> tuple[Any, Any]:
        lengths = x.shape[1:-1] or x.shape[1:]  # for flat rows, the box is a run of columns
        share_key, place_key = jax.random.split(key)
        kept = jax.random.beta(share_key, self.alpha, self.alpha, dtype=x.dtype)
        extent = (1 - kept) ** (1 / len(lengths))
        centres = jax.random.uniform(place_key, (len(lengths),), x.dtype)
        is_cut = jnp.ones(lengths, bool)
        for axis, length in enumerate(lengths):
            place = jnp.arange(length, dtype=x.dtype)
            low, high = (jnp.round(length * (centres[axis] + side * extent / 2)) for side in (-1, 1))
            shape = [length if i == axis else 1 for i in range(len(lengths))]
            is_cut &= ((place >= low) & (place < high)).reshape(shape)
        share = 1 - jnp.sum(is_cut).astype(x.dtype) / math.prod(lengths)
        is_cut = is_cut.reshape(1, *lengths, *(1,) * (x.ndim - 1 - len(lengths)))
        return jnp.where(is_cut, other, x), share

    def check_fields(self) -> None:
        _check_alpha(self)


def _check_alpha(augmentation: Any) -> None:
    if not augmentation.alpha > 0:
        raise ValueError(
            f"The 'alpha' field of {type(augmentation).__name__} must be above 0. Got {augmentation.alpha!r} instead."
        )
