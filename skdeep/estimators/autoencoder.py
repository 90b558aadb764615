"""DeepAutoencoder."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import _check_sample_weight, check_array, check_is_fitted, validate_data

from skdeep.contract import Loss, Network
from skdeep.core.composed import Autoencoder
from skdeep.core.encoding import Encoding, RowItself
from skdeep.core.raw import by_name
from skdeep.core.rows import WeightedRows, bounded_weights
from skdeep.core.target import TargetScale, check_domain
from skdeep.core.variational import VariationalAutoencoder, VariationalLoss
from skdeep.errors import ComponentError
from skdeep.estimators.arrays import ArrayReader
from skdeep.estimators.availability import available_if
from skdeep.estimators.callbacks import with_callbacks
from skdeep.estimators.deep import DeepEstimator, trains_epoch_by_epoch
from skdeep.estimators.parameter_types import (
    BatchSize,
    CheckpointLike,
    Coalesce,
    Device,
    LossLike,
    MetricsLike,
    NetworkLike,
    OptimizerLike,
    RandomState,
    ScheduleLike,
    ScoringLike,
    ValidationLike,
)
from skdeep.estimators.parameters import AT_LEAST_ONE, CONSTRAINTS, NETWORK, NON_NEGATIVE
from skdeep.estimators.resolve import Resolved, resolve, resolve_all, resolve_ready
from skdeep.estimators.training import FitData, train
from skdeep.networks import MLP, Linear

UNSCALED = TargetScale(np.zeros(1), np.ones(1))


class DeepAutoencoder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, DeepEstimator, ArrayReader):
    """An autoencoder: an encoder network from rows to `n_components` numbers, and a decoder network from these to rows.

    Both are trained together, to reconstruct X. X is not scaled inside: put a scaler before the autoencoder in a
    pipeline. Parameters without a description here are as in `DeepClassifier`.

    Parameters
    ----------
    n_components : int, default=32
        Length of the code of a row.
    encoder : str, Network, list, flax.linen.Module or callable, default="mlp"
        A network in any form that `network` of `DeepClassifier` takes. It has `n_components` outputs, or twice as many
        if `variational`.
    decoder : str, Network, list, flax.linen.Module or callable, default="auto"
        A network from `n_components` numbers to the raw outputs that the loss needs: one per value of a row for the
        squared error. "auto" is an MLP with the widths of the encoder in reverse order if the encoder is an MLP, the
        encoder's own component if it is linear, and the default MLP otherwise. If the decoder has a field `out_shape`
        that is None, it is set to the shape of a row.
    noise : float, default=0.0
        Standard deviation of the Gaussian noise that is added to X during training, in units of X. The target is X
        without the noise (a denoising autoencoder).
    variational : bool, default=False
        Encode a row into a mean and a log variance. During training the decoder gets numbers drawn from that normal
        distribution; `transform` returns the mean.
    beta : float, default=1.0
        With `variational`, the factor of the Kullback-Leibler divergence of a row's code from a standard normal
        distribution. The loss of a row is the reconstruction loss plus `beta` times the divergence, divided by the number
        of values per row.
    loss : str, Loss or callable, default="squared_error"
        A regression loss between the reconstruction and X.
    optimizer : str, Optimizer or callable, default="adam"
    learning_rate : float, default=1e-3
    schedule : str, Schedule or callable, default="constant"
    l1, l2, clip_norm : float or None, default=None
        As in `DeepClassifier`.
    batch_size : int or "auto", default="auto"
    max_epochs : int, default=200
    early_stopping : bool, default=False
    validation_fraction : float, int, splitter or array-like, default=0.1
        Share (float) or number (int) of distinct rows that are held out: random rows, or with
        `shuffle=False` the last rows. Or a splitter of scikit-learn, such as
        `GroupKFold()` or `TimeSeriesSplit()`, of whose splits the last with the most training rows is used. Or positions of
        the held-out rows, a mask, or a pair of positions of training and validation rows.
    n_iter_no_change : int, default=10
    tol : float or None, default=1e-4
        In units of the loss: those of X squared for the squared error. Choose a smaller value for X in [0, 1].
    scoring : str, callable or None, default="loss"
    metrics : list of str, dict of scorers by name, or None, default=None
        As in `DeepClassifier`. Scorers are called as `scorer(estimator, X, X)`.
    coalesce : bool or "auto", default="auto"
    input_shape : tuple of int or None, default=None
    shuffle : bool, default=True
    warm_start : bool, default=False
    random_state : int, RandomState or None, default=None
    verbose : int, default=0
    device : {"auto", "all", "cpu", "gpu", "tpu"}, int or list of int, default="auto"
    checkpoint : path-like, Checkpoint or None, default=None

    Attributes
    ----------
    n_components_ : int
    n_features_in_, feature_names_in_, input_shape_, n_iter_, best_epoch_, history_
        As in `DeepClassifier`.
    n_outputs_ : int
        Number of raw outputs: those of the decoder, and with `variational` also those of the encoder.
    params_, model_state_ : dict
        Nested dicts of ndarray, `{"encoder": ..., "decoder": ...}`.
    network_, loss_, optimizer_, schedule_ : components
        `network_` has the fields `encoder` and `decoder`.
    resolved_components_, n_parameters_
        As in `DeepClassifier`.

    References
    ----------
    Hinton and Salakhutdinov, "Reducing the Dimensionality of Data with Neural Networks", Science 313, 2006; for `noise`,
    Vincent et al., "Stacked Denoising Autoencoders", JMLR 11, 2010; for `variational`, Kingma and Welling,
    "Auto-Encoding Variational Bayes", arXiv 1312.6114, and Higgins et al., "beta-VAE", ICLR 2017.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skdeep import DeepAutoencoder
    >>> X = load_digits().data / 16
    >>> model = DeepAutoencoder(n_components=8, max_epochs=20, tol=None, random_state=0).fit(X)
    >>> model.transform(X).shape
    (1797, 8)
    >>> bool(model.score(X) > -0.03)
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "n_components": [AT_LEAST_ONE],
        "encoder": NETWORK,
        "decoder": NETWORK,
        "noise": [NON_NEGATIVE],
        "variational": ["boolean"],
        "beta": [NON_NEGATIVE],
        **CONSTRAINTS,
    }
    _components: ClassVar[dict[str, str]] = {
        "encoder": "network",
        "decoder": "network",
        "loss": "loss",
        "optimizer": "optimizer",
        "schedule": "schedule",
    }
    _default_loss = "squared_error"
    _summary_calls = "summary(X) or summary(input_shape=(8,))"
    _accepts_sparse = False

    network_: Autoencoder

    def __init__(
        self,
        *,
        n_components: int = 32,
        encoder: NetworkLike = "mlp",
        decoder: NetworkLike = "auto",
        noise: float = 0.0,
        variational: bool = False,
        beta: float = 1.0,
        loss: LossLike = "squared_error",
        optimizer: OptimizerLike = "adam",
        learning_rate: float = 1e-3,
        schedule: ScheduleLike = "constant",
        l1: float | None = None,
        l2: float | None = None,
        clip_norm: float | None = None,
        batch_size: BatchSize = "auto",
        max_epochs: int = 200,
        early_stopping: bool = False,
        validation_fraction: ValidationLike = 0.1,
        n_iter_no_change: int = 10,
        tol: float | None = 1e-4,
        scoring: ScoringLike = "loss",
        metrics: MetricsLike = None,
        coalesce: Coalesce = "auto",
        input_shape: tuple[int, ...] | None = None,
        shuffle: bool = True,
        warm_start: bool = False,
        random_state: RandomState = None,
        verbose: int = 0,
        device: Device = "auto",
        checkpoint: CheckpointLike = None,
    ) -> None:
        self._store(locals())

    @with_callbacks
    def fit(
        self, X: Any, y: Any = None, sample_weight: Any = None, *, X_val: Any = None, sample_weight_val: Any = None
    ) -> Self:
        """Train the encoder and the decoder.

        Parameters
        ----------
        X : array-like (n, features), or array (n, ...)
        y : ignored
        sample_weight : array-like (n,), default=None
            Non-negative; enters the training loss and the held-out validation loss.
        X_val, sample_weight_val : as X and sample_weight, default=None
            Validation rows; without `early_stopping` they are only reported in `history_`.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If the data or a parameter is invalid, or X is outside the domain of the loss.
        NonFiniteLossError
            If the loss becomes NaN or infinite and early stopping has kept no parameters.
        """
        return train(self, FitData(X, None, sample_weight, X_val, None, sample_weight_val))

    @available_if(trains_epoch_by_epoch)
    @with_callbacks
    def partial_fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Train one epoch on these rows, continuing from the last call.

        The structure of the network stays as in the first call. Its traced numbers, such as `noise`, may change.

        Parameters
        ----------
        X, y, sample_weight : as in `fit`

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
        return train(self, FitData(X, None, sample_weight), is_partial=True)

    def transform(self, X: Any) -> np.ndarray:
        """Return the codes of rows `(n, n_components)`; with `variational`, the means of the codes.

        Parameters
        ----------
        X : as in `fit`

        Returns
        -------
        ndarray (n, n_components), in the dtype of X
        """
        codes, dtype = self._codes(X)
        return codes.astype(dtype, copy=False)

    def inverse_transform(self, X: Any) -> np.ndarray:
        """Reconstruct rows from codes, in the shape that rows of X had in `fit`.

        Parameters
        ----------
        X : array-like (n, n_components)
            Codes.

        Returns
        -------
        ndarray (n, features) or (n, ...), in the dtype of the codes

        Raises
        ------
        ValueError
            If codes do not have `n_components_` columns.
        """
        check_is_fitted(self)
        codes = check_array(X, dtype=(np.float64, np.float32), input_name="X")
        if codes.shape[1] != self.n_components_:
            raise ValueError(
                f"X has {codes.shape[1]} columns, but the codes of {type(self).__name__} have {self.n_components_}. "
                "Give codes as transform returns them."
            )
        rows = self._decoded(codes).astype(codes.dtype, copy=False)
        return rows.reshape(len(rows), *self._encoding.columns)

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Return the negative mean squared error of the reconstruction: a mean over values, then a weighted one over rows.

        Parameters
        ----------
        X : as in `fit`
        y : ignored
        sample_weight : array-like (n,), default=None

        Returns
        -------
        float
        """
        X = self._validated_rows(X)
        weight = _check_sample_weight(sample_weight, X, dtype=np.float64)
        error = self._decoded(self._codes_of(X)) - X.reshape(len(X), -1)
        return -float(np.average(np.mean(error**2, axis=1), weights=bounded_weights(weight)))

    def _codes(self, X: Any) -> tuple[np.ndarray, np.dtype[Any]]:
        X = self._validated_rows(X)
        return self._codes_of(X), X.dtype

    def _codes_of(self, X: np.ndarray) -> np.ndarray:
        model = self.network_.encoder_model(self._model.in_shape)
        codes = self._raw_of(model, self.params_["encoder"], self.model_state_["encoder"], X)
        return codes[:, : self.n_components_]

    def _decoded(self, codes: np.ndarray) -> np.ndarray:
        """Return the reconstruction as float64 rows `(n, values per row)`."""
        model = self.network_.decoder_model(self.input_shape_, self.network_.n_decoded(by_name(self._model.n_raw)))
        raw = self._raw_of(model, self.params_["decoder"], self.model_state_["decoder"], codes)
        rows: np.ndarray = self._encoding.decode(self._reconstruction_loss, raw)
        return rows

    @property
    def n_components_(self) -> int:
        """Length of the code of a row."""
        self._learned("n_components_")
        return int(self.network_.n_components)

    @property
    def _reconstruction_loss(self) -> Loss:
        return _of_reconstruction(self.loss_)

    @property
    def _n_features_out(self) -> int:
        return self.n_components_

    def _component_value(self, name: str) -> Any:
        if name == "decoder" and isinstance(self.decoder, str) and self.decoder == "auto":
            return mirrored(self.encoder)
        return super()._component_value(name)

    def _resolve(self, encoding: Any) -> Resolved:
        """Return encoder and decoder as one network; with `variational`, the loss includes the divergence."""
        (encoder_id, encoder), (decoder_id, decoder) = (
            resolve_ready("network", self._component_value(name)) for name in ("encoder", "decoder")
        )
        kind, n_components = VariationalAutoencoder if self.variational else Autoencoder, int(self.n_components)
        values = {name: self._component_value(name) for name in ("loss", "optimizer", "schedule")}
        resolved = resolve_all({"network": kind(encoder, decoder, n_components, float(self.noise)), **values})
        ids = {"encoder": encoder_id, "decoder": decoder_id, **{name: resolved.ids[name] for name in values}}
        loss = resolved.loss
        if self.variational and "regression" in loss.tasks:
            loss = VariationalLoss(loss, n_components, float(self.beta))
        return resolved._replace(loss=loss, ids=ids)

    def _validated(self, X: Any, y: Any, known: Encoding | None) -> tuple[Any, Any]:
        X = validate_data(self, X, reset=known is None, dtype=(np.float64, np.float32), allow_nd=True)
        return X, X

    def _read_target(self, y: Any, weight: np.ndarray, known: Any, classes: Any) -> tuple[Any, np.ndarray]:
        """Return targets without columns, since X is the target: merging rows then compares and copies X only once."""
        return RowItself(y.shape[1:]), np.zeros((len(y), 0), np.float32)

    def _finished(self, rows: WeightedRows, encoding: Any, loss: Any) -> WeightedRows:
        target = encoding.encode_target(rows.x)
        check_domain(_of_reconstruction(loss), target, UNSCALED, name="X")
        return rows._replace(target=target)

    def _restore_target(self, rows: WeightedRows) -> np.ndarray:
        return rows.x.reshape(len(rows.x), -1)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def _of_reconstruction(loss: Loss) -> Loss:
    return loss.reconstruction if isinstance(loss, VariationalLoss) else loss


def mirrored(encoder: Any) -> Network:
    """Return the decoder "auto" for an encoder: an MLP with its widths reversed, a linear one itself, otherwise `MLP()`."""
    try:
        network = resolve("network", encoder)[1]
    except (ComponentError, TypeError):
        return MLP()  # fit resolves the encoder too, and raises the error
    if isinstance(network, MLP):
        return network.replace(widths=tuple(network.widths)[::-1])
    return network if isinstance(network, Linear) else MLP()
