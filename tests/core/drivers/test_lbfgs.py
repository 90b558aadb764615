"""Loss and gradient compared with NumPy, and the minimum of a ridge regression with the normal equations."""

import jax
import numpy as np

from skdeep.config import FitConfig, Model
from skdeep.core import as_traced, stopping
from skdeep.core.drivers.lbfgs import ScipyLBFGS, loss_and_gradient, packed, unpacked
from skdeep.core.feeds import InOrder, pad_rows
from skdeep.core.job import Job
from skdeep.core.placement import Placement
from skdeep.core.random import key_of_seed
from skdeep.core.rows import WeightedRows
from skdeep.core.run import run
from skdeep.core.step import continued_state
from skdeep.core.watcher import Watcher
from skdeep.losses import SquaredError
from skdeep.perceptron.network import Perceptron
from skdeep.perceptron.rules import BatchMean, EpochsWithoutGain
from skdeep.perceptron.solvers import SGDSolver
from skdeep.schedules import Constant

rng = np.random.default_rng(0)
X, Y = rng.normal(size=(40, 3)), rng.normal(size=(40, 1))
WEIGHT = rng.uniform(0.5, 2, 40)
ALPHA = 0.7
PARAMS = {"output": {"bias": rng.normal(size=1), "kernel": rng.normal(size=(3, 1))}}
DOUBLE = Placement("cpu", 0, "float64")
CONFIG = FitConfig(
    Model(Perceptron(()), (3,), 1),
    SquaredError(),
    SGDSolver(),
    Constant(),
    BatchMean(ALPHA),
    EpochsWithoutGain(1e-4, 10.0, 0.1),
    0.1,
    100.0,
)


def job_of(solver, max_iter=100):
    with DOUBLE.active():
        start = continued_state(
            as_traced(CONFIG, np.float64), PARAMS, {}, key_of_seed(0), np.int32(40), np.int32(1), np.int32(0)
        )
    rows = WeightedRows(X, Y, WEIGHT)
    return Job(CONFIG, rows, InOrder(40), 40, start, DOUBLE, last_epoch=max_iter, driver=solver)


def test_unpacked_inverts_packed():
    flat = packed(PARAMS)
    np.testing.assert_array_equal(flat, np.concatenate([PARAMS["output"]["bias"], PARAMS["output"]["kernel"].ravel()]))
    jax.tree.map(np.testing.assert_array_equal, unpacked(flat, PARAMS), PARAMS)


def test_loss_and_gradient_equal_numpys():
    with DOUBLE.active():
        rows = pad_rows(WeightedRows(X, Y, WEIGHT), (3,))
        value, gradient = loss_and_gradient(as_traced(CONFIG, np.float64), {}, rows, packed(PARAMS))
    residual = X @ PARAMS["output"]["kernel"] + PARAMS["output"]["bias"] - Y
    np.testing.assert_allclose(value, (WEIGHT[:, None] * residual**2).sum(), rtol=1e-12)
    slope = 2 * WEIGHT[:, None] * residual
    np.testing.assert_allclose(gradient, [slope.sum(), *(X.T @ slope).ravel()], rtol=1e-12)


def test_the_minimum_solves_the_normal_equations():
    outcome = run(job_of(ScipyLBFGS(tol=1e-10, max_fun=1000)))
    assert (outcome.status, outcome.message) == (stopping.CONVERGED, "")
    design = np.hstack([np.ones((40, 1)), X])
    penalty = 0.5 * ALPHA * np.diag([0.0, 1, 1, 1])
    expected = np.linalg.solve(design.T @ (WEIGHT[:, None] * design) + penalty, design.T @ (WEIGHT[:, None] * Y))
    np.testing.assert_allclose(packed(outcome.params), expected.ravel(), rtol=1e-5)
    assert outcome.history["epoch"] == list(range(1, outcome.n_epochs + 1))
    np.testing.assert_allclose(outcome.history["train_loss"][-1], outcome.loss, rtol=1e-9)


def test_the_message_explains_an_early_end():
    outcome = run(job_of(ScipyLBFGS(tol=1e-10, max_fun=1000), max_iter=2))
    assert outcome.message.startswith("lbfgs failed to converge after 2 iteration(s) (status=1)")
    assert outcome.n_epochs == 2


def test_a_watcher_is_called_per_iteration_and_can_stop():
    class StopAt(Watcher):
        def end_epochs(self, course, n_new):
            self.seen = course.epoch, course.snapshot(), course.current_params()
            return course.epoch == 3

    watcher = StopAt()
    outcome = run(job_of(ScipyLBFGS(tol=1e-10, max_fun=1000)), watcher)
    epoch, snapshot, (params, _) = watcher.seen
    assert (epoch, outcome.n_epochs, len(snapshot.history["train_loss"])) == (3, 3, 3)
    jax.tree.map(np.testing.assert_array_equal, snapshot.state.params, params)


def test_a_non_finite_initial_loss_ends_training_at_once():
    job = job_of(ScipyLBFGS(tol=1e-10, max_fun=1000))
    broken = {"output": {"bias": np.array([1e200]), "kernel": np.ones((3, 1))}}  # its square is infinite
    outcome = run(job.replace(start=job.start._replace(params=broken)))
    assert (outcome.status, outcome.n_epochs) == (stopping.NON_FINITE, 0)
