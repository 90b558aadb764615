"""Random shifts and flips of images `(n, height, width, channels)` and of sequences `(n, time, features)`."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from skdeep.contract import Augmentation

AXES = {"horizontal": -2, "vertical": -3}


class RandomCrop(Augmentation):
    """Shift each image by a random whole number of pixels along each axis: a random crop of the padded image.

    Parameters
    ----------
    padding : float, default=4.0
        Largest shift in pixels, in each direction; rounded down. At least 0.
    fill : float, default=0.0
        Value of the pixels outside the original image.

    References
    ----------
    He et al., "Deep Residual Learning for Image Recognition", arXiv 1512.03385, section 4.2.

    Examples
    --------
    >>> from skdeep.augmentations import RandomCrop
    >>> RandomCrop(padding=2)
    RandomCrop(padding=2, fill=0.0)
    """

    padding: float = 4.0
    fill: float = 0.0
    example_shape = (6, 5, 2)

    def __call__(self, key: Any, x: Any) -> Any:
        _check_axes(self, x, 1)
        most = jnp.floor(self.padding).astype(jnp.int32)
        for axis in range(1, x.ndim - 1):
            shift = jax.random.randint(jax.random.fold_in(key, axis), (len(x), 1), -most, most + 1)
            x = _shifted(x, shift, axis, self.fill)
        return x

    def check_fields(self) -> None:
        if not self.padding >= 0:
            raise ValueError(f"The 'padding' field of RandomCrop must be at least 0. Got {self.padding!r} instead.")


class RandomFlip(Augmentation):
    """Flip each image at random.

    Parameters
    ----------
    probability : float, default=0.5
        Probability that an image is flipped, in [0, 1].
    direction : {"horizontal", "vertical"}, default="horizontal"
        "horizontal" exchanges left and right (or first and last step of a sequence), "vertical" top and bottom.

    Examples
    --------
    >>> from skdeep.augmentations import RandomFlip
    >>> RandomFlip(direction="vertical")
    RandomFlip(probability=0.5, direction='vertical')
    """

    probability: float = 0.5
    direction: str = "horizontal"
    example_shape = (6, 5, 2)

    def __call__(self, key: Any, x: Any) -> Any:
        axis = AXES[self.direction]
        _check_axes(self, x, -1 - axis)
        is_flipped = jax.random.bernoulli(key, self.probability, (len(x), *(1,) * (x.ndim - 1)))
        return jnp.where(is_flipped, jnp.flip(x, axis), x)

    def check_fields(self) -> None:
        if not 0 <= self.probability <= 1:
            raise ValueError(
                f"The 'probability' field of RandomFlip must be in [0, 1]. Got {self.probability!r} instead."
            )
        if self.direction not in AXES:
            raise ValueError(
                f"The 'direction' field of RandomFlip must be one of {list(AXES)}. Got {self.direction!r} instead."
            )


def _shifted(x: Any, shift: Any, axis: int, fill: Any) -> Any:
    """Return rows shifted along an axis, each by its own number of positions in `shift`, `(n, 1)`."""
    place = jnp.arange(x.shape[axis])[None, :] - shift
    is_inside = (place >= 0) & (place < x.shape[axis])
    shape = [len(x) if i == 0 else x.shape[axis] if i == axis else 1 for i in range(x.ndim)]
    moved = jnp.take_along_axis(x, jnp.clip(place, 0, x.shape[axis] - 1).reshape(shape), axis)
    return jnp.where(is_inside.reshape(shape), moved, jnp.asarray(fill, x.dtype))


def _check_axes(augmentation: Augmentation, x: Any, n_axes: int) -> None:
    """Raise ValueError unless the rows have at least `n_axes` axes before the channels."""
    if x.ndim - 2 < n_axes:
        raise ValueError(
            f"{type(augmentation).__name__} needs rows with {n_axes} or more axes before the channels. Got rows of shape "
            f"{x.shape[1:]} instead. Give the estimator their shape, for example input_shape=(28, 28, 1)."
        )
