"""The base class of the Deep estimators: components, the validation split, the first state, the fitted attributes."""

from __future__ import annotations

import dataclasses
from abc import abstractmethod
from typing import Any, ClassVar

import numpy as np

from skdeep.component import components_in
from skdeep.config import FitConfig, Model
from skdeep.contract import Loss
from skdeep.core import stopping
from skdeep.core.feeds import EpochOrder, order_of
from skdeep.core.job import Job
from skdeep.core.link import has_built_in_link
from skdeep.core.loss_parameters import network_of
from skdeep.core.members import OfMean, loss_of_member
from skdeep.core.objective import MeanLoss
from skdeep.core.random import key_of_seed
from skdeep.core.rows import (
    WeightedRows,
    bounded_weights,
    drop_zero_weights,
    unit_mean,
)
from skdeep.core.step import continued_state, new_state
from skdeep.core.stopping import Patience
from skdeep.estimators.base import TrainedEstimator, n_parameters
from skdeep.estimators.checkpointing import check_helps
from skdeep.estimators.class_weight import check_some_class_weight
from skdeep.estimators.continuing import (
    Form,
    check_continues,
    check_same_components,
    check_same_demands,
    check_same_target,
    same_form,
)
from skdeep.estimators.members import is_ensemble
from skdeep.estimators.memory import memory_of, recalled
from skdeep.estimators.outcome import check_outcome, raise_or_warn
from skdeep.estimators.parameters import CONSTRAINTS, check_parameters
from skdeep.estimators.prepare import Beginning, Draft, Earlier, Split
from skdeep.estimators.printing import EpochPrinter
from skdeep.estimators.resolve import Resolved, resolve_ready
from skdeep.estimators.scale_hints import training_hint
from skdeep.estimators.scoring import EstimatorScores, ScoredRows, check_metrics, has_scores
from skdeep.estimators.validation_split import distinct, held_out
from skdeep.history import History
from skdeep.losses import CrossEntropy, SquaredError, ZeroOne
from skdeep.records import Outcome, Task, TrainState

_ROWS_FOR_HINTS = 4096  # of rows that are read in blocks; of others, all are looked at


def trains_epoch_by_epoch(estimator: Any) -> bool:
    """Return True if `partial_fit` is available; raise AttributeError with `early_stopping` or for an ensemble."""
    if estimator.early_stopping:
        raise AttributeError(
            f"partial_fit of {type(estimator).__name__} is not available with early_stopping=True, because it trains for one "
            "epoch per call. Set early_stopping=False."
        )
    if is_ensemble(estimator):
        raise AttributeError(
            f"partial_fit of {type(estimator).__name__} trains one network, not an ensemble. Set n_estimators=1, bootstrap=False and cv=None."
        )
    return True


