"""Check that a loaded estimator is consistent, by tracing its network without computing anything."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from sklearn.frozen import FrozenEstimator

from skdeep.component import components_in
from skdeep.config import Model
from skdeep.core.encoding import Encoding
from skdeep.core.inputs import example_of
from skdeep.core.network import functions_of
from skdeep.core.random import wrap_key
from skdeep.core.raw import hashable
from skdeep.core.text_encoding import TextEncoding
from skdeep.errors import ModelMismatchError
from skdeep.estimators.continuing import Form
from skdeep.persistence.records import fits

_SMALL, _FEW = 1024, 64
_DEPTHS = ("n_layers", "n_blocks")


def check_shapes(estimator: Any) -> None:
    """Check an estimator, and those inside it.

    No integer of the network may be larger than the number of its parameters, unless it is at most 1,024: layers cannot have more units.
    It cannot have more layers than arrays.

    Parameters
    ----------
    estimator : estimator of skdeep

    Raises
    ------
    ModelMismatchError
        If the parameters have other names or shapes than the network's, or the network does not fit the encoding or the loss.
    """
    try:
        _check(estimator)
    except ModelMismatchError:
        raise
    except Exception as err:  # of malformed attributes, which are of any type
        raise ModelMismatchError(
            f"The file holds no complete {type(estimator).__name__}: {type(err).__name__}: {err}"
        ) from err


def _check(estimator: Any) -> None:
    for inner in _estimators_in(estimator):
        _check(inner)
    state = vars(estimator)
    if "_model" not in state:
        return
    model, encoding = state["_model"], state.get("_encoding")
    if not isinstance(model, Model) or not isinstance(encoding, Encoding | TextEncoding):
        raise ModelMismatchError(f"The file holds no complete {type(estimator).__name__}.")
    shapes = list(encoding.columns.values()) if isinstance(encoding.columns, dict) else [encoding.columns]
    if not all(fits(shape, tuple[int, ...]) for shape in shapes):
        raise ModelMismatchError("The file's encoding has no valid shape of rows.")
    if "estimators_" not in state:
        _check_sizes(model, jax.tree.leaves((estimator.params_, estimator.model_state_)))
    loss = state.get("_loss", state.get("loss_"))
    if model.in_shape != encoding.in_shape or model.n_raw != hashable(loss.n_raw(encoding.task)):
        raise ModelMismatchError("The file's network does not fit its encoding or its loss.")
    if "estimators_" not in state:
        _check_params(model, estimator.params_, estimator.model_state_)


def _estimators_in(estimator: Any) -> Iterator[Any]:
    yield from vars(estimator).get("estimators_", ())
    if isinstance(frozen := vars(estimator).get("pretrain"), FrozenEstimator):
        yield frozen.estimator


def _check_sizes(model: Model, arrays: list[Any]) -> None:
    n_values = max(_SMALL, sum(array.size for array in arrays))
    for component in components_in(model):
        for name in component._structure_fields:
            value = getattr(component, name)
            is_too_deep = (name in _DEPTHS and value > len(arrays)) or _longest_in(value) > len(arrays) + _FEW
            if is_too_deep or _largest_in(value) > n_values:
                raise ModelMismatchError(
                    f"The file's {type(component).__name__} has {name}={str(value)[:80]}, but too few parameters for that."
                )


def _largest_in(value: Any) -> int:
    if isinstance(value, tuple):
        return max(map(_largest_in, value), default=0)
    return abs(value) if isinstance(value, int) else 0


def _longest_in(value: Any) -> int:
    return max([len(value), *map(_longest_in, value)]) if isinstance(value, tuple) else 0


def _check_params(model: Model, params: Any, model_state: Any) -> None:
    """Raise ModelMismatchError if parameters or model state have other names or shapes than those of the network."""

    def init() -> Any:
        functions = functions_of(model.network, model.in_shape, model.n_raw)
        return functions.init(wrap_key(jnp.zeros(2, "uint32")), example_of(model.in_shape, 1, np.float32))

    try:
        fresh = jax.eval_shape(init)
    except Exception as err:  # the network's own code, with the file's sizes
        raise ModelMismatchError(f"The file's network cannot be built: {err}") from err
    wanted, found = Form(*fresh).shapes, Form(params, model_state).shapes
    if wanted != found:
        name = min(wanted.items() ^ found.items())[0]
        raise ModelMismatchError(
            f"The array {name!r} has the shape {found.get(name)} in the file, but {wanted.get(name)} in the network {model.network}."
        )
