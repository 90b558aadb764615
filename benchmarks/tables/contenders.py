"""The contenders: functions from a task kind and a seed to an estimator that takes a data frame."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from skdeep import DeepClassifier, DeepRegressor, TabularClassifier, TabularRegressor

Maker = Callable[[bool, int], Any]


def _preprocessing() -> Any:
    """One-hot categories, and filled in and standardised numbers, as scikit-learn's user guide does it."""
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    return make_column_transformer(
        (numbers, make_column_selector(dtype_include="number")),
        (OneHotEncoder(handle_unknown="ignore"), make_column_selector(dtype_exclude="number")),
        sparse_threshold=0,
    )


def _tabular(**params: Any) -> Maker:
    def make(is_regression: bool, seed: int) -> Any:
        return (TabularRegressor if is_regression else TabularClassifier)(random_state=seed, **params)

    return make


def _tabular_with(**of_classifier: Any) -> Maker:
    """Return a maker whose classifiers get parameters that regressors lack."""

    def make(is_regression: bool, seed: int) -> Any:
        return _tabular(**({} if is_regression else of_classifier))(is_regression, seed)

    return make


def _deep(is_regression: bool, seed: int) -> Any:
    return make_pipeline(_preprocessing(), (DeepRegressor if is_regression else DeepClassifier)(random_state=seed))


def _deep_on_table(is_regression: bool, seed: int) -> Any:
    return (DeepRegressor if is_regression else DeepClassifier)(random_state=seed, numeric_scaling="standard")


def _mlp(is_regression: bool, seed: int) -> Any:
    return make_pipeline(_preprocessing(), (MLPRegressor if is_regression else MLPClassifier)(random_state=seed))


def _hist(is_regression: bool, seed: int) -> Any:
    cls = HistGradientBoostingRegressor if is_regression else HistGradientBoostingClassifier
    return make_pipeline(FunctionTransformer(_as_categories), cls(random_state=seed, categorical_features="from_dtype"))


def _as_categories(frame: Any) -> Any:
    """Return text columns as categories, with at most 255 levels; the rarest others become missing."""
    frame = frame.copy()
    for name in frame.select_dtypes(exclude="number"):
        frequent = frame[name].value_counts().index[:250]
        frame[name] = frame[name].where(frame[name].isin(frequent)).astype("category")
    return frame


CONTENDERS: dict[str, Maker] = {
    "realmlp": _tabular(),
    "fast": _tabular(preset="fast"),
    "tabm": _tabular(preset="tabm"),
    "portfolio": _tabular(preset="portfolio"),
    "realmlp_uncalibrated": _tabular_with(calibration=None),
    "realmlp_log_loss": _tabular_with(metric="log_loss"),
    "realmlp_5": _tabular(n_estimators=5),
    "deep": _deep,
    "deep_on_table": _deep_on_table,
    "sklearn_mlp": _mlp,
    "hist_gradient_boosting": _hist,
}
"""`pytabkit` is another one, in an environment of its own: see `pytabkit_worker.py`."""
