"""A network of several inputs: one network per input, whose outputs are joined."""

from __future__ import annotations

from typing import Any, ClassVar

from skdeep.component import Component
from skdeep.contract import Network, NetworkFunctions
from skdeep.layers.fields import check_positive
from skdeep.networks.convolutional import CNN
from skdeep.networks.dense import MLP
from skdeep.records import InputSpec

ONLY = "x"
"""The name of the input if X is one array."""


class Branch(Component):
    """The network of one input of `Branches`.

    Parameters
    ----------
    name : str
        The name of the input.
    network : Network
        Gets the rows of this input: one array, or for a table with categories the columns of numbers and one-hot columns.
    features : int, default=64
        Number of its outputs.

    Examples
    --------
    >>> from skdeep.networks import CNN, Branch
    >>> Branch("image", CNN(widths=(16, 32))).features
    64
    """

    name: str
    network: Network
    features: int = 64

    def check_fields(self) -> None:
        check_positive(self, "features")


class Branches(Network):
    """A network of several inputs by name: one network per input, then a network on all their outputs.

    The outputs of the branches are joined. An input without a `Branch` gets one by the shape of its rows:
    `CNN` for images `(height, width, channels)` and for sequences `(time, features)`, `MLP` for columns of numbers. An input of
    ids needs a `Branch`, such as `Branch("tokens", LSTM(n_tokens=1000))`.

    Parameters are `{name: ..., "head": ...}`, with the names of the inputs. An X of one array is an input "x".

    Parameters
    ----------
    branches : tuple of Branch, default=()
    head : Network
        Gets the joined outputs of the branches, and returns the raw outputs; by default `MLP(widths=(64,))`.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeep import DeepClassifier, Inputs
    >>> X = Inputs(image=np.zeros((6, 8, 8, 1)), table=np.arange(12.0).reshape(6, 2))
    >>> model = DeepClassifier(network="branches", max_epochs=2, tol=None).fit(X, [0, 1, 0, 1, 0, 1])
    >>> sorted(model.params_)
    ['head', 'image', 'table']
    """

    branches: tuple[Branch, ...] = ()
    head: Network = MLP(widths=(64,))
    names_inputs: ClassVar[bool] = True
    names_outputs: ClassVar[bool] = True

    def check_rows(self, x: Any) -> None:
        """Raise ValueError for rows that a branch cannot take."""
        rows = _by_name(x)
        for branch in self.branches:
            if branch.name in rows:
                branch.network.check_rows(rows[branch.name])

    def build(self, in_shape: Any, n_outputs: Any) -> NetworkFunctions:
        import jax
        import jax.numpy as jnp

        from skdeep.functions import network_functions

        in_shape = in_shape if isinstance(in_shape, dict) else {ONLY: InputSpec(tuple(in_shape))}
        branches = self._for_inputs(in_shape)
        inner = {b.name: network_functions(b.network, _shape(in_shape[b.name]), b.features) for b in branches}
        width = sum(branch.features for branch in branches)
        head = network_functions(self.head, (width,), n_outputs)

        def init(key: Any, x: Any) -> Any:
            x = _by_name(x)
            keys = dict(zip([*inner, "head"], jax.random.split(key, len(inner) + 1), strict=True))
            found = {name: functions.init(keys[name], x[name]) for name, functions in inner.items()}
            rows = jax.tree.leaves(x)
            dtype = jnp.result_type(
                *(array.dtype for array in rows if jnp.issubdtype(array.dtype, jnp.floating)), jnp.float32
            )
            found["head"] = head.init(keys["head"], jnp.zeros((len(rows[0]), width), dtype))
            return tuple({name: pair[i] for name, pair in found.items()} for i in (0, 1))

        def apply(params: Any, state: Any, x: Any, train: bool, key: Any, row_mask: Any) -> Any:
            x = _by_name(x)
            names = [*inner, "head"]
            keys = (
                dict.fromkeys(names)
                if key is None
                else dict(zip(names, jax.random.split(key, len(names)), strict=True))
            )
            outputs, states = [], {}
            for name, functions in inner.items():
                raw, states[name] = functions.apply(params[name], state[name], x[name], train, keys[name], row_mask)
                outputs.append(raw)
            joined = jnp.concatenate(outputs, axis=1)
            raw, states["head"] = head.apply(params["head"], state["head"], joined, train, keys["head"], row_mask)
            return raw, states

        return NetworkFunctions(init, apply)

    def _for_inputs(self, in_shape: Any) -> list[Branch]:
        """Return a branch for each input, in the order of names; raise ValueError if they do not match."""
        given = {branch.name: branch for branch in self.branches}
        if unknown := sorted(given.keys() - in_shape.keys()):
            raise ValueError(
                f"The network Branches has branches for {', '.join(map(repr, unknown))}, but X has the inputs {', '.join(in_shape)}. "
                "Correct the names."
            )
        return [given.get(name) or _default_branch(name, in_shape[name]) for name in sorted(in_shape)]


def _by_name(x: Any) -> dict[str, Any]:
    return x if isinstance(x, dict) else {ONLY: x}


def _default_branch(name: str, spec: InputSpec) -> Branch:
    if spec.is_int:
        raise ValueError(
            f"The input {name!r} holds ids, for which Branches has no default. Give a branch, such as Branch({name!r}, LSTM(n_tokens=...)), "
            "or give numbers as floats."
        )
    return Branch(name, MLP(widths=(128,)) if len(spec.shape) == 1 else CNN())


def _shape(spec: InputSpec) -> Any:
    return spec if spec.is_int else spec.shape
