"""What all estimators share: the constructor, and the path of `fit` from X and y to parameters."""

from __future__ import annotations

import math
from abc import abstractmethod
from functools import partial
from numbers import Integral
from typing import Any, ClassVar, Literal, Self

import jax
import numpy as np
from sklearn.utils import check_random_state

from skdeep.contract import FitConfig, FitResult, Model, Rows, TrainState
from skdeep.core import as_traced, stopping
from skdeep.core.batch import Feed, epoch_order, pad_rows
from skdeep.core.encode import is_sparse
from skdeep.core.objective import MeanLoss
from skdeep.core.random import host_generator, key_of_seed
from skdeep.core.rows import WeightedRows, bounded_weights, choose_held_out, drop_zero_weights, padded_size, unit_mean
from skdeep.core.step import continued_state, new_state
from skdeep.core.stopping import Patience
from skdeep.estimators.callbacks import CallbackSupportMixin, EpochReporter
from skdeep.estimators.class_weight import check_some_class_weight
from skdeep.estimators.continuing import (
    Form,
    check_continues,
    check_same_components,
    check_same_demands,
    check_same_target,
    same_form,
    with_largest_batch,
)
from skdeep.estimators.diagnose import traced_fields_named
from skdeep.estimators.fitted import FittedNetwork
from skdeep.estimators.memory import OptimizerMemory, recalled, remembered
from skdeep.estimators.nested import NestedParameters
from skdeep.estimators.outcome import check_outcome, raise_or_warn
from skdeep.estimators.parameter_types import (
    BatchSize,
    Coalesce,
    Device,
    LossLike,
    OptimizerLike,
    RandomState,
    ScheduleLike,
)
from skdeep.estimators.parameters import CONSTRAINTS, check_parameters
from skdeep.estimators.resolve import Resolved
from skdeep.estimators.scale_hints import training_hint
from skdeep.estimators.scoring import ScoredRows, host_loss, host_scorer
from skdeep.estimators.splitting import Split, distinct
from skdeep.estimators.training import Plan, joined_history, run_training

DEFAULT_BATCH_SIZE = 200
_SPLIT_STREAM = 2**32 - 1


def trains_epoch_by_epoch(estimator: Any) -> bool:
    """Return True if `partial_fit` exists, else raise AttributeError: early stopping needs rows held out for good."""
    if estimator.early_stopping:
        raise AttributeError(
            f"partial_fit is not available with early_stopping=True: it trains {type(estimator).__name__} for one epoch on the "
            "rows it is given. Set early_stopping=False."
        )
    return True


def check_some_weight(weight: np.ndarray) -> None:
    """Raise ValueError if no sample has a positive weight."""
    if not (weight > 0).any():
        raise ValueError("Sample weights must contain at least one positive weight. Got all zero.")


