"""OptunaPruning: what is reported, when trials are pruned, and that nothing is left behind."""

from __future__ import annotations

import builtins
import pickle
import subprocess
import sys
import threading

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.exceptions import FitFailedWarning
from sklearn.model_selection import cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skdeep
from skdeep import DeepClassifier, DeepRegressor, TabularClassifier, TabularRegressor
from skdeep.callbacks import OptunaPruning
from skdeep.networks import MLP

pytest.importorskip("sklearn.callback", reason="callbacks are new in scikit-learn 1.9")
optuna = pytest.importorskip("optuna", reason="the extra 'optuna'")
optuna.logging.set_verbosity(optuna.logging.WARNING)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, y = load_iris(return_X_y=True)


def classifier(**params):
    return DeepClassifier(
        **{"network": MLP((8,)), "max_epochs": 5, "tol": None, "early_stopping": True, "random_state": 0, **params}
    )


class PruneAt(optuna.pruners.BasePruner):
    """Prunes each trial at the first report at or after a step."""

    def __init__(self, step):
        self.step = step

    def prune(self, study, trial):
        return trial.last_step >= self.step


def trial_of(direction="minimize", pruner=None):
    return optuna.create_study(direction=direction, pruner=pruner or optuna.pruners.NopPruner()).ask()


def reports(trial):
    return trial.study.trials[trial.number].intermediate_values


@pytest.mark.parametrize(
    ("direction", "scoring", "monitor", "column", "sign"),
    [
        ("minimize", "loss", "auto", "val_loss", 1),
        ("maximize", "loss", "auto", "val_loss", -1),
        ("maximize", "accuracy", "auto", "val_score", 1),
        ("minimize", "accuracy", "auto", "val_score", -1),
        ("minimize", "accuracy", "val_loss", "val_loss", 1),
        ("maximize", "accuracy", "val_score", "val_score", 1),
    ],
)
def test_each_epoch_is_reported_in_the_direction_of_the_study(direction, scoring, monitor, column, sign):
    trial = trial_of(direction)
    model = classifier(scoring=scoring).set_callbacks(OptunaPruning(trial, monitor)).fit(X, y)
    assert reports(trial) == {step: sign * value for step, value in enumerate(model.history_[column])}


@pytest.mark.parametrize(
    "make",
    [
        classifier,
        lambda: DeepRegressor(network=MLP((8,)), max_epochs=5, early_stopping=True, random_state=0),
        lambda: TabularClassifier(network=MLP((8,)), max_epochs=5, random_state=0),
        lambda: TabularRegressor(network=MLP((8,)), max_epochs=5, random_state=0),
    ],
    ids=["classifier", "regressor", "tabular classifier", "tabular regressor"],
)
def test_a_pruned_fit_leaves_the_estimator_unchanged(make):
    model = make().set_callbacks(OptunaPruning(trial_of(pruner=PruneAt(2))))
    before = dict(vars(model))
    with pytest.raises(optuna.TrialPruned, match="pruned after 3 epochs"):
        model.fit(X, y)
    assert vars(model) == before
    fresh = clone(model).set_callbacks()
    expected = make().fit(X, y)
    np.testing.assert_array_equal(fresh.fit(X, y).predict(X), expected.predict(X))


def test_a_pruned_fit_leaves_an_earlier_fit_as_it_was():
    model = classifier().fit(X, y)
    expected = model.predict_proba(X)
    model.set_params(learning_rate=0.1).set_callbacks(OptunaPruning(trial_of(pruner=PruneAt(0))))
    with pytest.raises(optuna.TrialPruned):
        model.fit(X, y)
    np.testing.assert_array_equal(model.predict_proba(X), expected)


def test_a_fit_that_is_not_pruned_has_the_same_numbers():
    model = classifier().set_callbacks(OptunaPruning(trial_of())).fit(X, y)
    np.testing.assert_array_equal(model.predict_proba(X), classifier().fit(X, y).predict_proba(X))


def pipeline_of(trial, **params):
    return make_pipeline(StandardScaler(), classifier(**params).set_callbacks(OptunaPruning(trial)))


