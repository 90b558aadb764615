"""A display of rows and their reconstructions."""

from __future__ import annotations

import math
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from skdeep.display.axes import COLOURS, label_outer, panels, pyplot_for
from skdeep.display.mosaic import COLOUR_CHANNELS, centres, mosaic, without_single_channel


class ReconstructionDisplay:
    """Rows above their reconstructions, as images, or as one profile per row.

    Use `from_estimator`. Both have the same scale of greys, that of the original rows. The number below an image is the mean squared
    error (MSE) of its reconstruction, which is above a profile.

    Parameters
    ----------
    originals, reconstructions : array-like (n, ...)
        Of the same shape.
    image_shape : tuple of int or None, default=None
        Shape of a row as an image: `(height, width)`, or `(height, width, channels)` with 1, 3 or 4 channels. None draws profiles:
        the values of a row by their positions.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The first panel.
    axes_ : ndarray of Axes
        One panel for images; one per row for profiles.
    figure_ : matplotlib Figure
    image_ : matplotlib AxesImage or None
        All images; None for profiles.
    lines_ : list of (Line2D, Line2D) or None
        The profiles of each row and its reconstruction; None for images.
    errors_ : ndarray (n,)
        The mean squared error of each row.

    Raises
    ------
    ValueError
        If the shapes of the rows differ, there are none, or they do not fit `image_shape`.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("agg")
    >>> from sklearn.datasets import load_digits
    >>> from skdeep import DeepAutoencoder
    >>> from skdeep.display import ReconstructionDisplay
    >>> X = load_digits().data[:200] / 16
    >>> model = DeepAutoencoder(n_components=8, max_epochs=5, tol=None, random_state=0).fit(X)
    >>> display = ReconstructionDisplay.from_estimator(model, X, n=4, image_shape=(8, 8))
    >>> display.errors_.shape
    (4,)
    """

    def __init__(
        self, originals: ArrayLike, reconstructions: ArrayLike, *, image_shape: tuple[int, ...] | None = None
    ) -> None:
        self.originals, self.reconstructions = np.asarray(originals, float), np.asarray(reconstructions, float)
        self.image_shape = None if image_shape is None else tuple(image_shape)
        self._check()

    @classmethod
    def from_estimator(
        cls,
        autoencoder: Any,
        X: Any,
        n: int = 8,
        *,
        image_shape: tuple[int, ...] | None = None,
        ax: Any = None,
        kw: dict[str, Any] | None = None,
    ) -> Self:
        """Draw the first rows of X and their reconstructions.

        Parameters
        ----------
        autoencoder : fitted transformer
            A `DeepAutoencoder`, a Pipeline that ends in one, or any other transformer with `transform` and `inverse_transform`, for
            example PCA.
        X : array-like (n_rows, ...)
        n : int, default=8
            Number of rows; all if X has fewer.
        image_shape : tuple of int, default=None
            Shape of a row as an image. By default that of the rows of X, or `input_shape_` of the autoencoder, if it has two or
            three axes; otherwise rows are drawn as profiles.
        ax, kw : as in `plot`

        Returns
        -------
        ReconstructionDisplay

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        NotFittedError
            If the autoencoder is not fitted.
        TypeError
            If it lacks `transform` or `inverse_transform`.
        ValueError
            As in the constructor, or if `n` is not positive.
        """
        pyplot_for(f"{cls.__name__}.from_estimator")
        check_is_fitted(autoencoder)
        if not (hasattr(autoencoder, "transform") and hasattr(autoencoder, "inverse_transform")):
            raise TypeError(
                f"{cls.__name__} needs an estimator with transform and inverse_transform, such as DeepAutoencoder. "
                f"Got {type(autoencoder).__name__} instead."
            )
        if n < 1:
            raise ValueError(f"The 'n' parameter of {cls.__name__} must be an int in [1, inf). Got {n!r} instead.")
        rows = X[:n]
        reconstructions = autoencoder.inverse_transform(autoencoder.transform(rows))
        shape = _shape_of_images(autoencoder, np.asarray(rows)) if image_shape is None else image_shape
        return cls(rows, reconstructions, image_shape=shape).plot(ax=ax, kw=kw)

    def plot(self, ax: Any = None, *, kw: dict[str, Any] | None = None) -> Self:
        """Draw the rows.

        Parameters
        ----------
        ax : matplotlib Axes or array-like of Axes, default=None
            Axes to draw on; by default those of a new figure. Profiles take the place of one Axes, or are drawn on as many Axes as
            there are rows.
        kw : dict, default=None
            Arguments of matplotlib's `imshow` for images, or of `plot` for profiles.

        Returns
        -------
        self

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If `ax` holds another number of Axes.
        """
        self.errors_ = np.mean((self.originals - self.reconstructions).reshape(len(self.originals), -1) ** 2, axis=1)
        self.image_: Any = None
        self.lines_: list[tuple[Any, Any]] | None = None
        if self.image_shape is None:
            self._draw_profiles(ax, kw or {})
        else:
            self._draw_images(ax, self.image_shape, kw or {})
        self.ax_, self.figure_ = self.axes_[0], self.axes_[0].figure
        return self

    def _draw_images(self, ax: Any, shape: tuple[int, ...], kw: dict[str, Any]) -> None:
        n, low, high = len(self.originals), self.originals.min(), self.originals.max()
        both = np.concatenate([self.originals, self.reconstructions]).reshape(2 * n, *shape)
        images = without_single_channel(both)
        if images.ndim == 4:
            images = np.clip((images - low) / ((high - low) or 1.0), 0.0, 1.0)
        self.axes_ = panels("ReconstructionDisplay.plot", ax, 1, size=(max(4.0, 1.0 * n + 1.0), 2.8))
        panel = self.axes_[0]
        self.image_ = panel.imshow(mosaic(images, n), **{"cmap": "gray", "vmin": low, "vmax": high, **kw})
        at_rows, at_columns = centres(images, 2, n)
        panel.set_yticks(at_rows, ["original", "reconstruction"])
        panel.set_xticks(at_columns, [f"{error:.2g}" for error in self.errors_], fontsize="small")
        panel.tick_params(length=0)
        panel.spines[:].set_visible(False)
        panel.set_xlabel("mean squared error of the row")

    def _draw_profiles(self, ax: Any, kw: dict[str, Any]) -> None:
        n = len(self.originals)
        n_columns = 4 if ax is None else math.ceil(math.sqrt(n))
        self.axes_ = panels(
            "ReconstructionDisplay.plot", ax, n, n_columns=n_columns, size=(2.8, 2.1), sharex=True, sharey=True
        )
        lines = []
        for panel, row, reconstruction, error in zip(
            self.axes_, self.originals.reshape(n, -1), self.reconstructions.reshape(n, -1), self.errors_, strict=True
        ):
            positions = np.arange(len(row))
            (first,) = panel.plot(positions, row, **{"color": "0.35", "linewidth": 2.4, "label": "original", **kw})
            style = {"color": COLOURS[1], "linewidth": 1.3, "linestyle": "--", "label": "reconstruction"}
            (second,) = panel.plot(positions, reconstruction, **{**style, **kw})
            panel.set_title(f"MSE {error:.2g}", fontsize="small")
            lines.append((first, second))
        self.lines_ = lines
        label_outer(self.axes_, "column", "value")
        if ax is None:
            self.axes_[0].figure.legend(handles=lines[0], loc="outside lower center", ncols=2, frameon=False)
        else:
            self.axes_[0].legend(fontsize="small")

    def _check(self) -> None:
        shape, found = self.image_shape, self.reconstructions.shape
        if self.originals.shape != found or self.originals.ndim < 2 or len(self.originals) == 0:
            raise ValueError(
                "originals and reconstructions of ReconstructionDisplay must have the same shape (n, ...) with one or more rows. "
                f"Got {self.originals.shape} and {found} instead."
            )
        if shape is None:
            return
        if not (len(shape) == 2 or (len(shape) == 3 and shape[2] in (1, *COLOUR_CHANNELS))):
            raise ValueError(
                "The 'image_shape' parameter of ReconstructionDisplay must be (height, width), or (height, width, channels) with "
                f"1, 3 or 4 channels. Got {shape} instead."
            )
        n_values = math.prod(found[1:])
        if math.prod(shape) != n_values:
            raise ValueError(
                f"Rows have {n_values} values, but an image of shape {shape} has {math.prod(shape)}. Give an image_shape of {n_values} values."
            )


def _shape_of_images(autoencoder: Any, rows: np.ndarray) -> tuple[int, ...] | None:
    """Return the shape of rows that are images, or None."""
    last = autoencoder.steps[-1][1] if isinstance(autoencoder, Pipeline) else autoencoder
    for shape in (rows.shape[1:], getattr(last, "input_shape_", None)):
        if not isinstance(shape, tuple) or math.prod(shape) != math.prod(rows.shape[1:]):
            continue
        if len(shape) == 2 or (len(shape) == 3 and shape[2] in (1, *COLOUR_CHANNELS)):
            return shape
    return None
