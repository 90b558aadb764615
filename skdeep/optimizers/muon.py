"""Muon for hidden matrices, Adam for everything else."""

from __future__ import annotations

import re
from typing import Any

import jax

from skdeep.contract import Optimizer
from skdeep.records import Params


def is_hidden_matrix(params: Params) -> Any:
    """Mark the matrices between the first and the last one, in the order of their names.

    Numbers in names count as numbers, and the networks built here call their last layer `output`.
    """
    paths = [path for path, leaf in jax.tree_util.tree_flatten_with_path(params)[0] if leaf.ndim == 2]
    ordered = sorted(paths, key=_natural_order)
    hidden = set(map(jax.tree_util.keystr, ordered[1:-1]))
    return jax.tree_util.tree_map_with_path(lambda path, _: jax.tree_util.keystr(path) in hidden, params)


class Muon(Optimizer):
    """Momentum orthogonalised by Newton-Schulz steps, on hidden matrices only.

    Biases, norms and the first and last matrix of the network are trained by Adam, with the same
    learning rate, as its author advises. Updates are scaled to the size that Adam's have (factor
    0.2 of Liu et al.), so that one learning rate fits both.

    Parameters
    ----------
    momentum : float, default=0.95
    weight_decay : float, default=0.0
        Decoupled, on hidden matrices.
    b1, b2, eps : float, default=0.9, 0.999, 1e-8
        Of the Adam part (`eps` also of the orthogonalisation).
    n_steps : int, default=5
        Newton-Schulz iterations.

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
