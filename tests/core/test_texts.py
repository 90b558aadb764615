"""Tokens, vocabularies and ids of texts. The tests of the estimator cover more messages about X."""

import numpy as np
import pytest

from skdeep.core.texts import ids_of, tokens_of_text, tokens_of_texts, vocabulary_of


@pytest.mark.parametrize(("texts", "level", "expected"), [
    (["b", "ab"], "character", {"a": 0, "b": 1}),
    ([["no", "yes"], ["no"]], "token", {"no": 0, "yes": 1}),
    ([np.array([7, 3]), [5]], "token", {3: 0, 5: 1, 7: 2}),
])  # fmt: skip
def test_vocabularies_are_sorted(texts, level, expected):
    vocabulary = vocabulary_of("Owner", texts, level, "X")
    assert vocabulary == expected
    assert all(type(token) in (str, int) for token in vocabulary)


def test_tokens_of_strings_and_of_arrays():
    assert tokens_of_texts("Owner", ["ab", "c"], "character", "X") == ["ab", "c"]
    assert tokens_of_text("Owner", np.array([1, 2]), "token", "Text 0") == [1, 2]


@pytest.mark.parametrize(("X", "level", "error", "message"), [
    ("one text", "character", TypeError, "got one string. Give \\[text\\]"),
    ([], "character", ValueError, "has 0 texts"),
    ([["a"]], "character", TypeError, "set level='token'"),
    (["a b"], "token", TypeError, "text.split\\(\\)"),
    ({"a"}, "character", TypeError, "got set. Give a list"),
])  # fmt: skip
def test_values_that_are_not_texts_raise(X, level, error, message):
    with pytest.raises(error, match=message):
        tokens_of_texts("Owner", X, level, "X")


def test_mixed_tokens_raise():
    with pytest.raises(TypeError, match="must be all strings, or all ints"):
        vocabulary_of("Owner", [[1, "a"]], "token", "X")


def test_an_unknown_token_raises_with_its_position():
    with pytest.raises(ValueError, match="Text 3 has the token 9 at position 2, which Owner does not know"):
        ids_of("Owner", {1: 0, 2: 1}, [1, 2, 9], "Text 3")
