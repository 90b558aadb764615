"""All conventions of Flax's linen modules: their fields, the arguments of their calls, and how they are copied.

A linen module is a dataclass. Beside its own fields it has `parent` and `name`, which Linen sets, and an id that differs
between instances. This file never imports Flax: the code that made the given module has imported it already.
"""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
from typing import Any

from skdeep import errors

BATCH_STATS = "batch_stats"
"""The collection that holds averages over batches."""

PROGRESS = "progress"
"""The name in the model state whose arrays are set to the progress of training before each step."""

LOSSES = "losses"
"""The collection, or the name of an NNX variable, by which modules report losses of their own."""

# Names that modules use for a flag of training, and True if the flag is True in training, False if it is True in prediction.
_FLAGS = {"train": True, "training": True, "is_training": True, "deterministic": False, "use_running_average": False}


def is_linen_class(value: Any) -> bool:
    """Return True if a value is a class of linen modules, without importing flax."""
    return isinstance(value, type) and any(
        cls.__module__ == "flax.linen.module" and cls.__name__ == "Module" for cls in value.__mro__
    )


def call_arguments(module: Any, train: bool, row_mask: Any, step_mask: Any = None) -> dict[str, Any]:
    """Return those arguments that a Flax module's `__call__` takes, of `train` and its synonyms, `row_mask` and `step_mask`.

    A flag that is already set as a field of the module is left out, because Flax raises if it gets both.
    """
    names = inspect.signature(type(module).__call__).parameters
    arguments: dict[str, Any] = {
        name: train is meaning
        for name, meaning in _FLAGS.items()
        if name in names and getattr(module, name, None) is None
    }
    masks = {"row_mask": row_mask, "step_mask": step_mask}
    return arguments | {name: mask for name, mask in masks.items() if name in names}


def summary_title(module: Any) -> str:
    """Return the type of a module in summaries: its attribute `summary_title`, else the name of its class; empty to leave it out."""
    title: str = getattr(module, "summary_title", class_of(module).__name__)
    return title


def is_summarised_as_one(module: Any) -> bool:
    """Return True if summaries show a module as one layer with all modules inside it.

    A module declares it by a class variable `summary_as_one`. Flax's own modules are one layer, except its containers.
    """
    cls = class_of(module)
    is_layer_of_flax = cls.__module__.startswith("flax.") and cls.__name__ != "Sequential"
    return bool(getattr(module, "summary_as_one", is_layer_of_flax))


def class_of(module: Any) -> type:
    """Return the class of a module as its author wrote it, not the one that a transformation such as `nn.remat` made of it."""
    return next(cls for cls in type(module).__mro__ if cls.__module__ != "flax.linen.transforms")


def rows_as_arguments(module: Any, x: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the positional and the named arguments that pass rows to a Flax module's `__call__`.

    Inputs by name become named arguments if `__call__` has a parameter for each of them; otherwise they are one dict.
    """
    if isinstance(x, dict) and x.keys() <= inspect.signature(type(module).__call__).parameters.keys():
        return (), x
    return (x,), {}


def takes_step_mask(module: Any) -> bool:
    """Return True if a module's `__call__` takes `step_mask`."""
    return "step_mask" in inspect.signature(type(module).__call__).parameters


def is_told_of_training(module: Any) -> bool:
    """Return True if a module's `__call__` takes `train` or one of its synonyms, and no field sets it already."""
    return bool(call_arguments(module, True, None).keys() & _FLAGS.keys())


def call(module: Any, x: Any, **arguments: Any) -> Any:
    """Call a module. For Flax's own modules, set `jax_numpy_dtype_promotion` to "standard" during the call.

    Flax's norms combine float32 and float64, which raises if the user sets "strict". The setting is for users' code.
    """
    import jax  # here, because commands that list plugins import this file and must not load jax

    is_of_flax = type(module).__module__.startswith("flax.")
    with jax.numpy_dtype_promotion("standard") if is_of_flax else contextlib.nullcontext():
        return module(x, **arguments)


def constructor_fields(module: Any) -> tuple[dataclasses.Field[Any], ...]:
    """Return the fields of a module or class that an equal module needs: all constructor parameters but `parent`."""
    return tuple(field for field in dataclasses.fields(module) if field.init and field.name != "parent")


def user_fields(module: Any) -> tuple[dataclasses.Field[Any], ...]:
    """Return the fields of a module or class that a user sets: not `parent` and not `name`."""
    return tuple(field for field in constructor_fields(module) if field.name != "name")


def values_of(module: Any, fields: tuple[dataclasses.Field[Any], ...]) -> dict[str, Any]:
    """Return the values of some fields of a module, by name."""
    return {field.name: getattr(module, field.name) for field in fields}


def made_anew(module: Any) -> Any:
    """Return a module with the same fields whose parent is the module in whose method it is made.

    `copied` returns a clone, which has no parent.
    """
    return type(module)(**values_of(module, constructor_fields(module)))


def copied(module: Any, **changes: Any) -> Any:
    """Return a copy of a module without a parent, with some fields changed."""
    return module.clone(**changes)


def with_fields(module: Any, changes: dict[str, Any]) -> Any:
    """Return a copy of a module with some fields changed.

    Raises
    ------
    ValueError
        If the module has no such field; the message lists the fields that it has.
    """
    known = values_of(module, user_fields(module))
    for name in changes:
        if name not in known:
            raise errors.UnknownFieldError(errors.unknown_field(type(module).__name__, name, known))
    return copied(module, **changes)


def with_outputs(module: Any, n_outputs: int) -> Any:
    """Return a copy of a module. If it has a field `n_outputs` that is None, the copy has `n_outputs` there."""
    if getattr(module, "n_outputs", n_outputs) is None:
        return copied(module, n_outputs=n_outputs)
    return copied(module)