def test_later_folds_report_means_at_steps_of_their_own():
    trial = trial_of()
    found = cross_validate(pipeline_of(trial), X, y, cv=3, error_score="raise", return_estimator=True)
    models = [pipeline[-1] for pipeline in found["estimator"]]
    best = [model.history_["val_loss"][model.best_epoch_ - 1] for model in models]
    expected = dict(enumerate(models[0].history_["val_loss"]))
    expected |= {9: np.mean(best[:2]), 14: np.mean(best)}
    assert reports(trial) == pytest.approx(expected)


def test_epochs_of_folds_that_stop_early_do_not_move_steps():
    trial = trial_of()
    pipeline = pipeline_of(trial, n_iter_no_change=1, tol=0.1, max_epochs=50)
    models = cross_validate(pipeline, X, y, cv=2, error_score="raise", return_estimator=True)["estimator"]
    assert models[0][-1].n_iter_ < 50
    assert list(reports(trial)) == [*range(models[0][-1].n_iter_), 99]


@pytest.mark.parametrize(("step", "when", "n_reports"), [(1, "2 epochs", 2), (9, "2 fits", 6)])
def test_a_trial_is_pruned_in_its_first_fold_or_before_another(step, when, n_reports):
    trial = trial_of(pruner=PruneAt(step))
    with pytest.raises(optuna.TrialPruned, match=f"pruned after {when}"):
        cross_validate(pipeline_of(trial), X, y, cv=3, error_score="raise")
    assert len(reports(trial)) == n_reports


def test_a_trial_that_is_done_is_not_pruned():
    trial = trial_of(pruner=PruneAt(14))
    assert len(cross_validate(pipeline_of(trial), X, y, cv=3, error_score="raise")["test_score"]) == 3


def test_without_error_score_no_fold_trains_after_the_trial_is_pruned():
    trial = trial_of(pruner=PruneAt(9))
    with pytest.warns(FitFailedWarning, match="1 fits failed"):
        scores = cross_validate(pipeline_of(trial), X, y, cv=3)["test_score"]
    assert list(np.isnan(scores)) == [False, False, True]


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_study_prunes_bad_trials_only(n_jobs):
    skdeep.clear_cache()

    def objective(trial):
        rate = trial.suggest_categorical("learning_rate", [0.05, 1e-7])
        pipeline = pipeline_of(trial, learning_rate=rate, max_epochs=8)
        scores = cross_validate(pipeline, X, y, cv=2, scoring="neg_log_loss", error_score="raise")
        return -scores["test_score"].mean()

    study = optuna.create_study(
        sampler=optuna.samplers.RandomSampler(seed=0),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=2, n_warmup_steps=2),
    )
    for rate in (0.05, 0.05, 1e-7, 1e-7, 0.05):
        study.enqueue_trial({"learning_rate": rate})
    study.optimize(objective, n_trials=2)
    study.optimize(objective, n_trials=3, n_jobs=n_jobs)
    states = [trial.state.name for trial in study.trials]
    assert states == ["COMPLETE", "COMPLETE", "PRUNED", "PRUNED", "COMPLETE"]
    assert study.trials[2].last_step == 2
    assert study.best_params == {"learning_rate": 0.05}
    assert skdeep.compile_counts()["train_block"] == (1, 1)  # shared by folds, trials and threads


def test_an_unchanged_objective_runs_with_a_fixed_trial():
    trial = optuna.trial.FixedTrial({"learning_rate": 0.01})
    pipeline = pipeline_of(trial, learning_rate=trial.suggest_float("learning_rate", 0.001, 0.1))
    assert pipeline.fit(X, y)[-1].n_iter_ == 5


def test_validation_rows_of_fit_are_reported_too():
    trial = trial_of()
    model = classifier(early_stopping=False).set_callbacks(OptunaPruning(trial)).fit(X, y, X_val=X[::2], y_val=y[::2])
    assert list(reports(trial).values()) == list(model.history_["val_loss"])


