"""Which callbacks are a part of a kept training, and that loggers change no number."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from sklearn.datasets import load_iris

from skdeep import Checkpoint, DeepClassifier
from skdeep.callbacks import CSVLogger, EarlyStopping, StopAt, TensorBoardLogger, TimeBudget
from skdeep.core import checkpoints
from skdeep.networks import MLP

pytest.importorskip("sklearn.callback", reason="callbacks are new in scikit-learn 1.9")

X, y = load_iris(return_X_y=True)


class Counting:
    """Counts epochs: a user's callback, which is a part of the training or says that it is not."""

    def setup(self, estimator, context): ...
    def teardown(self, estimator, context): ...
    def on_fit_task_begin(self, estimator, context): ...
    def on_fit_task_end(self, estimator, context): ...


class Apart(Counting):
    is_part_of_training = False


def tensorboard(folder):
    pytest.importorskip("tensorboardX", reason="the extra 'tensorboard'")
    return TensorBoardLogger(folder)


CALLBACKS = {
    "csv": (lambda folder: CSVLogger(folder / "log.csv"), 4),
    "tensorboard": (tensorboard, 4),
    "time budget": (lambda folder: TimeBudget(1e9), 4),
    "a user's that says so": (lambda folder: Apart(), 4),
    "a user's": (lambda folder: Counting(), 0),
    "early stopping": (lambda folder: EarlyStopping("train_loss", patience=100), 0),
    "stop at": (lambda folder: StopAt("train_loss", 0.0), 0),
}


def fitted(checkpoint, max_epochs, *callbacks):
    model = DeepClassifier(
        network=MLP((4,)), max_epochs=max_epochs, tol=None, learning_rate=0.05, random_state=0, checkpoint=checkpoint
    )
    return model.set_callbacks(*callbacks).fit(X, y)


@pytest.mark.parametrize(("make", "start"), CALLBACKS.values(), ids=CALLBACKS)
def test_where_a_fit_with_a_callback_starts(make, start, tmp_path, monkeypatch):
    """After a fit of 4 epochs without callbacks, which is kept; the numbers are those of a fit without checkpoints, in any case."""
    starts, run = [], checkpoints.run

    def noting(job, watcher):
        starts.append(int((job.start if job.snapshot is None else job.snapshot.state).epoch))
        return run(job, watcher)

    monkeypatch.setattr(checkpoints, "run", noting)
    checkpoint = Checkpoint(tmp_path / "kept", every_epochs=1)
    fitted(checkpoint, 4)
    callback = make(tmp_path / "logs")
    model = fitted(checkpoint, 7, callback)
    again = fitted(checkpoint, 8, callback)
    assert starts == [0, start, 7]
    for found, n in ((model, 7), (again, 8)):
        expected = fitted(None, n)
        jax.tree.map(np.testing.assert_array_equal, found.params_, expected.params_)
        assert list(found.history_.train_loss) == list(expected.history_.train_loss)


def test_a_training_that_early_stopping_ended_stops_at_the_same_epoch_from_a_checkpoint(tmp_path):
    callback = EarlyStopping("train_loss", patience=2, min_delta=0.3)
    alone = fitted(None, 60, callback)
    assert 4 < alone.n_iter_ < 60
    checkpoint = Checkpoint(tmp_path, every_epochs=1)
    fitted(checkpoint, alone.n_iter_ - 2, callback)  # ends within the patience
    assert fitted(checkpoint, 60, callback).n_iter_ == alone.n_iter_
    assert fitted(checkpoint, 60, callback).n_iter_ == alone.n_iter_
