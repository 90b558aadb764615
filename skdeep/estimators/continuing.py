"""Whether training can go on from an earlier fit: `warm_start`, and `partial_fit` after its first call."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import numpy as np

from skdeep.component import Component, components_in
from skdeep.contract import Loss
from skdeep.core.raw import by_name, raw_widths
from skdeep.estimators.resolve import Resolved
from skdeep.records import TrainState


class Form:
    """The shapes and types of parameters and model state, by path."""

    def __init__(self, params: Any, model_state: Any) -> None:
        leaves, _ = jax.tree_util.tree_flatten_with_path({"params_": params, "model_state_": model_state})
        named = {jax.tree_util.keystr(path, simple=True, separator="/"): leaf for path, leaf in leaves}
        self.shapes: dict[str, tuple[int, ...]] = {path: np.shape(leaf) for path, leaf in named.items()}
        self.types: list[np.dtype[Any]] = [leaf.dtype for leaf in named.values()]


def same_form(owner: str, form: Form, params: Any, model_state: Any) -> tuple[Any, Any]:
    """Return `params_` and `model_state_`, which a user may have edited, in the types that training left.

    Raises
    ------
    ValueError
        If a parameter is missing, new or of another shape than training left; the message names the first one.
    """
    leaves, tree = jax.tree.flatten({"params_": params, "model_state_": model_state})
    if [np.shape(leaf) for leaf in leaves] != list(form.shapes.values()):
        path, then, now = _first_difference(form.shapes, Form(params, model_state).shapes)
        raise ValueError(
            f"{owner} cannot go on from edited parameters: {path} {_described(now)}, but training left one that "
            f"{_described(then)}. Keep the shapes, or fit a clone."
        )
    typed = [np.asarray(leaf, dtype) for leaf, dtype in zip(leaves, form.types, strict=True)]
    both = jax.tree.unflatten(tree, typed)
    return both["params_"], both["model_state_"]


def check_continues(owner: str, previous: tuple[Any, Any], fresh: TrainState) -> None:
    """Raise ValueError unless earlier parameters and model state have the form that the network has now.

    Raises
    ------
    ValueError
        If a parameter is missing, new or of another shape; the message names the first one.
    """
    earlier, now = Form(*previous).shapes, Form(fresh.params, fresh.model_state).shapes
    if earlier == now:
        return
    path, before, after = _first_difference(earlier, now)
    raise ValueError(
        f"warm_start=True goes on from the parameters of the last fit, but {path} {_described(before)} there, and "
        f"{_described(after)} now. Fit the same network on data of the same form, or set "
        f"warm_start=False, so that {owner} begins anew."
    )


def check_same_target(before: Any, now: Any) -> None:
    """Raise ValueError if a warm start would go on over other classes or another kind of target.

    Parameters
    ----------
    before, now : Encoding
        That of the last fit, and that of the new data.
    """
    if before.task.kind != now.task.kind:
        raise ValueError(
            "warm_start can only be used where `y` is of the same kind as in the previous call to fit. "
            f"Previously got {before.task.kind} targets, `y` has {now.task.kind} ones. Set warm_start=False, or fit a clone."
        )
    classes: list[Any] = [getattr(getattr(encoding, "target", None), "classes", None) for encoding in (before, now)]
    if classes[0] is not None and not np.array_equal(classes[0], classes[1]):
        raise ValueError(
            "warm_start can only be used where `y` has the same classes as in the previous call to fit. "
            f"Previously got {classes[0]}, `y` has {classes[1]}. Set warm_start=False, or fit a clone."
        )


def check_same_demands(before: Loss, loss: Loss) -> None:
    """Raise ValueError if a warm start would read raw outputs otherwise than the last fit, whose loss was `before`."""
    if _demands(before) != _demands(loss):
        then, now = (_worded(part) for part in (before, loss))
        raise ValueError(
            f"warm_start=True goes on from the parameters of the last fit, whose raw outputs served the loss {type(before).__name__} "
            f"({then}), but the loss {type(loss).__name__} has {now}. Set warm_start=False, or fit a clone."
        )


def check_same_components(estimator: Any, resolved: Resolved) -> None:
    """Raise ValueError if components have changed so that `partial_fit` cannot go on from its earlier calls.

    Numbers of components may change, the structure of the network may not. Another loss must bring y to the same
    scale, and need as many raw outputs. Another optimizer or schedule may always be set.

    Parameters
    ----------
    estimator : DeepEstimator
        Fitted; its parameters may have changed since.
    resolved : Resolved
        The components that the parameters stand for now.
    """
    owner = type(estimator).__name__
    cure = "Set it back, or fit a clone."
    different = structural_difference(estimator.network_, resolved.network)
    if different is not None:
        raise ValueError(
            f"partial_fit of {owner} goes on with the network of the fit before, but {different[0] or 'the network'} was "
            f"{different[1]!r} there and is {different[2]!r} now. {cure}"
        )
    before, loss = estimator.loss_, resolved.loss
    n_raw, known = by_name(raw_widths(loss, estimator._task)), by_name(estimator._model.n_raw)
    if n_raw != known:
        raise ValueError(
            f"partial_fit of {owner} goes on with the network of the fit before, which has {known} raw outputs "
            f"for the loss {type(before).__name__}, but the loss {type(loss).__name__} needs {n_raw}. {cure}"
        )
    if _demands(before) != _demands(loss):
        then, now = (_worded(part) for part in (before, loss))
        raise ValueError(
            f"partial_fit of {owner} keeps the scale that y was brought to by the fit before, for the loss {type(before).__name__} "
            f"({then}), but the loss {type(loss).__name__} has {now}. {cure}"
        )


def structural_difference(before: Any, now: Any, path: str = "", is_data: bool = False) -> tuple[str, Any, Any] | None:
    """Return path and both values of the first place where two components differ in structure, or None.

    Traced numbers (`is_data`) may differ. Functions of the same importable name are the same.
    """
    pairs: list[tuple[str, Any, Any, bool]]
    if isinstance(before, Component) and type(before) is type(now):
        names = [field.name for field in dataclasses.fields(before)]  # type: ignore[arg-type]  # every component is one
        start = f"{path}__" if path else ""
        pairs = [
            (f"{start}{name}", getattr(before, name), getattr(now, name), name in before._data_fields) for name in names
        ]
    elif isinstance(before, tuple) and isinstance(now, tuple) and len(before) == len(now):
        pairs = [(f"{path}[{i}]", *values, is_data) for i, values in enumerate(zip(before, now, strict=True))]
    elif is_data and not any(isinstance(value, Component | tuple | None) for value in (before, now)):
        return None
    else:
        return None if _is_same(before, now) else (path, before, now)
    differences = (structural_difference(then, after, name, data) for name, then, after, data in pairs)
    return next((found for found in differences if found is not None), None)


def _is_same(before: Any, now: Any) -> bool:
    if isinstance(before, bool) is isinstance(now, bool) and bool(before == now):
        return True
    names = [(getattr(value, "__module__", None), getattr(value, "__qualname__", "<none>")) for value in (before, now)]
    return names[0] == names[1] and "<" not in names[0][1]


def _demands(loss: Loss) -> list[tuple[str, str]]:
    """Return the scale and domain that a loss, and a loss inside it, asks for."""
    return [(part.scaling, part.domain) for part in components_in(loss) if isinstance(part, Loss)]


def _worded(loss: Loss) -> str:
    return ", ".join(f"scaling={scaling!r} and domain={domain!r}" for scaling, domain in _demands(loss))


def _first_difference(before: dict[str, Any], now: dict[str, Any]) -> tuple[str, Any, Any]:
    path = next(path for path in [*now, *before] if before.get(path) != now.get(path))
    return path, before.get(path), now.get(path)


def _described(shape: tuple[int, ...] | None) -> str:
    return "is absent" if shape is None else f"has shape {shape}"
