"""The data of the cases, as float32 arrays with values near [0, 1]; nothing is downloaded."""

from __future__ import annotations

import gzip
import os
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.runner import MissingError

if TYPE_CHECKING:
    import numpy as np

FASHION_FOLDER = "/usr/share/datasets/fashion-mnist"


def fashion_mnist(rows: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Return the first training images of Fashion-MNIST, flat and scaled to [0, 1], and their classes."""
    return _fashion_mnist("train", rows)


def fashion_mnist_test() -> tuple[np.ndarray, np.ndarray]:
    """Return the 10,000 test images of Fashion-MNIST in the same form."""
    return _fashion_mnist("t10k", None)


def has_fashion_mnist() -> bool:
    """Return True if the training images of Fashion-MNIST are on this machine."""
    return _path_of("train-images-idx3-ubyte.gz").exists()


def images_or_noise(rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Return images of Fashion-MNIST, or uniform noise of the same shape with random classes if they are not on this machine."""
    import numpy as np

    if has_fashion_mnist():
        return fashion_mnist(rows)
    rng = np.random.default_rng(0)
    return rng.random((rows, 784), dtype=np.float32), rng.integers(0, 10, rows)


def padded_to_32(images: np.ndarray) -> np.ndarray:
    """Return flat images of 28x28 with two pixels of zeros at each side, flat again."""
    import numpy as np

    return np.pad(images.reshape(-1, 28, 28), ((0, 0), (2, 2), (2, 2))).reshape(len(images), 32 * 32)


def digits() -> tuple[np.ndarray, np.ndarray]:
    """Return scikit-learn's 1,797 digits of 64 values, scaled to [0, 1], and their classes."""
    import numpy as np
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    return (x / 16).astype(np.float32), y


def random_classes(rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """Return standard normal rows, and class 1 for rows whose first value is positive, else 0."""
    import numpy as np

    x = np.random.default_rng(0).standard_normal((rows, columns), dtype=np.float32)
    return x, (x[:, 0] > 0).astype(np.int64)


def _fashion_mnist(part: str, rows: int | None) -> tuple[np.ndarray, np.ndarray]:
    import numpy as np

    images = _read_idx(f"{part}-images-idx3-ubyte.gz", header_bytes=16).reshape(-1, 784)[:rows]
    classes = _read_idx(f"{part}-labels-idx1-ubyte.gz", header_bytes=8)[:rows]
    return images.astype(np.float32) / np.float32(255), classes.astype(np.int64)


def _read_idx(name: str, header_bytes: int) -> np.ndarray:
    import numpy as np

    path = _path_of(name)
    if not path.exists():
        raise MissingError(
            f"The file {path} does not exist. Install Fashion-MNIST (Debian, Ubuntu: apt-get install dataset-fashion-mnist), "
            "or set FASHION_MNIST to the folder of its gzipped idx files."
        )
    return np.frombuffer(gzip.decompress(path.read_bytes()), dtype=np.uint8, offset=header_bytes)


def _path_of(name: str) -> Path:
    return Path(os.environ.get("FASHION_MNIST", FASHION_FOLDER)) / name
