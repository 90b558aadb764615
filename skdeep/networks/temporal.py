"""Temporal convolutional networks."""

from __future__ import annotations

from typing import Any, ClassVar

from skdeep.layers.fields import check_dropout_rate, check_positive, check_widths
from skdeep.networks.sequences import SequenceNetwork, check_sequence_shape, check_unmasked


class TCN(SequenceNetwork):
    """Residual blocks of two causal convolutions each over rows `(time, features)` or `(time,)`, then a dense output.

    The dilation doubles from block to block, from 1; the output sees the last step. There is no weight
    normalisation, in which it differs from the paper. Flat rows are read as sequences by the estimator's
    `input_shape=(time, features)`.

    Parameters
    ----------
    widths : tuple of int, default=(64, 64, 64, 64)
        Channels of each block. The last step sees `1 + 2 (kernel_size - 1) (2^blocks - 1)` steps.
    kernel_size : int, default=3
    dropout_rate : float, default=0.0
        Share dropped behind each convolution while training, in [0, 1).
    mask_value : float or None, default=None
        Steps whose values (or id) equal it are padding: they are zero for the convolutions, and the output sees the
        last other step.
    n_tokens : int or None, default=None
        If given, rows are `(time,)` and hold ids from 0 to `n_tokens - 1`, each of which gets a learned vector of
        length `widths[0]`; other ids are an error.

    References
    ----------
    Bai, Kolter and Koltun, "An Empirical Evaluation of Generic Convolutional and Recurrent Networks for Sequence
    Modeling", arXiv 1803.01271.

    Examples
    --------
    >>> from skdeep.networks import TCN
    >>> TCN(widths=(32, 32))
    TCN(widths=(32, 32), kernel_size=3, dropout_rate=0.0, mask_value=None, n_tokens=None)
    """

    widths: tuple[int, ...] = (64, 64, 64, 64)
    kernel_size: int = 3
    dropout_rate: float = 0.0
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
        # Steps are vectors already, whatever the tokens were.
        fields = self.widths, self.kernel_size, self.dropout_rate, self.mask_value, None
        return TCN(*fields, every_step, n_outputs)

    def check_fields(self) -> None:
        check_widths(self, "widths", at_least=1)
        check_positive(self, "kernel_size")
        self.check_n_tokens()
        check_dropout_rate(self)
