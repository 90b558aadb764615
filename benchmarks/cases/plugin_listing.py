"""Seconds to list all components with 200 more distributions installed, against those to import an estimator."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path

from benchmarks.cases.import_time import prepare as prepare_import
from benchmarks.processes import run_python
from benchmarks.runner import Case, Contender, Options, Prepared, Target, ratio

N_DISTRIBUTIONS, N_PLUGINS = 200, 20

PROGRAM = """
import importlib.metadata, json, sys, time
sys.path.append({folder!r})
start = time.perf_counter()
from skdeep import plugins
imported = time.perf_counter()
listed = plugins.list_components()
stop = time.perf_counter()
assert sum(c.package.startswith("fake-") for c in listed) == {n_plugins}
print(json.dumps({{"listing_seconds": stop - start, "without_import_seconds": stop - imported}}))
"""


def make_distributions(folder: Path) -> None:
    """Write the metadata of distributions, as installers do; a tenth of them offer a loss."""
    for i in range(N_DISTRIBUTIONS):
        info = folder / f"fake_{i}-1.0.dist-info"
        info.mkdir()
        description = "A line of the long description.\n" * 100
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: fake-{i}\nVersion: 1.0\n\n{description}")
        group = "skdeep.losses" if i < N_PLUGINS else "console_scripts"
        (info / "entry_points.txt").write_text(f"[{group}]\nname_{i} = fake_{i}:main\n")


def prepare(options: Options) -> Prepared:
    """List once without measuring, so that files are cached in memory."""
    folder = Path(tempfile.mkdtemp(prefix="skdeep-distributions-"))
    make_distributions(folder)
    measure = partial(run_python, ["-c", PROGRAM.format(folder=str(folder), n_plugins=N_PLUGINS)])
    measure()
    return Prepared(measure)


CASE = Case(
    name="plugin_listing",
    summary=f"skdeep.plugins.list_components() with {N_DISTRIBUTIONS} more distributions installed, in a fresh process",
    contenders=(
        Contender("listing", prepare, notes="import of skdeep.plugins included"),
        Contender("estimator", partial(prepare_import, "from skdeep import DeepClassifier")),
    ),
    headline="listing_seconds",
    targets=(
        Target(
            "listing with its import, ratio to `from skdeep import DeepClassifier`",
            ratio(("listing", "listing_seconds"), ("estimator", "import_seconds")),
            0.1,
        ),
    ),
    repeats=9,
)
