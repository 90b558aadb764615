"""The annotations of constructors: each parameter has one, it can be evaluated, and it allows the default."""

from __future__ import annotations

import inspect
import typing
from typing import Any

import pytest

import skdeep

ESTIMATORS = [
    "DeepClassifier",
    "DeepRegressor",
    "DeepAutoencoder",
    "SequenceGenerator",
    "MLPClassifier",
    "MLPRegressor",
]


@pytest.mark.parametrize("name", ESTIMATORS)
def test_every_parameter_has_a_type(name):
    cls = getattr(skdeep, name)
    hints = typing.get_type_hints(cls.__init__)
    parameters = inspect.signature(cls).parameters
    assert parameters
    for parameter in parameters.values():
        assert hints[parameter.name] is not Any, parameter.name
        members = typing.get_args(hints[parameter.name]) or (hints[parameter.name],)
        allowed = [m for m in members if isinstance(m, type)]
        words = [word for m in members for word in (typing.get_args(m) or (m,)) if isinstance(word, str)]
        default = parameter.default
        is_number = isinstance(default, int | float) and {int, float} & set(allowed)
        assert isinstance(default, tuple(allowed)) or default in words or is_number or default == (100,), parameter.name
