"""Self-attention, positional encodings and transformer blocks, for sequences `(time, features)`."""

from __future__ import annotations

from typing import Any, ClassVar

from skdeep.contract import Layer
from skdeep.layers.fields import check_dropout_rate, check_one_of, check_positive


class SelfAttention(Layer):
    """Multi-head self-attention: each step of a row `(time, features)` attends to all steps that are not masked.

    The network's parameters have the names and shapes of Flax's `MultiHeadDotProductAttention`.

    Parameters
    ----------
    n_heads : int, default=4
        Number of attention heads.
    head_features : int or None, default=None
        Features per head. None divides the input's features by `n_heads`, which must divide them.
    dropout_rate : float or None, default=None
        Share of the output values that is dropped in training, in [0, 1).
    causal : bool, default=False
        If True, each step attends to itself and to earlier steps only.

    References
    ----------
    Vaswani et al., "Attention Is All You Need", arXiv 1706.03762.

    Examples
    --------
    >>> from skdeep.layers import SelfAttention
    >>> SelfAttention(n_heads=2, causal=True)
    SelfAttention(n_heads=2, head_features=None, dropout_rate=None, causal=True)
    """

    n_heads: int = 4
    head_features: int | None = None
    dropout_rate: float | None = None
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
    """Add a vector that encodes the position to each step of rows `(time, features)`.

    Parameters
    ----------
    encoding : {"sinusoidal", "learned"}, default="sinusoidal"
        "sinusoidal" adds fixed sines and cosines with wavelengths from 2 pi to 10,000 times 2 pi steps; "learned" adds
        the rows of a trained table.
    max_length : int or None, default=None
        Number of rows of the learned table, one per step. None takes the number of steps of the rows in `fit`. Only
        for `encoding="learned"`.

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
                    f"The 'max_length' field of PositionalEncoding needs encoding='learned'. Got {self.max_length!r} "
                    f"with encoding={self.encoding!r} instead. Leave it at None: sinusoids exist for any length."
                )


class TransformerBlock(Layer):
    """A transformer block: self-attention, then two dense layers with a GELU between them (pre-norm).

    Each of the two parts reads its layer-normalised input, and its output is added to the input before normalisation.

    Parameters
    ----------
    n_heads : int, default=4
        Number of attention heads; must divide the input's features.
    widths_factor : int, default=4
        Width of the hidden dense layer, as a multiple of the input's features.
    dropout_rate : float or None, default=None
        Share of the values of each part's output that is dropped in training, in [0, 1).
    causal : bool, default=False
        If True, each step attends to itself and to earlier steps only.

    References
    ----------
    Vaswani et al., arXiv 1706.03762; the normalisation comes first, as in Xiong et al., "On Layer Normalization in the
    Transformer Architecture", arXiv 2002.04745.

    Examples
    --------
    >>> from skdeep.layers import TransformerBlock
    >>> TransformerBlock(dropout_rate=0.1)
    TransformerBlock(n_heads=4, widths_factor=4, dropout_rate=0.1, causal=False)
    """

    n_heads: int = 4
    widths_factor: int = 4
    dropout_rate: float | None = None
    causal: bool = False
    example_shape: ClassVar[tuple[int, ...]] = (5, 8)

    def build(self) -> Any:
        from skdeep.layers.linen.attention import TransformerBlock

        return TransformerBlock(self.n_heads, self.widths_factor, self.dropout_rate, self.causal)

    def check_fields(self) -> None:
        check_positive(self, "n_heads", "widths_factor")
        check_dropout_rate(self)
