"""`metrics`: scores of validation rows in `history_`, equal to those of scikit-learn's functions on predictions."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import metrics as sk
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, scale

import skdeep
from skdeep import DeepAutoencoder, DeepClassifier, DeepRegressor, TabularClassifier
from skdeep.core import inference
from skdeep.history import COLUMNS

SMALL = {"network": "linear", "learning_rate": 0.05, "tol": None, "random_state": 0}
X, Y = load_breast_cancer(return_X_y=True)
X, LABELS = scale(X), np.where(Y == 1, "benign", "malignant")
WEIGHT = np.random.default_rng(0).uniform(0.5, 2.0, len(X))
X_TRAIN, X_VAL, Y_TRAIN, Y_VAL, W_TRAIN, W_VAL = train_test_split(X, LABELS, WEIGHT, random_state=0)
BOTH = ["accuracy", "roc_auc"]


def classifier(**params):
    return DeepClassifier(**SMALL | {"max_epochs": 3} | params)


def without_seconds(model):
    return model.history_.drop(columns="seconds")


@pytest.mark.parametrize("is_weighted", [False, True])
def test_scores_are_those_of_predictions_after_each_epoch(is_weighted):
    weights = {"sample_weight": W_TRAIN, "sample_weight_val": W_VAL} if is_weighted else {}
    fit = {"X_val": X_VAL, "y_val": Y_VAL, **weights}
    history = classifier(metrics=[*BOTH, "neg_log_loss"]).fit(X_TRAIN, Y_TRAIN, **fit).history_
    weight = {"sample_weight": W_VAL} if is_weighted else {}
    for epoch in (1, 2, 3):
        model = classifier(max_epochs=epoch).fit(X_TRAIN, Y_TRAIN, **fit)
        row, proba = history.iloc[epoch - 1], model.predict_proba(X_VAL)
        assert_allclose(row.val_accuracy, sk.accuracy_score(Y_VAL, model.predict(X_VAL), **weight), rtol=1e-12)
        assert_allclose(row.val_roc_auc, sk.roc_auc_score(Y_VAL, proba[:, 1], **weight), rtol=1e-12)
        assert_allclose(row.val_neg_log_loss, -sk.log_loss(Y_VAL, proba, **weight), rtol=1e-12)


def test_held_out_rows_are_scored():
    held_out = np.arange(0, len(X), 5)
    model = classifier(metrics=BOTH, early_stopping=True, validation_fraction=held_out, coalesce=False).fit(X, LABELS)
    score = sk.accuracy_score(LABELS[held_out], model.predict(X[held_out]))
    assert_allclose(model.history_.val_accuracy[model.best_epoch_ - 1], score, rtol=1e-12)


@pytest.mark.parametrize("params", [{}, {"early_stopping": True}, {"early_stopping": True, "scoring": "f1_macro"}])
def test_training_does_not_depend_on_metrics(params):
    plain = classifier(**params).fit(X_TRAIN, Y_TRAIN, X_val=X_VAL, y_val=Y_VAL)
    scored = classifier(metrics=BOTH, **params).fit(X_TRAIN, Y_TRAIN, X_val=X_VAL, y_val=Y_VAL)
    assert_array_equal(scored.predict_proba(X), plain.predict_proba(X))
    assert scored.best_epoch_ == plain.best_epoch_
    assert without_seconds(scored)[list(COLUMNS[:-1])].equals(without_seconds(plain))


def test_columns_follow_the_score_in_the_given_order():
    history = classifier(metrics=BOTH).fit(X_TRAIN, Y_TRAIN, X_val=X_VAL, y_val=Y_VAL).history_
    assert list(history) == [*COLUMNS[:4], "val_accuracy", "val_roc_auc", *COLUMNS[4:]]


def test_a_dict_names_scorers():
    scorers = {"beta": sk.make_scorer(sk.fbeta_score, beta=2, pos_label="benign"), "balanced": "balanced_accuracy"}
    model = classifier(metrics=scorers).fit(X_TRAIN, Y_TRAIN, X_val=X_VAL, y_val=Y_VAL)
    predicted, last = model.predict(X_VAL), model.history_.iloc[-1]
    assert_allclose(last.val_beta, sk.fbeta_score(Y_VAL, predicted, beta=2, pos_label="benign"), rtol=1e-12)
    assert_allclose(last.val_balanced, sk.balanced_accuracy_score(Y_VAL, predicted), rtol=1e-12)


def test_all_scorers_share_one_pass_over_the_rows(monkeypatch):
    calls = []
    original = inference.predict_raw

    def counted(*args):
        calls.append(len(args[3]))
        return original(*args)

    monkeypatch.setattr("skdeep.estimators.fitted.predict_raw", counted)
    model = classifier(metrics=[*BOTH, "f1_macro", "neg_log_loss"], scoring="accuracy")
    model.fit(X_TRAIN, Y_TRAIN, X_val=X_VAL, y_val=Y_VAL)
    assert calls == [len(X_VAL)] * 3


def test_regressors_autoencoders_and_tables_have_metrics():
    data, target = load_diabetes(return_X_y=True)
    model = DeepRegressor(**SMALL, max_epochs=2, metrics=["r2", "neg_mean_absolute_error"])
    model.fit(data[:300], target[:300], X_val=data[300:], y_val=target[300:])
    predicted, last = model.predict(data[300:]), model.history_.iloc[-1]
    assert_allclose(last.val_r2, sk.r2_score(target[300:], predicted), rtol=1e-6)
    assert_allclose(last.val_neg_mean_absolute_error, -sk.mean_absolute_error(target[300:], predicted), rtol=1e-6)

    def negative_error(estimator, X, y):
        return -np.mean((estimator.inverse_transform(estimator.transform(X)) - y) ** 2)

    coder = DeepAutoencoder(n_components=2, max_epochs=2, tol=None, random_state=0, metrics={"mse": negative_error})
    coder.fit(data[:300], X_val=data[300:])
    assert_allclose(coder.history_.val_mse.iloc[-1], negative_error(coder, data[300:], data[300:]), rtol=1e-5)

    held_out = np.arange(0, 200, 5)
    table = TabularClassifier(
        preset="fast", max_epochs=2, metrics=["accuracy"], validation_fraction=held_out, coalesce=False, random_state=0
    ).fit(X[:200], LABELS[:200])
    score = sk.accuracy_score(LABELS[held_out], table.predict(X[held_out]))
    assert_allclose(table.history_.val_accuracy[table.best_epoch_ - 1], score, rtol=1e-12)


def test_members_of_ensembles_have_metrics():
    model = classifier(metrics=BOTH, early_stopping=True, n_estimators=2).fit(X, LABELS)
    assert model.history_.val_roc_auc.notna().all()
    assert set(model.history_.member) == {0, 1}


def test_partial_fit_has_no_scores():
    model = classifier(metrics=BOTH).fit(X_TRAIN, Y_TRAIN, X_val=X_VAL, y_val=Y_VAL)
    model.partial_fit(X_TRAIN, Y_TRAIN)
    assert model.history_.val_roc_auc.isna().tolist() == [False] * 3 + [True]


def test_pipelines_and_searches():
    pipeline = make_pipeline(StandardScaler(), classifier(metrics=BOTH, early_stopping=True))
    grid = {"deepclassifier__learning_rate": [0.01, 0.1], "deepclassifier__metrics": [["accuracy"]]}
    search = GridSearchCV(pipeline, grid, cv=2).fit(X, LABELS)
    best = search.best_estimator_[-1]
    assert best.metrics == ["accuracy"]
    assert best.history_.val_accuracy.notna().all()
    many = skdeep.fit_many([clone(best), clone(best)], (X, LABELS))
    assert all(model.history_.val_accuracy.notna().all() for model in many)


def test_a_training_continues_from_a_checkpoint_with_its_scores(tmp_path):
    params = {"metrics": BOTH, "checkpoint": skdeep.Checkpoint(tmp_path, every_epochs=1)}
    validation = {"X_val": X_VAL, "y_val": Y_VAL}
    classifier(**params, max_epochs=2).fit(X_TRAIN, Y_TRAIN, **validation)
    n_trainings = len(list(tmp_path.iterdir()))
    continued = classifier(**params, max_epochs=4).fit(X_TRAIN, Y_TRAIN, **validation)
    assert len(list(tmp_path.iterdir())) == n_trainings
    whole = classifier(metrics=BOTH, max_epochs=4).fit(X_TRAIN, Y_TRAIN, **validation)
    assert without_seconds(continued).equals(without_seconds(whole))
    other = classifier(**params | {"metrics": ["f1_macro"]}, max_epochs=4).fit(X_TRAIN, Y_TRAIN, **validation)
    assert other.history_.val_f1_macro.notna().all()


def test_files_keep_metrics_and_scores(tmp_path):
    scorers = {"beta": sk.make_scorer(sk.fbeta_score, beta=2, pos_label="benign"), "roc_auc": "roc_auc"}
    model = classifier(metrics=scorers).fit(X_TRAIN, Y_TRAIN, X_val=X_VAL, y_val=Y_VAL)
    skdeep.save(model, tmp_path / "model.skdeep")
    loaded = skdeep.load(tmp_path / "model.skdeep")
    assert loaded.history_.equals(model.history_)
    assert list(loaded.metrics) == ["beta", "roc_auc"]
    assert loaded.metrics["beta"]._kwargs == {"beta": 2, "pos_label": "benign"}


@pytest.mark.parametrize(
    ("metrics", "message"),
    [
        (
            "accuracy",
            r"must be None, a list of names of scorers, or a dict .* Got 'accuracy' instead. Write metrics=\['accuracy'\]",
        ),
        (["acuracy"], r"must hold scorers. Got 'acuracy' instead. Did you mean 'accuracy'\?"),
        ({"a": 5}, r"must hold scorers. Got 5 instead. sklearn.metrics.get_scorer_names\(\) lists all names"),
        ({"loss": "f1"}, "must not hold the name 'loss', because 'val_loss' is the column of another value"),
        (["score"], "must not hold the name 'score'"),
        ([sk.accuracy_score], "must hold names. Got <function accuracy_score"),
        (["f1", "f1"], r"must hold each name once. Got \['f1', 'f1'\] instead"),
        ([""], "must hold names. Got '' instead"),
    ],
)
def test_invalid_metrics_are_refused(metrics, message):
    with pytest.raises(ValueError, match=f"The 'metrics' parameter of DeepClassifier {message}"):
        classifier(metrics=metrics).fit(X, LABELS)


def test_metrics_need_validation_rows():
    with pytest.raises(
        ValueError, match=r"metrics=\['accuracy'\] of DeepClassifier needs validation rows. Set early_stopping=True, or"
    ):
        classifier(metrics=["accuracy"]).fit(X, LABELS)


def test_verbose_prints_the_metrics(capsys):
    validation = {"X_val": X_VAL, "y_val": Y_VAL == "benign"}
    model = classifier(metrics=["neg_brier_score"], verbose=1, max_epochs=2).fit(
        X_TRAIN, Y_TRAIN == "benign", **validation
    )
    header, *lines = capsys.readouterr().out.splitlines()
    assert header.split()[-3:] == ["val", "neg_brier_score", "seconds"]
    scores = model.history_.val_neg_brier_score
    for line, score in zip(lines, scores, strict=True):
        assert f"{score:.6f}" in line
        assert len(line) == len(header)
