"""The driver that trains by SciPy's L-BFGS-B."""

from __future__ import annotations

import time
from typing import Any

import jax
import numpy as np
from jax import numpy as jnp
from jaxtyping import Array, Float

from skdeep.component import Component
from skdeep.config import FitConfig
from skdeep.contract import Loss
from skdeep.core import as_traced, stopping
from skdeep.core.feeds.passes import Passes
from skdeep.core.network import functions_of
from skdeep.core.objective import row_losses
from skdeep.core.programs import program
from skdeep.core.random import wrap_key
from skdeep.core.watcher import Watcher
from skdeep.history import History
from skdeep.kernels import are_kernels
from skdeep.records import ModelState, Outcome, Params, Rows, Snapshot


class ScipyLBFGS(Component):
    """Trains by L-BFGS-B (Byrd, Lu, Nocedal and Zhu, SIAM J. Sci. Comput. 16, 1995) on all rows at once.

    An iteration counts as an epoch. The job's rows and parameters must be float64, SciPy's type, and its objective must be a
    `skdeep.perceptron.rules.BatchMean`. Ctrl-C ends the training with the parameters of the last iteration.

    Parameters
    ----------
    tol : float
        Training ends when no component of the gradient is larger than this in absolute value.
    max_fun : int
        Largest number of evaluations of the loss.
    """

    tol: float
    max_fun: int

    def drive(self, job: Any, watcher: Watcher) -> Outcome:
        """Train a job; see `skdeep.core.run.run`."""
        return _Course(job, watcher, self).minimise()


@program()
def loss_and_gradient(
    config: FitConfig, model_state: ModelState, rows: Rows, flat: Float[Array, " parameters"]
) -> tuple[Float[Array, ""], Float[Array, " parameters"]]:
    """Return the weighted sum of the losses of rows, and its gradient with respect to the vector of all parameters."""
    network = functions_of(config.model.network, config.model.in_shape, config.model.n_raw)
    template, _ = jax.eval_shape(network.init, wrap_key(jnp.zeros(2, "uint32")), rows.x[:1])

    def loss_sum(flat: Float[Array, " parameters"]) -> Float[Array, ""]:
        raw, _ = network.apply(unpacked(flat, template), model_state, rows.x, False, None, jnp.ones_like(rows.weight))
        losses = row_losses(config.loss, raw, rows.target, rows.weight)
        return jnp.sum(jnp.where(rows.weight > 0, losses * rows.weight, 0.0))

    return jax.value_and_grad(loss_sum)(flat)


def packed(params: Params) -> np.ndarray:
    """Return all parameters in one float64 vector."""
    return np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(params)]).astype(np.float64, copy=False)


def unpacked(flat: Any, template: Params) -> Params:
    """Return the parameters in a vector as a pytree with the structure and shapes of `template`; inverts `packed`."""
    leaves, tree = jax.tree.flatten(template)
    stops = np.cumsum([leaf.size for leaf in leaves])
    return jax.tree.unflatten(
        tree, [flat[stop - leaf.size : stop].reshape(leaf.shape) for leaf, stop in zip(leaves, stops, strict=True)]
    )


class _Loss:
    """The penalised mean loss over all rows and its gradient, as a function that SciPy calls.

    After a call, `reported` is the value for the history: like the return value, but with `reported_scale` of the objective.
    """

    reported: float

    def __init__(self, job: Any) -> None:
        params, model_state = job.start.params, job.start.model_state
        self._config, self._objective = as_traced(job.config, job.placement.dtype), job.config.objective
        self._model_state, self._weight = model_state, float(job.rows.weight.sum())
        # 1 for penalised parameters, else 0.
        self._is_kernel = packed(
            jax.tree.map(lambda leaf, mark: np.full(leaf.shape, float(mark)), params, are_kernels(params))
        )
        self._passes = Passes(job.rows, job.config.model.in_shape)
        _check_parts(job.config.loss, len(self._passes))
        flat = packed(params)
        self._calls = [
            loss_and_gradient.with_others(*jax.device_put((self._config, model_state, rows)), flat)
            for rows in (self._passes if self._passes.are_kept else ())
        ]

    def __call__(self, flat: np.ndarray) -> tuple[float, np.ndarray]:
        objective = self._objective
        loss_sum, gradient = self._sums(flat)
        kernels = flat * self._is_kernel
        penalty = 0.5 * objective.alpha * float(kernels @ kernels)
        self.reported = (objective.reported_scale * loss_sum + penalty) / self._weight
        gradient = (objective.scale * gradient + objective.alpha * kernels) / self._weight
        return (objective.scale * loss_sum + penalty) / self._weight, gradient

    def _sums(self, flat: np.ndarray) -> tuple[float, np.ndarray]:
        loss_sum, gradient = 0.0, np.zeros_like(flat)
        for part_sum, part_gradient in self._parts(flat):
            loss_sum += float(part_sum)
            gradient += np.asarray(part_gradient)
        return loss_sum, gradient

    def _parts(self, flat: np.ndarray) -> Any:
        if self._passes.are_kept:
            return (call(flat) for call in self._calls)
        return (loss_and_gradient(self._config, self._model_state, rows, flat) for rows in self._passes)


