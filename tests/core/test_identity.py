"""What the identity of a training reads: two trainings with other numbers must never share it, and others should."""

import enum
import functools
import json
import os
import sys
import types

import jax
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import make_scorer, mean_absolute_error

from skdeep import DeepClassifier, DeepRegressor, TabularClassifier
from skdeep.estimators.prepare import prepare
from skdeep.estimators.training import FitData
from skdeep.networks import MLP

RNG = np.random.RandomState(0)
X = RNG.randn(60, 5).astype(np.float32)
Y = np.digitize(X[:, 0] + X[:, 1], [-0.6, 0.6])
VALUES = X[:, 0] - X[:, 1] ** 2
SMALL = {"network": MLP(widths=(4,)), "batch_size": 16, "max_epochs": 4, "tol": None, "random_state": 0}
SCORED = SMALL | {"early_stopping": True}


def identity(estimator, X=X, y=Y, **more):
    return prepare(estimator, FitData(X, y, **more)).identity()


def identity_with(loss):
    return identity(DeepRegressor(**SMALL, loss=loss), y=VALUES)


# Scorers


def test_labels_decide_scores_even_where_no_validation_row_has_them():
    scorer = make_scorer(mean_absolute_error, greater_is_better=False)
    seen = Y < 2
    renamed = np.where(Y == 2, 50, Y)
    found = {
        identity(DeepClassifier(**SCORED, scoring=scorer), y=y, X_val=X[seen], y_val=y[seen]) for y in (Y, renamed)
    }
    assert len(found) == 2


class Above(DeepClassifier):
    """Predicts by thresholds."""

    def __init__(self, *, thresholds=(0.5,), **params):
        super().__init__(**params)
        self.thresholds = thresholds

    @classmethod
    def _get_param_names(cls):
        return sorted([*DeepClassifier._get_param_names(), "thresholds"])


@pytest.mark.parametrize("kind", [tuple, np.array, lambda values: np.float32(values[0]), lambda values: {"a": values}])
def test_parameters_of_predict_decide_scores(kind):
    found = [identity(Above(**SCORED, scoring="accuracy", thresholds=kind([t]))) for t in (0.3, 0.3, 0.6)]
    assert found[0] == found[1] != found[2]


def test_limits_of_predictions_decide_scores():
    found = {
        identity(DeepRegressor(**SCORED, scoring="r2", clip_predictions=clips), y=VALUES) for clips in (False, True)
    }
    assert len(found) == 2


def test_parameters_that_decide_nothing_are_not_read():
    found = {
        identity(DeepClassifier(**SCORED | changed, scoring="accuracy"))
        for changed in ({}, {"max_epochs": 9}, {"verbose": 1}, {"checkpoint": "runs"}, {"device": "cpu"})
    }
    assert len(found) == 1


def test_tables_of_text_and_dates_can_be_scored():
    frame = pd.DataFrame(
        {"a": X[:, 0], "c": np.array(["x", "y", None])[Y], "d": pd.date_range("2020-01-01", periods=60)}
    )
    other = frame.assign(c=np.array(["x", "z", None])[Y])
    model = TabularClassifier(early_stopping=True, scoring="accuracy", random_state=0)
    found = [identity(model, table) for table in (frame, frame.copy(), other)]
    assert found[0] == found[1] != found[2]


def test_many_labels_of_text_can_be_scored():
    y = np.array(["no", "yes"], dtype=object)[np.arange(12_000) % 2]
    wide = np.arange(24_000, dtype=np.float32).reshape(12_000, 2)
    assert identity(DeepClassifier(**SCORED, scoring="accuracy"), wide, y, X_val=wide, y_val=y)


# Users' code


@pytest.fixture
def module(monkeypatch):
    found = types.ModuleType("a_module_of_the_user")
    found.SCALE = 1.0
    monkeypatch.setitem(sys.modules, found.__name__, found)
    return found


def in_a_closure(module):
    def loss(raw, target):
        return module.SCALE * (raw - target)[:, 0] ** 2

    return loss


def in_a_default(module):
    def loss(raw, target, module=module):
        return module.SCALE * (raw - target)[:, 0] ** 2

    return loss


