"""
Classify handwritten digits
===========================

`DeepClassifier` is a scikit-learn classifier: it works in a pipeline, and scikit-learn's metrics and displays take it. Here it learns to read
8 x 8 images of digits. Then we look at the digits that it confuses.
"""

# %%
# Load and split the data
# -----------------------
# Each row of ``X`` holds the 64 pixels of an image, with values from 0 to 16.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.5, random_state=0)
print(X_train.shape, X_test.shape, np.unique(y))

# %%
# Fit a network
# -------------
# The network does not scale its input, so a scaler comes first. ``early_stopping`` holds out a tenth of the training rows, ends training
# when their loss stops to improve, and keeps the parameters of the best epoch.

from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skdeep import DeepClassifier

model = make_pipeline(
    StandardScaler(),
    DeepClassifier(learning_rate=0.003, early_stopping=True, random_state=0),
)
model.fit(X_train, y_train)
print(f"accuracy on the test images: {model.score(X_test, y_test):.3f}")

# %%
# ``history_`` is a data frame with one row per epoch.

model[-1].history_.tail(3)

# %%
# Which digits are confused?
# --------------------------
# Counts of 0 are left out, so that the mistakes stand out. Each row has the images of one digit.

from sklearn.metrics import ConfusionMatrixDisplay

figure, ax = plt.subplots(figsize=(5.5, 5), layout="constrained")
display = ConfusionMatrixDisplay.from_estimator(
    model, X_test, y_test, cmap="Blues", colorbar=False, ax=ax
)
for text in display.text_.ravel():
    if text.get_text() == "0":
        text.set_text("")

# %%
# The mistakes with the highest probability
# -----------------------------------------
# ``predict_proba`` says how sure the network was. These are the images on which it was wrong and most sure.

probability = model.predict_proba(X_test)
predicted = probability.argmax(axis=1)
wrong = np.flatnonzero(predicted != y_test)
surest = wrong[np.argsort(-probability[wrong].max(axis=1))][:8]

figure, axes = plt.subplots(1, 8, figsize=(10, 1.8), layout="constrained")
for ax, i in zip(axes, surest):
    ax.imshow(X_test[i].reshape(8, 8), cmap="gray_r")
    ax.set_title(
        f"{predicted[i]} ({probability[i].max():.0%})\nis {y_test[i]}", fontsize=10
    )
    ax.set_axis_off()
