"""SciPy's L-BFGS-B over the core's compiled loss and gradient of rows."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
from jax import numpy as jnp
from jaxtyping import Array, Float
from scipy.optimize import minimize

from skdeep.contract import FitConfig, ModelState, Params, Rows
from skdeep.core.batch import pad_rows
from skdeep.core.encode import is_sparse
from skdeep.core.network import functions_of
from skdeep.core.objective import are_penalised, row_losses
from skdeep.core.programs import Program
from skdeep.core.random import wrap_key
from skdeep.core.rows import WeightedRows
from skdeep.estimators.mlp.rules import BatchMean

# Rows that one call evaluates: their hidden values are in memory together.
ROWS_PER_CALL = 2**14
# Sparse X of more values than this is made dense a part at a time, for each call anew.
DENSE_VALUES = 2**23
SPARSE_ROWS_PER_CALL = 2**11


class Minimum(NamedTuple):
    """What the solver found: parameters, the reported loss, a line for each iteration, and how it ended."""

    params: Params
    loss: float
    history: dict[str, list[float]]
    n_iter: int
    message: str
    was_interrupted: bool


def loss_and_gradient_of_rows(
    config: FitConfig, model_state: ModelState, rows: Rows, flat: Float[Array, " parameters"]
) -> tuple[Float[Array, ""], Float[Array, " parameters"]]:
    """Return the weighted sum of the losses of rows, and its gradient by all parameters in one vector."""
    network = functions_of(config.model.network, config.model.in_shape, config.model.n_raw)
    template, _ = jax.eval_shape(network.init, wrap_key(jnp.zeros(2, "uint32")), rows.x[:1])

    def loss_sum(flat: Float[Array, " parameters"]) -> Float[Array, ""]:
        raw, _ = network.apply(unpacked(flat, template), model_state, rows.x, False, None, jnp.ones_like(rows.weight))
        losses = row_losses(config.loss, raw, rows.target)
        return jnp.sum(jnp.where(rows.weight > 0, losses * rows.weight, 0.0))

    return jax.value_and_grad(loss_sum)(flat)


loss_and_gradient = Program(loss_and_gradient_of_rows, name="loss_and_gradient")


def packed(params: Params) -> np.ndarray:
    """Return all parameters in one float64 vector."""
    return np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(params)]).astype(np.float64, copy=False)


def unpacked(flat: Any, template: Params) -> Params:
    """Return the parameters of a vector in the form of others."""
    leaves, tree = jax.tree.flatten(template)
    stops = np.cumsum([leaf.size for leaf in leaves])
    return jax.tree.unflatten(
        tree, [flat[stop - leaf.size : stop].reshape(leaf.shape) for leaf, stop in zip(leaves, stops, strict=True)]
    )


class _Loss:
    """The penalised mean loss over all rows and its gradient, as SciPy calls them."""

    reported: float

    def __init__(
        self, config: FitConfig, objective: BatchMean, params: Params, model_state: ModelState, rows: WeightedRows
    ) -> None:
        self._config, self._objective, self._model_state, self._rows = config, objective, model_state, rows
        self._weight = float(rows.weight.sum())
        # 1 for parameters that are penalised, else 0.
        self._is_kernel = packed(
            jax.tree.map(lambda leaf, mark: np.full(leaf.shape, float(mark)), params, are_penalised(params))
        )
        stays_sparse = is_sparse(rows.x) and math.prod(rows.x.shape) > DENSE_VALUES
        n_calls = -(-len(rows.target) // (SPARSE_ROWS_PER_CALL if stays_sparse else ROWS_PER_CALL))
        self._parts = np.array_split(np.arange(len(rows.target)), n_calls)
        flat = packed(params)
        self._calls = (
            None
            if stays_sparse
            else [
                loss_and_gradient.with_others(*jax.device_put((config, model_state, self._dense(part))), flat)
                for part in self._parts
            ]
        )

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
        for i, part in enumerate(self._parts):
            if self._calls is None:
                of_part = loss_and_gradient(self._config, self._model_state, self._dense(part), flat)
            else:
                of_part = self._calls[i](flat)
            loss_sum += float(of_part[0])
            gradient += np.asarray(of_part[1])
        return loss_sum, gradient

    def _dense(self, part: np.ndarray) -> Rows:
        rows = self._rows.take(part)
        x = rows.x.toarray() if is_sparse(rows.x) else rows.x
        return pad_rows(rows._replace(x=x), self._config.model.in_shape)


def minimise(
    config: FitConfig,
    objective: BatchMean,
    params: Params,
    model_state: ModelState,
    rows: WeightedRows,
    *,
    max_iter: int,
    max_fun: int,
    tol: float,
    after_iteration: Callable[[dict[str, list[float]], Params], bool],
) -> Minimum:
    """Run L-BFGS-B (Byrd, Lu, Nocedal and Zhu, SIAM J. Sci. Comput. 16, 1995) from given parameters.

    `after_iteration` gets the lines so far and the parameters, and returns whether to stop. Ctrl-C ends the
    run with the parameters of the last iteration. `rows` and `params` are float64, the type SciPy works in.
    """
    loss = _Loss(config, objective, params, model_state, rows)
    last = packed(params)
    history: dict[str, list[float]] = {"epoch": [], "train_loss": [], "seconds": []}
    loss_sum, _ = loss(last)
    if not np.isfinite(loss_sum):
        return Minimum(params, loss_sum, history, 0, "", False)
    start = time.perf_counter()

    def note(flat: np.ndarray) -> None:
        nonlocal last, start
        last, now = np.array(flat), time.perf_counter()
        # The point that an iteration accepts is the one that was evaluated last.
        line = {"epoch": len(history["epoch"]) + 1, "train_loss": loss.reported, "seconds": now - start}
        for name, value in line.items():
            history[name].append(value)
        start = now
        if after_iteration(history, unpacked(last, params)):
            raise StopIteration

    options = {"maxiter": max_iter, "maxfun": max_fun, "gtol": tol}
    try:
        found = minimize(loss, last, method="L-BFGS-B", jac=True, callback=note, options=options)
    except KeyboardInterrupt:
        reported = history["train_loss"][-1] if history["train_loss"] else float(loss.reported)
        return Minimum(unpacked(last, params), reported, history, len(history["epoch"]), "", True)
    loss(found.x)
    n_iter = min(int(found.nit), max_iter)
    message = "" if found.status in (0, 99) else _wording(found, n_iter, max_iter)
    return Minimum(unpacked(np.array(found.x), params), float(loss.reported), history, n_iter, message, False)


def _wording(found: Any, n_iter: int, max_iter: int) -> str:
    advice = f"\nIncrease the number of iterations to improve the convergence (max_iter={max_iter})."
    return (
        f"lbfgs failed to converge after {n_iter} iteration(s) (status={found.status}):\n{found.message}\n"
        f"{advice if n_iter == max_iter else ''}\nYou might also want to scale the columns of X, for example with StandardScaler."
    )
