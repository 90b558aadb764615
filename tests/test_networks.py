"""Networks: parameters, values against NumPy, and users' linen and NNX modules as pure functions."""

from __future__ import annotations

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_iris

import skdeep
from skdeep import DeepClassifier
from skdeep.core.network import functions_of
from skdeep.core.random import wrap_key
from skdeep.errors import UnknownComponentError
from skdeep.estimators.resolve import resolve
from skdeep.layers import Activation, BatchNorm, Dense, Dropout
from skdeep.layers.parts import parts_of
from skdeep.networks import LSTM, MLP, ConvDecoder, FlaxNetwork, Linear, NNXNetwork, Sequential
from skdeep.testing import check_network

KEY = np.array([7, 0], np.uint32)
OTHER_KEY = np.array([8, 0], np.uint32)
ROWS = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)


def init(network, x=ROWS, n_outputs=3):
    return initialised(network, n_outputs, KEY, x[:1])


@functools.partial(jax.jit, static_argnums=(0, 1))
def initialised(network, n_outputs, words, x):
    return functions_of(network, x.shape[1:], n_outputs).init(wrap_key(words), x)


def apply(network, variables, x=ROWS, train=False, words=KEY, mask=None, n_outputs=3):
    mask = np.ones(len(x), np.float32) if mask is None else mask
    return applied(network, n_outputs, train, variables, x, words, mask)


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def applied(network, n_outputs, train, variables, x, words, mask):
    functions = functions_of(network, x.shape[1:], n_outputs)
    return functions.apply(*variables, x, train, wrap_key(words) if train else None, mask)


def shapes(network, in_shape=(4,), n_outputs=3):
    def make():
        x = jnp.zeros((1, *in_shape))
        return functions_of(network, in_shape, n_outputs).init(wrap_key(jnp.array(KEY)), x)[0]

    leaves, _ = jax.tree_util.tree_flatten_with_path(jax.eval_shape(make))
    return {jax.tree_util.keystr(path, simple=True, separator="/"): leaf.shape for path, leaf in leaves}


def dense_shapes(**layers):
    pairs = [(f"{name}/kernel", shape) for name, shape in layers.items()]
    return dict(pairs) | {f"{name}/bias": shape[1:] for name, shape in layers.items()}


NORM = {"scale": (8,), "bias": (8,)}


@pytest.mark.parametrize(
    ("network", "in_shape", "expected"),
    [
        (Linear(), (4,), dense_shapes(output=(4, 3))),
        (Linear(), (4, 2), dense_shapes(output=(8, 3))),
        (MLP(widths=()), (4,), dense_shapes(output=(4, 3))),
        (MLP(widths=(8, 5)), (4,), dense_shapes(Dense_0=(4, 8), Dense_1=(8, 5), output=(5, 3))),
        (MLP(widths=(8,)), (4, 5, 2), dense_shapes(Dense_0=(40, 8), output=(8, 3))),
        (
            MLP(widths=(8,), normalization="layer"),
            (4,),
            dense_shapes(Dense_0=(4, 8), output=(8, 3)) | {f"LayerNorm_0/{k}": s for k, s in NORM.items()},
        ),
        (
            MLP(widths=(8,), normalization="batch"),
            (4,),
            dense_shapes(Dense_0=(4, 8), output=(8, 3)) | {f"MaskedBatchNorm_0/norm/{k}": s for k, s in NORM.items()},
        ),
        (
            MLP(widths=(8, 8), residual=True),
            (4,),
            dense_shapes(**{"ResidualStack_0/Dense_0": (4, 8), "ResidualStack_1/Dense_0": (8, 8), "output": (8, 3)})
            | {"ResidualStack_0/shortcut/kernel": (4, 8)},
        ),
        (Sequential((Dense(8), Activation())), (4,), dense_shapes(Dense_0=(4, 8), output=(8, 3))),
        (Sequential((Dense(8),)), (5, 4), dense_shapes(Dense_0=(4, 8), output=(40, 3))),
    ],
)
def test_parameter_names_and_shapes(network, in_shape, expected):
    assert shapes(network, in_shape) == expected


