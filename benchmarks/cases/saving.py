"""Seconds to save and to load a model of 100 MB, against those to write and to read as many bytes with their digest."""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.runner import Case, Contender, Options, Prepared, Target, ratio

N_COLUMNS, WIDTHS = 512, (4096, 5600)


def prepare_skdeep(options: Options) -> Prepared:
    import skdeep
    from skdeep.networks import MLP

    X = np.random.default_rng(0).normal(size=(64, N_COLUMNS)).astype(np.float32)
    model = skdeep.DeepRegressor(network=MLP(widths=WIDTHS), max_epochs=1, tol=None).fit(X, X[:, 0])
    folder = tempfile.TemporaryDirectory()
    path = Path(folder.name, "model.skdeep")
    return Prepared(lambda: _seconds(folder, lambda: skdeep.save(model, path), lambda: skdeep.load(path)))


def prepare_bytes(options: Options) -> Prepared:
    n_columns, (first, second) = N_COLUMNS, WIDTHS
    data = os.urandom(4 * (n_columns * first + first * second))
    folder = tempfile.TemporaryDirectory()
    path = Path(folder.name, "bytes")

    def write() -> None:
        hashlib.sha256(data).hexdigest()
        with path.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())

    return Prepared(lambda: _seconds(folder, write, lambda: hashlib.sha256(path.read_bytes()).hexdigest()))


def _seconds(folder: Any, save: Callable[[], Any], load: Callable[[], Any]) -> dict[str, float]:
    """Time both; the folder is removed when nothing refers to it any more."""
    start = time.perf_counter()
    save()
    middle = time.perf_counter()
    load()
    return {"save_seconds": middle - start, "load_seconds": time.perf_counter() - middle}


CASE = Case(
    name="saving",
    summary="save and load of a model of 100 MB",
    contenders=(
        Contender("skdeep", prepare_skdeep),
        Contender("bytes", prepare_bytes, notes="the same number of bytes, with SHA-256"),
    ),
    headline="save_seconds",
    targets=(
        Target("save, ratio to writing", ratio(("skdeep", "save_seconds"), ("bytes", "save_seconds")), 3.0),
        Target("load, ratio to reading", ratio(("skdeep", "load_seconds"), ("bytes", "load_seconds")), 3.0),
    ),
    repeats=7,
)
