"""Fitted attributes in a few words."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.sparse

from skdeep import DeepClassifier
from skdeep.optimizers import Adam
from skdeep.view.values import MOST_CHARACTERS, worded_type, worded_value

LAYER = {"bias": np.zeros(8, np.float32), "kernel": np.zeros((4, 8), np.float32)}

CASES = [
    ({"Dense_0": LAYER}, "dict", "2 arrays, 40 values: Dense_0/bias (8,), Dense_0/kernel (4, 8)"),
    ([np.zeros((4, 8)), np.zeros((8, 1))], "list", "2 arrays, 40 values: (4, 8), (8, 1)"),
    ({"scale": np.zeros(1)}, "dict", "1 array, 1 value: scale (1,)"),
    (
        pd.DataFrame({"epoch": [1, 2], "train_loss": [0.5, 0.4]}),
        "DataFrame",
        "2 epochs x 2 columns: epoch, train_loss",
    ),
    (np.array(["no", "yes"]), "ndarray[<U3](2,)", "'no', 'yes'"),
    (np.arange(10), "ndarray[int64](10,)", "0, 1, 2, 3, 4, 5, ..."),
    (np.array(0.25), "ndarray[float64]()", "0.25"),
    (np.zeros((3, 4)), "ndarray[float64](3, 4)", "12 values"),
    (scipy.sparse.csr_matrix((3, 4)), "csr_matrix[float64](3, 4)", "12 values"),
    ([DeepClassifier(), DeepClassifier()], "list", "2 x DeepClassifier"),
    (1 / 3, "float", "0.3333"),
    (True, "bool", "True"),
    (12345, "int", "12345"),
    ({}, "dict", "{}"),
    (Adam(), "Adam", "Adam(b1=0.9, b2=0.999, eps=1e-08)"),
    (None, "NoneType", "None"),
]


@pytest.mark.parametrize(("value", "kind", "words"), CASES)
def test_words(value, kind, words):
    assert worded_type(value) == kind
    assert worded_value(value) == words


class Long:
    def __repr__(self):
        return "Long(\n" + "x" * 10_000 + ")"


@pytest.mark.parametrize("value", [{f"Dense_{i}": LAYER for i in range(50)}, Long(), "a" * 1000, list(range(1000))])
def test_nothing_is_long(value):
    words = worded_value(value)
    assert len(words) <= MOST_CHARACTERS
    assert "..." in words
    assert "\n" not in words