def test_conv_decoder_equals_transposed_convolutions():
    """A transposed convolution with stride 2 inserts zeros between the values and then convolves them."""
    network, code = ConvDecoder(widths=(2, 3), out_shape=(3, 6, 1)), ROWS[:, :4]
    variables = init(network, code, n_outputs=18)
    params = variables[0]
    image = np.maximum(affine(code, params["Dense_0"]), 0).reshape(-1, 1, 2, 2)
    image = np.maximum(transposed(image, params["ConvTranspose_0"]), 0)
    expected = transposed(image, params["output"])[:, :3, :6].reshape(6, 18)
    assert_allclose(apply(network, variables, code, n_outputs=18)[0], expected, rtol=1e-4, atol=1e-5)


def transposed(x, layer):
    kernel = np.asarray(layer["kernel"])
    n, height, width, _ = x.shape
    spread = np.zeros((n, 2 * height + 2, 2 * width + 2, x.shape[3]))
    spread[:, 2:-1:2, 2:-1:2] = x
    out = np.zeros((n, 2 * height, 2 * width, kernel.shape[3])) + np.asarray(layer["bias"])
    for i in range(3):
        for j in range(3):
            out += spread[:, i : i + 2 * height, j : j + 2 * width] @ kernel[i, j]
    return out


# test_autoencoder.py has an image of (8, 8, 1).
@pytest.mark.parametrize("shape", [(5, 4, 2), (9, 1), pytest.param((8, 8, 1), marks=pytest.mark.campaign)])
def test_conv_decoder_returns_images_of_any_shape(shape):
    n_outputs = int(np.prod(shape))
    network = ConvDecoder(widths=(4, 3), out_shape=shape)
    assert shapes(network, (4,), n_outputs)["output/bias"] == (shape[-1],)
    variables = init(network, n_outputs=n_outputs)
    assert apply(network, variables, n_outputs=n_outputs)[0].shape == (6, n_outputs)


def affine(x, layer):
    return x @ np.asarray(layer["kernel"]) + np.asarray(layer["bias"])


def test_linear_is_affine():
    variables = init(Linear())
    raw, _ = apply(Linear(), variables)
    assert_allclose(raw, affine(ROWS, variables[0]["output"]), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("activation", "function"),
    [("tanh", np.tanh), pytest.param(jnp.sin, np.sin, marks=pytest.mark.campaign)],  # functions: test_layers.py
    ids=["name", "function"],
)
def test_mlp_equals_affine_maps_and_activations(activation, function):
    network = MLP(widths=(8, 5), activation=activation)
    params, state = init(network)
    hidden = function(affine(function(affine(ROWS, params["Dense_0"])), params["Dense_1"]))
    raw, _ = apply(network, (params, state))
    assert_allclose(raw, affine(hidden, params["output"]), rtol=1e-4, atol=1e-5)


def test_mlp_order_is_dense_norm_activation_dropout():
    module = MLP(widths=(8,), normalization="batch", dropout_rate=0.2).build((4,), 3)
    assert module.parts == parts_of((Dense(8), BatchNorm(), Activation("relu"), Dropout(0.2)))


@pytest.mark.parametrize(
    ("make", "other"),
    [
        (lambda: MLP((4,), normalization="batch", residual=True), MLP((5,), normalization="batch", residual=True)),
        (lambda: LSTM(4, bidirectional=True), LSTM(4, bidirectional=True, dropout_rate=0.1)),
        (lambda: Sequential((Dense(4), Dropout(0.2))), Sequential((Dense(4), Dropout(0.3)))),
    ],
)
def test_modules_of_equal_networks_are_equal(make, other):
    """Equal modules compile once if they are a static argument of a user's `jax.jit`."""
    first, second = make().build((4,), 3), make().build((4,), 3)
    assert first is not second
    assert first == second
    assert hash(first) == hash(second)
    assert first != other.build((4,), 3)


