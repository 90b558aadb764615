"""Several small images in one array, with gaps between them, so that one call of matplotlib's `imshow` draws them all."""

from __future__ import annotations

import numpy as np

COLOUR_CHANNELS = (3, 4)


def mosaic(images: np.ndarray, n_columns: int) -> np.ndarray:
    """Return images row by row in one array, with gaps of NaN, or of white for images with colours.

    Parameters
    ----------
    images : ndarray (n, height, width) or (n, height, width, 3 or 4)
        Images with colours have values in [0, 1].
    n_columns : int

    Returns
    -------
    ndarray (rows * height + gaps, columns * width + gaps) or the same with the channels

    Examples
    --------
    >>> import numpy as np
    >>> from skdeep.display.mosaic import mosaic
    >>> mosaic(np.arange(3.0).reshape(3, 1, 1), n_columns=2)
    array([[ 0., nan,  1.],
           [nan, nan, nan],
           [ 2., nan, nan]])
    """
    n, height, width = images.shape[:3]
    n_rows, (gap_y, gap_x) = -(-n // n_columns), gaps(images)
    shape = (n_rows * (height + gap_y) - gap_y, n_columns * (width + gap_x) - gap_x, *images.shape[3:])
    found = np.full(shape, 1.0 if images.ndim == 4 else np.nan)
    for k, image in enumerate(images):
        top, left = (k // n_columns) * (height + gap_y), (k % n_columns) * (width + gap_x)
        found[top : top + height, left : left + width] = image
    return found


def gaps(images: np.ndarray) -> tuple[int, int]:
    """Return the height and the width of the gaps between images: an eighth of an image, at least one pixel."""
    return max(1, images.shape[1] // 8), max(1, images.shape[2] // 8)


def centres(images: np.ndarray, n_rows: int, n_columns: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the vertical positions of the centres of the rows of a mosaic, and the horizontal ones of its columns."""
    gap_y, gap_x = gaps(images)
    rows = np.arange(n_rows) * (images.shape[1] + gap_y) + (images.shape[1] - 1) / 2
    return rows, np.arange(n_columns) * (images.shape[2] + gap_x) + (images.shape[2] - 1) / 2


def without_single_channel(images: np.ndarray) -> np.ndarray:
    """Return images with one channel without the axis of channels; others unchanged."""
    return images[..., 0] if images.ndim == 4 and images.shape[-1] == 1 else images
