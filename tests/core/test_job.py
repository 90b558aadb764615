"""Jobs: the same bits in any process and after any interruption; signature and identity."""

import dataclasses
import os
import pickle
import subprocess
import sys
import textwrap

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from skdeep import (
    DeepAutoencoder,
    DeepClassifier,
    DeepRegressor,
    Inputs,
    MLPClassifier,
    MLPRegressor,
    Network,
    NetworkFunctions,
    Optimizer,
    SequenceGenerator,
)
from skdeep.core import stopping
from skdeep.core.run import run
from skdeep.core.watcher import Watcher
from skdeep.estimators.prepare import prepare
from skdeep.estimators.training import FitData
from skdeep.layers import BatchNorm, Dense, Dropout
from skdeep.networks import MLP
from skdeep.optimizers import Adam
from skdeep.registry import names

rng = np.random.RandomState(0)
X = rng.randn(60, 5).astype(np.float32)
Y = np.digitize(X[:, 0] + X[:, 1], [-0.6, 0.6])
VALUES = X[:, 0] - X[:, 1] ** 2
SPARSE = sp.random(60, 20, density=0.3, format="csr", random_state=0, dtype=np.float32)
ENTRIES = sp.random(60, 300, density=0.01, format="csr", random_state=0, dtype=np.float32)
SMALL = {"network": MLP(widths=(4,)), "batch_size": 16, "max_epochs": 4, "tol": None, "random_state": 0}
STOPS = {"early_stopping": True, "n_iter_no_change": 2, "tol": 1e-3}
NORMS = [Dense(4), BatchNorm(), "relu", Dropout(0.3)]
MLP_SMALL = {"hidden_layer_sizes": (4,), "batch_size": 16, "max_iter": 4, "random_state": 0}
TEXTS = ["to be or not to be", "that is the question"]


class Slowing(Optimizer):
    def update(self, grad, state, params, learning_rate, value, objective, progress):
        return state, jax.tree.map(lambda g: -learning_rate * (1 - progress) * g, grad)

    def init(self, params):
        return ()


def job_of(estimator, X=X, y=Y, **given):
    return prepare(estimator, FitData(X, y, **given))


class Joined(Network):
    """A linear model of two inputs by name, one of which holds ids."""

    names_inputs = True

    def build(self, in_shape, n_outputs):
        def init(key, x):
            return {"kernel": jnp.zeros((5, n_outputs)), "table": jax.random.normal(key, (3, n_outputs))}, {}

        def apply(params, model_state, x, train, key, row_mask):
            return x["values"] @ params["kernel"] + params["table"][x["ids"][:, 0]], model_state

        return NetworkFunctions(init, apply)


INPUTS = Inputs(values=X, ids=Y[:, None])
JOBS = {
    "inputs": lambda: job_of(DeepRegressor(**SMALL | {"network": Joined()} | STOPS), INPUTS, VALUES),
    "classifier": lambda: job_of(DeepClassifier(**SMALL)),
    "early stopping": lambda: job_of(DeepClassifier(**SMALL | STOPS)),
    "norms and dropout": lambda: job_of(DeepClassifier(**SMALL | {"network": NORMS} | STOPS)),
    "sparse": lambda: job_of(DeepClassifier(**SMALL | STOPS), SPARSE),
    "entries": lambda: job_of(DeepClassifier(**SMALL), ENTRIES),
    "regressor": lambda: job_of(DeepRegressor(**SMALL | {"loss": "gaussian_nll"}), y=VALUES),
    "mixup": lambda: job_of(DeepRegressor(**SMALL | {"augmentation": "mixup"}), y=VALUES),
    "scoring": lambda: job_of(DeepClassifier(**SMALL | STOPS, scoring="accuracy")),
    "autoencoder": lambda: job_of(
        DeepAutoencoder(n_components=2, encoder=MLP(widths=(4,)), batch_size=16, max_epochs=4, random_state=0), y=None
    ),
    "generator": lambda: job_of(
        SequenceGenerator(network="gru", context_length=4, batch_size=4, max_epochs=2, random_state=0), TEXTS, None
    ),
    "perceptron": lambda: job_of(MLPClassifier(**MLP_SMALL)),
    "perceptron early stopping": lambda: job_of(MLPClassifier(**MLP_SMALL, early_stopping=True)),
    "perceptron norms": lambda: job_of(MLPClassifier(**MLP_SMALL, dropout=0.2, normalization="batch")),
    "perceptron regressor": lambda: job_of(
        MLPRegressor(**MLP_SMALL, solver="sgd", learning_rate="adaptive", tol=0.5, n_iter_no_change=1), y=VALUES
    ),
}


