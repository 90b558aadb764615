"""Checkpoints in a folder: found again by other processes, whole or passed over, and never in the way of a fit."""

import contextlib
import os
import signal
import stat
import threading
import time
import warnings
from pathlib import Path

import jax
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.experimental import enable_halving_search_cv  # noqa: F401  # before the import of the search
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV

import skdeep
from skdeep import (
    Checkpoint,
    DeepAutoencoder,
    DeepClassifier,
    DeepRegressor,
    SequenceGenerator,
    TabularClassifier,
)
from skdeep.callbacks import LossThreshold
from skdeep.core import checkpoints
from skdeep.core.watcher import Watcher
from skdeep.errors import CheckpointWarning
from skdeep.estimators.prepare import prepare
from skdeep.estimators.training import FitData
from skdeep.networks import MLP
from skdeep.persistence import checkpoints as files
from skdeep.persistence.container import from_bytes, to_bytes

LIMIT = 600  # so that a fault does not hold up the tests
RNG = np.random.RandomState(0)
X = RNG.randn(60, 5).astype(np.float32)
Y = np.digitize(X[:, 0] + X[:, 1], [-0.6, 0.6])
SMALL = {"network": MLP(widths=(4,)), "batch_size": 16, "max_epochs": 4, "tol": None, "random_state": 0}


@pytest.fixture(autouse=True)
def memory():
    """Empty the memory of this process before and after a test."""
    Checkpoint().clear()
    yield
    Checkpoint().clear()


@pytest.fixture
def epochs(monkeypatch):
    """Return a list to which each training adds the epoch at which it starts and the one at which it ends."""
    found = []

    def run(job, watcher):
        outcome = real(job, watcher)
        start = job.snapshot.state if job.snapshot is not None else job.start
        found.append((int(start.epoch), outcome.n_epochs))
        return outcome

    real = checkpoints.run
    monkeypatch.setattr(checkpoints, "run", run)
    return found


def fitted(checkpoint=None, **params):
    return DeepClassifier(**SMALL | params, checkpoint=checkpoint).fit(X, Y)


def assert_same_fit(found, expected):
    jax.tree.map(np.testing.assert_array_equal, found.params_, expected.params_)
    jax.tree.map(np.testing.assert_array_equal, found.model_state_, expected.model_state_)
    one, other = (model.history_.drop(columns="seconds") for model in (found, expected))
    assert one.equals(other)
    assert (found.n_iter_, found.best_epoch_) == (expected.n_iter_, expected.best_epoch_)


def files_in(folder):
    return sorted(path.name for path in Path(folder).glob("*/*.checkpoint"))


def only_file(folder):
    (path,) = Path(folder).glob("*/*.checkpoint")
    return path


@pytest.mark.parametrize("folder", [None, "files"])
def test_a_fit_with_more_epochs_continues_and_one_with_less_trains_nothing(tmp_path, folder, epochs):
    checkpoint = Checkpoint(folder and tmp_path / folder)
    for max_epochs in (2, 6, 2, 6):
        model = fitted(checkpoint, max_epochs=max_epochs)
        assert_same_fit(model, fitted(max_epochs=max_epochs))
    assert epochs == [(0, 2), (2, 6), (2, 2), (6, 6)]


def test_a_folder_may_be_a_text_or_a_path(tmp_path, epochs):
    for folder in (str(tmp_path), tmp_path, Checkpoint(tmp_path)):
        fitted(folder)
    assert epochs == [(0, 4), (4, 4), (4, 4)]


@pytest.mark.parametrize("keep", [1, 2, 3])
def test_the_newest_files_and_the_ends_of_fits_stay(tmp_path, keep):
    checkpoint = Checkpoint(tmp_path, every_epochs=1, keep=keep)
    fitted(checkpoint, max_epochs=3)
    fitted(checkpoint, max_epochs=7)
    ends = ["epoch-00000003-step-00000000-end.checkpoint", "epoch-00000007-step-00000000-end.checkpoint"]
    between = [f"epoch-{epoch:08d}-step-00000000.checkpoint" for epoch in range(8 - keep, 7)]
    assert files_in(tmp_path) == sorted(ends + between)


