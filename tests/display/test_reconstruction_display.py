"""ReconstructionDisplay: images and profiles hold the rows and what the autoencoder makes of them."""

from __future__ import annotations

import re

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.feature_selection import VarianceThreshold
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdeep import DeepAutoencoder
from skdeep.display import ReconstructionDisplay
from skdeep.networks import MLP

X = load_digits().data[:100] / 16
PIPELINE = make_pipeline(StandardScaler(), PCA(5, random_state=0)).fit(X)


@pytest.fixture(scope="module")
def autoencoder():
    model = DeepAutoencoder(
        n_components=3, encoder=MLP(widths=(5,)), input_shape=(8, 8, 1), max_epochs=1, tol=None, random_state=0
    )
    return model.fit(X)


def test_images_have_the_shape_of_rows_in_the_network(autoencoder):
    shown = ReconstructionDisplay.from_estimator(autoencoder, X, n=3)
    reconstructions = autoencoder.inverse_transform(autoencoder.transform(X[:3]))
    image = np.ma.filled(shown.image_.get_array().astype(float), np.nan)
    assert image.shape == (8 + 1 + 8, 3 * 8 + 2)
    for k in range(3):
        np.testing.assert_array_equal(image[:8, 9 * k : 9 * k + 8], X[k].reshape(8, 8))
        np.testing.assert_allclose(image[9:, 9 * k : 9 * k + 8], reconstructions[k].reshape(8, 8))
    assert shown.image_.get_clim() == (X[:3].min(), X[:3].max())
    np.testing.assert_allclose(shown.errors_, np.mean((X[:3] - reconstructions) ** 2, axis=1))
    assert [label.get_text() for label in shown.ax_.get_yticklabels()] == ["original", "reconstruction"]
    assert [label.get_text() for label in shown.ax_.get_xticklabels()] == [f"{error:.2g}" for error in shown.errors_]


def test_the_errors_are_those_of_the_score(autoencoder):
    shown = ReconstructionDisplay.from_estimator(autoencoder, X, n=1000)
    assert len(shown.errors_) == len(X)
    np.testing.assert_allclose(-shown.errors_.mean(), autoencoder.score(X), rtol=1e-5)


def test_flat_rows_are_profiles():
    shown = ReconstructionDisplay.from_estimator(PIPELINE, X, n=5)
    assert len(shown.axes_) == len(shown.lines_) == 5
    assert shown.image_ is None
    expected = PIPELINE.inverse_transform(PIPELINE.transform(X[:5]))
    for k, (original, reconstruction) in enumerate(shown.lines_):
        np.testing.assert_array_equal(original.get_ydata(), X[k])
        np.testing.assert_allclose(reconstruction.get_ydata(), expected[k])


def test_images_with_colours_have_one_scale():
    originals = np.random.default_rng(0).uniform(2, 4, size=(2, 4, 4, 3))
    shown = ReconstructionDisplay(originals, originals + 1, image_shape=(4, 4, 3)).plot()
    image, low, high = shown.image_.get_array(), originals.min(), originals.max()
    np.testing.assert_allclose(image[:4, 5:], (originals[1] - low) / (high - low))
    np.testing.assert_allclose(image[5:, 5:], np.minimum((originals[1] + 1 - low) / (high - low), 1))
    np.testing.assert_allclose(shown.errors_, 1)


def test_rows_of_two_axes_are_images():
    class Identity(VarianceThreshold):
        """Returns rows of any shape."""

        def transform(self, X):
            return X

        inverse_transform = transform

    shown = ReconstructionDisplay.from_estimator(Identity().fit(X), X.reshape(-1, 8, 8), n=2)
    assert shown.image_shape == (8, 8)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"image_shape": (8, 7)}, "Rows have 64 values, but an image of shape (8, 7) has 56. Give an image_shape of 64 values."),
        ({"image_shape": (4, 8, 2)},
         "The 'image_shape' parameter of ReconstructionDisplay must be (height, width), or (height, width, "
         "channels) with 1, 3 or 4 channels. Got (4, 8, 2) instead."),
        ({"n": 0}, "The 'n' parameter of ReconstructionDisplay must be an int in [1, inf). Got 0 instead."),
    ],
)  # fmt: skip
def test_wrong_arguments(options, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        ReconstructionDisplay.from_estimator(PIPELINE, X, **options)


def test_wrong_estimators_and_arrays():
    with pytest.raises(NotFittedError, match="^This DeepAutoencoder instance is not fitted yet"):
        ReconstructionDisplay.from_estimator(DeepAutoencoder(), X)
    with pytest.raises(
        TypeError, match="^ReconstructionDisplay needs an estimator with transform and inverse_transform"
    ):
        ReconstructionDisplay.from_estimator(LinearRegression().fit(X, X[:, 0]), X)
    with pytest.raises(ValueError, match=re.escape("Got (2, 3) and (2, 4) instead.")):
        ReconstructionDisplay(np.ones((2, 3)), np.ones((2, 4)))
