"""TabularClassifier and TabularRegressor: the Deep estimators with the settings of a preset."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, Self, TypeAlias

from skdeep.core.rows import WeightedRows
from skdeep.estimators.classifier import DeepClassifier
from skdeep.estimators.parameter_types import (
    BatchSize,
    CategoricalFeatures,
    CheckpointLike,
    ClassWeight,
    Coalesce,
    CVLike,
    Device,
    LossLike,
    MetricsLike,
    NetworkLike,
    NumericScaling,
    OptimizerLike,
    Penalty,
    RandomState,
    ScheduleLike,
    ScoringLike,
    ValidationLike,
)
from skdeep.estimators.parameters import StrOptions
from skdeep.estimators.portfolio import train_portfolio
from skdeep.estimators.regressor import DeepRegressor
from skdeep.estimators.resolve import resolve_ready
from skdeep.estimators.supervised import SupervisedEstimator
from skdeep.estimators.training import FitData
from skdeep.tables.presets import PRESETS, SCALINGS, TableTask

Auto: TypeAlias = Literal["auto"]

_OF_PRESETS = (
    "network",
    "loss",
    "optimizer",
    "learning_rate",
    "schedule",
    "clip_norm",
    "batch_size",
    "max_epochs",
    "early_stopping",
    "validation_fraction",
    "n_iter_no_change",
    "tol",
    "scoring",
    "numeric_scaling",
    "clip_predictions",
)
_OF_IMAGES = ("augmentation", "input_shape", "inputs", "pretrain", "freeze_pretrained")


def tabular_constraints(constraints: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """Return the constraints of a Deep estimator with "auto" where a preset sets the value."""
    kept = {name: options for name, options in constraints.items() if name not in _OF_IMAGES}
    auto = {
        name: [StrOptions({"auto"}), *options]
        for name, options in kept.items()
        if name in _OF_PRESETS
        and str not in options
        and not any(isinstance(o, StrOptions) and "auto" in o.options for o in options)
    }
    return {**kept, **auto, "preset": [StrOptions({*PRESETS, "portfolio"})]}


def is_auto(value: Any) -> bool:
    """Return True if a parameter is left to the preset."""
    return isinstance(value, str) and value == "auto"


class TabularEstimator(SupervisedEstimator):
    """Base of the estimators with presets: `fit` sets the parameters that are "auto", in the copy that it trains."""

    _accepts_sparse: ClassVar[Any] = False
    _streams: ClassVar[bool] = False
    _components: ClassVar[dict[str, str]] = {kind: kind for kind in ("network", "loss", "optimizer", "schedule")}
    augmentation: ClassVar[Any] = None
    input_shape: ClassVar[Any] = None
    inputs: ClassVar[Any] = None
    pretrain: ClassVar[Any] = None
    freeze_pretrained: ClassVar[bool] = False

    @property
    def _scaling(self) -> Any:
        return SCALINGS[self.preset] if is_auto(self.numeric_scaling) else self.numeric_scaling

    def _trained(self, data: FitData) -> Self:
        if self.preset != "portfolio":
            return super()._trained(data)
        fitted: Self = train_portfolio(self, data)
        return fitted

    def _choose_parameters(self, encoding: Any, given: WeightedRows) -> None:
        network = None if is_auto(self.network) else resolve_ready("network", self.network)[1]
        table = TableTask(
            task=encoding.task,
            n_rows=len(given.target),
            n_numeric=len(encoding.table.numeric_names) if encoding.table is not None else 0,
            n_levels=tuple(n - 1 for n in encoding.table.n_categories) if encoding.table is not None else (),
            metric=self.metric,
            network=network,
        )
        self.preset_params_ = PRESETS[self.preset](table)
        for name, value in self.preset_params_.items():
            if is_auto(getattr(self, name)):
                setattr(self, name, value)

    def _component_value(self, name: str) -> Any:
        value = getattr(self, name)
        if is_auto(value) and name != "loss":
            return None  # has no fields until fit chooses it
        return super()._component_value(name)


class TabularClassifier(TabularEstimator, DeepClassifier):
    """A classifier for tables as they come, with the settings of a preset: `DeepClassifier` with other defaults.

    X may be a pandas, polars or pyarrow table with numbers, categories, text, booleans, dates and missing values, or an array.
    Nothing has to be scaled, encoded or filled in.

    Parameters
    ----------
    preset : str, default="realmlp"
        The settings of parameters that are "auto", from the functions in `skdeep.tables.presets`.

        - "realmlp": RealMLP-TD, a perceptron with embeddings of numbers; other settings from 50,000 rows on.
        - "fast": RealMLP-TD-S, without embeddings.
        - "tabm": TabM, an ensemble of 32 perceptrons in one network. It takes several times as long.
        - "portfolio": five presets on three folds, or those of `cv`; a greedy selection by their out-of-fold predictions weights
          them (`portfolio_`, `weights_`). `oof_score_` is then that of the selection, which it favours slightly.
        - "realmlp_sharp", "realmlp_smooth", "tabm_small": the other presets of the portfolio.
    metric : {"auto", "accuracy", "log_loss", "roc_auc"}, default="auto"
        The metric that the model is to be good at. "auto" and "accuracy" are the recipe of the preset. For "log_loss" and
        "roc_auc" there is no label smoothing, and the cross-entropy of validation rows chooses the epoch.
    network : str, Network, list, flax.linen.Module or callable, default="auto"
    loss : str, Loss or callable, default="auto"
    optimizer : str, Optimizer or callable, default="auto"
    learning_rate : float or "auto", default="auto"
    schedule : str, Schedule or callable, default="auto"
    clip_norm : float, None or "auto", default="auto"
    batch_size : int or "auto", default="auto"
    max_epochs : int or "auto", default="auto"
    early_stopping : bool or "auto", default="auto"
    validation_fraction : float, int, splitter, array-like or "auto", default="auto"
    n_iter_no_change : int or "auto", default="auto"
    tol : float, None or "auto", default="auto"
    scoring : str, Loss, callable, None or "auto", default="auto"
    numeric_scaling : {"standard", "robust", "quantile", "auto"} or None, default="auto"
        These have the meaning that they have in `DeepClassifier`, and "auto" is the preset's value.
    metrics : list of str, dict of scorers by name, or None, default=None
        Scores for `history_`, as in `DeepClassifier`; `metric` decides what the model is good at.
    class_weight : dict, list of dicts, "balanced" or None, default=None
    calibration : {"temperature", "auto"} or None, default="auto"
    l1 : float or None, default=None
    l2 : float, "auto" or None, default=None
    coalesce : bool or "auto", default="auto"
    categorical_features : "from_dtype", array-like of str, int or bool, or None, default="from_dtype"
    n_estimators : int, default=1
    bootstrap : bool, default=False
    cv : int, splitter, iterable or None, default=None
    shuffle : bool, default=True
    warm_start : bool, default=False
    random_state : int, RandomState or None, default=None
    verbose : int, default=0
    device : {"auto", "all", "cpu", "gpu", "tpu"}, int or list of int, default="auto"
    checkpoint : path-like, Checkpoint or None, default=None
        As in `DeepClassifier`.

    Attributes
    ----------
    preset_params_ : dict
        The parameters of `DeepClassifier` that the preset set; of a portfolio, those of its first preset.
    portfolio_, weights_ : dict, ndarray
        With `preset="portfolio"`: the weight of each preset, and of each of the `estimators_`.
    classes_, n_features_in_, feature_names_in_, is_categorical_, input_shape_, n_outputs_, n_iter_, best_epoch_, history_
    params_, model_state_, network_, loss_, optimizer_, schedule_, resolved_components_, n_parameters_
        As in `DeepClassifier`.

    See Also
    --------
    DeepClassifier : The same estimator without presets.

    Examples
    --------
    >>> import pandas as pd
    >>> from skdeep import TabularClassifier
    >>> sizes = [i / 10 if i % 7 else None for i in range(60)]
    >>> X = pd.DataFrame({"size": sizes, "colour": ["red", "blue", None] * 20})
    >>> y = ["large" if (size or 0) > 3 else "small" for size in sizes]
    >>> model = TabularClassifier(max_epochs=32, random_state=0).fit(X, y)
    >>> model.predict(X.iloc[[1, 59]]).tolist()
    ['small', 'large']
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **tabular_constraints(DeepClassifier._parameter_constraints),
        "metric": [StrOptions({"auto", "accuracy", "log_loss", "roc_auc"})],
    }

    def __init__(
        self,
        *,
        preset: str = "realmlp",
        metric: Literal["auto", "accuracy", "log_loss", "roc_auc"] = "auto",
        network: NetworkLike = "auto",
        loss: LossLike = "auto",
        optimizer: OptimizerLike = "auto",
        learning_rate: float | Auto = "auto",
        schedule: ScheduleLike = "auto",
        l1: float | None = None,
        l2: Penalty = None,
        clip_norm: float | Auto | None = "auto",
        batch_size: BatchSize = "auto",
        max_epochs: int | Auto = "auto",
        early_stopping: bool | Auto = "auto",
        validation_fraction: ValidationLike = "auto",
        n_iter_no_change: int | Auto = "auto",
        tol: float | Auto | None = "auto",
        scoring: ScoringLike = "auto",
        metrics: MetricsLike = None,
        class_weight: ClassWeight = None,
        calibration: Literal["temperature", "auto"] | None = "auto",
        coalesce: Coalesce = "auto",
        categorical_features: CategoricalFeatures = "from_dtype",
        numeric_scaling: NumericScaling | Auto = "auto",
        n_estimators: int = 1,
        bootstrap: bool = False,
        cv: CVLike = None,
        shuffle: bool = True,
        warm_start: bool = False,
        random_state: RandomState = None,
        verbose: int = 0,
        device: Device = "auto",
        checkpoint: CheckpointLike = None,
    ) -> None:
        self._store(locals())


