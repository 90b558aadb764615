"""Networks for tables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Literal

from skdeep.contract import Network, Schedule
from skdeep.layers.activation import activation_function
from skdeep.layers.fields import check_dropout_rate, check_positive, check_schedule, check_widths
from skdeep.layers.tabular import INIT_ROWS, PBLDEmbedding
from skdeep.records import CATEGORY, TABLE_INPUTS, InputSpec


class RealMLP(Network):
    """The network of RealMLP: embeddings of numbers and categories, a scaling layer, and dense layers initialised from rows.

    Takes rows of numbers `(columns,)`, of about unit size, or inputs with the names "numeric" `(columns,)`, "one_hot" `(columns,)`
    and "category" (ids, `(columns,)`), of which any may be missing. Its layers are `PBLDEmbedding`, `CategoryEmbedding`,
    `Scaling`, `NTKDense` and `ParametricActivation`.

    Parameters
    ----------
    widths : tuple of int, default=(256, 256, 256)
        Widths of the hidden layers.
    activation : str or callable, default="selu"
        The function of the parametric activation; RealMLP has "selu" for classification and "mish" for regression.
    dropout_rate : float or None, default=0.15
        Share of the hidden values dropped in training, in [0, 1).
    dropout_schedule : Schedule or None, default=None
        Factor of the dropout rate over the training, "flat_cosine" in RealMLP; None for a constant rate.
    n_frequencies : int, default=16
        Number of cosines per numeric column.
    numeric_features : int or None, default=4
        Number of values per numeric column, with the number itself; None for no embedding of numbers.
    frequency_std : float, default=0.1
        Standard deviation of the initial frequencies.
    category_features : int, default=8
        Length of the vector of a category.
    max_one_hot_levels : int or None, default=8
        Categories of a table with at most this many levels come as columns of "one_hot", the others as ids; None for no limit.
    parametric : bool, default=True
        Whether the activations have a learned parameter per feature (`ParametricActivation`).
    init : {"rows", "normal"}, default="rows"
        Initial values of the dense layers: from training rows as in `NTKDense`; or standard normal, and zero in the output layer.

    References
    ----------
    Holzmüller et al., "Better by Default: Strong Pre-Tuned MLPs and Boosted Trees on Tabular Data", arXiv 2407.04491.

    Examples
    --------
    >>> from skdeep.networks import RealMLP
    >>> RealMLP(widths=(64, 64)).widths
    (64, 64)
    """

    widths: tuple[int, ...] = (256, 256, 256)
    activation: str | Callable[[Any], Any] = "selu"
    dropout_rate: float | None = 0.15
    dropout_schedule: Schedule | None = None
    n_frequencies: int = 16
    numeric_features: int | None = 4
    frequency_std: float = 0.1
    category_features: int = 8
    max_one_hot_levels: int | None = 8
    parametric: bool = True
    init: Literal["rows", "normal"] = "rows"
    names_inputs: ClassVar[bool] = True
    takes_tables: ClassVar[bool] = True

    @property
    def init_rows(self) -> int:  # type: ignore[override]  # depends on a field
        return INIT_ROWS if self.init == "rows" else 0

    def build(self, in_shape: Any, n_outputs: int) -> Any:
        from skdeep.networks.linen.tabular import RealMLP

        return RealMLP(
            widths=self.widths,
            function=activation_function(self.activation),
            dropout_rate=self.dropout_rate,
            dropout_schedule=self.dropout_schedule,
            n_frequencies=self.n_frequencies,
            numeric_features=self.numeric_features,
            frequency_std=self.frequency_std,
            n_categories=categories_of(self, in_shape),
            category_features=self.category_features,
            parametric=self.parametric,
            init_from=self.init,
            n_outputs=n_outputs,
        )

    def check_fields(self) -> None:
        check_widths(self, "widths")
        activation_function(self.activation)
        check_dropout_rate(self)
        check_schedule(self, "dropout_schedule")
        if self.numeric_features is not None:
            PBLDEmbedding(self.n_frequencies, self.numeric_features)
        check_positive(self, "n_frequencies", "category_features")
        check_positive(self, "max_one_hot_levels", or_none=True)


def categories_of(network: Network, in_shape: Any) -> tuple[int, ...]:
    """Return the number of ids of each category; raise ValueError if the inputs are not those of a table."""
    name = type(network).__name__
    if not isinstance(in_shape, dict):
        if len(in_shape) != 1:
            raise ValueError(
                f"The network {name} takes rows of one axis, the columns of a table. Got rows of shape {in_shape}."
            )
        return ()
    for unknown in in_shape.keys() - set(TABLE_INPUTS):
        raise ValueError(
            f"The network {name} takes the inputs {', '.join(map(repr, TABLE_INPUTS))}, but X has the input {unknown!r}. Rename it, "
            "or give a network of your own."
        )
    spec: InputSpec | None = in_shape.get(CATEGORY)
    if spec is None:
        return ()
    counts = spec.n_categories
    if counts is None:
        raise ValueError(
            f"The network {name} needs the number of ids of each column of the input 'category', which Inputs do not give. Encode the "
            "categories as columns of the input 'one_hot' instead."
        )
    return counts if isinstance(counts, tuple) else (counts,) * spec.shape[0]


class TabM(Network):
    """TabM: an ensemble of perceptrons for tables, in one network, that share most of their parameters.

    Takes rows of numbers `(columns,)`, or inputs with the names "numeric", "one_hot" and "category", as `RealMLP`. Numbers are
    embedded by `PiecewiseLinearEmbedding`, and categories are one-hot. Each member has its own outputs and its own loss.
    Predictions are means over members, of probabilities for classification.

    Parameters
    ----------
    n_members : int, default=32
    ensemble : {"mini", "full", "packed"}, default="mini"
        "mini": members differ by factors of the features and by the output layer. "full": members have factors of the inputs
        and outputs of each layer, and biases (batch ensembles). "packed": members share the embedding only.
    widths : tuple of int, default=(512, 512)
        Widths of the hidden layers of a member.
    dropout_rate : float or None, default=0.1
        Share of the hidden values dropped in training, in [0, 1).
    n_bins : int, default=48
        Number of bins of the embedding.
    numeric_features : int or None, default=16
        Number of values per numeric column; None for no embedding.

    References
    ----------
    Gorishniy et al., "TabM: Advancing Tabular Deep Learning with Parameter-Efficient Ensembling", arXiv 2410.24210.

    Examples
    --------
    >>> from skdeep.networks import TabM
    >>> TabM(n_members=8, widths=(64, 64)).n_members
    8
    """

    n_members: int = 32  # type: ignore[misc]  # a field here, a class variable of networks that are no ensembles
    ensemble: Literal["mini", "full", "packed"] = "mini"
    widths: tuple[int, ...] = (512, 512)
    dropout_rate: float | None = 0.1
    n_bins: int = 48
    numeric_features: int | None = 16
    names_inputs: ClassVar[bool] = True
    takes_tables: ClassVar[bool] = True
    names_outputs: ClassVar[bool] = True
    init_rows: ClassVar[int] = INIT_ROWS

    def build(self, in_shape: Any, n_outputs: Any) -> Any:
        from skdeep.networks.linen.tabm import TabM

        named = tuple(sorted(n_outputs.items())) if isinstance(n_outputs, dict) else (("", n_outputs),)
        widths = tuple((name, width[-1] if isinstance(width, tuple) else width) for name, width in named)
        return TabM(
            n_members=self.n_members,
            ensemble=self.ensemble,
            widths=self.widths,
            dropout_rate=self.dropout_rate,
            n_bins=self.n_bins,
            numeric_features=self.numeric_features,
            n_categories=categories_of(self, in_shape),
            n_outputs=widths if isinstance(n_outputs, dict) else widths[0][1],
            averages=not isinstance(named[0][1], tuple),
        )

    def check_fields(self) -> None:
        check_positive(self, "n_members", "n_bins")
        check_positive(self, "numeric_features", or_none=True)
        check_widths(self, "widths")
        check_dropout_rate(self)
