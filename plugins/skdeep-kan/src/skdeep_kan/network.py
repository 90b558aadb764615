"""The Kolmogorov-Arnold network."""

from __future__ import annotations

from typing import Any

from skdeep import Network
from skdeep_kan.layer import check_edges
from skdeep_kan.splines import is_count

NORMALIZATIONS = (None, "tanh", "layer", "batch")


class KAN(Network):
    r"""A Kolmogorov-Arnold network: one `KANLayer` after the other; the last layer returns the output.

    Hidden values are mapped onto the grid before the next layer. The default map is

    .. math:: z \mapsto m + r \tanh\big((z - m) / r\big)

    with :math:`m` the middle and :math:`r` half the width of the grid. It is close to the identity near the middle, and its
    values never leave the grid. With `widths=()` the network is an additive model with one learned function per feature,
    which `edge_functions` describes completely. Rows of more than one axis are flattened.

    KANs train well at larger learning rates than the estimators' default of 0.001: begin with 0.01.

    The network is trained on its loss, like any other. The paper also moves and refines the grid during training, prunes
    edges and replaces learned functions by symbolic ones; none of this is implemented.

    Parameters
    ----------
    widths : tuple of int, default=(8,)
        Widths of the hidden layers.
    grid_size : int, default=5
        Number of grid intervals per spline.
    degree : int, default=3
        Degree of the splines, at least 1.
    lower : float, default=-3.0
    upper : float, default=3.0
        Ends of the grid.
    noise : float, default=0.1
        Size of the initial spline coefficients, as in `KANLayer`.
    normalization : {"tanh", "layer", "batch"} or None, default="tanh"
        How hidden values are mapped onto the grid: by the function above, by layer or batch normalisation, or not at all.
    smoothness : float or None, default=None
        Weight of the penalty on second differences of the coefficients, as in `KANLayer`.

    References
    ----------
    Liu et al., "KAN: Kolmogorov-Arnold Networks", arXiv 2404.19756; Liu et al., "KAN 2.0: Kolmogorov-Arnold
    Networks Meet Science", arXiv 2408.10205. In the papers the grid follows the hidden values; here the hidden values
    are mapped onto the grid.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skdeep import DeepRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> network = DeepRegressor(network="kan", learning_rate=0.01, max_epochs=30, tol=None, random_state=0)
    >>> model = make_pipeline(StandardScaler(), network.set_params(network__widths=(4,)))
    >>> bool(model.fit(X, y).score(X, y) > 0.5)
    True
    """

    widths: tuple[int, ...] = (8,)
    grid_size: int = 5
    degree: int = 3
    lower: float = -3.0
    upper: float = 3.0
    noise: float = 0.1
    normalization: str | None = "tanh"
    smoothness: float | None = None

    plugin_api = (1, 1)

    def build(self, in_shape: tuple[int, ...], n_outputs: int) -> Any:
        from skdeep_kan.modules import EdgeStack

        grid = (self.grid_size, self.degree, self.lower, self.upper)
        return EdgeStack((*self.widths, n_outputs), *grid, self.noise, self.normalization, self.smoothness)

    def check_fields(self) -> None:
        if not (isinstance(self.widths, tuple) and all(map(is_count, self.widths))):
            raise ValueError(
                f"The 'widths' field of KAN must be a tuple of positive ints. Got {self.widths!r} instead."
            )
        check_edges(self)
        if self.normalization not in NORMALIZATIONS:
            raise ValueError(
                f"The 'normalization' field of KAN must be one of {list(NORMALIZATIONS)}. Got {self.normalization!r} instead."
            )
        if self.normalization == "layer" and 1 in self.widths:
            raise ValueError(
                f"The 'normalization' field of KAN is 'layer', which makes every hidden layer of width 1 constant. "
                f"Got widths={self.widths!r}. Use 'tanh', or wider layers."
            )
