"""The temporal convolutional network."""

from __future__ import annotations

from typing import Any, ClassVar

from skdeep.layers.fields import check_dropout_rate, check_positive, check_widths
from skdeep.networks.sequences import SequenceNetwork, check_sequence_shape, check_unmasked


class TCN(SequenceNetwork):
    """A temporal convolutional network over rows `(time, features)` or `(time,)`: residual blocks, then a dense output layer.

    Each block has two causal convolutions with ReLU and dropout. The dilation is 1 in the first block and doubles from
    block to block. The output layer reads the last step. Unlike the paper's, this network has no weight normalisation.
    To use flat rows, give the estimator `input_shape=(time, features)`.

    Parameters
    ----------
    widths : tuple of int, default=(64, 64, 64, 64)
        Number of channels of each block. The receptive field is `1 + 2 (kernel_size - 1) (2^len(widths) - 1)` steps.
    kernel_size : int, default=3
        Number of steps of each kernel.
    dropout_rate : float or None, default=None
        Share of values dropped after each convolution in training, in [0, 1).
    mask_value : float or None, default=None
        Steps whose values (or id) all equal it are padding: they are set to zero before each convolution, and the output
        layer reads the last step that is not padding.
    n_tokens : int or None, default=None
        Number of token ids. If given, rows `(time,)` hold ids from 0 to `n_tokens - 1`, and the network
        learns a vector of length `widths[0]` per id; `fit` and prediction raise ValueError for other ids.

    References
    ----------
    Bai, Kolter and Koltun, "An Empirical Evaluation of Generic Convolutional and Recurrent Networks for Sequence
    Modeling", arXiv 1803.01271.

    Examples
    --------
    >>> from skdeep.networks import TCN
    >>> TCN(widths=(32, 32))
    TCN(widths=(32, 32), kernel_size=3, dropout_rate=None, mask_value=None, n_tokens=None)
    """

    widths: tuple[int, ...] = (64, 64, 64, 64)
    kernel_size: int = 3
    dropout_rate: float | None = None
    mask_value: float | None = None
    n_tokens: int | None = None
    example_shape: ClassVar[tuple[int, ...]] = (5, 3)

    def build(self, in_shape: tuple[int, ...], n_outputs: int) -> Any:
        from skdeep.networks.linen.sequences import last_real_step
        from skdeep.networks.linen.temporal import TCN

        check_sequence_shape("TCN", in_shape, self.n_tokens)
        fields = self.widths, self.kernel_size, self.dropout_rate, self.mask_value, self.n_tokens
        return TCN(*fields, last_real_step, n_outputs)

    def build_causal(self, in_shape: tuple[int, ...], n_outputs: int) -> Any:
        from skdeep.networks.linen.sequences import every_step
        from skdeep.networks.linen.temporal import TCN

        check_unmasked("TCN", self.mask_value)
        # The caller has embedded the tokens, so n_tokens is None here.
        fields = self.widths, self.kernel_size, self.dropout_rate, self.mask_value, None
        return TCN(*fields, every_step, n_outputs)

    def check_fields(self) -> None:
        check_widths(self, "widths", at_least=1)
        check_positive(self, "kernel_size")
        self.check_n_tokens()
        check_dropout_rate(self)
