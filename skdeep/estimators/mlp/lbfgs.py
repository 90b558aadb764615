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
from skdeep.core.programs import Program
from skdeep.core.rows import WeightedRows
from skdeep.core.step import row_losses
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
    config: FitConfig, params: Params, model_state: ModelState, rows: Rows
) -> tuple[Float[Array, ""], Params]:
    """Return the weighted sum of the losses of rows, and its gradient."""
    network = functions_of(config.model.network, config.model.in_shape, config.model.n_raw)

    def loss_sum(params: Params) -> Float[Array, ""]:
        raw, _ = network.apply(params, model_state, rows.x, False, None, jnp.ones_like(rows.weight))
        losses = row_losses(config.loss, raw, rows.target)
        return jnp.sum(jnp.where(rows.weight > 0, losses * rows.weight, 0.0))

    return jax.value_and_grad(loss_sum)(params)


loss_and_gradient = Program(loss_and_gradient_of_rows, name="loss_and_gradient")


class _Loss:
    """The penalised mean loss over all rows, as a function of one flat vector."""

    def __init__(
        self, config: FitConfig, objective: BatchMean, params: Params, model_state: ModelState, rows: WeightedRows
    ) -> None:
        self._config, self._objective, self._model_state = config, objective, model_state
        leaves, self._tree = jax.tree.flatten(params)
        self._shapes = [leaf.shape for leaf in leaves]
        self._stops = np.cumsum([leaf.size for leaf in leaves])
        self._rows = rows
        self._weight = float(rows.weight.sum())
        stays_sparse = is_sparse(rows.x) and math.prod(rows.x.shape) > DENSE_VALUES
        n_calls = -(-len(rows.target) // (SPARSE_ROWS_PER_CALL if stays_sparse else ROWS_PER_CALL))
        self._parts = np.array_split(np.arange(len(rows.target)), n_calls)
        self._on_device = None if stays_sparse else [self._made(part) for part in self._parts]

    def __call__(self, flat: np.ndarray) -> tuple[float, np.ndarray]:
        objective, leaves = self._objective, self._leaves(flat)
        loss_sum, gradient = self._sums(leaves)
        penalty = 0.5 * objective.alpha * sum(float((k * k).sum()) for k in leaves if k.ndim >= 2)
        total = [
            objective.scale * g + (objective.alpha * k if k.ndim >= 2 else 0.0)
            for g, k in zip(gradient, leaves, strict=True)
        ]
        self.reported = (objective.reported_scale * loss_sum + penalty) / self._weight
        return (objective.scale * loss_sum + penalty) / self._weight, _packed(total) / self._weight

    def params(self, flat: np.ndarray) -> Params:
        """Return the pytree of a flat vector."""
        return jax.tree.unflatten(self._tree, self._leaves(flat))

    def _leaves(self, flat: np.ndarray) -> list[np.ndarray]:
        return [part.reshape(shape) for part, shape in zip(np.split(flat, self._stops[:-1]), self._shapes, strict=True)]

    def _sums(self, leaves: list[np.ndarray]) -> tuple[float, list[np.ndarray]]:
        params = jax.tree.unflatten(self._tree, leaves)
        loss_sum, gradient = 0.0, [np.zeros(shape) for shape in self._shapes]
        for i, part in enumerate(self._parts):
            rows = self._made(part) if self._on_device is None else self._on_device[i]
            value, of_part = loss_and_gradient(self._config, params, self._model_state, rows)
            loss_sum += float(value)
            gradient = [g + np.asarray(p) for g, p in zip(gradient, jax.tree.leaves(of_part), strict=True)]
        return loss_sum, gradient

    def _made(self, part: np.ndarray) -> Rows:
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
    after_iteration: Callable[[dict[str, float], Params], bool],
) -> Minimum:
    """Run L-BFGS-B (Byrd, Lu, Nocedal and Zhu, SIAM J. Sci. Comput. 16, 1995) from given parameters.

    `after_iteration` gets each iteration's line and parameters, and returns whether to stop. Ctrl-C ends the
    run with the parameters of the last iteration. `rows` and `params` are float64, the type SciPy works in.
    """
    loss = _Loss(config, objective, params, model_state, rows)
    last = _packed(jax.tree.leaves(params))
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
        if after_iteration(line, loss.params(last)):
            raise StopIteration

    options = {"maxiter": max_iter, "maxfun": max_fun, "gtol": tol}
    try:
        found = minimize(loss, last, method="L-BFGS-B", jac=True, callback=note, options=options)
    except KeyboardInterrupt:
        reported = history["train_loss"][-1] if history["train_loss"] else float(loss.reported)
        return Minimum(loss.params(last), reported, history, len(history["epoch"]), "", True)
    loss(found.x)
    n_iter = min(int(found.nit), max_iter)
    message = "" if found.status in (0, 99) else _wording(found, n_iter, max_iter)
    return Minimum(loss.params(np.array(found.x)), float(loss.reported), history, n_iter, message, False)


def _wording(found: Any, n_iter: int, max_iter: int) -> str:
    advice = f"\nIncrease the number of iterations to improve the convergence (max_iter={max_iter})."
    return (
        f"lbfgs failed to converge after {n_iter} iteration(s) (status={found.status}):\n{found.message}\n"
        f"{advice if n_iter == max_iter else ''}\nYou might also want to scale the columns of X, for example with StandardScaler."
    )


def _packed(leaves: list[Any]) -> np.ndarray:
    return np.concatenate([np.ravel(leaf) for leaf in leaves]).astype(np.float64)
