"""Losses for classification: two for training labels of which some are wrong, one for labels that are mostly absent."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from skdeep import Loss
from skdeep.contract import TaskKind

_CLASSIFICATION: tuple[TaskKind, ...] = ("binary", "multiclass", "multilabel")


def log_probability_of_truth(raw: jax.Array, target: jax.Array) -> jax.Array:
    """Return the log-probability of the true class, `(n, 1)`, or of the state of each label, `(n, labels)`.

    The state of a label is one of two classes, present or absent.
    """
    if target.ndim == 2 or raw.shape[1] == 1:
        return jax.nn.log_sigmoid(jnp.where(target.reshape(raw.shape) > 0, raw, -raw))
    is_true = jnp.arange(raw.shape[1])[None, :] == target[:, None]
    return jnp.sum(jnp.where(is_true, jax.nn.log_softmax(raw, axis=1), 0.0), axis=1, keepdims=True)


class GeneralizedCrossEntropy(Loss):
    r"""A family of losses between cross-entropy, which trains fast, and absolute error, which is robust to wrong labels.

    .. math:: \frac{1 - p_y^q}{q}

    with :math:`p_y` the predicted probability of the given class. :math:`q \to 0` gives the cross-entropy, :math:`q = 1` gives
    :math:`1 - p_y`, half the absolute error of the probabilities. The gradient is that of the cross-entropy times
    :math:`p_y^q`: rows whose label has a low predicted probability have little influence. Binary and multilabel: the same with
    a sigmoid; a multilabel row has the mean over its labels.

    Parameters
    ----------
    q : float, default=0.7
        Exponent, in (0, 1]. Use a larger value the more labels are wrong.

    References
    ----------
    Zhang and Sabuncu, "Generalized Cross Entropy Loss for Training Deep Neural Networks with Noisy Labels",
    arXiv 1805.07836, with the default of q. The truncated form, which drops rows during training, is not implemented.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from skdeep_robust import GeneralizedCrossEntropy
    >>> GeneralizedCrossEntropy(q=1.0)(jnp.zeros((1, 4)), jnp.array([2]))
    Array([0.75], dtype=float32)
    """

    q: float = 0.7

    tasks = _CLASSIFICATION
    probabilistic = True

    def __call__(self, raw: jax.Array, target: jax.Array) -> jax.Array:
        # expm1 keeps the digits that 1 - p**q loses if q is small.
        return jnp.mean(-jnp.expm1(self.q * log_probability_of_truth(raw, target)) / self.q, axis=1)

    def check_fields(self) -> None:
        if not 0 < self.q <= 1:
            raise ValueError(f"The 'q' field of GeneralizedCrossEntropy must be in (0, 1]. Got {self.q!r} instead.")


class SymmetricCrossEntropy(Loss):
    r"""Cross-entropy plus reverse cross-entropy, in which label and prediction are exchanged.

    .. math:: -\alpha \log p_y - \beta \sum_k p_k \log t_k = -\alpha \log p_y - \beta A (1 - p_y)

    with :math:`t` the one-hot label, :math:`p_y` the predicted probability of the given class, and :math:`\log 0 = A`. The
    second term is robust to wrong labels; the first is needed to learn hard classes. Binary and multilabel: the same for two
    classes, with a sigmoid; a multilabel row has the mean over its labels.

    Parameters
    ----------
    alpha : float, default=0.1
        Weight of the cross-entropy, at least 0.
    beta : float, default=1.0
        Weight of the reverse cross-entropy, at least 0.
    log_zero : float, default=-4.0
        The value A that replaces log 0; negative. Only its product with `beta` has an effect.

    References
    ----------
    Wang et al., "Symmetric Cross Entropy for Robust Learning with Noisy Labels", arXiv 1908.06112. The defaults
    are the paper's for CIFAR-10; it uses alpha=0.01, beta=1 for MNIST and alpha=6, beta=0.1 for CIFAR-100. The
    authors' code clips labels at 1e-4 instead, which corresponds to log_zero=-9.21.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from skdeep_robust import SymmetricCrossEntropy
    >>> SymmetricCrossEntropy(alpha=0.0)(jnp.zeros((1, 4)), jnp.array([2]))
    Array([3.], dtype=float32)
    """

    alpha: float = 0.1
    beta: float = 1.0
    log_zero: float = -4.0

    tasks = _CLASSIFICATION
    probabilistic = True

    def __call__(self, raw: jax.Array, target: jax.Array) -> jax.Array:
        log_p = log_probability_of_truth(raw, target)
        return jnp.mean(self.beta * self.log_zero * jnp.expm1(log_p) - self.alpha * log_p, axis=1)

    def check_fields(self) -> None:
        for name, value in (("alpha", self.alpha), ("beta", self.beta)):
            if not value >= 0:
                raise ValueError(
                    f"The {name!r} field of SymmetricCrossEntropy must be at least 0. Got {value!r} instead."
                )
        if not self.alpha + self.beta > 0:
            raise ValueError(
                "The 'alpha' and 'beta' fields of SymmetricCrossEntropy must not both be 0, since the loss would then be 0. Give one of "
                "them a positive value."
            )
        if not self.log_zero < 0:
            raise ValueError(
                f"The 'log_zero' field of SymmetricCrossEntropy must be negative. Got {self.log_zero!r} instead."
            )


class Asymmetric(Loss):
    r"""Asymmetric loss: focal loss with separate focusing for present and absent labels, and a margin for absent ones.

    .. math::
        -(1 - p)^{\gamma_+} \log p \quad\text{(present)}, \qquad
        -p_m^{\gamma_-} \log(1 - p_m), \; p_m = \max(p - m, 0) \quad\text{(absent)}

    with :math:`p` the sigmoid of the raw output and :math:`m` the margin. It is for data with many labels of which each row
    has few. With a margin, the gradient vanishes also for an absent label with a probability close to 1, since the label may
    be missing by mistake. The paper sums over labels; here the loss is the mean over labels, so that the learning rate need
    not depend on their number. A binary task is one label, present for the second class. If both focusing parameters and the
    margin are 0, this is the cross-entropy; with equal focusing parameters and no margin, it is the focal loss. Otherwise the
    predicted probabilities are too high: they rank rows, but need calibration.

    Parameters
    ----------
    gamma_pos, gamma_neg : float, default=(0.0, 4.0)
        Focusing parameters of present and absent labels, at least 0.
    margin : float, default=0.05
        Probability up to which an absent label has a loss of 0, in [0, 1).

    References
    ----------
    Ben-Baruch et al., "Asymmetric Loss For Multi-Label Classification", arXiv 2009.14119.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from skdeep_robust import Asymmetric
    >>> Asymmetric()(jnp.array([[0.0, -3.0]]), jnp.array([[1.0, 0.0]]))
    Array([0.3465736], dtype=float32)
    """

    gamma_pos: float = 0.0
    gamma_neg: float = 4.0
    margin: float = 0.05

    tasks = ("binary", "multilabel")
    probabilistic = True

    def __call__(self, raw: jax.Array, target: jax.Array) -> jax.Array:
        log_p, log_rest = jax.nn.log_sigmoid(raw), jax.nn.log_sigmoid(-raw)
        present = -jnp.exp(self.gamma_pos * log_rest) * log_p
        has_margin = self.margin > 0
        log_margin = jnp.where(has_margin, jnp.log(jnp.where(has_margin, self.margin, 1.0)), -jnp.inf)
        # m / p, at most 1. Both branches of a `where` are differentiated, so each gets arguments at which its gradient is finite.
        margin_share = jnp.exp(jnp.minimum(log_margin - log_p, 0.0))
        is_over = margin_share < 1
        log_over = log_p + jnp.log1p(-jnp.where(is_over, margin_share, 0.0))  # log(p - m)
        log_without = jnp.logaddexp(log_rest, log_margin)  # log(1 - p + m)
        absent = jnp.where(is_over, -jnp.exp(self.gamma_neg * log_over) * log_without, 0.0)
        return jnp.mean(jnp.where(target.reshape(raw.shape) > 0, present, absent), axis=1)

    def check_fields(self) -> None:
        for name, value in (("gamma_pos", self.gamma_pos), ("gamma_neg", self.gamma_neg)):
            if not value >= 0:
                raise ValueError(f"The {name!r} field of Asymmetric must be at least 0. Got {value!r} instead.")
        if not 0 <= self.margin < 1:
            raise ValueError(f"The 'margin' field of Asymmetric must be in [0, 1). Got {self.margin!r} instead.")
