"""Attention between the steps of a sequence, and what belongs to it."""

from __future__ import annotations

from typing import Any, ClassVar

from skdeep.contract import Layer
from skdeep.layers.fields import check_dropout_rate, check_one_of, check_positive


class SelfAttention(Layer):
    """Each step looks at all steps of its row, `(time, features)`; masked steps are not looked at.

    Parameters have the names and shapes of Flax's `MultiHeadDotProductAttention`.

    Parameters
    ----------
    n_heads : int, default=4
    head_features : int or None, default=None
        Width of a head; None shares the input's features among the heads.
    dropout_rate : float, default=0.0
        Share of the output that is dropped while training, in [0, 1).
    causal : bool, default=False
        Look at the step itself and at earlier ones only.

    References
    ----------
    Vaswani et al., "Attention Is All You Need", arXiv 1706.03762.

    Examples
    --------
    >>> from skdeep.layers import SelfAttention
    >>> SelfAttention(n_heads=2, causal=True)
    SelfAttention(n_heads=2, head_features=None, dropout_rate=0.0, causal=True)
    """

    n_heads: int = 4
    head_features: int | None = None
    dropout_rate: float = 0.0
    causal: bool = False
    example_shape: ClassVar[tuple[int, ...]] = (5, 8)

    def build(self) -> Any:
        from skdeep.layers.linen.attention import SelfAttention

        return SelfAttention(self.n_heads, self.head_features, self.dropout_rate, self.causal)

    def check_fields(self) -> None:
        check_positive(self, "n_heads")
        check_positive(self, "head_features", or_none=True)
        check_dropout_rate(self)


class PositionalEncoding(Layer):
    """Adds to each step of `(time, features)` a vector that tells its position.

    Parameters
    ----------
    encoding : {"sinusoidal", "learned"}, default="sinusoidal"
        Fixed sines and cosines of wavelengths from 2 pi to 10,000 times 2 pi, or a learned table.
    max_length : int or None, default=None
        Rows of the learned table; None makes it as long as the rows that `fit` sees.

    References
    ----------
    Vaswani et al., "Attention Is All You Need", arXiv 1706.03762, section 3.5.

    Examples
    --------
    >>> from skdeep.layers import PositionalEncoding
    >>> PositionalEncoding("learned", max_length=100)
    PositionalEncoding(encoding='learned', max_length=100)
    """

    encoding: str = "sinusoidal"
    max_length: int | None = None
    example_shape: ClassVar[tuple[int, ...]] = (5, 4)

    def build(self) -> Any:
        from skdeep.layers.linen.positions import LearnedPositions, SinusoidalPositions

        return LearnedPositions(self.max_length) if self.encoding == "learned" else SinusoidalPositions()

    def check_fields(self) -> None:
        check_one_of(self, "encoding", ("sinusoidal", "learned"))
        if self.max_length is not None:
            check_positive(self, "max_length")
            if self.encoding != "learned":
                raise ValueError(
                    f"The 'max_length' field of PositionalEncoding is for encoding='learned'. Got {self.max_length!r} "
                    f"with encoding={self.encoding!r}: leave it at None, as sines have any length."
                )


class TransformerBlock(Layer):
    """Self-attention, then two dense layers, each behind a layer normalisation and added to its input (pre-norm).

    Parameters
    ----------
    n_heads : int, default=4
    widths_factor : int, default=4
        Width of the hidden layer (with a GELU), in multiples of the input's features.
    dropout_rate : float, default=0.0
        Share of what either part adds that is dropped while training, in [0, 1).
    causal : bool, default=False
        Look at the step itself and at earlier ones only.

    References
    ----------
    Vaswani et al., arXiv 1706.03762; the order is that of Xiong et al., "On Layer Normalization in the
    Transformer Architecture", arXiv 2002.04745.

    Examples
    --------
    >>> from skdeep.layers import TransformerBlock
    >>> TransformerBlock(dropout_rate=0.1)
    TransformerBlock(n_heads=4, widths_factor=4, dropout_rate=0.1, causal=False)
    """

    n_heads: int = 4
    widths_factor: int = 4
    dropout_rate: float = 0.0
    causal: bool = False
    example_shape: ClassVar[tuple[int, ...]] = (5, 8)

    def build(self) -> Any:
        from skdeep.layers.linen.attention import TransformerBlock

        return TransformerBlock(self.n_heads, self.widths_factor, self.dropout_rate, self.causal)

    def check_fields(self) -> None:
        check_positive(self, "n_heads", "widths_factor")
        check_dropout_rate(self)
