"""Layers: parameters by name and shape, dropout, batch normalisation with padding, residuals, lists of layers."""

from __future__ import annotations

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skdeep.contract import Layer, Network, call_arguments
from skdeep.core.random import wrap_key
from skdeep.errors import UnknownComponentError
from skdeep.estimators.resolve import resolve
from skdeep.layers import Activation, BatchNorm, Dense, Dropout, Flatten, LayerNorm, ModuleLayer, Residual, stack_layers
from skdeep.layers.activation import ACTIVATIONS, activation_function

KEY = np.array([7, 0], np.uint32)
ROWS = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
ONES = np.ones(len(ROWS), np.float32)


def run(layer, x=ROWS, train=False, mask=ONES, variables=None):
    """Build the layer; return its output, the changed model state, and the initial variables."""
    return compiled(layer, x, mask, variables, train)


@functools.partial(jax.jit, static_argnums=4)
def compiled(layer, x, mask, variables, train):
    module = layer.build()
    arguments = call_arguments(module, train, mask)
    key = wrap_key(jnp.array(KEY))
    rngs = {"params": key, "dropout": jax.random.fold_in(key, 1)}
    variables = module.init(rngs, x, **arguments) if variables is None else variables
    output, changed = module.apply(variables, x, rngs=rngs, mutable=["batch_stats"], **arguments)
    return output, changed, variables


def shapes(layer, x=ROWS):
    """Return the shape of each variable, by its path."""
    variables = jax.eval_shape(lambda: run(layer, x)[2])
    leaves, _ = jax.tree_util.tree_flatten_with_path(variables)
    return {jax.tree_util.keystr(path, simple=True, separator="/"): leaf.shape for path, leaf in leaves}


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (Dense(8), {"params/kernel": (4, 8), "params/bias": (8,)}),
        (Dense(8, use_bias=False), {"params/kernel": (4, 8)}),
        (LayerNorm(), {"params/scale": (4,), "params/bias": (4,)}),
        (
            BatchNorm(),
            {
                "params/norm/scale": (4,),
                "params/norm/bias": (4,),
                "batch_stats/norm/mean": (4,),
                "batch_stats/norm/var": (4,),
            },
        ),
        (Activation("tanh"), {}),
        (Dropout(0.5), {}),
        (Flatten(), {}),
        (ModuleLayer(nn.Dense(3)), {"params/kernel": (4, 3), "params/bias": (3,)}),
        (Residual((Dense(4), Activation())), {"params/Dense_0/kernel": (4, 4), "params/Dense_0/bias": (4,)}),
        (
            Residual((Dense(8), Activation())),
            {"params/Dense_0/kernel": (4, 8), "params/Dense_0/bias": (8,), "params/shortcut/kernel": (4, 8)},
        ),
    ],
)
def test_parameter_names_and_shapes(layer, expected):
    assert shapes(layer) == expected


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (Dropout(0.0), Dropout(0.5)),
        (BatchNorm(), BatchNorm(momentum=0.5, epsilon=0.1)),
        (LayerNorm(), LayerNorm(epsilon=0.1)),
        (Residual((Dense(4), Dropout(0.0))), Residual((Dense(4), Dropout(0.5)))),
    ],
)
def test_fields_are_traced(first, second):
    n_traces = []

    @jax.jit
    def output(layer):
        n_traces.append(1)
        return run(layer, train=True)[:2]

    outputs = [output(jax.tree.map(np.float32, layer)) for layer in (first, second)]
    assert len(n_traces) == 1
    for got, layer in zip(outputs, (first, second), strict=True):
        jax.tree.map(functools.partial(assert_allclose, rtol=1e-4, atol=1e-5), got, run(layer, train=True)[:2])
    with pytest.raises(AssertionError):
        jax.tree.map(assert_array_equal, *outputs)


