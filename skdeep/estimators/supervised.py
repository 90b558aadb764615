"""What classifier and regressor share: a network from X to y, perhaps on top of an encoder trained before."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import validate_data

from skdeep.contract import Augmentation, FitConfig, TrainState
from skdeep.core.composed import regrouped
from skdeep.core.rows import WeightedRows
from skdeep.core.step import continued_state
from skdeep.estimators.arrays import ArrayEstimator
from skdeep.estimators.parameter_types import (
    AugmentationLike,
    BatchSize,
    Coalesce,
    Device,
    LossLike,
    NetworkLike,
    OptimizerLike,
    Pretrained,
    RandomState,
    ScheduleLike,
    ScoringLike,
)
from skdeep.estimators.parameters import CONSTRAINTS, NETWORK
from skdeep.estimators.pretraining import check_pretrain, network_on_top, pretrained_row_shape, with_encoder_of
from skdeep.estimators.resolve import Resolved, resolve_all
from skdeep.estimators.splitting import Split


class SupervisedEstimator(ArrayEstimator):
    """Base of the estimators that learn y from X."""

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "network": NETWORK,
        "augmentation": [None, str, list, tuple, Augmentation, callable],
        "pretrain": [None, FrozenEstimator],
        "freeze_pretrained": ["boolean"],
        **CONSTRAINTS,
    }
    _components: ClassVar[dict[str, str]] = {
        kind: kind for kind in ("network", "loss", "optimizer", "schedule", "augmentation")
    }

    def __init__(
        self,
        *,
        network: NetworkLike = "mlp",
        loss: LossLike = "auto",
        optimizer: OptimizerLike = "adam",
        learning_rate: float = 1e-3,
        schedule: ScheduleLike = "constant",
        augmentation: AugmentationLike = None,
        l1: float | None = None,
        l2: float | None = None,
        clip_norm: float | None = None,
        batch_size: BatchSize = "auto",
        max_epochs: int = 200,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        tol: float | None = 1e-4,
        scoring: ScoringLike = "loss",
        coalesce: Coalesce = "auto",
        input_shape: tuple[int, ...] | None = None,
        shuffle: bool = True,
        warm_start: bool = False,
        random_state: RandomState = None,
        verbose: int = 0,
        device: Device = "auto",
        pretrain: Pretrained = None,
        freeze_pretrained: bool = False,
    ) -> None:
        super().__init__(
            loss=loss,
            optimizer=optimizer,
            learning_rate=learning_rate,
            schedule=schedule,
            l1=l1,
            l2=l2,
            clip_norm=clip_norm,
            batch_size=batch_size,
            max_epochs=max_epochs,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            n_iter_no_change=n_iter_no_change,
            tol=tol,
            scoring=scoring,
            coalesce=coalesce,
            input_shape=input_shape,
            shuffle=shuffle,
            warm_start=warm_start,
            random_state=random_state,
            verbose=verbose,
            device=device,
        )
        self.network = network
        self.augmentation = augmentation
        self.pretrain = pretrain
        self.freeze_pretrained = freeze_pretrained

    def _check_parameters(self) -> None:
        if self.pretrain is not None:
            check_pretrain(type(self).__name__, self.pretrain)
        super()._check_parameters()

    def _resolve(self) -> Resolved:
        resolved = resolve_all({kind: self._component_value(kind) for kind in self._components})
        if self.pretrain is None:
            return resolved
        return resolved._replace(
            network=network_on_top(self.pretrain.estimator, resolved.network, bool(self.freeze_pretrained))
        )

    def _row_shape(self, columns: tuple[int, ...]) -> tuple[int, ...]:
        if self.pretrain is None:
            return super()._row_shape(columns)
        return pretrained_row_shape(self, self.pretrain.estimator, columns)

    def _first_state(self, config: FitConfig, counts: tuple[Any, Any]) -> TrainState:
        state = super()._first_state(config, counts)
        if self.pretrain is None:
            return state
        params, model_state = with_encoder_of(self.pretrain.estimator, state, bool(self.freeze_pretrained))
        first: TrainState = continued_state(config, params, model_state, self._key, *counts, np.int32(0))
        return first

    def _previous_fit(self) -> tuple[Any, Any] | None:
        previous = super()._previous_fit()
        if previous is None or self.pretrain is None or "head" not in previous[0]:
            return previous  # of a fit without an encoder: training says that it cannot go on from there
        return regrouped(*previous, bool(self.freeze_pretrained))

    def _split(self, given: WeightedRows, is_weighted: bool, validation: tuple[Any, Any, Any]) -> Split:
        if validation[0] is not None and validation[1] is None:
            raise ValueError("X_val was given without y_val. Give y_val too.")
        return super()._split(given, is_weighted, validation)

    def _validated(self, X: Any, y: Any, *, reset: bool) -> tuple[Any, Any]:
        X, y = validate_data(
            self,
            X,
            y,
            reset=reset,
            accept_sparse=self._accepts_sparse,
            dtype=(np.float64, np.float32),
            allow_nd=True,
            multi_output=True,
            y_numeric=False,
        )
        return X, y
