"""Write the golden files: `python tests/persistence/golden/make_golden.py`.

Each version of the format has a folder with small model files, and `expected.json` with their predictions. A released folder never
changes: its files stand for those that users have. So the script refuses to write into a folder that exists.
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
import pandas as pd
import sklearn
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import fbeta_score, make_scorer
from sklearn.model_selection import KFold

import skdeep
from skdeep import DeepAutoencoder, DeepClassifier, DeepRegressor, MLPClassifier, SequenceGenerator
from skdeep.networks import LSTM, MLP
from skdeep.persistence.container import VERSION

FOLDER = Path(__file__).parent / ".".join(map(str, VERSION))

N = 24
X = np.stack([np.sin(np.arange(N) * step) for step in (1.0, 2.3, 3.7)], axis=1).round(6)
CODES = (X[:, 0] + X[:, 1] > 0).astype(int)
FRAME = pd.DataFrame(
    {
        "size": X[:, 0],
        "colour": pd.Categorical(np.array(["red", "green", "blue"])[np.arange(N) % 3]),
        "is_new": X[:, 1] > 0,
    }
)
FRAME.loc[2, "size"] = np.nan
TEXTS = ["abcabc", "cab"]
SHORT = {"max_epochs": 3, "tol": None, "random_state": 0}
SMALL = {"network": MLP(widths=(3,)), **SHORT}


class Net(skdeep.Module):
    """A module of the user, which is given to `load`."""

    width: int = 3
    n_outputs: int | None = None

    @nn.compact
    def __call__(self, x, train: bool):
        return nn.Dense(self.n_outputs)(nn.tanh(nn.Dense(self.width)(x)))


class Halved(skdeep.Loss):
    """A loss of the user, which is registered as "golden_halved"."""

    weight: float = 0.5
    tasks = ("regression",)

    def __call__(self, raw, target):
        return self.weight * jnp.mean((raw - target) ** 2, axis=1)


ROWS = {"table": FRAME, "generator": TEXTS}
"""The rows to predict, if they are not X."""
OWN = {"own": {"network": Net(width=3)}}
"""The objects that `load` is given."""
METHODS = {
    "autoencoder": "transform",
    "classifier": "predict_proba",
    "ensemble": "predict",
    "generator": "score",
    "labels": "predict",
    "own": "predict",
    "perceptron": "predict_proba",
    "regressor": "predict",
    "table": "predict_proba",
}
"""The method of each file whose results `expected.json` holds."""


def register():
    """Register the component that the file "own" names."""
    skdeep.register("loss", "golden_halved", replace=True)(Halved)


def models():
    """Return the fitted estimators by the names of their files."""
    y = X @ [1.0, -2.0, 0.5]
    with sklearn.config_context(enable_metadata_routing=True):
        labels = DeepClassifier(scoring=make_scorer(fbeta_score, beta=2, pos_label=3), **SMALL)
        labels.set_fit_request(sample_weight=True)
    return {
        "autoencoder": DeepAutoencoder(n_components=2, encoder=MLP((3,)), decoder=MLP((3,)), **SHORT).fit(X),
        "classifier": DeepClassifier(**SMALL).partial_fit(X, np.array(["no", "yes"])[CODES], classes=["no", "yes"]),
        "ensemble": DeepRegressor(cv=KFold(2), **SMALL).fit(X, y),
        "generator": SequenceGenerator(network=LSTM(units=2), context_length=4, **SHORT).fit(TEXTS),
        "labels": labels.fit(X, np.array([1, 3], ">i8")[CODES]),
        "own": DeepRegressor(network=Net(width=3), loss="golden_halved", **SHORT).fit(X, y),
        "perceptron": MLPClassifier((3,), max_iter=3, random_state=0).fit(X, CODES),
        "regressor": DeepRegressor(optimizer="adamw", schedule="cosine", **SMALL).fit(X, np.stack([y, -y], axis=1)),
        "table": DeepClassifier(numeric_scaling="quantile", **SMALL).fit(FRAME, np.array(["no", "yes"])[CODES]),
    }


def predicted(name, model):
    """Return the results of the file's method as plain values."""
    return np.asarray(getattr(model, METHODS[name])(ROWS.get(name, X))).tolist()


def main():
    """Write the files of the current version of the format."""
    FOLDER.mkdir()
    register()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        made = models()
    for name, model in made.items():
        skdeep.save(model, FOLDER / f"{name}.skdeep")
    expected = {name: predicted(name, model) for name, model in made.items()}
    (FOLDER / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")


if __name__ == "__main__":
    main()
