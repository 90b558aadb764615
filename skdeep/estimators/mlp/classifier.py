"""MLPClassifier."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Self

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.base import ClassifierMixin
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import type_of_target, unique_labels
from sklearn.utils.validation import column_or_1d

from skdeep.contract import Loss, Task
from skdeep.core.encode import is_sparse
from skdeep.core.link import (
    class_probabilities,
    decision_scores,
    has_built_in_link,
    predicted_classes,
)
from skdeep.core.rows import WeightedRows
from skdeep.core.target import check_same_form, decode_labels, encode_classes, encode_labels, fit_label_codes
from skdeep.errors import ComponentError
from skdeep.estimators.callbacks import with_callbacks
from skdeep.estimators.class_weight import weighted_by_labels, weights_of_classes
from skdeep.estimators.labels import kind_of_labels
from skdeep.estimators.mlp.fit import MLPEstimator, check_trains_by_epochs
from skdeep.estimators.mlp.parameters import MLP_CONSTRAINTS, StrOptions
from skdeep.estimators.mlp.rules import ZeroOne
from skdeep.estimators.parameter_types import (
    ActivationLike,
    BatchSize,
    ClassWeight,
    Device,
    LossLike,
    OptimizerLike,
    RandomState,
)
from skdeep.losses import CrossEntropy


def _gives_probabilities(estimator: Any) -> bool:
    try:
        loss = getattr(estimator, "_loss", None) or estimator._resolved_loss()
    except (ComponentError, TypeError):
        return True  # fit says what is wrong
    if not loss.probabilistic:
        raise AttributeError(
            f"predict_proba is not available for the loss {type(loss).__name__}, which gives no probabilities. "
            "Use loss='log_loss', or CalibratedClassifierCV."
        )
    return True


class MLPClassifier(ClassifierMixin, MLPEstimator):
    """A multi-layer perceptron classifier with the interface of `sklearn.neural_network.MLPClassifier`.

    From the same `random_state` it draws the same first weights and the same batches as scikit-learn's, and
    does the same updates, so that results agree up to rounding. What scikit-learn does not have are the
    parameters from `loss` on, `solver` by the name of any optimizer, and `activation` by any name.

    Parameters
    ----------
    hidden_layer_sizes : int or array-like of int, default=(100,)
        Widths of the hidden layers.
    activation : str or callable, default="relu"
        "identity", "logistic", "tanh", "relu", any other name of an activation, or a function.
    solver : str, Optimizer or callable, default="adam"
        "adam" and "sgd" (scikit-learn's own forms), "lbfgs" (SciPy's L-BFGS-B, in float64), the name of any
        other optimizer, an optimizer, or an Optax factory `f(learning_rate)`.
    alpha : float, default=1e-4
        L2 penalty on `coefs_`, divided by the weight of the batch.
    batch_size : int or "auto", default="auto"
        Rows a step; auto is `min(200, n_samples)`.
    learning_rate : {"constant", "invscaling", "adaptive"}, default="constant"
        Not used by "adam" and "lbfgs".
    learning_rate_init : float, default=1e-3
    power_t : float, default=0.5
        Exponent of "invscaling".
    max_iter : int, default=200
        Upper bound of epochs ("lbfgs": iterations); reaching it unconverged warns.
    shuffle : bool, default=True
    random_state : int, RandomState or None, default=None
    tol : float, default=1e-4
        Smallest gain that counts; for "lbfgs" the largest gradient at convergence.
    verbose : bool or int, default=False
    warm_start : bool, default=False
    momentum : float, default=0.9
    nesterovs_momentum : bool, default=True
        Both for "sgd".
    early_stopping : bool, default=False
        Hold out rows, stop by their accuracy, and keep the weights of the best epoch.
    validation_fraction : float, default=0.1
    beta_1, beta_2, epsilon : float, default=0.9, 0.999, 1e-8
        For "adam".
    n_iter_no_change : int or inf, default=10
    max_fun : int, default=15000
        Upper bound of evaluations of "lbfgs".
    loss : str, Loss or callable, default="log_loss"
        "log_loss", the name of any other loss for classes, a loss, or a function `f(raw, target) -> (n,)`.
    dropout : float or None, default=None
        Share of the values of each hidden layer dropped while training.
    normalization : {"batch", "layer"} or None, default=None
        Normalisation before each activation.
    class_weight : dict, list of dicts, "balanced" or None, default=None
        Weights by label, as in `DeepClassifier`; for multilabel y a dict for each column, and a row's weight is
        the product, so that "balanced" weights of rare labels multiply up.
    device : {"auto", "cpu", "gpu", "tpu"}, default="auto"

    Attributes
    ----------
    classes_ : ndarray (n_classes,)
    coefs_, intercepts_ : lists of ndarray
        Weights `(fan_in, fan_out)` and biases `(fan_out,)` of each layer, in the type of X. Assigning to
        them changes what is predicted, and what a warm start or `partial_fit` goes on from.
    loss_, best_loss_ : float
        Of the last epoch, penalty included, and the smallest; `best_loss_` is None with early stopping.
    loss_curve_ : list of float
    validation_scores_, best_validation_score_ : list of float, float
        Accuracies on the rows held out; None without early stopping.
    n_iter_, t_ : int
        Epochs of the last call, and rows seen since the first.
    n_features_in_, feature_names_in_, n_layers_, n_outputs_, out_activation_
    params_, model_state_ : nested dicts of ndarray
    history_ : pandas.DataFrame
        Columns as in `DeepClassifier`.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skdeep import MLPClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> model = MLPClassifier(solver="lbfgs", random_state=0).fit(X, y)
    >>> bool(model.score(X, y) > 0.95)
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **MLP_CONSTRAINTS,
        "class_weight": [None, dict, list, StrOptions({"balanced"})],
    }
    _own_losses: ClassVar[dict[str, Loss]] = {"log_loss": CrossEntropy()}

    _label_codes: np.ndarray
    _labels_were_sparse: bool

    def __init__(
        self,
        hidden_layer_sizes: int | Sequence[int] = (100,),
        activation: ActivationLike = "relu",
        *,
        solver: OptimizerLike = "adam",
        alpha: float = 0.0001,
        batch_size: BatchSize = "auto",
        learning_rate: str = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: RandomState = None,
        tol: float = 1e-4,
        verbose: bool | int = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        loss: LossLike = "log_loss",
        dropout: float | None = None,
        normalization: str | None = None,
        class_weight: ClassWeight = None,
        device: Device = "auto",
    ) -> None:
        super().__init__(
            loss=loss,
            hidden_layer_sizes=hidden_layer_sizes,
            activation=activation,
            solver=solver,
            alpha=alpha,
            batch_size=batch_size,
            learning_rate=learning_rate,
            learning_rate_init=learning_rate_init,
            power_t=power_t,
            max_iter=max_iter,
            shuffle=shuffle,
            random_state=random_state,
            tol=tol,
            verbose=verbose,
            warm_start=warm_start,
            momentum=momentum,
            nesterovs_momentum=nesterovs_momentum,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            beta_1=beta_1,
            beta_2=beta_2,
            epsilon=epsilon,
            n_iter_no_change=n_iter_no_change,
            max_fun=max_fun,
            dropout=dropout,
            normalization=normalization,
            device=device,
        )
        self.class_weight = class_weight

    @with_callbacks
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train the perceptron.

        Parameters
        ----------
        X : array-like or sparse matrix (n, features)
            float32 is trained in float32, everything else in float64.
        y : array-like (n,) of labels of any kind, or array-like or sparse matrix (n, labels) of 0 and 1
            Another pair of numbers says absent (the smaller one) and present, and is what `predict` returns.
        sample_weight : array-like (n,), default=None
            Non-negative.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If the data or a parameter is not what it must be, or weights become NaN or infinite.
        """
        return self._fit(X, y, sample_weight, incremental=False)

    @available_if(check_trains_by_epochs)
    @with_callbacks
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None, classes: Any = None) -> Self:
        """Train one epoch on these rows, going on from the last call.

        Parameters
        ----------
        X, y, sample_weight : as in `fit`
        classes : array-like (n_classes,), default=None
            All labels that will ever come; needed at the first call.

        Returns
        -------
        self
        """
        return self._fit(X, y, sample_weight, incremental=True, classes=classes)

    def decision_function(self, X: Any) -> np.ndarray:
        """Return scores whose sign (binary, multilabel) or largest (multiclass) says what `predict` says.

        They are the raw outputs of the network, or what the loss's own link makes of them: logits (binary,
        multilabel) or logarithms of probabilities.

        Returns
        -------
        ndarray `(n,)` for binary (positive: the second class), else `(n, classes)` or `(n, labels)`
        """
        raw, dtype = self._raw(X)
        return decision_scores(self._loss, raw, self._task, dtype)

    def predict(self, X: Any) -> np.ndarray:
        """Return the most probable labels `(n,)`, or for multilabel `(n, labels)` in the codes of y, sparse if y was."""
        raw, dtype = self._raw(X)
        if self._has_one_class:
            return np.repeat(self.classes_, len(raw))
        predicted = predicted_classes(self._loss, raw, self._task, np, dtype)
        if self._task.kind != "multilabel":
            return self.classes_[predicted]
        labels = decode_labels(predicted, self._label_codes)
        return csr_matrix(labels) if self._labels_were_sparse else labels

    @available_if(_gives_probabilities)
    def predict_proba(self, X: Any) -> np.ndarray:
        """Return probabilities `(n, classes)`, or `(n, labels)` for multilabel."""
        raw, dtype = self._raw(X)
        return self._probabilities(raw, dtype)

    def _probabilities(self, raw: np.ndarray, dtype: Any) -> np.ndarray:
        if self._has_one_class:
            return np.ones((len(raw), 1), dtype)
        probability = class_probabilities(self._loss, raw, self._task, np)
        if self._task.kind == "multilabel" and has_built_in_link(self._loss):
            # A sigmoid is never 1, but for rounding.
            probability = np.minimum(probability, 1 - np.finfo(dtype).epsneg)
        return probability.astype(dtype, copy=False)

    @available_if(_gives_probabilities)
    def predict_log_proba(self, X: Any) -> np.ndarray:
        """Return the logarithms of `predict_proba`: minus infinity where those round to 0, as in scikit-learn."""
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    @property
    def _has_one_class(self) -> bool:
        return self._task.kind != "multilabel" and len(self.classes_) == 1

    def _announce_classes(self, y: Any, classes: Any) -> None:
        """Take the classes of the first `partial_fit`, or compare them with those."""
        if not hasattr(self, "classes_"):
            if classes is None:
                raise ValueError("classes must be passed on the first call to partial_fit.")
            is_multilabel = type_of_target(y).startswith("multilabel")
            self.classes_ = np.arange(np.shape(y)[1]) if is_multilabel else unique_labels(classes)
        elif classes is not None and not np.array_equal(self.classes_, unique_labels(classes)):
            raise ValueError(
                f"`classes={classes!r}` is not the same as on last call to partial_fit, was: {self.classes_!r}"
            )

    def _encode_target(self, y: Any, *, learns: bool) -> tuple[np.ndarray, Task]:
        labels_are_sparse = is_sparse(y)
        y = y.toarray() if labels_are_sparse else y
        kind = kind_of_labels(y)
        is_indicator = kind == "multilabel-indicator"
        if not learns and hasattr(self, "_task"):
            check_same_form(self._task, kind, type(self).__name__)
        if is_indicator:
            if learns or not hasattr(self, "_labels_were_sparse"):
                self._labels_were_sparse = labels_are_sparse
            return self._encode_labels(np.asarray(y), learns=learns)
        y = column_or_1d(y, warn=True)
        self._settle_classes(np.unique(y), learns=learns)
        n_classes = len(self.classes_)
        return encode_classes(y, self.classes_), Task("binary" if n_classes <= 2 else "multiclass", n_classes)

    def _encode_labels(self, y: np.ndarray, *, learns: bool) -> tuple[np.ndarray, Task]:
        n_labels = y.shape[1]
        if not learns and hasattr(self, "classes_") and n_labels != len(self.classes_):
            raise ValueError(f"y has {n_labels} labels, but {type(self).__name__} was fitted on {len(self.classes_)}.")
        self._settle_classes(np.arange(n_labels), learns=learns)
        if learns or not hasattr(self, "_label_codes"):
            codes = fit_label_codes(y)
            # scikit-learn's perceptron predicts whole numbers, whatever type 0 and 1 had.
            self._label_codes = codes.astype(np.int64) if codes[0] == 0 and codes[1] == 1 else codes
        return encode_labels(y, self._label_codes), Task("multilabel", n_labels)

    def _settle_classes(self, found: np.ndarray, *, learns: bool) -> None:
        """Learn the classes of y, or see whether those fit the ones that are known."""
        if learns or not hasattr(self, "classes_"):
            self.classes_ = found
        elif self.warm_start and set(found) != set(self.classes_):
            raise ValueError(
                "warm_start can only be used where `y` has the same classes as in the previous call to fit. "
                f"Previously got {self.classes_}, `y` has {found}"
            )
        elif len(np.setdiff1d(found, self.classes_)):
            raise ValueError(
                f"`y` has classes not in `self.classes_`. `self.classes_` has {self.classes_}. 'y' has {found}."
            )

    def _weigh(self, rows: WeightedRows) -> WeightedRows:
        if self.class_weight is None:
            return rows
        if self._task.kind == "multilabel":
            return weighted_by_labels(self.class_weight, rows, self._label_codes)
        of_class = weights_of_classes(self.class_weight, rows, self.classes_, self._task)
        return rows._replace(weight=rows.weight * of_class[rows.target])

    def _out_activation(self) -> str:
        if not self._loss.probabilistic:
            return "identity"
        return "softmax" if self._task.kind == "multiclass" else "logistic"

    def _loss_scales(self) -> tuple[float, float]:
        is_summed = self._component_value("loss") is None and self._task.kind == "multilabel"
        scale = float(self._task.n_targets) if is_summed else 1.0
        return scale, scale

    def _largest_reported(self, dtype: Any) -> float | None:
        # scikit-learn cuts probabilities off in the log loss that it reports, not in its gradient.
        is_cut = self._component_value("loss") is None and self._task.kind != "multilabel"
        return float(-np.log(np.finfo(dtype).eps)) if is_cut else None

    def _validation_loss(self, held_out: WeightedRows) -> Loss:
        return ZeroOne(self._task, self._loss)

    def _strata(self, rows: WeightedRows) -> Any:
        # scikit-learn splits by class only where one output tells the classes.
        return (rows.target == 1).reshape(-1, 1) if self._task.kind == "binary" else None

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