def in_a_tuple(module):
    modules = (module,)

    def loss(raw, target):
        return modules[0].SCALE * (raw - target)[:, 0] ** 2

    return loss


def in_a_partial(module):
    return functools.partial(scaled, module=module)


def scaled(raw, target, module):
    return module.SCALE * (raw - target)[:, 0] ** 2


def in_a_class(module):
    class Loss:
        scales = module

        def __call__(self, raw, target):
            return self.scales.SCALE * (raw - target)[:, 0] ** 2

    return Loss()


@pytest.mark.parametrize("make", [in_a_closure, in_a_default, in_a_tuple, in_a_partial, in_a_class])
def test_a_changed_module_is_seen(make, module):
    before = identity_with(make(module))
    assert identity_with(make(module)) == before
    module.SCALE = 2.0
    assert identity_with(make(module)) != before


IMPORTS = """
import json
from tests_of_identity import loss
import numpy as np
from skdeep import DeepRegressor
from skdeep.estimators.prepare import prepare
from skdeep.estimators.training import FitData
X = np.arange(60.0).reshape(20, 3)
model = DeepRegressor(loss=loss, random_state=0)
job = prepare(model, FitData(X, X[:, 0]))
before = job.identity()
loss(X[:, :1], X[:, 0])
print(json.dumps([before, job.identity()]))
"""
LOSS = """
def loss(raw, target):
    from scales_of_identity import SCALE
    return SCALE * (raw[:, 0] - target) ** 2
"""


def test_a_module_that_a_loss_imports_when_it_runs_is_seen(forks, tmp_path):
    (tmp_path / "tests_of_identity.py").write_text(LOSS)
    variables = {"PYTHONPATH": tmp_path, "PYTHONDONTWRITEBYTECODE": "1"}
    found = []
    for scale in (1.0, 1.0, 20.0):
        (tmp_path / "scales_of_identity.py").write_text(f"SCALE = {scale}\n")
        done = forks.run(IMPORTS, **variables)
        assert done.returncode == 0, done.stderr
        first, second = json.loads(done.stdout)
        assert first == second
        found.append(first)
    assert found[0] == found[1] != found[2]


def test_values_and_methods_of_enums_are_seen():
    def with_value(value, kind=enum.Enum):
        mode = kind("Mode", {"A": value}).A

        def loss(raw, target):
            return mode.value * (raw - target)[:, 0] ** 2

        return identity_with(loss)

    assert with_value(1.0) == with_value(1.0) != with_value(2.0)
    assert with_value(1, enum.IntEnum) != with_value(2, enum.IntEnum)


def test_constants_in_sets_are_not_mixed_up():
    def first(raw, target):
        return ((2 in {1, 2}) - (2 in {3})) * (raw - target)[:, 0] ** 2

    def second(raw, target):
        return ((2 in {1}) - (2 in {2, 3})) * (raw - target)[:, 0] ** 2

    second.__code__ = second.__code__.replace(co_name="first", co_qualname=first.__code__.co_qualname)
    assert identity_with(first) != identity_with(second)


def test_complex_constants_and_objects_with_a_global_name_are_read():
    missing = pd.NA

    def loss(raw, target):
        return abs(1j) * (raw - target)[:, 0] ** 2 if missing is not None else None

    assert identity_with(loss) == identity_with(loss)


def test_a_python_function_inside_a_ufunc_is_refused():
    function = np.frompyfunc(lambda a: 2 * a, 1, 1)

    def scorer(estimator, X, y):
        return float(function(1.0))

    with pytest.raises(TypeError, match="cannot be read"):
        identity(DeepClassifier(**SCORED, scoring=scorer))


# Settings


def test_settings_that_change_bits_are_seen(monkeypatch):
    before = identity(DeepClassifier(**SMALL))
    with jax.default_matmul_precision("bfloat16"):
        assert identity(DeepClassifier(**SMALL)) != before
    flags = os.environ.get("XLA_FLAGS", "")
    monkeypatch.setenv("XLA_FLAGS", f"{flags} --xla_cpu_enable_fast_math=true")
    assert identity(DeepClassifier(**SMALL)) != before
    monkeypatch.setenv("XLA_FLAGS", "  ".join(reversed(flags.split())))
    assert identity(DeepClassifier(**SMALL)) == before
