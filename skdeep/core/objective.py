"""Stage 6a: from the losses of rows to the number that a step makes smaller."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from skdeep.config import Objective
from skdeep.contract import Loss
from skdeep.core.raw import n_rows
from skdeep.records import Batch, Params

LOOKED_UP = {"embed", "embedding", "embeddings", "table", "tables"}
"""Words in the name of a parameter whose rows are looked up: an embedding table is not a kernel."""


class MeanLoss(Objective):
    """`sum(w * loss) / batch_size + l1 * sum|k| + 0.5 * l2 * sum k^2`, the penalties over kernels (`are_penalised`).

    Weights have mean 1 over all rows, so the divisor is the weight that a batch is expected to have:
    its own weight would favour rows in light batches. The loss is reported without the penalties.

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
    """Return how many rows a full batch has: the batch size, or all rows if there are fewer."""
    n: Float[Array, ""] = jnp.minimum(batch.mask.shape[0], n_rows).astype(batch.mask.dtype)
    return n


def share_of_full_batch(batch: Batch, n_rows: Int[Array, ""], largest: Int[Array, ""] | int = 0) -> Float[Array, ""]:
    """Return the batch's share of a full one: 1 but for a short last batch.

    `largest` is how many rows a full one has at least: where rows come in parts, a later part may be short.
    """
    full = jnp.maximum(rows_of_full_batch(batch, n_rows), jnp.asarray(largest).astype(batch.mask.dtype))
    share: Float[Array, ""] = jnp.sum(batch.mask) / full
    return share


def are_penalised(params: Params) -> Any:
    """Mark the parameters that `l1`, `l2` and `alpha` penalise, the kernels, by a tree of bools.

    A parameter of two or more dimensions is a kernel, whatever its module calls it, unless its name says that its rows are
    looked up: if one of the words in the last name on its path, between underscores, is in `LOOKED_UP`. So `embedding` and
    `pos_embedding` are not penalised, nor are the learned positions of `PositionalEncoding` (`table`). `unembedding` is, and
    so is the `kernel` of a dense layer that is called `embedding`. Positions in lists are no names: both arrays of
    `{"tables": [a, b]}` are tables.
    """
    return jax.tree_util.tree_map_with_path(
        lambda path, leaf: leaf.ndim >= 2 and LOOKED_UP.isdisjoint(_last_name(path).lower().split("_")), params
    )


def kernels_of(params: Params) -> list[Any]:
    """Return the kernels, by the rule of `are_penalised`."""
    marks = jax.tree.leaves(are_penalised(params))
    return [leaf for leaf, is_kernel in zip(jax.tree.leaves(params), marks, strict=True) if is_kernel]


def _last_name(path: tuple[Any, ...]) -> str:
    """Return the last key or attribute on a path that is a string, empty if none is."""
    keys = (getattr(entry, "key", getattr(entry, "name", None)) for entry in reversed(path))
    return next((key for key in keys if isinstance(key, str)), "")


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
            f"value a row, {(n,)}. Leave out the mean or sum over rows: weights and the mean are applied later."
        )
    return values
