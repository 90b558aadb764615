"""Chains of augmentations, and functions as augmentations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax

from skdeep.contract import Augmentation


class Chain(Augmentation):
    """Apply several augmentations one after the other; an estimator makes one of a list given as `augmentation=`.

    Parameters
    ----------
    augmentations : tuple of Augmentation
        In the order of application. Only the last one may mix rows.

    Examples
    --------
    >>> from skdeep.augmentations import Chain, Mixup, RandomFlip
    >>> Chain((RandomFlip(), Mixup())).mixes
    True
    """

    augmentations: tuple[Augmentation, ...]

    @property
    def mixes(self) -> bool:  # type: ignore[override]  # a class variable in other classes; here it depends on the parts
        return bool(self.augmentations) and self.augmentations[-1].mixes

    def __call__(self, key: Any, x: Any) -> Any:
        for i, augmentation in enumerate(self.augmentations):
            x = augmentation(jax.random.fold_in(key, i), x)
        return x

    def mix(self, key: Any, x: Any, other: Any) -> tuple[Any, Any]:
        # Both rows of a pair are changed before they are mixed, with different keys.
        *first, last = self.augmentations
        keys = jax.random.split(key, 3)
        changed = Chain(tuple(first))
        return last.mix(keys[0], changed(keys[1], x), changed(keys[2], other))

    def check_fields(self) -> None:
        for augmentation in self.augmentations[:-1]:
            if augmentation.mixes:
                raise ValueError(
                    f"Only the last augmentation of a Chain may mix rows, but others follow {type(augmentation).__name__}. "
                    "Put it last, and use at most one that mixes rows."
                )


class FunctionAugmentation(Augmentation):
    """A function `f(key, x) -> x` as an augmentation.

    Parameters
    ----------
    function : callable
        Takes a JAX key and rows `(n, ...)`, and returns rows of the same shape and dtype.

    Examples
    --------
    >>> import jax
    >>> from skdeep.augmentations import FunctionAugmentation
    >>> FunctionAugmentation(lambda key, x: x * jax.random.uniform(key)).mixes
    False
    """

    function: Callable[..., Any]

    def __call__(self, key: Any, x: Any) -> Any:
        return self.function(key, x)
