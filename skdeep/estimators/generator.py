"""SequenceGenerator."""

from __future__ import annotations

import math
from collections.abc import Collection
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import InvalidParameterError
from sklearn.utils.validation import _check_sample_weight, check_is_fitted

from skdeep.core import as_traced
from skdeep.core.feeds import pad_rows
from skdeep.core.generation import TEMPERATURES, Sampling, check_is_causal, generate
from skdeep.core.job import Job
from skdeep.core.language import NextToken, TokenLoss
from skdeep.core.random import key_of_seed
from skdeep.core.rows import WeightedRows, bounded_weights, unit_mean
from skdeep.core.step import evaluation_rows, weighted_loss
from skdeep.core.text_encoding import TextEncoding
from skdeep.core.texts import tokens_of_text, tokens_of_texts, vocabulary_of
from skdeep.estimators.availability import available_if
from skdeep.estimators.base import check_some_weight
from skdeep.estimators.callbacks import with_callbacks
from skdeep.estimators.deep import DeepEstimator, trains_epoch_by_epoch
from skdeep.estimators.parameter_types import (
    BatchSize,
    CheckpointLike,
    Coalesce,
    Device,
    LossLike,
    NetworkLike,
    OptimizerLike,
    RandomState,
    ScheduleLike,
)
from skdeep.estimators.parameters import AT_LEAST_ONE, CONSTRAINTS, NETWORK, StrOptions
from skdeep.estimators.prepare import Beginning, Draft, Earlier, Split
from skdeep.estimators.resolve import Resolved, resolve_all
from skdeep.estimators.training import FitData, train
from skdeep.losses import CrossEntropy
from skdeep.records import Outcome, TrainState

MOST_TOKENS = 2**24
# These parameters determine how texts become rows: a later `partial_fit` needs them as they were.
FIXED = ("level", "context_length", "boundaries")


