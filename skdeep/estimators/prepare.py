"""Make a job from an estimator and its data: check, encode, split, configure, and make the first state."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal, NamedTuple

import numpy as np
from sklearn.utils import check_random_state

from skdeep.component import components_in
from skdeep.config import Model
from skdeep.contract import Loss
from skdeep.core import as_traced
from skdeep.core.feeds.validation import validates_in_program
from skdeep.core.initial_rows import initial_rows
from skdeep.core.job import Job, Origin
from skdeep.core.link import n_predicted
from skdeep.core.loss_parameters import has_parameters, model_for
from skdeep.core.processes import of_first
from skdeep.core.rows import WeightedRows, padded_size
from skdeep.estimators.devices import placement_named
from skdeep.estimators.memory import Memory
from skdeep.estimators.missing import check_not_missing
from skdeep.estimators.resolve import Resolved
from skdeep.estimators.scoring import ScoredRows, check_has_validation_rows, has_scorer
from skdeep.estimators.several_processes import batch_size_of_processes, spans_processes

AUTO_BATCH_SIZE = 200


class Earlier(NamedTuple):
    """The earlier fit that a training continues: by `partial_fit` if `is_partial`, else by a warm start.

    `encoding` and `loss` are None if a user assigned parameters to an estimator that was never fitted. The perceptrons
    leave `loss` at None always.
    """

    is_partial: bool
    params: Any
    model_state: Any
    encoding: Any
    loss: Loss | None
    memory: Memory | None


@dataclasses.dataclass(frozen=True)
class Draft:
    """The parts of a job that are known before the rows are split."""

    encoding: Any
    resolved: Resolved
    model: Model
    rng: np.random.RandomState
    key: np.ndarray
    earlier: Earlier | None
    is_partial: bool
    first_params: Any = None

    @property
    def goes_on(self) -> bool:
        """True in a `partial_fit` after the first call."""
        return self.earlier is not None and self.earlier.is_partial


class Split(NamedTuple):
    """Training rows, validation rows for the loss, and the validation rows as the user gave them for scorers.

    The training weights were multiplied by `2**weight_exponent`. Only the perceptrons set it: their `alpha` is relative
    to the scale of the weights.
    """

    train: WeightedRows
    validation: WeightedRows | None = None
    scored: ScoredRows | None = None
    weight_exponent: int = 0


class Beginning(NamedTuple):
    """The arguments of `new_state`: number of rows, steps per epoch, and rows for initialisation or None."""

    n_rows: np.int32
    steps_per_epoch: np.int32
    x: Any = None


def prepare(estimator: Any, data: Any, *, is_partial: bool = False) -> Job:
    """Return the job that trains an estimator with its parameters on this data.

    Parameters
    ----------
    estimator : TrainedEstimator
        A copy of the user's estimator: `prepare` sets the attributes that callbacks and scorers need during training.
    data : FitData
    is_partial : bool, default=False
        Train one epoch, continuing from the last call.

    Returns
    -------
    Job

    Raises
    ------
    MissingComponentError
        If a parameter from a model file needs a component that is not available.
    ValueError, TypeError
        If a parameter or the data is invalid, or training cannot continue from the earlier fit.
    """
    draft, given = begin(estimator, data, is_partial=is_partial)
    return job_of(estimator, estimator._drafted(draft), given, data)


def begin(estimator: Any, data: Any, *, is_partial: bool = False) -> tuple[Draft, WeightedRows]:
    """Return the parts of a job that do not depend on a split or a seed, and the rows; raise as `prepare` does."""
    check_not_missing(estimator)
    estimator._check_parameters(is_partial)
    earlier = estimator._earlier(is_partial)
    encoding, given = estimator._read(data, earlier)
    estimator._choose_parameters(encoding, given)
    resolved = estimator._resolve(encoding)
    estimator._check_serves(resolved, encoding.task)
    encoding, given = estimator._encoded_for(resolved.network, encoding, given)
    model = model_for(resolved.network, encoding.in_shape, resolved.loss, encoding.task)
    estimator._check_goes_on(encoding, resolved, model, earlier)
    rng = check_random_state(estimator.random_state)
    rng = of_first(rng) if spans_processes(estimator) else rng
    return Draft(encoding, resolved, model, rng, np.zeros(2, np.uint32), earlier, is_partial), given


def job_of(estimator: Any, draft: Draft, given: WeightedRows, data: Any) -> Job:
    """Return the job that trains on these rows, split into training and validation rows."""
    draft, split = estimator._split(given, data, draft)
    check_has_validation_rows(estimator, split.scored, draft.is_partial)
    job = _job(estimator, draft, split)
    estimator._adopt(job)
    if split.scored is None:
        return job
    return job.replace(scores=estimator._scores(split.scored, must_be_number=job.config.monitor == "host"))


def check_serves(estimator: Any, resolved: Resolved, task: Any) -> None:
    """Raise ValueError if the loss does not serve the task, or a full-batch optimizer gets a batch size."""
    owner = type(estimator).__name__
    if task.kind not in resolved.loss.tasks:
        raise ValueError(
            f"The loss {type(resolved.loss).__name__} does not serve {task.kind} targets, only {', '.join(resolved.loss.tasks)}. "
            f"Choose another loss for {owner}, such as {estimator._default_loss!r}."
        )
    if not resolved.loss.differentiable:
        raise ValueError(
            f"The loss {type(resolved.loss).__name__} has no gradient, so {owner} cannot train with it. Give it as 'scoring', and another "
            f"loss, such as {estimator._default_loss!r}."
        )
    if not estimator._trains_losses:
        _refuse_open_losses(owner, resolved.loss, task)
    if resolved.optimizer.full_batch and estimator.batch_size != "auto":
        raise ValueError(
            f"The optimizer {type(resolved.optimizer).__name__} needs all rows at every step. Got batch_size={estimator.batch_size}. "
            "Leave batch_size at 'auto' (its learning_rate has no effect: a line search finds each step)."
        )


def _refuse_open_losses(owner: str, loss: Loss, task: Any) -> None:
    if n_predicted(loss, task) != task.n_targets:
        raise ValueError(
            f"The loss {type(loss).__name__} predicts {n_predicted(loss, task)} outputs of a y of {task.n_targets} columns, which "
            f"{owner} cannot use. Choose another loss, or use DeepRegressor."
        )
    for part in components_in(loss):
        if isinstance(part, Loss) and has_parameters(part):
            raise ValueError(
                f"The loss {type(part).__name__} has parameters of its own, which {owner} cannot train. Choose another loss, "
                "or use DeepClassifier or DeepRegressor."
            )


def _job(estimator: Any, draft: Draft, split: Split) -> Job:
    """Return the job: batch size, configuration, placement, and the state before the first step."""
    n, encoding = split.train.n, draft.encoding
    is_full = draft.resolved.optimizer.full_batch
    batch_size = padded_size(n) if is_full else min(_wanted_batch_size(estimator, n), padded_size(n))
    config = estimator._config(draft, split, _monitored(estimator, split))
    placement = placement_named(type(estimator).__name__, estimator.device, encoding.dtype)
    if placement.spans_processes:
        batch_size = batch_size_of_processes(estimator, split.train, batch_size)
    x = initial_rows(draft.model.network, split.train, encoding.in_shape, draft.key)
    beginning = Beginning(np.int32(n), np.int32(split.train.steps_per_epoch(batch_size)), x)
    with placement.active():
        start = estimator._start_state(as_traced(config, encoding.dtype), beginning, draft)
    if placement.spans_processes:
        start = of_first(start)  # the first parameters may depend on the rows of a process
    before = draft.earlier.memory.largest_batch if draft.goes_on and draft.earlier.memory else 0  # type: ignore[union-attr]
    n_epochs = 1 if draft.is_partial else estimator._max_epochs
    return Job(
        config=config,
        rows=split.train,
        order=estimator._order(split.train, draft),
        batch_size=batch_size,
        start=start._replace(largest_batch=np.asarray(before, np.int32)),
        placement=placement,
        last_epoch=int(start.epoch) + n_epochs,
        driver=estimator._driver,
        validation=split.validation,
        encoding=encoding,
        ids=draft.resolved.ids,
        origin=Origin(draft.is_partial, draft.earlier is not None, estimator._history_to_extend(draft)),
    )


def _wanted_batch_size(estimator: Any, n: int) -> int:
    if isinstance(estimator.batch_size, str):
        return AUTO_BATCH_SIZE
    estimator._check_batch_size(n)
    return int(estimator.batch_size)


def _monitored(estimator: Any, split: Split) -> Literal["train", "validation", "host"]:
    """Return which loss or score the stopping rule watches.

    - "train": the training loss, without `early_stopping`;
    - "validation": the validation loss, computed inside the program;
    - "host": the score or the validation loss, computed on the host after each epoch.
    """
    if split.validation is None or not estimator.early_stopping:
        return "train"
    return "validation" if not has_scorer(estimator) and validates_in_program(split.validation) else "host"
