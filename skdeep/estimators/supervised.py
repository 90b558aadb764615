"""What classifier and regressor share: a network from X to y."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from sklearn.utils.validation import validate_data

from skdeep.estimators.base import DeepEstimator
from skdeep.estimators.parameters import CONSTRAINTS, NETWORK
from skdeep.estimators.resolve import Resolved, resolve_all


class SupervisedEstimator(DeepEstimator):
    """Base of the estimators that learn y from X."""

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {"network": NETWORK, **CONSTRAINTS}
    _components: ClassVar[dict[str, str]] = {kind: kind for kind in ("network", "loss", "optimizer", "schedule")}

    def __init__(
        self,
        *,
        network: Any = "mlp",
        loss: Any = "auto",
        optimizer: Any = "adam",
        learning_rate: float = 1e-3,
        schedule: Any = "constant",
        l1: float | None = None,
        l2: float | None = None,
        clip_norm: float | None = None,
        batch_size: int | str = "auto",
        max_epochs: int = 200,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        tol: float | None = 1e-4,
        scoring: Any = "loss",
        coalesce: bool | str = "auto",
        input_shape: tuple[int, ...] | None = None,
        shuffle: bool = True,
        warm_start: bool = False,
        random_state: Any = None,
        verbose: int = 0,
        device: str = "auto",
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

    def _resolve(self) -> Resolved:
        return resolve_all({kind: self._component_value(kind) for kind in self._components})

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
