"""Muon for hidden matrices, Adam for all other parameters."""

from __future__ import annotations

import re
from typing import Any

import jax

from skdeep.contract import Optimizer
from skdeep.records import Params


def is_hidden_matrix(params: Params) -> Any:
    """Return a pytree of bool, True for all matrices but the first and the last one, in the order of their names.

    Numbers in names are compared as numbers: `Dense_10` follows `Dense_9`. The networks of this package call their last
    layer `output`, which follows all names that Flax generates.
    """
    paths = [path for path, leaf in jax.tree_util.tree_flatten_with_path(params)[0] if leaf.ndim == 2]
    ordered = sorted(paths, key=_natural_order)
    hidden = set(map(jax.tree_util.keystr, ordered[1:-1]))
    return jax.tree_util.tree_map_with_path(lambda path, _: jax.tree_util.keystr(path) in hidden, params)


class Muon(Optimizer):
    """Muon: momentum orthogonalised by Newton-Schulz iterations, for hidden matrices; Adam for all other parameters.

    As Jordan et al. advise, Adam trains the biases, the norms, and the first and last matrix of the network. Muon's updates
    are multiplied by 0.2 times the root of the longer side of the matrix (Liu et al.). This makes them about as large as
    Adam's, so that both use the same learning rate.

    Parameters
    ----------
    momentum : float, default=0.95
        Decay per step of the momentum, in [0, 1).
    weight_decay : float, default=0.0
        Strength of the decoupled weight decay of the hidden matrices.
    b1, b2, eps : float, default=0.9, 0.999, 1e-8
        As in `Adam`, for the parameters that Adam trains; `eps` is used in the orthogonalisation too.
    n_steps : int, default=5
        Number of Newton-Schulz iterations per step.

    References
    ----------
    Jordan et al., "Muon: An Optimizer for Hidden Layers in Neural Networks", 2024;
    Liu et al., "Muon is Scalable for LLM Training", arXiv 2502.16982.

    Examples
    --------
    >>> from skdeep.optimizers import Muon
    >>> Muon().momentum
    0.95
    """

    momentum: float = 0.95
    weight_decay: float = 0.0
    b1: float = 0.9
    b2: float = 0.999
    eps: float = 1e-8
    n_steps: int = 5

    def transformation(self, learning_rate: Any) -> Any:
        import optax
        from optax.contrib import scale_by_muon

        muon = optax.chain(
            scale_by_muon(
                beta=self.momentum, eps=self.eps, ns_steps=self.n_steps, weight_dimension_numbers=_as_matrices
            ),
            optax.stateless(_scale_to_adam),
            optax.add_decayed_weights(self.weight_decay),
            optax.scale_by_learning_rate(learning_rate),
        )
        adam = optax.adam(learning_rate, b1=self.b1, b2=self.b2, eps=self.eps)
        return optax.partition({True: muon, False: adam}, is_hidden_matrix)


def _as_matrices(updates: Params) -> Any:
    from optax.contrib import MuonDimensionNumbers

    return jax.tree.map(lambda _: MuonDimensionNumbers(), updates)


def _scale_to_adam(updates: Params, _: Params | None) -> Params:
    return jax.tree.map(lambda u: u * 0.2 * max(u.shape) ** 0.5, updates)


def _natural_order(path: Any) -> list[Any]:
    text = jax.tree_util.keystr(path)
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"(\d+)", text)]
