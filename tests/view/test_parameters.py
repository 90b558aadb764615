"""Which fields of a component differ from their defaults."""

from __future__ import annotations

import numpy as np
import pytest

import skdeep
from skdeep.layers import Dense, Dropout
from skdeep.networks import MLP, Sequential
from skdeep.optimizers import Adam
from skdeep.view.parameters import set_fields


class Outer(skdeep.Network):
    inner: skdeep.Network = MLP(widths=(8,))

    def build(self, in_shape, n_outputs):
        return self.inner.build(in_shape, n_outputs)


CASES = [
    (MLP(), None, []),
    (MLP(widths=(128, 128), activation="tanh"), None, ["activation"]),
    (MLP(widths=(8,)), MLP(widths=(8,)), []),
    (MLP(), MLP(widths=(8,)), ["widths"]),
    (MLP(widths=(8,)), Adam(), ["widths"]),
    (Outer(), None, []),
    (Outer(MLP(widths=(8,), activation="tanh")), None, ["inner", "inner__activation"]),
    (Outer(MLP()), None, ["inner", "inner__widths"]),
    (
        Sequential((Dense(8), Dropout())),
        None,
        ["layers", "layers__0", "layers__0__features", "layers__1"],
    ),
    (Sequential((Dense(8),)), Sequential((Dense(8),)), []),
    (Adam(b1=np.float32(0.9)), None, ["b1"]),
]


@pytest.mark.parametrize(("component", "default", "expected"), CASES)
def test_paths(component, default, expected):
    assert list(set_fields(component, default)) == expected
