"""Greedy ensembles, against pytabkit's (`references/README.md`)."""

import json
import pathlib

import numpy as np
import pytest
from sklearn.metrics import log_loss, zero_one_loss

from skdeep.core.greedy import greedy_counts

REFERENCE = json.loads((pathlib.Path(__file__).parents[1] / "references" / "greedy.json").read_text())
P, Y = np.array(REFERENCE["probabilities"]), np.array(REFERENCE["y"])
LOSSES = {
    "cross_entropy": lambda p: log_loss(Y, p / p.sum(axis=1, keepdims=True)),
    "class_error": lambda p: zero_one_loss(Y, p.argmax(axis=1)),
}


@pytest.mark.parametrize("metric", LOSSES)
def test_counts_of_pytabkit(metric):
    found = greedy_counts(P, LOSSES[metric], REFERENCE["n_steps"])
    assert found.tolist() == REFERENCE[metric]["weights"]
    mean = np.average(P, axis=0, weights=found)
    assert LOSSES[metric](mean) == pytest.approx(REFERENCE[metric]["best_loss"], abs=1e-5)


def test_the_best_model_alone_may_be_best():
    y = np.arange(10.0)
    predictions = np.stack([y, y + 1, -y])
    assert greedy_counts(predictions, lambda mean: float(np.mean((mean - y) ** 2))).tolist() == [1, 0, 0]
