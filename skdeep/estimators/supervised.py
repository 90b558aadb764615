"""The base class of `DeepClassifier` and `DeepRegressor`: a network from X to y, with an optional pretrained encoder."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import validate_data

from skdeep.config import FitConfig
from skdeep.contract import Augmentation, Network
from skdeep.core.composed import regrouped
from skdeep.core.encoding import Encoding
from skdeep.core.link import check_link
from skdeep.core.loss_parameters import apart, beside
from skdeep.core.members import loss_for
from skdeep.core.one_hot import with_one_hot
from skdeep.core.rows import WeightedRows
from skdeep.core.step import continued_state
from skdeep.core.streamed_rows import Sources, StreamedRows
from skdeep.estimators.members import MEMBERS_CONSTRAINTS, is_ensemble
from skdeep.estimators.named_columns import inputs_from
from skdeep.estimators.named_inputs import forget_columns, validated_inputs, validated_target
from skdeep.estimators.parameters import CONSTRAINTS, NETWORK, StrOptions
from skdeep.estimators.prepare import Beginning, Draft, Earlier, Split
from skdeep.estimators.pretraining import check_pretrain, network_on_top, pretrained_row_shape, with_encoder_of
from skdeep.estimators.resolve import Resolved, resolve_all
from skdeep.estimators.streaming import read_stream, split_stream, streamed
from skdeep.estimators.tables import TABLE_CONSTRAINTS, TableReader
from skdeep.estimators.target_summary import TargetSummary
from skdeep.estimators.training import FitData, train, train_ensemble
from skdeep.inputs import Inputs
from skdeep.records import Task, TrainState


class SupervisedEstimator(TableReader):
    """Base of the estimators that learn y from X."""

    _trains_losses = True
    _streams: ClassVar[bool] = True
    """Whether `fit` takes rows that are read block by block."""
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "network": NETWORK,
        "augmentation": [None, str, list, tuple, Augmentation, callable],
        "pretrain": [None, FrozenEstimator],
        "freeze_pretrained": ["boolean"],
        **TABLE_CONSTRAINTS,
        **MEMBERS_CONSTRAINTS,
        **CONSTRAINTS,
        "l2": [*CONSTRAINTS["l2"], StrOptions({"auto"})],
    }
    _components: ClassVar[dict[str, str]] = {
        kind: kind for kind in ("network", "loss", "optimizer", "schedule", "augmentation")
    }

    def _trained(self, data: FitData) -> Self:
        """Train one network, or the members of an ensemble."""
        data = self._given_data(data)
        fitted: Self = train_ensemble(self, data) if is_ensemble(self) else train(self, data)
        return fitted

    def _given_data(self, data: FitData) -> FitData:
        return streamed(self, data)

    @abstractmethod
    def _target_summary(self) -> TargetSummary:
        """Return what learns the target encoding from blocks of rows."""

    def _read(self, data: Any, earlier: Earlier | None) -> tuple[Encoding, Any]:
        return read_stream(self, data) if isinstance(data.X, Sources) else super()._read(data, earlier)

    def _encoded_for(self, network: Network, encoding: Encoding, given: Any) -> tuple[Encoding, Any]:
        if not isinstance(given, StreamedRows):
            return super()._encoded_for(network, encoding, given)
        encoding = encoding.for_network(network)
        return encoding, given.replace(encoding=encoding, network=network)

    def _split(self, given: Any, data: Any, draft: Draft) -> tuple[Draft, Split]:
        if isinstance(given, StreamedRows):
            return split_stream(self, given, data, draft)
        return super()._split(given, data, draft)

    def _check_parameters(self, is_partial: bool) -> None:
        if self.pretrain is not None:
            check_pretrain(type(self).__name__, self.pretrain)
        super()._check_parameters(is_partial)

    def _check_serves(self, resolved: Resolved, task: Task) -> None:
        super()._check_serves(resolved, task)
        before = self.__dict__.get("_encoding")
        if before is None or (before.task, self.loss_) != (task, resolved.loss):  # else the last fit has checked it
            check_link(resolved.loss, task)

    def _resolve(self, encoding: Any) -> Resolved:
        resolved = resolve_all({kind: self._component_value(kind) for kind in self._components})
        resolved = resolved._replace(loss=loss_for(resolved.network, resolved.loss))
        if self.pretrain is None:
            return resolved._replace(network=with_one_hot(resolved.network, encoding.table))
        return resolved._replace(
            network=network_on_top(self.pretrain.estimator, resolved.network, bool(self.freeze_pretrained))
        )

    def _row_shape(self, columns: tuple[int, ...]) -> tuple[int, ...]:
        if self.pretrain is None:
            return super()._row_shape(columns)
        return pretrained_row_shape(self, self.pretrain.estimator, columns)

    def _first_state(self, config: FitConfig, beginning: Beginning, key: Any) -> TrainState:
        state = super()._first_state(config, beginning, key)
        if self.pretrain is None:
            return state
        of_network, of_loss = apart(state.params)
        params, model_state = with_encoder_of(
            self.pretrain.estimator, state._replace(params=of_network), bool(self.freeze_pretrained)
        )
        first: TrainState = continued_state(
            config, beside(params, of_loss), model_state, key, *beginning[:2], np.int32(0)
        )
        return first

    def _edited_params(self) -> tuple[Any, Any]:
        params, model_state = super()._edited_params()
        of_network, of_loss = apart(params)
        if self.pretrain is None or "head" not in of_network:
            return params, model_state  # the last fit had no encoder: `check_continues` raises
        of_network, model_state = regrouped(of_network, model_state, bool(self.freeze_pretrained))
        return beside(of_network, of_loss), model_state

    def _given_validation(self, data: Any, draft: Draft) -> tuple[WeightedRows, np.ndarray]:
        if data.y_val is None:
            raise ValueError("X_val was given without y_val. Give y_val too.")
        return super()._given_validation(data, draft)

    def _validated(self, X: Any, y: Any, known: Encoding | None) -> tuple[Any, Any]:
        if self.inputs is not None and not isinstance(X, Inputs):
            validate_data(self, X, reset=known is None, skip_check_array=True)
            X = inputs_from(type(self).__name__, self.inputs, X)
            return validated_inputs(X), validated_target(self, X, y)
        if isinstance(X, Inputs):
            if known is None:
                forget_columns(self)
            return validated_inputs(X), validated_target(self, X, y)
        checked, y = self._checked(X, known, y=y, multi_output=True, y_numeric=False)
        return checked, y
