"""The module of RealMLP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from skdeep.layers.linen.dropout import TracedDropout
from skdeep.layers.linen.tabular import CategoryEmbedding, NTKDense, ParametricActivation, PBLDEmbedding, Scaling


class RealMLP(nn.Module):
    """Embeddings of numbers and categories, a scaling layer, dense layers with parametric activations, and a dense output layer.

    Takes an array of numbers, or a dict of "numeric", "one_hot" and "category" arrays.
    """

    widths: tuple[int, ...]
    function: Callable[[Any], Any]
    dropout_rate: Any
    dropout_schedule: Callable[[Any], Any] | None
    n_frequencies: int
    numeric_features: int | None
    frequency_std: Any
    n_categories: tuple[int, ...]
    category_features: int
    parametric: bool
    init_from: str
    n_outputs: int

    @nn.compact
    def __call__(self, x: Any, train: bool) -> Any:
        inputs = x if isinstance(x, dict) else {"numeric": x}
        parts = []
        if "numeric" in inputs:
            parts.append(self.embedded(inputs["numeric"]))
        if "one_hot" in inputs:
            parts.append(inputs["one_hot"])
        if "category" in inputs:
            vectors = CategoryEmbedding(self.n_categories, self.category_features, name="category")(inputs["category"])
            parts.append(vectors.astype(parts[0].dtype) if parts else vectors)
        x = Scaling(name="scale")(jnp.concatenate(parts, axis=-1))
        for i, width in enumerate(self.widths):
            x = NTKDense(width, self.init_from, name=f"dense_{i}")(x)
            x = ParametricActivation(self.function, name=f"activation_{i}")(x) if self.parametric else self.function(x)
            x = TracedDropout(self.dropout_rate, self.dropout_schedule)(x, train)
        return NTKDense(self.n_outputs, "rows" if self.init_from == "rows" else "zeros", name="output")(x)

    def embedded(self, numbers: Any) -> Any:
        """Return the embedded numbers, or the numbers themselves."""
        if self.numeric_features is None:
            return numbers
        return PBLDEmbedding(self.n_frequencies, self.numeric_features, self.frequency_std, name="numeric")(numbers)