def test_dropout_rate_is_traced():
    n_traces = []

    @jax.jit
    def raw(network, variables, x):
        n_traces.append(1)
        return functions_of(network, (4,), 3).apply(*variables, x, True, wrap_key(jnp.array(KEY)), jnp.ones(6))[0]

    networks = [MLP(widths=(8,), dropout_rate=rate) for rate in (np.float32(0.0), np.float32(0.5))]
    variables = init(networks[0])
    without, dropped = (raw(network, variables, ROWS) for network in networks)
    assert len(n_traces) == 1
    assert_allclose(without, apply(networks[0], variables)[0], rtol=1e-5, atol=1e-6)
    assert np.abs(without - dropped).max() > 1e-3


def test_no_dropout_trains_as_dropout_of_rate_0():
    fits = [
        DeepClassifier(network=MLP((8,), dropout_rate=rate), max_epochs=3, tol=None, random_state=0).fit(
            ROWS, [0, 1] * 3
        )
        for rate in (None, 0.0)
    ]
    assert_allclose(fits[0].predict_proba(ROWS), fits[1].predict_proba(ROWS), rtol=1e-6)


def test_without_dropout_no_random_numbers_are_traced():
    def operations(network):
        network_functions = functions_of(network, (4,), 3)
        apply = functools.partial(network_functions.apply, *init(network), ROWS, True)
        return str(jax.make_jaxpr(lambda key: apply(key, jnp.ones(6))[0])(wrap_key(jnp.array(KEY))))

    assert "random_bits" in operations(MLP((8,), dropout_rate=0.0))
    assert "random_bits" not in operations(MLP((8,)))


def test_inference_is_deterministic_and_training_is_not():
    network = MLP(widths=(16,), dropout_rate=0.5)
    variables = init(network)
    first, second = (apply(network, variables, train=True, words=key)[0] for key in (KEY, OTHER_KEY))
    again, inference = apply(network, variables, train=True)[0], apply(network, variables)[0]
    assert_array_equal(first, again)
    assert np.abs(first - second).max() > 1e-3
    assert np.abs(first - inference).max() > 1e-3