def test_a_checkpoint_continues_a_training_for_another_trial(tmp_path):
    def make():
        return classifier(checkpoint=skdeep.Checkpoint(tmp_path, every_epochs=1))

    killed, next_one = trial_of(pruner=PruneAt(2)), trial_of()
    with pytest.raises(optuna.TrialPruned):
        make().set_callbacks(OptunaPruning(killed)).fit(X, y)
    model = make().set_callbacks(OptunaPruning(next_one)).fit(X, y)
    assert reports(next_one) == dict(enumerate(model.history_["val_loss"]))
    again = trial_of()
    make().set_callbacks(OptunaPruning(again)).fit(X, y)  # trains nothing
    assert reports(again) == reports(next_one)


def test_missing_validation_rows_raise():
    model = classifier(early_stopping=False).set_callbacks(OptunaPruning(trial_of()))
    with pytest.raises(
        ValueError, match="DeepClassifier has no validation rows. Set early_stopping=True, or give X_val"
    ):
        model.fit(X, y)


def test_a_missing_score_raises():
    model = classifier().set_callbacks(OptunaPruning(trial_of(), "val_score"))
    with pytest.raises(ValueError, match="no validation score. Set scoring to a scorer"):
        model.fit(X, y)


@pytest.mark.parametrize("params", [{"n_estimators": 2}, {"cv": 2}], ids=str)
def test_ensembles_raise(params):
    model = classifier(max_epochs=1, **params).set_callbacks(OptunaPruning(trial_of()))
    with pytest.raises(ValueError, match="members of an ensemble have no callbacks. Set n_estimators=1 and cv=None"):
        model.fit(X, y)


def test_an_estimator_without_history_raises():
    pipeline = make_pipeline(StandardScaler(), classifier()).set_callbacks(OptunaPruning(trial_of()))
    with pytest.raises(
        TypeError, match="reads history_, which Pipeline does not have. Set it on an estimator of skdeep"
    ):
        pipeline.fit(X, y)


def test_two_fits_at_the_same_time_raise_and_the_first_goes_on():
    callback, errors = OptunaPruning(trial_of()), []

    class Starting:
        """Starts another fit with the callback while the first is in its first epoch."""

        def setup(self, estimator, context): ...
        def teardown(self, estimator, context): ...
        def on_fit_task_end(self, estimator, context): ...

        def on_fit_task_begin(self, estimator, context):
            if context.task_name == "epoch" and not errors:
                thread = threading.Thread(target=other)
                thread.start()
                thread.join()

    def other():
        try:
            classifier().set_callbacks(callback).fit(X, y)
        except RuntimeError as err:
            errors.append(str(err))

    model = classifier().set_callbacks(callback, Starting()).fit(X, y)
    assert model.n_iter_ == 5
    assert len(errors) == 1
    assert "takes one fit after the other, but two run at the same time" in errors[0]


def test_a_pickle_raises():
    model = classifier().set_callbacks(OptunaPruning(trial_of())).fit(X, y)
    with pytest.raises(TypeError, match="cannot be pickled. In an objective, fit in this process"):
        pickle.dumps(model)
    pickle.loads(pickle.dumps(model.set_callbacks())).predict(X)


def test_bad_parameters():
    with pytest.raises(TypeError, match="must be a trial of Optuna. Got 3 instead"):
        OptunaPruning(3)
    with pytest.raises(ValueError, match="must be one of .*Got 'loss' instead"):
        OptunaPruning(trial_of(), "loss")
    with pytest.raises(ValueError, match="needs a study with one objective.* Got 2 directions"):
        OptunaPruning(optuna.create_study(directions=["minimize", "maximize"]).ask())


def test_without_optuna_the_error_says_what_to_install(monkeypatch):
    trial, imported = trial_of(), builtins.__import__

    def without(name, *others):
        if name == "optuna":
            raise ImportError(name)
        return imported(name, *others)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=r'pip install "skdeep-flax\[optuna\]"'):
        OptunaPruning(trial)


def test_importing_skdeep_imports_no_search_library_and_no_logger():
    libraries = {"optuna", "dask", "distributed", "ray", "tensorboardX", "mlflow", "matplotlib"}
    script = f"import sys, skdeep, skdeep.callbacks; print({libraries} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", script], text=True).strip() == "set()"
