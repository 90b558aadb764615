"""The `pretrain` parameter: checks, and the network of an autoencoder's encoder followed by a head."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from sklearn.frozen import FrozenEstimator

from skdeep.contract import Network
from skdeep.core.composed import Pretrained, regrouped
from skdeep.core.encode import row_shape
from skdeep.estimators.autoencoder import DeepAutoencoder
from skdeep.estimators.parameters import InvalidParameterError
from skdeep.records import ModelState, Params, TrainState


def check_pretrain(owner: str, value: Any) -> None:
    """Raise InvalidParameterError (a ValueError) unless the value is a fitted autoencoder in a FrozenEstimator."""
    message = f"The 'pretrain' parameter of {owner} must be a fitted DeepAutoencoder in a FrozenEstimator. Got "
    if isinstance(value, DeepAutoencoder):
        raise InvalidParameterError(
            f"{message}a bare DeepAutoencoder instead, which a search or clone() would make unfitted. Give "
            "sklearn.frozen.FrozenEstimator(autoencoder)."
        )
    if not isinstance(value, FrozenEstimator):
        raise InvalidParameterError(f"{message}{value!r} instead.")
    if not isinstance(value.estimator, DeepAutoencoder):
        raise InvalidParameterError(f"{message}a FrozenEstimator of {type(value.estimator).__name__} instead.")
    if not hasattr(value.estimator, "params_"):
        raise InvalidParameterError(f"{message}one that is not fitted. Call its fit first.")


def network_on_top(autoencoder: DeepAutoencoder, head: Network, frozen: bool) -> Network:
    """Return the network in which the autoencoder's encoder feeds the head; with `frozen` only the head is trained."""
    whole = autoencoder.network_
    return Pretrained(whole.encoder, head, whole.n_codes, whole.n_components, frozen)


def with_encoder_of(autoencoder: DeepAutoencoder, state: TrainState, frozen: bool) -> tuple[Params, ModelState]:
    """Return parameters and model state with those of the autoencoder's encoder, and the head's from `state`."""
    params, model_state = regrouped(state.params, state.model_state, frozen=False)
    params = {**params, "encoder": autoencoder.params_["encoder"]}
    return regrouped(params, {**model_state, "encoder": autoencoder.model_state_["encoder"]}, frozen)


def pretrained_row_shape(estimator: Any, autoencoder: DeepAutoencoder, columns: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape of one row as the encoder sees it: `input_shape_` of the autoencoder.

    Raises
    ------
    ValueError
        If rows have another shape, or columns other names, than those that the autoencoder was fitted on.
    """
    shape = autoencoder.input_shape_
    given = None if estimator.input_shape is None else tuple(int(s) for s in estimator.input_shape)
    owner = type(estimator).__name__
    known = (shape, autoencoder._encoding.columns, (math.prod(shape),))
    if columns not in known or given not in (None, shape):
        raise ValueError(
            f"The autoencoder in 'pretrain' was fitted on rows of shape {shape}, but {owner} got rows of shape "
            f"{given or columns}. Fit both on the same columns, and leave the input_shape of {owner} at None."
        )
    theirs, ours = (getattr(fitted, "feature_names_in_", None) for fitted in (autoencoder, estimator))
    if theirs is not None and ours is not None and not np.array_equal(theirs, ours):
        raise ValueError(
            f"The autoencoder in 'pretrain' was fitted on the columns {list(theirs)}, but {owner} got {list(ours)}. "
            "Give both the same columns in the same order."
        )
    return row_shape(columns, shape)
