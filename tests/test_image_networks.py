"""The networks cnn and resnet: parameters and values against Flax's modules, shapes, errors, fits."""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.datasets import load_digits
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from skdeep import DeepClassifier, DeepRegressor
from skdeep.core.network import functions_of
from skdeep.core.random import wrap_key
from skdeep.layers import Activation, BatchNorm, Conv, Dense, Dropout, Flatten, LayerNorm, MaxPool
from skdeep.layers.parts import parts_of
from skdeep.networks import CNN, ResNet

KEY = np.array([7, 0], np.uint32)
IMAGES = np.random.default_rng(0).normal(size=(3, 9, 8, 2)).astype(np.float32)
X, y = load_digits(return_X_y=True)


def init(network, x=IMAGES, n_outputs=3):
    return jax.jit(lambda x: functions_of(network, x.shape[1:], n_outputs).init(wrap_key(KEY), x))(x)


def raw_of(network, variables, x=IMAGES):
    def apply(variables, x):
        return functions_of(network, x.shape[1:], 3).apply(*variables, x, False, None, jnp.ones(len(x)))[0]

    return jax.jit(apply)(variables, x)


def shapes(network, in_shape, n_outputs=10):
    def make(x):
        return functions_of(network, in_shape, n_outputs).init(wrap_key(jnp.array(KEY)), x)[0]

    leaves, _ = jax.tree_util.tree_flatten_with_path(jax.eval_shape(make, jnp.zeros((1, *in_shape))))
    return {jax.tree_util.keystr(path, simple=True, separator="/"): leaf.shape for path, leaf in leaves}


def test_default_cnn_for_small_images():
    assert shapes(CNN(), (28, 28, 1)) == {
        "Conv_0/kernel": (3, 3, 1, 32),
        "Conv_0/bias": (32,),
        "Conv_1/kernel": (3, 3, 32, 64),
        "Conv_1/bias": (64,),
        "output/kernel": (7 * 7 * 64, 10),
        "output/bias": (10,),
    }


class FlaxCNN(nn.Module):
    """The default CNN as a user of Flax may write it, with the same names of parameters."""

    @nn.compact
    def __call__(self, x):
        for width in (4, 6):
            x = nn.max_pool(nn.tanh(nn.Conv(width, (5, 5))(x)), (2, 2), (2, 2))
        return nn.Dense(3, name="output")(nn.tanh(nn.Dense(7)(x.reshape(len(x), -1))))


def test_cnn_equals_the_same_network_in_flax():
    network = CNN(widths=(4, 6), kernel_size=5, hidden=(7,), activation="tanh", dropout_rate=0.3)
    params, state = init(network)
    expected = jax.jit(FlaxCNN().apply)({"params": params}, IMAGES)
    assert_allclose(raw_of(network, (params, state)), expected, rtol=1e-4, atol=1e-5)


def test_order_of_layers_in_a_cnn():
    network = CNN(widths=(4,), pool=3, hidden=(5,), normalization="layer", dropout_rate=0.2)
    convolution = (Conv(4), LayerNorm(), Activation("relu"), MaxPool(3))
    dense = (Dense(5), LayerNorm(), Activation("relu"), Dropout(0.2))
    assert network.build((9, 8, 2), 3).parts == parts_of((*convolution, Flatten(), *dense))
    without = CNN(widths=(4,), dropout_rate=0.2).build((9, 8, 2), 3).parts
    assert without == parts_of((Conv(4), Activation("relu"), MaxPool(2), Flatten(), Dropout(0.2)))


def test_resnet_20_has_as_many_parameters_as_in_the_paper():
    """He et al., table 6: 0.27 million on CIFAR-10, without the convolutions of the two shortcuts."""
    sizes = {name: np.prod(shape) for name, shape in shapes(ResNet(depth=20), (32, 32, 3)).items()}
    shortcuts = [size for name, size in sizes.items() if "shortcut" in name]
    assert shortcuts == [16 * 32, 32 * 64]
    assert round((sum(sizes.values()) - sum(shortcuts)) / 1e6, 2) == 0.27


