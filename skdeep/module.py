"""`skdeep.Module`: a linen module that can be cloned, pickled and hashed by its fields."""

from __future__ import annotations

from typing import Any, Self

import flax.linen as nn

from skdeep.linen import constructor_fields
from skdeep.pickling import reduced


class Module(nn.Module):
    """A `flax.linen.Module` that is copied by reference and pickled by its fields.

    Flax gives each module instance a random id, which changes its pickle and its `joblib.hash`, and
    `copy.deepcopy` makes unequal copies of fields such as `nn.relu`. Modules of this class have
    neither problem, so `clone`, `GridSearchCV` and caches treat them like any other parameter.

    Examples
    --------
    >>> import flax.linen as nn
    >>> import skdeep
    >>> class Net(skdeep.Module):
    ...     width: int = 32
    ...     n_outputs: int | None = None  # filled in by fit
    ...     @nn.compact
    ...     def __call__(self, x):
    ...         return nn.Dense(self.n_outputs)(nn.relu(nn.Dense(self.width)(x)))
    >>> model = skdeep.DeepClassifier(network=Net(width=16))
    """

    def __reduce__(self) -> Any:
        return reduced(self, (field.name for field in constructor_fields(self)))

    def __sklearn_clone__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self
