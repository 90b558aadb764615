"""Predictions in blocks: a row's result does not depend on other rows, and few programs and copies are needed."""

import gc
import weakref

import flax.linen as nn
import jax
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import skdeep
from skdeep import DeepClassifier, DeepRegressor, MLPRegressor
from skdeep.core import programs
from skdeep.core.bounded_cache import BoundedCache
from skdeep.core.cpu.aligned import ALIGNMENT, SMALL_BYTES
from skdeep.networks import MLP

rng = np.random.default_rng(0)
X = rng.normal(size=(2100, 6)).astype(np.float32)
WIDE = 4000
SMALL = {"max_epochs": 1, "tol": None, "random_state": 0}


@jax.custom_vjp
def doubled(x):
    return jax.lax.conv_general_dilated(
        x[:, :, None], np.full((1, 1, 1), 2, x.dtype), (1,), "SAME", None, None, DIMENSIONS
    )


DIMENSIONS = ("NWC", "WIO", "NWC")
doubled.defvjp(lambda x: (doubled(x), None), lambda _, g: (2 * g[..., 0],))


class LeftAlone(skdeep.Module):
    """Contains a convolution with a custom derivative, which does not suit a loop on a CPU."""

    n_outputs: int | None = None

    @nn.compact
    def __call__(self, x):
        return nn.Dense(self.n_outputs)(doubled(x)[..., 0])


@pytest.fixture(scope="module", params=["mlp", LeftAlone()], ids=["mlp", "left alone"])
def fitted(request):
    return DeepRegressor(network=request.param, **SMALL).fit(X[:200], X[:200, 0])


def test_predictions_of_a_row_do_not_depend_on_the_number_of_rows(fitted):
    expected = fitted.predict(X)
    for n in (1, 127, 128, 129, 1023, 1024, 1025, 2049):
        assert_array_equal(fitted.predict(X[:n]), expected[:n])


def test_predictions_of_a_linear_network_equal_numpys():
    model = DeepRegressor(network="linear", **SMALL).fit(X[:200], 3 * X[:200, 0] + 1)
    output = model.params_["output"]
    scale = model._encoding.target.scale
    wanted = (X.astype(float) @ output["kernel"] + output["bias"]) * scale.scale + scale.mean
    assert_allclose(model.predict(X), wanted[:, 0], rtol=1e-4, atol=1e-5)


def test_two_programs_serve_all_row_counts():
    model = DeepRegressor(**SMALL).fit(X[:200], X[:200, 0])
    skdeep.clear_cache()
    for n in (5, 129, 1000, 1024, 1025, 2100):
        model.predict(X[:n])
    assert skdeep.compile_counts() == {"predict_block": (1, 1), "predict_blocks": (1, 1)}


def test_a_network_that_does_not_suit_loops_is_traced_once_per_program():
    model = DeepRegressor(network=LeftAlone(), **SMALL).fit(X[:200], X[:200, 0])
    skdeep.clear_cache()
    for n in (300, 2100, 300):
        model.predict(X[:n])
    assert skdeep.compile_counts() == {"predict_block": (1, 1), "predict_blocks": (1, 0)}


@pytest.mark.parametrize(
    "model",
    [
        DeepRegressor(network=MLP((WIDE,)), **SMALL),
        DeepRegressor(network=MLP((WIDE,)), early_stopping=True, **SMALL),
        MLPRegressor(hidden_layer_sizes=(WIDE,), max_iter=1),
        MLPRegressor(hidden_layer_sizes=(WIDE,), solver="lbfgs", max_iter=1),
    ],
    ids=["last", "best", "perceptron", "lbfgs"],
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_programs_read_large_parameters_without_a_copy(model):
    """A copy of large parameters takes longer than a prediction with them."""
    model.fit(X[:200], X[:200, 0])
    large = [leaf for leaf in jax.tree.leaves(model.params_) if leaf.nbytes >= SMALL_BYTES]
    assert len(large) == 1
    for leaf in large:
        assert leaf.ctypes.data % ALIGNMENT == 0
        assert leaf.flags.writeable
        if jax.default_backend() == "cpu" and leaf.dtype == np.float32:
            assert np.shares_memory(np.asarray(jax.device_put(leaf)), leaf)


def test_changed_parameters_are_used_by_the_next_prediction():
    model = DeepClassifier(network="linear", **SMALL).fit(X[:200], X[:200, 0] > 0)
    model.params_["output"]["kernel"][...] = 0
    model.params_["output"]["bias"][...] = np.log(3)
    assert_allclose(model.predict_proba(X[:300])[:, 1], 0.75, rtol=1e-6)


def test_programs_that_the_cache_dropped_are_freed(monkeypatch):
    for name in ("_by_structure", "_by_text"):
        monkeypatch.setattr(programs, name, BoundedCache(2))
    double = programs.Program(lambda x: 2 * x, "double")
    kept = []
    for n in range(1, 6):
        double(np.ones(n, np.float32))
        kept.append(weakref.ref(next(reversed(programs._by_text._values.values()))))
    gc.collect()
    assert [ref() is None for ref in kept] == [True, True, True, False, False]
