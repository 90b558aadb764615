"""The checks of each kind, and the functions that run them: `check_loss`, `check_optimizer` and so on."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any, Literal, TypeAlias

from skdeep.acceptance import made_if_class
from skdeep.component import Component
from skdeep.estimators.resolve import layer_from, resolve, with_components
from skdeep.testing.augmentation_checks import AUGMENTATION_CHECKS
from skdeep.testing.component_checks import COMPONENT_CHECKS, check_pickling, is_importable
from skdeep.testing.expected_failures import with_reasons
from skdeep.testing.fit_checks import FIT_CHECKS, check_fit_uses_weights
from skdeep.testing.link_checks import LINK_CHECKS
from skdeep.testing.loss_checks import LOSS_CHECKS, check_learned_parameters
from skdeep.testing.module_checks import MODULE_CHECKS
from skdeep.testing.module_programs import example_shape
from skdeep.testing.named_raw import on_columns
from skdeep.testing.optimizer_checks import OPTIMIZER_CHECKS
from skdeep.testing.randomness_checks import RANDOMNESS_CHECKS
from skdeep.testing.running import Check, CheckResult, ExpectedFailures, run_checks
from skdeep.testing.schedule_checks import SCHEDULE_CHECKS
from skdeep.testing.sequence_checks import check_step_mask

CHECKS: dict[str, tuple[Check, ...]] = {
    "loss": (
        *COMPONENT_CHECKS,
        check_learned_parameters,
        *map(on_columns, (*LOSS_CHECKS, *LINK_CHECKS)),
        *FIT_CHECKS,
        check_fit_uses_weights,
    ),
    "optimizer": (*COMPONENT_CHECKS, *OPTIMIZER_CHECKS, *FIT_CHECKS),
    "schedule": (*COMPONENT_CHECKS, *SCHEDULE_CHECKS, *FIT_CHECKS),
    "layer": (*COMPONENT_CHECKS, *MODULE_CHECKS, *RANDOMNESS_CHECKS, check_step_mask, *FIT_CHECKS),
    "network": (*COMPONENT_CHECKS, *MODULE_CHECKS, *RANDOMNESS_CHECKS, *FIT_CHECKS),
    "augmentation": (*COMPONENT_CHECKS, *AUGMENTATION_CHECKS, *FIT_CHECKS),
}

OnFail: TypeAlias = Literal["raise"] | None
Expected: TypeAlias = ExpectedFailures | None


def component_checks(kind: str, value: Any, in_shape: tuple[int, ...] | None = None) -> Iterator[tuple[Any, Check]]:
    """Yield `(component, check)` for a component given as a name, a class, an object or a function.

    Call `check(component)`: it raises AssertionError if the component fails.

    Parameters
    ----------
    kind : {"loss", "optimizer", "schedule", "layer", "network", "augmentation"}
    value : object
        The component, in any form that an estimator accepts.
    in_shape : tuple of int, default=None
        Shape of a row, for a layer, network or augmentation. None takes its class variable `example_shape`.
    """
    value = made_if_class(value)
    component = with_components(layer_from(value) if kind == "layer" else resolve(kind, value)[1])
    needs_shape = (*MODULE_CHECKS, *RANDOMNESS_CHECKS, check_step_mask, *AUGMENTATION_CHECKS, *FIT_CHECKS)
    # Pickling is checked for components of importable classes only: lambdas and classes of a notebook are allowed.
    if isinstance(value, str | Component) and is_importable(type(component)):
        yield component, check_pickling
    for check in CHECKS[kind]:
        if kind in ("layer", "network", "augmentation") and check in needs_shape:
            yield component, functools.partial(check, in_shape=in_shape or example_shape(component))
        else:
            yield component, check


def check_loss(loss: Any, *, on_fail: OnFail = "raise", expected_failed_checks: Expected = None) -> list[CheckResult]:
    """Check a loss: one finite value per row, independent rows, gradient, link, traced floats, and a fit with weights.

    Parameters
    ----------
    loss : str, Loss, class or callable
        As in `DeepRegressor(loss=...)`; a class is instantiated with its defaults.
    on_fail : {"raise"} or None, default="raise"
        None returns the failures among the results instead of raising the first one.
    expected_failed_checks : dict of {str: str}, default=None
        Maps names of checks that may fail to reasons, in addition to those in the component's class variable
        `expected_failed_checks`. Such a failure has the status "xfail" instead of "failed".

    Returns
    -------
    list of CheckResult

    Raises
    ------
    AssertionError
        If a check fails, if a check that is declared to fail passes, or if a declared name is not a check of a loss. The
        message ends with the change to make.

    Examples
    --------
    >>> from skdeep.testing import check_loss
    >>> from skdeep.losses import Huber
    >>> all(result.passed for result in check_loss(Huber(delta=2.0)))
    True
    """
    return run_checks(with_reasons(component_checks("loss", loss), expected_failed_checks), on_fail)


def check_optimizer(
    optimizer: Any, *, on_fail: OnFail = "raise", expected_failed_checks: Expected = None
) -> list[CheckResult]:
    """Check an optimizer: forms of state and updates, traced floats and learning rate, descent, resuming, and a fit.

    Parameters, results and errors are as in `check_loss`.

    Examples
    --------
    >>> import optax
    >>> from skdeep.testing import check_optimizer
    >>> all(result.passed for result in check_optimizer(optax.adabelief))
    True
    """
    return run_checks(with_reasons(component_checks("optimizer", optimizer), expected_failed_checks), on_fail)


def check_schedule(
    schedule: Any, *, on_fail: OnFail = "raise", expected_failed_checks: Expected = None
) -> list[CheckResult]:
    """Check a schedule: one finite factor of at least 0 for each progress, equal inside `jit`, and a fit.

    Parameters, results and errors are as in `check_loss`.

    Examples
    --------
    >>> from skdeep.testing import check_schedule
    >>> all(result.passed for result in check_schedule(lambda progress: 1 - progress))
    True
    """
    return run_checks(with_reasons(component_checks("schedule", schedule), expected_failed_checks), on_fail)


def check_layer(
    layer: Any,
    in_shape: tuple[int, ...] | None = None,
    *,
    on_fail: OnFail = "raise",
    expected_failed_checks: Expected = None,
) -> list[CheckResult]:
    """Check a layer: shapes, equal form for all seeds, independent rows, padding, gradient, traced floats, and a fit.

    Results and errors are as in `check_loss`.

    Parameters
    ----------
    layer : str, Layer, flax.linen.Module, class or callable
        As in a list of layers for `network=`; a class is instantiated with its defaults.
    in_shape : tuple of int, default=None
        Shape of a row; None takes the layer's `example_shape`.
    on_fail, expected_failed_checks
        As in `check_loss`.

    Examples
    --------
    >>> import flax.linen as nn
    >>> from skdeep.testing import check_layer
    >>> all(result.passed for result in check_layer(nn.Conv(4, (3,)), in_shape=(8, 2)))
    True
    """
    return run_checks(with_reasons(component_checks("layer", layer, in_shape), expected_failed_checks), on_fail)


def check_network(
    network: Any,
    in_shape: tuple[int, ...] | None = None,
    *,
    on_fail: OnFail = "raise",
    expected_failed_checks: Expected = None,
) -> list[CheckResult]:
    """Check a network: the checks of a layer, and an output of shape `(n, n_outputs)`.

    Parameters, results and errors are as in `check_layer`.

    Examples
    --------
    >>> from skdeep.testing import check_network
    >>> all(result.passed for result in check_network("linear"))
    True
    """
    return run_checks(with_reasons(component_checks("network", network, in_shape), expected_failed_checks), on_fail)


def check_augmentation(
    augmentation: Any,
    in_shape: tuple[int, ...] | None = None,
    *,
    on_fail: OnFail = "raise",
    expected_failed_checks: Expected = None,
) -> list[CheckResult]:
    """Check an augmentation: form of the rows, dependence on the key, independent rows, traced floats, and a fit.

    Parameters, results and errors are as in `check_layer`.

    Examples
    --------
    >>> import jax
    >>> from skdeep.testing import check_augmentation
    >>> def stretch(key, x):
    ...     return x * jax.random.uniform(key, (len(x), 1), x.dtype, 0.9, 1.1)
    >>> all(result.passed for result in check_augmentation(stretch))
    True
    """
    return run_checks(
        with_reasons(component_checks("augmentation", augmentation, in_shape), expected_failed_checks), on_fail
    )
