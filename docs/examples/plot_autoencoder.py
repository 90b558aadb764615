"""
Compress images with an autoencoder
===================================

`DeepAutoencoder` is a transformer like PCA: ``transform`` encodes rows into a few numbers, and ``inverse_transform`` reconstructs them. Its two
networks bend, so that it needs fewer numbers than PCA for the same error.
"""

# %%
# Encode digits into eight numbers
# --------------------------------

from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split
from skdeep import DeepAutoencoder
from skdeep.networks import MLP

X, y = load_digits(return_X_y=True)
X = (X / 16).astype("float32")
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)

settings = {
    "encoder": MLP(widths=(128, 64)),
    "learning_rate": 0.003,
    "batch_size": 64,
    "tol": None,
    "random_state": 0,
}
autoencoder = DeepAutoencoder(n_components=8, max_epochs=60, **settings).fit(X_train)
pca = PCA(8).fit(X_train)
print(f"autoencoder: mean squared error {-autoencoder.score(X_test):.4f}")
print(
    f"PCA:         mean squared error {((pca.inverse_transform(pca.transform(X_test)) - X_test) ** 2).mean():.4f}"
)

# %%
# Test images and their reconstructions
# -------------------------------------
# `ReconstructionDisplay` takes any transformer with ``inverse_transform``.

import matplotlib.pyplot as plt
from skdeep.display import ReconstructionDisplay

figure, axes = plt.subplots(2, figsize=(8, 5.5), layout="constrained")
for ax, transformer in zip(axes, [autoencoder, PCA(8).fit(X_train)]):
    ReconstructionDisplay.from_estimator(transformer, X_test, image_shape=(8, 8), ax=ax)
    ax.set_title(type(transformer).__name__)

# %%
# A map of the digits
# -------------------
# With two components, the codes are a map. Nobody told the autoencoder which digit an image shows; the colours are added afterwards. Equal
# digits lie together, and more clearly apart than in the first two principal components.

flat = DeepAutoencoder(n_components=2, max_epochs=100, **settings).fit(X_train)
figure, axes = plt.subplots(1, 2, figsize=(10.5, 4.8), layout="constrained")
for ax, transformer in zip(axes, [flat, PCA(2).fit(X_train)]):
    codes = transformer.transform(X_test)
    points = ax.scatter(*codes.T, c=y_test, cmap="tab10", vmin=-0.5, vmax=9.5, s=14)
    ax.set_title(type(transformer).__name__)
figure.colorbar(points, ax=axes, ticks=range(10), label="digit")
# sphinx_gallery_thumbnail_number = 2
