"""JAX's settings are part of a program's key, and all estimators work under the strict settings."""

from __future__ import annotations

import contextlib
import sys

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose

import skdeep
from skdeep import DeepAutoencoder, DeepClassifier, DeepRegressor, MLPClassifier, MLPRegressor
from skdeep.core.programs import Program, TracedFunction
from skdeep.networks import LSTM, MLP

rng = np.random.default_rng(0)
X = rng.normal(size=(8, 16))
y = np.arange(8) % 2

SETTINGS = {
    "jax_debug_infs": True,
    "jax_default_prng_impl": "rbg",
    "jax_enable_checks": True,
    "jax_numpy_dtype_promotion": "strict",
    "jax_numpy_rank_promotion": "warn",
    "jax_threefry_partitionable": False,
}


@contextlib.contextmanager
def configured(name, value):
    before = getattr(jax.config, name)
    jax.config.update(name, value)
    try:
        yield
    finally:
        jax.config.update(name, before)


@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_is_part_of_the_key(name):
    skdeep.clear_cache()
    programs = [kind(lambda x: x + 1.0, name="added") for kind in (Program, TracedFunction)]
    x = np.ones(3, np.float32)

    def traces():
        for program in programs:
            program(x)
        return skdeep.compile_counts()["added"].traces

    assert traces() == 2
    with configured(name, SETTINGS[name]):
        assert traces() == 4
    assert traces() == 4


def test_random_numbers_follow_jax_default_prng_impl():
    program = Program(lambda x: x + jax.random.normal(jax.random.key(3), x.shape), name="drawn")
    x = np.zeros(4, np.float32)
    for implementation in ("threefry2x32", "rbg", "threefry2x32"):
        with configured("jax_default_prng_impl", implementation):
            assert_allclose(program(x), jax.random.normal(jax.random.key(3), (4,)))


def test_rank_promotion_raises_also_after_a_compile_that_allowed_it():
    class Net(nn.Module):
        n_outputs: int | None = None

        @nn.compact
        def __call__(self, x):
            return nn.Dense(self.n_outputs)(x + jnp.ones(16))

    model = DeepRegressor(network=Net(), max_epochs=1, tol=None)
    with configured("jax_numpy_rank_promotion", "allow"):
        model.fit(X, y)
    with pytest.raises(ValueError, match="rank_promotion"):
        model.fit(X, y)


TINY = {"max_epochs": 1, "tol": None, "random_state": 0, "batch_size": 8}
SOLVED = {"hidden_layer_sizes": (2,), "max_iter": 1, "random_state": 0}
FULL = MLP(widths=(2, 2), dropout_rate=0.5, normalization="batch", residual=True)
IMAGES = [("conv", {"features": 1}), "relu", "max_pool", "avg_pool", "global_avg_pool", "dense"]
ESTIMATORS = {
    "mlp": DeepClassifier(network=MLP(widths=(2,)), **TINY),
    "all of an mlp": DeepClassifier(
        network=FULL, l1=0.1, l2=0.1, clip_norm=1.0, early_stopping=True, validation_fraction=0.5, **TINY
    ),
    "images": DeepClassifier(network=IMAGES, input_shape=(4, 4, 1), **TINY),
    "lstm": DeepRegressor(network=LSTM(units=2), input_shape=(8, 2), **TINY),
    "autoencoder": DeepAutoencoder(n_components=1, variational=True, **TINY),
    "schedule and mixture": DeepClassifier(
        network=MLP(widths=(2,), normalization="layer"), schedule="one_cycle", augmentation="cutmix", **TINY
    ),
    "perceptron": MLPClassifier(**SOLVED),
    "perceptron with dropout": MLPClassifier(dropout=0.5, early_stopping=True, validation_fraction=0.5, **SOLVED),
    "sgd": MLPRegressor(solver="sgd", learning_rate="adaptive", **SOLVED),
    "lbfgs": MLPRegressor(solver="lbfgs", **SOLVED),
}
METHODS = ("partial_fit", "predict", "predict_proba", "predict_log_proba", "decision_function", "transform")


def outcome(estimator, X, y):
    """Return the parameters and the results of all methods."""
    model = estimator.fit(X, y)
    results = [jax.tree.map(np.asarray, model.params_)]
    results += [getattr(model, name)(X) for name in METHODS[1:] if hasattr(model, name)]
    if hasattr(model, "partial_fit") and not getattr(model, "early_stopping", False):
        results.append(jax.tree.map(np.asarray, model.partial_fit(X, y).params_))
    return results


def assert_same(found, wanted):
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True):
        assert_allclose(a, b, rtol=1e-4, atol=1e-5)


pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


# "all of an mlp" and "perceptron with dropout" contain them.
PARTS = ("mlp", "perceptron")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.campaign) if name in PARTS else name for name in ESTIMATORS]
)
def test_types_that_must_not_be_promoted(name):
    """The same numbers as without the setting."""
    with jax.numpy_dtype_promotion("strict"):
        found = outcome(ESTIMATORS[name], X, y)
    assert_same(found, outcome(ESTIMATORS[name], X, y))


