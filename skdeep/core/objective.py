"""The objective of a step, computed from the losses of its rows."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from skdeep.config import Objective
from skdeep.contract import Loss
from skdeep.core.raw import n_rows
from skdeep.kernels import kernels_of
from skdeep.records import Batch, Params


class MeanLoss(Objective):
    """`sum(w * loss) / batch_size + l1 * sum|k| + 0.5 * l2 * sum k^2`, the penalties over kernels (`skdeep.kernels`).

    Weights have mean 1 over all rows, so the divisor is the expected total weight of a batch. Dividing by the actual total weight
    would favour rows in batches of small weight. The reported loss does not contain the penalties.

    Parameters
    ----------
    l1, l2 : float or None, default=None

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from skdeep.records import Batch
    >>> from skdeep.core.objective import MeanLoss
    >>> ones = jnp.ones(2)
    >>> batch = Batch(x=ones, target=ones, weight=ones, mask=ones)
    >>> value, reported = MeanLoss(l2=1.0)(jnp.array([1.0, 3.0]), batch, {"kernel": jnp.eye(2)}, jnp.int32(10))
    >>> float(value), float(reported)
    (3.0, 4.0)
    """

    l1: float | None = None
    l2: float | None = None

    def __call__(
        self, losses: Float[Array, " batch"], batch: Batch, params: Params, n_rows: Int[Array, ""]
    ) -> tuple[Float[Array, ""], Float[Array, ""]]:
        loss_sum = jnp.sum(losses * batch.weight)
        value = loss_sum / rows_of_full_batch(batch, n_rows)
        if self.l1 is not None:
            value += self.l1 * sum(jnp.sum(jnp.abs(k)) for k in kernels_of(params))
        if self.l2 is not None:
            value += 0.5 * self.l2 * sum(jnp.sum(k * k) for k in kernels_of(params))
        return value, loss_sum


def rows_of_full_batch(batch: Batch, n_rows: Int[Array, ""]) -> Float[Array, ""]:
    """Return the number of rows in a full batch: the batch size, or the number of all rows if that is smaller."""
    n: Float[Array, ""] = jnp.minimum(batch.mask.shape[0], n_rows).astype(batch.mask.dtype)
    return n


def share_of_full_batch(batch: Batch, n_rows: Int[Array, ""], largest: Int[Array, ""] | int = 0) -> Float[Array, ""]:
    """Return the number of rows of a batch divided by that of a full batch; less than 1 only for a short last batch.

    A full batch has at least `largest` rows: with `partial_fit`, a later part of the rows may be smaller than a batch.
    """
    full = jnp.maximum(rows_of_full_batch(batch, n_rows), jnp.asarray(largest).astype(batch.mask.dtype))
    share: Float[Array, ""] = jnp.sum(batch.mask) / full
    return share


def row_losses(loss: Loss, raw: Any, target: Any, weight: Any = None) -> Float[Array, " n"]:
    """Return the loss of each row. A loss of a batch (`Loss.of_batch`) is given the weights of the rows.

    Raises
    ------
    ValueError
        If the loss returns another shape: a loss that reduces would ignore the weights. If a loss of a batch is called
        without weights, as it is by losses that hold another one and call it with other rows.
    """
    values: Float[Array, " n"]
    if not loss.of_batch:
        values = loss(raw, target)
    elif weight is not None:
        values = loss(raw, target, weight)  # type: ignore[call-arg]  # such a loss takes them
    else:
        raise ValueError(
            f"The loss {loss} is a loss of a batch (of_batch = True), which cannot be part of another loss, as in "
            "SequenceGenerator and in a variational DeepAutoencoder. Give a loss whose rows are independent."
        )
    n = n_rows(raw)
    if jnp.shape(values) != (n,):
        raise ValueError(
            f"The loss {loss} returned shape {jnp.shape(values)} for {n} rows, but it must return one "
            f"value per row, {(n,)}. Leave out the mean or sum over rows: weights and the mean are applied later."
        )
    return values
