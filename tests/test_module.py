"""`skdeep.Module`: equal instances have equal hashes, pickles and copies, unlike those of a raw linen module."""

from __future__ import annotations

import copy
import pickle

import flax.linen as nn
import jax
import joblib
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone

import skdeep

ROWS = np.ones((2, 4), np.float32)


class Net(skdeep.Module):
    width: int = 8
    act: object = nn.gelu  # unlike nn.relu, a function that pickle accepts
    widths: tuple = (3, 4)

    @nn.compact
    def __call__(self, x):
        x = self.act(nn.Dense(self.width)(x))
        return nn.Dense(2)(x)


class Outer(skdeep.Module):
    inner: nn.Module = Net()

    def __call__(self, x):
        return self.inner(x)


class WithSetup(skdeep.Module):
    width: int = 8

    def setup(self):
        self.dense = nn.Dense(self.width)

    def __call__(self, x):
        return self.dense(x)


class RawNet(nn.Module):
    width: int = 8
    act: object = nn.gelu


MODULES = {
    "defaults": Net(),
    "changed": Net(width=16, act=nn.softmax),
    "named": Net(name="mine"),
    "nested": Outer(),
    "setup": WithSetup(3),
}


@pytest.mark.parametrize("module", MODULES.values(), ids=MODULES)
def test_equal_after_pickling(module):
    again = pickle.loads(pickle.dumps(module))
    assert again == module
    assert again.name == module.name
    assert hash(again) == hash(module)


def test_same_parameters_after_pickling():
    module, key = Net(width=3), jax.random.key(0)
    again = pickle.loads(pickle.dumps(module))
    jax.tree.map(assert_array_equal, module.init(key, ROWS), again.init(key, ROWS))


@pytest.mark.parametrize("make", [Net, WithSetup, Outer])
def test_equal_instances_have_equal_hashes(make):
    assert make() == make()
    assert hash(make()) == hash(make())
    assert pickle.dumps(make()) == pickle.dumps(make())
    assert joblib.hash(make()) == joblib.hash(make())


@pytest.mark.parametrize("other", [Net(width=9), Net(act=nn.softmax), Net(widths=(3,)), WithSetup()])
def test_other_values_have_another_hash(other):
    assert Net() != other
    assert joblib.hash(Net()) != joblib.hash(other)


def test_copies_are_the_module_itself():
    module = Net(act=nn.relu)
    assert copy.deepcopy(module) is module
    assert clone(module) is module
    assert clone(skdeep.DeepClassifier(network=module)).network is module
    assert copy.deepcopy([module])[0].act is nn.relu
    assert copy.deepcopy(module) == Net(act=nn.relu)


def test_still_a_linen_module():
    module = Net(width=16)
    assert module.clone(width=3) == Net(width=3)
    assert module.copy(act=nn.tanh) == Net(width=16, act=nn.tanh)
    assert jax.tree.map(np.shape, module.init(jax.random.key(0), ROWS))["params"]["Dense_0"]["kernel"] == (4, 16)


def test_raw_linen_modules_have_unequal_hashes_and_pickles():
    """The reason for `skdeep.Module`: if this test fails, Flax has changed, and the class can be removed.

    Functions in their fields keep their identity in copies, by `skdeep.core.jitted`.
    """
    assert RawNet() == RawNet()
    assert joblib.hash(RawNet()) != joblib.hash(RawNet())
    assert pickle.dumps(RawNet()) != pickle.dumps(RawNet())
    assert copy.deepcopy(RawNet(act=nn.relu)) == RawNet(act=nn.relu)
