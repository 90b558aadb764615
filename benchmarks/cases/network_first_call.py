"""Seconds of the first `fit` of each network in a fresh process: tracing, lowering and compiling, without imports."""

from __future__ import annotations

import time

from benchmarks.processes import run_child
from benchmarks.runner import Case, Contender, Options, Prepared, Target, ratio

ROWS = 128
SHAPES = {
    "mlp": None,
    "cnn": (28, 28, 1),
    "resnet": (28, 28, 1),
    "lstm": (28, 28),
    "gru": (28, 28),
    "tcn": (28, 28),
    "transformer": (28, 28),
}


def child(network: str | None) -> dict[str, float]:
    """Time the first fit of a network; without one, `import jax, sklearn`."""
    return {"seconds": _import_seconds() if network is None else _fit_seconds(network)}


def _import_seconds() -> float:
    start = time.perf_counter()
    import jax  # noqa: F401  # the measured import
    import sklearn  # noqa: F401  # as above

    return time.perf_counter() - start


def _fit_seconds(network: str) -> float:
    import flax.linen  # noqa: F401  # imported here, so that the import is not part of the time of `fit`
    import optax  # noqa: F401  # as above

    from benchmarks import data
    from skdeep import DeepClassifier

    x, y = data.random_classes(ROWS, 784)
    model = DeepClassifier(network=network, input_shape=SHAPES[network], max_epochs=1, random_state=0)
    start = time.perf_counter()
    model.fit(x, y)
    return time.perf_counter() - start


def prepare(options: Options) -> Prepared:
    """Measure all networks in one process each; one run before, without measuring, caches the files."""
    run_child(CASE.name, {"network": "mlp"})
    return Prepared(lambda: {f"{network}_seconds": _seconds(network) for network in SHAPES})


def prepare_imports(options: Options) -> Prepared:
    """Measure `import jax, sklearn` in a fresh process."""
    return Prepared(lambda: {"import_seconds": _seconds(None)})


def _seconds(network: str | None) -> float:
    return float(run_child(CASE.name, {"network": network})["seconds"])


CASE = Case(
    name="network_first_call",
    summary="seconds of the first fit of each network in a fresh process, 128 rows of 784 values, one epoch",
    contenders=(
        Contender("skdeep", prepare, notes="compile included, imports not"),
        Contender("imports", prepare_imports, notes="import jax, sklearn"),
    ),
    headline="resnet_seconds",
    targets=tuple(
        Target(
            f"{network}: first fit, ratio to `import jax, sklearn`",
            ratio(("skdeep", f"{network}_seconds"), ("imports", "import_seconds")),
            3.0,
        )
        for network in SHAPES
    ),
)