def test_padding_does_not_change_running_statistics():
    network = MLP(widths=(8,), normalization="batch")
    variables = init(network)
    padded, mask = np.concatenate([ROWS, 100 * ROWS]), np.repeat(np.float32([1, 0]), 6)
    expected, expected_state = apply(network, variables, train=True)
    raw, state = apply(network, variables, padded, train=True, mask=mask)
    assert_allclose(np.asarray(raw)[:6], expected, rtol=1e-4, atol=1e-5)
    jax.tree.map(lambda a, b: assert_allclose(a, b, rtol=1e-5, atol=1e-6), state, expected_state)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: MLP(widths=(8, 0)),
            r"The 'widths' field of MLP must be a tuple of positive ints. Got \(8, 0\) instead.",
        ),
        (lambda: MLP(widths=8), "'widths'.* Got 8 instead."),
        (lambda: MLP(widths=(8.5,)), "'widths'"),
        (
            lambda: MLP(dropout_rate=1.0),
            r"The 'dropout_rate' field of MLP must be None or in \[0, 1\). Got 1.0 instead.",
        ),
        (
            lambda: MLP(normalization="group"),
            r"The 'normalization' field of MLP must be one of \[None, 'batch', 'layer'\]. Got 'group' instead.",
        ),
        (
            lambda: ConvDecoder(widths=()),
            r"The 'widths' field of ConvDecoder must be a tuple of one or more positive ints. Got \(\) instead.",
        ),
        (
            lambda: ConvDecoder(kernel_size=0),
            "The 'kernel_size' field of ConvDecoder must be a positive int. Got 0 instead.",
        ),
        (lambda: MLP(activation="gellu"), "Unknown activation 'gellu'. Did you mean 'gelu'?"),
    ],
)
def test_check_fields(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_defaults_pass_check_fields():
    MLP().check_fields()
    Linear().check_fields()


class Net(skdeep.Module):
    width: int = 8
    n_outputs: int | None = None

    @nn.compact
    def __call__(self, x):
        return nn.Dense(self.n_outputs)(nn.relu(nn.Dense(self.width)(x)))


@pytest.mark.parametrize(
    ("module", "width"),
    [(Net(), 3), (Net(n_outputs=5), 5), (nn.Dense(7), 7)],
    ids=["filled in", "given", "no such field"],
)
def test_flax_network_fills_in_n_outputs(module, width):
    built = FlaxNetwork(module).build((4,), 3)
    output, _ = jax.eval_shape(lambda: built.init_with_output(jax.random.key(0), ROWS))
    assert output.shape == (6, width)
    assert built is not module
    assert getattr(module, "n_outputs", None) != 3


def test_get_params_of_a_flax_network_returns_the_fields_of_the_module():
    network = FlaxNetwork(Net(width=16))
    assert network.get_params() == {"width": 16, "n_outputs": None}
    assert network.replace(width=4) == FlaxNetwork(Net(width=4))
    with pytest.raises(ValueError, match="Invalid field 'widht' for Net. Did you mean 'width'?"):
        network.replace(widht=4)


def test_a_network_of_the_wrong_width_is_named_in_the_error():
    with pytest.raises(
        ValueError, match=r"returns an array of shape \(6, 5\) for 6 rows, but the loss needs 3 outputs"
    ):
        apply(FlaxNetwork(Net(n_outputs=5)), init(FlaxNetwork(Net(n_outputs=5))))


class OldFlags(skdeep.Module):
    """A module with the flags of Flax's own modules, as in Flax's examples."""

    @nn.compact
    def __call__(self, x, deterministic, use_running_average):
        x = nn.BatchNorm(use_running_average)(x)
        return nn.Dropout(0.5)(nn.Dense(3)(x), deterministic=deterministic)


class Intermediates(skdeep.Module):
    @nn.compact
    def __call__(self, x, training: bool):
        self.sow("intermediates", "x", x)
        return nn.Dense(3)(x) * (0.0 if training else 1.0)


@pytest.mark.parametrize("module", [OldFlags(), Intermediates()], ids=["deterministic", "training"])
def test_older_names_of_the_training_flag(module):
    variables = init(FlaxNetwork(module))
    training, inference = (apply(FlaxNetwork(module), variables, train=train)[0] for train in (True, False))
    assert (np.asarray(training) == 0).mean() > 0.2
    assert (np.asarray(inference) != 0).all()
    assert set(variables[1]) <= {"batch_stats"}


class DropoutOnly(nnx.Module):
    def __init__(self, in_shape, n_outputs, rngs):
        self.first = nnx.Dropout(0.5, rngs=rngs)
        self.second = nnx.Dropout(0.5, rngs=rngs)

    def __call__(self, x):
        return self.second(self.first(x))


class Normed(nnx.Module):
    def __init__(self, in_shape, n_outputs, rngs):
        self.norm = nnx.BatchNorm(in_shape[0], momentum=0.9, rngs=rngs)
        self.output = nnx.Linear(in_shape[0], n_outputs, rngs=rngs)

    def __call__(self, x):
        return self.output(self.norm(x))


def test_nnx_masks_differ_between_layers_and_keys():
    """Both keep a value with probability 1/4 if their masks are independent, with 1/2 if they are equal."""
    network, x = NNXNetwork(DropoutOnly), np.ones((100, 100), np.float32)
    variables = init(network, x, n_outputs=100)
    first, second = (apply(network, variables, x, True, key, n_outputs=100)[0] for key in (KEY, OTHER_KEY))
    again, inference = (apply(network, variables, x, train, n_outputs=100)[0] for train in (True, False))
    assert abs(np.mean(np.asarray(first) > 0) - 0.25) < 4 * (0.25 * 0.75 / 10_000) ** 0.5
    assert_array_equal(first, again)
    assert (first != second).any()
    assert_array_equal(inference, x)


def test_nnx_batch_statistics_change_in_training_only():
    network = NNXNetwork(Normed)
    params, state = init(network)
    raw, changed = apply(network, (params, state), train=True)
    _, unchanged = apply(network, (params, state))
    mean, std = ROWS.mean(axis=0), np.sqrt(ROWS.var(axis=0) + 1e-5)
    assert_allclose(changed["norm"]["mean"], 0.1 * mean, rtol=1e-4, atol=1e-6)
    assert_allclose(changed["norm"]["var"], 0.9 + 0.1 * ROWS.var(axis=0), rtol=1e-4)
    assert_allclose(raw, affine((ROWS - mean) / std, params["output"]), rtol=1e-3, atol=1e-4)
    jax.tree.map(assert_array_equal, unchanged, state)


def test_nnx_inference_uses_the_state_it_is_given():
    network = NNXNetwork(Normed)
    params, _ = init(network)
    state = {"norm": {"mean": np.full(4, 3.0, np.float32), "var": np.full(4, 4.0, np.float32)}}
    raw, _ = apply(network, (params, state))
    assert_allclose(raw, affine((ROWS - 3) / 2, params["output"]), rtol=1e-4, atol=1e-4)


def test_nnx_parameters_are_arrays_only():
    params, state = init(NNXNetwork(Normed))
    assert jax.tree.map(np.shape, params) == {
        "norm": {"scale": (4,), "bias": (4,)},
        "output": {"kernel": (4, 3), "bias": (3,)},
    }
    assert jax.tree.map(np.shape, state) == {"norm": {"mean": (4,), "var": (4,)}}
    assert init(NNXNetwork(DropoutOnly))[0] == {}


LINEN = Net()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("mlp", MLP()),
        ("linear", Linear()),
        (MLP(widths=(3,)), MLP(widths=(3,))),
        ([Dense(3)], Sequential((Dense(3),))),
        ((Dense(3), "relu"), Sequential((Dense(3), Activation("relu")))),
        ([], Sequential(())),
        (LINEN, FlaxNetwork(LINEN)),
        (Normed, NNXNetwork(Normed)),
    ],
    ids=["name", "another name", "network", "list", "tuple", "empty list", "linen", "nnx"],
)
def test_resolve(value, expected):
    assert resolve("network", value)[1] == expected


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        ("mpl", UnknownComponentError, "Unknown network 'mpl'. Did you mean 'mlp'?.* Known: .*linear.*mlp"),
        (Dense(3), TypeError, r"The 'network' parameter must be a network. Got Dense\(.*\), which is a layer instead."),
        (MLP, TypeError, r"must be an object, not a class: write MLP\(...\)"),
        (Net, TypeError, r"must be an object, not a class: write Net\(...\)"),
        (3, TypeError, "must be a name, a network, a list of layers or a Flax module. Got 3 instead."),
    ],
    ids=["unknown name", "layer", "component class", "linen class", "number"],
)
def test_resolve_refuses(value, error, message):
    with pytest.raises(error, match=message):
        resolve("network", value)


