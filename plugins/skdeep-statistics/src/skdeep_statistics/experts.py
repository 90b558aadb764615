"""Mixtures of experts: several networks, and a gate that chooses between them for each row."""

from __future__ import annotations

import math
from typing import Any

from skdeep import Network
from skdeep.networks import MLP


class MixtureOfExperts(Network):
    r"""Several networks (experts) and a gate that weighs them for each row; few of them count for a row.

    .. math:: y = \sum_{i \in T(x)} g_i(x)\, f_i(x), \qquad p(x) = \mathrm{softmax}(W x + b)

    :math:`T(x)` are the `n_active` experts with the largest :math:`p_i(x)`. With one active expert its gate is
    :math:`g_i = p_i` (Switch Transformer); with several, the gates of the active ones sum to 1 (Shazeer et al.). With
    `n_active=n_experts` all experts count (Jacobs et al.).

    A gate that prefers some experts trains them more and then prefers them more. While training, `balance` times

    .. math:: E \sum_{i=1}^E F_i P_i

    is added to the loss, where :math:`F_i` is the share of the active places that expert i has in the batch, and :math:`P_i`
    the mean of :math:`p_i`. It is 1, its least, if the rows are spread evenly.

    All experts are computed for all rows, so that a mixture takes the time of `n_experts` networks. Capacity limits, noise on
    the gate and sharding are left out.

    Parameters
    ----------
    n_experts : int, default=4
    n_active : int, default=2
        How many experts count for a row, in [1, n_experts].
    balance : float, default=0.01
        Weight of the loss that keeps the experts in equal use, at least 0.
    expert : Network
        The network of each expert, by default `MLP(widths=(32,))`. One that builds a Flax linen module. Its fields are
        `expert__widths` and so on, in an estimator `network__expert__widths`.

    References
    ----------
    Jacobs, Jordan, Nowlan and Hinton, "Adaptive Mixtures of Local Experts", Neural Computation 3, 1991; Shazeer et al.,
    "Outrageously Large Neural Networks: The Sparsely-Gated Mixture-of-Experts Layer", arXiv 1701.06538; Fedus, Zoph and
    Shazeer, "Switch Transformers", arXiv 2101.03961.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skdeep import DeepRegressor
    >>> from skdeep.networks import Linear
    >>> from skdeep_statistics import MixtureOfExperts
    >>> X, y = load_diabetes(return_X_y=True)
    >>> network = MixtureOfExperts(n_experts=3, n_active=1, expert=Linear())
    >>> model = DeepRegressor(network=network, learning_rate=0.01, max_epochs=30, tol=None, random_state=0)
    >>> bool(make_pipeline(StandardScaler(), model).fit(X, y).score(X, y) > 0.5)
    True
    """

    n_experts: int = 4
    n_active: int = 2
    balance: float = 0.01
    expert: Network = MLP(widths=(32,))

    plugin_api = (1, 1)

    def build(self, in_shape: tuple[int, ...], n_outputs: int) -> Any:
        import flax.linen as nn

        from skdeep_statistics.modules import Mixture

        experts: Any = tuple(self.expert.build(in_shape, n_outputs) for _ in range(self.n_experts))
        if not all(isinstance(expert, nn.Module) for expert in experts):
            raise ValueError(
                f"The 'expert' field of MixtureOfExperts must be a network that builds a Flax linen module. Got {self.expert!r} "
                "instead. Take MLP(), a list of layers as skdeep.networks.Sequential, or another network of modules."
            )
        return Mixture(experts, self.n_active, self.balance)

    def check_rows(self, x: Any) -> None:
        self.expert.check_rows(x)

    def check_fields(self) -> None:
        if not (_is_count(self.n_experts) and self.n_experts > 1):
            raise ValueError(
                f"The 'n_experts' field of MixtureOfExperts must be an int in [2, inf). Got {self.n_experts!r} instead."
            )
        if not (_is_count(self.n_active) and self.n_active <= self.n_experts):
            raise ValueError(
                f"The 'n_active' field of MixtureOfExperts must be an int in [1, {self.n_experts}], the number of experts. "
                f"Got {self.n_active!r} instead."
            )
        if not 0 <= self.balance < math.inf:
            raise ValueError(
                f"The 'balance' field of MixtureOfExperts must be in [0, inf). Got {self.balance!r} instead."
            )
        if self.expert.names_outputs:
            raise ValueError(
                f"The 'expert' field of MixtureOfExperts must be a network of one output. Got {self.expert!r} instead."
            )


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1
