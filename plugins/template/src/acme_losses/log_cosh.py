"""The logarithm of the hyperbolic cosine as a loss."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from skdeep import Loss


class LogCosh(Loss):
    r"""Log-cosh loss: like squared error for small residuals, like absolute error for large ones, with a smooth transition.

    .. math:: s^2 \log\cosh\frac{z - y}{s}

    as mean over outputs. Residuals are in standard deviations of y, which is standardised before training.

    Parameters
    ----------
    scale : float, default=1.0
        The residual :math:`s` near which the transition lies; positive.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from acme_losses import LogCosh
    >>> [round(float(value), 3) for value in LogCosh()(jnp.array([[0.0], [0.1], [100.0]]), jnp.zeros((3, 1)))]
    [0.0, 0.005, 99.307]
    """

    # Annotated fields are parameters. Floats are traced: a search over `loss__scale` compiles one program.
    scale: float = 1.0

    # Class variables of skdeep.Loss: the tasks of the loss, and the scaling of y before training.
    tasks = ("regression",)
    scaling = "standard"

    def __call__(self, raw: jax.Array, target: jax.Array) -> jax.Array:
        ratio = (raw - target) / self.scale
        # log(cosh(r)) = log(e^r + e^-r) - log(2), which does not overflow.
        return self.scale**2 * jnp.mean(jnp.logaddexp(ratio, -ratio) - jnp.log(2.0), axis=1)

    def check_fields(self) -> None:
        if not self.scale > 0:
            raise ValueError(f"The 'scale' field of LogCosh must be positive. Got {self.scale!r} instead.")
