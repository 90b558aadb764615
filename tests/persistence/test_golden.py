"""Files that earlier versions wrote are loaded, and predict as they did.

The files lie in a folder per version of the format, with the script that wrote them. Results are compared with a tolerance of 1e-6,
because other versions of XLA, and other processors, may round differently.
"""

import importlib.util
import json
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import sklearn
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import fbeta_score

import skdeep
from skdeep.errors import MissingComponentError, UnsupportedModelError
from skdeep.persistence import container
from skdeep.persistence.container import from_bytes, to_bytes
from skdeep.persistence.model import loaded

GOLDEN = Path(__file__).parent / "golden"
FILES = sorted(GOLDEN.glob("*/*.skdeep"))


def script():
    spec = importlib.util.spec_from_file_location("golden_script", GOLDEN / "make_golden.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # the dataclasses in it look it up
    spec.loader.exec_module(module)
    return module


SCRIPT = script()


@pytest.fixture(autouse=True)
def registered(fresh_registry):
    SCRIPT.register()


def named(path):
    return f"{path.parent.name}-{path.stem}"


def load(path):
    return skdeep.load(path, plugins="builtin", **SCRIPT.OWN.get(path.stem, {}))


@pytest.mark.parametrize("path", FILES, ids=named)
def test_predictions_of_golden_files(path, tmp_path):
    expected = json.loads((path.parent / "expected.json").read_text())[path.stem]
    model = load(path)
    found = SCRIPT.predicted(path.stem, model)
    if isinstance(expected, list) and isinstance(expected[0], str):
        assert found == expected
    else:
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)
    skdeep.save(model, tmp_path / path.name)
    again = skdeep.load(tmp_path / path.name, plugins="builtin", **SCRIPT.OWN.get(path.stem, {}))
    assert SCRIPT.predicted(path.stem, again) == found


@pytest.mark.parametrize("path", FILES, ids=named)
def test_golden_files_are_inspected(path):
    info = skdeep.inspect(path)
    assert info.estimator == type(load(path)).__name__
    assert info.is_fitted
    assert ".".join(map(str, info.format_version)) == path.parent.name
    assert info.created_by["skdeep-flax"]
    assert info.n_bytes == path.stat().st_size < 20_000
    assert info.own.keys() == SCRIPT.OWN.get(path.stem, {}).keys()
    assert info.arrays


def test_there_are_files_of_all_kinds():
    for folder in GOLDEN.glob("*/expected.json"):
        assert {path.stem for path in folder.parent.glob("*.skdeep")} == json.loads(folder.read_text()).keys()
    assert {path.stem for path in (GOLDEN / "1.0").glob("*.skdeep")} == SCRIPT.METHODS.keys()


def test_values_that_predictions_do_not_show():
    model = load(GOLDEN / "1.0" / "labels.skdeep")
    assert model.classes_.dtype.str == ">i8"
    assert model.scoring._score_func is fbeta_score
    assert model.scoring._kwargs == {"beta": 2, "pos_label": 3}
    with sklearn.config_context(enable_metadata_routing=True):
        assert model.get_metadata_routing()._serialize()["fit"]["sample_weight"] is True
    assert load(GOLDEN / "1.0" / "classifier.skdeep").classes_.tolist() == ["no", "yes"]
    assert len(load(GOLDEN / "1.0" / "ensemble.skdeep").estimators_) == 2


def test_golden_files_go_on_training():
    model = load(GOLDEN / "1.0" / "classifier.skdeep")
    assert model.partial_fit(SCRIPT.X, np.array(["no", "yes"])[SCRIPT.CODES]).n_iter_ == 2
    own = load(GOLDEN / "1.0" / "own.skdeep")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        assert own.fit(SCRIPT.X, SCRIPT.X[:, 0]).loss_.weight == 0.5


def test_a_golden_file_needs_what_its_author_gave():
    path = GOLDEN / "1.0" / "own.skdeep"
    with pytest.raises(MissingComponentError, match=r"load\(path, network=\.\.\.\)"):
        skdeep.load(path)
    skdeep.unregister("loss", "golden_halved")
    with pytest.raises(
        MissingComponentError, match="the loss 'golden_halved', which is neither built in nor registered"
    ):
        load(path)


def changed(monkeypatch, *, version=(1, 0), **entries):
    """Return the file of a classifier with other entries in its manifest, and valid digests."""
    manifest, arrays = from_bytes((GOLDEN / "1.0" / "classifier.skdeep").read_bytes())
    manifest = {key: value for key, value in manifest.items() if key not in ("sha256", "tensors")}
    with monkeypatch.context() as patch:
        patch.setattr(container, "VERSION", version)
        return to_bytes({**manifest, **entries}, arrays)


def test_a_newer_minor_version_with_unknown_information_is_loaded(monkeypatch, tmp_path):
    data = changed(monkeypatch, version=(1, 9), licence="MIT", model_card={"text": ["a", 1, None]})
    (tmp_path / "a").write_bytes(data)
    again, model = skdeep.load(tmp_path / "a"), load(GOLDEN / "1.0" / "classifier.skdeep")
    np.testing.assert_array_equal(again.predict_proba(SCRIPT.X), model.predict_proba(SCRIPT.X))
    assert skdeep.inspect(tmp_path / "a").format_version == (1, 9)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": (2, 0)}, "version 2.0 of the format, but this version of skdeep reads 1.x"),
        ({"required_features": ["sharded"]}, "The file needs 'sharded', which this version of skdeep does not know"),
    ],
)
def test_what_only_a_newer_skdeep_can_read_is_refused(change, message, monkeypatch, tmp_path):
    data = changed(monkeypatch, **change)
    with pytest.raises(UnsupportedModelError, match=message):
        loaded(data, {}, "builtin")
    (tmp_path / "a").write_bytes(data)
    with pytest.raises(UnsupportedModelError, match=message):
        skdeep.inspect(tmp_path / "a")


def test_the_script_keeps_folders_that_exist():
    with pytest.raises(FileExistsError):
        SCRIPT.main()
