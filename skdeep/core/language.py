"""Models of the next token: a network and a loss that agree on the shape of the raw output.

Rows are ids `(n, time)`. The raw output `(n, time, tokens)` has one number per step and possible next token.
"""

from __future__ import annotations

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Shaped

from skdeep.contract import Loss, Network, NetworkFunctions
from skdeep.core.inputs import float_dtype
from skdeep.core.network import functions_of_module
from skdeep.core.objective import row_losses
from skdeep.core.tokens import NO_TARGET
from skdeep.records import ModelState, Params, Task, TaskKind

# Standard deviation 1, because layers expect inputs of unit size. With Flax's smaller default, training is slower: after 10
# epochs of the benchmark `character_generator`, an LSTM's perplexity is 6.4 with Flax's default and 4.7 with standard deviation
# 1; a transformer's is 7.1 with both.
_EMBEDDING_INIT = jax.nn.initializers.normal(1.0)


class NextToken(Network):
    """A network that predicts the next token: an embedding of tokens, followed by the causal form of a network.

    It has one output per step and token.

    Parameters are `{"embedding": (n_tokens, features), "network": ...}`; the model state is the network's.

    Parameters
    ----------
    network : Network
        A network that has `build_causal`.
    n_tokens : int
    features : int
        Length of a token's vector.
    """

    network: Network
    n_tokens: int
    features: int

    @property
    def n_ids(self) -> int:
        return self.n_tokens

    def build(self, in_shape: tuple[int, ...], n_outputs: Any) -> NetworkFunctions:
        steps = (*in_shape, self.features)
        inner = functions_of_module(self.network.build_causal(steps, self.n_tokens))

        def init(key: Array, x: Array) -> tuple[Params, ModelState]:
            first, second = jax.random.split(key)
            dtype = float_dtype(x)
            table = _EMBEDDING_INIT(first, (self.n_tokens, self.features), dtype)
            params, state = inner.init(second, jnp.zeros((len(x), *steps), dtype))
            return {"embedding": table, "network": params}, state

        def apply(params: Params, state: ModelState, x: Array, *rest: Any) -> tuple[Array, ModelState]:
            with jax.named_scope("embedding"):
                embedded = params["embedding"][x]
            raw, state = inner.apply(params["network"], state, embedded, *rest)
            self._check_shape(raw.shape, (*x.shape, self.n_tokens))
            return raw, state

        return NetworkFunctions(init, apply)

    def _check_shape(self, shape: tuple[int, ...], wanted: tuple[int, ...]) -> None:
        if shape != wanted:
            raise ValueError(
                f"The network {self.network} returns an array of shape {shape} for sequences of shape {wanted[:2]}, but to predict "
                f"the next token it must return {self.n_tokens} outputs at each step, that is {wanted}. Give recurrent layers "
                "return_sequences=True, leave out layers that drop or combine steps, or give a module of yours a field "
                "'n_outputs: int | None = None' and use it as the width of its last layer: fit fills it in."
            )


class TokenLoss(Loss):
    """The mean of a classification loss over the steps of a row that have a target.

    Parameters
    ----------
    loss : Loss
    n_tokens, n_steps : int

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from skdeep.core.language import TokenLoss
    >>> from skdeep.losses import CrossEntropy
    >>> loss = TokenLoss(CrossEntropy(), n_tokens=2, n_steps=3)
    >>> loss(jnp.zeros((1, 3, 2)), jnp.array([[0, 1, -1]]))
    Array([0.6931472], dtype=float32)
    """

    loss: Loss
    n_tokens: int
    n_steps: int

    tasks: ClassVar[tuple[TaskKind, ...]] = ("multiclass",)

    def n_raw(self, task: Task) -> Any:
        return (self.n_steps, self.n_tokens)

    def __call__(self, raw: Float[Array, "n time tokens"], target: Shaped[Array, "n ..."]) -> Float[Array, " n"]:
        is_real = target != NO_TARGET
        codes = jnp.where(is_real, target, 0).reshape(-1)
        losses = row_losses(self.loss, raw.reshape(-1, self.n_tokens), codes).reshape(target.shape)
        n_real = jnp.maximum(is_real.sum(axis=1), 1).astype(raw.dtype)
        return jnp.sum(jnp.where(is_real, losses, 0.0), axis=1) / n_real
