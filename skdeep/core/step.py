"""One training step, and a block of steps as one program."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Int

from skdeep.arguments import arguments_for
from skdeep.config import FitConfig, Model
from skdeep.contract import Loss
from skdeep.core import stopping
from skdeep.core.augment import augment, losses_of_batch
from skdeep.core.batch import batch_of_step, chunks_of
from skdeep.core.cpu.rewriting import inside_a_loop
from skdeep.core.inputs import example_of, row_shapes
from skdeep.core.network import functions_of, weighted_by_rows, with_progress, without_losses
from skdeep.core.objective import row_losses, share_of_full_batch
from skdeep.core.optimizer_state import as_arrays, as_record, initial_state, params_for_evaluation
from skdeep.core.programs import TracedFunction, program
from skdeep.core.random import wrap_key
from skdeep.core.raw import total_width
from skdeep.core.rows import SMALLEST_SIZE
from skdeep.core.sharding import neighbours
from skdeep.core.sparse_rows import made_dense
from skdeep.records import Batch, Info, ModelState, Params, Rows, SparseRows, TrainState

EVALUATION_ROWS = 512
EVALUATION_VALUES = 2**24
BRIEF_STEPS, BRIEF_WORK = 4, 2**23
"""A brief epoch has at most so many steps, and at most so many products of a row with a parameter."""

_OPTIMIZER_SALT = 0x0971
_MOST_STEPS = 2.0**31 - 128  # the largest float32 that int32 holds


def train_step(config: FitConfig, state: TrainState, batch: Batch) -> tuple[TrainState, Float[Array, ""]]:
    """Return the state after one update, and what the objective reports of the batch."""
    network = functions_of(config.model.network, config.model.in_shape, config.model.n_raw)
    key = jax.random.fold_in(jax.random.fold_in(wrap_key(state.key), state.epoch), state.position)

    if config.augmentation is not None and isinstance(batch.x, SparseRows):
        batch = batch._replace(x=made_dense(batch.x, row_shapes(config.model.in_shape)))
    changed, mixture = augment(config.augmentation, key, batch)
    at_start = with_progress(state.model_state, lambda: progress(config, state))
    loss = config.loss.at_progress(progress(config, state)) if config.loss.uses_progress else config.loss

    def objective(params: Params) -> tuple[Float[Array, ""], tuple[Float[Array, ""], ModelState]]:
        raw, model_state = network.apply(params, at_start, changed.x, True, key, batch.mask)
        model_state, reported_by_modules = without_losses(state.model_state, model_state)
        losses = losses_of_batch(loss, raw, batch, mixture)
        if reported_by_modules is not None:  # added to each row, so that weights, objective and history include it
            losses += reported_by_modules.astype(losses.dtype)
        value, reported = config.objective(losses, changed, params, state.n_rows)
        return value, (reported, model_state)

    (value, (reported, model_state)), grad = jax.value_and_grad(objective, has_aux=True)(state.params)
    learning_rate = learning_rate_of(config, state)
    more = _arguments_of_update(config, state, key)
    with jax.numpy_dtype_promotion("standard"):  # Optax takes powers of floats to counts of steps
        record = as_record(config.optimizer, state.params, state.optimizer_state)
        new_record, updates = config.optimizer.update(
            _clip(config, grad),
            record,
            state.params,
            learning_rate,
            value,
            lambda p: objective(p)[0],
            **more,
        )
    params = jax.tree.map(lambda p, u: (p + u).astype(p.dtype), state.params, updates)
    share = share_of_full_batch(batch, state.n_rows, state.largest_batch)
    state = state._replace(
        params=params,
        model_state=weighted_by_rows(state.model_state, model_state, share),
        optimizer_state=as_arrays(config.optimizer, record, new_record),
        position=state.position + 1,
        loss_sum=state.loss_sum + reported,
    )
    return state, reported


def progress(config: FitConfig, state: TrainState) -> Float[Array, ""]:
    """Return the epochs done, including the fraction of the current one, divided by `max_epochs`; at most 1."""
    dtype = config.learning_rate.dtype  # type: ignore[attr-defined]  # cast by as_traced
    fraction = state.position.astype(dtype) / state.steps_per_epoch.astype(dtype)
    return jnp.minimum((state.epoch.astype(dtype) + fraction) / config.max_epochs, 1.0).astype(dtype)


def steps_done(state: TrainState) -> Int[Array, ""]:
    """Return the number of steps done, as if all epochs had as many steps as the current one."""
    return jnp.asarray(state.epoch * state.steps_per_epoch + state.position)


def steps_of_training(config: FitConfig, state: TrainState) -> Int[Array, ""]:
    """Return the number of steps in `max_epochs` epochs."""
    dtype = config.learning_rate.dtype  # type: ignore[attr-defined]  # cast by as_traced
    n_steps = jnp.round(config.max_epochs * state.steps_per_epoch.astype(dtype))
    return jnp.minimum(n_steps, _MOST_STEPS).astype(jnp.int32)


def learning_rate_of(config: FitConfig, state: TrainState) -> Any:
    """Return the learning rate of the next step."""
    more = _computed(
        arguments_for(
            config.schedule.__call__, step=lambda: steps_done(state), n_steps=lambda: steps_of_training(config, state)
        )
    )
    factor = config.schedule(progress(config, state), **more) * state.stopping.rate_factor
    return (config.learning_rate * factor).astype(state.loss_sum.dtype)


def validation_loss(config: FitConfig, params: Params, model_state: ModelState, rows: Rows) -> Float[Array, ""]:
    """Return the weighted sum of the validation losses of rows."""
    loss = config.loss if config.validation_loss is None else config.validation_loss
    total: Float[Array, ""] = weighted_loss.function(config.model, loss, params, model_state, rows)
    return total


@program()
def weighted_loss(model: Model, loss: Loss, params: Params, model_state: ModelState, rows: Rows) -> Float[Array, ""]:
    """Return the weighted sum of the losses of rows, in inference mode."""
    network = functions_of(model.network, model.in_shape, model.n_raw)
    size = min(rows.weight.shape[0], evaluation_rows(total_width(model.n_raw)))

    def add_chunk(i: Int[Array, ""], total: Float[Array, ""]) -> Float[Array, ""]:
        x, target, weight = neighbours((rows.x, rows.target, rows.weight), i * size, size)
        raw, _ = network.apply(params, model_state, x, False, None, jnp.ones(size, weight.dtype))
        return total + jnp.sum(jnp.where(weight > 0, row_losses(loss, raw, target, weight) * weight, 0.0))

    total: Float[Array, ""] = lax.fori_loop(0, -(-rows.n // size), add_chunk, jnp.zeros((), rows.weight.dtype))
    return total


def evaluation_rows(n_raw: int) -> int:
    """Return the number of rows that are evaluated at once: 512, or a smaller power of two if there are many raw outputs."""
    fitting = max(SMALLEST_SIZE, EVALUATION_VALUES // n_raw)
    return min(EVALUATION_ROWS, 1 << (fitting.bit_length() - 1))


def finish_epoch(config: FitConfig, state: TrainState, info: Info, validation: Rows | None) -> tuple[TrainState, Info]:
    """End an epoch: record its history, and update early stopping."""
    train_loss = state.loss_sum / state.n_rows.astype(state.loss_sum.dtype)
    params = params_for_evaluation(config.optimizer, state.params, state.optimizer_state)
    val_loss = jnp.zeros_like(train_loss)
    if validation is not None:
        val_sum = validation_loss(config, params, state.model_state, validation)
        val_loss = val_sum / validation.n.astype(val_sum.dtype)
    entries = Info(
        train_loss=info.train_loss.at[info.n_epochs].set(train_loss),
        val_loss=info.val_loss.at[info.n_epochs].set(val_loss),
        learning_rate=info.learning_rate.at[info.n_epochs].set(
            learning_rate_of(config, state._replace(position=state.position - 1))
        ),
        n_epochs=info.n_epochs + 1,
    )
    epoch = state.epoch + 1
    judged, status = state.stopping, jnp.int32(stopping.RUNNING)
    if config.monitor != "host":
        score = train_loss if config.monitor == "train" else val_loss
        judged, status = stopping.update(config.stopping, state, score, epoch, params, config.keeps_latest)
    status = jnp.where(jnp.isfinite(train_loss), status, stopping.NON_FINITE)
    zero = jnp.zeros_like(state.loss_sum)
    state = state._replace(stopping=judged, status=status, epoch=epoch, position=jnp.zeros_like(epoch), loss_sum=zero)
    return state, entries


def _is_brief(config: Any, state: TrainState, rows: Rows | Batch, validation: Any, order: Any, n_steps: Any) -> bool:
    """Return True if an epoch has so few and small steps that a thousand epochs take less time than compiling.

    The work of a network is known if it uses each parameter once per row, as most networks for flat rows do.
    """
    if getattr(rows.x, "ndim", 0) - rows.weight.ndim != 1:
        return False
    n_rows, batch_size = rows.weight.size, (rows.weight if order is None else order).shape[1]
    n_values = sum(leaf.size for leaf in jax.tree.leaves(state.params))
    return bool(n_rows <= BRIEF_STEPS * batch_size and n_rows * n_values <= BRIEF_WORK)


@program(donate=(1,), is_brief=_is_brief)
def train_block(
    config: FitConfig,
    state: TrainState,
    rows: Rows | Batch,
    validation: Rows | None,
    order: Int[Array, "steps batch"] | None,
    n_steps: Int[Array, ""],
) -> tuple[TrainState, Info]:
    """Return the state after `n_steps` steps, or fewer if training ends, and the history of the epochs that ended.

    `order` are the positions of each batch in the rows; without it, `rows` are the batches, with a leading axis of steps. A block may be
    part of an epoch or several epochs; the state holds the position in the epoch. If a block has one step, the program has no loop, since
    some operations are slow in loops on a CPU.

    Raises
    ------
    LeftAloneError
        If the program has a loop with an operation that is slow there and cannot be rewritten.
    """
    chunks = chunks_of(rows, order)
    unused = jnp.zeros(chunks.n_steps, rows.weight.dtype)
    info = Info(unused, unused, unused, jnp.int32(0))

    def finish_if_complete(state: TrainState, info: Info) -> Any:
        return lax.cond(
            state.position == state.steps_per_epoch,
            lambda s, i: finish_epoch(config, s, i, validation),
            lambda s, i: (s, i),
            state,
            info,
        )

    if chunks.n_steps == 1:
        batch = batch_of_step(chunks.read(0), 0, state.position, state.n_rows)
        return finish_if_complete(train_step(config, state, batch)[0], info)  # type: ignore[no-any-return]  # of cond

    def is_running(carry: Any) -> Any:
        state, _, done = carry
        return (done < n_steps) & (state.status == stopping.RUNNING)

    def run_chunk(carry: Any) -> Any:
        state, info, done = carry
        first = jnp.minimum(done, chunks.n_steps - chunks.size)
        chunk = chunks.read(first)
        stop = jnp.minimum(jnp.minimum(n_steps, first + chunks.size), done + state.steps_per_epoch - state.position)
        state = lax.fori_loop(
            done,
            stop,
            lambda i, s: train_step(config, s, batch_of_step(chunk, i - first, s.position, s.n_rows))[0],
            state,
        )
        return *finish_if_complete(state, info), stop

    with inside_a_loop():
        state, info, _ = lax.while_loop(is_running, run_chunk, (state, info, jnp.int32(0)))
    return state, info


@program(donate=(1,))
def judge_score(config: FitConfig, state: TrainState, score: Float[Array, ""]) -> TrainState:
    """Return the state after a score that the host computed (lower is better) for the epoch just finished."""
    params = params_for_evaluation(config.optimizer, state.params, state.optimizer_state)
    judged, status = stopping.update(config.stopping, state, score, state.epoch, params, config.keeps_latest)
    return state._replace(stopping=judged, status=status)


@TracedFunction
def new_state(config: FitConfig, key: Any, n_rows: Any, steps_per_epoch: Any, x: Any = None) -> TrainState:
    """Return the state before the first step, with new parameters made from the key and from the training rows x.

    Without x, the network is initialised with one row of zeros.
    """
    network = functions_of(config.model.network, config.model.in_shape, config.model.n_raw)
    if x is None:
        x = example_of(config.model.in_shape, 1, config.learning_rate.dtype)  # type: ignore[attr-defined]  # cast
    params, model_state = network.init(jax.random.fold_in(wrap_key(key), np.uint32(0xFFFFFFFF)), x)
    state: TrainState = continued_state.function(
        config, params, model_state, key, n_rows, steps_per_epoch, jnp.int32(0)
    )
    return state


@TracedFunction
def continued_state(
    config: FitConfig, params: Params, model_state: ModelState, key: Any, n_rows: Any, steps_per_epoch: Any, epoch: Any
) -> TrainState:
    """Return the state before the first step from given parameters."""
    zero = jnp.zeros((), config.learning_rate.dtype)  # type: ignore[attr-defined]  # cast by as_traced
    return TrainState(
        params=params,
        model_state=model_state,
        optimizer_state=initial_state(config.optimizer, params),
        stopping=stopping.start(params, model_state, config.keep_best, zero.dtype),
        key=key,
        epoch=epoch,
        position=jnp.int32(0),
        n_rows=n_rows,
        steps_per_epoch=steps_per_epoch,
        loss_sum=zero,
        status=jnp.int32(stopping.RUNNING),
        largest_batch=jnp.int32(0),
    )


@TracedFunction
def evaluation_params(config: FitConfig, state: TrainState) -> Params:
    """Return the parameters that the optimizer wants to be judged by."""
    return params_for_evaluation(config.optimizer, state.params, state.optimizer_state)


def _arguments_of_update(config: FitConfig, state: TrainState, key: Any) -> dict[str, Any]:
    """Return the further arguments that the optimizer's `update` names."""
    return _computed(
        arguments_for(
            config.optimizer.update,
            progress=lambda: progress(config, state),
            step=lambda: steps_done(state),
            key=lambda: jax.random.fold_in(key, _OPTIMIZER_SALT),
        )
    )


def _computed(arguments: dict[str, Any]) -> dict[str, Any]:
    """Return the values of arguments that are given as functions. Arguments that are not taken cost no tracing."""
    return {name: make() for name, make in arguments.items()}


def _clip(config: FitConfig, grad: Params) -> Params:
    if config.clip_norm is None:
        return grad
    norm = jnp.sqrt(sum(jnp.sum(g * g) for g in jax.tree.leaves(grad)))
    factor = jnp.minimum(1.0, config.clip_norm / jnp.maximum(norm, jnp.finfo(norm.dtype).tiny))
    return jax.tree.map(lambda g: g * factor, grad)
