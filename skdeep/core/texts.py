"""From texts, as users give them, to tokens, a vocabulary and ids."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from numbers import Integral
from typing import Any

import numpy as np


def tokens_of_texts(owner: str, X: Any, level: str, name: str) -> list[Sequence[Any]]:
    """Return the tokens of each text: the characters of a string, or the items of a sequence. Errors call X `name`.

    Raises
    ------
    TypeError
        If X is a single string or a table, or an item of X is not a text of this `level`.
    ValueError
        If there is no text.
    """
    if isinstance(X, str | bytes):
        raise TypeError(f"{name} must hold texts, but {owner} got one string. Give [text].")
    if hasattr(X, "columns"):
        raise TypeError(
            f"{name} must hold texts, but {owner} got a table. Give the column of texts, such as {name}['text']."
        )
    if not _has_order(X):
        raise TypeError(f"{name} must hold texts, but {owner} got {type(X).__name__}. Give a list of texts.")
    texts = [tokens_of_text(owner, text, level, f"Text {number} of {name}") for number, text in enumerate(X)]
    if not texts:
        raise ValueError(f"{name} has 0 texts, but {owner} needs at least 1.")
    return texts


def tokens_of_text(owner: str, text: Any, level: str, name: str) -> Sequence[Any]:
    """Return the tokens of one text, which errors call `name`."""
    if level == "character":
        if not isinstance(text, str):
            also = ", or set level='token' for sequences of tokens" if _is_sequence(text) else ""
            raise TypeError(
                f"{name} is of type {type(text).__name__}, but {owner} with level='character' takes strings. "
                f"Give strings{also}."
            )
        return text
    if not _is_sequence(text):
        also = ", such as text.split(), or set level='character' for strings" if isinstance(text, str) else ""
        raise TypeError(
            f"{name} is of type {type(text).__name__}, but {owner} with level='token' takes sequences of tokens. "
            f"Give lists{also}."
        )
    return text.tolist() if isinstance(text, np.ndarray) else list(text)


def vocabulary_of(owner: str, texts: Iterable[Iterable[Any]], level: str, name: str) -> dict[Any, int]:
    """Return the distinct tokens, sorted, with their ids. Errors call the source of the tokens `name`.

    Raises
    ------
    TypeError
        If they are neither all strings nor all ints, or not all single characters at level "character".
    """
    try:
        tokens = {token for text in texts for token in text}
    except TypeError:
        tokens = {None}  # an unhashable token is neither a string nor an int
    if all(isinstance(token, str) for token in tokens):
        tokens = {str(token) for token in tokens}  # otherwise decoded texts could hold NumPy's strings and ints
    elif all(isinstance(token, Integral) and not isinstance(token, bool | np.bool_) for token in tokens):
        tokens = {int(token) for token in tokens}
    else:
        raise TypeError(
            f"The tokens of {name} must be all strings, or all ints, for {owner}. Got both, or other types."
        )
    if level == "character" and not all(isinstance(token, str) and len(token) == 1 for token in tokens):
        raise TypeError(
            f"The tokens of {name} must be single characters, because level='character'. Give a string of all characters, or "
            "set level='token'."
        )
    return {token: number for number, token in enumerate(sorted(tokens))}


def ids_of(owner: str, vocabulary: dict[Any, int], text: Sequence[Any], name: str) -> np.ndarray:
    """Return the ids of the tokens of a text, which errors call `name`.

    Raises
    ------
    ValueError
        If a token is not in the vocabulary.
    """
    try:
        return np.array([vocabulary[token] for token in text], np.int32)
    except (KeyError, TypeError):
        position = next(i for i, token in enumerate(text) if not _is_in(vocabulary, token))
        raise ValueError(
            f"{name} has the token {text[position]!r} at position {position}, which {owner} does not know: it is not among the "
            f"{len(vocabulary)} tokens in vocabulary_. Leave it out, or fit with a vocabulary= that has all tokens."
        ) from None


def _has_order(value: Any) -> bool:
    """Return True if a value is an iterable with a meaningful order: no set, no mapping, no array of 0 dimensions."""
    return isinstance(value, Iterable) and not isinstance(value, Set | Mapping) and getattr(value, "ndim", 1) != 0


def _is_sequence(value: Any) -> bool:
    return _has_order(value) and not isinstance(value, str | bytes)


def _is_in(vocabulary: dict[Any, int], token: Any) -> bool:
    try:
        return token in vocabulary
    except TypeError:  # not hashable
        return False
