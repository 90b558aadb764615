"""Scorers, metadata requests and the byte order of labels: kept in model files, from fixed lists only."""

import json

import numpy as np
import pytest
import sklearn
import sklearn.metrics
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import accuracy_score, cohen_kappa_score, fbeta_score, log_loss, make_scorer
from sklearn.model_selection import GroupKFold

import skdeep
from skdeep import DeepAutoencoder, DeepClassifier, DeepRegressor
from skdeep.errors import CorruptModelError, MissingComponentError, ModelMismatchError, UnserializableParameterError
from skdeep.networks import MLP
from skdeep.persistence.container import from_bytes, to_bytes
from skdeep.persistence.model import dumped, loaded
from skdeep.persistence.of_scikit_learn import metrics

RNG = np.random.default_rng(0)
X = RNG.normal(size=(30, 3))
CODES = (X[:, 0] > 0).astype(int)
Y = np.array(["no", "yes"])[CODES]
SHORT = {"max_epochs": 2, "tol": None, "random_state": 0}
SMALL = {"network": MLP(widths=(4,)), **SHORT}


def changed(model, change):
    """Return the model's file with another estimator node, and valid digests."""
    manifest, arrays = from_bytes(dumped(model))
    node = json.loads(json.dumps(manifest["estimator"]))
    change(node)
    return to_bytes({"own": manifest["own"], "estimator": node}, arrays)


# Scorers.

SCORERS = {
    "a metric": make_scorer(accuracy_score),
    "arguments": make_scorer(fbeta_score, beta=2.0, pos_label="yes", average="binary"),
    "a list": make_scorer(fbeta_score, beta=np.float64(0.5), labels=["no", "yes"], average="macro"),
    "probabilities": make_scorer(log_loss, response_method="predict_proba", greater_is_better=False),
    "several methods": make_scorer(log_loss, response_method=("predict_proba", "predict"), greater_is_better=False),
    "two raters": make_scorer(cohen_kappa_score),
    "by its name": sklearn.metrics.get_scorer("neg_brier_score"),
}


@pytest.mark.parametrize("name", SCORERS)
def test_scorers_of_scikit_learns_metrics(name):
    model = DeepClassifier(scoring=SCORERS[name], **SMALL)
    again = loaded(dumped(model), {}, "builtin")
    assert vars(again.scoring) == vars(SCORERS[name])
    assert repr(again) == repr(model)
    assert dumped(again) == dumped(model)


def test_a_fit_with_a_stored_scorer_is_the_same():
    model = DeepClassifier(scoring=SCORERS["arguments"], early_stopping=True, **SMALL)
    again = loaded(dumped(model), {}, "builtin").fit(X, Y)
    np.testing.assert_array_equal(again.predict_proba(X), model.fit(X, Y).predict_proba(X))


def test_all_scorers_with_names_can_be_stored():
    for name in sklearn.metrics.get_scorer_names():
        scorer = sklearn.metrics.get_scorer(name)
        assert vars(loaded(dumped(DeepRegressor(scoring=scorer)), {}, "builtin").scoring) == vars(scorer)


def test_metrics_are_public_functions_of_true_and_predicted_values():
    assert {"accuracy_score", "roc_auc_score", "rand_score", "cohen_kappa_score"} <= metrics().keys()
    assert not {"get_scorer", "make_scorer", "pairwise_distances", "silhouette_score", "auc"} & metrics().keys()


def own_metric(y_true, y_pred):
    return 0.0


def accuracy_of_mine(y_true, y_pred):
    return 1.0


accuracy_of_mine.__name__ = "accuracy_score"


@pytest.mark.parametrize(
    "scorer",
    [
        make_scorer(own_metric),
        make_scorer(accuracy_of_mine),
        make_scorer(fbeta_score, beta=2, labels=np.array(["no", "yes"])),
        make_scorer(fbeta_score, beta=2, zero_division={"a": 1}),
        make_scorer(accuracy_score, unknown=1),
    ],
    ids=str,
)
def test_other_scorers_are_given_again(scorer, tmp_path):
    skdeep.save(DeepClassifier(scoring=scorer), tmp_path / "a")
    with pytest.raises(
        MissingComponentError, match=r"its scoring is an object of your own: .*load\(path, scoring=\.\.\.\)"
    ):
        skdeep.load(tmp_path / "a")
    assert skdeep.load(tmp_path / "a", scoring=scorer).scoring is scorer


def scorer_node(**changes):
    return {
        "$scorer": {
            "score_func": "accuracy_score",
            "response_method": "predict",
            "greater_is_better": True,
            **changes,
        }
    }


@pytest.mark.parametrize(
    ("node", "message"),
    [
        (scorer_node(score_func="os.system"), "the function 'os.system', which is no metric"),
        (scorer_node(score_func="make_scorer"), "the function 'make_scorer', which is no metric"),
        (scorer_node(score_func="pairwise_distances"), "which is no metric"),
        (scorer_node(score_func=["accuracy_score"]), "which is no metric"),
        (scorer_node(response_method="fit"), "the method 'fit'"),
        (scorer_node(response_method=[]), r"the method '\[\]'"),
        (scorer_node(response_method=None), "the method 'None'"),
        (scorer_node(greater_is_better=1), "no direction"),
        (scorer_node(y_pred=[1]), "the argument 'y_pred', which accuracy_score does not take"),
        (scorer_node(shell="rm"), "the argument 'shell'"),
        (scorer_node(normalize={"a": 1}), "a value for 'normalize' that is not plain"),
        (scorer_node(normalize={"$objects": [1], "shape": [1]}), "a value for 'normalize' that is not plain"),
        ({"$scorer": {}}, "the function 'None'"),
    ],
)
def test_hostile_scorers(node, message):
    with pytest.raises(ModelMismatchError, match=message):
        loaded(changed(DeepClassifier(), lambda n: n["params"].update(scoring=node)), {}, "builtin")


