"""The classes whose objects a model file may hold beside plain values, each under a name of its own.

A file names them by these names only; it never holds a module, a path or code. Adding a class or a field with a default keeps old
files readable. Renaming is what `RECORDS` is for: the key is the file's name, the value the place.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
import types
import typing
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from skdeep.component import Component
from skdeep.errors import ModelMismatchError

_ESTIMATORS = {
    "DeepAutoencoder": "skdeep.estimators.autoencoder",
    "DeepClassifier": "skdeep.estimators.classifier",
    "DeepRegressor": "skdeep.estimators.regressor",
    "MLPClassifier": "skdeep.estimators.mlp.classifier",
    "MLPRegressor": "skdeep.estimators.mlp.regressor",
    "SequenceGenerator": "skdeep.estimators.generator",
    "TabularClassifier": "skdeep.estimators.tabular",
    "TabularRegressor": "skdeep.estimators.tabular",
}
_LEARNED = {
    "Classes": "skdeep.core.encoding",
    "Encoding": "skdeep.core.encoding",
    "Labels": "skdeep.core.encoding",
    "RowItself": "skdeep.core.encoding",
    "Values": "skdeep.core.encoding",
    "TargetScale": "skdeep.core.target",
    "TextEncoding": "skdeep.core.text_encoding",
    "InputSpec": "skdeep.records",
    "Column": "skdeep.tables.columns",
    "NumericScale": "skdeep.tables.scaling",
    "Table": "skdeep.tables.table",
    "Tables": "skdeep.tables.several",
    "Temperature": "skdeep.core.calibration",
    "Form": "skdeep.estimators.continuing",
    "Memory": "skdeep.estimators.memory",
    "OptimizerMemory": "skdeep.estimators.memory",
    "StoppingMemory": "skdeep.estimators.memory",
    "Unresolved": "skdeep.estimators.resolve",
}
_COMPONENTS_WITHOUT_A_REGISTERED_NAME = {
    "AdamSolver": "skdeep.perceptron.solvers",
    "Autoencoder": "skdeep.core.composed",
    "Branch": "skdeep.networks.branches",
    "Chain": "skdeep.augmentations.composite",
    "FlaxNetwork": "skdeep.networks.own",
    "FunctionAugmentation": "skdeep.augmentations.composite",
    "FunctionLoss": "skdeep.losses.function",
    "FunctionSchedule": "skdeep.schedules.function",
    "Model": "skdeep.config",
    "ModuleLayer": "skdeep.layers.composite",
    "NNXNetwork": "skdeep.networks.own",
    "NextToken": "skdeep.core.language",
    "OfMean": "skdeep.core.members",
    "OfMembers": "skdeep.core.members",
    "OptaxFactory": "skdeep.optimizers.factory",
    "ParameterGroup": "skdeep.optimizers.grouped",
    "Perceptron": "skdeep.perceptron.network",
    "Pretrained": "skdeep.core.composed",
    "SGDSolver": "skdeep.perceptron.solvers",
    "Sequential": "skdeep.networks.sequential",
    "TokenLoss": "skdeep.core.language",
    "VariationalAutoencoder": "skdeep.core.variational",
    "VariationalLoss": "skdeep.core.variational",
    "WithLossParameters": "skdeep.core.loss_parameters",
    "WithOneHot": "skdeep.core.one_hot",
    "ZeroOne": "skdeep.losses.classification",
}

ESTIMATORS = frozenset(_ESTIMATORS)
RECORDS = {**_ESTIMATORS, **_LEARNED, **_COMPONENTS_WITHOUT_A_REGISTERED_NAME}

SPLITTERS = frozenset(
    (
        "GroupKFold",
        "GroupShuffleSplit",
        "KFold",
        "LeaveOneGroupOut",
        "LeaveOneOut",
        "LeavePGroupsOut",
        "LeavePOut",
        "PredefinedSplit",
        "RepeatedKFold",
        "RepeatedStratifiedKFold",
        "ShuffleSplit",
        "StratifiedGroupKFold",
        "StratifiedKFold",
        "StratifiedShuffleSplit",
        "TimeSeriesSplit",
    )
)
"""scikit-learn's splitters, which `validation_fraction` and `cv` take."""

MOST_TEXT_BYTES = 2**26
"""The most bytes of memory that the arrays of strings of a file may take: a few bytes of a file can stand for a large array."""

_PRIVATE = {
    "_encoding",
    "_form",
    "_history",
    "_loss",
    "_memory",
    "_model",
    "_other_params",
    "_sklearn_output_config",
    "_temperature",
}