class DeepEstimator(CallbackSupportMixin, NestedParameters, FittedNetwork):
    """Base of the estimators: the parameters that all share, and the path from X and y to parameters."""

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = CONSTRAINTS
    _default_loss: ClassVar[str]
    n_iter_: int
    _memory: OptimizerMemory | None = None
    _form: Form | None = None
    scoring: Any = "loss"  # a parameter where rows and targets are arrays that a scorer knows

    def __init__(
        self,
        *,
        loss: LossLike,
        optimizer: OptimizerLike,
        learning_rate: float,
        schedule: ScheduleLike,
        l1: float | None,
        l2: float | None,
        clip_norm: float | None,
        batch_size: BatchSize,
        max_epochs: int,
        early_stopping: bool,
        validation_fraction: float,
        n_iter_no_change: int,
        tol: float | None,
        coalesce: Coalesce,
        shuffle: bool,
        warm_start: bool,
        random_state: RandomState,
        verbose: int,
        device: Device,
    ) -> None:
        self.loss = loss
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.l1 = l1
        self.l2 = l2
        self.clip_norm = clip_norm
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.coalesce = coalesce
        self.shuffle = shuffle
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose
        self.device = device

    # What the kinds of estimator do differently.

    @abstractmethod
    def _encode(self, X: Any, y: Any, sample_weight: Any, *, reset: bool) -> WeightedRows:
        """Validate X, y and weights, and return them as rows in the network's types.

        With `reset`, learn what there is to learn from them: `_task`, `_columns`, `input_shape_` at least.
        """

    @abstractmethod
    def _resolve(self) -> Resolved:
        """Return the components that the parameters stand for, the network being all that is trained."""

    @abstractmethod
    def _finish_target(self, rows: WeightedRows, *, reset: bool) -> WeightedRows:
        """Return rows with the target that training uses; with `reset`, learn the scale of y."""

    def _weigh(self, rows: WeightedRows, *, trains: bool) -> WeightedRows:
        """Return rows with weights of classes in their weights; those are learned from rows that train."""
        return rows

    # The path of fit.

    def _fit(self, X: Any, y: Any, sample_weight: Any, validation: tuple[Any, Any, Any]) -> Self:
        with self._replaced_when_fitted() as new, traced_fields_named():
            new._check_parameters()
            previous = new._previous_fit() if self.warm_start else None
            given = new._encode(X, y, sample_weight, reset=True)
            if previous is not None:
                check_same_target(self, new)
            new._bind_components()
            if previous is not None and hasattr(self, "loss_"):
                check_same_demands(self.loss_, new.loss_)
            new._check_rows(given.x)
            new._key = key_of_seed(int(check_random_state(self.random_state).randint(2**31 - 1)))
            split = new._finished(new._split(given, sample_weight is not None, validation))
            data = {"X": X, "y": y, "metadata": {"sample_weight": sample_weight}}
            reporter = EpochReporter(new, data, self.max_epochs)
            with self._on_device():
                plan = new._plan(split, reporter, previous, self.max_epochs)
                if previous is not None:
                    fresh = new._first_state(plan.config, (plan.state.n_rows, plan.state.steps_per_epoch))
                    check_continues(type(self).__name__, previous, fresh)
                result, _ = run_training(plan)
            new._store(result)
            new._memory = None
        reporter.end_fit(self._fitted_attributes)
        raise_or_warn(self, result, training_hint(self, given.x, result))
        return self

    def _partial_fit(self, X: Any, y: Any, sample_weight: Any) -> Self:
        is_first = not hasattr(self, "params_")
        with self._replaced_when_fitted() as new, traced_fields_named():
            new._check_parameters()
            previous = None if is_first else new._previous_fit()
            rows = new._encode(X, y, sample_weight, reset=is_first)
            if is_first:
                new._bind_components()
                new._key = key_of_seed(int(check_random_state(self.random_state).randint(2**31 - 1)))
            else:
                new._bind_changed_components()
            new._check_rows(rows.x)
            rows = new._finish_target(distinct(rows, merges=False, keep_order=True).rows, reset=is_first)
            split = Split(new._weighed(rows, trains=True))
            reporter = EpochReporter(new, {"X": X, "y": y, "metadata": {"sample_weight": sample_weight}}, 1)
            with self._on_device():
                plan = new._plan(split, reporter, previous, 1, first_epoch=0 if is_first else self.n_iter_)
                plan.state, _ = recalled(plan.state, self._memory, new.optimizer_)
                plan.earlier = None if is_first else self._history
                result, state = run_training(plan)
            new._store(result, extends=not is_first)
            new._memory = remembered(new.optimizer_, state, result.params)
        reporter.end_fit(self._fitted_attributes)
        if result.status == stopping.INTERRUPTED:
            raise KeyboardInterrupt
        return self

    def _finished(self, split: Split) -> Split:
        """Return the split with targets in units of training, and weights of mean 1."""
        train = self._weighed(self._finish_target(split.train, reset=True), trains=True)
        if split.held_out is None:
            return split._replace(train=train)
        held_out = self._weighed(self._finish_target(split.held_out, reset=False), trains=False)
        return split._replace(train=train, held_out=held_out)

    def _weighed(self, rows: WeightedRows, *, trains: bool) -> WeightedRows:
        rows = self._weigh(rows._replace(weight=bounded_weights(rows.weight)), trains=trains)
        check_some_class_weight(type(self).__name__, rows.weight, "trains on" if trains else "validates on")
        return rows._replace(weight=unit_mean(rows.weight))

    def _check_parameters(self) -> None:
        """Raise ValueError or TypeError when a parameter is not what it must be."""
        check_parameters(type(self).__name__, self._parameter_constraints, self.get_params(deep=False))

    def _component_value(self, name: str) -> Any:
        value = getattr(self, name)
        return self._default_loss if name == "loss" and isinstance(value, str) and value == "auto" else value

    @property
    def _merges_rows(self) -> bool:
        if self.coalesce == "auto":
            return bool(self.shuffle)
        return bool(self.coalesce)

    def _bind_components(self) -> None:
        """Resolve the names and bind them to the data's shapes."""
        resolved = self._resolve()
        self._check_fits_task(resolved)
        self._set_components(resolved)
        self.n_outputs_ = self.loss_.n_raw(self._task)
        self._model = Model(self.network_, self.input_shape_, self.n_outputs_)

    def _bind_changed_components(self) -> None:
        """Take the numbers that components have now; raise if their structure forbids going on."""
        resolved = self._resolve()
        self._check_fits_task(resolved)
        check_same_components(self, resolved)
        self._set_components(resolved)
        self._model = Model(self.network_, self.input_shape_, self.n_outputs_)

    def _check_fits_task(self, resolved: Resolved) -> None:
        if self._task.kind not in resolved.loss.tasks:
            raise ValueError(
                f"The loss {type(resolved.loss).__name__} does not serve {self._task.kind} targets, but {', '.join(resolved.loss.tasks)}. "
                f"Choose another loss for {type(self).__name__}, such as {self._default_loss!r}."
            )
        if resolved.optimizer.full_batch and self.batch_size != "auto":
            raise ValueError(
                f"The optimizer {type(resolved.optimizer).__name__} needs all rows at every step. Got batch_size={self.batch_size}. "
                "Leave batch_size at 'auto' (its learning_rate has no effect: a line search finds each step)."
            )

    def _set_components(self, resolved: Resolved) -> None:
        self.network_, self.loss_ = resolved.network, resolved.loss
        self.optimizer_, self.schedule_ = resolved.optimizer, resolved.schedule
        self.augmentation_ = resolved.augmentation
        self.resolved_components_ = dict(resolved.ids)

    def _split(self, given: WeightedRows, is_weighted: bool, validation: tuple[Any, Any, Any]) -> Split:
        """Return training rows and validation rows: those given, or a share held out, or none.

        Equal rows are merged before the split, so that none is on both sides. A scorer gets the held-out rows as
        they were before, with weights only if `is_weighted`: then the user gave some.
        """
        X_val, y_val, weight_val = validation
        found = distinct(given, self._merges_rows, keep_order=not self.shuffle)
        if X_val is not None:
            held_out = self._given_validation(X_val, y_val, weight_val)
            return Split(found.rows, held_out, ScoredRows(held_out, weight_val is not None))
        if y_val is not None or weight_val is not None:
            raise ValueError("y_val or sample_weight_val was given without X_val. Give X_val too.")
        if not self.early_stopping:
            return Split(found.rows)
        fraction = self.validation_fraction
        fraction = int(fraction) if isinstance(fraction, Integral) else float(fraction)
        rng = host_generator(self._key, _SPLIT_STREAM) if self.shuffle else None
        is_by_class = self._task.kind in ("binary", "multiclass") and given.target.ndim == 1
        is_held_out = choose_held_out(found.rows.target, fraction, is_by_class, rng)
        train, held_out = (found.rows.take(np.flatnonzero(marks)) for marks in (~is_held_out, is_held_out))
        if self.scoring == "loss":
            return Split(train, held_out)
        return Split(train, held_out, ScoredRows(given.take(found.members(is_held_out)), is_weighted))

    def _given_validation(self, X: Any, y: Any, sample_weight: Any) -> WeightedRows:
        """Return the rows of positive weight that the user gave to validate on."""
        rows = self._encode(X, y, sample_weight, reset=False)
        self._check_rows(rows.x)
        return drop_zero_weights(rows).rows

    def _config(self, has_validation: bool, scores_on_host: bool) -> FitConfig:
        monitor: Literal["train", "validation", "host"] = "train"
        if self.early_stopping and has_validation:
            monitor = "host" if scores_on_host else "validation"
        return as_traced(
            FitConfig(
                model=self._model,
                loss=self.loss_,
                optimizer=self.optimizer_,
                schedule=self.schedule_,
                augmentation=self.augmentation_,
                objective=MeanLoss(_float(self.l1), _float(self.l2)),
                stopping=Patience(_float(self.tol), float(self.n_iter_no_change)),
                learning_rate=self.learning_rate,
                max_epochs=self.max_epochs,
                clip_norm=self.clip_norm,
                monitor=monitor,
                keep_best=bool(self.early_stopping),
            )
        )

    def _plan(
        self,
        split: Split,
        reporter: EpochReporter,
        previous: tuple[Any, Any] | None,
        n_epochs: int,
        first_epoch: int = 0,
    ) -> Plan:
        """Put everything in place for the loop: configuration, first state, batches, validation."""
        train, held_out, scored = split
        is_judged_on_host = held_out is not None and (is_sparse(held_out.x) or self.scoring != "loss")
        config = self._config(held_out is not None, is_judged_on_host)
        n = len(train.target)
        size = padded_size(n) if self.optimizer_.full_batch else self._batch_size(n)
        order = epoch_order(n, self._key, bool(self.shuffle))
        feed = Feed(train, self.input_shape_, size, order, first_epoch)
        counts = np.int32(n), np.int32(feed.steps_per_epoch)
        if previous is None:
            state = self._first_state(config, counts)
        else:
            state = continued_state(config, *previous, self._key, *counts, np.int32(first_epoch))
        state = with_largest_batch(self, state, feed, goes_on=first_epoch > 0)
        self.n_parameters_ = sum(leaf.size for leaf in jax.tree.leaves(state.params))
        validation: Rows | None = None
        if held_out is not None and not is_sparse(held_out.x):
            validation = pad_rows(held_out, self.input_shape_)
        return Plan(
            config=config,
            state=state,
            feed=feed,
            validation=validation,
            n_epochs=n_epochs,
            reporter=reporter,
            host_val_loss=host_loss(config, held_out) if held_out and is_sparse(held_out.x) else None,
            host_score=host_scorer(self, scored, config.monitor == "host")
            if scored and self.scoring != "loss"
            else None,
            print_epoch=partial(_print_epoch, last=first_epoch + n_epochs) if self.verbose else None,
        )

    def _first_state(self, config: FitConfig, counts: tuple[Any, Any]) -> TrainState:
        """Return the state before the first step of a training that goes on from nothing."""
        state: TrainState = new_state(config, self._key, *counts)
        return state

    def _batch_size(self, n: int) -> int:
        wanted = DEFAULT_BATCH_SIZE if isinstance(self.batch_size, str) else int(self.batch_size)
        return min(wanted, padded_size(n))

    def _previous_fit(self) -> tuple[Any, Any] | None:
        """Return the parameters and model state of the last fit, with the user's edits, if there was one."""
        if not hasattr(self, "params_"):
            return None
        if self._form is None:  # parameters were assigned to an estimator that was never fitted
            return self.params_, self.model_state_
        return same_form(type(self).__name__, self._form, self.params_, self.model_state_)

    def _store(self, result: FitResult, extends: bool = False) -> None:
        """Keep the result of training; raise NonFiniteLossError if training diverged and kept no best parameters."""
        check_outcome(self, result)
        self._history = joined_history(self._history if extends else None, result.history)
        self.params_, self.model_state_ = result.params, result.model_state
        if not extends:
            self._form = Form(result.params, result.model_state)
        self.n_iter_, self.best_epoch_ = result.n_epochs, result.best_epoch

    def _fitted_attributes(self) -> dict[str, Any]:
        return {"params_": self.params_, "model_state_": self.model_state_}

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = bool(self._accepts_sparse)
        return tags


def _print_epoch(line: dict[str, float], last: int) -> None:
    shown = [name for name in ("train_loss", "val_loss", "val_score") if not math.isnan(line[name])]
    print(f"Epoch {line['epoch']}/{last}", *(f"{name} = {line[name]:.6f}" for name in shown), sep="  ")


def _float(number: Any) -> float | None:
    return None if number is None else float(number)