def assert_same_outcome(found, expected):
    for one, other in ((found.params, expected.params), (found.model_state, expected.model_state)):
        jax.tree.map(np.testing.assert_array_equal, one, other)
    for column in set(expected.history) - {"seconds"}:
        np.testing.assert_array_equal(found.history[column], expected.history[column], err_msg=column)
    assert (found.status, found.n_epochs, found.best_epoch) == (expected.status, expected.n_epochs, expected.best_epoch)


class StopAfter(Watcher):
    """Stops a training after `n_blocks` blocks of one step each, and takes a snapshot."""

    seconds_per_block = 0.0

    def __init__(self, n_blocks):
        self.n_left, self.snapshot = n_blocks, None

    def end_block(self, course):
        self.n_left -= 1
        if self.n_left == 0:
            self.snapshot = course.snapshot()
        return self.n_left == 0


def cut_and_continued(job, n_blocks):
    """Return the outcome of a job that is stopped after `n_blocks` steps, pickled, unpickled and continued.

    If the job ends before, return its outcome.
    """
    watcher = StopAfter(n_blocks)
    outcome = run(job, watcher)
    if watcher.snapshot is None:
        return outcome
    state = watcher.snapshot.state
    assert all(isinstance(leaf, np.ndarray | np.generic) for leaf in jax.tree.leaves(state))
    return run(job.replace(snapshot=pickle.loads(pickle.dumps(watcher.snapshot))))


@pytest.fixture(scope="module")
def whole():
    """Return a function that returns a job and its outcome by name, and makes each once."""
    made = {}

    def get(name, make):
        if name not in made:
            job = make()
            made[name] = job, run(job)
        return made[name]

    return get


# "mixup", "perceptron early stopping" and "norms and dropout" stay in the quick run.
IN_THE_CAMPAIGN = ("regressor", "perceptron", "perceptron norms")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.campaign) if name in IN_THE_CAMPAIGN else name for name in JOBS]
)
@settings(max_examples=4, deadline=None, derandomize=True)
@given(n_blocks=st.integers(1, 16))
def test_a_training_continued_after_any_step_ends_with_the_same_bits(whole, name, n_blocks):
    job, expected = whole(name, JOBS[name])
    assert_same_outcome(cut_and_continued(job, n_blocks), expected)


# One of each kind of state: chains of optax, several chains by array, averages of parameters, calls of the objective, draws.
# The states of the others are chains of optax too; `check_resumes` of the kit continues each optimizer.
KINDS_OF_STATE = {"adam", "muon", "schedule_free_adamw", "skdeep-optimizers:sam", "skdeep-optimizers:sgld"}


@pytest.mark.parametrize(
    "optimizer",
    [
        name if name in KINDS_OF_STATE else pytest.param(name, marks=pytest.mark.campaign)
        for name in sorted(set(names("optimizer")) - {"lbfgs"})
    ],
)
def test_a_snapshot_holds_the_complete_state_of_every_optimizer(whole, optimizer):
    def make():
        return job_of(DeepClassifier(**SMALL | {"optimizer": optimizer, "max_epochs": 2}))

    job, expected = whole(optimizer, make)
    for n_blocks in (1, 5):
        assert_same_outcome(cut_and_continued(job, n_blocks), expected)


def test_a_training_with_a_full_batch_optimizer_continues_with_the_same_bits():
    job = job_of(DeepClassifier(**SMALL | {"optimizer": "lbfgs", "batch_size": "auto"}))
    assert_same_outcome(cut_and_continued(job, 2), run(job))


def test_running_a_job_does_not_change_it():
    wide = MLP(widths=(300, 300))  # parameters so large that XLA reads them without a copy
    job = job_of(DeepClassifier(**SMALL | {"network": wide}))
    before = jax.tree.map(np.array, job.start)
    run(job)
    jax.tree.map(np.testing.assert_array_equal, job.start, before)
    assert_same_outcome(run(job), run(job))