class TabularRegressor(TabularEstimator, DeepRegressor):
    """A regressor for tables as they come, with the settings of a preset: `DeepRegressor` with other defaults.

    X may be a pandas, polars or pyarrow table with numbers, categories, text, booleans, dates and missing values, or an array.
    Nothing has to be scaled, encoded or filled in.

    Parameters
    ----------
    preset : str, default="realmlp"
        The settings of parameters that are "auto", from the functions in `skdeep.tables.presets`.

        - "realmlp": RealMLP-TD, a perceptron with embeddings of numbers; other settings from 50,000 rows on.
        - "fast": RealMLP-TD-S, without embeddings.
        - "tabm": TabM, an ensemble of 32 perceptrons in one network. It takes several times as long.
        - "portfolio": five presets on three folds, or those of `cv`; a greedy selection by their out-of-fold predictions weights
          them (`portfolio_`, `weights_`). `oof_score_` is then that of the selection, which it favours slightly.
        - "realmlp_sharp", "realmlp_smooth", "tabm_small": the other presets of the portfolio.
    metric : {"auto", "rmse", "mae"}, default="auto"
        The metric that the model is to be good at: "auto" and "rmse", the root mean squared error, or "mae", the mean absolute
        error of validation rows, chooses the epoch.
    network : str, Network, list, flax.linen.Module or callable, default="auto"
    loss : str, Loss or callable, default="auto"
    optimizer : str, Optimizer or callable, default="auto"
    learning_rate : float or "auto", default="auto"
    schedule : str, Schedule or callable, default="auto"
    clip_norm : float, None or "auto", default="auto"
    batch_size : int or "auto", default="auto"
    max_epochs : int or "auto", default="auto"
    early_stopping : bool or "auto", default="auto"
    validation_fraction : float, int, splitter, array-like or "auto", default="auto"
    n_iter_no_change : int or "auto", default="auto"
    tol : float, None or "auto", default="auto"
    scoring : str, Loss, callable, None or "auto", default="auto"
    numeric_scaling : {"standard", "robust", "quantile", "auto"} or None, default="auto"
    clip_predictions : bool or "auto", default="auto"
        These have the meaning that they have in `DeepRegressor`, and "auto" is the preset's value.
    metrics : list of str, dict of scorers by name, or None, default=None
        Scores for `history_`, as in `DeepClassifier`; `metric` decides what the model is good at.
    l1 : float or None, default=None
    l2 : float, "auto" or None, default=None
    coalesce : bool or "auto", default="auto"
    categorical_features : "from_dtype", array-like of str, int or bool, or None, default="from_dtype"
    n_estimators : int, default=1
    bootstrap : bool, default=False
    cv : int, splitter, iterable or None, default=None
    shuffle : bool, default=True
    warm_start : bool, default=False
    random_state : int, RandomState or None, default=None
    verbose : int, default=0
    device : {"auto", "all", "cpu", "gpu", "tpu"}, int or list of int, default="auto"
    checkpoint : path-like, Checkpoint or None, default=None
        As in `DeepRegressor`.

    Attributes
    ----------
    preset_params_ : dict
        The parameters of `DeepRegressor` that the preset set; of a portfolio, those of its first preset.
    portfolio_, weights_ : dict, ndarray
        With `preset="portfolio"`: the weight of each preset, and of each of the `estimators_`.
    n_features_in_, feature_names_in_, is_categorical_, input_shape_, n_outputs_, n_iter_, best_epoch_, history_
    params_, model_state_, network_, loss_, optimizer_, schedule_, resolved_components_, n_parameters_
        As in `DeepRegressor`.

    See Also
    --------
    DeepRegressor : The same estimator without presets.

    Examples
    --------
    >>> import pandas as pd
    >>> from skdeep import TabularRegressor
    >>> sizes = [i / 10 if i % 7 else None for i in range(60)]
    >>> X = pd.DataFrame({"size": sizes, "colour": ["red", "blue", None] * 20})
    >>> y = [2 * (size or 3) for size in sizes]
    >>> model = TabularRegressor(max_epochs=64, random_state=0).fit(X, y)
    >>> model.score(X, y) > 0.9
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **tabular_constraints(DeepRegressor._parameter_constraints),
        "metric": [StrOptions({"auto", "rmse", "mae"})],
    }

    def __init__(
        self,
        *,
        preset: str = "realmlp",
        metric: Literal["auto", "rmse", "mae"] = "auto",
        network: NetworkLike = "auto",
        loss: LossLike = "auto",
        optimizer: OptimizerLike = "auto",
        learning_rate: float | Auto = "auto",
        schedule: ScheduleLike = "auto",
        l1: float | None = None,
        l2: Penalty = None,
        clip_norm: float | Auto | None = "auto",
        batch_size: BatchSize = "auto",
        max_epochs: int | Auto = "auto",
        early_stopping: bool | Auto = "auto",
        validation_fraction: ValidationLike = "auto",
        n_iter_no_change: int | Auto = "auto",
        tol: float | Auto | None = "auto",
        scoring: ScoringLike = "auto",
        metrics: MetricsLike = None,
        coalesce: Coalesce = "auto",
        categorical_features: CategoricalFeatures = "from_dtype",
        numeric_scaling: NumericScaling | Auto = "auto",
        clip_predictions: bool | Auto = "auto",
        n_estimators: int = 1,
        bootstrap: bool = False,
        cv: CVLike = None,
        shuffle: bool = True,
        warm_start: bool = False,
        random_state: RandomState = None,
        verbose: int = 0,
        device: Device = "auto",
        checkpoint: CheckpointLike = None,
    ) -> None:
        self._store(locals())
