"""Early stopping: the best epoch, its kept parameters, and the end of training, compared with Python loops."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jaxtyping import Array, Float

from skdeep.config import StoppingRule
from skdeep.core import as_traced
from skdeep.core.cpu.aligned import aligned_empty
from skdeep.core.stopping import CONVERGED, NON_FINITE, RUNNING, Patience, start, update
from skdeep.records import TrainState

N_ROWS = 50
QUICK = settings(deadline=None, max_examples=40, derandomize=True)
SCORES = st.lists(
    st.sampled_from([-1.0, 0.0, 0.125, 0.25, 0.375, 0.5, 0.75, 1.0, 1e30, np.nan, np.inf, -np.inf]),
    min_size=1,
    max_size=15,
)


def kept_by_epoch(epoch):
    """Return parameters and model state whose values depend on the epoch."""
    epoch = jnp.float32(epoch)
    return {"kernel": jnp.full((2, 1), epoch)}, {"batch_stats": {"mean": jnp.full(3, 10 + epoch)}}


def state_of(stopping, model_state):
    """Return a training state with the three fields that stopping reads."""
    unread = dict.fromkeys(TrainState._fields)
    return TrainState(**unread | {"stopping": stopping, "model_state": model_state, "n_rows": jnp.int32(N_ROWS)})


@jax.jit
def after_epoch(rule, stopping, score, epoch):
    params, model_state = kept_by_epoch(epoch)
    return update(rule, state_of(stopping, model_state), score, epoch, params)


def run(rule, scores, keep_best=True):
    """Yield the state of early stopping and the status after each epoch."""
    stopping = start(*kept_by_epoch(0), keep_best, np.float32)
    for epoch, score in enumerate(scores, start=1):
        stopping, status = after_epoch(rule, stopping, jnp.float32(score), jnp.int32(epoch))
        yield stopping, int(status)


@QUICK
@given(SCORES, st.sampled_from([None, 0.0, 0.125, 0.3]), st.sampled_from([1.0, 2.0, 3.0, np.inf]))
def test_patience_equals_a_python_loop(scores, tol, n_iter_no_change):
    rule = as_traced(Patience(tol=tol, n_iter_no_change=n_iter_no_change))
    reference, n_stale = np.finfo(np.float32).max, 0
    for score, (stopping, status) in zip(scores, run(rule, scores), strict=True):
        if np.isfinite(score) and np.float32(score) < np.float32(reference) - np.float32(tol or 0.0):
            reference, n_stale = score, 0
        else:
            n_stale += 1
        assert stopping.reference == np.float32(reference)
        assert stopping.n_stale == n_stale
        has_converged = tol is not None and n_stale >= n_iter_no_change
        assert status == (NON_FINITE if not np.isfinite(score) else CONVERGED if has_converged else RUNNING)
        assert stopping.rate_factor == 1


@QUICK
@given(SCORES, st.booleans())
def test_the_best_epoch_is_the_first_with_the_lowest_finite_score(scores, keep_best):
    for epoch, (stopping, _) in enumerate(run(as_traced(Patience()), scores, keep_best), start=1):
        finite = np.where(np.isfinite(scores[:epoch]), scores[:epoch], np.inf)
        best_epoch = int(np.argmin(finite)) + 1 if np.isfinite(finite).any() else 0
        assert stopping.best_epoch == best_epoch
        assert stopping.best == (np.float32(finite.min()) if best_epoch else np.finfo(np.float32).max)
        kept = (stopping.best_params, stopping.best_model_state)
        if not keep_best:
            assert kept == (None, None)
            continue
        for found, expected in zip(jax.tree.leaves(kept), jax.tree.leaves(kept_by_epoch(best_epoch)), strict=True):
            np.testing.assert_array_equal(found, expected)


def test_small_gains_count_together_once_they_exceed_tol():
    """Each epoch gains 0.25 and `tol` is 0.5, so only every third epoch is better than the reference by more than `tol`."""
    scores = [10.0 - 0.25 * epoch for epoch in range(9)]
    stale = [int(stopping.n_stale) for stopping, _ in run(as_traced(Patience(tol=0.5)), scores)]
    assert stale == [0, 1, 2, 0, 1, 2, 0, 1, 2]


class Noted(StoppingRule):
    """Ends training after a number of rows, changes `rate_factor`, and tries to change `best` and `best_epoch`."""

    n_rows: float

    def __call__(self, stopping, score: Float[Array, ""], n_seen: Float[Array, ""]):
        changed = stopping._replace(
            rate_factor=n_seen, n_stale=jnp.int32(7), best=jnp.float32(-99), best_epoch=jnp.int32(-9)
        )
        return changed, n_seen >= self.n_rows


def test_rules_get_the_number_of_rows_and_cannot_change_the_best_epoch():
    records = list(run(as_traced(Noted(n_rows=3.0 * N_ROWS)), [2.0, 1.0, 3.0]))
    assert [float(stopping.rate_factor) for stopping, _ in records] == [N_ROWS, 2 * N_ROWS, 3 * N_ROWS]
    assert [status for _, status in records] == [RUNNING, RUNNING, CONVERGED]
    assert [(float(stopping.best), int(stopping.best_epoch)) for stopping, _ in records] == [(2, 1), (1, 2), (1, 2)]
    assert all(stopping.n_stale == 7 for stopping, _ in records)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_initial_state_of_early_stopping(dtype):
    with jax.enable_x64(dtype == np.float64):
        stopping = start({}, {}, True, dtype)
        assert stopping.best.dtype == stopping.reference.dtype == stopping.rate_factor.dtype == dtype
        assert stopping.best == stopping.reference == np.finfo(dtype).max
        assert (stopping.best_epoch, stopping.n_stale, stopping.rate_factor) == (0, 0, 1)


def test_kept_parameters_share_no_memory_with_the_trained_ones():
    kernel = aligned_empty((300, 100), np.float32)  # so large and aligned that XLA could read it without a copy
    kernel[...] = 1.0
    stopping = start({"kernel": kernel}, {}, True, np.float32)
    kernel[...] = 2.0
    np.testing.assert_array_equal(stopping.best_params["kernel"], np.ones((300, 100)))
    on_device = jnp.asarray(kernel)  # a training step may reuse its memory
    (kept,) = jax.tree.leaves(start({}, {"mean": on_device}, True, np.float32).best_model_state)
    assert kept.unsafe_buffer_pointer() != on_device.unsafe_buffer_pointer()
