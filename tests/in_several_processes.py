"""One of several processes that train together, for `test_several_processes.py`.

Run as a program: `python in_several_processes.py NUMBER N PORT WHAT` prints one line of JSON.
"""

import json
import os
import signal
import sys
import warnings

import jax
import numpy as np
import pandas as pd

from skdeep import DeepClassifier, DeepRegressor, MLPClassifier, TabularClassifier

NUMBER, N, PORT, WHAT = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
BATCH = 24 // N * N
RNG = np.random.default_rng(0)
X = RNG.normal(size=(BATCH * 10, 5)).astype(np.float32)
Y = np.array(["no", "yes"])[(X[:, 0] + X[:, 1] > 0).astype(int)]
VALUES = X @ RNG.normal(size=5) + 3
WEIGHTS = RNG.uniform(0.5, 2, size=len(X))
TABLE = pd.DataFrame({"number": X[:, 0], "colour": RNG.choice(["red", "green", "blue"], len(X)), "other": X[:, 1]})
TABLE.loc[::7, "number"] = np.nan
TABLE.loc[::5, "colour"] = None
COMMON = {"max_epochs": 3, "tol": None, "batch_size": BATCH, "random_state": 0, "shuffle": False}
SAME_BATCHES = np.arange(len(X)).reshape(-1, BATCH // N, N).transpose(0, 2, 1).ravel()
"""The rows in the order in which one process has the batches of several, of which process i has every N-th row from the i-th on."""


def own(rows):
    return rows[NUMBER::N]


def in_order(rows):
    return rows.iloc[SAME_BATCHES] if isinstance(rows, pd.DataFrame) else rows[SAME_BATCHES]


class Blocks:
    """Rows that are read in blocks."""

    def __init__(self, rows):
        self.rows = rows

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, index):
        return self.rows[index]


class Stopping:
    """A callback that stops training, kills its process or interrupts it after two epochs, in process 1 only."""

    def __init__(self, how):
        self.how, self.n = how, 0

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context, **_):
        is_epoch = context.task_name == "epoch"
        self.n += is_epoch
        if NUMBER == 1 and is_epoch and self.n == 2:
            if self.how == "stops":
                return True
            os.kill(os.getpid(), signal.SIGKILL if self.how == "dies" else signal.SIGINT)
        return False


def difference(model, alone):
    leaves = zip(jax.tree.leaves(model.params_), jax.tree.leaves(alone.params_), strict=True)
    of_params = max(float(np.abs(a - b).max(initial=0)) for a, b in leaves)
    losses = model.history_["train_loss"], alone.history_["train_loss"]
    return max(of_params, float(np.abs(losses[0] - losses[1]).max()))


def compared(kind, x, y, weight=None, x_val=None, blocks=False, **params):
    """Return the difference to a fit of one process on the same batches."""
    rows = own(x) if not blocks else Blocks(own(x))
    held = {} if x_val is None else {"X_val": own(x_val[0]), "y_val": own(x_val[1])}
    held_alone = {} if x_val is None else {"X_val": x_val[0], "y_val": x_val[1]}
    weights = {} if weight is None else {"sample_weight": own(weight)}
    weights_alone = {} if weight is None else {"sample_weight": in_order(weight)}
    model = kind(**COMMON | params, device="all").fit(rows, own(y), **weights, **held)
    if NUMBER:
        return 0.0  # process 0 compares, and another test shows that all have the same model
    alone = kind(**COMMON | params, coalesce=False).fit(
        Blocks(in_order(x)) if blocks else in_order(x), in_order(y), **weights_alone, **held_alone
    )
    found = difference(model, alone)
    if x_val is not None:
        found = max(found, float(np.abs(model.history_["val_loss"] - alone.history_["val_loss"]).max()))
    return found


EQUAL = {
    "classifier": lambda: compared(DeepClassifier, X, Y),
    "weights": lambda: compared(DeepClassifier, X, Y, WEIGHTS),
    "class weights": lambda: compared(DeepClassifier, X, Y, class_weight="balanced"),
    "blocks": lambda: compared(DeepClassifier, X, Y, blocks=True),
    "table": lambda: compared(DeepClassifier, TABLE, Y),
    "validation rows": lambda: compared(DeepRegressor, X, VALUES, x_val=(X[:51], VALUES[:51]), early_stopping=True),
    "regressor": lambda: compared(DeepRegressor, X, VALUES),
}


