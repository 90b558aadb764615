"""Constraints of the estimators' shared parameters, and their checks, by scikit-learn's private validation module."""

from __future__ import annotations

import os
from numbers import Integral, Real
from typing import Any

from sklearn.utils._param_validation import (
    HasMethods,
    Interval,
    InvalidParameterError,
    RealNotInt,
    StrOptions,
    validate_parameter_constraints,
)

from skdeep.checkpoint import Checkpoint
from skdeep.contract import Loss, Network, Optimizer, Schedule
from skdeep.estimators.devices import DEVICE, placement_named
from skdeep.estimators.resolve import Unresolved


class Splitter(HasMethods):
    """Accepts objects with the method `split`, but no text, which has one too."""

    def is_satisfied_by(self, val: Any) -> bool:
        return not isinstance(val, str) and bool(super().is_satisfied_by(val))


POSITIVE = Interval(Real, 0, None, closed="neither")
NON_NEGATIVE = Interval(Real, 0, None, closed="left")
AT_LEAST_ONE = Interval(Integral, 1, None, closed="left")

NETWORK: list[Any] = [str, list, Network, callable]

CONSTRAINTS: dict[str, list[Any]] = {
    "loss": [str, Loss, callable],
    "optimizer": [str, Optimizer, callable],
    "learning_rate": [POSITIVE],
    "schedule": [str, Schedule, callable],
    "l1": [None, NON_NEGATIVE],
    "l2": [None, NON_NEGATIVE],
    "clip_norm": [None, POSITIVE],
    "batch_size": [StrOptions({"auto"}), AT_LEAST_ONE],
    "max_epochs": [AT_LEAST_ONE],
    "early_stopping": ["boolean"],
    "validation_fraction": [
        Interval(RealNotInt, 0, 1, closed="neither"),
        AT_LEAST_ONE,
        Splitter("split"),
        "array-like",
    ],
    "n_iter_no_change": [AT_LEAST_ONE],
    "tol": [None, NON_NEGATIVE],
    "scoring": [None, str, Loss, callable],
    "metrics": [None, list, tuple, dict],
    "coalesce": [StrOptions({"auto"}), "boolean"],
    "input_shape": [None, tuple, list],
    "shuffle": ["boolean"],
    "warm_start": ["boolean"],
    "random_state": ["random_state"],
    "verbose": ["verbose"],
    "device": DEVICE,
    "checkpoint": [None, str, os.PathLike, Checkpoint],
}


def check_parameters(owner: str, constraints: dict[str, list[Any]], params: dict[str, Any]) -> None:
    """Raise InvalidParameterError (a ValueError) that names the first invalid parameter."""
    for name, value in params.items():
        refuse_built_optax(owner, name, value)
    named = {name: value.name if isinstance(value, Unresolved) else value for name, value in params.items()}
    validate_parameter_constraints(constraints, named, caller_name=owner)
    placement_named(owner, params["device"])
    shape = params.get("input_shape")
    if shape is not None and not (len(shape) > 0 and all(isinstance(s, Integral) and int(s) > 0 for s in shape)):
        raise InvalidParameterError(
            f"The 'input_shape' parameter of {owner} must be None or a tuple of positive ints. Got {shape!r} instead."
        )


def refuse_built_optax(owner: str, name: str, value: Any, rate: str = "learning_rate") -> None:
    """Raise InvalidParameterError if the value is an Optax object that already has a learning rate."""
    if isinstance(value, tuple) and hasattr(value, "init") and hasattr(value, "update"):
        raise InvalidParameterError(
            f"The {name!r} parameter of {owner} must not be an Optax object that is already built, because changing its "
            "learning rate would need a new compile. Got a GradientTransformation instead. Give the factory, "
            f"such as optax.adam or functools.partial(optax.adam, b1=0.8), and set {rate} on the estimator."
        )
