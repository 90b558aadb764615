"""The HTML view in notebooks: which parameters are coloured, what it says of networks and training, and that it never raises."""

from __future__ import annotations

import copy
import html
import math
import re
import subprocess
import sys
from html.parser import HTMLParser
from typing import ClassVar

import flax.linen as nn
import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skdeep
from skdeep import (
    DeepAutoencoder,
    DeepClassifier,
    DeepRegressor,
    MLPClassifier,
    SequenceGenerator,
    TabularClassifier,
    TabularRegressor,
)
from skdeep.layers import Dense
from skdeep.networks import MLP, RealMLP
from skdeep.optimizers import Adam

VERSION = tuple(map(int, sklearn.__version__.split(".")[:2]))
pytestmark = pytest.mark.skipif(VERSION < (1, 9), reason="scikit-learn shows fitted attributes from 1.9 on")

rng = np.random.default_rng(0)
X = rng.normal(size=(40, 3)).astype(np.float32)
y = (X[:, 0] > 0).astype(int)
SHORT = {"max_epochs": 2, "tol": None, "random_state": 0}
SMALL = MLP(widths=(4,))


class Parsed(HTMLParser):
    """The text of a page, its tags, and the names of the parameters that are coloured as set by the user."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.texts, self.coloured, self._row, self._is_name = [], [], [], "", False
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.tags.append(tag)
        if tag == "tr":
            self._row = attributes.get("class") or ""
        self._is_name = tag == "td" and attributes.get("class") == "param"

    def handle_data(self, data):
        if not data.strip():
            return
        self.texts.append(data.strip())
        if self._is_name and self._row == "user-set":
            self.coloured.append(data.strip())


def shown(estimator):
    return estimator._repr_html_()


def text_of(estimator):
    return " ".join(Parsed(shown(estimator)).texts)


@pytest.fixture(scope="module")
def fitted():
    model = DeepClassifier(network=SMALL, early_stopping=True, **SHORT)
    return model.fit(X, y)


COLOURED = [
    (DeepClassifier(), []),
    (DeepClassifier(network="cnn"), ["network"]),
    (
        DeepClassifier(learning_rate=0.1).set_params(network__widths=(4,)),
        ["network", "learning_rate", "network__widths"],
    ),
    (DeepClassifier(network=MLP(activation="tanh")), ["network", "network__activation"]),
    (DeepClassifier(optimizer=Adam(b1=0.8)), ["optimizer", "optimizer__b1"]),
    (
        DeepClassifier(network=[Dense(3)]),
        ["network", "network__layers", "network__layers__0", "network__layers__0__features"],
    ),
    (DeepClassifier().set_params(network="cnn", network__widhts=(1,)), ["network", "network__widhts"]),
    (DeepAutoencoder(n_components=2), ["n_components"]),
    (MLPClassifier(solver="adam", loss="focal"), ["loss"]),
    (TabularClassifier(preset="tabm"), ["preset"]),
    (DeepClassifier(network="no such network"), ["network"]),
]


@pytest.mark.parametrize(("estimator", "names"), COLOURED)
def test_only_what_the_user_set_is_coloured(estimator, names):
    assert sorted(Parsed(shown(estimator)).coloured) == sorted(names)


def test_all_parameters_are_shown():
    table = DeepClassifier()._get_params_html()
    assert dict(table) == DeepClassifier().get_params()


def test_unfitted():
    found = text_of(DeepClassifier())
    assert "Network: its shapes are known after fit. Before that, summary shows them for given data or shapes." in found
    assert "Training" not in found


def test_network_and_training(fitted):
    found = text_of(fitted)
    assert "Network: MLP, 21 parameters, 41 FLOPs per row" in found
    assert "Dense_0 Dense (n, 4) 16 28" in found
    assert "Training: 2 of 2 epochs, validation loss" in found
    assert "best epoch" in found
    assert shown(fitted).count("<svg") == 1


def test_values_are_those_of_the_history(fitted):
    history = fitted.history_
    best = history.loc[fitted.best_epoch_ - 1]
    found = text_of(fitted)
    assert f"training loss {best['train_loss']:.4g}" in found
    assert f"validation loss {best['val_loss']:.4g}" in found
    assert f"best epoch {fitted.best_epoch_} (kept)" in found


def test_metrics_are_shown_with_their_values():
    model = DeepClassifier(
        network=SMALL, max_epochs=2, tol=None, early_stopping=True, metrics=["accuracy"], random_state=0
    )
    history = model.fit(X, y).history_
    assert f"validation accuracy {history.val_accuracy[model.best_epoch_ - 1]:.4g}" in text_of(model)


def test_stopped_early():
    model = DeepClassifier(network=SMALL, max_epochs=50, tol=10.0, n_iter_no_change=2).fit(X, y)
    assert f"Training: {model.n_iter_} of 50 epochs, stopped early, training loss" in text_of(model)
    model.set_params(max_epochs=1)
    assert f"Training: {model.n_iter_} epochs," in text_of(model)


def test_fits_that_continue():
    model = DeepClassifier(network=SMALL, **SHORT).fit(X, y)
    model.partial_fit(X, y)
    assert "Training: 3 epochs," in text_of(model)


def test_fitted_attributes_say_shapes(fitted):
    found = text_of(fitted)
    assert "params_ dict 4 arrays, 21 values: Dense_0/bias (4,), Dense_0/kernel (3, 4), output/bias (1,)" in found
    assert "history_ DataFrame 2 epochs x 6 columns: epoch, train_loss, val_loss" in found
    assert "classes_ ndarray[int64](2,) 0, 1" in found


@pytest.mark.parametrize(
    ("estimator", "data", "words"),
    [
        (
            DeepRegressor(network=SMALL, n_estimators=2, **SHORT),
            (X, X[:, 0]),
            "2 x MLP, 42 parameters, 82 FLOPs per row",
        ),
        (DeepRegressor(network=SMALL, cv=2, **SHORT), (X, X[:, 0]), "out-of-fold score"),
        (DeepAutoencoder(n_components=2, encoder=SMALL, **SHORT), (X,), "Network: Autoencoder"),
        (SequenceGenerator(embedding_features=4, **SHORT), (["hello", "world"],), "Network: NextToken"),
        (
            TabularRegressor(network=RealMLP(widths=(4,)), max_epochs=2, random_state=0),
            (pd.DataFrame({"<b>size</b>": X[:, 0], "<i>": pd.Categorical(list("abcd") * 10)}), X[:, 0]),
            "Network: RealMLP",
        ),
    ],
)
def test_other_estimators(estimator, data, words):
    estimator.fit(*data)
    found = shown(estimator)
    assert words in " ".join(Parsed(found).texts)
    assert "cannot be shown" not in found
    assert "<b>size" not in found
    assert "<i>" not in found


def test_perceptron():
    model = MLPClassifier((4,), max_iter=3, tol=0.0, early_stopping=True, n_iter_no_change=3)
    with pytest.warns(sklearn.exceptions.ConvergenceWarning):
        model.fit(X, y)
    found = text_of(model)
    assert "Training: 3 of 3 epochs" in found
    assert "coefs_ list 2 arrays, 16 values: (3, 4), (4, 1)" in found


def test_inside_pipelines_and_searches():
    pipeline = make_pipeline(StandardScaler(), DeepClassifier(network=SMALL, **SHORT))
    assert Parsed(shown(pipeline)).coloured.count("network__activation") == 0
    search = GridSearchCV(pipeline, {"deepclassifier__learning_rate": [0.1, 0.2]}, cv=2).fit(X, y)
    for estimator in (pipeline.fit(X, y), search):
        found = text_of(estimator)
        assert "Network: MLP, 21 parameters" in found
        assert "Training: 2 of 2 epochs" in found
        assert "network__activation" not in Parsed(shown(estimator)).coloured


class Hostile(nn.Module):
    n_outputs: int | None = None

    @nn.compact
    def __call__(self, x):
        return nn.Dense(self.n_outputs, name="<script>alert(1)</script>")(x)


def test_texts_of_users_are_escaped():
    labels = np.where(y == 1, "<script>alert(2)</script>", "<img src=x>")
    model = DeepClassifier(network=Hostile(), **SHORT).fit(X, labels)
    found = shown(model)
    for text in ("<script>alert", "<img"):
        assert text not in found
    assert html.escape("<script>alert(1)</script>") in found
    assert "&lt;img src=x&gt;" in found
    assert "<script>alert" not in model.summary()._repr_html_()


class Broken(skdeep.Network):
    """A network that can be trained, and raises when it is built again."""

    broken: ClassVar[bool] = False

    def build(self, in_shape, n_outputs):
        if Broken.broken:
            raise RuntimeError("<b>broken</b>\nfor good")
        return MLP(widths=(4,)).build(in_shape, n_outputs)


def test_a_broken_network_does_not_break_the_notebook(monkeypatch):
    model = DeepClassifier(network=Broken(), **SHORT).fit(X, y)
    monkeypatch.setattr(Broken, "broken", True)
    found = shown(model)
    assert "The network cannot be shown: RuntimeError: &lt;b&gt;broken&lt;/b&gt; for good" in found
    assert "Training: 2 of 2 epochs" in found
    with pytest.raises(RuntimeError):
        model.summary()


def test_a_broken_history_does_not_break_the_notebook(fitted):
    model = copy.copy(fitted)
    model._history = {"train_loss": ["no number"]}
    assert "The training cannot be shown: ValueError" in shown(model)


def test_losses_that_are_not_finite(fitted):
    model = copy.copy(fitted)
    model._history = {**model._history, "train_loss": [math.inf, math.nan], "val_loss": [math.nan, math.nan]}
    assert "cannot be shown" not in shown(model)


def test_estimators_do_not_change(fitted):
    before = {name: id(value) for name, value in vars(fitted).items()}
    shown(fitted)
    fitted.summary()
    assert {name: id(value) for name, value in vars(fitted).items()} == before


def test_the_text_view_is_that_of_scikit_learn(fitted):
    with sklearn.config_context(display="text"):
        assert not hasattr(fitted, "_repr_html_")
    assert repr(DeepClassifier(max_epochs=3)) == "DeepClassifier(max_epochs=3)"


def test_without_matplotlib():
    script = (
        "import sys; sys.modules['matplotlib'] = None; import numpy as np; from skdeep import DeepClassifier; "
        "model = DeepClassifier(network='linear', max_epochs=2, tol=None).fit(np.eye(4), [0, 1, 0, 1]); "
        "print('<svg' in model._repr_html_())"
    )
    assert subprocess.check_output([sys.executable, "-c", script], text=True).strip() == "True"


def test_html_is_balanced(fitted):
    text = re.sub(r"<style>.*?</style>|<script>.*?</script>", "", shown(fitted), flags=re.DOTALL)
    for tag in ("div", "table", "tbody", "thead", "tr", "td", "th", "details", "summary", "svg", "p"):
        assert len(re.findall(rf"<{tag}[\s>]", text)) == text.count(f"</{tag}>"), tag