NOT_STORED = frozenset({"checkpoint"})
"""Parameters that belong to a machine, not to a model: a file must not choose the folder into which a later fit writes."""

FOR_TRAINING = frozenset(
    (
        "augmentation",
        "augmentation_",
        "optimizer",
        "optimizer_",
        "preset_params_",
        "schedule",
        "schedule_",
        "scoring",
        "solver",
    )
)
"""The parameters and attributes of estimators that prediction does not need."""


def is_attribute_of_fit(name: str) -> bool:
    """Return whether `fit`, or `set_output`, sets an attribute of this name, which a file may hold."""
    return name in _PRIVATE or (name.endswith("_") and not name.startswith("_"))


@functools.cache
def class_named(name: str) -> type[Any]:
    """Return the class of a name in `RECORDS`."""
    found: type[Any] = getattr(importlib.import_module(RECORDS[name]), name)
    return found


def name_of(cls: type[Any]) -> str | None:
    """Return the name of a class in `RECORDS`, None if it has none; imports nothing."""
    return cls.__name__ if RECORDS.get(cls.__name__) == cls.__module__ else None


def fields_of_record(record: Any) -> dict[str, Any]:
    """Return the values from which `made` makes an equal record."""
    if isinstance(record, tuple):
        return dict(record._asdict())  # type: ignore[attr-defined]  # a named tuple
    if dataclasses.is_dataclass(record):
        return {field.name: getattr(record, field.name) for field in dataclasses.fields(record)}
    return dict(vars(record))


def made(cls: Any, fields: Mapping[str, Any]) -> Any:
    """Return a record from its fields.

    Raises
    ------
    ModelMismatchError
        If a field is unknown, is missing, or has a value of another type than the class declares.
    """
    name = cls.__name__
    if not dataclasses.is_dataclass(cls) and not hasattr(cls, "_fields"):
        return _with_attributes(cls, fields)
    hints = _hints(cls)
    if unknown := fields.keys() - hints.keys():
        raise ModelMismatchError(f"The file gives {name} the field {min(unknown)!r}, which it does not have here.")
    for field, value in fields.items() if not issubclass(cls, Component) else ():  # components check their fields
        if not fits(value, hints[field]):
            raise ModelMismatchError(
                f"The file gives the field {field!r} of {name} a value of another type: {str(value)[:80]}."
            )
    try:
        return cls(**fields)
    except (TypeError, ValueError, AttributeError) as err:
        raise ModelMismatchError(f"The file holds no valid {name}: {err}") from err


def _with_attributes(cls: type[Any], fields: Mapping[str, Any]) -> Any:
    """Return an object of a plain class; `Form` is the only one, with its two attributes."""
    record = object.__new__(cls)
    for field, hint in {"shapes": dict[str, tuple[int, ...]], "types": list[str]}.items():
        if not fits(fields.get(field), hint):
            raise ModelMismatchError(f"The file holds no valid {cls.__name__}.")
        setattr(record, field, fields[field])
    return record


@functools.cache
def _hints(cls: Any) -> dict[str, Any]:
    found = typing.get_type_hints(cls)
    names = cls._fields if hasattr(cls, "_fields") else [field.name for field in dataclasses.fields(cls)]
    return {name: found[name] for name in names}


def fits(value: Any, hint: Any) -> bool:
    """Return whether a value is of an annotated type; annotations of an unknown form fit all values."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is None or hint is types.NoneType:
        return value is None
    if origin in (typing.Union, types.UnionType):
        return any(fits(value, argument) for argument in arguments)
    if origin is Literal:
        return value in arguments
    if origin is tuple:
        return isinstance(value, tuple) and _items_fit(value, arguments)
    if origin is list:
        return isinstance(value, list) and all(fits(item, arguments[0]) for item in value)
    if origin in (dict, Mapping):
        return isinstance(value, dict) and all(
            fits(k, arguments[0]) and fits(v, arguments[1]) for k, v in value.items()
        )
    if hint is float:
        return isinstance(value, float | int) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if hint in (bool, str):
        return isinstance(value, hint)
    if isinstance(hint, type) and hasattr(hint, "array_type"):  # jaxtyping's
        return isinstance(value, np.ndarray)
    return isinstance(value, hint) if isinstance(hint, type) and hint is not Any and origin is None else True


def _items_fit(value: tuple[Any, ...], hints: tuple[Any, ...]) -> bool:
    if len(hints) == 2 and hints[1] is Ellipsis:
        return all(fits(item, hints[0]) for item in value)
    return len(value) == len(hints) and all(map(fits, value, hints))
