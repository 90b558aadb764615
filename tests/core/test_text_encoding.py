"""Texts to rows of ids and back, with and without boundaries."""

import numpy as np
import pytest

from skdeep.core.text_encoding import TextEncoding
from skdeep.records import Task

CHARACTERS = TextEncoding(
    "character", {"a": 0, "b": 1, "c": 2}, boundaries=True, context_length=3, longest_text=0, given={}
)
WORDS = TextEncoding("token", {"no": 0, "yes": 1}, boundaries=False, context_length=2, longest_text=0, given={})


def test_ids_with_and_without_boundaries():
    assert (CHARACTERS.n_tokens, CHARACTERS.boundary, CHARACTERS.task) == (4, 3, Task("multiclass", 4))
    assert CHARACTERS.ids("cab", "Text 0").tolist() == [3, 2, 0, 1, 3]
    assert WORDS.ids(["yes", "no"], "Text 0").tolist() == [1, 0]
    with pytest.raises(ValueError, match="Text 7 has the token 'x' at position 1"):
        CHARACTERS.ids("ax", "Text 7")


def test_decoding_drops_boundaries():
    assert CHARACTERS.decode([3, 2, 0, 1, 3]) == "cab"
    assert WORDS.decode([1, 0]) == ["yes", "no"]


def test_weight_of_a_window_is_that_of_its_text_times_its_targets():
    rows = CHARACTERS.encode({"Text 0": "ab", "Text 1": "c"}, np.array([1.0, 0.5]), stride=3)
    np.testing.assert_array_equal(rows.x, [[3, 0, 1], [3, 2, 0]])
    np.testing.assert_array_equal(rows.target, [[0, 1, 3], [2, 3, -1]])
    np.testing.assert_array_equal(rows.weight, [3.0, 1.0])


def test_texts_without_a_token_to_predict_raise():
    with pytest.raises(ValueError, match="There is nothing to predict: without boundaries"):
        WORDS.encode({"Text 0": ["no"]}, np.ones(1), stride=2)


def test_longest_text_never_falls():
    assert CHARACTERS.with_longest(5).with_longest(3).longest_text == 5