@pytest.mark.parametrize("node", [{"$scorer": 1}, {"$scorer": ["accuracy_score"]}, {"$scorer": None}])
def test_malformed_scorers(node):
    with pytest.raises(CorruptModelError, match="malformed scorer"):
        loaded(changed(DeepClassifier(), lambda n: n["params"].update(scoring=node)), {}, "builtin")


# Metadata requests.


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


def requests(estimator):
    return estimator.get_metadata_routing()._serialize()


@pytest.mark.usefixtures("routing")
def test_metadata_requests(tmp_path):
    model = DeepClassifier(**SMALL).fit(X, Y)
    plain = dumped(model)
    assert b'"requests"' not in plain.replace(b"\\", b"")
    model.set_fit_request(sample_weight=True, groups="patients", X_val=None)
    model.set_score_request(sample_weight=False)
    model.set_partial_fit_request(classes=True)
    again = loaded(dumped(model), {}, "builtin")
    assert requests(again) == requests(model)
    assert requests(again)["fit"]["groups"] == "patients"
    assert requests(again) != requests(loaded(plain, {}, "builtin"))
    assert dumped(again) == dumped(model)
    assert requests(sklearn.clone(again)) == requests(model)
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))


@pytest.mark.usefixtures("routing")
def test_metadata_requests_of_inner_estimators():
    inner = DeepAutoencoder(n_components=2, **SHORT).set_fit_request(sample_weight=True).fit(X)
    members = DeepClassifier(n_estimators=2, **SMALL).set_fit_request(sample_weight=True).fit(X, Y)
    for model in (DeepClassifier(pretrain=FrozenEstimator(inner), **SHORT).fit(X, Y), members):
        again = loaded(dumped(model), {}, "builtin")
        assert requests(again) == requests(model)
        assert dumped(again) == dumped(model)
    again = loaded(dumped(DeepClassifier(pretrain=FrozenEstimator(inner))), {}, "builtin")
    assert requests(again.pretrain.estimator) == requests(inner)


def test_metadata_requests_are_loaded_without_routing():
    with sklearn.config_context(enable_metadata_routing=True):
        model = DeepClassifier().set_fit_request(sample_weight=True)
    again = loaded(dumped(model), {}, "builtin")
    with sklearn.config_context(enable_metadata_routing=True):
        assert requests(again) == requests(model)


@pytest.mark.usefixtures("routing")
def test_a_splitter_with_requests_cannot_be_stored():
    splitter = GroupKFold(2).set_split_request(groups="patients")
    with pytest.raises(UnserializableParameterError, match="so validation_fraction = 'GroupKFold"):
        dumped(DeepClassifier(validation_fraction=splitter))


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ([], CorruptModelError),
        ({"fit": 1}, CorruptModelError),
        ({"fit": {"shell": True}}, ModelMismatchError),
        ({"fit": {"X": True}}, ModelMismatchError),
        ({"__class__": {"x": True}}, ModelMismatchError),
        ({"owner": {"x": True}}, ModelMismatchError),
        ({"_type": {"x": True}}, ModelMismatchError),
        ({"fit": {"sample_weight": 1}}, ModelMismatchError),
        ({"fit": {"sample_weight": "a b"}}, ModelMismatchError),
        ({"fit": {"sample_weight": "$UNUSED$"}}, ModelMismatchError),
        ({"fit": {"sample_weight": ["a"]}}, ModelMismatchError),
        ({"fit": {"sample_weight": {"$float": "nan"}}}, ModelMismatchError),
    ],
)
def test_hostile_requests(value, error):
    with pytest.raises(error):
        loaded(changed(DeepClassifier(), lambda node: node.update(requests=value)), {}, "builtin")


# Byte order.


@pytest.mark.parametrize("dtype", [">i8", "<i8", ">i2", ">u4", ">f8", ">U3", ">M8[D]"])
def test_labels_keep_their_byte_order(dtype):
    labels = {"U": ["no", "yes"], "M": ["2020-01-01", "2020-01-02"]}.get(np.dtype(dtype).kind, [3, 7])
    y = np.array(labels, dtype)[CODES]
    model = DeepClassifier(**SMALL).fit(X, y)
    again = loaded(dumped(model), {}, "builtin")
    assert again.classes_.dtype == model.classes_.dtype
    assert again.classes_.dtype.str == model.classes_.dtype.str
    np.testing.assert_array_equal(again.classes_, model.classes_)
    assert again.predict(X).dtype == model.predict(X).dtype
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    assert dumped(again) == dumped(model)


@pytest.mark.parametrize("dtype", [">f8", ">i4", "U9", ">M8[D]", "O", 5, "(2,)>i8", "i8,i8", ">i3", ">f16"])
def test_arrays_of_another_type_than_the_file_says(dtype):
    model = DeepClassifier(class_weight={"a": np.arange(3, dtype=">i8")})

    def change(node):
        stored = node["params"]["class_weight"]["a"]
        assert stored["dtype"] == ">i8"
        stored["dtype"] = dtype

    with pytest.raises((ModelMismatchError, CorruptModelError)):
        loaded(changed(model, change), {}, "builtin")
