"""Texts as scikit-learn users give them -> tokens and their ids, and back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np


def tokens_of_texts(owner: str, X: Any, level: str) -> list[Sequence[Any]]:
    """Return the tokens of each text: a string's characters, or the items of a sequence.

    Raises
    ------
    TypeError
        If X is one text, a table, or has a text of another kind than `level` says.
    ValueError
        If there is no text.
    """
    if isinstance(X, str):
        raise TypeError(f"X must hold texts, but {owner} got one string. Give [text].")
    if hasattr(X, "columns"):
        raise TypeError(f"X must hold texts, but {owner} got a table. Give the column of texts, such as X['text'].")
    texts = [tokens_of_text(owner, text, level, f"Text {number} of X") for number, text in enumerate(X)]
    if not texts:
        raise ValueError(f"X has 0 texts, but {owner} needs at least 1.")
    return texts


def tokens_of_text(owner: str, text: Any, level: str, name: str) -> Sequence[Any]:
    """Return the tokens of one text; `name` says in errors which one it is."""
    if level == "character":
        if not isinstance(text, str):
            raise TypeError(
                f"{name} is of type {type(text).__name__}, but {owner} with level='character' takes strings. Give strings, or set "
                "level='token' for sequences of tokens."
            )
        return text
    if isinstance(text, str) or not isinstance(text, Iterable):
        raise TypeError(
            f"{name} is of type {type(text).__name__}, but {owner} with level='token' takes sequences of tokens. Give lists, such as "
            "text.split(), or set level='character' for strings."
        )
    return text.tolist() if isinstance(text, np.ndarray) else list(text)


def vocabulary_of(owner: str, texts: Iterable[Iterable[Any]]) -> dict[Any, int]:
    """Return the different tokens, sorted, with their ids.

    Raises
    ------
    TypeError
        If tokens cannot be sorted or hashed.
    """
    try:
        tokens = sorted({token for text in texts for token in text})
    except TypeError as err:
        raise TypeError(
            f"{owner} cannot tell the tokens of X apart or sort them ({err}). Give tokens that are all strings, or all ints."
        ) from err
    return {token: number for number, token in enumerate(tokens)}


def ids_of(owner: str, vocabulary: dict[Any, int], text: Sequence[Any], name: str) -> np.ndarray:
    """Return the ids of a text's tokens; `name` says in errors which text it is.

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
            f"{name} has the token {text[position]!r} at position {position}, which {owner} does not know: it is none of the "
            f"{len(vocabulary)} tokens that fit saw. Leave it out, or fit with vocabulary= all tokens that may come."
        ) from None


def _is_in(vocabulary: dict[Any, int], token: Any) -> bool:
    try:
        return token in vocabulary
    except TypeError:  # not hashable
        return False
