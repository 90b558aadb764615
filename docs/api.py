"""The pages of the API reference: every public name, by topic, and a page per name with its docstring."""

from __future__ import annotations

import importlib
import inspect
from typing import NamedTuple


class Topic(NamedTuple):
    """A page of the reference: a title, a sentence, and headings with the full names below them."""

    title: str
    text: str
    sections: dict[str, list[str]]


def _of(module: str, *names: str) -> list[str]:
    """Return full names: those given, or all public names of a module."""
    return [f"{module}.{name}" for name in names or sorted(importlib.import_module(module).__all__)]


def topics() -> dict[str, Topic]:
    """Return the topics by the names of their pages."""
    contract = importlib.import_module("skdeep.contract")
    records = [name for name in contract.__all__ if name not in importlib.import_module("skdeep").__all__]
    errors = importlib.import_module("skdeep.errors")
    error_names = [
        name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, Exception)
    ]
    return {
        "estimators": Topic(
            "Estimators",
            "Every estimator has the methods of scikit-learn's estimators. :doc:`/getting_started` says which one suits which data.",
            {
                "Networks for arrays": _of("skdeep", "DeepClassifier", "DeepRegressor", "DeepAutoencoder"),
                "Networks for tables": _of("skdeep", "TabularClassifier", "TabularRegressor"),
                "Networks for texts": _of("skdeep", "SequenceGenerator"),
                "scikit-learn's perceptrons": _of("skdeep", "MLPClassifier", "MLPRegressor"),
                "Inputs, and many fits": _of("skdeep", "Inputs", "fit_many"),
                "Tables of networks": _of("skdeep.view.summary", "NetworkSummary"),
            },
        ),
        "models": Topic(
            "Models, checkpoints and programs",
            "Save models, continue fits, and count or keep compiled programs.",
            {
                "Saved models": _of("skdeep", "save", "load", "inspect", "trusted_types"),
                "Checkpoints": _of("skdeep", "Checkpoint"),
                "Compiled programs": _of(
                    "skdeep", "compile_counts", "clear_cache", "enable_compile_cache", "disable_compile_cache"
                ),
            },
        ),
        "networks": Topic(
            "Networks and layers",
            "The parameter ``network`` takes a network, a list of layers, or their names. :doc:`/components` lists the names.",
            {"Networks": _of("skdeep.networks"), "Layers": _of("skdeep.layers")},
        ),
        "training": Topic(
            "Losses, optimizers, schedules and augmentations",
            "The components of a training, for the parameters of the same names. :doc:`/components` lists their names.",
            {
                "Losses": _of("skdeep.losses"),
                "Optimizers": _of("skdeep.optimizers"),
                "Schedules": _of("skdeep.schedules"),
                "Augmentations": _of("skdeep.augmentations"),
            },
        ),
        "callbacks": Topic(
            "Callbacks",
            "Objects for ``set_callbacks`` of scikit-learn 1.9 and newer. The guide is :doc:`/callbacks`.",
            {"Callbacks": _of("skdeep.callbacks")},
        ),
        "display": Topic(
            "Displays",
            "Plots of fitted estimators and searches. The guide is :doc:`/displays`.",
            {"Displays": _of("skdeep.display")},
        ),
        "writing": Topic(
            "Base classes of components",
            "Subclass these to write components of your own. The guide is :doc:`/plugins`.",
            {
                "Base classes": _of("skdeep", "Loss", "Optimizer", "Schedule", "Layer", "Network", "Augmentation"),
                "Fields and modules": _of("skdeep", "Component", "static", "Module"),
                "Networks as functions": _of("skdeep", "NetworkFunctions", "network_functions", "InputSpec"),
                "Names": _of("skdeep", "register", "unregister", "PLUGIN_API"),
                "Records and functions for authors": _of("skdeep.contract", *records),
            },
        ),
        "plugins": Topic(
            "Plugins and checks",
            "List and describe components, and check those that you write. The guide is :doc:`/plugins`.",
            {"Installed components": _of("skdeep.plugins"), "Contract checks": _of("skdeep.testing")},
        ),
        "errors": Topic(
            "Errors and warnings",
            "The exceptions of ``skdeep.errors``. All other errors are those of scikit-learn, such as ``ValueError`` for invalid data.",
            {"Errors and warnings": _of("skdeep.errors", *error_names)},
        ),
    }


def documented() -> list[str]:
    """Return the full names in the reference."""
    return [name for topic in topics().values() for name in _names(topic)]


def _names(topic: Topic) -> list[str]:
    return [name for names in topic.sections.values() for name in names]


def _have_methods() -> set[str]:
    """Return the classes whose pages describe methods. Built-in components have those of their base classes."""
    found = topics()
    return {
        name
        for page in ("estimators", "models", "callbacks", "display", "writing", "plugins")
        for name in _names(found[page])
    }


def api_pages() -> dict[str, str]:
    """Return the text of each page of the reference by its path in the site."""
    pages = {f"api/{page}.rst": _topic_page(topic) for page, topic in topics().items()}
    rows = "\n".join(f"   {page}" for page in topics())
    summary = "\n\n".join(f":doc:`{page}`\n   {topic.text}" for page, topic in topics().items())
    have_methods = _have_methods()
    pages |= {f"api/generated/{name}.rst": _object_page(name, name in have_methods) for name in documented()}
    pages["api/index.rst"] = f"{_heading('API reference', '=')}\n{summary}\n\n.. toctree::\n   :hidden:\n\n{rows}\n"
    return pages


def _topic_page(topic: Topic) -> str:
    parts = [f"{_heading(topic.title, '=')}\n{topic.text}\n"]
    for title, names in topic.sections.items():
        rows = "\n".join(f"   ~{name}" for name in names)
        heading = f"{_heading(title, '-')}\n" if len(topic.sections) > 1 else ""
        parts.append(f"{heading}.. autosummary::\n   :toctree: generated\n   :nosignatures:\n\n{rows}\n")
    return "\n".join(parts)


def _object_page(name: str, has_methods: bool) -> str:
    module, _, short = name.rpartition(".")
    value = getattr(importlib.import_module(module), short)
    directive = _directive(value)
    members = "   :members:\n   :inherited-members:\n" if has_methods and directive == "autoclass" else ""
    examples = f".. minigallery:: {name}\n   :add-heading: Examples with {short}\n   :heading-level: -\n"
    return f"{_heading(short, '=')}\n.. currentmodule:: {module}\n\n.. {directive}:: {short}\n{members}\n{examples}"


def _directive(value: object) -> str:
    if isinstance(value, type):
        return "autoexception" if issubclass(value, Exception) else "autoclass"
    return "autofunction" if inspect.isfunction(value) else "autodata"


def _heading(title: str, line: str) -> str:
    return f"{title}\n{line * len(title)}\n"
