"""
Compare optimizers by their training curves
===========================================

A score at the end does not say why a fit went well or badly. The curves of the loss do: they show slow learning, overfitting, and the epoch
that early stopping keeps.
"""

# %%
# Fit three estimators
# --------------------
# Optimizers are chosen by name. `schedule` is a factor of the learning rate over the training.

from sklearn.base import clone
from sklearn.datasets import load_breast_cancer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skdeep import DeepClassifier

X, y = load_breast_cancer(return_X_y=True)
base = DeepClassifier(
    batch_size=64,
    max_epochs=40,
    tol=None,
    early_stopping=True,
    validation_fraction=0.25,
    random_state=0,
)
settings = {
    "SGD": {"optimizer": "sgd", "learning_rate": 0.03},
    "Adam": {"optimizer": "adam", "learning_rate": 0.003},
    "Adam, rate too large": {"optimizer": "adam", "learning_rate": 0.1},
}
models = {
    name: make_pipeline(StandardScaler(), clone(base).set_params(**params)).fit(X, y)
    for name, params in settings.items()
}

# %%
# Plot their losses
# -----------------
# Training losses are dashed, validation losses are solid. The large mark is the epoch whose parameters were kept. SGD still improves at the
# last epoch: it needs more epochs or a larger rate. Adam is done long before, and its validation loss no longer follows the training loss. With
# the rate that is too large, the loss grows by an order of magnitude before it falls.

from skdeep.display import TrainingCurvesDisplay

display = TrainingCurvesDisplay.from_estimators(models)
display.ax_.set_title("Loss per epoch, breast cancer data")

# %%
# The kept epochs
# ---------------

for name, model in models.items():
    history = model[-1].history_
    print(
        f"{name}: epoch {model[-1].best_epoch_} kept, validation loss {history.val_loss.min():.3f}"
    )
