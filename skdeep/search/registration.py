"""Registers joblib's backend "skdeep" without importing joblib, which with NumPy takes longer than the rest of `import skdeep`."""

from __future__ import annotations

import importlib.util
import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from typing import Any


def register_backend() -> None:
    """Register the backend now if joblib is imported, else as soon as it is."""
    if "joblib" in sys.modules:
        _register()
    else:
        sys.meta_path.insert(0, _Waiting())


def _register() -> None:
    import joblib

    joblib.register_parallel_backend("skdeep", _made)


def _made(**parameters: Any) -> Any:
    from skdeep.search.backend import SkdeepBackend

    return SkdeepBackend(**parameters)


class _Waiting(MetaPathFinder):
    """Finds no module, but sees that joblib is about to be imported, and registers the backend after that."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if name != "joblib":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is None or spec.loader is None:
            return None
        execute = spec.loader.exec_module

        def execute_and_register(module: Any) -> None:
            execute(module)
            _register()

        spec.loader.exec_module = execute_and_register  # type: ignore[method-assign]  # of this one loader
        return spec
