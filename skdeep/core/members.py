"""Networks that are ensembles: each member has raw outputs and a loss of its own, and predictions are means over members."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Shaped

from skdeep.contract import Loss, Network
from skdeep.core.objective import row_losses
from skdeep.records import Task

_SAME = ("tasks", "probabilistic", "scaling", "has_std", "domain", "of_batch", "differentiable", "uses_progress")


class OfMembers(Loss):
    """The mean over members of a loss. The raw outputs of a row have one more axis, `(n, members, raw)`.

    The link is the mean over members of the link: of probabilities, scores or predicted values. The standard deviation is that of
    the mixture of the members' distributions.

    Parameters
    ----------
    of_each : Loss
    n_members : int

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from skdeep.core.members import OfMembers
    >>> from skdeep.losses import SquaredError
    >>> loss = OfMembers(SquaredError(), n_members=2)
    >>> loss(jnp.array([[[1.0], [3.0]]]), jnp.array([[0.0]]))  # (1^2 + 3^2) / 2
    Array([5.], dtype=float32)
    """

    of_each: Loss
    n_members: int

    def __getattribute__(self, name: str) -> Any:
        """Return the class variables of the loss of each member."""
        if name in _SAME:
            return getattr(self.of_each, name)
        return super().__getattribute__(name)

    def n_raw(self, task: Task) -> Any:
        widths = self.of_each.n_raw(task)
        if isinstance(widths, dict):
            return {name: (self.n_members, width) for name, width in widths.items()}
        return self.n_members, widths

    def parameters(self, task: Task) -> dict[str, Any]:
        return self.of_each.parameters(task)

    def __call__(self, raw: Any, target: Shaped[Array, "n ..."], weight: Any = None) -> Float[Array, " n"]:
        axes = jax.tree.map(lambda values: 1 if values.ndim == 3 else None, raw)  # parameters of the loss have two axes
        losses = jax.vmap(lambda raw: row_losses(self.of_each, raw, target, weight), in_axes=(axes,))(raw)
        mean: Float[Array, " n"] = jnp.mean(losses, axis=0)
        return mean

    def at_progress(self, progress: Any) -> OfMembers:
        return self.with_traced(of_each=self.of_each.at_progress(progress))

    def link(self, raw: Any, task: Task, xp: Any) -> Any:
        return _mean(self._of_members(raw, lambda raw: self.of_each.link(raw, task, xp)), xp)

    def point(self, prediction: Any) -> Any:
        return self.of_each.point(prediction)

    def std(self, raw: Any, task: Task, xp: Any) -> Any:
        def moments(raw: Any) -> Any:
            mean = self.of_each.point(self.of_each.link(raw, task, xp))
            return xp.stack([mean, self.of_each.std(raw, task, xp)])

        means, stds = xp.moveaxis(xp.stack(self._of_members(raw, moments)), 1, 0)
        return xp.sqrt(xp.mean(stds**2, axis=0) + xp.var(means, axis=0))

    def n_predicted(self, task: Task) -> int:
        return self.of_each.n_predicted(task)

    def check_target(self, y: np.ndarray) -> None:
        self.of_each.check_target(y)

    def example_target(self, values: np.ndarray) -> np.ndarray:
        return self.of_each.example_target(values)

    def score(self, prediction: np.ndarray, y: np.ndarray, sample_weight: np.ndarray | None = None) -> float:
        return self.of_each.score(prediction, y, sample_weight)

    def _of_members(self, raw: Any, function: Callable[[Any], Any]) -> list[Any]:
        """Return the results of a function of the raw outputs of each member."""

        def of_member(i: int) -> Any:
            return jax.tree.map(lambda values: values[:, i] if values.ndim == 3 else values, raw)

        return [function(of_member(i)) for i in range(self.n_members)]


class OfMean(Loss):
    """A loss of the mean prediction of members. The raw outputs of a row are those of the members, `(n, members, raw)`.

    The loss gets one raw output: the mean of raw outputs for numbers, and the logarithms (or the logit) of the mean probabilities
    for classes.

    Parameters
    ----------
    loss : Loss
        One with the built-in link.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from skdeep.core.members import OfMean
    >>> from skdeep.losses import SquaredError
    >>> OfMean(SquaredError())(jnp.array([[[1.0], [3.0]]]), jnp.array([[0.0]]))  # 2^2
    Array([4.], dtype=float32)
    """

    loss: Loss

    def n_raw(self, task: Task) -> Any:
        return self.loss.n_raw(task)

    def __call__(self, raw: Any, target: Shaped[Array, "n ..."]) -> Float[Array, " n"]:
        return self.loss(self._of_mean(raw, target), target)

    def _of_mean(self, raw: Float[Array, "n members raw"], target: Any) -> Float[Array, "n raw"]:
        if not self.loss.probabilistic:
            return jnp.mean(raw, axis=1)
        mean: Float[Array, "n raw"] = logits_of_mean(raw, raw.shape[2] > 1 and target.ndim == 1, jnp)
        return mean


def logits_of_mean(raw: Any, is_softmax: bool, xp: Any) -> Any:
    """Return the logits of mean probabilities, `(n, raw)` for raw outputs `(n, members, raw)`; for a softmax their logarithms."""
    if is_softmax:
        shifted = raw - xp.max(raw, axis=2, keepdims=True)
        return _log_of_mean(shifted - xp.log(xp.sum(xp.exp(shifted), axis=2, keepdims=True)), xp)
    return _log_of_mean(-xp.logaddexp(0.0, -raw), xp) - _log_of_mean(-xp.logaddexp(0.0, raw), xp)


def _log_of_mean(log_p: Any, xp: Any) -> Any:
    """Return the logarithm of the mean over members of probabilities that are given by their logarithms."""
    largest = xp.max(log_p, axis=1, keepdims=True)
    return largest[:, 0] + xp.log(xp.mean(xp.exp(log_p - largest), axis=1))


def loss_for(network: Network, loss: Loss) -> Loss:
    """Return the loss for a network: that of members if the network is an ensemble."""
    return loss if network.n_members is None else OfMembers(loss, network.n_members)


def joined(loss: Loss, raws: list[Any]) -> tuple[Loss, Any]:
    """Return the loss and the raw outputs of several networks, as if they were the members of one; all weigh the same.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeep.core.members import joined
    >>> from skdeep.losses import CrossEntropy
    >>> loss, raw = joined(CrossEntropy(), [np.zeros((5, 1)), np.ones((5, 1))])
    >>> loss.n_members, raw.shape
    (2, (5, 2, 1))
    """
    if isinstance(loss, OfMembers):
        return loss.replace(n_members=loss.n_members * len(raws)), _each_joined(raws, np.concatenate)
    return OfMembers(loss, len(raws)), _each_joined(raws, np.stack)


def _each_joined(raws: list[Any], join: Callable[..., Any]) -> Any:
    if isinstance(raws[0], dict):
        return {name: _each_joined([raw[name] for raw in raws], join) for name in raws[0]}
    return join(raws, axis=1)


def loss_of_member(loss: Loss) -> Loss:
    """Return the loss that the user chose."""
    return loss.of_each if isinstance(loss, OfMembers) else loss


def _mean(values: list[Any], xp: Any) -> Any:
    return xp.mean(xp.stack(values), axis=0)
