"""The same classifier in each library: dense layers with relu, cross-entropy, Adam. All imports are lazy."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np


@dataclass(frozen=True)
class Setup:
    """The sizes of the network and the settings of training."""

    widths: tuple[int, ...]
    n_features: int
    n_classes: int
    batch_size: int
    learning_rate: float = 1e-3
    max_epochs: int = 1


def skdeep_classifier(setup: Setup) -> Any:
    """Return a DeepClassifier that trains for exactly `max_epochs`."""
    from skdeep import DeepClassifier
    from skdeep.networks import MLP

    return DeepClassifier(
        network=MLP(widths=setup.widths),
        learning_rate=setup.learning_rate,
        batch_size=setup.batch_size,
        max_epochs=setup.max_epochs,
        tol=None,
        l2=None,
        random_state=0,
    )


def sklearn_classifier(setup: Setup) -> Any:
    """Return scikit-learn's MLPClassifier, without L2 penalty, that trains for exactly `max_epochs`."""
    from sklearn.neural_network import MLPClassifier

    return _perceptron(MLPClassifier, setup)


def skdeep_mlp(setup: Setup) -> Any:
    """Return skdeep's MLPClassifier with the same parameters as `sklearn_classifier`."""
    from skdeep import MLPClassifier

    return _perceptron(MLPClassifier, setup)


def _perceptron(cls: Any, setup: Setup) -> Any:
    return cls(
        hidden_layer_sizes=setup.widths,
        alpha=0.0,
        batch_size=setup.batch_size,
        learning_rate_init=setup.learning_rate,
        max_iter=setup.max_epochs,
        tol=0.0,
        n_iter_no_change=1000,
        random_state=0,
    )


def skorch_classifier(setup: Setup) -> Any:
    """Return a skorch classifier without callbacks and without a validation split."""
    import torch
    from skorch import NeuralNetClassifier

    torch.manual_seed(0)
    return NeuralNetClassifier(
        torch_network,
        module__setup=setup,
        criterion=torch.nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        lr=setup.learning_rate,
        batch_size=setup.batch_size,
        max_epochs=setup.max_epochs,
        iterator_train__shuffle=True,
        train_split=None,
        callbacks="disable",
        verbose=0,
    )


def torch_network(setup: Setup) -> Any:
    """Return the dense network as a torch module that returns raw outputs."""
    from torch import nn

    sizes = (setup.n_features, *setup.widths)
    hidden = [part for pair in pairwise(sizes) for part in (nn.Linear(*pair), nn.ReLU())]
    return nn.Sequential(*hidden, nn.Linear(sizes[-1], setup.n_classes))


def torch_epoch(setup: Setup, x: np.ndarray, y: np.ndarray) -> Callable[[], None]:
    """Return a function that trains one epoch by a plain loop: shuffle indices, take rows, step."""
    import torch

    torch.manual_seed(0)
    inputs, classes = torch.from_numpy(x), torch.from_numpy(y)
    network = torch_network(setup)
    optimizer = torch.optim.Adam(network.parameters(), lr=setup.learning_rate)

    def run_epoch() -> None:
        order = torch.randperm(len(inputs))
        for start in range(0, len(inputs), setup.batch_size):
            rows = order[start : start + setup.batch_size]
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(network(inputs[rows]), classes[rows]).backward()
            optimizer.step()

    return run_epoch
