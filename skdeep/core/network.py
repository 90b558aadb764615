"""Turn a network component into pure functions `init` and `apply`. Only this file of the core runs Flax.

`skdeep/linen.py` describes how linen modules are called. NNX modules are built by their factory inside the traced program, split
into parameters, random streams and other state, and merged for each call.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from skdeep import contract
from skdeep.contract import NetworkFunctions
from skdeep.core.cpu.rewriting import rewritten_for_cpu
from skdeep.core.inputs import InShape, as_built_for, float_dtype, has_names, hashable_specs, row_shapes
from skdeep.core.raw import by_name, hashable, have_names, n_rows, shapes_of, split, total_width
from skdeep.core.sparse_rows import apply_to_entries
from skdeep.linen import BATCH_STATS, LOSSES, PROGRESS, call_arguments, rows_as_arguments
from skdeep.records import ModelState, Params, Raw, SparseRows

_OTHER_STREAMS = 0x57E4


def functions_of(
    network: contract.Network, in_shape: Any, n_outputs: Any, needed_by: str = "the loss"
) -> NetworkFunctions:
    """Return the pure functions of a network; call it inside a traced function only.

    If the outputs have names and the network has not `names_outputs`, it returns one array, whose columns are assigned to the names
    in order. Error messages name `needed_by` as the user of the outputs.
    """
    widths = hashable(n_outputs)
    asked = by_name(widths) if network.names_outputs or not have_names(widths) else total_width(widths)
    shape = _checked_inputs(network, hashable_specs(in_shape))
    functions = functions_of_module(network.build(shape, asked))

    def apply(params: Params, model_state: ModelState, x: Any, train: bool, *rest: Any) -> tuple[Raw, ModelState]:
        if isinstance(x, SparseRows):
            raw, model_state = apply_to_entries(
                lambda params, x, state, *rest: functions.apply(params, state, x, train, *rest),
                shape, params, x, model_state, *rest,
            )  # fmt: skip
        else:
            raw, model_state = functions.apply(params, model_state, x, train, *rest)
        if isinstance(raw, dict) or not have_names(widths):
            _check_raw_shape(network, raw, shapes_of(widths, n_rows(x)), needed_by)
            return raw, model_state
        _check_raw_shape(network, raw, (n_rows(x), total_width(widths)), needed_by)
        return split(raw, widths), model_state

    return NetworkFunctions(functions.init, apply)


def functions_of_module(module: Any) -> NetworkFunctions:
    """Return the pure functions of a linen module, or of a function `f(rngs) -> flax.nnx.Module`.

    Flax is not imported if `module` is a `NetworkFunctions`. On a CPU, convolutions and pools are rewritten (see
    `core/cpu/rewriting.py`).
    """
    if isinstance(module, NetworkFunctions):
        functions = module
    else:
        import flax.linen as nn

        functions = _from_linen(module) if isinstance(module, nn.Module) else _from_nnx(module)
    return functions._replace(apply=_rewritten_for_cpu(functions.apply))


def weighted_by_rows(before: ModelState, after: ModelState, share: Float[Array, ""]) -> ModelState:
    """Return the model state after a batch, in which averages are updated in proportion to the batch's rows.

    `share` is the number of rows divided by that of a full batch: a batch of one row must not change averages like a batch of 200.
    Averages are the arrays in Flax's collection "batch_stats", at any depth. All other state is that of `after`.
    """

    def blend(path: Any, old: Any, new: Any) -> Any:
        is_average = any(getattr(key, "key", None) == BATCH_STATS for key in path)
        return (share * new + (1 - share) * old).astype(new.dtype) if is_average else new

    return jax.tree_util.tree_map_with_path(blend, before, after)


def has_progress(model_state: ModelState) -> bool:
    """Return True if a network reads the progress of training: if "progress" is a name in its model state, at any depth."""
    return any(map(_is_progress, (path for path, _ in jax.tree_util.tree_leaves_with_path(model_state))))


def with_progress(model_state: ModelState, progress: Callable[[], Float[Array, ""]]) -> ModelState:
    """Return the model state with all arrays below the name "progress", at any depth, set to the progress of training."""
    if not has_progress(model_state):
        return model_state
    value = progress()
    return jax.tree_util.tree_map_with_path(
        lambda path, leaf: jnp.full_like(leaf, value) if _is_progress(path) else leaf, model_state
    )


def _is_progress(path: Any) -> bool:
    return any(getattr(key, "key", None) == PROGRESS for key in path)


def without_losses(before: ModelState, after: ModelState) -> tuple[ModelState, Float[Array, ""] | None]:
    """Return the model state after a batch without the losses that modules added, and the sum of these losses or None.

    The losses are under the name "losses", at any depth, where the model state before the batch does not have this name.
    """
    found: list[Any] = []

    def taken_out(before: Any, after: Any) -> Any:
        if not isinstance(after, Mapping):
            return after
        known = before if isinstance(before, Mapping) else {}
        kept: dict[Any, Any] = {}
        for name, value in after.items():
            if name == LOSSES and name not in known:
                found.extend(jax.tree.leaves(value))
            else:
                kept[name] = taken_out(known.get(name), value)
                if name not in known and isinstance(value, Mapping) and not kept[name]:
                    del kept[name]  # it held losses alone
        return type(after)(kept)  # type: ignore[call-arg]  # of dicts, and of Flax's frozen ones

    model_state = taken_out(before, after)
    if not found:
        return after, None
    total: Float[Array, ""] = sum(map(jnp.sum, found))  # type: ignore[assignment]  # there is one
    return model_state, total


def _rewritten_for_cpu(apply: Callable[..., Any]) -> Callable[..., Any]:
    """Return `apply` with operations rewritten for the CPU, if that is the device; `train` is not an array."""

    def call(params: Params, model_state: ModelState, x: Any, train: bool, *rest: Any) -> Any:
        return rewritten_for_cpu(lambda params, model_state, x, *rest: apply(params, model_state, x, train, *rest))(
            params, model_state, x, *rest
        )

    return call


def _check_raw_shape(network: contract.Network, raw: Any, wanted: Any, needed_by: str) -> None:
    """Raise ValueError if raw outputs have other names or shapes than wanted."""
    found = {name: jnp.shape(raw[name]) for name in raw} if isinstance(raw, dict) else jnp.shape(raw)
    if found == wanted:
        return
    if isinstance(found, dict):
        raise ValueError(
            f"The network {network} returns {_worded(found)}, but {needed_by} needs "
            f"{_worded(wanted) if isinstance(wanted, dict) else f'one array of shape {wanted}'}. Give it the same names and widths."
        )
    raise ValueError(
        f"The network {network} returns {_worded(found)} for {wanted[0]} rows, but {needed_by} needs "
        f"{wanted[1]} outputs per row, that is {wanted}. Make its last layer {wanted[1]} wide, or give the module "
        "a field 'n_outputs: int | None = None' and use it there: fit fills it in."
    )


def _worded(shapes: Any) -> str:
    if isinstance(shapes, dict):
        return "{" + ", ".join(f"{name!r}: {shapes[name]}" for name in sorted(shapes)) + "}"
    return f"an array of shape {shapes}"


def _checked_inputs(network: contract.Network, in_shape: InShape) -> Any:
    """Return what `build` is given; raise ValueError if there are inputs by name and the network takes one array."""
    if has_names(in_shape) and not network.names_inputs:
        raise ValueError(
            f"The network {type(network).__name__} takes one array, but X has the inputs {', '.join(row_shapes(in_shape))}. "
            "Give a network that takes inputs by name: a module of your own, or a Network with names_inputs = True."
        )
    return as_built_for(in_shape)


def _from_linen(module: Any) -> NetworkFunctions:
    def init(key: Array, x: Any) -> tuple[Params, ModelState]:
        arguments = call_arguments(module, False, jnp.ones(n_rows(x), float_dtype(x)))
        rows, by_name = rows_as_arguments(module, x)
        keys = {"params": key, "dropout": jax.random.fold_in(key, 1)}
        with jax.numpy_dtype_promotion("standard"):  # rows may be float64, new parameters are float32
            variables = dict(module.init(keys, *rows, **by_name, **arguments))
        params = variables.pop("params", {})
        for reported in ("intermediates", LOSSES):
            variables.pop(reported, None)
        return params, variables

    def apply(
        params: Params, model_state: ModelState, x: Any, train: bool, key: Array | None, row_mask: Array | None
    ) -> tuple[Raw, ModelState]:
        arguments = call_arguments(module, train, row_mask)
        rows, by_name = rows_as_arguments(module, x)
        # Linen draws for streams of other names from "params", and counts the draws.
        rngs = {} if key is None else {"dropout": key, "params": jax.random.fold_in(key, _OTHER_STREAMS)}
        variables = {"params": params, **model_state}
        mutable = [*model_state, LOSSES] if train else False
        output = module.apply(variables, *rows, rngs=rngs, mutable=mutable, **by_name, **arguments)
        if not train:
            return output, model_state
        raw, changed = output
        return raw, {**model_state, **changed}

    return NetworkFunctions(init, apply)


def _from_nnx(factory: Callable[..., Any]) -> NetworkFunctions:
    from flax import nnx

    def split(module: Any) -> Any:
        return nnx.split(module, nnx.Param, nnx.RngState, ...)

    def make(key: Array) -> Any:
        return factory(rngs=nnx.Rngs(params=key, default=jax.random.fold_in(key, 1)))

    shell = nnx.eval_shape(lambda: make(_any_key()))
    graphs = {
        train: split(nnx.view(shell, deterministic=not train, use_running_average=not train, raise_if_not_found=False))
        for train in (False, True)
    }

    def init(key: Array, x: Any) -> tuple[Params, ModelState]:
        _, params, _, rest = split(make(key))
        return nnx.to_pure_dict(params), nnx.to_pure_dict(rest)

    def apply(
        params: Params, model_state: ModelState, x: Any, train: bool, key: Array | None, row_mask: Array | None
    ) -> tuple[Raw, ModelState]:
        graph, params_form, streams_form, rest_form = graphs[train]
        key = _any_key() if key is None else key
        leaves, tree = jax.tree.flatten(nnx.to_pure_dict(streams_form))
        # Every stream gets a key of its own: layers of equal shape must not drop the same units.
        streams = jax.tree.unflatten(tree, [_stream(i, leaf, key) for i, leaf in enumerate(leaves)])
        module = nnx.merge(
            graph, _filled(params_form, params), _filled(streams_form, streams), _filled(rest_form, model_state)
        )
        rows, by_name = rows_as_arguments(module, x)
        raw, reported = _called_nnx(module, rows, {**by_name, **call_arguments(module, train, row_mask)})
        return raw, {**nnx.to_pure_dict(split(module)[3]), **reported} if train else model_state

    def _filled(form: Any, values: Any) -> Any:
        state = jax.tree.map(lambda leaf: leaf, form)
        nnx.replace_by_pure_dict(state, values)
        return state

    return NetworkFunctions(init, apply)


def _called_nnx(module: Any, rows: tuple[Any, ...], arguments: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Return the output of an NNX module, and the losses that it reports, for the model state."""
    from flax import nnx

    if not hasattr(nnx, "capture"):  # before Flax had it, what is sown became part of the module
        return module(*rows, **arguments), {}
    raw, sown = nnx.capture(module, nnx.Intermediate)(*rows, **arguments)
    values = [
        leaf
        for path, leaf in jax.tree_util.tree_leaves_with_path(nnx.to_pure_dict(sown))
        if any(getattr(key, "key", None) == LOSSES for key in path)
    ]
    return raw, {"intermediates": {LOSSES: values}} if values else {}


def _stream(index: int, leaf: Any, key: Array) -> Any:
    if jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        return jax.random.fold_in(key, index)
    return jnp.zeros(leaf.shape, leaf.dtype)


def _any_key() -> Array:
    from skdeep.core.random import wrap_key

    return cast(Array, wrap_key(jnp.zeros(2, "uint32")))