def outcome(fit):
    """Return the number of epochs and the sum of the parameters of a fit, or its error."""
    try:
        model = fit()
    except Exception as err:
        return f"{type(err).__name__}: {err}"
    return [int(model.n_iter_), float(sum(np.abs(leaf).sum() for leaf in jax.tree.leaves(model.params_)))]


def fit(rows=X, y=Y, kind=DeepClassifier, callback=None, **params):
    model = kind(**COMMON | {"device": "all"} | params)
    model = model if callback is None else model.set_callbacks(callback)
    return model.fit(own(rows), own(y))


def interrupted():
    model = DeepClassifier(**COMMON | {"max_epochs": 6}, device="all").set_callbacks(Stopping("interrupts"))
    try:
        model.fit(own(X), own(Y))
    except KeyboardInterrupt:
        return ["KeyboardInterrupt", int(model.n_iter_)]


def with_nan():
    rows = X.copy()
    rows[1::N, 2] = np.nan
    return fit(rows)


def other_columns():
    return fit(X if NUMBER else X[:, :4])


OUTCOMES = {
    "shuffled": lambda: fit(shuffle=True),
    "seeds differ": lambda: fit(random_state=NUMBER),
    "held out": lambda: fit(early_stopping=True),
    "rows differ": lambda: fit(X[: BATCH * 5 + 7 * NUMBER], Y[: BATCH * 5 + 7 * NUMBER], max_epochs=2),
    "classes differ": lambda: DeepClassifier(**COMMON, device="all").fit(
        own(X), np.full(len(own(X)), f"class {NUMBER}")
    ),
    "one stops": lambda: fit(max_epochs=6, callback=Stopping("stops")),
    "one has a callback": lambda: fit(max_epochs=6, callback=Stopping("stops") if NUMBER else None),
    "NaN in one": with_nan,
    "other columns in one": other_columns,
    "perceptron": lambda: MLPClassifier(device="all").fit(own(X), own(Y)),
    "checkpoint": lambda: fit(checkpoint="/nowhere"),
    "batch size": lambda: fit(batch_size=BATCH + 1),
    "scoring": lambda: fit(early_stopping=True, scoring="accuracy"),
    "some devices": lambda: fit(device=2),
    "parameters differ": lambda: fit(learning_rate=0.01 * (NUMBER + 1), max_epochs=3 + NUMBER),
    "estimators differ": lambda: fit(kind=DeepRegressor, y=VALUES) if NUMBER else fit(),
    "columns differ": lambda: fit(TABLE.assign(more=1.0) if NUMBER else TABLE),
    "categories in one": lambda: fit(
        TABLE.assign(colour=np.arange(len(X)) % 4).astype({"colour": "category"} if NUMBER else {})
    ),
    "ensemble": lambda: fit(n_estimators=2),
    "tabular": lambda: TabularClassifier(device="all").fit(own(X), own(Y)),
    "lists": lambda: DeepClassifier(**COMMON, device="all").fit(own(X).tolist(), own(Y).tolist()),
    "after errors": lambda: fit(),
}


def main():
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    jax.distributed.initialize(
        f"127.0.0.1:{PORT}", N, NUMBER, heartbeat_timeout_seconds=10, shutdown_timeout_seconds=10
    )
    warnings.simplefilter("ignore", UserWarning)
    if WHAT == "dies":
        return {"dies": outcome(lambda: fit(max_epochs=200, callback=Stopping("dies")))}
    found = {name: case() for name, case in EQUAL.items()}
    if WHAT == "all":
        found |= {name: outcome(case) for name, case in OUTCOMES.items()} | {"one is interrupted": interrupted()}
        found["without seeds"] = [outcome(lambda: fit(random_state=None)) for _ in range(2)]
    return found


if __name__ == "__main__":
    print(json.dumps(main()), flush=True)