class SequenceGenerator(DeepEstimator):
    """A language model: a network that predicts the next token of a text, scores texts, and generates text.

    Texts are cut into windows of `context_length` tokens, which are the rows of the network. Parameters without a
    description here are as in `DeepClassifier`.

    Parameters
    ----------
    network : str, Network, list, flax.linen.Module or callable, default="lstm"
        "lstm", "gru", "tcn", "transformer" or another network with one output per step (`build_causal`); a list of
        layers that keep the steps; or your own module from `(n, time, features)` to `(n, time, n_outputs)`. The network
        must be causal: outputs at a step depend on that step and earlier ones only. `fit` raises ValueError if not.
    level : {"character", "token"}, default="character"
        "character": texts are strings, and each character is a token. "token": texts are sequences of tokens, all
        strings or all ints.
    context_length : int, default=64
        Number of tokens per window.
    stride : int or None, default=None
        Number of tokens between the beginnings of two neighbouring training windows, at most `context_length`. None is
        `context_length`: windows do not overlap. A smaller stride gives more windows per epoch.
    embedding_features : int, default=64
        Length of the embedding vector of a token.
    boundaries : bool or "auto", default="auto"
        Whether the network learns where texts begin and end: a boundary token is put before and after each text. If
        False, each text counts as a part of a longer text. "auto" is True if X has more than one text; later
        `partial_fit` calls and warm starts keep the value of the first call.
    vocabulary : str, collection of tokens or None, default=None
        All known tokens; None takes those of X. Any other token raises ValueError, in `fit` and later.
    loss : str, Loss or callable, default="cross_entropy"
        A classification loss. The classes are the tokens.
    optimizer : str, Optimizer or callable, default="adam"
    learning_rate : float, default=1e-3
    schedule : str, Schedule or callable, default="constant"
    l1, l2, clip_norm : float or None, default=None
        As in `DeepClassifier`; the penalties act on kernels, not on the embedding of the tokens.
    batch_size : int or "auto", default="auto"
        Number of windows per batch; "auto" is 200.
    max_epochs : int, default=200
    early_stopping : bool, default=False
        Validate on held-out windows, for which `stride` must be None or at least the context length, or on `X_val`.
    validation_fraction : float or int, default=0.1
    n_iter_no_change : int, default=10
    tol : float or None, default=1e-4
    coalesce : bool or "auto", default="auto"
    shuffle : bool, default=True
    warm_start : bool, default=False
        Continue from the parameters of the last fit, with its vocabulary.
    random_state : int, RandomState or None, default=None
    verbose : int, default=0
    device : {"auto", "all", "cpu", "gpu", "tpu"}, int or list of int, default="auto"
    checkpoint : path-like, Checkpoint or None, default=None

    Attributes
    ----------
    vocabulary_ : dict
        The tokens, sorted, with their ids.
    boundaries_ : bool
        Whether texts have boundary tokens. The id of the boundary token is `len(vocabulary_)`.
    n_tokens_ : int
        Number of token ids: the size of the vocabulary, plus 1 for the boundary token if there is one.
    context_length_ : int
        As `context_length`, or less if all texts of `fit` are shorter.
    max_text_length_ : int
        Number of tokens of the longest text so far.
    n_iter_, best_epoch_, history_, params_, model_state_, n_parameters_
        As in `DeepClassifier`; losses are means over tokens.
    network_, loss_, optimizer_, schedule_, resolved_components_
        As in `DeepClassifier`. The given network is `network_.network`, and the given loss is `loss_.loss`.

    References
    ----------
    Graves, "Generating Sequences With Recurrent Neural Networks", arXiv 1308.0850; Radford et al., "Language Models are
    Unsupervised Multitask Learners", 2019.

    Examples
    --------
    >>> from skdeep import SequenceGenerator
    >>> from skdeep.networks import GRU
    >>> texts = ["to be, or not to be, that is the question"] * 2
    >>> training = {"learning_rate": 0.03, "max_epochs": 60, "tol": None, "random_state": 0}
    >>> model = SequenceGenerator(network=GRU(units=32), **training).fit(texts)
    >>> model.generate("to be, or not", n=6, temperature=0)
    ' to be'
    >>> bool(model.perplexity(texts) < 1.1)
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "network": NETWORK,
        "level": [StrOptions({"character", "token"})],
        "context_length": [AT_LEAST_ONE],
        "stride": [None, AT_LEAST_ONE],
        "embedding_features": [AT_LEAST_ONE],
        "boundaries": [StrOptions({"auto"}), "boolean"],
        "vocabulary": [None, Collection],
        **{name: rule for name, rule in CONSTRAINTS.items() if name not in ("scoring", "metrics", "input_shape")},
    }
    _components: ClassVar[dict[str, str]] = {kind: kind for kind in ("network", "loss", "optimizer", "schedule")}
    _default_loss = "cross_entropy"
    _summary_calls = "summary(X)"
    _accepts_sparse = False

    def __init__(
        self,
        *,
        network: NetworkLike = "lstm",
        level: str = "character",
        context_length: int = 64,
        stride: int | None = None,
        embedding_features: int = 64,
        boundaries: bool | str = "auto",
        vocabulary: Collection[Any] | None = None,
        loss: LossLike = "cross_entropy",
        optimizer: OptimizerLike = "adam",
        learning_rate: float = 1e-3,
        schedule: ScheduleLike = "constant",
        l1: float | None = None,
        l2: float | None = None,
        clip_norm: float | None = None,
        batch_size: BatchSize = "auto",
        max_epochs: int = 200,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        tol: float | None = 1e-4,
        coalesce: Coalesce = "auto",
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
        """Train the network to predict the next token.

        Parameters
        ----------
        X : iterable of str, or of sequences of tokens
        y : ignored
        sample_weight : array-like (n,), default=None
            Non-negative weights of texts. The weight of a text applies to each of its tokens.
        X_val, sample_weight_val : as X and sample_weight, default=None
            Validation texts; without `early_stopping` they are only reported in `history_`.

        Returns
        -------
        self

        Raises
        ------
        TypeError
            If X is one string, texts are not strings (`level="character"`) or not sequences (`level="token"`), or tokens
            are neither all strings nor all ints.
        ValueError
            If a parameter is invalid, no text has a token to predict, the network is not causal, or a token is not in the
            vocabulary.
        NonFiniteLossError
            If the loss becomes NaN or infinite and early stopping has kept no parameters.
        """
        return train(self, FitData(X, None, sample_weight, X_val, None, sample_weight_val))

    @available_if(trains_epoch_by_epoch)
    @with_callbacks
    def partial_fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Train one epoch on these texts, continuing from the last call.

        The vocabulary is that of the first call: set the `vocabulary` parameter if later calls may have more tokens.

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
        return train(self, FitData(X, None, sample_weight, more_come=True), is_partial=True)

    def generate(
        self,
        prompt: Any = None,
        n: int | None = 100,
        temperature: float = 1.0,
        top_k: int | None = None,
        random_state: Any = None,
    ) -> Any:
        """Generate text that continues a prompt.

        Parameters
        ----------
        prompt : str, or sequence of tokens, default=None
            The beginning of the text. It may be empty if `boundaries_` is True.
        n : int or None, default=100
            Number of tokens to generate. None, which needs `boundaries_`, generates until the model draws the end of the
            text, but at most `max_text_length_` tokens.
        temperature : float, default=1.0
            Raw outputs are divided by it before the softmax. A temperature below 1 makes likely tokens likelier; 0
            always takes the likeliest token.
        top_k : int or None, default=None
            Draw from the `top_k` likeliest tokens only. Of equally likely tokens, the first in `vocabulary_` are taken.
        random_state : int, RandomState or None, default=None

        Returns
        -------
        str or list
            The generated tokens without the prompt: a string at level "character", else a list of tokens.

        Raises
        ------
        TypeError
            If the prompt is not a string (`level="character"`) or not a sequence (`level="token"`).
        ValueError
            If a parameter is invalid, or the prompt has a token that is not in `vocabulary_`.

        References
        ----------
        `top_k`: Fan et al., "Hierarchical Neural Story Generation", arXiv 1805.04833.
        """
        check_is_fitted(self)
        name = type(self).__name__
        encoding = self._encoding
        text = () if prompt is None else tokens_of_text(name, prompt, encoding.level, "The prompt")
        self._check_generation(len(text), n, temperature, top_k)
        known = encoding.ids(text, "The prompt")[: -1 if self.boundaries_ else None]
        sampling = Sampling(
            np.float32(min(temperature, TEMPERATURES[1])),
            np.int32(self.n_tokens_ if top_k is None else min(top_k, self.n_tokens_)),
            np.int32(encoding.boundary if encoding.boundaries else -1),
            np.bool_(n is None),
            key_of_seed(int(check_random_state(random_state).randint(2**31 - 1))),
        )
        with self._placement().active():
            n_wanted = self.max_text_length_ if n is None else int(n)
            ids = generate(as_traced(self._model), self.params_, self.model_state_, known, n_wanted, sampling)
        return encoding.decode(ids)

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Return the mean natural log-likelihood per token, given the tokens before it: at most 0, greater is better.

        If `boundaries_` is True, the first token and the end of each text are scored too; otherwise the first token is
        not scored, because no token precedes it. Each token is scored with a context of at least half of
        `context_length_` tokens, or of all tokens before it if they are fewer.

        Parameters
        ----------
        X : as in `fit`
        y : ignored
        sample_weight : array-like (n,), default=None
            Weights of texts. The weight of a text applies to each of its tokens.

        Returns
        -------
        float

        Raises
        ------
        TypeError
            As in `fit`.
        ValueError
            If a token is not in the vocabulary, or no text has a token to predict.
        """
        check_is_fitted(self)
        texts, weight = self._texts_and_weights(X, sample_weight, "X", self._encoding.level)
        rows = _rows_to_score(self._encoding, texts, unit_mean(weight))
        loss = TokenLoss(CrossEntropy(), self.n_tokens_, self.context_length_)
        total, size = 0.0, evaluation_rows(self.n_outputs_)
        with self._placement().active():
            for start in range(0, len(rows.x), size):
                part = WeightedRows(*(array[start : start + size] for array in rows))
                padded = pad_rows(part, self._encoding.in_shape)
                total += float(
                    weighted_loss(as_traced(self._model), as_traced(loss), self.params_, self.model_state_, padded)
                )
        return -total / float(rows.weight.sum())

    def perplexity(self, X: Any, sample_weight: Any = None) -> float:
        """Return the perplexity `exp(-score)`, at least 1; lower is better.

        A model that gives k tokens the same probability at each step, and 0 to all others, has perplexity k.

        Parameters
        ----------
        X, sample_weight : as in `score`

        Returns
        -------
        float
        """
        return math.exp(-self.score(X, sample_weight=sample_weight))

    # Fitted attributes, read from the encoding.

    @property
    def vocabulary_(self) -> dict[Any, int]:
        """The tokens, sorted, with their ids."""
        vocabulary: dict[Any, int] = self._learned("vocabulary_").vocabulary
        return vocabulary

    @property
    def boundaries_(self) -> bool:
        """Whether texts have boundary tokens."""
        return bool(self._learned("boundaries_").boundaries)

    @property
    def n_tokens_(self) -> int:
        """Number of token ids."""
        return int(self._learned("n_tokens_").n_tokens)

    @property
    def context_length_(self) -> int:
        """Number of tokens per window."""
        return int(self._learned("context_length_").context_length)

    @property
    def max_text_length_(self) -> int:
        """Number of tokens of the longest text so far."""
        return int(self._learned("max_text_length_").longest_text)

    # How texts become rows.

    def _example_data(self, input_shape: Any, n_targets: Any) -> FitData:
        raise ValueError(f"summary of {type(self).__name__} needs texts, which give the tokens: call summary(X).")

    def _read(self, data: Any, earlier: Earlier | None) -> tuple[TextEncoding, WeightedRows]:
        known = earlier.encoding if earlier is not None and earlier.is_partial else None
        if known is not None:
            self._check_unchanged(known)
        level = self.level if known is None else known.level
        texts, weight = self._texts_and_weights(data.X, data.sample_weight, "X", level)
        encoding = self._learned_tokens(texts, data, earlier) if known is None else known
        encoding = encoding.with_longest(max(map(len, texts.values())))
        length = encoding.context_length
        return encoding, encoding.encode(texts, weight, min(self.stride or length, length))

    def _check_unchanged(self, known: TextEncoding) -> None:
        """Raise ValueError if a parameter that determines how texts become rows has changed since the earlier fit."""
        name = type(self).__name__
        for parameter, before in known.given.items():
            now = getattr(self, parameter)
            if now != before:
                raise ValueError(
                    f"partial_fit of {name} needs rows as in the earlier fit, but {parameter} was {before!r} then and "
                    f"is {now!r} now. Set it back, or fit a clone."
                )
        if self.vocabulary is None:
            return
        tokens = vocabulary_of(name, [self.vocabulary], known.level, "the vocabulary")
        if tokens != known.vocabulary:
            raise ValueError(
                f"partial_fit of {name} needs the {len(known.vocabulary)} tokens of the earlier fit, but vocabulary has "
                "other tokens now. Set it back, or fit a clone."
            )

    def _texts_and_weights(
        self, X: Any, sample_weight: Any, name: str, level: str
    ) -> tuple[dict[str, Any], np.ndarray]:
        """Return a dict of the tokens of each text of positive weight, with the names of texts for errors, and weights."""
        texts = tokens_of_texts(type(self).__name__, X, level, name)
        weight = _check_sample_weight(
            sample_weight, np.empty((len(texts), 1)), dtype=np.float64, ensure_non_negative=True
        )
        check_some_weight(weight)
        named = {f"Text {number} of {name}": text for number, text in enumerate(texts) if weight[number] > 0}
        return named, bounded_weights(weight[weight > 0])

    def _learned_tokens(self, texts: dict[str, Any], data: Any, earlier: Earlier | None) -> TextEncoding:
        """Return the encoding learned from texts; a warm start keeps the vocabulary of the earlier fit."""
        name, is_auto = type(self).__name__, isinstance(self.boundaries, str)
        before = None if earlier is None else earlier.encoding
        if before is None:
            known = self.vocabulary
            source = (texts.values(), "X") if known is None else ([known], "the vocabulary")
            vocabulary = vocabulary_of(name, source[0], self.level, source[1])
        else:
            vocabulary = before.vocabulary
        boundaries = len(texts) > 1 if is_auto else bool(self.boundaries)
        if before is not None and is_auto:
            boundaries = before.boundaries
        if len(vocabulary) + boundaries < 2:
            raise ValueError(f"{name} needs at least 2 different tokens to learn the next one. Got {len(vocabulary)}.")
        context_length = int(self.context_length)
        if not data.more_come:
            # A power of two, so that folds whose longest texts have nearly the same length share a program.
            longest = max(map(len, texts.values()))
            context_length = min(context_length, 1 << max(1, longest).bit_length())
        given = {parameter: getattr(self, parameter) for parameter in FIXED}
        return TextEncoding(self.level, vocabulary, boundaries, context_length, 0, given, name)

    def _finished(self, rows: WeightedRows, encoding: Any, loss: Any) -> WeightedRows:
        return rows

    # The network and its training.

    def _resolve(self, encoding: Any) -> Resolved:
        resolved = resolve_all({kind: self._component_value(kind) for kind in self._components})
        network = NextToken(resolved.network, encoding.n_tokens, int(self.embedding_features))
        loss = resolved.loss
        if not loss.probabilistic and "multiclass" in loss.tasks:
            raise ValueError(
                f"The loss {type(loss).__name__} gives no probabilities, which {type(self).__name__} needs to draw tokens. "
                f"Choose another loss, such as {self._default_loss!r}."
            )
        if "multiclass" in loss.tasks:
            loss = TokenLoss(loss, encoding.n_tokens, encoding.context_length)
        return resolved._replace(network=network, loss=loss)

    def _parted(self, given: WeightedRows, data: Any, draft: Draft) -> Split:
        length = draft.encoding.context_length
        if data.X_val is None and self.early_stopping and (self.stride or length) < length:
            raise ValueError(
                f"early_stopping=True holds out windows of X, but with stride={self.stride} below the context length "
                f"({length}) training windows would overlap them. Leave stride at None, or give X_val."
            )
        return super()._parted(given, data, draft)

    def _given_validation(self, data: Any, draft: Draft) -> tuple[WeightedRows, np.ndarray]:
        encoding = draft.encoding
        texts, weight = self._texts_and_weights(data.X_val, data.sample_weight_val, "X_val", encoding.level)
        rows = _rows_to_score(encoding, texts, weight)
        return rows, np.arange(len(rows.target))

    def _first_state(self, config: Any, beginning: Beginning, key: Any) -> TrainState:
        state = super()._first_state(config, beginning, key)
        check_is_causal(config.model, state.params, state.model_state)
        return state

    def _absorb(self, job: Job, outcome: Outcome) -> None:
        super()._absorb(job, outcome)
        # Check again with the trained parameters: weights initialised to zero, for example, hide a dependence.
        with job.placement.active():
            check_is_causal(as_traced(self._model), self.params_, self.model_state_)

    def _check_parameters(self, is_partial: bool) -> None:
        super()._check_parameters(is_partial)
        if self.stride is not None and self.stride > self.context_length:
            raise InvalidParameterError(
                f"The 'stride' parameter of {type(self).__name__} must be at most context_length={self.context_length}, because "
                f"tokens between the windows would not be learned. Got {self.stride!r} instead."
            )

    def _check_generation(self, n_known: int, n: Any, temperature: Any, top_k: Any) -> None:
        name = type(self).__name__
        for word, value in (("n", n), ("top_k", top_k)):
            is_count = isinstance(value, Integral) and not isinstance(value, bool) and 1 <= int(value) <= MOST_TOKENS
            if not (value is None or is_count):
                raise InvalidParameterError(
                    f"The {word!r} parameter of {name}.generate must be an int in [1, {MOST_TOKENS}] or None. "
                    f"Got {value!r} instead."
                )
        is_number = isinstance(temperature, Real) and not isinstance(temperature, bool)
        if not (is_number and 0 <= temperature < math.inf):
            raise InvalidParameterError(
                f"The 'temperature' parameter of {name}.generate must be a float in [0, inf). Got {temperature!r} instead."
            )
        if not self.boundaries_ and n_known == 0:
            raise ValueError(
                f"{name} did not learn how texts begin (boundaries_ is False), so it needs a prompt of at least one token. "
                "Give a prompt, or fit with boundaries=True."
            )
        if not self.boundaries_ and n is None:
            raise ValueError(
                f"{name} did not learn how texts end (boundaries_ is False), so n must be an int. Give n, or fit with "
                "boundaries=True."
            )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.string = self.level == "character"
        return tags


def _rows_to_score(encoding: TextEncoding, texts: dict[str, Any], weight: np.ndarray) -> WeightedRows:
    """Return windows that overlap by half, in which each token is a target exactly once."""
    return encoding.encode(texts, weight, max(1, encoding.context_length // 2), once=True)
