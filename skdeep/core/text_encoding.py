"""What a fit learned of texts, as one value: tokens, boundaries, and the length of the windows that the network sees."""

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
    """The tokens of texts and how texts become rows of ids.

    Parameters
    ----------
    level : {"character", "token"}
    vocabulary : dict
        The tokens, sorted, with their ids.
    boundaries : bool
        Whether a token that stands for the boundary between texts is put before and behind each; its id comes after the
        last one of the vocabulary.
    context_length : int
        Number of tokens of a row.
    longest_text : int
        Tokens of the longest text so far.
    given : mapping
        The parameters that decided how texts become rows.

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
        """The id of the boundary between texts, where there is one."""
        return len(self.vocabulary)

    @property
    def task(self) -> Task:
        """The next token is a class."""
        return Task("multiclass", self.n_tokens)

    @property
    def in_shape(self) -> InputSpec:
        """Rows are the ids of tokens."""
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
        """Return the ids of a text's tokens, between boundaries if there are; ValueError for unknown tokens.

        `name` says in errors which text it is.
        """
        ids = ids_of(self.owner, self.vocabulary, text, name)
        return np.pad(ids, 1, constant_values=self.boundary) if self.boundaries else ids

    def encode(self, texts: Mapping[str, Any], weight: Any, stride: int, once: bool = False) -> WeightedRows:
        """Return the windows of texts with the next tokens as targets; a window's weight is that of the tokens in it.

        Parameters
        ----------
        texts : mapping
            The tokens of texts, by what errors call them.
        weight : array (texts,)
        stride : int
            How far apart windows begin.
        once : bool, default=False
            Whether each token is a target in one window only.

        Raises
        ------
        ValueError
            If there is nothing to predict, or a token is unknown.
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
        """Return the text of ids without boundaries: a string at level "character", else a list of tokens."""
        tokens = list(self.vocabulary)
        found = [tokens[i] for i in ids if i != self.boundary]
        return "".join(found) if self.level == "character" else found

    def with_longest(self, n_tokens: int) -> TextEncoding:
        """Return the encoding after texts of up to so many tokens."""
        return dataclasses.replace(self, longest_text=max(self.longest_text, n_tokens))
