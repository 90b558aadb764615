"""The layers of a network with their output shapes, parameters and floating-point operations, from one abstract trace."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from skdeep.config import Model
from skdeep.contract import Network
from skdeep.core import as_traced
from skdeep.core.bounded_cache import BoundedCache
from skdeep.core.cpu.rewriting import as_written
from skdeep.core.flops import Scope, operations
from skdeep.core.inputs import example_of, float_dtype, row_shapes
from skdeep.core.loss_parameters import WithLossParameters, network_of
from skdeep.core.network import functions_of
from skdeep.core.placement import Placement
from skdeep.core.random import wrap_key
from skdeep.linen import PROGRESS
from skdeep.records import ModelState, Params
from skdeep.view.modules import Notes, Path, marked_path, names_of, noted_modules
from skdeep.view.shapes import N_ROWS, worded_input, worded_shape

_KNOWN = BoundedCache(16)
"""The layers of networks that were shown lately: notebooks show the same estimators again and again."""


@dataclasses.dataclass(frozen=True)
class Layer:
    """One layer of a network, without the layers inside it.

    Parameters
    ----------
    path : tuple of str
        Names of the modules from the outermost to this one; empty for the network itself.
    type : str
        Class of the module; empty for a group of parameters of a network of pure functions.
    output_shape : str
        Shape of the output, in which n is the number of rows; several shapes if there are several outputs, empty if unknown.
    n_parameters : int
    flops : int
        Floating-point operations per row of a prediction; a multiplication with an addition counts 2.
    """

    path: Path
    type: str
    output_shape: str
    n_parameters: int
    flops: int


@dataclasses.dataclass(frozen=True)
class Layers:
    """The layers of a network in the order of their calls, the network itself first.

    Parameters
    ----------
    network : str
        Name of the network: of its class, or of the module or factory that it was made of.
    layers : tuple of Layer
    input_shape : str
        Shape of the input, in which n is the number of rows, by name if there are several inputs.
    n_bytes : int
        Size of all parameters.
    n_state : int
        Number of values of the model state, which training updates without gradients (such as running averages), or not at all.
    """

    network: str
    layers: tuple[Layer, ...]
    input_shape: str
    n_bytes: int
    n_state: int

    @property
    def n_parameters(self) -> int:
        """Number of parameters of all layers."""
        return sum(layer.n_parameters for layer in self.layers)

    @property
    def flops(self) -> int:
        """Floating-point operations per row of all layers."""
        return sum(layer.flops for layer in self.layers)


def layers_of(model: Model, dtype: Any = "float32", trained: tuple[Params, ModelState] | None = None) -> Layers:
    """Return the layers of a network. Nothing is compiled, and no array is computed.

    Parameters
    ----------
    model : Model
    dtype : NumPy dtype, default="float32"
        Type of training.
    trained : tuple of parameters and model state, default=None
        Only their shapes are read. None means those of a new network.

    Examples
    --------
    >>> from skdeep.config import Model
    >>> from skdeep.networks import MLP
    >>> from skdeep.view.layers import layers_of
    >>> found = layers_of(Model(MLP(widths=(8,)), (4,), 3))
    >>> [(layer.path, layer.output_shape, layer.n_parameters) for layer in found.layers if layer.n_parameters]
    [(('Dense_0',), '(n, 8)', 40), (('output',), '(n, 3)', 27)]
    """
    dtype = jnp.dtype(dtype)
    shapes = None if trained is None else jax.tree.map(_shape_of, trained)
    key = model, dtype, None if shapes is None else (jax.tree.structure(shapes), tuple(jax.tree.leaves(shapes)))
    try:
        hash(key)
    except TypeError:  # a network of users may hold values without a hash
        return _traced_layers(model, dtype, shapes)
    return _KNOWN.get(key, lambda: _traced_layers(model, dtype, shapes))


def _traced_layers(model: Model, dtype: Any, shapes: Any) -> Layers:
    with Placement("cpu", 0, str(dtype)).active(), as_written():
        model = as_traced(model, dtype)
        params, state = _shapes_of_new(model, dtype) if shapes is None else shapes
        return _layers(model, dtype, params, state)


def _shapes_of_new(model: Model, dtype: Any) -> Any:
    def init() -> Any:
        x = example_of(model.in_shape, max(1, model.network.init_rows), dtype)
        key = wrap_key(jnp.zeros(2, "uint32"))
        return functions_of(model.network, model.in_shape, model.n_raw).init(key, x)

    return jax.eval_shape(init)


def _shape_of(leaf: Any) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype)


def _layers(model: Model, dtype: Any, params: Params, state: ModelState) -> Layers:
    notes = Notes({}, {})

    def predict(params: Params, state: ModelState, x: Any) -> Any:
        network = functions_of(model.network, model.in_shape, model.n_raw)
        with noted_modules(notes, (params, state)):
            return network.apply(params, state, x, False, None, jnp.ones(N_ROWS, float_dtype(x)))[0]

    x = jax.eval_shape(lambda: example_of(model.in_shape, N_ROWS, dtype))
    trace, raw = jax.make_jaxpr(predict, return_shape=True)(params, state, x)
    flops, scopes = _flops_by_path(trace, notes.rows, params)
    rows = {**scopes, **notes.rows}
    counts = _parameters_by_path(params, {**dict(zip(scopes, scopes, strict=True)), **notes.owners})
    title = _title(network_of(model))
    layers: dict[Path, Layer] = {(): Layer((), title, worded_shape(raw), counts.get((), 0), flops.get((), 0))}
    for path in _in_tree_order({**rows, **counts}):
        shown, numbers = _shown_path(model.network, path), (counts.get(path, 0), flops.get(path, 0))
        if shown:
            layers[shown] = Layer(shown, *rows.get(path, ("", "")), *numbers)
        else:  # the network inside `WithLossParameters`
            layers[()] = dataclasses.replace(layers[()], n_parameters=numbers[0], flops=layers[()].flops + numbers[1])
    return Layers(
        title,
        tuple(layers.values()),
        worded_input(row_shapes(model.in_shape)),
        sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(params)),
        sum(leaf.size for keys, leaf in jax.tree_util.tree_leaves_with_path(state) if PROGRESS not in names_of(keys)),
    )


def _title(network: Network) -> str:
    """Return the name of a network: of its class, or of the module or factory that it was made of."""
    made_of = getattr(network, "module", None) or getattr(network, "factory", None) or network
    return getattr(made_of, "__name__", type(made_of).__name__)


def _shown_path(network: Network, path: Path) -> Path:
    """Return a path without the name which `WithLossParameters` puts before the paths of the user's network."""
    return path[1:] if isinstance(network, WithLossParameters) and path[:1] == ("network",) else path


