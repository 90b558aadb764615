"""DeepClassifier."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, Self

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.metrics import accuracy_score

from skdeep.core.calibration import Temperature, fit_temperature
from skdeep.core.encoding import Classes, Labels
from skdeep.core.link import class_probabilities, cut_logits, decision_scores, has_built_in_link, log_probabilities
from skdeep.core.members import OfMembers, joined, logits_of_mean, loss_of_member
from skdeep.core.rows import WeightedRows
from skdeep.core.target import check_same_form, fit_label_codes
from skdeep.errors import ComponentError
from skdeep.estimators.availability import available_if
from skdeep.estimators.by_blocks import by_blocks, for_score
from skdeep.estimators.callbacks import with_callbacks
from skdeep.estimators.class_weight import class_weigher
from skdeep.estimators.deep import trains_epoch_by_epoch
from skdeep.estimators.given_targets import check_n_labels, check_same_classes, labels_given
from skdeep.estimators.members import over_members, weights_of
from skdeep.estimators.parameter_types import (
    AugmentationLike,
    BatchSize,
    CategoricalFeatures,
    CheckpointLike,
    ClassWeight,
    Coalesce,
    CVLike,
    Device,
    InputsLike,
    LossLike,
    MetricsLike,
    NetworkLike,
    NumericScaling,
    OptimizerLike,
    Penalty,
    Pretrained,
    RandomState,
    ScheduleLike,
    ScoringLike,
    ValidationLike,
)
from skdeep.estimators.parameters import StrOptions
from skdeep.estimators.resolve import resolve_ready
from skdeep.estimators.streaming import check_in_memory
from skdeep.estimators.supervised import SupervisedEstimator
from skdeep.estimators.target_summary import LabelSummary
from skdeep.estimators.training import FitData, train
from skdeep.estimators.warn import warn_caller

# At this decision value float64 sigmoids of neighbouring float32 values still differ, and are inside (0, 1).
LARGEST_DECISION = 20.0


def _gives_probabilities(estimator: Any) -> bool:
    try:
        loss = getattr(estimator, "loss_", None) or resolve_ready("loss", estimator._component_value("loss"))[1]
    except ComponentError:
        return True  # fit raises the error
    if not loss.probabilistic:
        raise AttributeError(
            f"predict_proba is not available for the loss {type(loss).__name__}, which gives no probabilities. "
            "Use loss='cross_entropy', or CalibratedClassifierCV."
        )
    return True


def _obstacle_to_calibration(job: Any) -> str | None:
    """Return what `calibration="temperature"` lacks in a job, None if it lacks nothing."""
    if job.validation is None:
        return "needs validation rows. Set early_stopping=True, or give X_val and y_val to fit."
    loss = loss_of_member(job.config.loss)
    if loss.probabilistic and has_built_in_link(loss):
        return None
    return (
        "needs a loss with the built-in link to probabilities, such as 'cross_entropy'. "
        f"Got {loss}. Set calibration=None, or use CalibratedClassifierCV."
    )


class DeepClassifier(ClassifierMixin, SupervisedEstimator):
    """A neural network classifier for binary, multiclass and multilabel targets.

    X is not scaled inside: put a scaler before the classifier in a pipeline.

    Parameters
    ----------
    network : str, Network, list, flax.linen.Module or callable, default="mlp"
        A registered name; a network such as `skdeep.networks.MLP(widths=(64,))`; a list of hidden
        layers (names, `(name, options)` pairs, layers, linen modules), to which the output layer
        is added; a linen module; or an NNX factory `f(in_shape, n_outputs, rngs)`.
    loss : str, Loss or callable, default="auto"
        A name, a loss, or a function `f(raw, target) -> (n,)`; "auto" is "cross_entropy".
    optimizer : str, Optimizer or callable, default="adam"
        A name, an optimizer, or an Optax factory `f(learning_rate)`.
    learning_rate : float, default=1e-3
        The learning rate of the optimizer, which the schedule multiplies by its factor.
    schedule : str, Schedule or callable, default="constant"
        The factor of the learning rate as a function of progress, which is 0 at the start and 1 at `max_epochs`.
    augmentation : str, Augmentation, callable, list of these or None, default=None
        Random changes of the rows of each training batch: a name, an augmentation, a function `f(key, x) -> x`.
    l1 : float or None, default=None
    l2 : float, "auto" or None, default="auto"
        Penalties `l1 * sum|w|` and `0.5 * l2 * sum w^2` on kernels, added to the mean loss. "auto" is what the network suggests:
        for "mlp" 5 divided by the number of distinct training rows (times that of labels or outputs), at most .01. It is none
        for other networks, losses other than "cross_entropy" and "squared_error", optimizers with a `weight_decay`, and in
        `partial_fit`. Kernels are the parameters of two
        or more dimensions except embeddings: those whose name has the word "embed", "embedding" or "table" in it.
    clip_norm : float or None, default=None
        Largest global norm of the gradient.
    batch_size : int or "auto", default="auto"
        Rows per step; "auto" is 200.
    max_epochs : int, default=200
        Largest number of epochs. `fit` warns if training has not converged by then and `tol` is not None.
    early_stopping : bool, default=False
        Hold out `validation_fraction` of the rows, or use `X_val`; stop by their loss or score, and keep the parameters
        of the best epoch.
    validation_fraction : float, int, splitter or array-like, default=0.1
        Share (float) or number (int) of distinct rows that are held out: random rows, stratified by class, or with
        `shuffle=False` the last rows; with `groups` in `fit`, whole groups. Or a splitter of scikit-learn, such as
        `GroupKFold()` or `TimeSeriesSplit()`, of whose splits the last with the most training rows is used. Or positions of
        the held-out rows, a mask, or a pair of positions of training and validation rows.
    n_iter_no_change : int, default=10
        Training stops after this many epochs in a row without an improvement of more than `tol`: of the training loss,
        or with `early_stopping` of the loss or score on the validation rows.
    tol : float or None, default=1e-4
        Smallest improvement that counts, relative to the last epoch that improved. None trains for `max_epochs`.
    scoring : str, Loss, callable or None, default="loss"
        The loss or score that early stopping watches: "loss", another loss such as `skdeep.losses.ZeroOne()`, a scorer, or
        None for accuracy. With another loss, `val_loss` in `history_` is that loss, and of equally good epochs the latest is
        kept. A scorer gets the held-out rows as the user gave them, and `sample_weight` only if the user gave weights.
    metrics : list of str, dict of scorers by name, or None, default=None
        Scores of the validation rows that are computed after each epoch, for curves: names of scikit-learn's scorers, such as
        `["accuracy", "roc_auc"]`, or scorers by name. Each is a column of `history_`, such as `val_roc_auc`, greater is better. They do
        not change the training. They need validation rows, by `early_stopping` or `X_val`; `partial_fit` has none and ignores them.
    coalesce : bool or "auto", default="auto"
        Merge equal rows and add their weights, so that a weight of 2 is exactly a row given twice. "auto" is True if
        `shuffle` is.
    input_shape : tuple of int or None, default=None
        Shape of a row as the network sees it, if X has flat rows; None is the shape of a row of X.
    shuffle : bool, default=True
        Shuffle the rows in each epoch.
    warm_start : bool, default=False
        Start `fit` from the parameters of the last fit.
    random_state : int, RandomState or None, default=None
        Seed of the parameter initialisation, the validation split, shuffling, dropout and augmentation.
    verbose : int, default=0
        1 prints a table with one line per epoch. 2 shows a live bar instead, if the output is a terminal or a notebook (rich, in the extra
        `progress`).
    device : {"auto", "all", "cpu", "gpu", "tpu"}, int or list of int, default="auto"
        The device to train and predict on; "auto" is JAX's default device. Training can use several: all, the first few, or those with
        these numbers, counted from 0. Each then has its share of the rows and of each batch. The result is that of one device, within
        rounding. Predictions are computed on the first of them.
    checkpoint : path-like, Checkpoint or None, default=None
        Keep the state of the training in this folder, or as `skdeep.Checkpoint` says, so that a fit that was stopped continues, and
        one with more `max_epochs` starts where another ended. Needs a `random_state` other than None. `partial_fit` ignores it.
    categorical_features : "from_dtype", array-like of str, int or bool, or None, default="from_dtype"
        The columns of a table that are categories: those of text, categorical or boolean type; or their names, their
        positions or a mask; None for no column. Dates are read as numbers.
    numeric_scaling : {"standard", "robust", "quantile"} or None, default=None
        How numeric columns are scaled, by statistics of the training rows. "standard": to mean 0 and standard deviation
        1. "robust": by median and quartiles, and smoothly clipped to (-3, 3). "quantile": to a normal distribution. None
        leaves them as they are.
    inputs : mapping or None, default=None
        Groups of columns of X as inputs by name, for networks of several inputs: by name, the columns (a slice, positions, names,
        a mask, or a function of X such as `make_column_selector`), or a pair of columns and the shape of a row, such as
        `{"image": (slice(0, 784), (28, 28, 1)), "table": slice(784, None)}`.
    n_estimators : int, default=1
        Number of members: networks with other initial values, and with `early_stopping` other held-out rows. Predictions are
        means over members.
    bootstrap : bool, default=False
        Train each member on rows drawn with replacement.
    cv : int, splitter, iterable or None, default=None
        Train `n_estimators` members on the training rows of each split; an int is a number of folds.
    calibration : {"temperature", "auto"} or None, default=None
        Divide the logits by the temperature that fits the validation rows best, after training, and mix probabilities with
        the uniform distribution at weight 1 / (number of validation rows + 1). Needs `early_stopping` or `X_val`, and a loss such as
        "cross_entropy"; without them "auto" leaves the probabilities as they are. `predict` does not change.
    pretrain : FrozenEstimator or None, default=None
        A fitted `DeepAutoencoder` in `sklearn.frozen.FrozenEstimator`. Its encoder feeds `network`, which then gets rows
        of `n_components` numbers. X must be scaled as it was for the autoencoder.
    freeze_pretrained : bool, default=False
        Do not train the encoder. Its weights are then in `model_state_` instead of `params_`.
    class_weight : dict, list of dicts, "balanced" or None, default=None
        Weights of classes in the training and validation loss. As in scikit-learn, a class that is not in the dict has
        weight 1. In `partial_fit`, "balanced" balances the rows of each call. For multilabel y, give a list with one
        dict per column; the weight of a row is the product of its labels' weights. With "balanced", a label that 10% of
        the rows have weighs 5 where it is present, so a row with four such labels weighs 625.

    Attributes
    ----------
    classes_ : ndarray (n_classes,)
        The sorted labels; for multilabel y `arange(n_labels)`, the numbers of the columns.
    n_features_in_ : int
        Number of columns of X (the length of its second dimension).
    feature_names_in_ : ndarray of str
        Names of the columns, if X was a table with string names.
    is_categorical_ : ndarray of bool (n_features,) or None
        The columns that are categories; None if there are none.
    input_shape_ : tuple of int
        Shape of a row as the network sees it.
    n_outputs_ : int
        Number of raw outputs of the network.
    n_iter_ : int
        Number of epochs trained: by the last `fit`, and by `partial_fit` calls after it.
    best_epoch_ : int
        The epoch (from 1) whose parameters are kept.
    history_ : pandas.DataFrame
        One row per epoch: epoch, train_loss, val_loss, val_score, the scores of `metrics`, learning_rate, seconds. Absent values are
        NaN.
    params_, model_state_ : nested dicts of ndarray
        The trained parameters, and arrays that the network itself updates, such as running averages.
    network_, loss_, optimizer_, schedule_, augmentation_ : components
        The components that were used.
    resolved_components_ : dict
        The full id of each component by the name of its parameter.
    estimators_ : list
        The members of an ensemble, fitted estimators with one network each. An ensemble has no `params_`, `model_state_` and
        `best_epoch_` of its own; its `history_` has a column "member".
    oof_predictions_, oof_score_ : ndarray, float
        With `cv` or `bootstrap`: mean predictions for each row by the members that did not see it, and their score. They are
        probabilities `(n, classes)`, NaN where every member saw the row.
    temperature_ : float
        With `calibration`: the temperature.
    n_parameters_ : int
        Number of trained scalars.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skdeep import DeepClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> model = DeepClassifier(learning_rate=0.01, max_epochs=50, tol=None, random_state=0).fit(X, y)
    >>> bool(model.score(X, y) > 0.9)
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **SupervisedEstimator._parameter_constraints,
        "class_weight": [None, dict, list, StrOptions({"balanced"})],
        "calibration": [None, StrOptions({"temperature", "auto"})],
    }
    _default_loss = "cross_entropy"
    _temperature: Temperature | None = None

    def __init__(
        self,
        *,
        network: NetworkLike = "mlp",
        loss: LossLike = "auto",
        optimizer: OptimizerLike = "adam",
        learning_rate: float = 1e-3,
        schedule: ScheduleLike = "constant",
        augmentation: AugmentationLike = None,
        l1: float | None = None,
        l2: Penalty = "auto",
        clip_norm: float | None = None,
        batch_size: BatchSize = "auto",
        max_epochs: int = 200,
        early_stopping: bool = False,
        validation_fraction: ValidationLike = 0.1,
        n_iter_no_change: int = 10,
        tol: float | None = 1e-4,
        scoring: ScoringLike = "loss",
        metrics: MetricsLike = None,
        class_weight: ClassWeight = None,
        coalesce: Coalesce = "auto",
        input_shape: tuple[int, ...] | None = None,
        shuffle: bool = True,
        warm_start: bool = False,
        random_state: RandomState = None,
        verbose: int = 0,
        device: Device = "auto",
        checkpoint: CheckpointLike = None,
        categorical_features: CategoricalFeatures = "from_dtype",
        numeric_scaling: NumericScaling = None,
        inputs: InputsLike = None,
        n_estimators: int = 1,
        bootstrap: bool = False,
        cv: CVLike = None,
        calibration: Literal["temperature", "auto"] | None = None,
        pretrain: Pretrained = None,
        freeze_pretrained: bool = False,
    ) -> None:
        self._store(locals())

    @with_callbacks
    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        groups: Any = None,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
    ) -> Self:
        """Train the network.

        Parameters
        ----------
        X : array-like or sparse matrix (n, features), or array (n, ...), or rows that are read in blocks
            A path of a Parquet file or folder, a large `numpy.memmap` or PyArrow table, a Dask collection, or an object with slicing
            is read in blocks: see the page `streaming.md`. y and sample_weight may then name columns of X.
        y : array-like (n,) of labels of any kind, or array-like or sparse matrix (n, labels) of 0 and 1
            Two other numbers may be used for absent (the smaller one) and present; `predict` then returns these.
        sample_weight : array-like (n,), default=None
            Non-negative; weights the training loss and the loss of held-out rows.
        groups : array-like (n,), default=None
            A label per row. The rows of a group are either trained on or held out; splitters in `validation_fraction` and
            `cv` get them.
        X_val, y_val, sample_weight_val : as X, y and sample_weight, default=None
            Validation rows; without `early_stopping` they are only reported in `history_`.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If the data or a parameter is invalid, or there is only one class.
        NonFiniteLossError
            If the loss becomes NaN or infinite and early stopping has kept no parameters.
        """
        return self._trained(FitData(X, y, sample_weight, X_val, y_val, sample_weight_val, groups))

    @available_if(trains_epoch_by_epoch)
    @with_callbacks
    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """Train one epoch on these rows, continuing from the last call.

        Parameters
        ----------
        X, y : as in `fit`
        classes : array-like (n_classes,), default=None
            All labels of the first and all later calls. Only the first call uses them; None there means the labels of
            y. Later calls may repeat them. For multilabel y, give both codes if they are not 0 and 1 and the first y
            has only one of them.
        sample_weight : array-like (n,), default=None

        Returns
        -------
        self

        Raises
        ------
        AttributeError
            With `early_stopping=True`.
        ValueError
            If the data or a parameter is invalid, or a change since the earlier fit does not allow training to continue.
        NonFiniteLossError
            If the loss becomes NaN or infinite.
        """
        check_in_memory(self, X)
        classes = None if classes is None else np.unique(classes)
        return train(self, FitData(X, y, sample_weight, classes=classes), is_partial=True)

    @by_blocks
    def decision_function(self, X: Any) -> np.ndarray:
        """Return decision scores, which agree with `predict`: by their sign, or by the largest for multiclass.

        For a loss with the built-in link (sigmoid, softmax or identity) they are the raw outputs of the network (for
        binary with two raw outputs, their difference). Where probabilities are sigmoids, they are clipped to [-20, 20], so
        that scores and probabilities give the same ranking. If the loss overrides `link` and is probabilistic, they are
        the logits (binary, multilabel) or the logarithms (multiclass) of its probabilities. If it is not probabilistic,
        they are the scores of its link.

        Parameters
        ----------
        X : array-like or sparse matrix, as in `fit`

        Returns
        -------
        ndarray `(n,)` for binary (positive: the second class), else `(n, classes)` or `(n, labels)`
        """
        loss, raw = self._loss_and_raw(X)
        return decision_scores(loss, self._cut(raw, loss), self._task, np.float64)

    @by_blocks
    def predict(self, X: Any) -> np.ndarray:
        """Return the predicted labels.

        They are the labels with the largest probability, or for multilabel those with a probability above 0.5. If the loss
        is not probabilistic, they are those with the largest score, or for binary and multilabel a score above 0.

        Parameters
        ----------
        X : array-like or sparse matrix, as in `fit`

        Returns
        -------
        ndarray (n,), or for multilabel (n, labels) in the codes of y
        """
        loss, raw = self._loss_and_raw(X)
        return self._encoding.decode(loss, self._cut(raw, loss), np.float64)

    @available_if(_gives_probabilities)
    @by_blocks
    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the probabilities of classes or labels.

        Parameters
        ----------
        X : array-like or sparse matrix, as in `fit`

        Returns
        -------
        ndarray (n, classes), or (n, labels) for multilabel

        Raises
        ------
        AttributeError
            If the loss gives no probabilities.
        """
        loss, raw = self._loss_and_raw(X)
        return class_probabilities(loss, self._cut(raw, loss), self._task, np)

    @available_if(_gives_probabilities)
    @by_blocks
    def predict_log_proba(self, X: Any) -> np.ndarray:
        """Return the natural logarithms of the probabilities, in the shape of `predict_proba`.

        With the built-in link they are finite even where `predict_proba` rounds to 0. If the loss overrides `link`, a
        probability of 0 gives minus infinity.

        Parameters
        ----------
        X : array-like or sparse matrix, as in `fit`

        Returns
        -------
        ndarray (n, classes), or (n, labels) for multilabel

        Raises
        ------
        AttributeError
            If the loss gives no probabilities.
        """
        loss, raw = self._loss_and_raw(X)
        probability = class_probabilities(loss, self._cut(raw, loss), self._task, np)
        return log_probabilities(loss, raw, self._task, probability)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the accuracy of the predicted labels; for multilabel y, the share of rows of which all labels are right.

        Parameters
        ----------
        X, y : as in `fit`
        sample_weight : array-like (n,), default=None

        Returns
        -------
        float
        """
        return float(super().score(*for_score(X, y, sample_weight)))

    def _loss_and_raw(self, X: Any) -> tuple[Any, Any]:
        """Return the loss whose link gives predictions, and its raw outputs; of an ensemble, those of all members."""
        members = self.__dict__.get("estimators_")
        if members is not None:
            if weights_of(self) is not None:
                return self._of_weighted(X)
            losses, raws = zip(*(member._loss_and_raw(X) for member in members), strict=True)
            return joined(losses[0], list(raws))
        raw, _ = self._raw(X)
        return (self.loss_, raw) if self._temperature is None else self._calibrated(raw)

    def _of_weighted(self, X: Any) -> tuple[Any, Any]:
        """Return raw outputs with the weighted mean probabilities of members, which may have different numbers of raw outputs."""
        p = over_members(self, lambda member: member.predict_proba(X))
        logits = (
            np.log(p) - np.log1p(-p)
            if self._task.kind == "multilabel"
            else np.log(np.maximum(p, np.finfo(p.dtype).tiny))
        )
        return loss_of_member(self.loss_), logits

    def _calibrated(self, raw: Any) -> tuple[Any, Any]:
        """Return calibrated raw outputs, and the loss whose link they are for: not that of the members of a network."""
        return loss_of_member(self.loss_), self._temperature(self._logits(raw), self._is_softmax)  # type: ignore[misc]  # not None

    def _logits(self, raw: Any) -> Any:
        return logits_of_mean(raw, self._is_softmax, np) if isinstance(self.loss_, OfMembers) else raw

    @property
    def _is_softmax(self) -> bool:
        return self._task.kind != "multilabel" and loss_of_member(self.loss_).n_raw(self._task) != 1

    def _adopt(self, job: Any) -> None:
        super()._adopt(job)
        self._temperature = None
        if self.calibration == "temperature" and (obstacle := _obstacle_to_calibration(job)):
            raise ValueError(f"calibration='temperature' of {type(self).__name__} {obstacle}")

    def _absorb(self, job: Any, outcome: Any) -> None:
        super()._absorb(job, outcome)
        self._temperature = None
        if self.calibration is None or _obstacle_to_calibration(job):
            return
        rows = job.validation
        raw = self._raw_of(self._model, self.params_, self.model_state_, rows.x)
        self._temperature = fit_temperature(self._logits(raw), rows.target, rows.weight, self._is_softmax)

    @property
    def temperature_(self) -> float:
        """The temperature that logits are divided by, if they are calibrated."""
        if self._temperature is None:
            raise AttributeError(
                f"This {type(self).__name__} has no temperature_: fit it with calibration='temperature'."
            )
        return 1 / self._temperature.inverse

    def _cut(self, raw: Any, loss: Any) -> Any:
        return cut_logits(loss, raw, self._task, LARGEST_DECISION)

    def _oof(self, X: Any) -> np.ndarray:
        return self.predict_proba(X) if self.loss_.probabilistic else self.decision_function(X)

    def _oof_score(self, oof: np.ndarray, rows: WeightedRows) -> float:
        """Return the accuracy of out-of-fold probabilities or scores."""
        is_by_sign = self._task.kind == "multilabel" or oof.ndim == 1
        predicted = oof > (0.5 if self.loss_.probabilistic else 0) if is_by_sign else oof.argmax(axis=1)
        return float(accuracy_score(rows.target.astype(int), predicted.astype(int), sample_weight=rows.weight))

    @property
    def classes_(self) -> np.ndarray:
        """The sorted labels; for multilabel y the numbers of its columns."""
        classes: np.ndarray = self._learned("classes_").target.classes
        return classes

    def _target_summary(self) -> LabelSummary:
        return LabelSummary(type(self).__name__)

    def _read_target(self, y: Any, weight: np.ndarray, known: Any, classes: Any) -> tuple[Any, np.ndarray]:
        labels = labels_given(y)
        if known is not None:
            check_same_form(known.task, labels.kind, type(self).__name__)
        if labels.is_indicator:
            return self._read_indicator(labels.values, known, classes)
        return self._read_classes(labels.values, weight, known, classes)

    def _read_classes(self, y: np.ndarray, weight: np.ndarray, known: Any, classes: Any) -> tuple[Any, np.ndarray]:
        if known is None:
            target = Classes(np.unique(y[weight > 0]) if classes is None else classes)
        else:
            target = known
            check_same_classes(classes, known.classes)
        found = target.classes
        if len(found) < 2:
            raise ValueError(
                f"{type(self).__name__} needs at least 2 classes in the rows of positive weight. "
                f"Got {len(found)} class: {', '.join(map(repr, found.tolist()))}."
            )
        is_weighted = weight > 0
        codes = np.zeros(len(y), dtype=np.int32)
        codes[is_weighted] = target.encode(y[is_weighted])
        return target, codes

    def _read_indicator(self, y: np.ndarray, known: Any, classes: Any) -> tuple[Any, np.ndarray]:
        n_labels = y.shape[1]
        target = Labels(n_labels, fit_label_codes(y, classes)) if known is None else known
        check_n_labels(type(self).__name__, n_labels, target.n_labels)
        labels = target.encode(y)
        if known is None and len(labels) > n_labels and (labels.sum(axis=1) == 1).all():
            warn_caller(
                f"Each row of y has exactly one of its {n_labels} labels, but {type(self).__name__} treats y as multilabel, "
                "where a row may have several labels or none. If the columns are the classes of one target, give y.argmax(axis=1)."
            )
        return target, labels

    def _finished(self, rows: WeightedRows, encoding: Any, loss: Any) -> WeightedRows:
        return rows

    def _weigher(self, train: WeightedRows, encoding: Any) -> Any:
        return class_weigher(self.class_weight, train, encoding.target)

    def _restore_target(self, rows: WeightedRows) -> np.ndarray:
        target: np.ndarray = self._encoding.target.restore(rows.target)
        return target

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
