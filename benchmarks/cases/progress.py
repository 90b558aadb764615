"""The price of showing progress: seconds of fits with `verbose` 0, 1 and 2, of epochs of about 100 ms."""

from __future__ import annotations

import contextlib
import os
import time
from functools import partial
from unittest import mock

from benchmarks import data, peers
from benchmarks.cases.fashion_dense import SETUP
from benchmarks.runner import Case, Contender, Options, Prepared, Target, ratio, timed

EPOCHS, ROWS = 30, 6000


def prepare(options: Options, *, verbose: int) -> Prepared:
    """Warm up by a fit of one epoch. The output goes to a terminal that shows nothing."""
    x, y = data.fashion_mnist(options.rows or ROWS)
    model = peers.skdeep_classifier(SETUP).set_params(random_state=0)
    model.fit(x, y)
    model.set_params(max_epochs=options.epochs or EPOCHS, verbose=verbose)

    def measure() -> dict[str, float]:
        terminal = mock.patch.dict(os.environ, {"FORCE_COLOR": "1", "TERM": "xterm-256color"})
        with terminal, open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
            before = time.process_time()
            seconds = timed(lambda: model.fit(x, y))
            return {"fit_seconds": seconds, "processor_seconds": time.process_time() - before}

    return Prepared(measure)


CASE = Case(
    name="progress",
    summary="30 epochs of 784-512-512-10 on 6,000 images of Fashion-MNIST with verbose 0, 1 and 2",
    contenders=tuple(Contender(f"verbose={verbose}", partial(prepare, verbose=verbose)) for verbose in (0, 1, 2)),
    headline="fit_seconds",
    targets=(
        Target("verbose=1, ratio to 0", ratio(("verbose=1", "fit_seconds"), ("verbose=0", "fit_seconds"))),
        Target("verbose=2, ratio to 0", ratio(("verbose=2", "fit_seconds"), ("verbose=0", "fit_seconds")), 1.02),
        Target(
            "the same in processor time",
            ratio(("verbose=2", "processor_seconds"), ("verbose=0", "processor_seconds")),
            1.02,
        ),
    ),
    repeats=15,
)
