"""Seconds to import an estimator, against those to import jax and scikit-learn, in fresh processes."""

from __future__ import annotations

from functools import partial

from benchmarks.processes import run_python
from benchmarks.runner import Case, Contender, Options, Prepared, Target, ratio

PROGRAM = """
import json, time
start = time.perf_counter()
{statement}
print(json.dumps({{"import_seconds": time.perf_counter() - start}}))
"""


def prepare(statement: str, options: Options) -> Prepared:
    """Import once without measuring, so that files are cached in memory and compiled to bytecode."""
    measure = partial(run_python, ["-c", PROGRAM.format(statement=statement)])
    measure()
    return Prepared(measure)


CASE = Case(
    name="import_time",
    summary="from skdeep import DeepClassifier, in a fresh process",
    contenders=(
        Contender("skdeep", partial(prepare, "from skdeep import DeepClassifier")),
        Contender("jax_sklearn", partial(prepare, "import jax, sklearn"), notes="import jax, sklearn"),
    ),
    headline="import_seconds",
    targets=(
        Target(
            "import, ratio to that of jax and scikit-learn",
            ratio(("skdeep", "import_seconds"), ("jax_sklearn", "import_seconds")),
            1.35,
        ),
    ),
    repeats=9,
)