class _Course:
    """One run of the solver: the parameters of its last iteration, and one row of the history per iteration."""

    status, position = stopping.RUNNING, 0

    def __init__(self, job: Any, watcher: Watcher, solver: ScipyLBFGS) -> None:
        self._job, self._watcher, self._solver = job, watcher, solver
        self._loss = _Loss(job)
        self._last = packed(job.start.params)
        self.history: History = {"epoch": [], "train_loss": [], "seconds": []}
        self._started = time.perf_counter()

    def minimise(self) -> Outcome:
        """Run the solver from the job's first parameters."""
        from scipy.optimize import minimize

        value, _ = self._loss(self._last)
        if not np.isfinite(value):
            return self._outcome(self._last, stopping.NON_FINITE, loss=value)
        options = {"maxiter": self._job.last_epoch, "maxfun": self._solver.max_fun, "gtol": self._solver.tol}
        self._started = time.perf_counter()
        try:
            found = minimize(self._loss, self._last, method="L-BFGS-B", jac=True, callback=self._note, options=options)
        except KeyboardInterrupt:
            losses = self.history["train_loss"]
            reported = losses[-1] if losses else float(self._loss.reported)
            return self._outcome(self._last, stopping.INTERRUPTED, loss=reported)
        self._loss(found.x)
        n_iter = min(int(found.nit), self._job.last_epoch)
        message = "" if found.status in (0, 99) else _wording(found, n_iter, self._job.last_epoch)
        status = stopping.CONVERGED if np.isfinite(self._loss.reported) else stopping.NON_FINITE
        return self._outcome(np.array(found.x), status, n_iter, message, float(self._loss.reported))

    def _note(self, flat: np.ndarray) -> None:
        self._last, now = np.array(flat), time.perf_counter()
        # The parameters that an iteration accepts are those of the last evaluation, so `reported` is theirs.
        line = (self.epoch + 1, self._loss.reported, now - self._started)
        for column, value in zip(self.history.values(), line, strict=True):
            column.append(value)
        self._started = now
        self._watcher.begin_epoch()  # called here because SciPy calls back only after an iteration, not before it
        if self._watcher.end_epochs(self, 1):
            raise StopIteration

    @property
    def epoch(self) -> int:
        """Number of finished iterations."""
        return len(self.history["epoch"])

    def current_params(self) -> tuple[Params, ModelState]:
        """Return the parameters of the last iteration, and the model state."""
        return unpacked(self._last, self._job.start.params), self._job.start.model_state

    def snapshot(self) -> Snapshot:
        """Return the current parameters and history. No training can continue from them: SciPy does not expose its memory."""
        state: Any = self._job.start._replace(params=self.current_params()[0], epoch=np.int32(self.epoch))
        return Snapshot(state, {name: list(values) for name, values in self.history.items()}, 0.0)

    def _outcome(
        self, flat: np.ndarray, status: int, n_iter: int | None = None, message: str = "", loss: float | None = None
    ) -> Outcome:
        n_epochs = self.epoch if n_iter is None else n_iter
        start = self._job.start
        params = unpacked(flat, start.params)
        return Outcome(
            params=params,
            model_state=start.model_state,
            history=self.history,
            n_epochs=n_epochs,
            best_epoch=n_epochs,
            has_best=False,
            status=status,
            state=start._replace(params=params),
            message=message,
            loss=loss,
        )


def _check_parts(loss: Loss, n_parts: int) -> None:
    """Raise ValueError for a loss of a batch if the rows are read in several parts, the losses of which are summed."""
    if loss.of_batch and n_parts > 1:
        raise ValueError(
            f"The loss {loss} is a loss of a batch (of_batch = True), but the solver 'lbfgs' reads these rows in {n_parts} parts "
            "and sums their losses. Train with another solver, or with fewer rows."
        )


def _wording(found: Any, n_iter: int, max_iter: int) -> str:
    advice = f"\nIncrease the number of iterations to improve the convergence (max_iter={max_iter})."
    return (
        f"lbfgs failed to converge after {n_iter} iteration(s) (status={found.status}):\n{found.message}\n"
        f"{advice if n_iter == max_iter else ''}\nYou might also want to scale the columns of X, for example with StandardScaler."
    )
