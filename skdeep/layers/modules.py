"""The linen modules behind the layers (imports flax, so only `build` methods import this file)."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from skdeep.contract import Layer, call_arguments
from skdeep.layers.masking import mask_beside
from skdeep.layers.rows import check_sequences


class Function(nn.Module):
    """Applies a function without parameters."""

    function: Callable[[Any], Any]

    def __call__(self, x: Any) -> Any:
        return self.function(x)


def by_flax(module: nn.Module, x: Any, **arguments: Any) -> Any:
    """Call a module; one of Flax's own promotes types as it likes, whatever `jax_numpy_dtype_promotion` says.

    Its norms promote float64 and float32, which "strict" forbids. The setting is for the code of users.
    """
    is_of_flax = type(module).__module__.startswith("flax.")
    with jax.numpy_dtype_promotion("standard") if is_of_flax else contextlib.nullcontext():
        return module(x, **arguments)


class TracedDropout(nn.Module):
    """Dropout whose rate may be traced; Flax's asks in Python whether it is 0.

    At rate 0 no random number is drawn, though the compiled program could.
    """

    rate: Any

    @nn.compact
    def __call__(self, x: Any, train: bool) -> Any:
        if not train:
            return x
        key = self.make_rng("dropout")
        keep = 1.0 - jnp.asarray(self.rate, x.dtype)

        def random_factors() -> Any:
            return jax.random.bernoulli(key, keep, x.shape).astype(x.dtype) / keep

        # Only the factors are made inside the branch: the gradient then needs no branch of its own.
        return x * lax.cond(self.rate > 0, random_factors, lambda: jnp.ones(x.shape, x.dtype))


class MaskedBatchNorm(nn.Module):
    """Flax's BatchNorm over the rows and steps that are no padding."""

    momentum: Any
    epsilon: Any

    @nn.compact
    def __call__(self, x: Any, train: bool, row_mask: Any, step_mask: Any = None) -> Any:
        norm = nn.BatchNorm(
            use_running_average=not train,
            momentum=self.momentum,
            epsilon=self.epsilon,
            use_fast_variance=False,  # E[x^2] - E[x]^2 loses all digits where the mean is large
            name="norm",
        )
        if not train:
            return by_flax(norm, x)
        is_real = (row_mask > 0).reshape(-1, *(1,) * (x.ndim - 1))
        if step_mask is not None:
            steps = is_real & mask_beside(x, step_mask)
            is_real = jnp.where(steps.any(), steps, is_real)  # the mean of nothing would be NaN
        return by_flax(norm, x, mask=jnp.broadcast_to(is_real, x.shape))


class GroupNorm(nn.Module):
    """Flax's GroupNorm over the steps that are not masked."""

    n_groups: int
    epsilon: Any

    @nn.compact
    def __call__(self, x: Any, step_mask: Any = None) -> Any:
        if x.shape[-1] % self.n_groups:
            raise ValueError(
                f"The 'n_groups' field of GroupNorm is {self.n_groups}, which does not divide the {x.shape[-1]} channels that it "
                "is given."
            )
        norm = nn.GroupNorm(self.n_groups, epsilon=self.epsilon, use_fast_variance=False)
        nn.share_scope(self, norm)
        if step_mask is None:
            return by_flax(norm, x)
        is_real = step_mask | ~step_mask.any(axis=1, keepdims=True)  # the mean of nothing would be NaN
        return norm(x, mask=jnp.broadcast_to(mask_beside(x, is_real), x.shape))


def flattened(x: Any) -> Any:
    """Return rows with all their values on one axis."""
    return x.reshape(x.shape[0], -1)


def checked_sequences(x: Any) -> Any:
    """Return the rows; raise ValueError unless they are `(time, features)`."""
    check_sequences("The dense layer at each step", x)
    return x


class Stack(nn.Module):
    """Layers one after the other, then a dense output layer of what `last` makes of it, unless `n_outputs` is None."""

    layers: tuple[Layer, ...]
    n_outputs: int | None = None
    last: Callable[[Any], Any] = flattened

    @nn.compact
    def __call__(self, x: Any, train: bool, row_mask: Any) -> Any:
        x, _ = call_layers(self.layers, x, train, row_mask)
        if self.n_outputs is None:
            return x
        initializer = jax.nn.initializers.lecun_uniform()
        return nn.Dense(self.n_outputs, kernel_init=initializer, name="output")(self.last(x))


class ResidualStack(nn.Module):
    """`x + layers(x)`, with a projection of x where the shapes differ."""

    layers: tuple[Layer, ...]

    @nn.compact
    def __call__(self, x: Any, train: bool, row_mask: Any, step_mask: Any = None) -> Any:
        y, _ = call_layers(self.layers, x, train, row_mask, step_mask)
        return self._projected(x, y.shape) + y

    def _projected(self, x: Any, shape: tuple[int, ...]) -> Any:
        """Return x brought to a shape: each pixel by itself, at the pixels that strides keep."""
        if x.shape == shape:
            return x
        strides = strides_between(x.shape, shape)
        if set(strides) <= {1}:
            return nn.Dense(shape[-1], use_bias=False, name="shortcut")(x)
        return nn.Conv(shape[-1], (1,) * len(strides), strides, "VALID", use_bias=False, name="shortcut")(x)


def strides_between(shape: tuple[int, ...], smaller: tuple[int, ...]) -> tuple[int, ...]:
    """Return the smallest strides that bring the axes between rows and channels from one shape to another.

    Raises
    ------
    ValueError
        If none do.
    """
    lengths, kept = shape[1:-1], smaller[1:-1]
    strides = tuple(-(-length // n) for length, n in zip(lengths, kept, strict=False))
    if len(lengths) != len(kept) or any(-(-a // s) != n for a, s, n in zip(lengths, strides, kept, strict=True)):
        raise ValueError(
            f"The layers of Residual make rows of shape {smaller[1:]} of rows of shape {shape[1:]}. These cannot be added, as no "
            "strides lead from one to the other. Inside, use padding='same' and shorten axes by 'strides' only."
        )
    return strides


def call_layers(layers: Sequence[Layer], x: Any, train: bool, row_mask: Any, step_mask: Any = None) -> tuple[Any, Any]:
    """Return the output of layers one after the other, and its step mask; inside a compact method only."""
    for layer in layers:
        module = layer.build()
        y = by_flax(module, x, **call_arguments(module, train, row_mask, step_mask))
        x, step_mask = y, layer.output_mask(x, step_mask)
    return x, step_mask
