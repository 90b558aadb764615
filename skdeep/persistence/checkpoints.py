"""Keep the snapshots of trainings in a folder, as files without code, so that a killed process loses a few steps only.

Each training has a subfolder with the name of its identity. Its files are written in one step, so a process that is killed leaves
the earlier files as they were. A lock, which the system releases when a process ends, keeps two processes from one training.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import math
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from skdeep.atomic_files import write_atomically
from skdeep.core import stopping
from skdeep.core.checkpoints import SECONDS_BETWEEN_LOOKS, place_of, raise_if_cancelled
from skdeep.core.cpu.aligned import aligned_copy
from skdeep.core.job import Job
from skdeep.core.watcher import Watcher
from skdeep.errors import CheckpointWarning, CorruptModelError, ModelFileError, UnserializableParameterError
from skdeep.estimators.warn import warn_caller
from skdeep.persistence.container import from_bytes, is_storable, to_bytes
from skdeep.persistence.files import read_bounded
from skdeep.records import Snapshot, TrainState

BYTES_BESIDE_STATE = 32 * 2**20
"""The largest size of a file beside the arrays of its state and its history: the header."""

SECONDS_UNTIL_WARNING = 10.0
"""Waiting for another process longer than this warns once."""

_NAME = re.compile(r"epoch-([0-9]{8,})-step-([0-9]{8,})(-end)?\.checkpoint")
_IDENTITY = re.compile("[0-9a-f]{32}")
_LOCK = "lock"


class FolderStore:
    """Keeps the snapshots of trainings in a folder, which is made if needed.

    Parameters
    ----------
    folder : Path
    n_newest : int
        The number of newest files of a training that are kept, beside those at the ends of fits.
    """

    def __init__(self, folder: Path, n_newest: int) -> None:
        self._folder, self._n_newest = folder, n_newest

    @contextlib.contextmanager
    def opened(self, identity: str, watcher: Watcher) -> Iterator[KeptInFolder]:
        """Yield what is kept of one training; wait while another thread or process has it open, or until the watcher is cancelled.

        Warns with CheckpointWarning if the folder cannot be written: the training is then not kept.
        """
        folder = self._folder / identity
        with contextlib.ExitStack() as stack:
            is_writable = True
            try:
                folder.mkdir(parents=True, exist_ok=True)
                stack.enter_context(_locked(folder / _LOCK, watcher))
            except OSError as err:
                is_writable = False
                _warn_unwritable(self._folder, err)
            yield stack.enter_context(KeptInFolder(folder, identity, self._n_newest, is_writable))

    def clear(self) -> None:
        """Remove all trainings from the folder, and no other file."""
        if self._folder.is_dir():
            for folder in self._folder.iterdir():
                if _IDENTITY.fullmatch(folder.name) and folder.is_dir() and not folder.is_symlink():
                    shutil.rmtree(folder)


@contextlib.contextmanager
def _locked(path: Path, watcher: Watcher) -> Iterator[None]:
    from filelock import FileLock, Timeout  # an import of 50 ms, for those who keep checkpoints

    lock, started, has_warned = FileLock(path), time.perf_counter(), False
    while not lock.is_locked:
        try:
            lock.acquire(timeout=SECONDS_BETWEEN_LOOKS)
        except Timeout:
            raise_if_cancelled(watcher)
            if not has_warned and time.perf_counter() - started > SECONDS_UNTIL_WARNING:
                has_warned = True
                warn_caller(
                    f"Another thread or process does the same training, with checkpoints in {str(path.parent)!r}. Waiting until it ends, "
                    "to continue from there.",
                    CheckpointWarning,
                )
    try:
        yield
    finally:
        lock.release()


class _File(NamedTuple):
    """A file by its place: epoch, position and whether it is the end of a fit. The newest file is the largest."""

    epoch: int
    position: int
    is_end: bool

    @property
    def name(self) -> str:
        return f"epoch-{self.epoch:08d}-step-{self.position:08d}{'-end' if self.is_end else ''}.checkpoint"


class KeptInFolder:
    """What a `FolderStore` keeps of one training. Files are written by a thread; leaving the context waits for the last one."""

    def __init__(self, folder: Path, identity: str, n_newest: int, is_writable: bool) -> None:
        self._folder, self._identity, self._n_newest = folder, identity, n_newest
        self._is_writable = is_writable
        self._writer = concurrent.futures.ThreadPoolExecutor(1, "skdeep-checkpoint")
        self._writing: concurrent.futures.Future[None] | None = None
        self._cost = 0.0

    def __enter__(self) -> KeptInFolder:
        return self

    def __exit__(self, *_: Any) -> None:
        self._wait()
        self._writer.shutdown()

    def newest(self, job: Job) -> Snapshot | None:
        """Return the newest snapshot at or before the end of the last epoch. Damaged files are passed over with a CheckpointWarning."""
        for file in sorted(self._files(), reverse=True):
            if (file.epoch, file.position) > (job.last_epoch, 0):
                continue
            path = self._folder / file.name
            try:
                return _snapshot_in(read_bounded(path, _most_bytes(job, file)), self._identity, file, job)
            except (ModelFileError, OSError) as err:
                warn_caller(
                    f"The checkpoint {str(path)!r} cannot be used: {err} Training continues from the one before, or from the beginning.",
                    CheckpointWarning,
                )
        return None

    def put(self, snapshot: Snapshot, is_end: bool) -> None:
        """Write a snapshot beside the training. Waits for the one before. If writing fails, warns once, and writes no more."""
        self._wait()
        if self._is_writable:
            self._writing = self._writer.submit(self._write, snapshot, is_end)

    def cost(self) -> float:
        """Return the seconds that the last file took; infinity while it is written, or if none can be written."""
        is_busy = self._writing is not None and not self._writing.done()
        return math.inf if is_busy or not self._is_writable else self._cost

    def _wait(self) -> None:
        writing, self._writing = self._writing, None
        if writing is None:
            return
        try:
            writing.result()
        except (OSError, MemoryError, UnserializableParameterError) as err:
            self._is_writable = False
            _warn_unwritable(self._folder, err)

    def _write(self, snapshot: Snapshot, is_end: bool) -> None:
        start = time.perf_counter()
        file = _File(*place_of(snapshot), is_end)
        data = _bytes_of(snapshot, self._identity)
        write_atomically(self._folder / file.name, data, follows_links=False)  # a link may lead to any file of the user
        for old in self._superfluous(file):
            with contextlib.suppress(OSError):  # it is not a file of ours
                (self._folder / old.name).unlink(missing_ok=True)
        self._cost = time.perf_counter() - start

    def _superfluous(self, newest: _File) -> list[_File]:
        """Return the files to remove: all but the ends of fits, and the newest of those that are not after this one."""
        between = sorted(file for file in self._files() if not file.is_end)
        earlier = [file for file in between if file <= newest]
        n_kept = self._n_newest - newest.is_end
        return earlier[: max(0, len(earlier) - n_kept)]

    def _files(self) -> list[_File]:
        names = [path.name for path in self._folder.glob("*.checkpoint")]
        matches = [match for match in map(_NAME.fullmatch, names) if match]
        files = [_File(int(match[1]), int(match[2]), match[3] is not None) for match in matches]
        return [file for file in files if file.name in names]  # a number may be written in several ways


def _warn_unwritable(folder: Path, err: Exception) -> None:
    warn_caller(
        f"Checkpoints cannot be written to {str(folder)!r}: {err} Training goes on without; earlier checkpoints stay as they are.",
        CheckpointWarning,
    )


def _bytes_of(snapshot: Snapshot, identity: str) -> bytes:
    """Return the bytes of a file: the leaves of the state in the order of its tree, and the columns of the history.

    Raises
    ------
    UnserializableParameterError
        If the state holds an array of a type that a file cannot hold.
    """
    arrays = {f"state/{i}": np.asarray(leaf) for i, leaf in enumerate(jax.tree.leaves(snapshot.state))}
    if unknown := [array.dtype for array in arrays.values() if not is_storable(array)]:
        raise UnserializableParameterError(f"The state of the training has an array of type {unknown[0]}.")
    arrays |= {f"history/{name}": np.asarray(values, np.float64) for name, values in snapshot.history.items()}
    tree = str(jax.tree.structure(snapshot.state))
    return to_bytes({"checkpoint": {"identity": identity, "tree": tree, "seconds": snapshot.seconds}}, arrays)


def _snapshot_in(data: bytes, identity: str, file: _File, job: Job) -> Snapshot:
    """Return the snapshot in a file.

    Raises
    ------
    ModelFileError
        If the file is damaged, or holds another training, another place of it, or a state that does not fit the job.
    """
    start = job.start
    manifest, arrays = from_bytes(data)
    entry = manifest.get("checkpoint")
    if not isinstance(entry, dict) or entry.get("identity") != identity:
        raise CorruptModelError("It belongs to another training.")
    leaves, tree = jax.tree.flatten(start)
    try:
        found = [aligned_copy(arrays[f"state/{i}"]) for i in range(len(leaves))]
        columns = {name: arrays[f"history/{name}"] for name in job.columns}
        seconds = float(entry["seconds"])
    except (KeyError, TypeError, ValueError) as err:
        raise CorruptModelError("It does not hold a whole snapshot.") from err
    forms = [[(leaf.shape, leaf.dtype) for leaf in part] for part in (leaves, found)]
    if entry.get("tree") != str(tree) or forms[0] != forms[1] or len(arrays) != len(leaves) + len(job.columns):
        raise CorruptModelError("Its state has another form than that of this training.")
    state = jax.tree.unflatten(tree, found)
    if not (_goes_on_from(state, start, file) and _fits(columns, state, start) and math.isfinite(seconds)):
        raise CorruptModelError("It does not fit this training, or its name and its content are of different places.")
    history: dict[str, list[Any]] = {name: column.tolist() for name, column in columns.items()}
    history["epoch"] = [int(epoch) for epoch in history["epoch"]]
    return Snapshot(state, history, seconds)


def _goes_on_from(state: TrainState, start: TrainState, file: _File) -> bool:
    """Return True if a state can be one of the training that began with `start`, at the place that the file's name says."""
    kept = ("key", "n_rows", "steps_per_epoch", "largest_batch")
    return (
        all(np.array_equal(getattr(state, name), getattr(start, name)) for name in kept)
        and (int(state.epoch), int(state.position)) == (file.epoch, file.position)
        and int(start.epoch) <= file.epoch
        and file.position < int(state.steps_per_epoch)
        and int(state.status) in (stopping.RUNNING, stopping.CONVERGED)
    )


def _fits(columns: dict[str, np.ndarray], state: TrainState, start: TrainState) -> bool:
    """Return True if a history has the epochs between two states."""
    epochs = np.arange(int(start.epoch), int(state.epoch), dtype=np.float64) + 1
    are_plain = all(column.dtype == np.float64 and column.shape == epochs.shape for column in columns.values())
    return are_plain and np.array_equal(columns["epoch"], epochs)


def _most_bytes(job: Job, file: _File) -> int:
    n_numbers = len(job.columns) * max(0, file.epoch - int(job.start.epoch))
    return sum(leaf.nbytes for leaf in jax.tree.leaves(job.start)) + 8 * n_numbers + BYTES_BESIDE_STATE
