"""Losses for classes and labels: two that bear wrong labels, one for labels that are mostly absent."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from skdeep import Loss
from skdeep.contract import TaskKind

_CLASSIFICATION: tuple[TaskKind, ...] = ("binary", "multiclass", "multilabel")


def log_probability_of_truth(raw: jax.Array, target: jax.Array) -> jax.Array:
    """Return the log-probability of what is true: `(n, 1)` for binary and multiclass, `(n, labels)` for multilabel.

    A label that is absent counts as the other one of two classes.
    """
    if target.ndim == 2 or raw.shape[1] == 1:
        return jax.nn.log_sigmoid(jnp.where(target.reshape(raw.shape) > 0, raw, -raw))
    is_true = jnp.arange(raw.shape[1])[None, :] == target[:, None]
    return jnp.sum(jnp.where(is_true, jax.nn.log_softmax(raw, axis=1), 0.0), axis=1, keepdims=True)


class GeneralizedCrossEntropy(Loss):
    r"""Between cross-entropy, which learns fast, and absolute error, which forgives wrong labels.

    .. math:: \frac{1 - p_y^q}{q}

    with :math:`p_y` the predicted probability of the given class. :math:`q \to 0` is the cross-entropy,
    :math:`q = 1` is :math:`1 - p_y`, half the absolute error of the probabilities. The gradient is that of
    the cross-entropy times :math:`p_y^q`: rows whose label the network finds unlikely have little say.
    Binary and multilabel: the same with a sigmoid; labels are averaged.

    Parameters
    ----------
    q : float, default=0.7
        In (0, 1]; larger for more wrong labels.

    References
    ----------
    Zhang and Sabuncu, "Generalized Cross Entropy Loss for Training Deep Neural Networks with Noisy Labels",
    arXiv 1805.07836 (whose q it is; without the truncated form, which drops rows as training goes on).

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
        # expm1 keeps the digits that 1 - p**q loses where q is small.
        return jnp.mean(-jnp.expm1(self.q * log_probability_of_truth(raw, target)) / self.q, axis=1)

    def check_fields(self) -> None:
        if not 0 < self.q <= 1:
            raise ValueError(f"The 'q' field of GeneralizedCrossEntropy must be in (0, 1]. Got {self.q!r} instead.")


class SymmetricCrossEntropy(Loss):
    r"""Cross-entropy plus the reverse one, in which label and prediction have changed places.

    .. math:: -\alpha \log p_y - \beta \sum_k p_k \log t_k = -\alpha \log p_y - \beta A (1 - p_y)

    with :math:`t` the one-hot label, :math:`p_y` the predicted probability of the given class, and
    :math:`\log 0 = A`. The second term forgives wrong labels, the first keeps hard classes learning.
    Binary and multilabel: the same for two classes, with a sigmoid; labels are averaged.

    Parameters
    ----------
    alpha : float, default=0.1
        Weight of the cross-entropy, at least 0.
    beta : float, default=1.0
        Weight of the reverse cross-entropy, at least 0.
    log_zero : float, default=-4.0
        What stands for log 0, negative. Only its product with `beta` matters.

    References
    ----------
    Wang et al., "Symmetric Cross Entropy for Robust Learning with Noisy Labels", arXiv 1908.06112. The defaults
    are those for CIFAR-10; the authors took alpha=0.01, beta=1 for MNIST and alpha=6, beta=0.1 for CIFAR-100.
    Their code clips labels at 1e-4 instead, which is log_zero=-9.21.

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
                "The 'alpha' and 'beta' fields of SymmetricCrossEntropy must not both be 0: nothing would be left of the loss."
            )
        if not self.log_zero < 0:
            raise ValueError(
                f"The 'log_zero' field of SymmetricCrossEntropy must be negative. Got {self.log_zero!r} instead."
            )


class Asymmetric(Loss):
    r"""Focal loss with a focus of its own for absent labels, of which the easy ones drop out.

    .. math::
        -(1 - p)^{\gamma_+} \log p \quad\text{(present)}, \qquad
        -p_m^{\gamma_-} \log(1 - p_m), \; p_m = \max(p - m, 0) \quad\text{(absent)}

    with :math:`p` the sigmoid of the raw output and :math:`m` the margin. For labels of which a row has few among
    many. With a margin, an absent label that looks surely present has no pull either: it may be a missing one.
    The paper sums over labels; here they are averaged, so that the learning rate need not follow their number.
    Binary is one label, present for the second class. At zero focus and margin it is the cross-entropy, with equal
    focus and no margin the focal loss; otherwise probabilities are pushed up: they rank, but need calibration.

    Parameters
    ----------
    gamma_pos, gamma_neg : float, default=(0.0, 4.0)
        Focusing strength for present and absent labels, at least 0.
    margin : float, default=0.05
        Probability below which an absent label counts as learnt, in [0, 1).

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
        # m / p, at most 1. Gradients are taken of both branches of a `where`: each gets arguments at which they are finite.
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
