"""A display of the kernels of a network: histograms, or the filters of a layer as images."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Self

import numpy as np

from skdeep.display.axes import COLOURS, label_outer, panels, pyplot_for
from skdeep.display.fitted import fitted_network, members_of
from skdeep.display.layers import named_kernels
from skdeep.display.mosaic import mosaic
from skdeep.errors import nearest

_KINDS = ("histogram", "filters")


class WeightsDisplay:
    """The kernels of a network: a histogram per layer, or the filters of one layer as small images.

    Kernels are the parameters of `skdeep.kernels.are_kernels`: no biases, and no embeddings. Use `from_estimator`.

    Parameters
    ----------
    kernels : dict of str to ndarray
        The kernels by the names of their layers, in the order of the layers.
    image_shape : tuple of int or None, default=None
        Shape of a row as an image, `(height, width)` or `(height, width, channels)`. Filters of a dense layer that reads rows
        are drawn with this shape. If it has channels, they also tell which convolution is the first.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The first panel.
    axes_ : ndarray of Axes
        One panel per layer; for filters a single one.
    figure_ : matplotlib Figure
    histograms_ : dict of str to StepPatch, or None
        The histograms by layer; None for filters.
    image_ : matplotlib AxesImage or None
        The filters; None for histograms.
    filters_ : ndarray (n, height, width), (n, height, width, 3) or None
        The weights of the filters that are shown; None for histograms.

    Raises
    ------
    ValueError
        If there is no kernel.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("agg")
    >>> from sklearn.datasets import load_iris
    >>> from skdeep import DeepClassifier
    >>> from skdeep.display import WeightsDisplay
    >>> X, y = load_iris(return_X_y=True)
    >>> model = DeepClassifier(max_epochs=2, tol=None, random_state=0).fit(X, y)
    >>> display = WeightsDisplay.from_estimator(model)
    >>> list(display.histograms_)
    ['Dense_0', 'Dense_1', 'output']
    """

    def __init__(self, kernels: Mapping[str, np.ndarray], *, image_shape: tuple[int, ...] | None = None) -> None:
        if not kernels:
            raise ValueError("WeightsDisplay needs a network with kernels: parameters of two or more dimensions.")
        self.kernels, self.image_shape = dict(kernels), image_shape

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        kind: str = "histogram",
        *,
        layer: str | None = None,
        member: int = 0,
        image_shape: tuple[int, ...] | None = None,
        ax: Any = None,
        **options: Any,
    ) -> Self:
        """Draw the kernels of a fitted estimator.

        Parameters
        ----------
        estimator : fitted estimator of skdeep
            Also a Pipeline with one as its last step, or a fitted search with one as its best estimator.
        kind : {"histogram", "filters"}, default="histogram"
        layer : str, default=None
            The layer to draw; by default all layers, or for filters the first convolution.
        member : int, default=0
            The member of an ensemble.
        image_shape : tuple of int, default=None
            Shape of a row as an image, for filters of a dense layer; by default the estimator's `input_shape_`.
        ax : matplotlib Axes or array-like of Axes, default=None
        **options : dict
            `bins`, `channel`, `max_filters` and `kw`, as in `plot`.

        Returns
        -------
        WeightsDisplay

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        NotFittedError
            If the estimator is not fitted.
        TypeError
            If it is not an estimator of skdeep.
        ValueError
            As in the constructor and in `plot`, or if there is no such member.
        """
        pyplot_for(f"{cls.__name__}.from_estimator")
        members = members_of(fitted_network(cls.__name__, estimator))
        if not 0 <= member < len(members):
            raise ValueError(
                f"The 'member' parameter of {cls.__name__} must be an int in [0, {len(members)}). Got {member!r} instead."
            )
        network = members[member]
        if image_shape is None and isinstance(getattr(network, "input_shape_", None), tuple):
            image_shape = network.input_shape_
        display = cls(named_kernels(network.params_), image_shape=image_shape)
        return display.plot(ax, kind=kind, layer=layer, **options)

    def plot(
        self,
        ax: Any = None,
        *,
        kind: str = "histogram",
        layer: str | None = None,
        bins: int = 40,
        channel: int | None = None,
        max_filters: int = 64,
        kw: dict[str, Any] | None = None,
    ) -> Self:
        """Draw the kernels.

        Parameters
        ----------
        ax : matplotlib Axes or array-like of Axes, default=None
            Axes to draw on; by default those of a new figure. If there are several histograms, they take the place of one Axes,
            or are drawn on as many Axes as there are layers.
        kind : {"histogram", "filters"}, default="histogram"
        layer : str, default=None
            The layer to draw; by default all layers, or for filters the first convolution, or the first layer if none is one.
        bins : int, default=40
            Number of bins of each histogram.
        channel : int, default=None
            The input channel of the filters. By default 0, or all channels as colours if there are 3.
        max_filters : int, default=64
            The largest number of filters that are drawn.
        kw : dict, default=None
            Arguments of matplotlib's `stairs` for histograms, or of `imshow` for filters.

        Returns
        -------
        self

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If `kind`, `layer` or `channel` is unknown, or the layer has no filters that are images.
        """
        if kind not in _KINDS:
            raise ValueError(f"The 'kind' parameter of WeightsDisplay must be one of {_KINDS}. Got {kind!r} instead.")
        if layer is not None and layer not in self.kernels:
            hint = nearest(layer, self.kernels)
            raise ValueError(
                f"There is no layer {layer!r} with a kernel.{hint} The layers are {', '.join(self.kernels)}."
            )
        self.histograms_: dict[str, Any] | None = None
        self.image_: Any = None
        self.filters_: np.ndarray | None = None
        if kind == "histogram":
            self._draw_histograms(ax, layer, bins, kw or {})
        else:
            self._draw_filters(ax, layer, channel, max_filters, kw or {})
        self.ax_, self.figure_ = self.axes_[0], self.axes_[0].figure
        return self

    def _draw_histograms(self, ax: Any, layer: str | None, bins: int, kw: dict[str, Any]) -> None:
        kernels = self.kernels if layer is None else {layer: self.kernels[layer]}
        n_columns = min(4, math.ceil(math.sqrt(len(kernels))))
        size = (6.4, 4.4) if len(kernels) == 1 else (3.2, 2.4)
        self.axes_ = panels("WeightsDisplay.plot", ax, len(kernels), n_columns=n_columns, size=size, sharex=True)
        histograms = {}
        for panel, (name, kernel) in zip(self.axes_, kernels.items(), strict=True):
            counts, edges = np.histogram(kernel, bins=bins)
            style = {"fill": True, "facecolor": COLOURS[5], "edgecolor": COLOURS[0], **kw}
            histograms[name] = panel.stairs(counts, edges, **style)
            panel.axvline(0.0, color="0.3", linewidth=0.8)
            shape = " x ".join(map(str, kernel.shape))
            panel.set_title(f"{name}\n{shape}, std {np.std(kernel):.2g}", fontsize="small")
        self.histograms_ = histograms
        label_outer(self.axes_, "weight", "weights per bin")

    def _draw_filters(
        self, ax: Any, layer: str | None, channel: int | None, max_filters: int, kw: dict[str, Any]
    ) -> None:
        name = self._layer_of_filters() if layer is None else layer
        kernel, as_images = self.kernels[name], self.image_shape
        if kernel.ndim == 2 and as_images is not None and len(as_images) > 1 and math.prod(as_images) == len(kernel):
            kernel = kernel.reshape(*as_images, kernel.shape[1])
            kernel = kernel[:, :, None] if kernel.ndim == 3 else kernel
        if kernel.ndim != 4:
            raise ValueError(
                f"The kernel of {name!r} has shape {kernel.shape}: its filters are no images. Give the layer of a convolution with two "
                "axes, or for a dense layer that reads rows the image_shape of a row."
            )
        filters = np.moveaxis(_in_channel(kernel, channel), -1, 0)
        self.filters_ = kept = filters[:max_filters]
        limit = float(np.abs(kept).max()) or 1.0
        is_colour = kept.ndim == 4
        shown = mosaic(0.5 + kept / (2 * limit) if is_colour else kept, math.ceil(math.sqrt(len(kept))))
        self.axes_ = panels("WeightsDisplay.plot", ax, 1, size=(5.2, 4.4))
        panel = self.axes_[0]
        self.image_ = panel.imshow(shown, **{"cmap": "gray", "vmin": -limit, "vmax": limit, **kw})
        panel.set(xticks=[], yticks=[])
        panel.spines[:].set_visible(False)
        number = f"{len(kept)} filters" if len(filters) <= max_filters else f"{max_filters} of {len(filters)} filters"
        panel.set_title(f"{name}: {number} of {kernel.shape[0]} x {kernel.shape[1]}", fontsize="medium")
        if not is_colour:
            panel.figure.colorbar(self.image_, ax=panel, label="weight", shrink=0.8)

    def _layer_of_filters(self) -> str:
        """Return the first convolution over two axes that reads as many channels as rows have, or the first layer."""
        convolutions = [name for name, kernel in self.kernels.items() if kernel.ndim == 4 and max(kernel.shape[:2]) > 1]
        n_channels = self.image_shape[2] if self.image_shape is not None and len(self.image_shape) == 3 else None
        first = [name for name in convolutions if self.kernels[name].shape[2] == n_channels]
        return next(iter(first or convolutions or self.kernels))


def _in_channel(kernel: np.ndarray, channel: int | None) -> np.ndarray:
    """Return the weights of one input channel `(height, width, out)`, or those of three as colours."""
    n_channels = kernel.shape[2]
    if channel is None and n_channels == 3:
        return kernel
    if channel is not None and not 0 <= channel < n_channels:
        raise ValueError(
            f"The 'channel' parameter of WeightsDisplay must be an int in [0, {n_channels}). Got {channel!r} instead."
        )
    found: np.ndarray = kernel[:, :, channel or 0]
    return found
