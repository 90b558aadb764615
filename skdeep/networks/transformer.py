"""The transformer encoder."""

from __future__ import annotations

from typing import Any, ClassVar

from skdeep.layers.fields import check_dropout_rate, check_positive
from skdeep.networks.sequences import SequenceNetwork, check_sequence_shape, check_unmasked


class Transformer(SequenceNetwork):
    """A transformer encoder over rows `(time, features)` or `(time,)`, the mean over the steps, then a dense output layer.

    A dense layer projects each step to `features`; token ids are embedded instead. Sinusoidal position encodings are
    added, and the blocks are pre-norm (`skdeep.layers.TransformerBlock`). To use flat rows, give the estimator
    `input_shape=(time, features)`.

    Parameters
    ----------
    n_layers : int, default=2
        Number of blocks.
    features : int, default=64
        Number of features per step inside the network; a multiple of `n_heads`.
    n_heads : int, default=4
        Number of attention heads.
    dropout_rate : float or None, default=0.1
        Share of values dropped in training, in [0, 1): after the position encoding, and in both parts of each block.
    mask_value : float or None, default=None
        Steps whose values (or id) all equal it are padding: no step attends to them, and the mean leaves them out.
    n_tokens : int or None, default=None
        Number of token ids. If given, rows `(time,)` hold ids from 0 to `n_tokens - 1`; `fit` and
        prediction raise ValueError for other ids.

    References
    ----------
    Vaswani et al., "Attention Is All You Need", arXiv 1706.03762; Xiong et al., "On Layer Normalization in the
    Transformer Architecture", arXiv 2002.04745.

    Examples
    --------
    >>> from skdeep.networks import Transformer
    >>> Transformer(n_tokens=1000, mask_value=0.0).n_tokens
    1000
    """

    n_layers: int = 2
    features: int = 64
    n_heads: int = 4
    dropout_rate: float | None = 0.1
    mask_value: float | None = None
    n_tokens: int | None = None
    example_shape: ClassVar[tuple[int, ...]] = (5, 3)

    def build(self, in_shape: tuple[int, ...], n_outputs: int) -> Any:
        from skdeep.networks.linen.sequences import mean_of_real_steps
        from skdeep.networks.linen.transformer import Transformer

        check_sequence_shape("Transformer", in_shape, self.n_tokens)
        fields = self.n_layers, self.features, self.n_heads, self.dropout_rate, self.mask_value, self.n_tokens
        return Transformer(*fields, False, mean_of_real_steps, n_outputs)

    def build_causal(self, in_shape: tuple[int, ...], n_outputs: int) -> Any:
        from skdeep.networks.linen.sequences import every_step
        from skdeep.networks.linen.transformer import Transformer

        check_unmasked("Transformer", self.mask_value)
        # The caller has embedded the tokens, so n_tokens is None here.
        fields = self.n_layers, self.features, self.n_heads, self.dropout_rate, self.mask_value, None
        return Transformer(*fields, True, every_step, n_outputs)

    def check_fields(self) -> None:
        check_positive(self, "n_layers", "features", "n_heads")
        self.check_n_tokens()
        if self.features % self.n_heads:
            raise ValueError(
                f"The 'features' field of Transformer must be a multiple of n_heads={self.n_heads}. "
                f"Got {self.features!r} instead."
            )
        check_dropout_rate(self)
