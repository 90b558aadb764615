"""Constraints of the parameters of `MLPClassifier` and `MLPRegressor`, and their checks."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.utils._param_validation import Interval, Options, StrOptions, validate_parameter_constraints

from skdeep.contract import Loss, Optimizer
from skdeep.estimators.devices import DEVICE, placement_named
from skdeep.estimators.parameters import AT_LEAST_ONE, NON_NEGATIVE, POSITIVE, refuse_built_optax
from skdeep.estimators.resolve import Unresolved

BELOW_ONE = Interval(Real, 0, 1, closed="left")

MLP_CONSTRAINTS: dict[str, list[Any]] = {
    "loss": [str, Loss, callable],
    "hidden_layer_sizes": ["array-like", AT_LEAST_ONE],
    "activation": [str, callable],
    "solver": [str, Optimizer, callable],
    "alpha": [NON_NEGATIVE],
    "batch_size": [StrOptions({"auto"}), AT_LEAST_ONE],
    "learning_rate": [StrOptions({"constant", "invscaling", "adaptive"})],
    "learning_rate_init": [POSITIVE],
    "power_t": [NON_NEGATIVE],
    "max_iter": [AT_LEAST_ONE],
    "shuffle": ["boolean"],
    "random_state": ["random_state"],
    "tol": [NON_NEGATIVE],
    "verbose": ["verbose"],
    "warm_start": ["boolean"],
    "momentum": [Interval(Real, 0, 1, closed="both")],
    "nesterovs_momentum": ["boolean"],
    "early_stopping": ["boolean"],
    "validation_fraction": [BELOW_ONE],
    "beta_1": [BELOW_ONE],
    "beta_2": [BELOW_ONE],
    "epsilon": [POSITIVE],
    "n_iter_no_change": [AT_LEAST_ONE, Options(Real, {np.inf})],
    "max_fun": [AT_LEAST_ONE],
    "dropout": [None, BELOW_ONE],
    "normalization": [None, StrOptions({"batch", "layer"})],
    "device": DEVICE,
}


def check_mlp_parameters(owner: str, constraints: dict[str, list[Any]], params: dict[str, Any]) -> None:
    """Raise InvalidParameterError (a ValueError) that names the first invalid parameter."""
    refuse_built_optax(owner, "solver", params["solver"], "learning_rate_init")
    named = {name: value.name if isinstance(value, Unresolved) else value for name, value in params.items()}
    validate_parameter_constraints(constraints, named, caller_name=owner)
    placement_named(owner, params["device"])


def hidden_widths(hidden_layer_sizes: Any) -> tuple[int, ...]:
    """Return the widths of the hidden layers.

    Raises
    ------
    ValueError
        If a width is not a positive integer.
    """
    sizes = list(hidden_layer_sizes) if hasattr(hidden_layer_sizes, "__iter__") else [hidden_layer_sizes]
    if not all(isinstance(size, Integral) for size in sizes):
        raise ValueError(f"hidden_layer_sizes must be integers, got {sizes}.")
    if any(size <= 0 for size in sizes):
        raise ValueError(f"hidden_layer_sizes must be > 0, got {sizes}.")
    return tuple(map(int, sizes))
