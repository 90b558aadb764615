"""Training of the perceptrons by steps on batches: the solvers "sgd", "adam" and those by name."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from sklearn.model_selection import train_test_split

from skdeep.contract import FitConfig, FitResult, Optimizer, TrainState
from skdeep.core import as_traced, stopping
from skdeep.core.batch import EpochOrder, Feed, epoch_order, pad_rows
from skdeep.core.encode import is_sparse
from skdeep.core.rows import WeightedRows, padded_size, scaled_by_power_of_two, unit_mean
from skdeep.core.step import continued_state
from skdeep.estimators.callbacks import EpochReporter
from skdeep.estimators.continuing import with_largest_batch
from skdeep.estimators.mlp.base import PerceptronBase, raise_non_finite
from skdeep.estimators.mlp.memory import memory_of, resumed
from skdeep.estimators.mlp.orders import CumulativeShuffles
from skdeep.estimators.mlp.printing import IterationPrinter
from skdeep.estimators.mlp.rules import BatchMean, EpochsWithoutGain
from skdeep.estimators.scoring import host_loss
from skdeep.estimators.training import Plan, run_training
from skdeep.estimators.warn import warn_caller
from skdeep.schedules import Constant

AUTO_BATCH_SIZE = 200


class StochasticTraining(PerceptronBase):
    """Training by steps on batches, with scikit-learn's order of rows, objective and stopping rule."""

    def _fit_stochastic(
        self, rows: WeightedRows, rng: np.random.RandomState, reporter: EpochReporter, *, incremental: bool
    ) -> tuple[int, str]:
        """Train by steps on batches; return how it ended, and what to warn of."""
        key = self._key(rng)
        train, held_out = self._split(rows, rng)
        n = len(train.target)
        optimizer = self._resolved_solver()
        size = padded_size(n) if optimizer.full_batch else self._batch_size(n)
        shuffles = CumulativeShuffles(n, rng) if self.shuffle else None
        order: EpochOrder = shuffles or epoch_order(n, key, shuffle=False)
        feed = Feed(train, self._columns, size, order)
        config = self._config(train.x.dtype, optimizer, held_out)
        printer = IterationPrinter(
            self.tol, self.n_iter_no_change, early_stopping=held_out is not None, adaptive=self._rule.adaptive
        )
        is_sparse_validation = held_out is not None and is_sparse(held_out.x)
        plan = Plan(
            config=config,
            state=self._first_state(config, key, feed, incremental=incremental),
            feed=feed,
            validation=None if held_out is None or is_sparse_validation else pad_rows(held_out, self._columns),
            n_epochs=1 if incremental else self.max_iter,
            reporter=reporter,
            host_val_loss=host_loss(config, held_out) if held_out is not None and is_sparse_validation else None,
            print_epoch=printer if self.verbose else None,
            earlier=getattr(self, "_history", None),
        )
        result, state = run_training(plan)
        if shuffles is not None and self.random_state is not None:
            # NumPy's own generator is left where it is: other threads may draw from it.
            shuffles.rewind(result.n_epochs)
        if result.status == stopping.NON_FINITE and not result.has_best:
            raise_non_finite()
        if self.verbose:
            rate = self.learning_rate_init * float(np.asarray(state.stopping.rate_factor))
            printer.ended(rate, has_converged=result.status == stopping.CONVERGED)
        self._store_stochastic(config, result, state, n)
        return result.status, self._warning_of(result.status)

    def _split(self, rows: WeightedRows, rng: np.random.RandomState) -> tuple[WeightedRows, WeightedRows | None]:
        """Return training rows and held-out rows, as `train_test_split` chooses them."""
        if not self.early_stopping:
            return rows, None
        if self.validation_fraction == 0:
            raise ValueError("early_stopping=True needs rows to validate on: set validation_fraction above 0.")
        index = np.arange(len(rows.target))
        train, held_out = train_test_split(
            index, random_state=rng, test_size=self.validation_fraction, stratify=self._strata(rows)
        )
        if len(held_out) < 2:
            raise ValueError(
                "The validation set is too small. Increase 'validation_fraction' or the size of your dataset."
            )
        validation = rows.take(held_out)
        if not (validation.weight > 0).any():
            raise ValueError(
                "All rows held out for early stopping have weight 0. Leave out rows of weight 0, or set early_stopping=False."
            )
        return rows.take(train), validation._replace(weight=unit_mean(validation.weight))

    def _batch_size(self, n: int) -> int:
        if isinstance(self.batch_size, str):
            return min(AUTO_BATCH_SIZE, padded_size(n))
        if self.batch_size > n:
            warn_caller("Got `batch_size` less than 1 or larger than sample size. It is going to be clipped")
        return min(int(self.batch_size), padded_size(n))

    @property
    def _rule(self) -> EpochsWithoutGain:
        changes = "constant" if self.solver == "adam" else self.learning_rate  # as in scikit-learn
        return EpochsWithoutGain(
            tol=self.tol,
            n_iter_no_change=self.n_iter_no_change,
            learning_rate=self.learning_rate_init,
            adaptive=changes == "adaptive",
            power_t=self.power_t if changes == "invscaling" else None,
            n_seen_before=self._n_seen,
        )

    def _objective(self) -> BatchMean:
        # Weights are scaled, so alpha is too: their ratio is what decides.
        alpha = float(scaled_by_power_of_two(self.alpha, self._weight_exponent))
        return BatchMean(alpha, *self._loss_scales(), by_rows=self.normalization == "batch")

    def _config(self, dtype: Any, optimizer: Optimizer, held_out: WeightedRows | None) -> FitConfig:
        monitor: Literal["train", "validation", "host"] = "train"
        if held_out is not None:
            monitor = "host" if is_sparse(held_out.x) else "validation"
        return as_traced(
            FitConfig(
                model=self._model,
                loss=self._loss,
                optimizer=optimizer,
                schedule=Constant(),
                objective=self._objective().replace(largest_reported=self._largest_reported(dtype)),
                stopping=self._rule,
                learning_rate=self.learning_rate_init,
                max_epochs=self.max_iter,
                monitor=monitor,
                keep_best=held_out is not None,
                validation_loss=None if held_out is None else self._validation_loss(held_out),
            ),
            dtype,
        )

    def _first_state(self, config: FitConfig, key: Any, feed: Feed, *, incremental: bool) -> TrainState:
        """Return the state that training starts from: the weights, and what is left of earlier training."""
        counts = np.int32(feed.n), np.int32(feed.steps_per_epoch)
        params, model_state = self._first_params(config, key)
        state: TrainState = continued_state(config, params, model_state, key, *counts, np.int32(0))
        state = with_largest_batch(self, state, feed, goes_on=incremental)
        return resumed(state, self._memory, config, keeps_solver=incremental)

    def _store_stochastic(self, config: FitConfig, result: FitResult, state: TrainState, n: int) -> None:
        self._store_params(result.params, result.model_state)
        self._memory = memory_of(state, config, result.params)
        self._extend_history(result.history)
        self.n_iter_ = result.n_epochs
        self.t_ = self._n_seen + n * result.n_epochs
        self.loss_curve_ = [*getattr(self, "loss_curve_", []), *map(np.float64, result.history["train_loss"])]
        if self.loss_curve_:
            self.loss_ = self.loss_curve_[-1]
        self._store_scores(config, result, self._memory.best)

    def _store_scores(self, config: FitConfig, result: FitResult, best: np.ndarray) -> None:
        if not config.keep_best:
            self.best_loss_: float | None = np.float64(best) if self.loss_curve_ else np.inf
            self.validation_scores_: list[float] | None = None
            self.best_validation_score_: float | None = None
            return
        scores = [1.0 - float(best.dtype.type(loss)) for loss in result.history["val_loss"]]
        if result.status == stopping.NON_FINITE and scores:
            scores[-1] = np.nan
        self.validation_scores_ = [*(getattr(self, "validation_scores_", None) or []), *scores]
        self.best_loss_, self.best_validation_score_ = None, 1.0 - float(best)