@pytest.mark.parametrize("normalization", ["batch", pytest.param("layer", marks=pytest.mark.campaign)])
def test_norms_in_float64_work_under_strict_type_promotion(normalization):
    """Flax's norms combine float64 and float32, for which "strict" raises."""
    model = MLPRegressor(normalization=normalization, **SOLVED)
    with jax.numpy_dtype_promotion("strict"):
        found = outcome(model, X.astype(np.float64), y)
    assert_same(found, outcome(model, X.astype(np.float64), y))


@pytest.mark.parametrize("loss", ["absolute_error", "gaussian_nll", "huber", "poisson", "quantile"])
def test_regression_losses_work_under_strict_type_promotion(loss):
    with jax.numpy_dtype_promotion("strict"):
        DeepRegressor(network=MLP(widths=(2,)), loss=loss, **TINY).fit(X, y).predict(X)


@pytest.mark.parametrize("loss", ["cross_entropy", "focal", "hinge"])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_classification_losses_work_under_strict_type_promotion(loss, n_classes):
    with jax.numpy_dtype_promotion("strict"):
        DeepClassifier(network=MLP(widths=(2,)), loss=loss, **TINY).fit(X, np.arange(8) % n_classes).predict(X)


@pytest.mark.parametrize("name", ["mlp", "autoencoder", "perceptron", "sgd", "lbfgs"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_numbers_too_small_for_the_type_of_training_become_0(name, dtype):
    """X, y and weights have numbers below the smallest float32, which are rounded to 0."""
    small = X.copy()
    small[2, 3], small[3, 1] = 1e-60, -1e-310
    weights = np.ones(8)
    weights[4] = 1e-60
    small = small.astype(dtype)
    options = {} if name == "autoencoder" else {"sample_weight": weights}
    model = ESTIMATORS[name]
    target = np.where(y == 0, 1e-60, y) if isinstance(model, MLPRegressor) else y
    with np.errstate(all="raise"):
        model.fit(small, target, **options)
        found = [getattr(model, method)(small) for method in METHODS[1:] if hasattr(model, method)]
    assert all(np.isfinite(values).all() for values in found if values.dtype.kind == "f")


@pytest.mark.campaign  # the next test compares a smaller fit
@pytest.mark.parametrize("name", ["perceptron", "images", "lstm"])
def test_without_jit_the_same_comes_out(name):
    wanted = outcome(ESTIMATORS[name], X, y)
    skdeep.clear_cache()
    with jax.disable_jit():
        assert_same(outcome(ESTIMATORS[name], X, y), wanted)
    assert skdeep.compile_counts() == {}


def test_without_jit_a_module_sees_numbers():
    """As a debugger or print would show them: rows of X as they are. The numbers that come out are those of a program."""
    seen = []

    class Net(nn.Module):
        n_outputs: int | None = None

        @nn.compact
        def __call__(self, x):
            if not isinstance(x, jax.core.Tracer):
                seen.append(np.asarray(x))
            return nn.Dense(self.n_outputs)(x)

    model = DeepRegressor(network=Net(), optimizer="sgd", shuffle=False, coalesce=False, **TINY)
    wanted = model.fit(X, y).predict(X)
    skdeep.clear_cache()
    with jax.disable_jit():
        model.fit(X, y)
        during_fit = len(seen)
        assert_allclose(model.predict(X), wanted, rtol=1e-4, atol=1e-5)
    assert skdeep.compile_counts() == {}
    assert any(x.shape == X.shape and np.allclose(x, X) for x in seen[:during_fit])
    assert np.allclose(seen[-1][:8], X)


MEMORY = """
import warnings
import numpy as np
import skdeep
from skdeep import MLPRegressor

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096 / 2**20

warnings.simplefilter("ignore")
X = np.random.default_rng(0).normal(size=(20, 2))
sizes = []
for width in range(1, {n_structures} + 1):
    MLPRegressor(hidden_layer_sizes=(width,), max_iter=1, batch_size=20, random_state=0).fit(X, X[:, 0])
    sizes.append(resident())
skdeep.clear_cache()
print(sizes[len(sizes) // 2 - 1], sizes[-1], resident())
"""


def megabytes(forks, n_structures):
    """Return the megabytes of a process after half of the structures, after all of them, and after clear_cache()."""
    done = forks.run(MEMORY.replace("{n_structures}", str(n_structures)))
    assert done.returncode == 0, done.stderr
    return map(float, done.stdout.split())


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_clear_cache_returns_memory(forks):
    _, before, after = megabytes(forks, 6)
    assert after < before - 20


@pytest.mark.campaign
@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_memory_does_not_grow_with_the_number_of_structures(forks):
    """The second 70 structures replace the first ones."""
    half, full, _ = megabytes(forks, 140)
    assert full - half < 50


def test_intercepted_methods_are_another_program():
    import flax.linen as nn

    def doubled(call, args, kwargs, context):
        found = call(*args, **kwargs)
        return 2 * found if context.method_name == "__call__" and isinstance(context.module, nn.Dense) else found

    x = np.arange(20, dtype=np.float32).reshape(10, 2)
    model = skdeep.DeepRegressor(max_epochs=1, tol=None, random_state=0)
    plain = model.fit(x, x[:, 0]).predict(x)
    with nn.intercept_methods(doubled):
        intercepted = model.fit(x, x[:, 0]).predict(x)
    assert not np.allclose(plain, intercepted)
    np.testing.assert_array_equal(model.fit(x, x[:, 0]).predict(x), plain)
