"""Dense layers, dropout, normalisation and flattening."""

from __future__ import annotations

from typing import Any, ClassVar

from skdeep.contract import Layer, Schedule
from skdeep.layers.fields import check_dropout_rate, check_one_of, check_positive, check_schedule
from skdeep.layers.initializers import INITIALIZERS, initializer


class Dense(Layer):
    """A fully connected layer, `x W + b` over the last axis, without an activation.

    Parameters
    ----------
    features : int, default=128
        Number of output features.
    use_bias : bool, default=True
        If False, the layer has no bias `b`.
    kernel_init : str, default="he_uniform"
        Initializer of the kernel W: one of the variance-scaling initializers of `jax.nn.initializers`,
        "he_uniform", "glorot_normal", "lecun_normal" and so on. The bias starts at 0.

    Examples
    --------
    >>> from skdeep.layers import Dense
    >>> Dense(features=64)
    Dense(features=64, use_bias=True, kernel_init='he_uniform')
    """

    features: int = 128
    use_bias: bool = True
    kernel_init: str = "he_uniform"

    def build(self) -> Any:
        import flax.linen as nn

        return nn.Dense(self.features, use_bias=self.use_bias, kernel_init=initializer(self.kernel_init))

    def check_fields(self) -> None:
        check_positive(self, "features")
        check_one_of(self, "kernel_init", INITIALIZERS)


class Dropout(Layer):
    """Set a random share of the values to zero in training, and multiply the others by `1 / (1 - rate)`.

    At prediction it changes nothing.

    Parameters
    ----------
    rate : float or None, default=0.5
        Probability that a value is dropped, in [0, 1). None leaves dropout out of the program, which then compiles sooner. Rates
        are traced, so a search over numbers, 0 among them, compiles once.
    schedule : Schedule or None, default=None
        Factor of the rate over the training; None for a constant rate.

    References
    ----------
    Srivastava et al., "Dropout: A Simple Way to Prevent Neural Networks from Overfitting", JMLR 15, 2014.

    Examples
    --------
    >>> from skdeep.layers import Dropout
    >>> Dropout(rate=0.2)
    Dropout(rate=0.2, schedule=None)
    """

    rate: float | None = 0.5
    schedule: Schedule | None = None

    def build(self) -> Any:
        from skdeep.layers.linen.dropout import TracedDropout

        return TracedDropout(self.rate, self.schedule)

    def check_fields(self) -> None:
        check_dropout_rate(self, "rate")
        check_schedule(self, "schedule")


class BatchNorm(Layer):
    """Batch normalisation per feature; padding rows and masked steps do not enter the statistics.

    A batch with fewer rows than a full one, such as the last one of an epoch, changes the running mean and variance
    in proportion to its number of rows.

    Parameters
    ----------
    momentum : float, default=0.9
        Decay of the running mean and variance per batch; prediction uses the running values.
    epsilon : float, default=1e-5
        Added to the variance.

    References
    ----------
    Ioffe and Szegedy, "Batch Normalization", arXiv 1502.03167.

    Examples
    --------
    >>> from skdeep.layers import BatchNorm
    >>> BatchNorm().momentum
    0.9
    """

    momentum: float = 0.9
    epsilon: float = 1e-5

    def build(self) -> Any:
        from skdeep.layers.linen.norm import MaskedBatchNorm

        return MaskedBatchNorm(self.momentum, self.epsilon)


class LayerNorm(Layer):
    """Layer normalisation over the last axis (Ba et al., arXiv 1607.06450).

    Parameters
    ----------
    epsilon : float, default=1e-6
        Added to the variance.

    Examples
    --------
    >>> from skdeep.layers import LayerNorm
    >>> LayerNorm()
    LayerNorm(epsilon=1e-06)
    """

    epsilon: float = 1e-6

    def build(self) -> Any:
        import flax.linen as nn

        return nn.LayerNorm(epsilon=self.epsilon, use_fast_variance=False)


class GroupNorm(Layer):
    """Group normalisation: normalise each group of channels of a row over all axes; masked steps are left out.

    Unlike batch normalisation, it does not depend on the other rows, and is the same in training and at prediction.

    Parameters
    ----------
    n_groups : int, default=8
        Number of groups; must divide the number of channels.
    epsilon : float, default=1e-6
        Added to the variance.

    References
    ----------
    Wu and He, "Group Normalization", arXiv 1803.08494.

    Examples
    --------
    >>> from skdeep.layers import GroupNorm
    >>> GroupNorm(n_groups=4)
    GroupNorm(n_groups=4, epsilon=1e-06)
    """

    n_groups: int = 8
    epsilon: float = 1e-6
    example_shape: ClassVar[tuple[int, ...]] = (3, 2, 16)

    def build(self) -> Any:
        from skdeep.layers.linen.norm import GroupNorm

        return GroupNorm(self.n_groups, self.epsilon)

    def check_fields(self) -> None:
        check_positive(self, "n_groups")


class Flatten(Layer):
    """Flatten each row to one vector.

    Examples
    --------
    >>> from skdeep.layers import Flatten
    >>> Flatten()
    Flatten()
    """

    def build(self) -> Any:
        from skdeep.layers.linen.function import Function, flattened

        return Function(flattened)

    def output_mask(self, x: Any, step_mask: Any) -> Any:
        return None
