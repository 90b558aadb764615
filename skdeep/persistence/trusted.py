"""The types of skdeep for other libraries' files, such as those of skops, which ask the reader which types to trust."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from typing import Any

from skdeep import discovery, registry
from skdeep.checkpoint import Checkpoint
from skdeep.component import Component
from skdeep.estimators.missing import Missing
from skdeep.persistence.records import RECORDS
from skdeep.policy import normalised


def trusted_types(plugins: Iterable[str] = ()) -> list[str]:
    """Return the names of the types that fitted estimators of skdeep consist of, for `skops.io.load(path, trusted=...)`.

    They are the estimators, the records that fits learn, and the built-in components. Objects of these types run no code when they are
    restored. Modules and functions of your own are not among them: add their names if you trust them.

    Parameters
    ----------
    plugins : list of str, default=()
        Distributions whose components are trusted too. They are imported.

    Returns
    -------
    list of str
        Sorted names, such as "skdeep.losses.classification.CrossEntropy".

    Raises
    ------
    ModuleNotFoundError
        If no such distribution is installed or offers components.
    PluginError
        If a component cannot be loaded.

    Examples
    --------
    >>> import skdeep
    >>> "skdeep.estimators.classifier.DeepClassifier" in skdeep.trusted_types()
    True
    """
    classes: list[Any] = [Checkpoint]
    classes += [getattr(importlib.import_module(module), name) for name, module in RECORDS.items()]
    classes += [registry.get(kind, name)[1] for kind in discovery.GROUPS for name in registry.builtin_names(kind)]
    classes.append(Missing)
    for distribution in plugins:
        found = [
            p
            for kind in discovery.GROUPS
            for p in discovery.offered(kind)
            if p.distribution == normalised(distribution)
        ]
        if not found:
            raise ModuleNotFoundError(f"No installed distribution {distribution!r} offers components of skdeep.")
        classes += [discovery.load(plugin) for plugin in found]
    return sorted(
        {f"{cls.__module__}.{cls.__qualname__}" for cls in classes if isinstance(cls, type) and _is_trusted(cls)}
    )


def _is_trusted(cls: type) -> bool:
    return issubclass(cls, Component) or cls.__module__.startswith("skdeep.")
