"""Search for the KAN layers of a fitted estimator.

The network is run and its calls are intercepted, so that layers are found at any depth of nesting.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted, validate_data


class FoundLayer(NamedTuple):
    """A KAN layer of a running network: its module, its parameters and its input `x`.

    `takes_rows` is True if the input is the network's, `makes_raw` if the output is the network's.
    """

    module: Any
    params: dict[str, Any]
    x: Any
    takes_rows: bool
    makes_raw: bool

    @property
    def n_inputs(self) -> int:
        return int(self.params["base"].shape[0])


def split_pipeline(estimator: Any) -> tuple[Any, Pipeline | None]:
    """Return the estimator with the network, and the steps before it, or None if there are none."""
    model, steps = estimator, None
    if isinstance(estimator, Pipeline):
        model, steps = estimator[-1], estimator[:-1] if len(estimator) > 1 else None
    if not isinstance(model, BaseEstimator) or not hasattr(model, "network"):
        raise TypeError(
            f"The estimator must be a DeepClassifier or DeepRegressor, or a Pipeline that ends in one. Got {model!r} instead."
        )
    check_is_fitted(model)
    return model, steps


def find_layer(model: Any, layer: int) -> FoundLayer:
    """Return the KAN layer with this index, in the order of application. The network is traced, not run."""
    import jax

    found: list[FoundLayer] = []
    row = np.zeros((1, *model.input_shape_), np.float32)
    jax.eval_shape(lambda x: found.extend(_run(model, x)), row)  # only x is traced: the parameters remain arrays
    if not found:
        raise ValueError(
            f"The network {model.network_} has no KAN layer. Use the network 'kan', or a list of layers that contains 'kan'."
        )
    n = len(found)
    if not -n <= layer < n:
        raise ValueError(
            f"The 'layer' parameter must be in [{-n}, {n}), since the network has {n} KAN layers. Got {layer!r} instead."
        )
    return found[layer]


def _run(model: Any, x: Any) -> list[FoundLayer]:
    """Run the network in inference mode, and return its KAN layers in the order of application."""
    import flax.linen as nn
    import jax.numpy as jnp

    from skdeep.contract import call_arguments
    from skdeep_kan.modules import EdgeSum

    met: list[tuple[Any, Any, Any, Any]] = []

    def notice(call: Any, arguments: Any, keywords: Any, context: Any) -> Any:
        output = call(*arguments, **keywords)
        if isinstance(context.module, EdgeSum) and context.method_name == "__call__":
            met.append((context.module, context.module.variables["params"], arguments[0], output))
        return output

    module = model.network_.build(model.input_shape_, model.n_outputs_)
    if not isinstance(module, nn.Module):
        raise TypeError(
            f"The network must be a linen module, since KAN layers are linen modules. Got {model.network_} instead."
        )
    variables = {"params": model.params_, **model.model_state_}
    with nn.intercept_methods(notice):
        raw = module.apply(variables, x, **call_arguments(module, False, jnp.ones(x.shape[0], x.dtype)))
    return [FoundLayer(m, params, inner, inner is x, output is raw) for m, params, inner, output in met]


def values_seen(model: Any, steps: Pipeline | None, layer: int, X: Any) -> np.ndarray:
    """Return the layer's input for the rows of X, `(rows, inputs)`."""
    import jax

    X = X if steps is None else steps.transform(X)
    X = validate_data(model, X, reset=False, accept_sparse="csr", dtype=np.float32, allow_nd=True)
    rows = (X.toarray() if hasattr(X, "toarray") else X).reshape(-1, *model.input_shape_)
    seen = np.asarray(jax.jit(lambda x: _run(model, x)[layer].x)(rows), np.float64)
    return seen.reshape(-1, seen.shape[-1])
