"""Linen's conventions, in this file only: which fields a module has, what it is told at a call, how it is copied.

A linen module is a dataclass. Beside its own fields it has `parent` and `name`, which Linen sets, and an id of its own
that changes from instance to instance. Flax is never imported here: a module that is given has imported it already.
"""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
from typing import Any

from skdeep import errors

BATCH_STATS = "batch_stats"
"""The collection that holds averages over batches."""

LOSSES = "losses"
"""The collection, or the name of an NNX variable, by which modules report losses of their own."""

# What a module may take beside x, and its value while training and otherwise.
_FLAGS = {"train": True, "training": True, "is_training": True, "deterministic": False, "use_running_average": False}


def is_linen_class(value: Any) -> bool:
    """Tell whether something is a class of linen modules, without importing flax."""
    return isinstance(value, type) and any(
        cls.__module__ == "flax.linen.module" and cls.__name__ == "Module" for cls in value.__mro__
    )


def call_arguments(module: Any, train: bool, row_mask: Any, step_mask: Any = None) -> dict[str, Any]:
    """Return what of `train`, its synonyms, `row_mask` and `step_mask` a Flax module's `__call__` takes.

    A flag that the module already has as a field is left out, since Flax refuses to be told twice.
    """
    names = inspect.signature(type(module).__call__).parameters
    arguments: dict[str, Any] = {
        name: train is meaning
        for name, meaning in _FLAGS.items()
        if name in names and getattr(module, name, None) is None
    }
    masks = {"row_mask": row_mask, "step_mask": step_mask}
    return arguments | {name: mask for name, mask in masks.items() if name in names}


def rows_as_arguments(module: Any, x: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the positional and the named arguments by which a Flax module's `__call__` is given its rows.

    Inputs by name are named arguments if `__call__` has a parameter for each of them; otherwise they are one dict.
    """
    if isinstance(x, dict) and x.keys() <= inspect.signature(type(module).__call__).parameters.keys():
        return (), x
    return (x,), {}


def takes_step_mask(module: Any) -> bool:
    """Tell whether a module's `__call__` takes `step_mask`."""
    return "step_mask" in inspect.signature(type(module).__call__).parameters


def is_told_of_training(module: Any) -> bool:
    """Tell whether a module's `__call__` takes `train` or one of its synonyms."""
    return bool(call_arguments(module, True, None).keys() & _FLAGS.keys())


def call(module: Any, x: Any, **arguments: Any) -> Any:
    """Call a module; one of Flax's own promotes types as it likes, whatever `jax_numpy_dtype_promotion` says.

    Flax's norms promote float64 and float32, which "strict" forbids. The setting is for the code of users.
    """
    import jax  # only where a module runs: commands that list plugins do without

    is_of_flax = type(module).__module__.startswith("flax.")
    with jax.numpy_dtype_promotion("standard") if is_of_flax else contextlib.nullcontext():
        return module(x, **arguments)


def constructor_fields(module: Any) -> tuple[dataclasses.Field[Any], ...]:
    """Return the fields that make an equal module of a module or class: all that the constructor takes but `parent`."""
    return tuple(field for field in dataclasses.fields(module) if field.init and field.name != "parent")


def user_fields(module: Any) -> tuple[dataclasses.Field[Any], ...]:
    """Return the fields of a module or class that a user sets: not `parent` and not `name`."""
    return tuple(field for field in constructor_fields(module) if field.name != "name")


def values_of(module: Any, fields: tuple[dataclasses.Field[Any], ...]) -> dict[str, Any]:
    """Return what a module holds in some of its fields, by name."""
    return {field.name: getattr(module, field.name) for field in fields}


def made_anew(module: Any) -> Any:
    """Return a module with the same fields that belongs to the module in whose method it is made.

    `copied` would not do: a clone does not belong to the module around it.
    """
    return type(module)(**values_of(module, constructor_fields(module)))


def copied(module: Any, **changes: Any) -> Any:
    """Return a copy of a module that belongs to no other one, with some fields changed."""
    return module.clone(**changes)


def with_fields(module: Any, changes: dict[str, Any]) -> Any:
    """Return a copy of a module with some fields changed.

    Raises
    ------
    ValueError
        If there is no such field; the message lists the known ones.
    """
    known = values_of(module, user_fields(module))
    for name in changes:
        if name not in known:
            raise errors.UnknownFieldError(errors.unknown_field(type(module).__name__, name, known))
    return copied(module, **changes)


def with_outputs(module: Any, n_outputs: int) -> Any:
    """Return a copy of a module whose field `n_outputs` is filled in, if it has such a field and that is None."""
    if getattr(module, "n_outputs", n_outputs) is None:
        return copied(module, n_outputs=n_outputs)
    return copied(module)
