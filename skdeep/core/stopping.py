"""Early stopping as a state and a rule, and the status of a training: running, or the reason why it ended."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from skdeep.config import StoppingRule
from skdeep.records import ModelState, Params, Stopping, TrainState

RUNNING = 0
CONVERGED = 1
NON_FINITE = 2
OUT_OF_EPOCHS = 3
STOPPED_BY_CALLBACK = 4
INTERRUPTED = 5


class Patience(StoppingRule):
    """Ends training after `n_iter_no_change` consecutive epochs that were not better.

    An epoch is better if its score is lower than the reference by more than `tol`. The reference is the score of the last
    better epoch, so that small gains in several epochs count together.

    Parameters
    ----------
    tol : float or None, default=None
        None never ends training.
    n_iter_no_change : float, default=10.0
    """

    tol: float | None = None
    n_iter_no_change: float = 10.0

    def __call__(
        self, stopping: Stopping, score: Float[Array, ""], n_seen: Float[Array, ""]
    ) -> tuple[Stopping, Bool[Array, ""]]:
        is_better = jnp.isfinite(score) & (score < stopping.reference - (0.0 if self.tol is None else self.tol))
        n_stale = jnp.where(is_better, 0, stopping.n_stale + 1)
        reference = jnp.where(is_better, score, stopping.reference)
        has_converged = jnp.bool_(False) if self.tol is None else n_stale.astype(score.dtype) >= self.n_iter_no_change
        return stopping._replace(reference=reference, n_stale=n_stale), has_converged


def start(params: Params, model_state: ModelState, keep_best: bool, dtype: Any) -> Stopping:
    """Return the state of early stopping before the first epoch. With `keep_best` it holds a copy of the parameters."""
    worst = jnp.full((), jnp.finfo(dtype).max, dtype)
    kept = (jax.tree.map(jnp.copy, (params, model_state))) if keep_best else (None, None)
    return Stopping(worst, worst, jnp.int32(0), jnp.int32(0), jnp.ones((), dtype), *kept)


def update(
    rule: StoppingRule,
    state: TrainState,
    score: Float[Array, ""],
    epoch: Int[Array, ""],
    params: Params,
    keeps_latest: bool = False,
) -> tuple[Stopping, Int[Array, ""]]:
    """Return the state of early stopping after an epoch (numbered from 1) with this score, and the new status.

    The best parameters are kept only if `start` was called with `keep_best`. Of equally good epochs the first is kept, or the latest
    with `keeps_latest`.
    """
    before = state.stopping
    is_finite = jnp.isfinite(score)
    is_best = is_finite & (score <= before.best if keeps_latest else score < before.best)

    def keep(new: Any, old: Any) -> Any:
        return None if old is None else jax.tree.map(lambda n, o: jnp.where(is_best, n, o), new, old)

    n_seen = epoch.astype(score.dtype) * state.n_rows.astype(score.dtype)
    judged, has_converged = rule(before, score, n_seen)
    judged = judged._replace(
        best=jnp.where(is_best, score, before.best),
        best_epoch=jnp.where(is_best, epoch, before.best_epoch),
        best_params=keep(params, before.best_params),
        best_model_state=keep(state.model_state, before.best_model_state),
    )
    status = jnp.where(has_converged, CONVERGED, RUNNING)
    return judged, jnp.where(is_finite, status, NON_FINITE).astype(jnp.int32)
