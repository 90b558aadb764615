"""SOAP: Adam in the eigenbasis of Shampoo's preconditioner."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from skdeep import Optimizer
from skdeep.contract import Params
from skdeep.kernels import are_kernels
from skdeep_optimizers.eigenbasis import (
    Matrices,
    decayed_factors,
    eigenvectors,
    identity_bases,
    refreshed,
    rotate,
    rotate_back,
    zero_factors,
)
from skdeep_optimizers.fields import check_counts, check_numbers


class SOAPState(NamedTuple):
    """`factors` and `bases` have one entry per leaf of the parameters; `mean_square` is of the rotated gradients."""

    count: Any
    mean: Params
    mean_square: Params
    factors: tuple[Matrices, ...]
    bases: tuple[Matrices, ...]


class SOAP(Optimizer):
    r"""Adam in the eigenbasis of Shampoo's preconditioner, instead of along the entries of a kernel.

    For a kernel with gradients :math:`G_t`, let :math:`L_t` and :math:`R_t` be the running means of :math:`G_t G_t^\top` and
    :math:`G_t^\top G_t` (Shampoo's preconditioner), and :math:`Q_L, Q_R` their eigenvectors. Then

    .. math::
        M_t &= \beta_1 M_{t-1} + (1 - \beta_1) G_t, \qquad
        V_t = \beta_2 V_{t-1} + (1 - \beta_2) (Q_L^\top G_t Q_R)^2 \\
        W_t &= W_{t-1} - \eta\, Q_L \left( \frac{Q_L^\top M_t Q_R / (1 - \beta_1^t)}
            {\sqrt{V_t / (1 - \beta_2^t)} + \epsilon} \right) Q_R^\top - \eta \lambda W_{t-1}

    The first step only computes the eigenvectors and does not change the parameters, so that no gradient is rotated to a
    basis that was computed from this gradient alone. After every `precondition_every` further steps, one step of power
    iteration refreshes the eigenvectors, :math:`Q_L \leftarrow \mathrm{qr}(L_t Q_L)`. Columns, and :math:`V` with them, are
    first sorted by eigenvalue; the paper's listing does not mention this, but the authors' code does it.

    Kernels with more axes (convolutions: height, width, in, out) have one basis per axis, as in the authors' code. Axes longer
    than `max_precondition_size`, biases, the parameters of norms, and other vectors are not rotated: for them this is Adam.

    Give the estimator a `learning_rate` from 3e-3 (as in the paper) to 3e-2, larger for smaller networks. A step is as long as
    Adam's but spread over many directions, few of which matter, so that with the default of 1e-3 training starts slower than
    with Adam. Each refresh computes a QR decomposition per rotated axis, and the state holds two square matrices per rotated
    axis. With two hidden layers of 128 units and `OPENBLAS_NUM_THREADS=1` in the environment, a step takes about 3 times as
    long as with Adam. Without this setting it takes longer, since LAPACK's threads wait for each other, above all on busy
    machines.

    Parameters
    ----------
    b1, b2 : float, default=0.95, 0.95
        Decay per step of the running mean of gradients, and of the squares of rotated gradients, in [0, 1).
    eps : float, default=1e-8
        Added to the denominator; positive.
    weight_decay : float, default=0.0
        Strength of the decoupled weight decay of kernels, multiplied by the learning rate; at least 0. The paper uses
        1e-4.
    shampoo_decay : float or None, default=None
        Decay per step of :math:`L` and :math:`R`, in [0, 1). None means `b2`, as in the paper.
    precondition_every : int, default=10
        Number of steps between two refreshes, at least 1.
    max_precondition_size : int, default=512
        Length of the longest axis that is rotated, at least 1. With 1 nothing is rotated, and this is AdamW without its
        first step.

    References
    ----------
    Vyas et al., "SOAP: Improving and Stabilizing Shampoo using Adam", arXiv 2409.11321;
    Gupta, Koren and Singer, "Shampoo: Preconditioned Stochastic Tensor Optimization", arXiv 1802.09568.

    Examples
    --------
    >>> from skdeep import DeepClassifier
    >>> model = DeepClassifier(optimizer="soap", learning_rate=3e-3)
    >>> model.set_params(optimizer__precondition_every=5).optimizer.precondition_every
    5
    """

    b1: float = 0.95
    b2: float = 0.95
    eps: float = 1e-8
    weight_decay: float = 0.0
    shampoo_decay: float | None = None
    precondition_every: int = 10
    max_precondition_size: int = 512

    def transformation(self, learning_rate: Any) -> Any:
        import optax

        def update(grad: Params, state: SOAPState, params: Params | None = None) -> tuple[Params, SOAPState]:
            return self._step(grad, state, params, learning_rate)

        return optax.GradientTransformation(self._start, update)

    def _start(self, params: Params) -> SOAPState:
        zeros = jax.tree.map(jnp.zeros_like, params)
        factors = tuple(zero_factors(leaf, self.max_precondition_size) for leaf in jax.tree.leaves(params))
        return SOAPState(jnp.zeros((), jnp.int32), zeros, zeros, factors, tuple(map(identity_bases, factors)))

    def _step(self, grad: Params, state: SOAPState, params: Params, learning_rate: Any) -> tuple[Params, SOAPState]:
        is_first = state.count == 0
        tree = jax.tree.structure(params)
        grads, means, mean_squares = map(jax.tree.leaves, (grad, state.mean, state.mean_square))
        adam = [
            self._adam(is_first, jnp.maximum(state.count, 1), *leaf)
            for leaf in zip(grads, means, mean_squares, state.bases, strict=True)
        ]
        directions, means, mean_squares = map(list, zip(*adam, strict=True))
        updates = jax.tree.map(
            lambda d, p, decays: jnp.where(is_first, 0.0, -learning_rate * (d + self.weight_decay * p * decays)),
            jax.tree.unflatten(tree, directions),
            params,
            are_kernels(params),
        )
        decay = self.b2 if self.shampoo_decay is None else self.shampoo_decay
        factors = tuple(decayed_factors(f, g, decay) for f, g in zip(state.factors, grads, strict=True))
        bases, mean_squares = self._turn(state.count, factors, state.bases, mean_squares)
        mean, mean_square = (jax.tree.unflatten(tree, leaves) for leaves in (means, mean_squares))
        return updates, SOAPState(state.count + 1, mean, mean_square, factors, bases)

    def _adam(self, is_first: Any, n_steps: Any, g: Any, m: Any, v: Any, bases: Matrices) -> tuple[Any, Any, Any]:
        """Return the direction of one leaf's update, and its running means; the first step leaves the means at zero."""
        b1, b2 = jnp.where(is_first, 1.0, self.b1), jnp.where(is_first, 1.0, self.b2)
        mean = b1 * m + (1 - b1) * g
        mean_square = b2 * v + (1 - b2) * rotate(g, bases) ** 2
        root = jnp.sqrt(mean_square / (1 - self.b2**n_steps))
        coordinates = rotate(mean, bases) / (1 - self.b1**n_steps)
        return rotate_back(coordinates / (root + self.eps), bases), mean, mean_square

    def _turn(self, count: Any, factors: Any, bases: Any, mean_squares: list[Any]) -> tuple[Any, list[Any]]:
        """Return the bases for the next step, and the mean squares in these bases.

        One `switch` serves all leaves, so that the program has three branches in total.
        """

        def keep(_: Any) -> tuple[Any, list[Any]]:
            return bases, mean_squares

        def start(_: Any) -> tuple[Any, list[Any]]:
            return tuple(map(eigenvectors, factors)), mean_squares

        def refresh(_: Any) -> tuple[Any, list[Any]]:
            turned = [refreshed(*leaf) for leaf in zip(factors, bases, mean_squares, strict=True)]
            return tuple(b for b, _ in turned), [v for _, v in turned]

        is_due = count % self.precondition_every == 0
        which = jnp.where(count == 0, 1, jnp.where(is_due, 2, 0))
        turned: tuple[Any, list[Any]] = jax.lax.switch(which, (keep, start, refresh), None)
        return turned

    def check_fields(self) -> None:
        check_numbers(self, "[0, 1)", "b1", "b2")
        check_numbers(self, "(0, inf)", "eps")
        check_numbers(self, "[0, inf)", "weight_decay")
        if self.shampoo_decay is not None:
            check_numbers(self, "[0, 1)", "shampoo_decay")
        check_counts(self, "precondition_every", "max_precondition_size")
