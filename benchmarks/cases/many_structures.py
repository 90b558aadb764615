"""Resident memory after fits of many different networks in one process, as skdeep drops the least recently used programs.

Linux only.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from benchmarks.processes import run_child
from benchmarks.runner import Case, Contender, MissingError, Options, Prepared, Target, value_of

FITS = (1, 70, 140, 214)


def child(most: int) -> dict[str, float]:
    """Fit networks of different widths; read the resident memory before, in between, and after `clear_cache`."""
    import numpy as np

    import skdeep
    from skdeep.networks import MLP

    x = np.random.default_rng(0).normal(size=(64, 4))
    y = (x[:, 0] > 0).astype(int)
    start = _resident()
    found = {}
    for i in range(most):
        network = MLP(widths=(3 + i % 107, 2 + i // 107))
        skdeep.DeepClassifier(network=network, max_epochs=1, tol=None).fit(x, y)
        if i + 1 in FITS:
            found[f"after_{i + 1}_bytes"] = _resident() - start
    skdeep.clear_cache()
    return {
        **found,
        "cleared_bytes": _resident() - start,
        "growth_bytes": found["after_214_bytes"] - found["after_70_bytes"],
    }


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


def prepare(options: Options) -> Prepared:
    """Every measurement is one fresh process."""
    if not Path("/proc/self/statm").exists():
        raise MissingError("This case reads /proc/self/statm, which only Linux has.")
    return Prepared(partial(run_child, CASE.name, {"most": max(FITS)}))


CASE = Case(
    name="many_structures",
    summary="resident memory beyond the start, after up to 214 fits of networks of different widths, and after clear_cache()",
    contenders=(Contender("skdeep", prepare),),
    headline="after_214_bytes",
    targets=(Target("growth from 70 to 214 fits, bytes", value_of("skdeep", "growth_bytes"), 1e8),),
    repeats=1,
)