class DeepEstimator(TrainedEstimator):
    """Base of the Deep estimators."""

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = CONSTRAINTS
    n_iter_: int
    _form: Form | None = None

    # Methods in which the Deep estimators differ.

    @abstractmethod
    def _finished(self, rows: WeightedRows, encoding: Any, loss: Any) -> WeightedRows:
        """Return the rows with encoded targets; raise ValueError if a target is outside the domain of the loss."""

    def _with_scale(self, encoding: Any, train: WeightedRows, loss: Any) -> Any:
        """Return the encoding with the scale of y, learned from the training rows; unchanged where y has no scale."""
        return encoding

    def _weigher(self, train: WeightedRows, encoding: Any) -> Any:
        """Return a function that multiplies the weights of rows by class weights, learned from the training rows."""
        return lambda rows: rows

    @property
    def input_shape_(self) -> tuple[int, ...]:
        """Shape of one row as the network sees it; a dict of shapes if X is an `Inputs`."""
        shape: tuple[int, ...] = self._learned("input_shape_").row_shape
        return shape

    # Methods that `prepare` calls.

    def _check_parameters(self, is_partial: bool) -> None:
        check_metrics(type(self).__name__, self.metrics)
        check_parameters(type(self).__name__, self._parameter_constraints, self.get_params(deep=False))
        if not is_partial:
            check_helps(self)

    def _earlier(self, is_partial: bool) -> Earlier | None:
        if not hasattr(self, "params_") or not (is_partial or self.warm_start):
            return None
        params, model_state = self._edited_params()
        encoding, loss = self.__dict__.get("_encoding"), getattr(self, "loss_", None)
        return Earlier(is_partial and encoding is not None, params, model_state, encoding, loss, self._memory)

    def _edited_params(self) -> tuple[Any, Any]:
        """Return `params_` and `model_state_`, which the user may have edited; raise ValueError if shapes changed."""
        if self._form is None:  # a user assigned parameters to an estimator that was never fitted
            return self.params_, self.model_state_
        return same_form(type(self).__name__, self._form, self.params_, self.model_state_)

    def _check_goes_on(self, encoding: Any, resolved: Resolved, model: Model, earlier: Earlier | None) -> None:
        if earlier is None or earlier.encoding is None:
            return
        if earlier.is_partial:
            check_same_components(self, resolved)
            return
        check_same_target(earlier.encoding, encoding)
        if earlier.loss is not None:
            check_same_demands(earlier.loss, resolved.loss)

    def _drafted(self, draft: Draft) -> Draft:
        if draft.goes_on:
            return dataclasses.replace(draft, key=draft.earlier.memory.key)  # type: ignore[union-attr]  # set by each fit
        return dataclasses.replace(draft, key=key_of_seed(int(draft.rng.randint(2**31 - 1))))

    def _split(self, given: WeightedRows, data: Any, draft: Draft) -> tuple[Draft, Split]:
        """Return the split, with encoded targets and weights of mean 1, and the draft with the scale of y.

        Validation rows are those that the user gave, or held-out training rows, or None.
        """
        split = self._parted(given, data, draft)
        loss, encoding = draft.resolved.loss, draft.encoding
        if not draft.goes_on:
            encoding = self._with_scale(encoding, split.train, loss)
        train = self._finished(split.train, encoding, loss)
        train = train._replace(weight=bounded_weights(train.weight))
        weigh = self._weigher(train, encoding)
        split = split._replace(train=self._weighed(weigh(train), "trains on"))
        if split.validation is not None:
            validation = self._finished(split.validation, encoding, loss)
            validation = weigh(validation._replace(weight=bounded_weights(validation.weight)))
            split = split._replace(validation=self._weighed(validation, "validates on"))
        return dataclasses.replace(draft, encoding=encoding), split

    def _weighed(self, rows: WeightedRows, use: str) -> WeightedRows:
        check_some_class_weight(type(self).__name__, rows.weight, use)
        return rows._replace(weight=unit_mean(rows.weight))

    def _parted(self, given: WeightedRows, data: Any, draft: Draft) -> Split:
        """Return the split of the rows of positive weight, with targets in the units of y.

        Equal rows are merged before the split, so that no row is on both sides. A scorer gets the held-out rows as they
        were before merging, and gets weights only if the user gave weights.
        """
        if draft.is_partial:
            return Split(distinct(given, merges=False, keep_order=True).rows)
        found = distinct(given, self._merges_rows, keep_order=not self.shuffle)
        if data.X_val is not None:
            validation, position = self._given_validation(data, draft)
            scored = self._scored(validation, data.X_val, position, data.sample_weight_val is not None)
            return Split(found.rows, validation, scored)
        if data.y_val is not None or data.sample_weight_val is not None:
            raise ValueError("y_val or sample_weight_val was given without X_val. Give X_val too.")
        if not self.early_stopping:
            return Split(found.rows)
        train, validation, position = held_out(self, given, found, data, draft)
        return Split(
            train, validation, self._scored(given.take(position), data.X, position, data.sample_weight is not None)
        )

    def _scored(self, rows: WeightedRows, X: Any, position: np.ndarray, is_weighted: bool) -> ScoredRows | None:
        """Return the rows for scorers, which are at these positions of the user's X; None if there is no scorer."""
        return ScoredRows(self._as_given(rows, X, position), is_weighted) if has_scores(self) else None

    def _as_given(self, rows: WeightedRows, X: Any, position: np.ndarray) -> WeightedRows:
        """Return rows with x in the form that `predict` takes."""
        return rows

    @property
    def _merges_rows(self) -> bool:
        if self.coalesce == "auto":
            return bool(self.shuffle)
        return bool(self.coalesce)

    def _given_validation(self, data: Any, draft: Draft) -> tuple[WeightedRows, np.ndarray]:
        """Return the rows of positive weight in `X_val` and `y_val`, and their positions."""
        known = Earlier(True, None, None, draft.encoding, None, None)
        validation = dataclasses.replace(
            data, X=data.X_val, y=data.y_val, sample_weight=data.sample_weight_val, classes=None
        )
        _, rows = self._encoded_for(draft.resolved.network, *self._read(validation, known))
        return drop_zero_weights(rows).rows, np.flatnonzero(rows.weight > 0)

    def _l2_for(self, draft: Draft, split: Split) -> float | None:
        """Return the penalty; "auto" is the network's.

        It is none with losses for which it was not measured (it would shrink quantiles and deviations), if the optimizer decays
        weights itself, and in `partial_fit`, which does not know how many rows there will be.
        """
        if self.l2 != "auto":
            return _float(self.l2)
        is_measured = isinstance(draft.resolved.loss, CrossEntropy | SquaredError)
        decays = any(hasattr(part, "weight_decay") for part in components_in(draft.resolved.optimizer))
        if not is_measured or decays or draft.is_partial:
            return None
        task = draft.encoding.task
        n_values = split.train.n * (task.n_targets if task.kind in ("multilabel", "regression") else 1)
        return draft.resolved.network.auto_l2(n_values)

    def _config(self, draft: Draft, split: Split, monitor: Any) -> FitConfig:
        resolved = draft.resolved
        return FitConfig(
            model=draft.model,
            loss=resolved.loss,
            optimizer=resolved.optimizer,
            schedule=resolved.schedule,
            augmentation=resolved.augmentation,
            objective=MeanLoss(_float(self.l1), self._l2_for(draft, split)),
            stopping=Patience(_float(self.tol), float(self.n_iter_no_change)),
            learning_rate=float(self.learning_rate),
            max_epochs=float(self.max_epochs),
            clip_norm=_float(self.clip_norm),
            monitor=monitor,
            keep_best=bool(self.early_stopping),
            keeps_latest=isinstance(self.scoring, Loss),
            validation_loss=self._validation_loss(resolved, draft.encoding.task),
        )

    def _validation_loss(self, resolved: Resolved, task: Task) -> Loss | None:
        """Return the loss of validation rows, None for that of the training; raise ValueError if it needs other raw outputs."""
        if not isinstance(self.scoring, Loss):
            return None
        chosen, trained = resolve_ready("loss", self.scoring)[1], loss_of_member(resolved.loss)
        takes_raw = isinstance(chosen, ZeroOne) or chosen.n_raw(task) == trained.n_raw(task)
        if task.kind not in chosen.tasks or not (
            takes_raw and has_built_in_link(chosen) and has_built_in_link(trained)
        ):
            raise ValueError(
                f"The 'scoring' parameter of {type(self).__name__} must be a loss of {task.kind} targets that takes the raw outputs of "
                f"{trained}, and both must have the built-in link. Got {chosen}."
            )
        return chosen if resolved.network.n_members is None else OfMean(chosen)

    def _start_state(self, config: FitConfig, beginning: Beginning, draft: Draft) -> TrainState:
        earlier, counts = draft.earlier, beginning[:2]
        if earlier is None:
            return self._first_state(config, beginning, draft.key)
        epoch = np.int32(self.n_iter_ if draft.goes_on else 0)
        state: TrainState = continued_state(config, earlier.params, earlier.model_state, draft.key, *counts, epoch)
        if draft.goes_on:
            memory = earlier.memory
            return recalled(state, memory and memory.optimizer, config.optimizer)[0]
        fresh = self._first_state(config, beginning, draft.key)
        check_continues(type(self).__name__, (earlier.params, earlier.model_state), fresh)
        return state

    def _first_state(self, config: FitConfig, beginning: Beginning, key: Any) -> TrainState:
        """Return the state before the first step, with newly initialised parameters."""
        state: TrainState = new_state(config, key, *beginning)
        return state

    def _order(self, train: Any, draft: Draft) -> EpochOrder:
        return order_of(train, draft.key, bool(self.shuffle))

    @property
    def _max_epochs(self) -> int:
        return int(self.max_epochs)

    def _scores(self, scored: ScoredRows, must_be_number: bool) -> EstimatorScores:
        return EstimatorScores(self, scored, self._restore_target(scored.rows), must_be_number)

    def _restore_target(self, rows: WeightedRows) -> np.ndarray:
        """Return y in the user's form, for rows that `_read` returned."""
        raise NotImplementedError

    def _history_to_extend(self, draft: Draft) -> History | None:
        return self._history if draft.goes_on else None

    def _component_value(self, name: str) -> Any:
        value = getattr(self, name)
        return self._default_loss if name == "loss" and isinstance(value, str) and value == "auto" else value

    # Methods that store and report the outcome.

    def _adopt(self, job: Job) -> None:
        super()._adopt(job)
        config = job.config
        self.network_, self.loss_ = network_of(config.model), config.loss
        self.optimizer_, self.schedule_, self.augmentation_ = config.optimizer, config.schedule, config.augmentation
        self.resolved_components_ = dict(job.ids)
        self.n_parameters_ = n_parameters(job.start.params)

    def _printer(self, job: Job) -> EpochPrinter:
        keeps_latest = bool(job.config.keeps_latest)
        if self.verbose < 2:
            return EpochPrinter(job.last_epoch, keeps_latest=keeps_latest)
        from skdeep.estimators.live import LivePrinter

        return LivePrinter(
            int(job.start.epoch),
            job.last_epoch,
            keeps_latest=keeps_latest,
            steps_per_epoch=int(job.start.steps_per_epoch),
            rows_per_epoch=job.rows.n,
        )

    def _absorb(self, job: Job, outcome: Outcome) -> None:
        check_outcome(self, outcome)
        super()._absorb(job, outcome)
        self.params_, self.model_state_ = outcome.params, outcome.model_state
        self.best_epoch_ = outcome.best_epoch
        if job.origin.history is None:
            self._form = Form(outcome.params, outcome.model_state)
        self._memory = memory_of(job, outcome, keeps_optimizer=job.origin.is_partial, keeps_stopping=False)

    def _fitted_attributes(self) -> dict[str, Any]:
        return {"params_": self.params_, "model_state_": self.model_state_}

    def _report(self, job: Job, outcome: Outcome) -> None:
        hint = (
            None
            if outcome.status == stopping.INTERRUPTED
            else training_hint(self, job.rows.sample(_ROWS_FOR_HINTS).x, outcome)
        )
        raise_or_warn(self, outcome, hint)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = bool(self._accepts_sparse)
        return tags


def _float(number: Any) -> float | None:
    return None if number is None else float(number)