def test_an_ended_training_runs_no_epoch_unless_last_epoch_is_raised():
    job = job_of(DeepClassifier(**SMALL))
    watcher = StopAfter(16)  # the last step of the last epoch
    first = run(job, watcher)
    assert first.n_epochs == 4
    ended = job.replace(snapshot=watcher.snapshot)
    assert run(ended).n_epochs == 4
    longer = run(ended.replace(last_epoch=6))
    assert_same_outcome(longer, run(job.replace(last_epoch=6)))


SCRIPT = """
    import pickle, sys
    from pathlib import Path
    folder = Path(sys.argv[1])
    jobs = pickle.loads((folder / "jobs").read_bytes())
    from skdeep.core.run import run
    found = []
    for job in jobs:
        outcome = run(job)
        parts = [outcome.params, outcome.model_state, outcome.history, outcome.status]
        found.append((parts, job.signature(), job.identity()))
    assert "sklearn" not in sys.modules
    assert not [name for name in sys.modules if name.startswith("skdeep.estimators")]
    (folder / "found").write_bytes(pickle.dumps(found))
"""
ELSEWHERE = ("norms and dropout", "sparse", "perceptron early stopping", "generator")


@pytest.fixture(scope="module")
def found_elsewhere(whole, tmp_path_factory):
    """Return the outcomes, signatures and identities of jobs by name, found in one process without scikit-learn."""
    folder = tmp_path_factory.mktemp("jobs")
    jobs = [whole(name, JOBS[name])[0].replace(encoding=None) for name in ELSEWHERE]
    (folder / "jobs").write_bytes(pickle.dumps(jobs))
    arguments = [sys.executable, "-c", textwrap.dedent(SCRIPT), str(folder)]
    subprocess.run(arguments, check=True, timeout=300, env=os.environ | {"JAX_NUMPY_RANK_PROMOTION": "raise"})
    return dict(zip(ELSEWHERE, pickle.loads((folder / "found").read_bytes()), strict=True))


@pytest.mark.parametrize("name", ELSEWHERE)
def test_a_process_without_scikit_learn_gets_the_same_bits(whole, found_elsewhere, name):
    job, expected = whole(name, JOBS[name])
    (params, model_state, history, status), signature, identity = found_elsewhere[name]
    found = expected._replace(params=params, model_state=model_state, history=history, status=status)
    assert_same_outcome(found, expected)
    assert (signature, identity) == (job.signature(), job.identity())


def test_a_job_can_be_pickled_with_its_encoding():
    job = pickle.loads(pickle.dumps(job_of(DeepClassifier(**SMALL), y=np.array(["a", "b", "c"])[Y])))
    assert job.encoding.decode(job.config.loss, np.eye(3)).tolist() == ["a", "b", "c"]


# For each change: the estimator's parameters, the data, and the digests that must change.

