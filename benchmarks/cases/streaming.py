"""One epoch on rows of 20 float32 from a Parquet file and from a memory map, against the same rows in memory. Linux only.

Peak memory is that of the fit minus the resident memory after a small fit of the same kind. The pages of a memory map count too, as
long as the system keeps them in memory.
"""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.cases.memory import _forget_peak, _memory
from benchmarks.processes import run_child
from benchmarks.runner import Case, Contender, MissingError, Options, Prepared, Target, ratio, value_of

ROWS, COLUMNS, WARM_ROWS = 2_000_000, 20, 2_000
ROWS_PER_WRITE = 2**18


def child(kind: str, folder: str, rows: int) -> dict[str, float]:
    """Fit the first rows, read the baseline, fit all rows, and read the peak."""
    _fit(_given(kind, folder, WARM_ROWS))
    baseline = _memory("VmRSS")
    _forget_peak()
    model, seconds = _fit(_given(kind, folder, rows))
    return {
        "fit_seconds": seconds,
        "epoch_seconds": float(model.history_.seconds.iloc[-1]),
        "baseline_bytes": baseline,
        "peak_above_baseline_bytes": _memory("VmHWM") - baseline,
    }


def _fit(arguments: tuple[Any, Any]) -> tuple[Any, float]:
    import time

    from skdeep import DeepClassifier
    from skdeep.networks import MLP

    model = DeepClassifier(network=MLP(widths=(32,)), max_epochs=1, tol=None, random_state=0, coalesce="auto")
    if not isinstance(arguments[1], str):
        model.set_params(coalesce=False)  # rows that are read in blocks are not merged
    start = time.perf_counter()
    model.fit(*arguments)
    return model, time.perf_counter() - start


def _given(kind: str, folder: str, rows: int) -> tuple[Any, Any]:
    """Return X and y as a contender takes them."""
    import numpy as np

    if kind == "parquet":
        return f"{folder}/{rows}.parquet", "y"
    y = np.fromfile(f"{folder}/{rows}.y", np.int8)
    x = np.memmap(f"{folder}/{rows}.x", np.float32, "r", shape=(rows, COLUMNS))
    return (np.array(x) if kind == "memory" else x), y


def write(folder: str, rows: int) -> None:
    """Write standard normal rows, and class 1 for rows whose first value is positive, to a Parquet file and to plain files."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    draw = np.random.default_rng(0)
    names = [f"x{i}" for i in range(COLUMNS)]
    schema = pa.schema([*((name, pa.float32()) for name in names), ("y", pa.int8())])
    root = Path(folder)
    with (
        pq.ParquetWriter(root / f"{rows}.parquet", schema) as file,
        (root / f"{rows}.x").open("wb") as of_x,
        (root / f"{rows}.y").open("wb") as of_y,
    ):
        for start in range(0, rows, ROWS_PER_WRITE):
            x = draw.standard_normal((min(ROWS_PER_WRITE, rows - start), COLUMNS), dtype=np.float32)
            y = (x[:, 0] > 0).astype(np.int8)
            file.write_table(pa.table([*x.T, y], schema=schema))
            x.tofile(of_x)
            y.tofile(of_y)


_FOLDERS: dict[int, tempfile.TemporaryDirectory[str]] = {}


def prepare(kind: str, options: Options) -> Prepared:
    """Write the data once; every measurement is one fresh process."""
    if not Path("/proc/self/status").exists():
        raise MissingError("This case reads /proc/self/status, which only Linux has.")
    rows = options.rows or ROWS
    if rows not in _FOLDERS:
        _FOLDERS[rows] = tempfile.TemporaryDirectory()
        for n in (WARM_ROWS, rows):
            write(_FOLDERS[rows].name, n)
    return Prepared(partial(run_child, CASE.name, {"kind": kind, "folder": _FOLDERS[rows].name, "rows": rows}))


CASE = Case(
    name="streaming",
    summary="one epoch of 20-32-2 on 2,000,000 x 20 float32 read in blocks, batch 200; with --rows 20000000 the size of the targets",
    contenders=(
        Contender("memory", partial(prepare, "memory"), notes="an array, without merging of equal rows"),
        Contender(
            "parquet", partial(prepare, "parquet"), needs=("pyarrow",), notes="a file with row groups of 262,144 rows"
        ),
        Contender(
            "memmap",
            partial(prepare, "memmap"),
            notes="pages of the file count as memory; below 128 MiB it is read as a whole",
        ),
    ),
    headline="epoch_seconds",
    targets=(
        Target(
            "Parquet: speed per epoch, ratio to rows in memory",
            ratio(("memory", "epoch_seconds"), ("parquet", "epoch_seconds")),
            0.6,
            is_lower_bound=True,
        ),
        Target(
            "Parquet: speed of the whole fit, ratio to rows in memory",
            ratio(("memory", "fit_seconds"), ("parquet", "fit_seconds")),
        ),
        Target("Parquet: peak bytes above a small fit", value_of("parquet", "peak_above_baseline_bytes"), 800e6),
    ),
    repeats=3,
)
