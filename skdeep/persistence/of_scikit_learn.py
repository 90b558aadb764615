"""The objects of scikit-learn that a model file may hold: splitters, scorers of its own metrics, and metadata requests."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import sklearn.metrics
import sklearn.model_selection

from skdeep.errors import CorruptModelError, ModelMismatchError
from skdeep.persistence.records import SPLITTERS

REQUESTS = "_metadata_request"
"""The attribute of an estimator with the requests of `set_fit_request` and similar methods."""

_FIRST = (["y_true"], ["labels_true"], ["y1"])
_RESPONSES = ("predict", "predict_proba", "decision_function")
_METHODS = (
    "fit",
    "partial_fit",
    "predict",
    "predict_proba",
    "predict_log_proba",
    "decision_function",
    "score",
    "split",
    "transform",
    "inverse_transform",
)


@functools.cache
def metrics() -> Mapping[str, Callable[..., Any]]:
    """Return scikit-learn's functions of true and predicted values, by name: public ones, and those of scorers with names."""
    functions = {name: getattr(sklearn.metrics, name) for name in sklearn.metrics.__all__}
    scorers = map(sklearn.metrics.get_scorer, sklearn.metrics.get_scorer_names())
    functions.update({scorer._score_func.__name__: scorer._score_func for scorer in scorers})
    return {name: f for name, f in functions.items() if inspect.isfunction(f) and _arguments(f)[:1] in _FIRST}


def arguments_of_splitter(splitter: Any) -> dict[str, Any] | None:
    """Return the arguments of a splitter's constructor, from its attributes as scikit-learn's `repr` does.

    None for other objects, and for splitters with metadata requests.
    """
    cls = type(splitter)
    is_known = cls.__module__.startswith("sklearn.model_selection") and cls.__name__ in SPLITTERS
    if not is_known or REQUESTS in vars(splitter):
        return None
    parameters = inspect.signature(cls.__init__).parameters.values()
    names = [p.name for p in parameters if p.name != "self" and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    inner = vars(splitter).get("cvargs", {})
    return {name: getattr(splitter, name, inner.get(name)) for name in names}


def splitter_named(name: Any, arguments: dict[str, Any]) -> Any:
    """Return a splitter from the name of its class and its arguments; raise ModelMismatchError if there is no such class."""
    if not isinstance(name, str) or name not in SPLITTERS:
        raise ModelMismatchError(f"The file names the splitter {str(name)[:80]!r}, which model files do not hold.")
    return getattr(sklearn.model_selection, name)(**arguments)


def parts_of_scorer(scorer: Any) -> dict[str, Any] | None:
    """Return the arguments of `make_scorer` that make an equal scorer, with the name of the metric.

    None for other objects, and for scorers with a function that is not scikit-learn's, with arguments that are not plain, or
    with metadata requests.
    """
    state = vars(scorer) if type(scorer) is _scorer_class() else {}
    if state.keys() != {"_score_func", "_sign", "_kwargs", "_response_method"}:
        return None
    name = getattr(state["_score_func"], "__name__", "")
    if metrics().get(name) is not state["_score_func"]:
        return None
    parts = {
        "score_func": name,
        "response_method": state["_response_method"],
        "greater_is_better": state["_sign"] > 0,
        **state["_kwargs"],
    }
    return parts if _fault_of_scorer(parts) is None else None


def scorer_from(parts: dict[str, Any]) -> Any:
    """Return a scorer from parts as `parts_of_scorer` returns them; raise ModelMismatchError if they are invalid."""
    if fault := _fault_of_scorer(parts):
        raise ModelMismatchError(f"The file holds a scorer with {fault}.")
    return sklearn.metrics.make_scorer(**{**parts, "score_func": metrics()[parts["score_func"]]})


def requests_of(estimator: Any) -> dict[str, dict[str, Any]]:
    """Return the metadata requests of an estimator that its user has set, by method and argument."""
    if REQUESTS not in vars(estimator):
        return {}
    found = estimator._get_metadata_request()
    return {method: dict(requests) for method in _METHODS if (requests := getattr(found, method).requests)}


def set_requests(estimator: Any, requests: Any) -> None:
    """Set the metadata requests of an estimator.

    Raises
    ------
    CorruptModelError
        If they are no dict of dicts.
    ModelMismatchError
        If the estimator has no such method or argument, or a value is neither a name nor True, False or None.
    """
    if not isinstance(requests, dict) or not all(isinstance(part, dict) for part in requests.values()):
        raise CorruptModelError("The file has malformed metadata requests.")
    found = estimator._get_metadata_request()
    for method, values in requests.items():
        known = getattr(found, method) if method in _METHODS else None
        for argument, value in values.items():
            if known is None or argument not in known.requests:
                raise ModelMismatchError(
                    f"The file requests {argument[:40]!r} for {method[:40]!r}, which {type(estimator).__name__} does not take."
                )
            if not (value is None or isinstance(value, bool) or (isinstance(value, str) and value.isidentifier())):
                raise ModelMismatchError(f"The file requests {argument!r} in an invalid way: {str(value)[:40]!r}.")
            known.add_request(param=argument, alias=value)
    setattr(estimator, REQUESTS, found)


def _fault_of_scorer(parts: dict[str, Any]) -> str | None:
    """Return what is wrong with the parts of a scorer, None if they are valid."""
    name, response = parts.get("score_func"), parts.get("response_method")
    if not isinstance(name, str) or name not in metrics():
        return f"the function {str(name)[:40]!r}, which is no metric of scikit-learn"
    responses = response if isinstance(response, list | tuple) else [response]
    if not responses or not all(isinstance(method, str) and method in _RESPONSES for method in responses):
        return f"the method {str(response)[:40]!r}"
    if not isinstance(parts.get("greater_is_better"), bool):
        return "no direction"
    given = parts.keys() - {"score_func", "response_method", "greater_is_better"}
    if unknown := sorted(given - set(_arguments(metrics()[name])[2:])):
        return f"the argument {unknown[0][:40]!r}, which {name} does not take"
    if odd := sorted(argument for argument in given if not _is_plain(parts[argument])):
        return f"a value for {odd[0]!r} that is not plain"
    return None


def _is_plain(value: Any) -> bool:
    if type(value) in (list, tuple):
        return all(map(_is_plain, value))
    return value is None or type(value) in (bool, int, float, str) or isinstance(value, np.number | np.bool_ | np.str_)


def _arguments(function: Callable[..., Any]) -> list[str]:
    return list(inspect.signature(function).parameters)


@functools.cache
def _scorer_class() -> type:
    return type(sklearn.metrics.make_scorer(sklearn.metrics.accuracy_score))
