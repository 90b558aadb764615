"""Presets: plain functions from a table and its task to parameters of `DeepClassifier` and `DeepRegressor`."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from skdeep.contract import Loss, Network
from skdeep.losses import AbsoluteError, CrossEntropy, SquaredError, ZeroOne
from skdeep.networks import RealMLP, TabM
from skdeep.optimizers import AdamW, GroupedAdamW, ParameterGroup
from skdeep.records import Task
from skdeep.schedules import CosLog, FlatCosine

LARGE = 50_000
"""From this number of rows on, "realmlp" uses the settings that were tuned for large tables."""

# Batch sizes of TabM: the first bound above the number of rows counts.
_TABM_BATCHES = ((2_800, 32), (4_500, 64), (6_400, 128), (32_000, 256), (108_000, 512))


@dataclasses.dataclass(frozen=True)
class TableTask:
    """The facts that presets depend on.

    Parameters
    ----------
    task : Task
    n_rows : int
        Number of rows, including those that are held out.
    n_numeric : int
        Number of numeric columns.
    n_levels : tuple of int, default=()
        Number of levels of each category, and 1 for each column of numbers with missing values.
    metric : str, default="auto"
        The metric to optimise: "auto", "accuracy", "log_loss" or "roc_auc"; for regression "auto", "rmse" or "mae".
    network : Network or None, default=None
        The network that the user chose, None for the preset's.
    """

    task: Task
    n_rows: int
    n_numeric: int
    n_levels: tuple[int, ...] = ()
    metric: str = "auto"
    network: Network | None = None

    @property
    def is_regression(self) -> bool:
        """Whether y holds numbers."""
        return self.task.kind == "regression"

    @property
    def asks_for_probabilities(self) -> bool:
        """Whether the metric compares probabilities, not predicted classes."""
        return self.metric in ("log_loss", "roc_auc")


def realmlp(table: TableTask) -> dict[str, Any]:
    """Return the parameters of RealMLP-TD, and from 50,000 rows on those of its settings for large tables.

    The error of validation rows chooses the epoch: the share of wrong classes, and the latest epoch if several are best. Training
    never stops early. For "log_loss" and "roc_auc" there is no label smoothing, and the cross-entropy chooses the epoch.

    References
    ----------
    Holzmüller et al., arXiv 2407.04491. The settings for large tables are those of AutoGluon 1.6, "REALMLP_r9", for one member and
    without its early stopping.
    """
    return _realmlp_large(table) if table.n_rows >= LARGE else _realmlp_default(table)


def _realmlp_default(table: TableTask) -> dict[str, Any]:
    network = RealMLP(
        widths=(256, 256, 256), activation="mish" if table.is_regression else "selu", dropout_schedule=FlatCosine()
    )
    smooth = CrossEntropy(label_smoothing=0.1, binary_outputs=2)
    decay = {"b2": 0.95, "weight_decay": 0.02, "decay_schedule": FlatCosine()}
    rates = {"scale": 6.0, "numeric": 0.1}
    return _of_realmlp(table, network, smooth, 0.2 if table.is_regression else 0.04, rates, decay)


def _realmlp_large(table: TableTask) -> dict[str, Any]:
    network = RealMLP(
        widths=(256, 256, 256, 256),
        activation="mish",
        dropout_rate=0.4649,
        dropout_schedule=FlatCosine(),
        n_frequencies=64,
        numeric_features=8,
        frequency_std=0.1082,
        category_features=16,
        max_one_hot_levels=4,
    )
    smooth = CrossEntropy(label_smoothing=0.05628, smoothing_schedule=CosLog(), binary_outputs=2)
    decay = {"b2": 0.95556, "weight_decay": 0.04133, "decay_schedule": FlatCosine()}
    rates = {"scale": 4.969, "numeric": 0.0718, "dense_0/kernel": 0.5533}
    return _of_realmlp(table, network, smooth, 0.02825, rates, decay)


def fast(table: TableTask) -> dict[str, Any]:
    """Return the parameters of RealMLP-TD-S: one-hot categories, no embeddings, no dropout and no weight decay.

    References
    ----------
    Holzmüller et al., arXiv 2407.04491, RealMLP-TD-S.
    """
    network = RealMLP(
        widths=(256, 256, 256),
        activation="mish" if table.is_regression else "selu",
        dropout_rate=None,
        numeric_features=None,
        max_one_hot_levels=None,
        parametric=False,
        init="normal",
    )
    smooth = CrossEntropy(label_smoothing=0.1, binary_outputs=2)
    decay = {"b2": 0.95, "weight_decay": 0.0}
    params = _of_realmlp(table, network, smooth, 0.07 if table.is_regression else 0.04, {"scale": 6.0}, decay)
    return {**params, **_clipping(table, False)}


def tabm(table: TableTask) -> dict[str, Any]:
    """Return the parameters of TabM-mini with piecewise-linear embeddings: a network that is an ensemble of 32.

    The loss of the mean prediction on validation rows chooses the epoch, and training stops after 16 epochs without a better one.

    References
    ----------
    Gorishniy et al., arXiv 2410.24210, with the settings of TabArena (arXiv 2506.16791).
    """
    batch_size = next((size for most, size in _TABM_BATCHES if table.n_rows < most), 1024)
    return {
        "network": TabM(widths=(512, 512) if table.n_numeric else (512, 512, 512)),
        "loss": "squared_error" if table.is_regression else "cross_entropy",
        "optimizer": AdamW(weight_decay=3e-4),
        "learning_rate": 2e-3,
        "schedule": "constant",
        "clip_norm": 1.0,
        "batch_size": batch_size,
        "max_epochs": 1000,
        "early_stopping": True,
        "validation_fraction": 0.2,
        "n_iter_no_change": 16,
        "tol": 0.0,
        "scoring": _validation_loss(table, CrossEntropy()),
        "numeric_scaling": "quantile",
        **_clipping(table, False),
    }


def realmlp_sharp(table: TableTask) -> dict[str, Any]:
    """Return the parameters of "realmlp" with higher frequencies, less dropout, a lower rate and no label smoothing."""
    params = _realmlp_default(table)
    network = params["network"].replace(dropout_rate=0.05, frequency_std=0.5)
    loss = params["loss"] if table.is_regression else CrossEntropy(binary_outputs=2)
    return {**params, "network": network, "loss": loss, "learning_rate": 0.5 * params["learning_rate"]}


def realmlp_smooth(table: TableTask) -> dict[str, Any]:
    """Return the parameters of "realmlp" with lower frequencies, more dropout and more weight decay."""
    params = _realmlp_default(table)
    network = params["network"].replace(dropout_rate=0.35, frequency_std=0.03)
    return {**params, "network": network, "optimizer": params["optimizer"].replace(weight_decay=0.05)}


def tabm_small(table: TableTask) -> dict[str, Any]:
    """Return the parameters of "tabm" with 8 members of half the width."""
    params = tabm(table)
    widths = tuple(width // 2 for width in params["network"].widths)
    return {**params, "network": params["network"].replace(n_members=8, widths=widths)}


PRESETS: dict[str, Callable[[TableTask], dict[str, Any]]] = {
    "realmlp": realmlp,
    "realmlp_sharp": realmlp_sharp,
    "realmlp_smooth": realmlp_smooth,
    "fast": fast,
    "tabm": tabm,
    "tabm_small": tabm_small,
}

PORTFOLIO = ("realmlp", "realmlp_sharp", "realmlp_smooth", "fast", "tabm_small")
"""The presets that "portfolio" trains. The first three share one program, but for the label smoothing."""

SCALINGS = {name: "quantile" if name.startswith("tabm") else "robust" for name in PRESETS}
"""The `numeric_scaling` of each preset, which is needed before the table is known."""


def _of_realmlp(
    table: TableTask,
    network: RealMLP,
    smooth: CrossEntropy,
    learning_rate: float,
    rates: dict[str, float],
    decay: dict[str, Any],
) -> dict[str, Any]:
    """Return the parameters of RealMLP: `smooth` is the loss of a classifier for "auto", `rates` are factors of parameter groups.

    The rates suit the parametrisation of RealMLP. Another network of the user gets Adam's usual rate, without groups.
    """
    chosen = network if table.network is None else table.network
    groups = _groups(table, chosen, rates) if isinstance(chosen, RealMLP) else None
    sharp = CrossEntropy(binary_outputs=2)
    loss = sharp if table.asks_for_probabilities else smooth
    scoring = sharp if table.asks_for_probabilities else ZeroOne()
    return {
        "network": network,
        "loss": SquaredError() if table.is_regression else loss,
        "optimizer": GroupedAdamW(**decay, groups=groups or ()),
        "learning_rate": 1e-3 if groups is None else learning_rate,
        "schedule": CosLog(),
        "clip_norm": None,
        "batch_size": 256,
        "max_epochs": 256,
        "early_stopping": True,
        "validation_fraction": 0.2,
        "n_iter_no_change": 256,
        "tol": None,
        "scoring": _validation_loss(table, scoring),
        "numeric_scaling": "robust",
        **_clipping(table, True),
    }


def _clipping(table: TableTask, clips: bool) -> dict[str, bool]:
    """Return whether predictions are limited to the range of y, a parameter of regressors only."""
    return {"clip_predictions": clips} if table.is_regression else {}


def _validation_loss(table: TableTask, of_classes: Loss) -> Loss:
    if not table.is_regression:
        return of_classes
    return AbsoluteError() if table.metric == "mae" else SquaredError()


def _groups(table: TableTask, network: RealMLP, rates: dict[str, float]) -> tuple[ParameterGroup, ...]:
    """Return the groups of those parameters that the network has.

    As in the code of RealMLP, the factor of the decay is the square of that of the rate.
    """
    rates = dict(rates)
    if not table.n_numeric or network.numeric_features is None:
        rates.pop("numeric", None)
    if network.parametric:
        rates |= {f"activation_{i}": 0.1 for i in range(len(network.widths))}
    most = network.max_one_hot_levels
    has_ids = most is not None and any(n > most for n in table.n_levels)
    return (
        ParameterGroup("bias", rate=0.1, decay=0.0),
        *((ParameterGroup("embedding", decay=1.0),) if has_ids else ()),
        *(ParameterGroup(name, rate=rate, decay=rate**2) for name, rate in rates.items()),
    )
