"""Additive noise."""

from __future__ import annotations

from typing import Any

import jax

from skdeep.contract import Augmentation


class GaussianNoise(Augmentation):
    """Add independent Gaussian noise with mean 0 to all values.

    Parameters
    ----------
    std : float, default=0.1
        Standard deviation of the noise, in the units of X; at least 0.

    References
    ----------
    Bishop, "Training with Noise is Equivalent to Tikhonov Regularization", Neural Computation 7(1), 1995.

    Examples
    --------
    >>> from skdeep.augmentations import GaussianNoise
    >>> GaussianNoise(std=0.05)
    GaussianNoise(std=0.05)
    """

    std: float = 0.1

    def __call__(self, key: Any, x: Any) -> Any:
        return x + self.std * jax.random.normal(key, x.shape, x.dtype)

    def check_fields(self) -> None:
        if not self.std >= 0:
            raise ValueError(f"The 'std' field of GaussianNoise must be at least 0. Got {self.std!r} instead.")