def test_files_hold_every_kind_of_state(tmp_path, epochs):
    texts = ["to be or not to be", "that is the question"]
    fits = [
        (DeepRegressor(**SMALL, early_stopping=True, scoring="r2"), (X, X[:, 0])),
        (
            DeepClassifier(
                **SMALL | {"network": [("dense", {"features": 4}), "batch_norm", "relu"], "optimizer": "muon"}
            ),
            (X, Y),
        ),
        (DeepClassifier(**SMALL | {"optimizer": "schedule_free_adamw"}), (X, Y)),
        (DeepAutoencoder(n_components=2, encoder=MLP(widths=(4,)), max_epochs=4, tol=None, random_state=0), (X,)),
        (
            SequenceGenerator(network="gru", context_length=4, batch_size=4, max_epochs=2, tol=None, random_state=0),
            (texts,),
        ),
    ]
    for model, data in fits:
        last = model.max_epochs
        kept = clone(model).set_params(checkpoint=Checkpoint(tmp_path, every_epochs=1))
        clone(kept).set_params(max_epochs=1).fit(*data)
        assert_same_fit(clone(kept).fit(*data), model.fit(*data))
        assert epochs == [(0, 1), (1, last)]
        epochs.clear()


def test_members_of_an_ensemble_are_trainings_of_their_own(tmp_path, epochs):
    params = {"n_estimators": 2, "bootstrap": True}
    whole = fitted(**params)
    fitted(tmp_path, **params, max_epochs=2)
    model = fitted(tmp_path, **params)
    for found, expected in zip(model.estimators_, whole.estimators_, strict=True):
        assert_same_fit(found, expected)
    assert sorted(epochs) == [(0, 2), (0, 2), (2, 4), (2, 4)]


def test_a_portfolio_that_is_fitted_again_trains_nothing(tmp_path, epochs):
    model = TabularClassifier(preset="portfolio", max_epochs=1, tol=None, cv=2, random_state=0, checkpoint=tmp_path)
    first = model.fit(X, Y).predict_proba(X)
    assert len(epochs) == 10
    np.testing.assert_array_equal(model.fit(X, Y).predict_proba(X), first)
    assert epochs[10:] == [(1, 1)] * 10


def test_partial_fit_keeps_nothing(tmp_path):
    DeepClassifier(**SMALL | {"l2": None}, checkpoint=tmp_path).partial_fit(X, Y)
    assert os.listdir(tmp_path) == []


def test_a_warm_start_is_a_training_of_its_own(tmp_path, epochs):
    models = [DeepClassifier(**SMALL, warm_start=True, checkpoint=folder) for folder in (tmp_path, None)]
    for model in models:
        model.fit(X, Y).fit(X, Y)
    assert_same_fit(*models)
    assert epochs == [(0, 4), (0, 4)]


def test_random_state_none_warns_once(tmp_path):
    for params in ({}, {"n_estimators": 2}):
        with pytest.warns(CheckpointWarning, match="random_state=None: another fit has another seed") as record:
            fitted(tmp_path, random_state=None, **params)
        assert len(record) == 1
        assert record[0].filename == __file__


def test_a_portfolio_without_a_seed_warns_once(tmp_path):
    model = TabularClassifier(preset="portfolio", max_epochs=1, tol=None, cv=2, checkpoint=tmp_path)
    with pytest.warns(CheckpointWarning, match="random_state=None") as record:
        model.fit(X, Y)
    assert len(record) == 1


# Searches


def grid(folder, **fit_params):
    model = DeepClassifier(**SMALL, checkpoint=folder)
    return GridSearchCV(model, {"max_epochs": [2, 3, 6], "learning_rate": [1e-3, 1e-2]}, cv=3, **fit_params)


def assert_same_search(found, expected):
    for name, values in expected.cv_results_.items():
        if "time" not in name:
            np.testing.assert_array_equal(found.cv_results_[name], values, err_msg=name)