@pytest.mark.parametrize("depth", [8, 14])
def test_depth_of_a_resnet_counts_its_layers(depth):
    names = shapes(ResNet(depth=depth), (8, 8, 1))
    assert sum(name.endswith("/kernel") and "shortcut" not in name for name in names) == depth
    assert not any(name.endswith("/bias") and "Conv" in name.split("/")[-2] for name in names)
    widths = {name: shape[-1] for name, shape in names.items() if name.endswith("Conv_1/kernel")}
    assert sorted(widths.values()) == sorted([16, 32, 64] * ((depth - 2) // 6))


def reference(params, state, x):
    """He et al., section 4.2, at prediction, with Flax's convolutions and NumPy's normalisation."""

    def normalized(x, name, where, averages):
        scale, averages = where[name]["norm"], averages[name]["norm"]
        return (x - averages["mean"]) / np.sqrt(averages["var"] + 1e-5) * scale["scale"] + scale["bias"]

    def convolved(x, kernel, strides=1):
        conv = nn.Conv(kernel.shape[-1], kernel.shape[:-2], strides, use_bias=False)
        return np.asarray(jax.jit(conv.apply)({"params": {"kernel": kernel}}, x))

    x = np.maximum(normalized(convolved(x, params["Conv_0"]["kernel"]), "MaskedBatchNorm_0", params, state), 0)
    for block, strides in enumerate((1, 2, 2)):
        inside, averages = params[f"ResidualStack_{block}"], state[f"ResidualStack_{block}"]
        z = convolved(x, inside["Conv_0"]["kernel"], strides)
        z = np.maximum(normalized(z, "MaskedBatchNorm_0", inside, averages), 0)
        z = normalized(convolved(z, inside["Conv_1"]["kernel"]), "MaskedBatchNorm_1", inside, averages)
        if "shortcut" in inside:
            x = x[:, ::strides, ::strides] @ inside["shortcut"]["kernel"][0, 0]
        x = np.maximum(x + z, 0)
    return x.mean((1, 2)) @ params["output"]["kernel"] + params["output"]["bias"]


def test_resnet_equals_the_network_of_the_paper():
    network = ResNet(width=4)
    rng = np.random.default_rng(3)
    params, state = jax.tree.map(lambda p: np.asarray(p) + 0.5 * rng.uniform(-1, 1, p.shape), init(network))
    params, state = jax.tree.map(np.float32, (params, state))
    expected = reference(params, state["batch_stats"], IMAGES)
    assert_allclose(raw_of(network, (params, state)), expected, rtol=1e-3, atol=1e-3 * np.abs(expected).max())


@pytest.mark.parametrize("in_shape", [(1, 1, 1), (7, 5, 3), (11, 2), (5, 4, 6, 1)])
def test_resnet_takes_images_sequences_and_volumes_of_any_size(in_shape):
    for normalization in (None, "batch"):
        network = ResNet(width=2, normalization=normalization, dropout_rate=0.1)
        assert shapes(network, in_shape)["output/kernel"] == (8, 10)


def test_convolutions_have_a_bias_only_without_normalisation():
    names = shapes(ResNet(width=2, normalization=None), (8, 8, 1))
    assert sum(name.endswith("/bias") for name in names) == 8
    assert ResNet().build((8, 8, 1), 3).parts[:2] == parts_of((Conv(16, use_bias=False), BatchNorm()))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: ResNet(depth=10),
            "The 'depth' field of ResNet must be 6 n .* 2 for a positive int n: 8, 14, 20, ... Got 10",
        ),
        (lambda: ResNet(depth=2), "'depth'.* Got 2 instead."),
        (lambda: ResNet(depth=8.0), "'depth'.* Got 8.0 instead."),
        (lambda: ResNet(width=0), "The 'width' field of ResNet must be a positive int. Got 0 instead."),
        (lambda: ResNet(activation="reluu"), "Unknown activation 'reluu'. Did you mean 'relu'?"),
        (
            lambda: ResNet(dropout_rate=1.0),
            r"The 'dropout_rate' field of ResNet must be None or in \[0, 1\). Got 1.0 instead.",
        ),
        (
            lambda: ResNet(normalization="group"),
            r"of ResNet must be one of \[None, 'batch', 'layer'\]. Got 'group' instead.",
        ),
        (
            lambda: CNN(widths=[8, 0]),
            r"The 'widths' field of CNN must be a tuple of positive ints. Got \(8, 0\) instead.",
        ),
        (lambda: CNN(hidden=(0,)), "The 'hidden' field of CNN must be a tuple of positive ints"),
        (lambda: CNN(kernel_size=0), "The 'kernel_size' field of CNN must be a positive int. Got 0 instead."),
        (
            lambda: CNN(dropout_rate=-0.1),
            r"The 'dropout_rate' field of CNN must be None or in \[0, 1\). Got -0.1 instead.",
        ),
        (lambda: CNN(normalization="group"), r"of CNN must be one of \[None, 'batch', 'layer'\]. Got 'group' instead."),
    ],
)
def test_check_fields(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_flat_rows_are_an_error_that_names_input_shape():
    message = r"ResNet takes rows with channels .* Got rows of shape \(64,\).*for example input_shape=\(28, 28, 1\)"
    with pytest.raises(ValueError, match=message):
        DeepClassifier(network="resnet", max_epochs=1).fit(X, y)


@pytest.mark.parametrize("cls", [DeepClassifier, pytest.param(DeepRegressor, marks=pytest.mark.campaign)])
def test_resnet_by_name_in_a_pipeline(cls):
    deep = cls(network="resnet", input_shape=(8, 8, 1), learning_rate=1e-2, batch_size=64, max_epochs=4, tol=None)
    model = make_pipeline(MinMaxScaler(), deep.set_params(random_state=0))
    model.set_params(**{f"{cls.__name__.lower()}__network__width": 4})
    n_train = 1200
    assert model.fit(X[:n_train], y[:n_train]).score(X[n_train:], y[n_train:]) > (0.8 if cls is DeepClassifier else 0.5)
