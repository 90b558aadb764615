"""Type aliases for the parameters of the estimators' constructors."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import BaseCrossValidator, BaseShuffleSplit

from skdeep.checkpoint import Checkpoint
from skdeep.contract import Augmentation, Loss, Network, Optimizer, Schedule

NetworkLike: TypeAlias = str | Network | Sequence[Any] | Callable[..., Any]
"""A name, a component, a list of layers, a Flax module (an instance is callable) or an NNX factory."""

LossLike: TypeAlias = str | Loss | Callable[[Any, Any], Any]
"""A name, a component or a function `f(raw, target)`."""

OptimizerLike: TypeAlias = str | Optimizer | Callable[..., Any]
"""A name, a component or an Optax factory `f(learning_rate)`."""

ScheduleLike: TypeAlias = str | Schedule | Callable[[Any], Any]
"""A name, a component or a function of progress."""

AugmentationLike: TypeAlias = str | Augmentation | Callable[[Any, Any], Any] | Sequence[Any] | None
"""A name, a component, a function `f(key, x)`, a list of these, or None."""

ActivationLike: TypeAlias = str | Callable[[Any], Any]
"""A name or a function of an array."""

ScoringLike: TypeAlias = str | Loss | Callable[[BaseEstimator, Any, Any], float] | None
"""A score's name in scikit-learn, a scorer `f(estimator, X, y)`, "loss", a loss, or None for the estimator's `score`."""

MetricsLike: TypeAlias = Sequence[str] | Mapping[str, str | Callable[[BaseEstimator, Any, Any], float]] | None
"""Names of scikit-learn's scorers, or scorers by name."""

CategoricalFeatures: TypeAlias = Literal["from_dtype"] | Sequence[str] | Sequence[int] | Sequence[bool] | None
"""Which columns of a table are categories: those of such a type, or names, positions or a mask."""

ValidationLike: TypeAlias = float | BaseCrossValidator | BaseShuffleSplit | np.ndarray | Sequence[Any]
"""A share or number of rows, a splitter of scikit-learn, positions of held-out rows, a mask, or a pair of positions."""

InputsLike: TypeAlias = Mapping[str, Any] | None
"""Columns, or a pair of columns and the shape of a row, by the name of the input."""

CVLike: TypeAlias = int | BaseCrossValidator | BaseShuffleSplit | Iterable[Any] | None
"""A number of folds, a splitter of scikit-learn, or an iterable of pairs of positions."""

NumericScaling: TypeAlias = Literal["standard", "robust", "quantile"] | None
ClassWeight: TypeAlias = Mapping[Any, float] | Literal["balanced"] | None
RandomState: TypeAlias = int | np.random.RandomState | None
Penalty: TypeAlias = float | Literal["auto"] | None
BatchSize: TypeAlias = int | Literal["auto"]
Coalesce: TypeAlias = bool | Literal["auto"]
Device: TypeAlias = Literal["auto", "all", "cpu", "gpu", "tpu"] | int | list[int]
CheckpointLike: TypeAlias = str | os.PathLike[str] | Checkpoint | None
"""A folder, or where and how often the state of a training is kept."""
Pretrained: TypeAlias = FrozenEstimator | None
