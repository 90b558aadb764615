"""Histories of trainings as runs of MLflow."""

from __future__ import annotations

import time
from typing import Any

from skdeep.callbacks.run_logger import RunLogger

_LONGEST_PARAM = 500
_MOST_PARAMS = 100  # of one call


class MLflowLogger(RunLogger):
    """Logs each fit as a run of MLflow: the estimator's parameters, and the columns of `history_` as metrics.

    The step of a metric is its epoch. Each fit of a search has a run of its own, also if several run at the same time. If a run is active
    when the logger is made, as inside `with mlflow.start_run():`, the runs of all fits are nested in it. A run whose fit raises has
    the status "FAILED".

    Parameters
    ----------
    experiment : str, default="Default"
        The name of an experiment. If there is none, it is made together with the logger.
    tracking_uri : str or None, default=None
        The server, database or folder of the runs. None is that of `mlflow.get_tracking_uri()` when the logger is made.

    Raises
    ------
    ImportError
        If MLflow is not installed.
    TypeError
        If a parameter is invalid; in `fit`, if the estimator has no `history_`.
    ValueError
        In `fit`, if the estimator is an ensemble.

    Notes
    -----
    One object can be used for all clones in a search, in threads and in processes: it holds the open runs by fit, and a pickled
    copy holds none. A logger stops nothing and changes no number, and a `checkpoint` ignores it. A fit that continues from a checkpoint
    logs only the epochs that it trains. Each call of `partial_fit` is a fit of its own.

    Examples
    --------
    >>> from skdeep import DeepClassifier
    >>> def fit_and_log(X, y):
    ...     import mlflow
    ...     from skdeep.callbacks import MLflowLogger
    ...     with mlflow.start_run():
    ...         return DeepClassifier(random_state=0).set_callbacks(MLflowLogger()).fit(X, y)
    """

    def __init__(self, experiment: str = "Default", tracking_uri: str | None = None) -> None:
        super().__init__()
        if not isinstance(experiment, str) or not experiment:
            raise TypeError(f"The experiment of MLflowLogger must be a name. Got {experiment!r} instead.")
        if tracking_uri is not None and not isinstance(tracking_uri, str):
            raise TypeError(f"The tracking_uri of MLflowLogger must be a str or None. Got {tracking_uri!r} instead.")
        mlflow = _mlflow()
        parent = mlflow.active_run()
        self._experiment, self._uri = experiment, tracking_uri or mlflow.get_tracking_uri()
        self._parent = None if parent is None else parent.info.run_id
        # Before fits that run at the same time: MLflow's files may get two experiments of one name.
        self._experiment_id(mlflow.MlflowClient(self._uri))

    def _opened(self, estimator: Any, name: str) -> Any:
        mlflow = _mlflow()
        client = mlflow.MlflowClient(self._uri)
        tags = {} if self._parent is None else {"mlflow.parentRunId": self._parent}
        run = client.create_run(self._experiment_id(client), run_name=name, tags=tags).info.run_id
        found = estimator.get_params(deep=False).items()
        params = [mlflow.entities.Param(key, str(value)[:_LONGEST_PARAM]) for key, value in found]
        for first in range(0, len(params), _MOST_PARAMS):
            client.log_batch(run, params=params[first : first + _MOST_PARAMS])
        return client, run

    def _experiment_id(self, client: Any) -> Any:
        found = client.get_experiment_by_name(self._experiment)
        if found is not None:
            return found.experiment_id
        try:
            return client.create_experiment(self._experiment)
        except _mlflow().MlflowException:  # another fit may have made it meanwhile
            found = client.get_experiment_by_name(self._experiment)
            if found is None:
                raise
            return found.experiment_id

    def _log(self, run: Any, epoch: int, values: dict[str, float]) -> None:
        client, run_id = run
        metric, now = _mlflow().entities.Metric, int(time.time() * 1000)
        client.log_batch(run_id, metrics=[metric(name, value, now, epoch) for name, value in values.items()])

    def _close(self, run: Any, is_finished: bool) -> None:
        client, run_id = run
        client.set_terminated(run_id, "FINISHED" if is_finished else "FAILED")


def _mlflow() -> Any:
    try:
        import mlflow
        import mlflow.entities
    except ImportError as err:
        raise ImportError('MLflowLogger needs MLflow. Install it with `pip install "skdeep-flax[mlflow]"`.') from err
    return mlflow