@pytest.mark.parametrize("folder", [None, "files"])
def test_a_search_over_epochs_trains_its_longest_fits_only(tmp_path, folder, epochs):
    search = grid(Checkpoint(folder and tmp_path / folder)).fit(X, Y)
    assert sum(end - start for start, end in epochs) == 3 * 2 * 6 + search.best_params_["max_epochs"]
    assert_same_search(search, grid(None).fit(X, Y))


def test_a_search_that_is_started_again_trains_nothing(tmp_path, epochs):
    first = grid(tmp_path).fit(X, Y)
    epochs.clear()
    again = grid(tmp_path).fit(X, Y)
    assert [start for start, end in epochs] == [end for start, end in epochs]
    assert_same_search(again, first)


def test_halving_over_epochs_never_starts_again(epochs):
    def search(checkpoint):
        model = DeepClassifier(**SMALL, checkpoint=checkpoint)
        rates = {"learning_rate": [1e-4, 1e-3, 1e-2, 1e-1]}
        return HalvingGridSearchCV(
            model,
            rates,
            resource="max_epochs",
            factor=2,
            min_resources=2,
            max_resources=8,
            cv=3,
            random_state=0,
            refit=False,
        ).fit(X, Y)

    found, expected = search(Checkpoint()), search(None)
    assert sum(end - start for start, end in epochs) == 3 * (4 * 2 + 2 * 2 + 1 * 4)
    assert_same_search(found, expected)


def test_processes_share_a_folder(tmp_path, epochs):
    search = grid(tmp_path, n_jobs=2, refit=False).fit(X, Y)
    assert_same_search(search, grid(None, refit=False).fit(X, Y))
    grid(tmp_path, refit=False).fit(X, Y)
    assert {end - start for start, end in epochs} == {0}


