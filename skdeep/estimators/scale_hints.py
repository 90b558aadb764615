"""Hints at the probable cause of a bad training: unscaled columns, a large learning rate, ids read as measurements.

Each fit gives at most one hint.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from skdeep.core.encode import is_sparse
from skdeep.core.link import has_built_in_link
from skdeep.inputs import Inputs
from skdeep.layers.recurrent import GRU, LSTM, Bidirectional
from skdeep.networks.own import FlaxNetwork, NNXNetwork
from skdeep.networks.sequences import SequenceNetwork
from skdeep.networks.sequential import Sequential
from skdeep.records import NUMERIC, Outcome

# A constant prediction has a loss of about 1, for scaled targets and for classes.
FAILED_LOSS = 10.0
# Standardised columns are far below the first, and the usual learning rates of all optimizers below the second.
LARGE_VALUE = 100.0
LARGE_RATE = 0.5
# Whole numbers up to here may be counts or ratings; ids and pixels go beyond.
LARGE_WHOLE_NUMBER = 10
# Columns whose ranges differ by more than this cannot be learned at one learning rate.
LARGEST_RATIO_OF_RANGES = 1000.0
_N_NAMED = 3
_N_ROWS = 8
_N_INSPECTED = 4096


def training_hint(estimator: Any, x: Any, result: Outcome) -> str | None:
    """Return a sentence that names the probable cause of a bad fit, or None.

    Parameters
    ----------
    estimator : DeepEstimator
        Fitted: its parameters are stored.
    x : array (n, ...), sparse matrix or Inputs
        The encoded training rows.
    result : Outcome
    """
    uneven = _uneven_columns(estimator, x)
    if isinstance(x, Inputs):
        return uneven
    return _failure(estimator, x, result) or _whole_numbers(estimator, x) or _softmax(estimator, x, result) or uneven


def _failure(estimator: Any, x: Any, result: Outcome) -> str | None:
    losses = result.history["train_loss"]
    if not losses or not _is_failed(estimator, losses[-1]):
        return None
    causes, cures = [], []
    if columns := _large_columns(estimator, x):
        causes.append(f"columns of X are far from unit size ({columns})")
        cures.append("scale X (for example with StandardScaler)")
    if estimator.learning_rate >= LARGE_RATE:
        causes.append(f"learning_rate={estimator.learning_rate:g} is large")
        cures.append("lower the learning_rate")
    if not causes:
        return None
    cure = " and ".join(cures)
    return (
        f"The training loss of {type(estimator).__name__} ended at {losses[-1]:.3g}, worse than that of a constant "
        f"prediction: {' and '.join(causes)}. {cure[0].upper()}{cure[1:]}."
    )


def _is_failed(estimator: Any, loss: float) -> bool:
    """Return True if a loss is more than `FAILED_LOSS` times that of a constant prediction."""
    is_regression = estimator._task.kind == "regression"
    constant = 1.0 if is_regression else math.log(max(2, estimator._task.n_targets))
    return math.isfinite(loss) and loss > FAILED_LOSS * max(1.0, constant)


def _large_columns(estimator: Any, x: Any) -> str:
    """Return the names of columns with a large mean or standard deviation, the largest first; "" if there are none.

    For sparse X, the largest absolute value of a column counts.
    """
    if is_sparse(x):
        size = abs(x).max(axis=0).toarray().ravel()
    else:
        flat = np.asarray(x, np.float64).reshape(len(x), -1)
        size = np.maximum(np.abs(flat.mean(axis=0)), flat.std(axis=0))
    large = np.flatnonzero(size > LARGE_VALUE)
    if not len(large):
        return ""
    order = large[np.argsort(-size[large], kind="stable")]
    names = getattr(estimator, "feature_names_in_", None)
    shown = [str(i) if names is None else repr(str(names[i])) for i in order[:_N_NAMED]]
    more = f" and {len(order) - _N_NAMED} more" if len(order) > _N_NAMED else ""
    return f"{', '.join(shown)}{more}, sizes up to {size.max():.3g}"


def _uneven_columns(estimator: Any, x: Any) -> str | None:
    """Return a hint if the ranges of numeric columns of a table differ so much that they cannot be learned together.

    Ranges are compared instead of deviations, because rare values make the latter small: pixels at the edge, rare categories.
    """
    numbers, names = _unscaled_numbers(estimator, x)
    if numbers is None or not len(numbers):
        return None
    some = numbers[:: -(-len(numbers) // _N_INSPECTED)].astype(np.float64)
    ranges = np.ptp(some, axis=0)
    varying = np.flatnonzero(ranges > 0)
    if not len(varying):
        return None
    wide, narrow = (int(varying[pick(ranges[varying])]) for pick in (np.argmax, np.argmin))
    if ranges[wide] <= LARGEST_RATIO_OF_RANGES * ranges[narrow]:
        return None
    name = type(estimator).__name__
    return (
        f"The columns of X have very different ranges: {_quoted(names, wide)} has values from {some[:, wide].min():.3g} to "
        f"{some[:, wide].max():.3g}, {_quoted(names, narrow)} from {some[:, narrow].min():.3g} to {some[:, narrow].max():.3g}. {name} "
        f"learns little from the narrow ones. Set numeric_scaling='standard' in {name}, or put StandardScaler before it."
    )


def _unscaled_numbers(estimator: Any, x: Any) -> tuple[Any, Any]:
    """Return the numbers of a table that the network gets as they are, and the names of their columns if known."""
    if not getattr(estimator, "_may_be_table", False) or estimator._scaling is not None or is_sparse(x):
        return None, None
    if isinstance(x, Inputs):
        table = estimator._encoding.table
        is_one_table = NUMERIC in x.names and hasattr(table, "numeric_names")
        return (x[NUMERIC], table.numeric_names) if is_one_table else (None, None)
    is_table = isinstance(x, np.ndarray) and x.ndim == 2 and x.dtype.kind == "f"
    return (x, getattr(estimator, "feature_names_in_", None)) if is_table else (None, None)


def _quoted(names: Any, i: int) -> str:
    return f"column {i}" if names is None else repr(str(names[i]))


def _whole_numbers(estimator: Any, x: Any) -> str | None:
    network = estimator.network_
    if is_sparse(x) or not _reads_measured_steps(network):
        return None
    values = np.asarray(x)
    if (mask_value := getattr(network, "mask_value", None)) is not None:
        values = values[values != np.asarray(mask_value, values.dtype)]
    if not values.size or np.abs(values).max() <= LARGE_WHOLE_NUMBER or (values != np.floor(values)).any():
        return None
    can_be_ids = len(estimator.input_shape_) == 1 or estimator.input_shape_[1] == 1
    name = type(network).__name__
    ids = "put Embedding(n_tokens=...) first" if isinstance(network, Sequential) else "set n_tokens"
    if_ids = f"If they are ids of tokens, {ids}; if they are measurements, scale" if can_be_ids else "Scale"
    return (
        f"X holds whole numbers up to {values.max():g}, which the network {name} takes as measurements. "
        f"{if_ids} them to about unit size (for example with StandardScaler)."
    )


def _reads_measured_steps(network: Any) -> bool:
    if isinstance(network, Sequential):
        return bool(network.layers) and isinstance(network.layers[0], LSTM | GRU | Bidirectional)
    return isinstance(network, SequenceNetwork) and getattr(network, "n_tokens", None) is None


def _softmax(estimator: Any, x: Any, result: Outcome) -> str | None:
    """Return a hint if the raw outputs of a user's module are probabilities, but the loss applies a softmax itself."""
    if not (estimator.loss_.probabilistic and has_built_in_link(estimator.loss_)):
        return None
    task, losses = estimator._task, result.history["train_loss"]
    if task.kind != "multiclass" or not isinstance(estimator.network_, FlaxNetwork | NNXNetwork | Sequential):
        return None
    # The cross-entropy of outputs in [0, 1] cannot be below this, so a lower loss needs no further check.
    lowest = math.log(1 + (task.n_targets - 1) / math.e)
    if is_sparse(x) or not losses or losses[-1] < lowest:
        return None
    raw = estimator._raw_of(estimator._model, estimator.params_, estimator.model_state_, x[:_N_ROWS])
    if (raw < 0).any() or not np.allclose(raw.sum(axis=1), 1.0, atol=1e-5):
        return None
    return (
        f"The raw outputs of the network are probabilities (each row sums to 1), but the loss {type(estimator.loss_).__name__} "
        "applies a softmax itself, so that no prediction gets close to 1. Leave out the softmax at the end of the network."
    )
