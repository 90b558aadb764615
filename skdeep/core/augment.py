"""Apply an augmentation to a training batch."""

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
    """How the rows of a batch are mixed: row i is `share[i]` times itself plus `1 - share[i]` times row `partner[i]`."""

    partner: Int[Array, " batch"]
    share: Float[Array, " batch"]


def augment(augmentation: Augmentation | None, key: Any, batch: Batch) -> tuple[Batch, Mixture | None]:
    """Return the batch with changed rows, and how they are mixed, None if they are not.

    The weight of a mixed row is the mixture of the weights of its two rows. Padding rows are mixed with padding rows.
    """
    if augmentation is None:
        return batch, None
    rows: Any = batch.x
    if isinstance(rows, dict):
        raise ValueError(
            f"The augmentation {type(augmentation).__name__} changes rows of one array, but X has the inputs "
            f"{', '.join(rows)}. Set augmentation to None."
        )
    key = jax.random.fold_in(key, _SALT)
    if not augmentation.mixes:
        return batch._replace(x=_checked(augmentation, rows, augmentation(key, rows))), None
    pair_key, mix_key = jax.random.split(key)
    partner = _partners(pair_key, batch.mask)
    x, share = augmentation.mix(mix_key, rows, rows[partner])
    mixture = Mixture(partner, jnp.broadcast_to(share, batch.weight.shape).astype(batch.weight.dtype))
    return batch._replace(x=_checked(augmentation, rows, x), weight=_of_pairs(mixture, batch.weight)), mixture


def losses_of_batch(loss: Loss, raw: Raw, batch: Batch, mixture: Mixture | None) -> Float[Array, " batch"]:
    """Return the loss of each mixed row; `raw` are the outputs of the mixed rows, `batch` is the batch before mixing."""
    if mixture is None:
        return row_losses(loss, raw, batch.target, batch.weight)
    partner, share = mixture
    own = row_losses(loss, raw, batch.target, share * batch.weight)
    other = row_losses(loss, raw, batch.target[partner], (1.0 - share) * batch.weight[partner])
    return losses_of_pairs(mixture, own, other, batch.weight)


def losses_of_pairs(
    mixture: Mixture, own: Float[Array, " batch"], other: Float[Array, " batch"], weight: Float[Array, " batch"]
) -> Float[Array, " batch"]:
    """Return the loss of each mixed row, from its losses against its own target (`own`) and its partner's (`other`).

    `weight` holds the weights before mixing: in each pair, the two losses are averaged by share times weight.
    """
    weight_of_pair = _of_pairs(mixture, weight)
    part = jnp.where(
        weight_of_pair > 0, mixture.share * weight / jnp.where(weight_of_pair > 0, weight_of_pair, 1.0), 0.0
    )
    return part * own + (1.0 - part) * other


def _of_pairs(mixture: Mixture, values: Float[Array, " batch"]) -> Float[Array, " batch"]:
    return mixture.share * values + (1.0 - mixture.share) * values[mixture.partner]


def _partners(key: Any, mask: Float[Array, " batch"]) -> Int[Array, " batch"]:
    """Return a random order of the rows; padding rows, which are the last ones, keep their places."""
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
