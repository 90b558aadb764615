"""Values from a model file that training needs, prediction does not, and that need a component that is not available."""

from __future__ import annotations

import dataclasses
from typing import Any, Self

import numpy as np

from skdeep.errors import MissingComponentError
from skdeep.estimators.resolve import Unresolved


@dataclasses.dataclass(frozen=True, eq=False)
class Missing:
    """The value of a parameter or attribute as the model file holds it. `fit` raises; `save` writes the same data.

    Parameters
    ----------
    reason : str
        Which component is missing, and the cure.
    node : JSON
        The value in the file.
    arrays : dict
        The arrays that the node names.
    names : list of [kind, name, full id]
        The components of packages that the node names by strings.
    """

    reason: str
    node: Any = dataclasses.field(repr=False)
    arrays: dict[str, np.ndarray] = dataclasses.field(repr=False)
    names: list[list[str]] = dataclasses.field(repr=False)

    def __sklearn_clone__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self


def check_not_missing(estimator: Any) -> None:
    """Raise MissingComponentError if a parameter needs a component that was not available when the model file was loaded."""
    for name, value in estimator.get_params(deep=False).items():
        # `set_params(optimizer__b1=0.5)` leaves a missing value with a field to set.
        found = value.name if isinstance(value, Unresolved) else value
        if isinstance(found, Missing):
            raise MissingComponentError(
                f"This {type(estimator).__name__} comes from a model file and can predict, but its {name} is not available for training. "
                f"{found.reason} Then load the file again, or set another {name}."
            )
