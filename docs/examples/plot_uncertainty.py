"""
Predict an interval, not only a number
======================================

The loss decides what a network predicts. With ``"gaussian_nll"`` it predicts a mean and a standard deviation, with ``"quantile"`` any quantiles.
Both follow noise that differs from row to row.
"""

# %%
# Data with uneven noise
# ----------------------

import numpy as np

rng = np.random.default_rng(0)
X = np.sort(rng.uniform(-3, 3, size=(600, 1)), axis=0)
y = np.sin(2 * X[:, 0]) + rng.normal(scale=0.05 + 0.25 * (X[:, 0] > 0) * X[:, 0])

# %%
# Two losses
# ----------
# ``return_std=True`` asks for the standard deviation. Three quantiles are three outputs.

from skdeep import DeepRegressor
from skdeep.losses import Quantile

settings = {
    "batch_size": 32,
    "learning_rate": 0.003,
    "max_epochs": 100,
    "tol": None,
    "random_state": 0,
}
normal = DeepRegressor(loss="gaussian_nll", **settings).fit(X, y)
mean, std = normal.predict(X, return_std=True)

quantiles = DeepRegressor(loss=Quantile(quantile=(0.05, 0.5, 0.95)), **settings).fit(
    X, y
)
low, median, high = quantiles.predict(X).T

# %%
# How many rows are inside?
# -------------------------
# 90% should be: 1.64 standard deviations for the first model, and the outer quantiles for the second. These are training rows, so the shares
# are a little too good.

print(f"mean and std:  {np.mean(np.abs(y - mean) < 1.64 * std):.0%}")
print(f"quantiles:     {np.mean((low < y) & (y < high)):.0%}")

# %%
# Both bands are narrow on the left and wide on the right, as the noise is.

import matplotlib.pyplot as plt

figure, axes = plt.subplots(1, 2, figsize=(10, 4), sharey=True, layout="constrained")
bands = {
    "gaussian_nll": (mean, mean - 1.64 * std, mean + 1.64 * std),
    "quantile": (median, low, high),
}
for ax, (name, (middle, lower, upper)) in zip(axes, bands.items()):
    ax.scatter(X[:, 0], y, s=6, color="grey", alpha=0.5)
    ax.fill_between(X[:, 0], lower, upper, alpha=0.3, label="90% interval")
    ax.plot(X[:, 0], middle, label="mean" if name == "gaussian_nll" else "median")
    ax.set(title=f'loss="{name}"', xlabel="X")
    ax.legend(loc="upper left")
