"""
Your own Flax module
====================

``network`` takes any Flax module. Here it is a network with Fourier features (Tancik et al., arXiv 2006.10739): it maps coordinates to sines and
cosines before the dense layers. With them, a network can learn fine detail that a plain one smooths away.
"""

# %%
# A picture as a regression task
# ------------------------------
# A row of ``X`` is the position of a pixel, and ``y`` is its grey value. The network that learns this stores the picture in its weights.

import numpy as np
from sklearn.datasets import load_sample_image

picture = load_sample_image("china.jpg").mean(axis=2)[30:350:5, 160:480:5] / 255
rows, columns = picture.shape
X = np.stack(
    np.meshgrid(np.linspace(0, 1, columns), np.linspace(0, 1, rows)), axis=-1
).reshape(-1, 2)
y = picture.ravel()
print(picture.shape, X.shape)

# %%
# Write the module
# ----------------
# `skdeep.Module` is a linen module with plain fields. ``fit`` sets ``n_outputs``. The fields are parameters of the estimator.

import flax.linen as nn
import jax
import jax.numpy as jnp
import skdeep


class FourierNetwork(skdeep.Module):
    frequency: float = 5.0
    width: int = 128
    n_outputs: int | None = None

    @nn.compact
    def __call__(self, x):
        directions = self.frequency * jax.random.normal(jax.random.key(0), (2, 64))
        x = jnp.concatenate(
            [
                jnp.sin(2 * jnp.pi * x @ directions),
                jnp.cos(2 * jnp.pi * x @ directions),
            ],
            axis=-1,
        )
        for _ in range(2):
            x = nn.relu(nn.Dense(self.width)(x))
        return nn.Dense(self.n_outputs)(x)


# %%
# Fit a plain network and two frequencies
# ---------------------------------------
# ``set_params`` reaches the fields by ``network__frequency``, and so would a search.

from sklearn.base import clone
from skdeep import DeepRegressor
from skdeep.networks import MLP

base = DeepRegressor(
    l2=None,
    learning_rate=0.003,
    batch_size=256,
    max_epochs=40,
    tol=None,
    random_state=0,
)
plain = clone(base).set_params(network=MLP(widths=(128, 128))).fit(X, y)
own = clone(base).set_params(network=FourierNetwork())
models = {
    "plain MLP": plain,
    "frequency 1": clone(own).set_params(network__frequency=1.0).fit(X, y),
    "frequency 5": clone(own).set_params(network__frequency=5.0).fit(X, y),
}

# %%
# The plain network sees shapes only. The higher the frequency, the finer the detail.

import matplotlib.pyplot as plt

figure, axes = plt.subplots(1, 4, figsize=(11, 3.2), layout="constrained")
axes[0].imshow(picture, cmap="gray", vmin=0, vmax=1)
axes[0].set_title("picture")
for ax, (name, model) in zip(axes[1:], models.items()):
    ax.imshow(model.predict(X).reshape(rows, columns), cmap="gray", vmin=0, vmax=1)
    ax.set_title(f"{name}\nR² = {model.score(X, y):.2f}")
for ax in axes:
    ax.set_axis_off()
