"""MLPClassifier."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Self

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.base import ClassifierMixin
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import unique_labels

from skdeep.contract import Loss
from skdeep.core.encoding import Classes, Encoding, Labels
from skdeep.core.link import class_probabilities, decision_scores, has_built_in_link
from skdeep.core.rows import WeightedRows
from skdeep.core.target import check_same_form, fit_label_codes
from skdeep.errors import ComponentError
from skdeep.estimators.callbacks import with_callbacks
from skdeep.estimators.class_weight import class_weigher
from skdeep.estimators.given_targets import check_found_classes, check_n_labels, check_same_classes, labels_given
from skdeep.estimators.mlp.base import Perceptron, check_trains_by_epochs
from skdeep.estimators.mlp.parameters import MLP_CONSTRAINTS, StrOptions
from skdeep.estimators.parameter_types import (
    ActivationLike,
    BatchSize,
    ClassWeight,
    Device,
    LossLike,
    OptimizerLike,
    RandomState,
)
from skdeep.estimators.prepare import Draft, Earlier
from skdeep.estimators.training import FitData, train
from skdeep.losses import CrossEntropy
from skdeep.perceptron.rules import ZeroOne
from skdeep.records import Task


def _gives_probabilities(estimator: Any) -> bool:
    try:
        loss = getattr(estimator, "_loss", None) or estimator._resolved_loss()
    except (ComponentError, TypeError):
        return True  # fit raises the error
    if not loss.probabilistic:
        raise AttributeError(
            f"predict_proba is not available for the loss {type(loss).__name__}, which gives no probabilities. "
            "Use loss='log_loss', or CalibratedClassifierCV."
        )
    return True


class MLPClassifier(ClassifierMixin, Perceptron):
    """A multi-layer perceptron classifier with the interface of `sklearn.neural_network.MLPClassifier`.

    With the same `random_state`, weight initialisation, batches and updates are those of scikit-learn, so that results
    agree up to rounding. scikit-learn lacks the parameters from `loss` on, a `solver` other than its three, and an
    `activation` other than its four.

    Parameters
    ----------
    hidden_layer_sizes : int or array-like of int, default=(100,)
        Widths of the hidden layers.
    activation : str or callable, default="relu"
        "identity", "logistic", "tanh", "relu", the name of any other activation, or a function of an array.
    solver : str, Optimizer or callable, default="adam"
        "adam" and "sgd" (scikit-learn's own forms), "lbfgs" (SciPy's L-BFGS-B, in float64), the name of any
        other optimizer, an optimizer, or an Optax factory `f(learning_rate)`.
    alpha : float, default=1e-4
        Strength of the L2 penalty `0.5 * alpha * sum w^2` on `coefs_`, which is added to the weighted sum of the losses of
        a batch. The result is divided by the sum of the batch's sample weights, as in scikit-learn.
    batch_size : int or "auto", default="auto"
        Rows per step; "auto" is `min(200, n_samples)`.
    learning_rate : {"constant", "invscaling", "adaptive"}, default="constant"
        Not used by "adam" and "lbfgs".
    learning_rate_init : float, default=1e-3
    power_t : float, default=0.5
        Exponent of "invscaling".
    max_iter : int, default=200
        Largest number of epochs ("lbfgs": iterations). `fit` warns if training has not converged by then.
    shuffle : bool, default=True
    random_state : int, RandomState or None, default=None
    tol : float, default=1e-4
        Smallest improvement of the loss, or of the validation score, that counts. With "lbfgs", training has converged
        if no component of the gradient is larger.
    verbose : bool or int, default=False
    warm_start : bool, default=False
    momentum : float, default=0.9
        For "sgd".
    nesterovs_momentum : bool, default=True
        For "sgd".
    early_stopping : bool, default=False
        Hold out `validation_fraction` of the rows, stop by the accuracy on them, and keep the weights of the best epoch.
    validation_fraction : float, default=0.1
    beta_1, beta_2, epsilon : float, default=0.9, 0.999, 1e-8
        For "adam".
    n_iter_no_change : int or inf, default=10
    max_fun : int, default=15000
        Largest number of evaluations of the loss by "lbfgs".
    loss : str, Loss or callable, default="log_loss"
        "log_loss", the name of any other classification loss, a loss, or a function `f(raw, target) -> (n,)`.
    dropout : float or None, default=None
        Share of the values of each hidden layer that is set to 0 in each training step.
    normalization : {"batch", "layer"} or None, default=None
        Normalisation before each activation.
    class_weight : dict, list of dicts, "balanced" or None, default=None
        Weights of classes, as in `DeepClassifier`. For multilabel y, a list with one dict per column; the weight of a row
        is the product of its labels' weights, so that with "balanced" a row with several rare labels has a large weight.
    device : {"auto", "all", "cpu", "gpu", "tpu"}, int or list of int, default="auto"

    Attributes
    ----------
    classes_ : ndarray (n_classes,)
    coefs_, intercepts_ : lists of ndarray
        Weights `(fan_in, fan_out)` and biases `(fan_out,)` of each layer, in the dtype of X (float32 or float64).
        Predictions use arrays that are assigned to them, and a warm start or `partial_fit` continues from these.
    loss_, best_loss_ : float
        The loss of the last epoch and the smallest loss, penalty included. `best_loss_` is None with early stopping.
    loss_curve_ : list of float
        The loss of each epoch.
    validation_scores_, best_validation_score_ : list of float, float
        Accuracies on the held-out rows, one per epoch, and the largest; None without early stopping.
    n_iter_ : int
        Number of epochs of the last call ("lbfgs": iterations).
    t_ : int
        Number of rows trained on since the first call, each counted once per epoch.
    n_features_in_, feature_names_in_, n_layers_, n_outputs_, out_activation_
    params_, model_state_ : nested dicts of ndarray
    history_ : pandas.DataFrame
        Columns as in `DeepClassifier`.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skdeep import MLPClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> model = MLPClassifier(solver="lbfgs", max_iter=1000, random_state=0).fit(X, y)
    >>> bool(model.score(X, y) > 0.95)
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **MLP_CONSTRAINTS,
        "class_weight": [None, dict, list, StrOptions({"balanced"})],
    }
    _own_losses: ClassVar[dict[str, Loss]] = {"log_loss": CrossEntropy()}

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
        self._store(locals())

    @with_callbacks
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train the perceptron.

        Parameters
        ----------
        X : array-like or sparse matrix (n, features)
            float32 X is trained in float32, any other X in float64. "lbfgs" always computes in float64.
        y : array-like (n,) of labels of any kind, or array-like or sparse matrix (n, labels) of 0 and 1
            Two other numbers may be used for absent (the smaller one) and present; `predict` then returns these.
        sample_weight : array-like (n,), default=None
            Non-negative weights of the loss.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If the data or a parameter is invalid.
        NonFiniteLossError
            If the loss or the weights become NaN or infinite and early stopping has kept no weights.
        """
        return train(self, FitData(X, y, sample_weight))

    @available_if(check_trains_by_epochs)
    @with_callbacks
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None, classes: Any = None) -> Self:
        """Train one epoch on these rows, continuing from the last call.

        Parameters
        ----------
        X, y, sample_weight : as in `fit`
        classes : array-like (n_classes,), default=None
            All labels of the first and all later calls; required in the first call.

        Returns
        -------
        self

        Raises
        ------
        AttributeError
            With `solver="lbfgs"`.
        ValueError
            With `early_stopping=True`, if the data or a parameter is invalid, or if a change since the earlier fit does not
            allow training to continue.
        NonFiniteLossError
            If the loss becomes NaN or infinite.
        """
        return train(self, FitData(X, y, sample_weight, classes=classes, more_come=True), is_partial=True)

    def decision_function(self, X: Any) -> np.ndarray:
        """Return decision scores, which agree with `predict`: by their sign, or by the largest for multiclass.

        For a loss with the built-in link (sigmoid, softmax or identity) they are the raw outputs of the network (for
        binary with two raw outputs, their difference). If the loss overrides `link` and is probabilistic, they are the
        logits (binary, multilabel) or the logarithms (multiclass) of its probabilities. If it is not probabilistic, they
        are the scores of its link.

        Parameters
        ----------
        X : array-like or sparse matrix (n, features)

        Returns
        -------
        ndarray `(n,)` for binary (positive: the second class), else `(n, classes)` or `(n, labels)`
        """
        raw, dtype = self._raw(X)
        return decision_scores(self._loss, raw, self._task, dtype)

    def predict(self, X: Any) -> np.ndarray:
        """Return the predicted labels.

        They are the labels with the largest probability, or for multilabel those with a probability above 0.5. If the loss
        is not probabilistic, they are those with the largest score, or for binary and multilabel a score above 0.

        Parameters
        ----------
        X : array-like or sparse matrix (n, features)

        Returns
        -------
        ndarray (n,), or for multilabel an ndarray or sparse matrix (n, labels), as y was, in the codes of y
        """
        raw, dtype = self._raw(X)
        predicted = self._encoding.decode(self._loss, raw, dtype)
        return csr_matrix(predicted) if getattr(self._encoding.target, "were_sparse", False) else predicted

    @available_if(_gives_probabilities)
    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the probabilities of classes or labels.

        Parameters
        ----------
        X : array-like or sparse matrix (n, features)

        Returns
        -------
        ndarray (n, classes), or (n, labels) for multilabel

        Raises
        ------
        AttributeError
            If the loss gives no probabilities.
        """
        raw, dtype = self._raw(X)
        return self._probabilities(raw, dtype)

    def _probabilities(self, raw: np.ndarray, dtype: Any) -> np.ndarray:
        if self._has_one_class:
            return np.ones((len(raw), 1), dtype)
        probability = class_probabilities(self._loss, raw, self._task, np)
        if self._task.kind == "multilabel" and has_built_in_link(self._loss):
            # A sigmoid is below 1; only rounding makes it 1.
            probability = np.minimum(probability, 1 - np.finfo(dtype).epsneg)
        return probability.astype(dtype, copy=False)

    @available_if(_gives_probabilities)
    def predict_log_proba(self, X: Any) -> np.ndarray:
        """Return the natural logarithms of `predict_proba`; minus infinity where it rounds to 0, as in scikit-learn.

        Parameters
        ----------
        X : array-like or sparse matrix (n, features)

        Returns
        -------
        ndarray (n, classes), or (n, labels) for multilabel

        Raises
        ------
        AttributeError
            If the loss gives no probabilities.
        """
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    @property
    def _has_one_class(self) -> bool:
        return self._task.kind != "multilabel" and len(self.classes_) == 1

    @property
    def classes_(self) -> np.ndarray:
        """The sorted labels; for multilabel y the numbers of its columns."""
        classes: np.ndarray = self._learned("classes_").target.classes
        return classes

    def _read(self, data: Any, earlier: Earlier | None) -> tuple[Encoding, WeightedRows]:
        if data.more_come and data.classes is None and self._known_target(earlier) is None:
            raise ValueError("classes must be passed on the first call to partial_fit.")
        return super()._read(data, earlier)

    def _read_target(self, y: Any, weight: np.ndarray, known: Any, classes: Any) -> tuple[Any, np.ndarray]:
        labels = labels_given(y)
        if known is not None:
            check_same_form(known.task, labels.kind, type(self).__name__)
            check_same_classes(None if classes is None else unique_labels(classes), known.classes)
        target = known
        if labels.is_indicator:
            if known is None:
                target = Labels(labels.values.shape[1], _codes_of(labels.values), labels.were_sparse)
            check_n_labels(type(self).__name__, labels.values.shape[1], target.n_labels)
            return target, target.encode(labels.values)
        if known is None:
            target = Classes(np.unique(labels.values) if classes is None else unique_labels(classes))
        check_found_classes(np.unique(labels.values), target.classes, must_be_same=self.warm_start)
        return target, target.encode(labels.values)

    def _finished(self, rows: WeightedRows, encoding: Any, loss: Loss) -> WeightedRows:
        if encoding.task.kind == "multilabel":
            rows = rows._replace(target=rows.target.astype(rows.x.dtype, copy=False))
        return class_weigher(self.class_weight, rows, encoding.target)(rows)

    def _out_activation(self) -> str:
        if not self._loss.probabilistic:
            return "identity"
        return "softmax" if self._task.kind == "multiclass" else "logistic"

    def _loss_scales(self, task: Task) -> tuple[float, float]:
        is_summed = self._component_value("loss") is None and task.kind == "multilabel"
        scale = float(task.n_targets) if is_summed else 1.0
        return scale, scale

    def _largest_reported(self, encoding: Any) -> float | None:
        # scikit-learn clips probabilities in the log loss that it reports, but not in its gradient.
        is_cut = self._component_value("loss") is None and encoding.task.kind != "multilabel"
        return float(-np.log(np.finfo(encoding.dtype).eps)) if is_cut else None

    def _validation_loss(self, validation: WeightedRows, draft: Draft) -> Loss:
        return ZeroOne(draft.encoding.task, draft.resolved.loss)

    def _strata(self, rows: WeightedRows, task: Task) -> Any:
        # scikit-learn stratifies the split only if the network has one output (binary y).
        return (rows.target == 1).reshape(-1, 1) if task.kind == "binary" else None

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


def _codes_of(y: np.ndarray) -> np.ndarray:
    """Return the codes of an indicator matrix; as in scikit-learn, 0 and 1 are predicted as integers."""
    codes = fit_label_codes(y)
    return codes.astype(np.int64) if codes[0] == 0 and codes[1] == 1 else codes
