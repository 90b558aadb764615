"""
A network from a plugin: curves instead of weights
==================================================

The package ``skdeep-kan`` offers Kolmogorov-Arnold networks. Once a plugin is installed, its components work by name, as built-in ones do. A KAN
learns a curve per edge. Without a hidden layer it is an additive model, and its curves can be read.
"""

# %%
# Which components are installed?
# -------------------------------

import skdeep

for component in skdeep.plugins.list_components():
    if component.package == "skdeep-kan":
        print(component.kind, component.full_id)

# %%
# Fit by name
# -----------
# Friedman's function depends on five of ten columns: on two by a product, on one by a square, on two in a straight line. A KAN wants inputs of
# unit size, and a larger learning rate than the default.

from sklearn.datasets import make_friedman1
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skdeep import DeepRegressor

X, y = make_friedman1(n_samples=1000, noise=0.5, random_state=0)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
network = DeepRegressor(
    network="kan", learning_rate=0.01, max_epochs=60, tol=None, random_state=0
)
deep = make_pipeline(StandardScaler(), network).fit(X_train, y_train)
print(f"with a hidden layer: R² = {deep.score(X_test, y_test):.3f}")

# %%
# Read the curves
# ---------------
# The field ``widths`` sets the hidden layers; an empty tuple has none.

from sklearn.base import clone

additive = (
    clone(deep).set_params(deepregressor__network__widths=()).fit(X_train, y_train)
)
print(f"additive:            R² = {additive.score(X_test, y_test):.3f}")

# %%
# The curves of the first five columns. The third is the parabola, and the fourth and fifth are the lines of the
# formula. An additive model cannot show the product of the first two, which is why the network with a hidden layer
# is better.

from skdeep_kan import plot_edges

axes = plot_edges(additive, X=X_train, inputs=range(5))
