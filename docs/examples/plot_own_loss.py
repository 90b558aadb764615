"""
Your own loss, with a name
==========================

A component of your own is a class with fields and methods. Registered, it has a name that works everywhere: in an estimator, in a search and
in other processes. Its float fields are arguments of the compiled program. A package that offers such names is a plugin.
"""

# %%
# A robust loss
# -------------
# The loss of Geman and McClure grows like a square for small errors and is at most 1 for large ones, so outliers hardly pull.

import jax.numpy as jnp
import skdeep


@skdeep.register("loss", "geman_mcclure", replace=True)
class GemanMcClure(skdeep.Loss):
    scale: float = 1.0  # traced: other values compile nothing
    tasks = ("regression",)
    scaling = "standard"  # y is standardised for training

    def __call__(self, raw, target):  # one value per row
        squared = ((raw - target) / self.scale) ** 2
        return jnp.mean(squared / (1 + squared), axis=1)


# %%
# Check it
# --------
# The checks that every built-in loss passes: shapes, gradients, weights, padding. A failure says what to change.

from skdeep.testing import check_loss

results = check_loss("geman_mcclure")
print(f"{sum(result.passed for result in results)} checks passed")

# %%
# Use it by its name
# ------------------
# A sixth of the rows are wrong. The field is a parameter of the estimator, ``loss__scale``.

import numpy as np
from sklearn.base import clone
from skdeep import DeepRegressor

rng = np.random.default_rng(0)
X = np.sort(rng.uniform(-3, 3, size=(300, 1)), axis=0)
truth = np.sin(1.5 * X[:, 0])
y = truth + rng.normal(scale=0.1, size=300)
is_wrong = rng.random(300) < 1 / 6
y[is_wrong] = rng.uniform(1, 4, size=is_wrong.sum())

base = DeepRegressor(
    learning_rate=0.003,
    batch_size=50,
    max_epochs=150,
    tol=None,
    l2=None,
    random_state=0,
)
skdeep.clear_cache()
squared = clone(base).fit(X, y)
own = clone(base).set_params(loss="geman_mcclure")
robust = {
    scale: clone(own).set_params(loss__scale=scale).fit(X, y)
    for scale in (0.5, 1.0, 5.0)
}
print(
    f"4 fits, {skdeep.compile_counts()['train_block'].compiles} compiled training programs: one per loss"
)

# %%
# Look at the fits
# ----------------
# The squared error follows the outliers. With a small scale, the own loss ignores them. With a large one it is close to the squared error.

import matplotlib.pyplot as plt

figure, ax = plt.subplots(figsize=(8, 4.5), layout="constrained")
ax.scatter(X[~is_wrong, 0], y[~is_wrong], s=10, color="grey", alpha=0.6, label="rows")
ax.scatter(
    X[is_wrong, 0], y[is_wrong], s=14, color="black", marker="x", label="wrong rows"
)
ax.plot(X[:, 0], squared.predict(X), color="C3", label="squared error")
for (scale, model), style in zip(robust.items(), ["-", "--", ":"]):
    ax.plot(
        X[:, 0],
        model.predict(X),
        style,
        color="C0",
        label=f"geman_mcclure, scale={scale}",
    )
ax.set(xlabel="X", ylabel="y")
ax.legend(ncols=2, fontsize=9)
