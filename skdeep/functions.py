"""A network, whatever it is made of, as pure functions: for components that run one inside."""

from __future__ import annotations

from typing import Any

from skdeep.contract import NetworkFunctions


def network_functions(network: Any, in_shape: Any, n_outputs: Any) -> NetworkFunctions:
    """Return a network as pure functions, for a network that runs another one inside; to be called in `build`.

    Parameters
    ----------
    network : Network, str, list, flax.linen.Module or callable
        All that `DeepClassifier(network=...)` takes: a component or its name, a list of layers, a linen module, an NNX
        factory `f(in_shape, n_outputs, rngs)`.
    in_shape : tuple of int, or dict of {str: InputSpec}
        Shape of a row, or the inputs by name.
    n_outputs : int, or dict of {str: int}
        The width of the output, or widths by name; the output is then a dict of arrays.

    Returns
    -------
    NetworkFunctions
        `init(key, x) -> (params, model_state)` and
        `apply(params, model_state, x, train, key, row_mask) -> (output, model_state)`. Both are traced: call them from the
        functions of the outer network only. Keys are JAX's typed keys; give each inner network one of its own, by
        `jax.random.split`. The key of `apply` is None if it is not training. The outer network keeps params and model state
        of the inner one inside its own.

    Raises
    ------
    UnknownComponentError, TypeError
        If a name is unknown, or the object is no network.
    ValueError
        From `apply`, if the network returns another shape.

    Examples
    --------
    A network beside a line, with a field that any network fits in:

    >>> import jax.numpy as jnp
    >>> import skdeep
    >>> from skdeep.networks import MLP
    >>> class BesideALine(skdeep.Network):
    ...     inner: skdeep.Network = MLP(widths=(32,))
    ...     def build(self, in_shape, n_outputs):
    ...         inner = skdeep.network_functions(self.inner, in_shape, n_outputs)
    ...         def init(key, x):
    ...             params, model_state = inner.init(key, x)
    ...             return {"inner": params, "line": jnp.zeros((in_shape[0], n_outputs), x.dtype)}, model_state
    ...         def apply(params, model_state, x, train, key, row_mask):
    ...             raw, model_state = inner.apply(params["inner"], model_state, x, train, key, row_mask)
    ...             return raw + x @ params["line"], model_state
    ...         return skdeep.NetworkFunctions(init, apply)
    ...     def check_rows(self, x):
    ...         self.inner.check_rows(x)
    >>> model = skdeep.DeepRegressor(network=BesideALine(), max_epochs=2, tol=None)
    >>> model.set_params(network__inner__widths=(8, 8)).fit(jnp.eye(4), jnp.arange(4.0)).params_["line"].shape
    (4, 1)
    """
    from skdeep.core.network import functions_of
    from skdeep.estimators.resolve import resolve, with_components

    component = with_components(resolve("network", network)[1])
    return functions_of(component, in_shape, n_outputs, "the network around it")
