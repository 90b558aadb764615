"""skdeep: Flax networks as scikit-learn estimators, trained by compiled Optax loops.

Follow `fit` through these files: `estimators/training.py` prepares, runs and absorbs a job;
`estimators/prepare.py` makes it, with an encoding of X and y (`core/encoding.py`) and the components of
`registry.py`; `core/run.py` starts its driver (`core/drivers/`); `core/step.py` is the compiled block of steps;
`core/inference.py` computes predictions. Read `contract.py` first: it defines the components.
"""

from __future__ import annotations

import importlib
import time
from typing import TYPE_CHECKING, Any

from skdeep.search.registration import register_backend

if TYPE_CHECKING:
    from skdeep import display, plugins
    from skdeep.checkpoint import Checkpoint
    from skdeep.compile_cache import disable_compile_cache, enable_compile_cache
    from skdeep.component import Component, static
    from skdeep.contract import PLUGIN_API, Augmentation, Layer, Loss, Network, NetworkFunctions, Optimizer, Schedule
    from skdeep.core.programs import clear_cache, compile_counts
    from skdeep.errors import NonFiniteLossError, UnknownComponentError
    from skdeep.estimators.autoencoder import DeepAutoencoder
    from skdeep.estimators.classifier import DeepClassifier
    from skdeep.estimators.generator import SequenceGenerator
    from skdeep.estimators.mlp.classifier import MLPClassifier
    from skdeep.estimators.mlp.regressor import MLPRegressor
    from skdeep.estimators.regressor import DeepRegressor
    from skdeep.estimators.tabular import TabularClassifier, TabularRegressor
    from skdeep.functions import network_functions
    from skdeep.inputs import Inputs
    from skdeep.module import Module
    from skdeep.persistence.model import inspect, load, save
    from skdeep.persistence.trusted import trusted_types
    from skdeep.records import InputSpec
    from skdeep.registry import register, unregister
    from skdeep.search.many import fit_many

__version__ = "0.1.0"

imported_at = time.time()
"""When this process imported skdeep: files that changed later are not those that it runs (`core/disk`)."""

_HOMES = {
    "Augmentation": "skdeep.contract",
    "Checkpoint": "skdeep.checkpoint",
    "Component": "skdeep.component",
    "DeepAutoencoder": "skdeep.estimators.autoencoder",
    "DeepClassifier": "skdeep.estimators.classifier",
    "DeepRegressor": "skdeep.estimators.regressor",
    "InputSpec": "skdeep.records",
    "Inputs": "skdeep.inputs",
    "Layer": "skdeep.contract",
    "Loss": "skdeep.contract",
    "MLPClassifier": "skdeep.estimators.mlp.classifier",
    "MLPRegressor": "skdeep.estimators.mlp.regressor",
    "Module": "skdeep.module",
    "Network": "skdeep.contract",
    "NetworkFunctions": "skdeep.contract",
    "NonFiniteLossError": "skdeep.errors",
    "Optimizer": "skdeep.contract",
    "PLUGIN_API": "skdeep.contract",
    "Schedule": "skdeep.contract",
    "SequenceGenerator": "skdeep.estimators.generator",
    "TabularClassifier": "skdeep.estimators.tabular",
    "TabularRegressor": "skdeep.estimators.tabular",
    "UnknownComponentError": "skdeep.errors",
    "clear_cache": "skdeep.core.programs",
    "compile_counts": "skdeep.core.programs",
    "disable_compile_cache": "skdeep.compile_cache",
    "enable_compile_cache": "skdeep.compile_cache",
    "fit_many": "skdeep.search.many",
    "inspect": "skdeep.persistence.model",
    "load": "skdeep.persistence.model",
    "network_functions": "skdeep.functions",
    "register": "skdeep.registry",
    "save": "skdeep.persistence.model",
    "static": "skdeep.component",
    "trusted_types": "skdeep.persistence.trusted",
    "unregister": "skdeep.registry",
}

__all__ = [
    "Augmentation",
    "Checkpoint",
    "Component",
    "DeepAutoencoder",
    "DeepClassifier",
    "DeepRegressor",
    "InputSpec",
    "Inputs",
    "Layer",
    "Loss",
    "MLPClassifier",
    "MLPRegressor",
    "Module",
    "Network",
    "NetworkFunctions",
    "NonFiniteLossError",
    "Optimizer",
    "PLUGIN_API",
    "Schedule",
    "SequenceGenerator",
    "TabularClassifier",
    "TabularRegressor",
    "UnknownComponentError",
    "clear_cache",
    "compile_counts",
    "disable_compile_cache",
    "display",
    "enable_compile_cache",
    "fit_many",
    "inspect",
    "load",
    "network_functions",
    "plugins",
    "register",
    "save",
    "static",
    "trusted_types",
    "unregister",
]


register_backend()


def __getattr__(name: str) -> Any:
    if name in ("display", "plugins"):
        return importlib.import_module(f"skdeep.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'skdeep' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
