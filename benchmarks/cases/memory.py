"""Peak memory of a fit on many rows, minus that of a warm process, as a multiple of the bytes of X. Linux only.

The baseline is the resident memory after a small warm fit and before X exists, so the peak includes
X and y themselves: ratio = (peak - baseline) / bytes of X.
"""

from __future__ import annotations

import contextlib
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import data
from benchmarks.processes import run_child
from benchmarks.runner import Case, Contender, MissingError, Options, Prepared, Target

ROWS, COLUMNS, WARM_ROWS = 1_100_000, 50, 1_000


def child(library: str, rows: int) -> dict[str, float]:
    """Fit a few rows, read the baseline, create X, fit it, and read the peak."""
    model = _model(library)
    model.fit(*data.random_classes(WARM_ROWS, COLUMNS))
    baseline = _memory("VmRSS")
    _forget_peak()
    x, y = data.random_classes(rows, COLUMNS)
    model.fit(x, y)
    peak = _memory("VmHWM")
    return {
        "baseline_bytes": baseline,
        "peak_bytes": peak,
        "x_bytes": x.nbytes,
        "peak_per_x": (peak - baseline) / x.nbytes,
    }


def _model(library: str) -> Any:
    if library == "skdeep":
        from skdeep import DeepClassifier

        return DeepClassifier(max_epochs=1, tol=None, random_state=0)
    from sklearn.neural_network import MLPClassifier

    return MLPClassifier(hidden_layer_sizes=(128, 128), max_iter=1, random_state=0)


def _memory(field: str) -> int:
    """Return a field of the process's status in bytes: VmRSS is the resident memory now, VmHWM its peak."""
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in status if line.startswith(f"{field}:"))


def _forget_peak() -> None:
    """Reset VmHWM, if the system allows it, so that the peak of the warm-up does not count."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def prepare(library: str, options: Options) -> Prepared:
    """Every measurement is one fresh process."""
    if not Path("/proc/self/status").exists():
        raise MissingError("This case reads /proc/self/status, which only Linux has.")
    return Prepared(partial(run_child, CASE.name, {"library": library, "rows": options.rows or ROWS}))


CASE = Case(
    name="memory",
    summary="peak memory of one epoch on 1,100,000 x 50 float32, beyond a warm process",
    contenders=(
        Contender("skdeep", partial(prepare, "skdeep"), notes="the baseline is without X, the peak includes it"),
        Contender("sklearn", partial(prepare, "sklearn"), notes="MLPClassifier, same measurement"),
    ),
    headline="peak_per_x",
    targets=(Target("(peak - baseline) / bytes of X", lambda values: values.get(("skdeep", "peak_per_x")), 2.5),),
)
