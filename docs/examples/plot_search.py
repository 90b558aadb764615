"""
Search for parameters
=====================

scikit-learn's searches take the estimators as they are. The numbers of an estimator are arguments of its compiled program, so a grid over
learning rates and dropout compiles once, not once per candidate.
"""

# %%
# Run the search
# --------------
# ``parallel_config("skdeep")`` runs the fits in threads that share compiled programs.

import numpy as np
import skdeep
from joblib import parallel_config
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skdeep import DeepClassifier
from skdeep.networks import MLP

X, y = load_digits(return_X_y=True)
X, y = X[:900], y[:900]
model = DeepClassifier(
    network=MLP(widths=(64, 64), dropout_rate=0.0),
    max_epochs=15,
    tol=None,
    random_state=0,
)
grid = {
    "deepclassifier__learning_rate": np.geomspace(3e-4, 1e-1, 6),
    "deepclassifier__network__dropout_rate": [0.0, 0.3, 0.6],
}

skdeep.clear_cache()
with parallel_config("skdeep"):
    search = GridSearchCV(make_pipeline(StandardScaler(), model), grid, cv=4).fit(X, y)
print(
    {
        name.removeprefix("deepclassifier__"): float(value)
        for name, value in search.best_params_.items()
    }
)

# %%
# How much was compiled?
# ----------------------
# A program is compiled for a structure: the kind of network, its sizes, and the number of rows, padded to a power of two. All candidates and
# folds share it, and here so does the last fit, on all rows.

n_fits = len(search.cv_results_["params"]) * 4 + 1
print(
    f"{n_fits} fits, {skdeep.compile_counts()['train_block'].compiles} compiled training programs"
)

# %%
# Look at the scores
# ------------------
# One parameter is on the axis, and each value of the others is a line. The band is one standard deviation over the folds. A plateau means that
# the learning rate need not be chosen exactly. Strong dropout slows training down at small rates.

from skdeep.display import SearchDisplay

display = SearchDisplay.from_search(search, "deepclassifier__learning_rate")
display.ax_.set_title("Accuracy over learning rate and dropout")