CHANGES = {
    "learning_rate": ({"learning_rate": 0.5}, {}, "identity"),
    "seed": ({"random_state": 1}, {}, "identity"),
    "max_epochs": ({"max_epochs": 7}, {}, "neither"),
    "max_epochs of a schedule": ({"max_epochs": 7, "schedule": "cosine"}, {}, "identity"),
    "max_epochs of an optimizer that is given the progress": (
        {"max_epochs": 7, "optimizer": Slowing()},
        {},
        "identity",
    ),
    "verbose": ({"verbose": 1}, {}, "neither"),
    "n_iter_no_change": ({"n_iter_no_change": 3}, {}, "identity"),
    "tol": ({"tol": 0.1}, {}, "both"),  # None and a number need different programs
    "float field": ({"optimizer": Adam(b1=0.8)}, {}, "identity"),
    "dropout": ({"network": MLP(widths=(4,), dropout_rate=0.5)}, {}, "both"),  # as with tol
    "width": ({"network": MLP(widths=(5,))}, {}, "both"),
    "optimizer": ({"optimizer": "sgd"}, {}, "both"),
    "loss": ({"loss": "hinge"}, {}, "both"),
    "batch_size": ({"batch_size": 20}, {}, "both"),
    "l2": ({"l2": 0.1}, {}, "identity"),
    "no l2": ({"l2": None}, {}, "both"),
    "one value of X": ({}, {"X": np.where(np.arange(300).reshape(60, 5) == 7, 9.0, X).astype(np.float32)}, "identity"),
    "labels": ({}, {"y": (Y + 1) % 3}, "identity"),
    "names of classes": ({}, {"y": np.array(["a", "b", "c"])[Y]}, "neither"),
    "row count of one padded size": ({}, {"X": X[:50], "y": Y[:50]}, "identity"),
    "row count of another": ({}, {"X": X[:30], "y": Y[:30]}, "both"),
    "weights": ({}, {"sample_weight": np.arange(60) + 1.0}, "identity"),
    "scale of weights": ({}, {"sample_weight": np.full(60, 7.0)}, "neither"),
    "order of rows": ({"shuffle": False, "coalesce": True}, {}, "identity"),
    "early stopping": ({"early_stopping": True}, {}, "both"),
    "sparse": ({}, {"X": sp.csr_matrix(X)}, "both"),
    "validation": ({}, {"X_val": X, "y_val": Y}, "both"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_which_digests_a_change_of_parameters_or_data_changes(name):
    params, data, moves = CHANGES[name]
    same = {name: params[name] for name in ("schedule",) if name in params}
    same |= {"optimizer": params["optimizer"]} if isinstance(params.get("optimizer"), Slowing) else {}
    before = job_of(DeepClassifier(**SMALL | same))
    after = job_of(DeepClassifier(**SMALL | params), **{"X": X, "y": Y} | data)
    moved = [before.signature() != after.signature(), before.identity() != after.identity()]
    assert moved == {"neither": [False, False], "identity": [False, True], "both": [True, True]}[moves]


def test_the_content_of_each_input_is_in_the_identity_and_its_form_in_the_signature():
    def job(**changes):
        return job_of(
            DeepRegressor(**SMALL | {"network": Joined()}), Inputs({"values": X, "ids": Y[:, None]} | changes), VALUES
        )

    before, other_ids, floats = job(), job(ids=2 - Y[:, None]), job(ids=Y[:, None].astype(np.float32))
    assert before.identity() == job().identity()
    assert before.identity() != other_ids.identity()
    assert before.signature() == other_ids.signature()
    assert before.signature() != floats.signature()


def test_jobs_with_equal_signatures_share_a_program():
    import skdeep

    skdeep.clear_cache()
    jobs = [
        job_of(DeepClassifier(**SMALL | {"learning_rate": rate, "random_state": seed}), X[:n], Y[:n])
        for rate, seed, n in ((0.1, 0, 60), (0.01, 1, 50), (0.5, 2, 40))
    ]
    assert len({job.signature() for job in jobs}) == 1
    assert len({job.identity() for job in jobs}) == 3
    for job in jobs:
        run(job)
    assert skdeep.compile_counts()["train_block"].compiles == 1


def test_a_snapshot_changes_neither_digest():
    job = job_of(DeepClassifier(**SMALL))
    watcher = StopAfter(3)
    run(job, watcher)
    later = job.replace(snapshot=watcher.snapshot, last_epoch=99)
    assert (later.identity(), later.signature()) == (job.identity(), job.signature())


def test_the_device_changes_the_signature_only():
    job = job_of(DeepClassifier(**SMALL))
    elsewhere = job.replace(placement=dataclasses.replace(job.placement, platform="gpu"))
    assert elsewhere.identity() == job.identity()
    assert elsewhere.signature() != job.signature()


def test_users_code_changes_both_digests():
    def made(code):
        scope = {}
        exec(f"import jax.numpy as jnp\ndef loss(raw, target):\n    return {code}", scope)
        return job_of(DeepRegressor(**SMALL | {"loss": scope["loss"]}), y=VALUES)

    first, same, other = map(made, ("(raw[:, 0] - target[:, 0]) ** 2",) * 2 + ("abs(raw[:, 0] - target[:, 0])",))
    assert (first.signature(), first.identity()) == (same.signature(), same.identity())
    assert first.signature() != other.signature()
    assert first.identity() != other.identity()


def test_the_outcome_of_a_job_equals_that_of_fit():
    params = SMALL | STOPS | {"max_epochs": 60, "learning_rate": 0.05}  # enough to converge
    model, outcome = DeepClassifier(**params).fit(X, Y), run(job_of(DeepClassifier(**params)))
    jax.tree.map(np.testing.assert_array_equal, outcome.params, model.params_)
    assert outcome.status == stopping.CONVERGED
    np.testing.assert_array_equal(outcome.history["val_loss"], model.history_["val_loss"])
