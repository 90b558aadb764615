"""Dense, dropout, normalisation, flatten."""

from __future__ import annotations

from typing import Any

from skdeep.contract import Layer


class Dense(Layer):
    """A fully connected layer, `x W + b` over the last axis; no activation of its own.

    Parameters
    ----------
    features : int, default=128
    use_bias : bool, default=True
    kernel_init : str, default="he_uniform"
        A variance-scaling initializer of `jax.nn.initializers`: "he_uniform", "glorot_normal",
        "lecun_normal" and the like.

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
        import jax

        initializer = getattr(jax.nn.initializers, self.kernel_init)()
        return nn.Dense(self.features, use_bias=self.use_bias, kernel_init=initializer)

    def check_fields(self) -> None:
        _check_positive(self, "features", self.features)
        known = [f"{k}_{d}" for k in ("he", "glorot", "lecun", "kaiming", "xavier") for d in ("normal", "uniform")]
        if self.kernel_init not in known:
            raise ValueError(
                f"The 'kernel_init' field of Dense must be one of {known}. Got {self.kernel_init!r} instead."
            )


class Dropout(Layer):
    """Sets a random share of the values to zero while training, and scales up the rest.

    Parameters
    ----------
    rate : float, default=0.5
        Share that is dropped, in [0, 1).

    References
    ----------
    Srivastava et al., "Dropout", JMLR 15, 2014.

    Examples
    --------
    >>> from skdeep.layers import Dropout
    >>> Dropout(rate=0.2)
    Dropout(rate=0.2)
    """

    rate: float = 0.5

    def build(self) -> Any:
        from skdeep.layers.modules import TracedDropout

        return TracedDropout(self.rate)

    def check_fields(self) -> None:
        if not 0 <= self.rate < 1:
            raise ValueError(f"The 'rate' field of Dropout must be in [0, 1). Got {self.rate!r} instead.")


class BatchNorm(Layer):
    """Batch normalisation; rows that are padding do not enter the statistics.

    Parameters
    ----------
    momentum : float, default=0.9
        Decay of the running mean and variance, which serve at prediction.
    epsilon : float, default=1e-5

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
        from skdeep.layers.modules import MaskedBatchNorm

        return MaskedBatchNorm(self.momentum, self.epsilon)


class LayerNorm(Layer):
    """Layer normalisation over the last axis (Ba et al., arXiv 1607.06450).

    Parameters
    ----------
    epsilon : float, default=1e-6

    Examples
    --------
    >>> from skdeep.layers import LayerNorm
    >>> LayerNorm()
    LayerNorm(epsilon=1e-06)
    """

    epsilon: float = 1e-6

    def build(self) -> Any:
        import flax.linen as nn

        return nn.LayerNorm(epsilon=self.epsilon)


class Flatten(Layer):
    """Makes each row one vector.

    Examples
    --------
    >>> from skdeep.layers import Flatten
    >>> Flatten()
    Flatten()
    """

    def build(self) -> Any:
        from skdeep.layers.modules import Function

        return Function(_flatten_rows)


def _flatten_rows(x: Any) -> Any:
    return x.reshape(x.shape[0], -1)


def _check_positive(layer: Layer, name: str, value: Any) -> None:
    if not (isinstance(value, int) and value > 0):
        raise ValueError(f"The {name!r} field of {type(layer).__name__} must be a positive int. Got {value!r} instead.")
