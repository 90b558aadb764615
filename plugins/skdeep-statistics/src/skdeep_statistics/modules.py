"""The linen modules of the networks (imports flax, so only functions that run a network import this file)."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from skdeep.contract import call_arguments


class Mixture(nn.Module):
    """Experts, of which the `n_active` that a linear gate gives the largest share count for a row."""

    experts: tuple[nn.Module, ...]
    n_active: int
    balance: Any

    @nn.compact
    def __call__(self, x: Any, train: bool, row_mask: Any) -> Any:
        share = jax.nn.softmax(nn.Dense(len(self.experts), name="gate")(x.reshape(len(x), -1)))
        is_active = _largest(share, self.n_active)
        gate = jnp.where(is_active, share, 0.0)
        if self.n_active > 1:  # with one active expert the gate would be 1, and would learn nothing
            gate = gate / gate.sum(axis=1, keepdims=True)
        self.sow("losses", "balance", self.balance * _imbalance(share, is_active, row_mask))
        outputs = [expert(x, **call_arguments(expert, train, row_mask)) for expert in self.experts]
        return jnp.einsum("ne,eno->no", gate, jnp.stack(outputs))


def _imbalance(share: Any, is_active: Any, row_mask: Any) -> Any:
    """Return the number of experts times the sum of products of their use and their mean share; padding is left out."""
    weight = row_mask / row_mask.sum()
    use = weight @ (is_active / is_active.sum(axis=1, keepdims=True)).astype(share.dtype)
    return share.shape[1] * jnp.sum(jax.lax.stop_gradient(use) * (weight @ share))


def _largest(share: Any, n_active: int) -> Any:
    """Mark the largest shares of each row; of equal ones the first."""
    _, places = jax.lax.top_k(share, n_active)
    return jax.nn.one_hot(places, share.shape[1], dtype=bool).any(axis=1)
