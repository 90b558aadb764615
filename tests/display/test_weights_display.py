"""WeightsDisplay: histograms and filters hold the kernels of params_."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError

from skdeep import DeepClassifier
from skdeep.display import WeightsDisplay
from skdeep.display.layers import named_kernels
from skdeep.networks import CNN, MLP

IMAGES, CLASSES = load_digits(return_X_y=True)
IMAGES, CLASSES = IMAGES[:100] / 16, CLASSES[:100]
SMALL = {"max_epochs": 1, "tol": None, "random_state": 0}


@pytest.fixture(scope="module")
def ensemble():
    return DeepClassifier(network=MLP(widths=(5,)), n_estimators=2, **SMALL).fit(IMAGES, CLASSES)


@pytest.fixture(scope="module")
def convolutional():
    return DeepClassifier(network=CNN(widths=(5, 3)), input_shape=(8, 8, 1), **SMALL).fit(IMAGES, CLASSES)


def test_histograms_count_the_weights_of_each_kernel(convolutional):
    shown = WeightsDisplay.from_estimator(convolutional, bins=7)
    assert list(shown.histograms_) == ["Conv_0", "Conv_1", "output"]
    for name, patch in shown.histograms_.items():
        kernel = convolutional.params_[name]["kernel"]
        counts, edges, _ = patch.get_data()
        expected = [np.sum((kernel >= low) & (kernel < high)) for low, high in itertools.pairwise(edges)]
        expected[-1] += np.sum(kernel == edges[-1])
        assert (edges[0], edges[-1]) == (kernel.min(), kernel.max())
        assert counts.tolist() == expected
    assert len(shown.axes_) == 3
    assert shown.image_ is None


def test_one_layer(convolutional):
    shown = WeightsDisplay.from_estimator(convolutional, layer="output")
    assert list(shown.histograms_) == ["output"]
    assert shown.ax_.get_title().startswith("output\n")


def test_filters_are_those_of_the_first_convolution(convolutional):
    shown = WeightsDisplay.from_estimator(convolutional, kind="filters")
    kernel = convolutional.params_["Conv_0"]["kernel"]
    np.testing.assert_array_equal(shown.filters_, kernel[:, :, 0].transpose(2, 0, 1))
    image = np.ma.filled(shown.image_.get_array().astype(float), np.nan)
    assert image.shape == (3 + 1 + 3, 3 + 1 + 3 + 1 + 3)  # 5 filters of 3 x 3 in 2 rows of 3, with gaps of one pixel
    np.testing.assert_array_equal(image[:3, 4:7], kernel[:, :, 0, 1])
    np.testing.assert_array_equal(image[4:, 4:7], kernel[:, :, 0, 4])
    assert np.isnan(image[3]).all()
    limit = np.abs(kernel).max()
    assert shown.image_.get_clim() == (-limit, limit)


def test_filters_of_another_layer_and_channel(convolutional):
    shown = WeightsDisplay.from_estimator(convolutional, kind="filters", layer="Conv_1", channel=4, max_filters=2)
    np.testing.assert_array_equal(
        shown.filters_, convolutional.params_["Conv_1"]["kernel"][:, :, 4, :2].transpose(2, 0, 1)
    )
    assert shown.ax_.get_title() == "Conv_1: 2 of 3 filters of 3 x 3"


def test_filters_of_a_dense_layer_have_the_shape_of_an_image(ensemble):
    shown = WeightsDisplay.from_estimator(ensemble, kind="filters", member=1, image_shape=(8, 8))
    kernel = ensemble.estimators_[1].params_["Dense_0"]["kernel"]
    np.testing.assert_array_equal(shown.filters_, kernel.T.reshape(5, 8, 8))


def test_filters_of_three_channels_are_colours():
    kernel = np.random.default_rng(0).normal(size=(2, 2, 3, 4))
    shown = WeightsDisplay({"Conv_0": kernel}).plot(kind="filters")
    image, limit = shown.image_.get_array(), np.abs(kernel).max()
    assert image.shape == (5, 5, 3)
    np.testing.assert_allclose(image[:2, 3:], 0.5 + kernel[..., 1] / (2 * limit))
    assert (image[2] == 1).all()


def test_the_first_convolution_reads_the_channels_of_rows():
    kernels = {"a": np.ones((3, 3, 8, 4)), "b": np.ones((1, 1, 3, 4)), "c": np.ones((5, 5, 3, 4))}
    assert WeightsDisplay(kernels, image_shape=(9, 9, 3)).plot(kind="filters").filters_.shape == (4, 5, 5, 3)
    assert WeightsDisplay(kernels).plot(kind="filters").filters_.shape == (4, 3, 3)


def test_layers_have_the_order_of_the_network():
    kernel = np.ones((2, 2))
    params = {
        "decoder": {"output": {"kernel": kernel}, "Dense_0": {"kernel": kernel, "bias": np.ones(2)}},
        "encoder": {"Dense_10": {"kernel": kernel}, "Dense_9": {"a": kernel, "embedding": kernel}, "parts": [kernel, np.ones(2)]},
    }  # fmt: skip
    expected = ["encoder/Dense_9/a", "encoder/Dense_10", "encoder/parts/0", "decoder/Dense_0", "decoder/output"]
    assert list(named_kernels(params)) == expected


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "bars"}, "The 'kind' parameter of WeightsDisplay must be one of ('histogram', 'filters'). Got 'bars' instead."),
        ({"layer": "Dense_1"}, "There is no layer 'Dense_1' with a kernel. Did you mean 'Dense_0'? The layers are Dense_0, output."),
        ({"member": 2}, "The 'member' parameter of WeightsDisplay must be an int in [0, 2). Got 2 instead."),
        ({"kind": "filters"}, "The kernel of 'Dense_0' has shape (64, 5): its filters are no images. Give the layer of a convolution"),
        ({"kind": "filters", "image_shape": (7, 8)}, "The kernel of 'Dense_0' has shape (64, 5): its filters are no images."),
        ({"kind": "filters", "image_shape": (8, 8), "channel": 1}, "The 'channel' parameter of WeightsDisplay must be an int in [0, 1). Got 1"),
    ],
)  # fmt: skip
def test_wrong_arguments(ensemble, options, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        WeightsDisplay.from_estimator(ensemble, **options)


def test_without_kernels_or_a_fit():
    with pytest.raises(ValueError, match="^WeightsDisplay needs a network with kernels"):
        WeightsDisplay({})
    with pytest.raises(NotFittedError, match="^This DeepClassifier instance is not fitted yet"):
        WeightsDisplay.from_estimator(DeepClassifier())
