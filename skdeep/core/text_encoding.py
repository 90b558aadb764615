"""The encoding that fit learns from texts: the vocabulary, boundary tokens, and the length of windows."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Int

from skdeep.core.rows import WeightedRows
from skdeep.core.texts import ids_of
from skdeep.core.tokens import windows_of
from skdeep.records import InputSpec, Task


@dataclasses.dataclass(frozen=True)
class TextEncoding:
    """Encodes texts as rows of ids, and decodes ids to texts.

    Parameters
    ----------
    level : {"character", "token"}
    vocabulary : dict
        The tokens, sorted, with their ids.
    boundaries : bool
        If True, a boundary token is put before and after each text. Its id is `len(vocabulary)`.
    context_length : int
        Number of tokens per row.
    longest_text : int
        Number of tokens of the longest text so far.
    given : mapping
        The estimator's parameters from which this encoding was made.

    Examples
    --------
    >>> from skdeep.core.text_encoding import TextEncoding
    >>> encoding = TextEncoding("character", {"a": 0, "b": 1}, boundaries=True, context_length=4, longest_text=2, given={})
    >>> encoding.ids("ab", "Text 0").tolist()
    [2, 0, 1, 2]
    >>> encoding.decode([1, 0, 2])
    'ba'
    """

    level: str
    vocabulary: dict[Any, int]
    boundaries: bool
    context_length: int
    longest_text: int
    given: Mapping[str, Any]
    owner: str = "SequenceGenerator"

    dtype = "float32"
    names = None

    @property
    def n_tokens(self) -> int:
        """Number of ids."""
        return len(self.vocabulary) + self.boundaries

    @property
    def boundary(self) -> int:
        """The id of the boundary token, if `boundaries` is True."""
        return len(self.vocabulary)

    @property
    def task(self) -> Task:
        """Task "multiclass": the classes are the tokens that may follow."""
        return Task("multiclass", self.n_tokens)

    @property
    def in_shape(self) -> InputSpec:
        """Rows of `context_length` ids."""
        return InputSpec((self.context_length,), "int32", self.n_tokens)

    @property
    def row_shape(self) -> tuple[int, ...]:
        """Shape of a row for the network."""
        return (self.context_length,)

    @property
    def columns(self) -> tuple[int, ...]:
        """Shape of a row."""
        return self.row_shape

    def ids(self, text: Sequence[Any], name: str) -> Int[np.ndarray, " tokens"]:
        """Return the ids of a text's tokens, with the boundary token before and after them if `boundaries` is True.

        Raise ValueError for an unknown token; the message calls the text `name`.
        """
        ids = ids_of(self.owner, self.vocabulary, text, name)
        return np.pad(ids, 1, constant_values=self.boundary) if self.boundaries else ids

    def encode(self, texts: Mapping[str, Any], weight: Any, stride: int, once: bool = False) -> WeightedRows:
        """Return the windows of texts, with the next token at each step as target.

        The weight of a window is the weight of its text times the number of its targets.

        Parameters
        ----------
        texts : mapping
            The tokens of each text, by the text's name in error messages.
        weight : array (texts,)
        stride : int
            Number of steps between the beginnings of two windows.
        once : bool, default=False
            If True, each token is a target in one window only.

        Raises
        ------
        ValueError
            If no text has a token to predict, or a token is unknown.
        """
        ids = [self.ids(text, name) for name, text in texts.items()]
        windows = windows_of(ids, self.context_length, stride, once)
        if not len(windows.x):
            raise ValueError(
                f"There is nothing to predict: without boundaries, {self.owner} needs a text of at least 2 "
                "tokens. Give longer texts, or fit with boundaries=True."
            )
        return WeightedRows(windows.x, windows.target, weight[windows.source] * windows.n_targets)

    def decode(self, ids: Any) -> Any:
        """Return the text of ids without boundary tokens: a string at level "character", else a list of tokens."""
        tokens = list(self.vocabulary)
        found = [tokens[i] for i in ids if i != self.boundary]
        return "".join(found) if self.level == "character" else found

    def with_longest(self, n_tokens: int) -> TextEncoding:
        """Return the encoding with `longest_text` raised to `n_tokens` if that is larger."""
        return dataclasses.replace(self, longest_text=max(self.longest_text, n_tokens))