def _flops_by_path(
    trace: Any, rows: Mapping[Path, Any], params: Params
) -> tuple[dict[Path, int], dict[Path, tuple[str, str]]]:
    """Return the operations per row of each layer, and type and output shape of the layers that only named scopes tell apart."""
    total: dict[Path, int] = {}
    scopes: dict[Path, tuple[str, str]] = {}
    for operation in operations(trace):
        path = marked_path(operation.scope)
        if path is None or path not in rows:
            path = _named_in(params, operation.scope)
            if path:
                scopes[path] = ("", worded_shape(operation.shapes))
        total[path] = total.get(path, 0) + operation.flops
    return {path: round(flops / N_ROWS) for path, flops in total.items()}, scopes


def _named_in(params: Params, scope: Scope) -> Path:
    """Return the path in the parameters that the names of a scope lead to: networks of pure functions can name layers so."""
    path: Path = ()
    for name in scope:
        if isinstance(params, Mapping) and name in params:
            params, path = params[name], (*path, name)
    return path


def _parameters_by_path(params: Params, owners: Mapping[Path, Path]) -> dict[Path, int]:
    """Return the number of parameters of each layer; `owners` gives the layer of the parameters that are below a path."""
    total: dict[Path, int] = {}
    for keys, leaf in jax.tree_util.tree_leaves_with_path(params):
        names = names_of(keys)
        known = (owners[names[:length]] for length in range(len(names), -1, -1) if names[:length] in owners)
        path = next(known, names[:-1] or names)
        total[path] = total.get(path, 0) + leaf.size
    return total


def _in_tree_order(paths: Mapping[Path, Any]) -> Iterator[Path]:
    """Yield paths so that each follows those around it; paths side by side keep their order."""
    children: dict[Path, dict[Path, None]] = {}
    for path in paths:
        for length in range(len(path)):
            children.setdefault(path[:length], {})[path[: length + 1]] = None

    def below(path: Path) -> Iterator[Path]:
        for child in children.get(path, ()):
            if child in paths:
                yield child
            yield from below(child)

    yield from below(())