def test_threads_with_one_training_wait_for_each_other(tmp_path, epochs):
    checkpoint = Checkpoint(tmp_path, every_epochs=1, keep=9)
    threads = [threading.Thread(target=fitted, args=(checkpoint,), kwargs={"max_epochs": n}) for n in (2, 3, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(end - start for start, end in epochs) == 5


def test_waiting_for_another_process_warns(tmp_path, monkeypatch, epochs):
    fitted(tmp_path, max_epochs=2)
    monkeypatch.setattr(files, "SECONDS_UNTIL_WARNING", 0.05)
    is_locked, may_go = threading.Event(), threading.Event()

    def hold():
        with files._locked(only_file(tmp_path).parent / "lock", Watcher()):
            is_locked.set()
            may_go.wait()

    def go(*arguments, **options):
        may_go.set()
        real(*arguments, **options)

    real = files.warn_caller
    monkeypatch.setattr(files, "warn_caller", go)
    thread = threading.Thread(target=hold)
    thread.start()
    is_locked.wait()
    with pytest.warns(CheckpointWarning, match="does the same training.*Waiting until it ends"):
        fitted(tmp_path)
    thread.join()
    assert epochs == [(0, 2), (2, 4)]


# What stops a training

CALLBACKS = pytest.mark.skipif(
    not hasattr(DeepClassifier, "set_callbacks"), reason="scikit-learn < 1.9 has no callbacks"
)


@CALLBACKS
def test_a_callback_that_stops_is_asked_in_every_epoch(tmp_path, epochs):
    losses = fitted(max_epochs=8).history_.train_loss

    def stopped(checkpoint, threshold):
        model = DeepClassifier(**SMALL | {"max_epochs": 8}, checkpoint=checkpoint)
        return model.set_callbacks(LossThreshold(threshold)).fit(X, Y)

    checkpoint = Checkpoint(tmp_path, every_epochs=1)
    fitted(checkpoint, max_epochs=8)
    for n in (5, 3):
        assert stopped(checkpoint, losses[n - 1]).n_iter_ == n
    assert epochs == [(0, 8), (0, 5), (0, 3)]
    assert stopped(checkpoint, losses[4]).n_iter_ == 5
    assert epochs[-1] == (4, 5)


def test_interrupting_an_ensemble_ends_its_waiting_threads(tmp_path):
    """Its members wait for trainings that another thread has open."""
    fitted(tmp_path, n_estimators=2)
    locks = [path.parent / "lock" for path in Path(tmp_path).glob("*/*.checkpoint")]
    is_locked, may_go, found = threading.Event(), threading.Event(), []

    def hold():
        with contextlib.ExitStack() as stack:
            for lock in locks:
                stack.enter_context(files._locked(lock, Watcher()))
            is_locked.set()
            may_go.wait(LIMIT)
            found.append("released")

    def interrupt():
        time.sleep(1)
        signal.raise_signal(signal.SIGINT)

    holder, interrupter = threading.Thread(target=hold), threading.Thread(target=interrupt)
    holder.start()
    is_locked.wait()
    interrupter.start()
    with pytest.raises(KeyboardInterrupt):
        fitted(tmp_path, n_estimators=2)
    assert found == []
    may_go.set()
    holder.join()
    interrupter.join()


# Damage


def cut(data):
    return data[: len(data) // 2]


def flipped(data):
    return data[:-3] + bytes([data[-3] ^ 1]) + data[-2:]


def of_another_training(data):
    manifest, arrays = from_bytes(data)
    manifest["checkpoint"]["identity"] = "0" * 32
    return to_bytes({"checkpoint": manifest["checkpoint"]}, arrays)


def edited(**changes):
    """Return a damage that changes arrays of a file, whose digests are then right again."""

    def edit(data):
        manifest, arrays = from_bytes(data)
        paths = jax.tree_util.tree_leaves_with_path(start_of())
        places = {jax.tree_util.keystr(path): f"state/{i}" for i, (path, _) in enumerate(paths)}
        arrays = dict(arrays)
        for name, value in changes.items():
            place = places.get(f".{name}", f"history/{name}")
            arrays[place] = np.asarray(value(arrays[place]))
        return to_bytes({"checkpoint": manifest["checkpoint"]}, arrays)

    edit.__name__ = "_".join(changes)
    return edit


def start_of():
    return prepare(DeepClassifier(**SMALL), FitData(X, Y)).start


def of_another_form(data):
    manifest, arrays = from_bytes(data)
    return to_bytes({"checkpoint": manifest["checkpoint"]}, {**arrays, "state/0": arrays["state/0"].astype("f8")})


def without_an_array(data):
    manifest, arrays = from_bytes(data)
    return to_bytes({"checkpoint": manifest["checkpoint"]}, {k: v for k, v in arrays.items() if k != "state/0"})


def with_another_tree(data):
    manifest, arrays = from_bytes(data)
    return to_bytes({"checkpoint": {**manifest["checkpoint"], "tree": "PyTreeDef(*)"}}, arrays)


DAMAGES = (
    lambda data: b"",
    cut,
    flipped,
    lambda data: b"x" * 1000,
    of_another_training,
    edited(epoch=lambda epoch: epoch + 1),
    edited(position=lambda position: position + 1),
    edited(status=lambda status: status + np.int32(5)),  # it would be taken for Ctrl-C
    edited(status=lambda status: status + np.int32(2)),
    edited(n_rows=lambda n: n - 10),
    edited(steps_per_epoch=lambda n: n - n + 1),
    edited(train_loss=lambda losses: losses[:, None]),
    edited(train_loss=lambda losses: losses[:2]),
    edited(val_loss=lambda losses: losses.astype("f4")),
    of_another_form,
    without_an_array,
    with_another_tree,
)


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__.strip("<>"))
def test_a_damaged_newest_file_falls_back_to_the_one_before(tmp_path, damage, epochs):
    fitted(tmp_path, max_epochs=2)
    fitted(tmp_path)
    newest = max(Path(tmp_path).glob("*/*.checkpoint"))
    newest.write_bytes(damage(newest.read_bytes()))
    with pytest.warns(CheckpointWarning, match=r"epoch-00000004.*Training continues from the one before"):
        model = fitted(tmp_path)
    assert_same_fit(model, fitted())
    assert epochs == [(0, 2), (2, 4), (2, 4)]
    fitted(tmp_path)  # the damaged file was written anew
    assert epochs[-1] == (4, 4)


def test_a_huge_file_is_not_read(tmp_path, epochs):
    fitted(tmp_path, max_epochs=2)
    fitted(tmp_path)
    with max(Path(tmp_path).glob("*/*.checkpoint")).open("r+b") as file:
        file.truncate(2**40)  # takes no room on the disk
    with pytest.warns(CheckpointWarning, match="bytes, more than"):
        fitted(tmp_path)
    assert epochs[-1] == (2, 4)


def test_a_link_is_replaced_and_its_target_left_alone(tmp_path):
    fitted(tmp_path / "runs", max_epochs=2)
    (tmp_path / "victim").write_text("mine")
    name = "epoch-00000004-step-00000000-end.checkpoint"
    (only_file(tmp_path / "runs").parent / name).symlink_to(tmp_path / "victim")
    with pytest.warns(CheckpointWarning):  # it is read first
        fitted(tmp_path / "runs")
    assert (tmp_path / "victim").read_text() == "mine"
    assert len(files_in(tmp_path / "runs")) == 2
    (tmp_path / "runs" / ("0" * 32)).symlink_to(tmp_path)
    Checkpoint(tmp_path / "runs").clear()
    assert (tmp_path / "victim").exists()


def test_odd_names_are_left_alone(tmp_path, epochs):
    checkpoint = Checkpoint(tmp_path, every_epochs=100)
    fitted(checkpoint, max_epochs=2)
    folder = max(Path(tmp_path).glob("*/*.checkpoint")).parent
    for name in ("epoch-00000000-step-00000001", "epoch-0000000009-step-00000000", "epoch-٠٠٠٠٠٠٠٣-step-00000000"):
        (folder / f"{name}.checkpoint").mkdir()
    with pytest.warns(CheckpointWarning, match="step-00000001"):
        fitted(checkpoint, max_epochs=1)
    fitted(checkpoint)
    assert epochs == [(0, 2), (0, 1), (2, 4)]


def test_if_all_files_are_damaged_training_starts_at_the_beginning(tmp_path, epochs):
    fitted(tmp_path)
    only_file(tmp_path).write_bytes(b"")
    with pytest.warns(CheckpointWarning):
        assert_same_fit(fitted(tmp_path), fitted())
    assert epochs == [(0, 4), (0, 4)]


def test_other_files_in_the_folder_are_left_alone(tmp_path, epochs):
    fitted(tmp_path, max_epochs=2)
    (tmp_path / "notes.txt").write_text("mine")
    (only_file(tmp_path).parent / "epoch-7.txt").write_text("mine")
    fitted(tmp_path)
    assert epochs == [(0, 2), (2, 4)]
    Checkpoint(tmp_path).clear()
    assert os.listdir(tmp_path) == ["notes.txt"]


# Folders that cannot be written


def test_a_full_disk_keeps_the_earlier_file_and_warns_once(tmp_path, monkeypatch, epochs):
    fitted(tmp_path, max_epochs=2)
    real = os.fsync
    monkeypatch.setattr(os, "fsync", lambda handle: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.warns(CheckpointWarning, match="No space left on device.*Training goes on without") as record:
        model = fitted(Checkpoint(tmp_path, every_epochs=1), max_epochs=5)
    assert len(record) == 1
    assert_same_fit(model, fitted(max_epochs=5))
    assert files_in(tmp_path) == ["epoch-00000002-step-00000000-end.checkpoint"]
    monkeypatch.setattr(os, "fsync", real)
    fitted(tmp_path, max_epochs=5)
    assert epochs == [(0, 2), (2, 5), (2, 5)]


def test_memory_that_does_not_suffice_warns(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "to_bytes", lambda *_: (_ for _ in ()).throw(MemoryError("no room")))
    with pytest.warns(CheckpointWarning, match="no room"):
        assert_same_fit(fitted(tmp_path), fitted())


@pytest.fixture
def no_rights():
    """Return a function that takes the rights of the administrator from this process, if it has them."""
    before = os.geteuid()
    yield lambda: before == 0 and os.seteuid(65534)
    os.seteuid(before)


def test_a_read_only_folder_is_read_and_warns_once(tmp_path, no_rights, epochs):
    folder = tmp_path / "checkpoints"
    fitted(folder, max_epochs=2)
    paths = [*tmp_path.parents, tmp_path, *tmp_path.rglob("*")]
    before = {path: stat.S_IMODE(path.stat().st_mode) for path in paths if path.owner() == tmp_path.owner()}
    try:
        for path, mode in before.items():
            path.chmod(mode | 0o055 if path.is_dir() else mode | 0o044)
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o555 if path.is_dir() else 0o444)
        no_rights()
        with pytest.warns(CheckpointWarning, match="Permission denied.*earlier checkpoints stay") as record:
            model = fitted(folder)
    finally:
        os.seteuid(os.getuid())
        for path, mode in before.items():
            path.chmod(mode)
    assert len(record) == 1
    assert_same_fit(model, fitted())
    assert epochs == [(0, 2), (2, 4)]
    assert files_in(folder) == ["epoch-00000002-step-00000000-end.checkpoint"]


def test_a_folder_that_is_a_file_warns(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.warns(CheckpointWarning, match="cannot be written"):
        model = fitted(tmp_path / "file")
    assert_same_fit(model, fitted())
    assert (tmp_path / "file").read_text() == "mine"


# The parameter


@pytest.mark.parametrize(
    "params",
    [
        {"folder": 3},
        {"every_epochs": 0},
        {"every_epochs": 1.5},
        {"every_seconds": -1},
        {"keep": 0},
        {"keep": None},
        {"every_seconds": float("nan")},
        {"every_epochs": True},
    ],
)
def test_invalid_checkpoints_are_refused(params):
    with pytest.raises((TypeError, ValueError), match=f"The {next(iter(params))} of Checkpoint must be"):
        Checkpoint(**params)


def test_a_relative_folder_stays_where_it_was_given(tmp_path, monkeypatch, epochs):
    monkeypatch.chdir(tmp_path)
    fitted(Checkpoint("runs"), max_epochs=2)
    (tmp_path / "elsewhere").mkdir()

    elsewhere = str(tmp_path / "elsewhere")

    def moving(estimator, X, y):
        os.chdir(elsewhere)
        return 0.0

    for _ in range(2):
        monkeypatch.chdir(tmp_path)
        fitted("runs", early_stopping=True, scoring=moving)
    assert epochs == [(0, 2), (0, 4), (4, 4)]


def test_an_invalid_parameter_is_refused():
    with pytest.raises(ValueError, match="The 'checkpoint' parameter of DeepClassifier must be None"):
        fitted(7)


def test_a_checkpoint_is_a_value(tmp_path):
    checkpoint = Checkpoint(tmp_path, every_epochs=3)
    assert clone(DeepClassifier(checkpoint=checkpoint)).checkpoint == checkpoint
    assert hash(Checkpoint(tmp_path, every_epochs=3)) == hash(checkpoint)


def test_a_model_file_does_not_hold_the_folder(tmp_path):
    skdeep.save(fitted(tmp_path / "checkpoints"), tmp_path / "model.skdeep")
    assert skdeep.load(tmp_path / "model.skdeep").checkpoint is None
    assert b"checkpoints" not in (tmp_path / "model.skdeep").read_bytes()


def test_verbose_says_where_training_continues(tmp_path, capsys):
    fitted(tmp_path, max_epochs=2)
    fitted(tmp_path, verbose=1)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Continuing after epoch 2/4 from a checkpoint"
    assert [line.split()[0] for line in lines[2:]] == ["3/4", "4/4"]


def test_no_warning_without_a_checkpoint():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted(random_state=None)
