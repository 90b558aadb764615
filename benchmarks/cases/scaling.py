"""Seconds per epoch by number of rows: the seconds per row must not depend on the number of rows."""

from __future__ import annotations

from functools import partial
from statistics import median

from benchmarks import data
from benchmarks.compiling import compile_clock
from benchmarks.runner import Case, Contender, MissingError, Options, Prepared, Target, Values, timed

SIZES = (10_000, 30_000, 100_000, 300_000, 1_000_000)
COLUMNS, BATCH_SIZE = 50, 200
ROWS_A_MEASUREMENT, FEWEST_EPOCHS = 300_000, 3


def prepare(rows: int, options: Options) -> Prepared:
    """Warm up by a fit of one epoch, which compiles; then fit for enough epochs to time them."""
    if options.rows is not None and rows > options.rows:
        raise MissingError(f"This size is left out, since it exceeds --rows {options.rows}.")
    from skdeep import DeepClassifier

    x, y = data.random_classes(rows, COLUMNS)
    model = DeepClassifier(batch_size=BATCH_SIZE, max_epochs=1, tol=None, random_state=0)
    with compile_clock() as compiling:
        model.fit(x, y)
    model.set_params(max_epochs=options.epochs or max(FEWEST_EPOCHS, ROWS_A_MEASUREMENT // rows))

    def measure() -> dict[str, float]:
        fit_seconds = timed(lambda: model.fit(x, y))
        seconds = model.history_["seconds"]
        return {
            "epoch_seconds": seconds.mean(),
            "row_seconds": seconds.mean() / rows,
            "outside_epochs_seconds": fit_seconds - seconds.sum(),
        }

    return Prepared(measure, {"compile_seconds": sum(compiling)})


def largest_deviation(values: Values) -> float | None:
    """Return the largest relative deviation of the seconds per row from their median over the sizes."""
    seconds = [value for (_, metric), value in values.items() if metric == "row_seconds"]
    return max(abs(s / median(seconds) - 1) for s in seconds) if len(seconds) > 1 else None


CASE = Case(
    name="scaling",
    summary="seconds per epoch and row for 10,000 to 1,000,000 rows of 50 float32 values, batch 200",
    contenders=tuple(Contender(f"{rows}_rows", partial(prepare, rows), notes="DeepClassifier") for rows in SIZES),
    headline="row_seconds",
    targets=(Target("largest deviation of the seconds per row from their median", largest_deviation, 0.2),),
)
