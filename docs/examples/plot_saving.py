"""
Save a model, and continue a fit
================================

`skdeep.save` writes a file that holds data and no code, so that you need not trust whoever sends it. With ``checkpoint``, a fit continues where
an earlier one ended, and ends with the same bits as if it had never stopped.
"""

# %%
# Save and load
# -------------
# `skdeep.inspect` reads the header only. The loaded model gives the same predictions to the bit.

import tempfile
from pathlib import Path

import numpy as np
import skdeep
from sklearn.datasets import load_digits
from skdeep import DeepClassifier

folder = Path(tempfile.mkdtemp())
X, y = load_digits(return_X_y=True)
X = X / 16
X_train, y_train, X_val, y_val = X[:1200], y[:1200], X[1200:], y[1200:]

model = DeepClassifier(max_epochs=20, tol=None, random_state=0)
model.fit(X_train, y_train, X_val=X_val, y_val=y_val)
digest = skdeep.save(model, folder / "digits.skdeep")

info = skdeep.inspect(folder / "digits.skdeep")
print(info.estimator, info.components)
print(f"{(folder / 'digits.skdeep').stat().st_size / 1024:.0f} KiB")

again = skdeep.load(folder / "digits.skdeep", expect_sha256=digest)
print(
    f"equal predictions: {np.array_equal(again.predict_proba(X), model.predict_proba(X))}"
)

# %%
# Stop and continue
# -----------------
# The first fit ends after 15 epochs. The second asks for 40 in the same folder: it finds the state of the first and
# trains the other 25. The same happens after a fit that was killed. For comparison, a third one trains 40 epochs at
# once.

part = DeepClassifier(
    max_epochs=15, tol=None, random_state=0, checkpoint=folder / "runs"
)
part.fit(X_train, y_train, X_val=X_val, y_val=y_val)
continued = DeepClassifier(
    max_epochs=40, tol=None, random_state=0, checkpoint=folder / "runs"
)
continued.fit(X_train, y_train, X_val=X_val, y_val=y_val)
at_once = DeepClassifier(max_epochs=40, tol=None, random_state=0).fit(
    X_train, y_train, X_val=X_val, y_val=y_val
)

kernel, expected = (m.params_["output"]["kernel"] for m in (continued, at_once))
print(f"equal weights: {np.array_equal(kernel, expected)}")

# %%
# The curve of the fit that continued lies on that of the uninterrupted one. There is no step at the epoch where it began again.

import matplotlib.pyplot as plt

figure, ax = plt.subplots(figsize=(7.5, 4), layout="constrained")
ax.plot(
    at_once.history_.epoch,
    at_once.history_.val_loss,
    color="C1",
    linewidth=5,
    alpha=0.4,
    label="40 epochs at once",
)
ax.plot(part.history_.epoch, part.history_.val_loss, color="C0", label="first fit")
ax.plot(
    continued.history_.epoch[14:],
    continued.history_.val_loss[14:],
    "--",
    color="C0",
    label="continued from its checkpoint",
)
ax.axvline(15, color="grey", linewidth=1, linestyle=":")
ax.set(xlabel="epoch", ylabel="validation loss", ylim=(0, None))
ax.legend()
