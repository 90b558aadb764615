"""
Calibrate probabilities
=======================

A network that trains long enough becomes too sure of itself: of the rows that it gives 95%, fewer than 95% have the class. With
``calibration="temperature"``, `DeepClassifier` divides the logits by a number that it learns from the validation rows.
"""

# %%
# Data with noise
# ---------------
# A fifth of the labels is random, so no model can be sure.

import matplotlib.pyplot as plt
from sklearn.datasets import make_classification
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from skdeep import DeepClassifier

X, y = make_classification(
    n_samples=6000, n_features=20, n_informative=8, flip_y=0.2, random_state=0
)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.5, random_state=0)
X_train, X_val, y_train, y_val = train_test_split(
    X_train, y_train, test_size=0.2, random_state=0
)

# %%
# Two fits
# --------
# Without a penalty on the weights, 60 epochs are too many on purpose. The second fit gets the same parameters, and calibrates at the end.

models = {}
for name, calibration in {"as trained": None, "calibrated": "temperature"}.items():
    model = DeepClassifier(
        learning_rate=0.003,
        l2=None,
        max_epochs=60,
        tol=None,
        calibration=calibration,
        random_state=0,
    )
    models[name] = model.fit(X_train, y_train, X_val=X_val, y_val=y_val)
    loss = log_loss(y_test, model.predict_proba(X_test))
    print(f"{name}: accuracy {model.score(X_test, y_test):.3f}, log loss {loss:.3f}")

print(f"temperature: {models['calibrated'].temperature_:.1f}")

# %%
# The accuracy is the same, because dividing the logits changes no decision. The log loss is much smaller.
#
# Reliability curves
# ------------------
# scikit-learn's `CalibrationDisplay` compares predicted probabilities with observed shares. A calibrated model is on the diagonal. The
# histograms show that the first model gives probabilities near 0 and 1 to most rows.

from sklearn.calibration import CalibrationDisplay

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.2), layout="constrained")
for (name, model), colour in zip(models.items(), ["C3", "C0"]):
    CalibrationDisplay.from_estimator(
        model, X_test, y_test, n_bins=10, name=name, color=colour, ax=left
    )
    right.hist(
        model.predict_proba(X_test)[:, 1], bins=30, alpha=0.6, color=colour, label=name
    )
left.set_title("Reliability")
right.set(
    title="Predicted probabilities", xlabel="probability of class 1", ylabel="rows"
)
right.legend()
