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
    Coalesce,
    Device,
    LossLike,
    NetworkLike,
    OptimizerLike,
    RandomState,
    ScheduleLike,
)
from skdeep.estimators.parameters import AT_LEAST_ONE, CONSTRAINTS, NETWORK, StrOptions
from skdeep.estimators.prepare import Draft, Earlier, Split
from skdeep.estimators.resolve import Resolved, resolve_all
from skdeep.estimators.training import FitData, train
from skdeep.losses import CrossEntropy
from skdeep.records import Outcome, TrainState

MOST_TOKENS = 2**24
# Parameters that decide what rows are, so that training cannot go on with others.
FIXED = ("level", "context_length", "boundaries")


class SequenceGenerator(DeepEstimator):
    """A network that learns what comes next in texts, scores texts by it, and goes on with them.

    It sees stretches of `context_length` tokens. Parameters that are not described here are those of `DeepClassifier`.

    Parameters
    ----------
    network : str, Network, list, flax.linen.Module or callable, default="lstm"
        "lstm", "gru", "tcn", "transformer" or another network that can give outputs at each step (`build_causal`); a
        list of layers that keep the steps; or a module of your own from `(n, time, features)` to
        `(n, time, n_outputs)`, where a step may depend on itself and earlier ones only (`fit` looks).
    level : {"character", "token"}, default="character"
        Texts are strings, and a token is a character; or texts are sequences of tokens, all strings or all ints.
    context_length : int, default=64
        How many tokens the network sees at once.
    stride : int or None, default=None
        How far apart the stretches begin that it is trained on; None is `context_length`, so that they do not overlap.
        With less, which they do, an epoch sees more of them.
    embedding_features : int, default=64
        Length of the vector that stands for a token.
    boundaries : bool or "auto", default="auto"
        Learn where texts begin and end, by a token before and behind each. Without, a text is a stretch of a longer one.
        "auto" does for more than one text (in the first call, of `partial_fit` or with `warm_start`).
    vocabulary : str, collection of tokens or None, default=None
        All tokens that may come; None takes those of X. Others are an error, in `fit` and later.
    loss : str, Loss or callable, default="cross_entropy"
        A loss for classes, here the next tokens.
    optimizer : str, Optimizer or callable, default="adam"
    learning_rate : float, default=1e-3
    schedule : str, Schedule or callable, default="constant"
    l1, l2, clip_norm : float or None, default=None
        As in `DeepClassifier`; the penalties act on kernels, not on the embedding of the tokens.
    batch_size : int or "auto", default="auto"
        In stretches.
    max_epochs : int, default=200
    early_stopping : bool, default=False
        Hold stretches out; needs stretches that do not overlap, or `X_val`.
    validation_fraction : float or int, default=0.1
    n_iter_no_change : int, default=10
    tol : float or None, default=1e-4
    coalesce : bool or "auto", default="auto"
    shuffle : bool, default=True
    warm_start : bool, default=False
        Go on from the last fit, with its vocabulary.
    random_state : int, RandomState or None, default=None
    verbose : int, default=0
    device : {"auto", "cpu", "gpu", "tpu"}, default="auto"

    Attributes
    ----------
    vocabulary_ : dict
        The tokens, sorted, with their ids.
    boundaries_ : bool
        Whether beginnings and ends were learned; their token has the id after the last one of `vocabulary_`.
    n_tokens_ : int
        Number of ids.
    context_length_ : int
        As `context_length`, or less if all texts of `fit` are shorter.
    max_text_length_ : int
        Tokens of the longest text so far.
    n_iter_, best_epoch_, history_, params_, model_state_, n_parameters_
        As in `DeepClassifier`; losses are means over tokens.
    network_, loss_, optimizer_, schedule_, resolved_components_
        As in `DeepClassifier`, with `network_.network` the one that was given and `loss_.loss` the loss.

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
        **{name: rule for name, rule in CONSTRAINTS.items() if name not in ("scoring", "input_shape")},
    }
    _components: ClassVar[dict[str, str]] = {kind: kind for kind in ("network", "loss", "optimizer", "schedule")}
    _default_loss = "cross_entropy"
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
    ) -> None:
        self._store(locals())

    @with_callbacks
    def fit(
        self, X: Any, y: Any = None, sample_weight: Any = None, *, X_val: Any = None, sample_weight_val: Any = None
    ) -> Self:
        """Learn what comes next in texts.

        Parameters
        ----------
        X : iterable of str, or of sequences of tokens
        y : ignored
        sample_weight : array-like (n,), default=None
            Non-negative, of texts; each of its tokens has the weight of a text.
        X_val, sample_weight_val : as X and sample_weight, default=None
            Validation texts; without `early_stopping` they are only reported in `history_`.

        Returns
        -------
        self

        Raises
        ------
        TypeError
            If X is one string, or its texts are not of the kind that `level` says.
        ValueError
            If a parameter is not what it must be, there is nothing to predict, or a token is not in the vocabulary.
        NonFiniteLossError
            If the loss becomes NaN or infinite, unless early stopping has kept parameters.
        """
        return train(self, FitData(X, None, sample_weight, X_val, None, sample_weight_val))

    @available_if(trains_epoch_by_epoch)
    @with_callbacks
    def partial_fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Train one epoch on these texts, going on from where the last call stopped.

        The vocabulary is that of the first call: give `vocabulary` if more tokens may come.

        Parameters
        ----------
        X, y, sample_weight : as in `fit`

        Returns
        -------
        self
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
        """Go on with a text.

        Parameters
        ----------
        prompt : str, or sequence of tokens, default=None
            What the text begins with; with `boundaries_` it may be empty.
        n : int or None, default=100
            Number of tokens. None goes on until the model ends the text, with `boundaries_`, for at most
            `max_text_length_` tokens.
        temperature : float, default=1.0
            Raw outputs are divided by it: below 1 likely tokens become likelier, and at 0 the likeliest is taken.
        top_k : int or None, default=None
            Draw from the likeliest `top_k` tokens only (of equally likely ones, the first in `vocabulary_`).
        random_state : int, RandomState or None, default=None

        Returns
        -------
        str or list
            What follows the prompt, a string at level "character", else a list of tokens.

        Raises
        ------
        ValueError
            If a parameter is not what it must be, or the prompt has a token that `fit` did not see.

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
        """Return the mean log-likelihood of a token, given those before it: at most 0, and higher is better.

        With `boundaries_` a text's first token and its end count too, otherwise the first has nothing before it. Each
        token is seen with at least half a `context_length_` before it, where the text has as much.

        Parameters
        ----------
        X : as in `fit`
        y : ignored
        sample_weight : array-like (n,), default=None
            Of texts; each of its tokens has the weight of a text.
        """
        check_is_fitted(self)
        texts, weight = self._texts_and_weights(X, sample_weight, "X", self._encoding.level)
        rows = _rows_to_judge(self._encoding, texts, unit_mean(weight))
        loss = TokenLoss(CrossEntropy(), self.n_tokens_, self.context_length_)
        total, size = 0.0, evaluation_rows(self.n_outputs_)
        with self._placement().active():
            for start in range(0, len(rows.x), size):
                part = WeightedRows(*(array[start : start + size] for array in rows))
                padded = pad_rows(part, self.input_shape_)
                total += float(
                    weighted_loss(as_traced(self._model), as_traced(loss), self.params_, self.model_state_, padded)
                )
        return -total / float(rows.weight.sum())

    def perplexity(self, X: Any, sample_weight: Any = None) -> float:
        """Return `exp(-score)`: among how many equally likely tokens the model seems to choose; lower is better.

        Parameters
        ----------
        X, sample_weight : as in `score`
        """
        return math.exp(-self.score(X, sample_weight=sample_weight))

    # What was learned of the texts.

    @property
    def vocabulary_(self) -> dict[Any, int]:
        """The tokens, sorted, with their ids."""
        vocabulary: dict[Any, int] = self._learned("vocabulary_").vocabulary
        return vocabulary

    @property
    def boundaries_(self) -> bool:
        """Whether beginnings and ends of texts were learned."""
        return bool(self._learned("boundaries_").boundaries)

    @property
    def n_tokens_(self) -> int:
        """Number of ids."""
        return int(self._learned("n_tokens_").n_tokens)

    @property
    def context_length_(self) -> int:
        """How many tokens the network sees at once."""
        return int(self._learned("context_length_").context_length)

    @property
    def max_text_length_(self) -> int:
        """Tokens of the longest text so far."""
        return int(self._learned("max_text_length_").longest_text)

    # How texts become rows.

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
        """Raise ValueError if a parameter that decides what rows are has changed since the fit before."""
        name = type(self).__name__
        for parameter, before in known.given.items():
            now = getattr(self, parameter)
            if now != before:
                raise ValueError(
                    f"partial_fit of {name} goes on with rows as in the fit before, but {parameter} was {before!r} there and "
                    f"is {now!r} now. Set it back, or fit a clone."
                )
        if self.vocabulary is None:
            return
        tokens = vocabulary_of(name, [self.vocabulary], known.level, "the vocabulary")
        if tokens != known.vocabulary:
            raise ValueError(
                f"partial_fit of {name} goes on with the {len(known.vocabulary)} tokens of the fit before, but vocabulary has "
                "other tokens now. Set it back, or fit a clone."
            )

    def _texts_and_weights(
        self, X: Any, sample_weight: Any, name: str, level: str
    ) -> tuple[dict[str, Any], np.ndarray]:
        """Return the tokens of the texts of positive weight, by what errors call them, and their weights."""
        texts = tokens_of_texts(type(self).__name__, X, level, name)
        weight = _check_sample_weight(
            sample_weight, np.empty((len(texts), 1)), dtype=np.float64, ensure_non_negative=True
        )
        check_some_weight(weight)
        named = {f"Text {number} of {name}": text for number, text in enumerate(texts) if weight[number] > 0}
        return named, bounded_weights(weight[weight > 0])

    def _learned_tokens(self, texts: dict[str, Any], data: Any, earlier: Earlier | None) -> TextEncoding:
        """Return what there is to learn of texts; a warm start keeps the tokens that its parameters are of."""
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
            raise ValueError(
                f"{name} needs at least 2 different tokens to learn what comes next. Got {len(vocabulary)}."
            )
        context_length = int(self.context_length)
        if not data.more_come:
            # By powers of two, so that folds of nearly the same length share a program.
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
                f"The loss {type(loss).__name__} gives no probabilities to draw tokens by. Choose another loss for "
                f"{type(self).__name__}, such as {self._default_loss!r}."
            )
        if "multiclass" in loss.tasks:
            loss = TokenLoss(loss, encoding.n_tokens, encoding.context_length)
        return resolved._replace(network=network, loss=loss)

    def _parted(self, given: WeightedRows, data: Any, draft: Draft) -> Split:
        length = draft.encoding.context_length
        if data.X_val is None and self.early_stopping and (self.stride or length) < length:
            raise ValueError(
                f"early_stopping=True holds out stretches of X, but with stride={self.stride} below the context length "
                f"({length}) the others would overlap them. Leave stride at None, or give X_val."
            )
        return super()._parted(given, data, draft)

    def _given_validation(self, data: Any, draft: Draft) -> WeightedRows:
        encoding = draft.encoding
        texts, weight = self._texts_and_weights(data.X_val, data.sample_weight_val, "X_val", encoding.level)
        return _rows_to_judge(encoding, texts, weight)

    def _first_state(self, config: Any, counts: tuple[Any, Any], key: Any) -> TrainState:
        state = super()._first_state(config, counts, key)
        check_is_causal(config.model, state.params, state.model_state)
        return state

    def _absorb(self, job: Job, outcome: Outcome) -> None:
        super()._absorb(job, outcome)
        with job.placement.active():  # once more: first weights of zero, for example, let nothing through
            check_is_causal(as_traced(self._model), self.params_, self.model_state_)

    def _check_parameters(self, is_partial: bool) -> None:
        super()._check_parameters(is_partial)
        if self.stride is not None and self.stride > self.context_length:
            raise InvalidParameterError(
                f"The 'stride' parameter of {type(self).__name__} must be at most context_length={self.context_length}, or tokens "
                f"between the stretches would never be learned. Got {self.stride!r} instead."
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
                "Give one, or fit with boundaries=True."
            )
        if not self.boundaries_ and n is None:
            raise ValueError(
                f"{name} did not learn how texts end (boundaries_ is False), so n must be a number. Give one, or fit with "
                "boundaries=True."
            )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.string = self.level == "character"
        return tags


def _rows_to_judge(encoding: TextEncoding, texts: dict[str, Any], weight: np.ndarray) -> WeightedRows:
    """Return windows that overlap by half, in which each token is a target once."""
    return encoding.encode(texts, weight, max(1, encoding.context_length // 2), once=True)
