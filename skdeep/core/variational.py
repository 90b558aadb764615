"""Variational autoencoders: a network and a loss that agree on the names of the raw outputs.

The names are "reconstruction" (the raw output of the decoder), "mean" and "log_variance" (of the code).
"""

from __future__ import annotations

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Shaped

from skdeep.contract import Loss
from skdeep.core.composed import Autoencoder
from skdeep.core.objective import row_losses
from skdeep.records import Task, TaskKind

# Above this exponent, `_exp` continues on its tangent, so that the first steps on unscaled rows do not overflow.
LARGEST_EXPONENT = 10.0


class VariationalAutoencoder(Autoencoder):
    """An autoencoder whose code is drawn from a normal distribution, the mean and log variance of which the encoder returns.

    In training the decoder gets a random draw, in prediction the mean.

    References
    ----------
    Kingma and Welling, "Auto-Encoding Variational Bayes", arXiv 1312.6114.
    """

    @property
    def n_codes(self) -> int:
        return 2 * self.n_components

    names_outputs: ClassVar[bool] = True

    def n_decoded(self, n_outputs: Any) -> int:
        return int(n_outputs["reconstruction"])

    def with_codes(self, decoded: Any, codes: Any) -> Any:
        mean, log_variance = codes[:, : self.n_components], codes[:, self.n_components :]
        return {"reconstruction": decoded, "mean": mean, "log_variance": log_variance}

    def latent(self, codes: Float[Array, "n codes"], train: bool, key: Any) -> Float[Array, "n components"]:
        mean, log_variance = codes[:, : self.n_components], codes[:, self.n_components :]
        if not train:
            return mean
        return mean + _exp(0.5 * log_variance) * jax.random.normal(key, mean.shape, mean.dtype)


class VariationalLoss(Loss):
    r"""A reconstruction loss plus `beta` times the Kullback-Leibler divergence of the code from a standard normal.

    .. math:: \ell + \frac{\beta}{d} \sum_j \tfrac12 \left(\mu_j^2 + e^{s_j} - s_j - 1\right)

    The reconstruction loss :math:`\ell` is a mean over the :math:`d` values of a row, so the divergence is divided by
    :math:`d` too: with the squared error, `beta=1` gives the evidence lower bound of normal values of variance 1/2.

    Parameters
    ----------
    reconstruction : Loss
    n_components : int
    beta : float, default=1.0

    References
    ----------
    Kingma and Welling, "Auto-Encoding Variational Bayes", arXiv 1312.6114; Higgins et al., "beta-VAE", ICLR 2017.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from skdeep.core.variational import VariationalLoss
    >>> from skdeep.losses import SquaredError
    >>> loss = VariationalLoss(SquaredError(), n_components=1)
    >>> raw = {"reconstruction": jnp.array([[3.0]]), "mean": jnp.array([[2.0]]), "log_variance": jnp.array([[0.0]])}
    >>> loss(raw, jnp.array([[1.0]]))  # 2^2 + 2^2 / 2
    Array([6.], dtype=float32)
    """

    reconstruction: Loss
    n_components: int
    beta: float = 1.0

    tasks: ClassVar[tuple[TaskKind, ...]] = ("regression",)

    def n_raw(self, task: Task) -> Any:
        of_code = dict.fromkeys(("mean", "log_variance"), self.n_components)
        return {"reconstruction": self.reconstruction.n_raw(task), **of_code}

    def __call__(self, raw: Any, target: Shaped[Array, "n ..."]) -> Float[Array, " n"]:
        mean, log_variance = raw["mean"], raw["log_variance"]
        divergence = 0.5 * jnp.sum(mean**2 + _exp(log_variance) - log_variance - 1.0, axis=1)
        return row_losses(self.reconstruction, raw["reconstruction"], target) + self.beta * divergence / target.shape[1]

    def n_predicted(self, task: Task) -> int:
        return self.reconstruction.n_predicted(task)

    def link(self, raw: Any, task: Task, xp: Any) -> Any:
        return self.reconstruction.link(raw["reconstruction"], task, xp)

    def point(self, prediction: Any) -> Any:
        return self.reconstruction.point(prediction)


def _exp(exponent: Float[Array, "..."]) -> Float[Array, "..."]:
    inside = jnp.minimum(exponent, LARGEST_EXPONENT)
    return jnp.exp(inside) * (1.0 + exponent - inside)
