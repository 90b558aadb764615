"""Stage 5a: a training batch, changed at random by an augmentation."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from skdeep.contract import Augmentation, Loss
from skdeep.core.objective import row_losses
from skdeep.records import Batch, Raw

_SALT = 0xA06


class Mixture(NamedTuple):
    """What a mixed batch is made of: row i is `share[i]` of itself and the rest of row `partner[i]`."""

    partner: Int[Array, " batch"]
    share: Float[Array, " batch"]


def augment(augmentation: Augmentation | None, key: Any, batch: Batch) -> tuple[Batch, Mixture | None]:
    """Return the batch with other rows, and how they were mixed.

    The weight of a mixed row is the mixture of its two rows' weights. Padding is mixed with padding.
    """
    if augmentation is None:
        return batch, None
    key = jax.random.fold_in(key, _SALT)
    rows: Any = batch.x
    if not augmentation.mixes:
        return batch._replace(x=_checked(augmentation, rows, augmentation(key, rows))), None
    pair_key, mix_key = jax.random.split(key)
    partner = _partners(pair_key, batch.mask)
    x, share = augmentation.mix(mix_key, rows, rows[partner])
    mixture = Mixture(partner, jnp.broadcast_to(share, batch.weight.shape).astype(batch.weight.dtype))
    return batch._replace(x=_checked(augmentation, rows, x), weight=_of_pairs(mixture, batch.weight)), mixture


def losses_of_batch(loss: Loss, raw: Raw, batch: Batch, mixture: Mixture | None) -> Float[Array, " batch"]:
    """Return the loss of each row of a batch that was not mixed yet, from the raw outputs of its mixed rows."""
    if mixture is None:
        return row_losses(loss, raw, batch.target, batch.weight)
    partner, share = mixture
    own = row_losses(loss, raw, batch.target, share * batch.weight)
    other = row_losses(loss, raw, batch.target[partner], (1.0 - share) * batch.weight[partner])
    return losses_of_pairs(mixture, own, other, batch.weight)


def losses_of_pairs(
    mixture: Mixture, own: Float[Array, " batch"], other: Float[Array, " batch"], weight: Float[Array, " batch"]
) -> Float[Array, " batch"]:
    """Return the loss of each mixed row, from its loss against its own target and against its partner's.

    `weight` are the weights before mixing: a row that weighs more has more say in the pair, too.
    """
    weight_of_pair = _of_pairs(mixture, weight)
    part = jnp.where(
        weight_of_pair > 0, mixture.share * weight / jnp.where(weight_of_pair > 0, weight_of_pair, 1.0), 0.0
    )
    return part * own + (1.0 - part) * other


def _of_pairs(mixture: Mixture, values: Float[Array, " batch"]) -> Float[Array, " batch"]:
    return mixture.share * values + (1.0 - mixture.share) * values[mixture.partner]


def _partners(key: Any, mask: Float[Array, " batch"]) -> Int[Array, " batch"]:
    """Return a random order of the rows that leaves padding, which is at the end, where it is."""
    draws = jax.random.uniform(key, mask.shape)
    order = jnp.argsort(jnp.where(mask > 0, draws, 2.0), stable=True)
    return order.astype(jnp.int32)


def _checked(augmentation: Augmentation, x: Any, changed: Any) -> Any:
    if changed.shape != x.shape or changed.dtype != x.dtype:
        raise ValueError(
            f"The augmentation {augmentation} made rows of shape {changed.shape[1:]} and type {changed.dtype} out of rows of "
            f"shape {x.shape[1:]} and type {x.dtype}. It must keep both."
        )
    return changed
