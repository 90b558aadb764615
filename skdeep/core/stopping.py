"""Stage 8: early stopping as state, and why training ended.

The rule, with `score` a loss (lower is better): an epoch counts as better when it beats the last
better one by more than `tol`; after `n_iter_no_change` epochs in a row without, training stops.
A slow but steady gain therefore counts as soon as it adds up to `tol`.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from skdeep.contract import ModelState, Params, Stopping

RUNNING = 0
CONVERGED = 1
NON_FINITE = 2
OUT_OF_EPOCHS = 3
STOPPED_BY_CALLBACK = 4
INTERRUPTED = 5

_WORST = jnp.finfo(jnp.float32).max


def start(params: Params, model_state: ModelState, keep_best: bool) -> Stopping:
    """Return the state before the first epoch; with `keep_best` it holds parameters."""
    worst = jnp.float32(_WORST)
    kept = (jax.tree.map(jnp.copy, (params, model_state))) if keep_best else (None, None)
    return Stopping(worst, worst, jnp.int32(0), jnp.int32(0), *kept)


def update(
    stopping: Stopping,
    score: Float[Array, ""],
    epoch: Int[Array, ""],
    params: Params,
    model_state: ModelState,
    tol: Any,
    n_iter_no_change: Any,
) -> tuple[Stopping, Int[Array, ""]]:
    """Return the state after an epoch (numbered from 1) with this score, and the new status.

    `tol=None` never stops; parameters are kept only if the state was started with them.
    """
    is_finite = jnp.isfinite(score)
    is_best = is_finite & (score < stopping.best)
    is_better = is_finite & (score < stopping.reference - (0.0 if tol is None else tol))
    n_stale = jnp.where(is_better, 0, stopping.n_stale + 1)

    def keep(new: Any, old: Any) -> Any:
        return None if old is None else jax.tree.map(lambda n, o: jnp.where(is_best, n, o), new, old)

    changed = Stopping(
        best=jnp.where(is_best, score, stopping.best),
        reference=jnp.where(is_better, score, stopping.reference),
        best_epoch=jnp.where(is_best, epoch, stopping.best_epoch),
        n_stale=n_stale,
        best_params=keep(params, stopping.best_params),
        best_model_state=keep(model_state, stopping.best_model_state),
    )
    has_converged = jnp.bool_(False) if tol is None else n_stale >= n_iter_no_change
    status = jnp.where(has_converged, CONVERGED, RUNNING)
    return changed, jnp.where(is_finite, status, NON_FINITE).astype(jnp.int32)
