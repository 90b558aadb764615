"""Check that training can continue from an earlier fit: `warm_start`, and `partial_fit` after its first call."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import numpy as np

from skdeep.component import Component, components_in
from skdeep.contract import Loss
from skdeep.core.one_hot import without_one_hot
from skdeep.core.raw import by_name, raw_widths
from skdeep.estimators.resolve import Resolved
from skdeep.records import TrainState


class Form:
    """The shapes and types of parameters and model state, by path."""

    def __init__(self, params: Any, model_state: Any) -> None:
        leaves, _ = jax.tree_util.tree_flatten_with_path({"params_": params, "model_state_": model_state})
        named = {jax.tree_util.keystr(path, simple=True, separator="/"): leaf for path, leaf in leaves}
        self.shapes: dict[str, tuple[int, ...]] = {path: np.shape(leaf) for path, leaf in named.items()}
        self.types: list[str] = [str(leaf.dtype) for leaf in named.values()]


def same_form(owner: str, form: Form, params: Any, model_state: Any) -> tuple[Any, Any]:
    """Return `params_` and `model_state_`, which a user may have edited, in the dtypes that they had after training.

    Raises
    ------
    ValueError
        If a parameter is missing, new, or has another shape than after training; the message names the first one.
    """
    leaves, tree = jax.tree.flatten({"params_": params, "model_state_": model_state})
    if [np.shape(leaf) for leaf in leaves] != list(form.shapes.values()):
        path, then, now = _first_difference(form.shapes, Form(params, model_state).shapes)
        raise ValueError(
            f"{owner} cannot continue from edited parameters: {path} {_described(now)}, but the trained one "
            f"{_described(then)}. Keep the shapes, or fit a clone."
        )
    typed = [np.asarray(leaf, dtype) for leaf, dtype in zip(leaves, form.types, strict=True)]
    both = jax.tree.unflatten(tree, typed)
    return both["params_"], both["model_state_"]


def check_continues(owner: str, previous: tuple[Any, Any], fresh: TrainState) -> None:
    """Raise ValueError unless earlier parameters and model state have the names and shapes of the new ones.

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
        f"warm_start=True continues from the parameters of the last fit, but {path} {_described(before)} there, and "
        f"{_described(after)} now. Fit the same network on data of the same shape, or set warm_start=False to train "
        f"{owner} from new parameters."
    )


def check_same_target(before: Any, now: Any) -> None:
    """Raise ValueError if a warm start got other classes or another kind of target than the last fit.

    Parameters
    ----------
    before, now : Encoding
        The encodings of the last fit and of the new data.
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
    """Raise ValueError if a warm start's loss has another scaling or domain of y than the last fit's, `before`."""
    if _demands(before) != _demands(loss):
        then, now = (_worded(part) for part in (before, loss))
        raise ValueError(
            f"warm_start=True continues from the parameters of the last fit, which served the loss {type(before).__name__} "
            f"({then}), but the loss {type(loss).__name__} has {now}. Set warm_start=False, or fit a clone."
        )


def check_same_components(estimator: Any, resolved: Resolved) -> None:
    """Raise ValueError if components have changed so that `partial_fit` cannot continue from the earlier fit.

    The traced numbers of the network may change; its structure may not. Another loss must have the same scaling and
    domain of y, and as many raw outputs. Any optimizer and schedule may be set.

    Parameters
    ----------
    estimator : DeepEstimator
        Fitted; its parameters may have changed since.
    resolved : Resolved
        The components that the parameters stand for now.
    """
    owner = type(estimator).__name__
    cure = "Set it back, or fit a clone."
    different = structural_difference(estimator.network_, without_one_hot(resolved.network))
    if different is not None:
        raise ValueError(
            f"partial_fit of {owner} continues with the network of the earlier fit, but {different[0] or 'the network'} was "
            f"{different[1]!r} then and is {different[2]!r} now. {cure}"
        )
    before, loss = estimator.loss_, resolved.loss
    n_raw, known = by_name(raw_widths(loss, estimator._task)), by_name(estimator._model.n_raw)
    if n_raw != known:
        raise ValueError(
            f"partial_fit of {owner} continues with the network of the earlier fit, which has {known} raw outputs "
            f"for the loss {type(before).__name__}, but the loss {type(loss).__name__} needs {n_raw}. {cure}"
        )
    if _demands(before) != _demands(loss):
        then, now = (_worded(part) for part in (before, loss))
        raise ValueError(
            f"partial_fit of {owner} keeps the scale of y from the earlier fit, chosen for the loss {type(before).__name__} "
            f"({then}), but the loss {type(loss).__name__} has {now}. {cure}"
        )


def structural_difference(before: Any, now: Any, path: str = "", is_data: bool = False) -> tuple[str, Any, Any] | None:
    """Return the path and both values of the first difference in structure between two components, or None.

    Traced numbers (`is_data`) may differ. Two functions with the same importable name count as equal.
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
    """Return the scaling and the domain of a loss, and of each loss inside it."""
    return [(part.scaling, part.domain) for part in components_in(loss) if isinstance(part, Loss)]


def _worded(loss: Loss) -> str:
    return ", ".join(f"scaling={scaling!r} and domain={domain!r}" for scaling, domain in _demands(loss))


def _first_difference(before: dict[str, Any], now: dict[str, Any]) -> tuple[str, Any, Any]:
    path = next(path for path in [*now, *before] if before.get(path) != now.get(path))
    return path, before.get(path), now.get(path)


def _described(shape: tuple[int, ...] | None) -> str:
    return "is absent" if shape is None else f"has shape {shape}"
