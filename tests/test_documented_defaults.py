"""Defaults in docstrings are those of the signatures."""

from __future__ import annotations

import ast
import inspect
import re

import pytest

from skdeep import DeepAutoencoder, DeepClassifier, MLPClassifier, SequenceGenerator, callbacks, plugins, registry
from skdeep.known_plugins import KNOWN_PLUGINS


def documented_defaults(cls):
    """Yield name and default of each parameter line such as `l1, l2 : float or None, default=None`."""
    for names, default in re.findall(r"^    ([a-z0-9_, ]+) : .*?default=(.+)$", cls.__doc__, flags=re.MULTILINE):
        parts = names.split(", ")
        values = ast.literal_eval(default)
        shared = values if isinstance(values, tuple) and len(values) == len(parts) > 1 else [values] * len(parts)
        yield from zip(parts, shared, strict=True)


OURS = ("skdeep-flax", "acme-losses", *KNOWN_PLUGINS)
ESTIMATORS = [DeepAutoencoder, DeepClassifier, MLPClassifier, SequenceGenerator]
CALLBACKS = [getattr(callbacks, name) for name in callbacks.__all__]
COMPONENTS = {registry.get(c.kind, c.full_id)[1] for c in plugins.list_components() if c.package in OURS}


@pytest.mark.parametrize(
    "cls", [*ESTIMATORS, *CALLBACKS, *sorted(COMPONENTS, key=lambda cls: (cls.__name__, cls.__module__))]
)
def test_documented_defaults_are_those_of_the_signature(cls):
    actual = {name: parameter.default for name, parameter in inspect.signature(cls).parameters.items()}
    documented = dict(documented_defaults(cls))
    assert {name: actual[name] for name in documented} == documented


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_estimators_document_every_parameter(cls):
    documented = {name for name, _ in documented_defaults(cls)}
    assert documented == set(inspect.signature(cls).parameters)