def test_dense_is_affine():
    output, _, variables = run(Dense(8))
    kernel, bias = variables["params"]["kernel"], variables["params"]["bias"]
    assert_allclose(output, ROWS @ np.asarray(kernel) + np.asarray(bias), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("kernel_init", "variance"),
    [
        ("he_normal", 2 / 400),
        ("kaiming_uniform", 2 / 400),
        ("glorot_uniform", 2 / 500),
        ("xavier_normal", 2 / 500),
        ("lecun_normal", 1 / 400),
    ],
)
def test_kernel_init_has_the_variance_given_in_its_paper(kernel_init, variance):
    """The variances are 2 / fan_in (He et al.), 2 / (fan_in + fan_out) (Glorot and Bengio), 1 / fan_in (LeCun et al.)."""
    kernel = run(Dense(100, kernel_init=kernel_init), np.zeros((1, 400), np.float32))[2]["params"]["kernel"]
    assert_allclose(np.var(kernel), variance, rtol=0.03)
    assert abs(np.mean(kernel)) < 4 * (variance / kernel.size) ** 0.5


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Dense(0), "The 'features' field of Dense must be a positive int. Got 0 instead."),
        (lambda: Dense(2.5), "'features'.* Got 2.5 instead."),
        (
            lambda: Dense(kernel_init="zeros"),
            r"The 'kernel_init' field of Dense must be one of \['he_normal', .* Got 'zeros'",
        ),
        (lambda: Dropout(1.0), r"The 'rate' field of Dropout must be None or in \[0, 1\). Got 1.0 instead."),
        (lambda: Dropout(float("nan")), "'rate'.* Got nan instead."),
        (lambda: Activation("rellu"), "Unknown activation 'rellu'. Did you mean 'relu'?.* Known: .*gelu.*tanh"),
    ],
)
def test_check_fields(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("layer", [Dense(), Dropout(), Activation(), BatchNorm(), LayerNorm(), Flatten(), Residual()])
def test_defaults_pass_check_fields(layer):
    layer.check_fields()


@pytest.mark.parametrize("rate", [0.0, 0.5, 0.9])
def test_dropout_is_the_identity_in_inference(rate):
    assert_array_equal(run(Dropout(rate), train=False)[0], ROWS)


def test_dropout_of_rate_zero_is_the_identity_in_training():
    assert_array_equal(run(Dropout(0.0), train=True)[0], ROWS)


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.8])
def test_dropout_keeps_the_mean(rate):
    n_values = 20_000
    output = np.asarray(run(Dropout(rate), np.ones((100, n_values // 100), np.float32), train=True)[0])
    assert_allclose(np.unique(output), [0, 1 / (1 - rate)], rtol=1e-6)
    deviation = (
        rate / (1 - rate) / n_values
    ) ** 0.5  # standard deviation of the mean of Bernoulli(1 - rate) / (1 - rate)
    assert abs(output.mean() - 1) < 4 * deviation


@pytest.mark.parametrize("rate", [0.0, 0.5])
def test_gradient_of_dropout_is_its_factor(rate):
    output = run(Dropout(rate), np.ones_like(ROWS), train=True)[0]
    grad = jax.jit(jax.grad(lambda x: jnp.sum(run(Dropout(rate), x, train=True)[0])))(ROWS)
    assert_array_equal(grad, output)


def test_two_dropouts_of_equal_shape_have_different_masks():
    """Both keep a value with probability 1/4 if their masks are independent, with 1/2 if they are equal."""
    layer = Residual((Dropout(0.5), Dropout(0.5)))
    output = run(layer, np.ones((100, 100), np.float32), train=True)[0]
    share = np.mean(np.asarray(output) > 1)
    assert abs(share - 0.25) < 4 * (0.25 * 0.75 / 10_000) ** 0.5


def test_batch_norm_standardises_and_averages():
    """Ioffe and Szegedy, algorithms 1 and 2."""
    output, changed, _ = run(BatchNorm(momentum=0.7, epsilon=0.01), train=True)
    mean, variance = ROWS.mean(axis=0), ROWS.var(axis=0)
    assert_allclose(output, (ROWS - mean) / np.sqrt(variance + 0.01), rtol=1e-4, atol=1e-5)
    assert_allclose(changed["batch_stats"]["norm"]["mean"], 0.3 * mean, rtol=1e-5, atol=1e-6)
    assert_allclose(changed["batch_stats"]["norm"]["var"], 0.7 + 0.3 * variance, rtol=1e-5)


def test_batch_norm_uses_running_statistics_in_inference():
    variables = {
        "params": {"norm": {"scale": 2 * np.ones(4), "bias": np.ones(4)}},
        "batch_stats": {"norm": {"mean": 3 * np.ones(4), "var": 4 * np.ones(4)}},
    }
    output, changed, _ = run(BatchNorm(epsilon=0.0), variables=variables)
    assert_allclose(output, (ROWS - 3) / 2 * 2 + 1, rtol=1e-5, atol=1e-6)
    jax.tree.map(assert_array_equal, changed["batch_stats"], variables["batch_stats"])


@pytest.mark.parametrize("shape", [(6, 4), (6, 3, 4)])
@pytest.mark.parametrize("padding", [1.0, 1e4])
def test_batch_norm_leaves_padding_out(shape, padding):
    x = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    padded = np.concatenate([x, padding * np.ones((3, *shape[1:]), np.float32)])
    mask = np.repeat(np.float32([1, 0]), [6, 3])
    expected, expected_stats, _ = run(BatchNorm(), x, train=True)
    output, stats, _ = run(BatchNorm(), padded, train=True, mask=mask)
    assert_allclose(np.asarray(output)[:6], expected, rtol=1e-4, atol=1e-5)
    jax.tree.map(functools.partial(assert_allclose, rtol=1e-5, atol=1e-6), stats, expected_stats)


@pytest.mark.parametrize("layer", [Residual((Dense(4), BatchNorm())), Residual((Residual((BatchNorm(),)),))])
def test_row_mask_and_train_reach_inner_layers(layer):
    padded, mask = np.concatenate([ROWS, 100 * ROWS]), np.repeat(np.float32([1, 0]), 6)
    expected, _, variables = run(layer, ROWS, train=True)
    output, _, _ = run(layer, padded, train=True, mask=mask, variables=variables)
    assert_allclose(np.asarray(output)[:6], expected, rtol=1e-4, atol=1e-5)


def test_layer_norm_standardises_each_row():
    output = run(LayerNorm(epsilon=0.01))[0]
    expected = (ROWS - ROWS.mean(axis=1, keepdims=True)) / np.sqrt(ROWS.var(axis=1, keepdims=True) + 0.01)
    assert_allclose(output, expected, rtol=1e-4, atol=1e-5)


def test_flatten():
    x = np.arange(24.0, dtype=np.float32).reshape(2, 3, 4)
    assert_array_equal(run(Flatten(), x)[0], np.arange(24.0).reshape(2, 12))


@pytest.mark.parametrize("width", [4, 8])
def test_residual_adds_its_input(width):
    output, _, variables = run(Residual((Dense(width), Activation("tanh"))))
    params = jax.tree.map(np.asarray, variables["params"])
    shortcut = ROWS if width == 4 else ROWS @ params["shortcut"]["kernel"]
    inner = np.tanh(ROWS @ params["Dense_0"]["kernel"] + params["Dense_0"]["bias"])
    assert_allclose(output, shortcut + inner, rtol=1e-5, atol=1e-6)


X = np.linspace(-4, 4, 24, dtype=np.float32).reshape(6, 4)


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_activation_by_name_equals_jax(name):
    name_in_jax = "sigmoid" if name == "logistic" else name  # "logistic" is scikit-learn's name
    assert_array_equal(run(Activation(name), X)[0], jax.jit(getattr(jax.nn, name_in_jax))(X))


@pytest.mark.parametrize("function", [jnp.sin, lambda x: x**2], ids=["sin", "square"])
def test_activation_by_function(function):
    assert activation_function(function) is function
    assert_array_equal(run(Activation(function), X)[0], jax.jit(function)(X))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("reluu", "Unknown activation 'reluu'. Did you mean 'relu'?"),
        ("sigmoidd", "Did you mean 'sigmoid'?"),
        ("zzz", "Unknown activation 'zzz'. Known: celu, elu, .*tanh."),
    ],
)
def test_unknown_activation(name, message):
    with pytest.raises(UnknownComponentError, match=message):
        activation_function(name)


def test_module_layer_does_not_bind_the_given_module():
    module = nn.Dense(3, name="mine")
    built = ModuleLayer(module).build()
    assert built is not module
    assert built.name == "mine"
    run(ModuleLayer(module))
    assert module.scope is None


def square(x):
    return x**2


CONV = nn.Conv(2, (3,))


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ("dense", Dense()),
        ("relu", Activation("relu")),
        ("batch_norm", BatchNorm()),
        (("dense", {"features": 8, "use_bias": False}), Dense(8, use_bias=False)),
        (["dropout", {"rate": 0.2}], Dropout(0.2)),
        (("tanh", {}), Activation("tanh")),
        (LayerNorm(epsilon=0.1), LayerNorm(epsilon=0.1)),
        (CONV, ModuleLayer(CONV)),
        (square, Activation(square)),
    ],
)
def test_list_of_layers(item, expected):
    _, network = resolve("network", [item, "dense"])
    assert network.layers == (expected, Dense())


