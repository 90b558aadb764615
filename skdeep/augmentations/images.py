"""Images `(n, height, width, channels)` moved and mirrored; sequences `(n, time, features)` too."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from skdeep.contract import Augmentation

AXES = {"horizontal": -2, "vertical": -3}


class RandomCrop(Augmentation):
    """Moves each image by a random number of pixels along each axis, as a crop of the padded image does.

    Parameters
    ----------
    padding : float, default=4.0
        The most pixels that an image is moved by in each direction; rounded down.
    fill : float, default=0.0
        The value outside the image.

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
    """Mirrors each image with some probability.

    Parameters
    ----------
    probability : float, default=0.5
    direction : {"horizontal", "vertical"}, default="horizontal"
        Left and right are exchanged, or top and bottom.

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
    """Return rows moved along an axis, each by its own number of places `(n, 1)`."""
    place = jnp.arange(x.shape[axis])[None, :] - shift
    is_inside = (place >= 0) & (place < x.shape[axis])
    shape = [len(x) if i == 0 else x.shape[axis] if i == axis else 1 for i in range(x.ndim)]
    moved = jnp.take_along_axis(x, jnp.clip(place, 0, x.shape[axis] - 1).reshape(shape), axis)
    return jnp.where(is_inside.reshape(shape), moved, jnp.asarray(fill, x.dtype))


def _check_axes(augmentation: Augmentation, x: Any, n_axes: int) -> None:
    """Raise ValueError unless the rows have so many axes beside the channels."""
    if x.ndim - 2 < n_axes:
        raise ValueError(
            f"{type(augmentation).__name__} needs rows with {n_axes} or more axes before the channels, but they have the "
            f"shape {x.shape[1:]}. Give the estimator their shape, for example input_shape=(28, 28, 1)."
        )
