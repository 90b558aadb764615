"""Layers for tables: embeddings of numbers and categories, and the parts of RealMLP's dense blocks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Literal

import numpy as np

from skdeep.contract import Layer
from skdeep.layers.activation import activation_function
from skdeep.layers.fields import check_positive, check_widths

INIT_ROWS = 8192


class Scaling(Layer):
    """Multiply each feature by a learned factor, initially 1.

    With a large learning rate for the factors, it selects features in training.

    References
    ----------
    Holzmüller et al., "Better by Default: Strong Pre-Tuned MLPs and Boosted Trees on Tabular Data", arXiv 2407.04491.

    Examples
    --------
    >>> from skdeep.layers import Scaling
    >>> Scaling()
    Scaling()
    """

    def build(self) -> Any:
        from skdeep.layers.linen.tabular import Scaling

        return Scaling()


class ParametricActivation(Layer):
    """An activation function f with one learned parameter a per feature: `x + a (f(x) - x)`, where a is initially 1.

    The layer is the function f for a = 1, and linear for a = 0.

    Parameters
    ----------
    function : str or callable, default="selu"
        A name such as "selu" or "mish", or a function.

    References
    ----------
    Holzmüller et al., arXiv 2407.04491.

    Examples
    --------
    >>> from skdeep.layers import ParametricActivation
    >>> ParametricActivation("mish")
    ParametricActivation(function='mish')
    """

    function: str | Callable[[Any], Any] = "selu"

    def build(self) -> Any:
        from skdeep.layers.linen.tabular import ParametricActivation

        return ParametricActivation(activation_function(self.function))

    def check_fields(self) -> None:
        activation_function(self.function)


class NTKDense(Layer):
    """A fully connected layer in the neural-tangent parametrisation, `x W / sqrt(fan_in) + b`, initialised from rows.

    W is normal, and each of its columns is divided by the standard deviation over rows of this output without b. Each bias is
    the negative mean of this output over 5 random rows, with random weights from an exponential distribution. So each unit is
    active on some of the rows. If all rows are equal, W is not divided.

    Parameters
    ----------
    features : int, default=256
        Number of output features.
    init : {"rows", "normal", "zeros"}, default="rows"
        Initial values: from rows as described, or W and b standard normal, or both zero.

    References
    ----------
    Jacot et al., "Neural Tangent Kernel", arXiv 1806.07572. Initial values: "he+5" of Holzmüller et al., arXiv 2407.04491.

    Examples
    --------
    >>> from skdeep.layers import NTKDense
    >>> NTKDense(features=64)
    NTKDense(features=64, init='rows')
    """

    features: int = 256
    init: Literal["rows", "normal", "zeros"] = "rows"

    @property
    def init_rows(self) -> int:  # type: ignore[override]  # depends on a field
        return INIT_ROWS if self.init == "rows" else 0

    def build(self) -> Any:
        from skdeep.layers.linen.tabular import NTKDense

        return NTKDense(self.features, self.init)

    def check_fields(self) -> None:
        check_positive(self, "features")


class PBLDEmbedding(Layer):
    """Embed each number of a row by cosines, with a dense layer of its own and the number itself (periodic, bias, linear, DenseNet).

    A number x becomes `[x, W cos(2 pi w x + p) + b]`, so rows `(columns,)` become `(columns * features,)`. Scale numbers
    to about unit size first.

    Parameters
    ----------
    n_frequencies : int, default=16
        Number of cosines per column.
    features : int, default=4
        Number of values per column, with the number itself; at least 2.
    frequency_std : float, default=0.1
        Standard deviation of the initial frequencies w.

    References
    ----------
    Holzmüller et al., arXiv 2407.04491.

    Examples
    --------
    >>> from skdeep.layers import PBLDEmbedding
    >>> PBLDEmbedding(frequency_std=0.3)
    PBLDEmbedding(n_frequencies=16, features=4, frequency_std=0.3)
    """

    n_frequencies: int = 16
    features: int = 4
    frequency_std: float = 0.1

    def build(self) -> Any:
        from skdeep.layers.linen.tabular import PBLDEmbedding

        return PBLDEmbedding(self.n_frequencies, self.features, self.frequency_std)

    def check_fields(self) -> None:
        check_positive(self, "n_frequencies")
        if not (isinstance(self.features, int) and self.features > 1):
            raise ValueError(
                f"The 'features' field of PBLDEmbedding must be an int of at least 2, because one of the values is the number "
                f"itself. Got {self.features!r} instead."
            )


class PLREmbedding(Layer):
    """Embed each number of a row by cosines and sines, with a dense layer of its own and an activation (periodic, linear, ReLU).

    A number x becomes `relu(W [cos(2 pi w x), sin(2 pi w x)] + b)`, so rows `(columns,)` become `(columns * features,)`. Scale
    numbers to about unit size first.

    Parameters
    ----------
    n_frequencies : int, default=48
        Number of frequencies w per column.
    features : int, default=24
        Number of values per column.
    frequency_std : float, default=0.01
        Standard deviation of the initial frequencies. Good values lie between 0.01 and 10.
    activation : str or callable, default="relu"

    References
    ----------
    Gorishniy et al., "On Embeddings for Numerical Features in Tabular Deep Learning", arXiv 2203.05556.

    Examples
    --------
    >>> from skdeep.layers import PLREmbedding
    >>> PLREmbedding(features=8)
    PLREmbedding(n_frequencies=48, features=8, frequency_std=0.01, activation='relu')
    """

    n_frequencies: int = 48
    features: int = 24
    frequency_std: float = 0.01
    activation: str | Callable[[Any], Any] = "relu"

    def build(self) -> Any:
        from skdeep.layers.linen.tabular import PLREmbedding

        function = activation_function(self.activation)
        return PLREmbedding(self.n_frequencies, self.features, self.frequency_std, function)

    def check_fields(self) -> None:
        check_positive(self, "n_frequencies", "features")
        activation_function(self.activation)


class PiecewiseLinearEmbedding(Layer):
    """Embed each number of a row by a piecewise linear function, with corners at quantiles of the rows it is initialised with.

    A number x becomes `w x + c + V e(x)`, so rows `(columns,)` become `(columns * features,)`. e(x) holds the share of each bin
    that lies below x. It continues linearly below the first and above the last bin. V is initially 0: the embedding starts
    linear. Bins between equal quantiles are not used. If all rows are equal, the embedding stays linear.

    Parameters
    ----------
    n_bins : int, default=48
        Number of bins per column.
    features : int, default=16
        Number of values per column.

    References
    ----------
    Gorishniy et al., "On Embeddings for Numerical Features in Tabular Deep Learning", arXiv 2203.05556, in the form of the
    package rtdl_num_embeddings (version "B"), which TabM uses.

    Examples
    --------
    >>> from skdeep.layers import PiecewiseLinearEmbedding
    >>> PiecewiseLinearEmbedding(n_bins=16)
    PiecewiseLinearEmbedding(n_bins=16, features=16)
    """

    n_bins: int = 48
    features: int = 16
    init_rows: ClassVar[int] = INIT_ROWS

    def build(self) -> Any:
        from skdeep.layers.linen.tabular import PiecewiseLinearEmbedding

        return PiecewiseLinearEmbedding(self.n_bins, self.features)

    def check_fields(self) -> None:
        check_positive(self, "n_bins", "features")


class CategoryEmbedding(Layer):
    """Embed each category of a row: ids `(columns,)` become `(columns * features,)`.

    The first id of each column, 0, stands for missing or unknown categories. Its vector is initially 0, those of other ids are
    standard normal.

    Parameters
    ----------
    n_categories : tuple of int, default=(9,)
        Number of ids of each column, with id 0.
    features : int, default=8
        Length of the vectors.

    References
    ----------
    Guo and Berkhahn, "Entity Embeddings of Categorical Variables", arXiv 1604.06737.

    Examples
    --------
    >>> from skdeep.layers import CategoryEmbedding
    >>> CategoryEmbedding(n_categories=(3, 12))
    CategoryEmbedding(n_categories=(3, 12), features=8)
    """

    n_categories: tuple[int, ...] = (9,)
    features: int = 8
    example_shape: ClassVar[tuple[int, ...]] = (1,)

    @property
    def n_ids(self) -> int:
        return max(self.n_categories)

    def build(self) -> Any:
        from skdeep.layers.linen.tabular import CategoryEmbedding

        return CategoryEmbedding(self.n_categories, self.features)

    def check_rows(self, x: np.ndarray) -> None:
        """Raise ValueError for rows with another number of columns, or ids out of range."""
        if x.shape[1:] != (len(self.n_categories),):
            raise ValueError(
                f"CategoryEmbedding has n_categories={self.n_categories} for {len(self.n_categories)} columns, but rows have the "
                f"shape {x.shape[1:]}."
            )
        is_wrong = (x < 0) | (x >= np.array(self.n_categories))
        if is_wrong.any():
            row, column = map(int, np.argwhere(is_wrong)[0])
            raise ValueError(
                f"Ids of column {column} must be from 0 to {self.n_categories[column] - 1} for CategoryEmbedding(n_categories="
                f"{self.n_categories}). Got {x[row, column]} in row {row}."
            )

    def check_fields(self) -> None:
        check_widths(self, "n_categories", at_least=1)
        check_positive(self, "features")