@pytest.mark.parametrize(
    ("item", "error", "message"),
    [
        ("dnse", UnknownComponentError, "Unknown layer 'dnse'. Did you mean 'dense'?"),
        (("dense", {"featurs": 8}), ValueError, "Invalid field 'featurs' for Dense. Did you mean 'features'?"),
        (("drpout", {"rate": 0.1}), UnknownComponentError, "Did you mean 'dropout'?"),
        (3, TypeError, "The 'network' parameter must be a list of layers: names, .* Got 3 instead."),
        (("dense", 3), TypeError, r"Got \('dense', 3\) instead."),
        (nn.Dense, TypeError, "'network' parameter must be a list of layers"),
    ],
)
def test_list_with_a_wrong_layer(item, error, message):
    with pytest.raises(error, match=message):
        resolve("network", ["dense", item])


class AsLayer(Layer):
    network: Network

    def build(self):
        return self.network.build((4,), 3)


def test_a_list_may_mix_all_forms_of_layers():
    _, network = resolve("network", ["dense", CONV, square, ("dropout", {"rate": 0.1}), Dense(2), "tanh"])
    assert shapes(AsLayer(network), np.ones((3, 5, 4), np.float32)) == {
        "params/Dense_0/kernel": (4, 128),
        "params/Dense_0/bias": (128,),
        "params/Conv_0/kernel": (3, 128, 2),
        "params/Conv_0/bias": (2,),
        "params/Dense_1/kernel": (2, 2),
        "params/Dense_1/bias": (2,),
        "params/output/kernel": (10, 3),
        "params/output/bias": (3,),
    }


@pytest.mark.parametrize("train", [True, False])
@pytest.mark.parametrize("name", ["LayerNorm", "BatchNorm", "Dropout", "RMSNorm"])
def test_flax_modules_get_the_training_flag_but_no_row_mask(name, train):
    """The `mask` argument of Flax's modules has another meaning than `row_mask`."""
    module = nn.Dropout(0.5) if name == "Dropout" else getattr(nn, name)()
    _, network = resolve("network", [module])
    output, _, _ = jax.eval_shape(lambda: run(AsLayer(network), train=train))
    assert output.shape == (6, 3)


def test_stack_layers():
    plain = stack_layers((8,), "tanh", 0.2, None, residual=False)
    normed = stack_layers((8,), "tanh", 0.2, "batch", residual=True)
    assert plain == (Dense(8), Activation("tanh"), Dropout(0.2))
    assert normed == (Residual((Dense(8), BatchNorm(), Activation("tanh"), Dropout(0.2))),)
