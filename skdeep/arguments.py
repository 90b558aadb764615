"""Which of the arguments that are at hand a function takes: so that a contract can offer more than authors name."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any


def arguments_for(function: Callable[..., Any], **offered: Any) -> dict[str, Any]:
    """Return the offered arguments that a function takes by name; all of them if it takes `**` any.

    A parameter whose default is anything but None is the function's own, and stays as it is.

    Examples
    --------
    >>> from skdeep.contract import arguments_for
    >>> def decay(progress, n_steps):
    ...     return 1 / n_steps
    >>> arguments_for(decay, step=3, n_steps=10)
    {'n_steps': 10}
    """
    parameters = _parameters(function)
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return offered
    named = {p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY) and _is_open(p)}
    return {name: value for name, value in offered.items() if name in named}


def arguments_after(first: Any, function: Callable[..., Any], **offered: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the positional and the named arguments of a function that takes `first`, and offered arguments by name.

    One whose first parameter has the name of an offered argument is not given `first`.
    """
    parameters = _parameters(function)
    is_left_out = bool(parameters) and parameters[0].name in offered and _is_open(parameters[0])
    return () if is_left_out else (first,), arguments_for(function, **offered)


def _is_open(parameter: inspect.Parameter) -> bool:
    return parameter.default is parameter.empty or parameter.default is None


def _parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):  # some built-in functions have no signature
        return []
