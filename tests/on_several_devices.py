"""Fits on one device and on several virtual devices of the CPU, for `test_several_devices.py`, which runs this file in a process of its own.

It prints one line of JSON: for each case the largest difference of parameters and of predictions, relative to the largest value.
"""

import json
import sys
import tempfile
import warnings

import jax
import numpy as np
import scipy.sparse as sp
from flax import linen as nn
from sklearn.exceptions import ConvergenceWarning

from skdeep import DeepAutoencoder, DeepClassifier, DeepRegressor, MLPClassifier, MLPRegressor, SequenceGenerator
from skdeep.networks import CNN, LSTM

RNG = np.random.default_rng(0)
X = RNG.normal(size=(203, 6)).astype(np.float32)
LABELS = np.array(["a", "b", "c"])[np.digitize(X[:, 0] + X[:, 1], [-0.7, 0.7])]
VALUES = X @ RNG.normal(size=(6, 2)) + 3
WEIGHTS = RNG.integers(0, 3, size=203).astype(float)
IMAGES = RNG.normal(size=(90, 8, 8, 1)).astype(np.float32)
SPARSE = sp.random(120, 2000, 0.004, "csr", np.float32, rng=RNG)
DENSER = sp.random(120, 40, 0.3, "csr", np.float32, rng=RNG)
COMMON = {"max_epochs": 3, "tol": None, "batch_size": 24, "random_state": 0}


class Network(nn.Module):
    """A user's network with statistics of batches and dropout."""

    n_outputs: int

    @nn.compact
    def __call__(self, x, train):
        x = nn.BatchNorm(use_running_average=not train)(nn.Dense(12, use_bias=False)(x))
        x = nn.Dropout(0.3, deterministic=not train)(nn.relu(x))
        return nn.Dense(self.n_outputs)(x)


class Rows:
    """Rows that are read block by block."""

    def __init__(self, x):
        self.x = x

    def __len__(self):
        return len(self.x)

    def __getitem__(self, index):
        return self.x[index]


def classifier(device, X=X, y=LABELS, weight=None, **params):
    return DeepClassifier(**COMMON | params, device=device).fit(X, y, sample_weight=weight)


def twice(device):
    """Two epochs on one device, then three on several, from the kept state of the first."""
    with tempfile.TemporaryDirectory() as folder:
        classifier("auto", max_epochs=2, checkpoint=folder)
        return classifier(device, checkpoint=folder)


def partial(device):
    model = DeepClassifier(**COMMON, device=device)
    for _ in range(2):
        model.partial_fit(X, LABELS, classes=["a", "b", "c"])
    return model


CASES = {
    "classifier": classifier,
    "early stopping": lambda device: classifier(device, early_stopping=True, max_epochs=5, n_iter_no_change=2),
    "early stopping by a score": lambda device: classifier(device, early_stopping=True, scoring="accuracy"),
    "weights": lambda device: classifier(device, weight=WEIGHTS),
    "user's network": lambda device: classifier(device, network=Network(3)),
    "mixup": lambda device: classifier(device, augmentation="mixup"),
    "images": lambda device: classifier(device, IMAGES, LABELS[:90], network=CNN((8,))),
    "sequences": lambda device: classifier(device, IMAGES[..., 0], LABELS[:90], network=LSTM(8)),
    "entries of sparse rows": lambda device: classifier(device, SPARSE, LABELS[:120]),
    "sparse rows made dense": lambda device: classifier(device, DENSER, LABELS[:120], early_stopping=True),
    "batches without equal shares": lambda device: classifier(device, DENSER, LABELS[:120], batch_size=25),
    "rows in blocks": lambda device: classifier(device, Rows(X), LABELS, early_stopping=True),
    "one step per block": lambda device: classifier(device, batch_size=203),
    "ensemble": lambda device: classifier(device, n_estimators=2, max_epochs=1),
    "partial_fit": partial,
    "continued": twice,
    "regressor": lambda device: DeepRegressor(**COMMON, device=device).fit(X, VALUES),
    "full batches": lambda device: DeepRegressor(optimizer="lbfgs", max_epochs=3, tol=None, random_state=0, device=device).fit(X, VALUES),
    "autoencoder": lambda device: DeepAutoencoder(**COMMON, device=device).fit(X),
    "generator": lambda device: SequenceGenerator(**COMMON, context_length=8, device=device).fit(["abcabcabd" * 9]),
    "perceptron": lambda device: MLPClassifier(max_iter=3, random_state=0, tol=0, device=device).fit(X.astype(float), LABELS),
    "perceptron, lbfgs": lambda device: MLPRegressor(solver="lbfgs", max_iter=5, random_state=0, device=device).fit(X, VALUES),
}  # fmt: skip
DEVICES = {"2": 2, "all": "all", "3": 3, "1 and 3": [1, 3]}


def arrays_of(model):
    members = getattr(model, "estimators_", None) or [model]
    leaves = [leaf for each in members for leaf in jax.tree.leaves(getattr(each, "params_", None) or each.coefs_)]
    if isinstance(model, DeepClassifier) and model.n_features_in_ == 6:
        leaves.append(model.predict_proba(X))
    assert leaves
    return [np.asarray(leaf, np.float64) for leaf in leaves]


def difference(model, other):
    return max(
        float(np.abs(a - b).max(initial=0) / max(1.0, np.abs(a).max(initial=0)))
        for a, b in zip(arrays_of(model), arrays_of(other), strict=True)
    )


def main(names):
    jax.config.update("jax_num_cpu_devices", 4)
    warnings.simplefilter("ignore", ConvergenceWarning)
    found = {}
    for name in names or CASES:
        alone = CASES[name]("auto")
        devices = DEVICES if name in ("classifier", "images") else {"all": "all"}
        found[name] = {key: difference(alone, CASES[name](device)) for key, device in devices.items()}
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1:])