def test_resolve_refuses_an_nnx_instance():
    with pytest.raises(
        TypeError,
        match="must not be an NNX module that is already built, because every fit would start from its weights",
    ):
        resolve("network", nnx.Linear(4, 3, rngs=nnx.Rngs(0)))


class Pure(skdeep.Network):
    """A network without Flax."""

    width: int = 16
    scale: float = 1.0

    def build(self, in_shape, n_outputs):
        def init(key, x):
            first, second = jax.random.split(key)
            hidden = self.scale * jax.random.normal(first, (in_shape[0], self.width), x.dtype)
            return {"hidden": hidden, "output": jax.random.normal(second, (self.width, n_outputs), x.dtype) / 4}, {}

        def apply(params, model_state, x, train, key, row_mask):
            return jnp.tanh(x @ params["hidden"]) @ params["output"], model_state

        return skdeep.NetworkFunctions(init, apply)


@pytest.mark.campaign  # a wrapper in test_functions.py builds pure functions too
def test_pure_functions_pass_the_checks():
    assert all(result.passed for result in check_network(Pure()))


def test_pure_functions_can_be_a_network():
    X, y = load_iris(return_X_y=True)
    model = skdeep.DeepClassifier(
        network=Pure(width=8, scale=0.3), learning_rate=0.05, max_epochs=50, tol=None, random_state=0
    )
    assert model.fit(X, y).score(X, y) > 0.9
    assert model.params_["hidden"].shape == (4, 8)
