"""The Kolmogorov-Arnold layer, and the checks of the fields that it shares with the network."""

from __future__ import annotations

import math
from typing import Any

from skdeep import Layer
from skdeep_kan.splines import check_counts


class KANLayer(Layer):
    r"""A Kolmogorov-Arnold layer: each output is a sum of learned functions of one input each.

    .. math:: y_j = \sum_i \phi_{ij}(x_i), \qquad
        \phi_{ij}(x) = w_{ij}\, \mathrm{silu}(x) + s_{ij} \sum_m c_{ijm} B_m(\bar x), \qquad
        \bar x = \min(\max(x, l), u)

    over the last axis of the input, with the :math:`G + k` B-splines :math:`B_m` of `bspline_basis` and the grid
    :math:`[l, u]`. A layer with :math:`n` inputs has :math:`n \cdot features \cdot (G + k + 2)` parameters. It needs no bias,
    since the splines sum to 1 inside the grid and can thus represent a constant.

    The grid is fixed: give inputs of about unit size, as a `StandardScaler` or a normalisation makes them. Outside
    `[lower, upper]` each spline keeps the value at the nearer end, and only the silu term varies; it is about linear above
    the grid and about 0 below. In the reference implementation the grid follows the data during training, and splines fall
    to 0 outside it.

    Initially :math:`s = 1`, :math:`w` is Glorot uniform, as in the paper, and :math:`c \sim N(0, noise^2 / n)`. The paper does
    not divide by the number of inputs :math:`n`, so that its initial outputs grow with :math:`n`. This was harmless with up to
    64 inputs, but harmful with 200.

    The estimator's `l1` and `l2` act on :math:`w`, :math:`s` and :math:`c`; `l1` flattens edges. The paper instead penalises
    the mean absolute value of each :math:`\phi_{ij}` over the data, and its entropy, which is not implemented.

    With `smoothness` :math:`\lambda`, the penalty of P-splines (Eilers and Marx) is added to the training loss,

    .. math:: \lambda \sum_{ij} \sum_m (\Delta^2 s_{ij} c_{ijm})^2

    over the second differences of the coefficients along the grid. It is 0 for straight lines, so a fine grid does not have
    to follow noise.

    Parameters
    ----------
    features : int, default=16
        Number of outputs.
    grid_size : int, default=5
        Number of grid intervals G. More intervals represent finer detail and need more rows.
    degree : int, default=3
        Degree k of the splines, at least 1.
    lower : float, default=-3.0
    upper : float, default=3.0
        Ends of the grid.
    noise : float, default=0.1
        Standard deviation of the initial spline coefficients times :math:`\sqrt{n}`, at least 0.
    smoothness : float or None, default=None
        Weight of the penalty on second differences, at least 0; None for no penalty.

    References
    ----------
    Liu et al., "KAN: Kolmogorov-Arnold Networks", arXiv 2404.19756; Eilers and Marx, "Flexible Smoothing with B-splines and
    Penalties", Statistical Science 11, 1996.

    Examples
    --------
    >>> from skdeep import DeepRegressor
    >>> from skdeep_kan import KANLayer
    >>> DeepRegressor(network=[KANLayer(features=4), "layer_norm", KANLayer(features=4, grid_size=8)])
    DeepRegressor(network=[KANLayer(...features=4...), 'layer_norm', KANLayer(...grid_size=8...)])
    """

    features: int = 16
    grid_size: int = 5
    degree: int = 3
    lower: float = -3.0
    upper: float = 3.0
    noise: float = 0.1
    smoothness: float | None = None

    plugin_api = (1, 1)

    def build(self) -> Any:
        from skdeep_kan.modules import EdgeSum

        grid = (self.grid_size, self.degree, self.lower, self.upper)
        return EdgeSum(self.features, *grid, self.noise, self.smoothness)

    def check_fields(self) -> None:
        check_counts("field of KANLayer", features=self.features)
        check_edges(self)


def check_edges(component: Any) -> None:
    """Raise ValueError unless `grid_size`, `degree`, `lower`, `upper` and `noise` are valid."""
    owner = type(component).__name__
    check_counts(f"field of {owner}", grid_size=component.grid_size, degree=component.degree)
    if not -math.inf < component.lower < component.upper < math.inf:
        raise ValueError(
            f"The 'lower' field of {owner} must be less than its 'upper' field, and both finite. "
            f"Got lower={component.lower!r} and upper={component.upper!r} instead."
        )
    if not 0 <= component.noise < math.inf:
        raise ValueError(f"The 'noise' field of {owner} must be in [0, inf). Got {component.noise!r} instead.")
    if component.smoothness is not None and not 0 <= component.smoothness < math.inf:
        raise ValueError(
            f"The 'smoothness' field of {owner} must be None or in [0, inf). Got {component.smoothness!r} instead."
        )
