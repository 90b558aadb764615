"""Pruning of Optuna's trials by validation losses or scores."""

from __future__ import annotations

import math
import threading
from typing import Any

from skdeep.callbacks.metrics import check_column, values_of
from skdeep.history import is_score


class OptunaPruning:
    """Reports validation losses or scores to a trial of Optuna, and raises `optuna.TrialPruned` out of `fit` if it is to be pruned.

    The first fit of the trial reports after each epoch: the step is the epoch, counted from 0, and the fit ends as soon as the trial
    is to be pruned. Each later fit, such as those of the other folds of a `cross_validate`, reports once, when it ends: the mean over all
    fits so far, at step `(k + 1) * max_epochs - 1` for fit k, counted from 0. If the trial is to be pruned then, the next fit raises
    before it trains. So no step is reported twice, each value is an estimate of the same mean, and no later fit is judged by its first
    epochs. An estimator whose fit is pruned is unchanged.

    Parameters
    ----------
    trial : optuna.trial.Trial
        Of a study with one objective. Each trial needs a callback of its own.
    monitor : str, default="auto"
        The column of `history_` that is reported: "val_loss", "val_score", or a score of the estimator's `metrics`, such as
        "val_accuracy". "auto" is "val_score" if the training has one, that is if `scoring` is a scorer, else
        "val_loss". The direction of the study decides the sign: if it is "maximize", the negative loss is reported; if it is "minimize",
        the loss, or the negative score. Values of pruners, such as the bounds of `optuna.pruners.ThresholdPruner`, refer to what is
        reported.

    Raises
    ------
    ImportError
        If Optuna is not installed.
    TypeError
        If `trial` is not a trial; in `fit`, if the estimator has no `history_`; and if the callback is pickled.
    ValueError
        If a parameter is invalid, or the study has several objectives; in `fit`, if there is no validation loss or score to report.
    RuntimeError
        In `fit`, if another fit with this callback has not ended.

    Notes
    -----
    Give `error_score="raise"` to `cross_validate`: with its default, it takes a pruned trial for a failed fit.

    A value of an earlier fit is that of the epoch whose parameters were kept. All fits of a trial run one after the other, in one process:
    run trials at the same time, with `study.optimize(n_jobs=...)`, instead of folds. They then share compiled programs. The callback
    does not change a training, only end it, so a `checkpoint` of the estimator continues trainings of killed studies.

    Examples
    --------
    >>> import optuna
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.model_selection import cross_validate
    >>> from skdeep import DeepClassifier
    >>> from skdeep.callbacks import OptunaPruning
    >>> X, y = load_iris(return_X_y=True)
    >>> def objective(trial):
    ...     rate = trial.suggest_float("learning_rate", 1e-4, 1e-1, log=True)
    ...     model = DeepClassifier(learning_rate=rate, max_epochs=5, tol=None, early_stopping=True, scoring="accuracy", random_state=0)
    ...     if hasattr(model, "set_callbacks"):  # scikit-learn 1.9 and newer
    ...         model.set_callbacks(OptunaPruning(trial))
    ...     return cross_validate(model, X, y, cv=2, error_score="raise")["test_score"].mean()
    >>> optuna.logging.set_verbosity(optuna.logging.WARNING)
    >>> study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0))
    >>> study.optimize(objective, n_trials=2)
    >>> len(study.trials)
    2
    """

    ends_training_by_raising = True
    """No training that ends well depends on this callback, so checkpoints of trainings do not either."""

    def __init__(self, trial: Any, monitor: str = "auto") -> None:
        _check_optuna()
        if not (hasattr(trial, "report") and hasattr(trial, "should_prune")):
            raise TypeError(f"The trial of OptunaPruning must be a trial of Optuna. Got {trial!r} instead.")
        check_column("OptunaPruning", "monitor", monitor, ("auto", "val_loss"))
        directions = [direction.name for direction in getattr(getattr(trial, "study", None), "directions", [])]
        if len(directions) > 1:
            raise ValueError(
                f"OptunaPruning needs a study with one objective, because Optuna prunes no others. Got {len(directions)} directions."
            )
        self._trial, self._monitor, self._maximizes = trial, monitor, directions == ["MAXIMIZE"]
        self._lock = threading.Lock()
        self._current: Any = None  # the context of the fit that runs
        self._ended: list[float] = []
        self._n_reported = 0
        self._pruned: str | None = None

    def __reduce__(self) -> Any:
        """Raise TypeError: a copy in another process would report to a copy of the trial."""
        raise TypeError(
            "OptunaPruning belongs to a trial of this process and cannot be pickled. In an objective, fit in this process (n_jobs=None) "
            "and run trials at the same time, with study.optimize(n_jobs=...). To save an estimator, remove it: estimator.set_callbacks()."
        )

    def setup(self, estimator: Any, context: Any) -> None:
        """Begin a fit; raise `optuna.TrialPruned` if the trial was pruned already."""
        name = type(estimator).__name__
        if not hasattr(type(estimator), "history_"):
            raise TypeError(
                f"OptunaPruning reads history_, which {name} does not have. Set it on an estimator of skdeep."
            )
        if context.max_subtasks == 0:
            raise ValueError(
                f"OptunaPruning reports epochs, but the members of an ensemble have no callbacks. Set n_estimators=1 and cv=None in {name}."
            )
        self._raise_if_pruned()
        with self._lock:
            if self._current is not None:
                raise RuntimeError(
                    "OptunaPruning takes one fit after the other, but two run at the same time. Fit the folds of a trial with n_jobs=1, "
                    "and run trials at the same time, with study.optimize(n_jobs=...)."
                )
            self._current = context

    def teardown(self, estimator: Any, context: Any) -> None:
        """End the fit."""
        if self._current is context:
            self._current = None

    def on_fit_task_begin(self, estimator: Any, context: Any) -> None:
        """Do nothing: values are known at the end of an epoch."""

    def on_fit_task_end(self, estimator: Any, context: Any, *, fitted_estimator: Any) -> None:
        """Report what the epoch or the fit that ends here adds, and raise `optuna.TrialPruned` if the trial is to be pruned."""
        values = self._values(fitted_estimator)
        if not self._ended:
            self._report_epochs(values)
        if context.task_name == "epoch":
            self._raise_if_pruned()
        else:
            best_epoch = getattr(fitted_estimator, "best_epoch_", 0)
            self._end_fit(values[best_epoch - 1 if best_epoch > 0 else -1], context.max_subtasks)

    def _values(self, estimator: Any) -> list[float]:
        """Return what is reported of each epoch of an estimator's history."""
        history = estimator.history_
        column = self._monitor
        if column == "auto":
            column = "val_loss" if math.isnan(history["val_score"].iloc[-1]) else "val_score"
        sign = 1.0 if is_score(column) == self._maximizes else -1.0
        return [sign * value for value in values_of("OptunaPruning reports", column, estimator, history)]

    def _report_epochs(self, values: list[float]) -> None:
        """Report the epochs that are new, of the first fit; a fit that continues from a checkpoint has several at once."""
        for step in range(self._n_reported, len(values)):
            self._trial.report(values[step], step)
        self._n_reported = len(values)
        self._judge(f"after {self._n_reported} epochs")

    def _end_fit(self, value: float, max_epochs: int) -> None:
        """Note the value of a fit that ended; from the second one on, report the mean over all."""
        self._ended.append(value)
        n = len(self._ended)
        if n > 1:
            self._trial.report(sum(self._ended) / n, n * max_epochs - 1)
            self._judge(f"after {n} fits")

    def _judge(self, when: str) -> None:
        if self._trial.should_prune():
            self._pruned = f"The trial was pruned {when}."

    def _raise_if_pruned(self) -> None:
        if self._pruned is not None:
            import optuna

            raise optuna.TrialPruned(self._pruned)


def _check_optuna() -> None:
    """Raise ImportError if Optuna is not installed."""
    try:
        import optuna  # noqa: F401  # found or not
    except ImportError as err:
        raise ImportError('OptunaPruning needs Optuna. Install it with `pip install "skdeep-flax[optuna]"`.') from err
