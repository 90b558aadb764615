"""Keep the snapshots of a training, and continue a training from the newest one that was kept.

A training is found by the identity of its job, so a kept one is continued by any job that differs in `last_epoch` only. A store
keeps snapshots in memory (here) or in a folder (`skdeep.persistence.checkpoints`); `run_kept` is `run` with a store.
"""

from __future__ import annotations

import contextlib
import math
import threading
import time
import weakref
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax

from skdeep.core import stopping
from skdeep.core.content import digest_of
from skdeep.core.fingerprint import atoms_of
from skdeep.core.identity import readable
from skdeep.core.job import Job
from skdeep.core.run import run
from skdeep.core.watcher import Course, Passing, Watcher
from skdeep.records import Outcome, Snapshot

LARGEST_SHARE = 0.02
"""Snapshots without a given interval take at most this share of the time of a training."""

SECONDS_PER_BLOCK = 0.1
"""The length of blocks without a given interval. A fit with fewer epochs then finds a point near its last one; shorter blocks cost time."""

SECONDS_BETWEEN_LOOKS = 0.2
"""While one training waits for another, it looks so often whether it was cancelled."""

MEMORY_BYTES = 2**29
MOST_POINTS = 64
"""The largest number of points of one training that are kept in memory, beside the ends of fits."""


class Interval(NamedTuple):
    """How often snapshots are kept: after so many epochs, or seconds, whichever comes first.

    If both are None, as often as it takes `LARGEST_SHARE` of the time.
    """

    epochs: int | None = None
    seconds: float | None = None


@runtime_checkable
class Kept(Protocol):
    """The kept snapshots of one training, which no other thread or process uses meanwhile."""

    def newest(self, job: Job) -> Snapshot | None:
        """Return the newest snapshot at or before the end of the job's last epoch, with the job's columns and form of the state."""
        ...

    def put(self, snapshot: Snapshot, is_end: bool) -> None:
        """Keep a snapshot. That of the end of a fit stays for fits that ask for the same number of epochs."""
        ...

    def cost(self) -> float:
        """Return the seconds that the last `put` took; infinity while it goes on beside the training."""
        ...


@runtime_checkable
class Store(Protocol):
    """Keeps the snapshots of trainings by their identities."""

    def opened(self, identity: str, watcher: Watcher) -> AbstractContextManager[Kept]:
        """Return what is kept of one training.

        Entering waits while another thread or process has it open, and raises KeyboardInterrupt if the watcher `is_cancelled` meanwhile.
        """
        ...

    def clear(self) -> None:
        """Forget all trainings."""
        ...


def run_kept(job: Job, watcher: Watcher, store: Store, interval: Interval, callbacks: Any = None) -> Outcome:
    """Train a job as `run` does, from the newest snapshot in a store, and keep snapshots there.

    The outcome is that of `run`, to the bit. Trainings that a watcher stopped, or that diverged, are not kept to their end: the
    last steps are done again, because a snapshot does not hold why they ended.

    Parameters
    ----------
    job : Job
    watcher : Watcher
    store : Store
    interval : Interval
    callbacks : object, default=None
        The objects by which the watcher may stop the training: with others, it is another training.

    Raises
    ------
    TypeError
        If the job has no identity (see `Job.identity`), or the content of `callbacks` cannot be read.
    """
    identity = job.identity() if callbacks is None else stopped_by(job.identity(), callbacks)
    with store.opened(identity, watcher) as kept:
        snapshot = kept.newest(job)
        if snapshot is not None:
            watcher.go_on(snapshot)
        return run(job.replace(snapshot=snapshot), Keeper(watcher, kept, interval))


class Keeper(Passing):
    """Passes all calls on to another watcher, and keeps snapshots at the ends of blocks.

    Parameters
    ----------
    watcher : Watcher
    kept : Kept
    interval : Interval
    """

    def __init__(self, watcher: Watcher, kept: Kept, interval: Interval) -> None:
        super().__init__(watcher)
        self._kept, self._interval = kept, interval
        self.is_epoch_wise = watcher.is_epoch_wise or interval.epochs is not None
        wanted = SECONDS_PER_BLOCK if interval == Interval() else interval.seconds
        self.seconds_per_block = min(watcher.seconds_per_block, math.inf if wanted is None else wanted)
        self._last = time.perf_counter()
        self._last_epoch: int | None = None
        self._copying = 0.0

    def end_block(self, course: Course) -> bool:
        wants_stop = super().end_block(course)
        is_end = course.status in (stopping.CONVERGED, stopping.OUT_OF_EPOCHS)
        if is_end or (course.status == stopping.RUNNING and not wants_stop and self._is_due(course)):
            self._keep(course, is_end)
        return wants_stop

    def _is_due(self, course: Course) -> bool:
        epochs, seconds = self._interval
        passed = time.perf_counter() - self._last
        if epochs is None and seconds is None:
            return passed * LARGEST_SHARE >= self._copying + self._kept.cost()
        is_new_epoch = course.position == 0 and course.epoch != self._last_epoch
        after_epochs = epochs is not None and is_new_epoch and course.epoch % epochs == 0
        return after_epochs or (seconds is not None and passed >= seconds)

    def _keep(self, course: Course, is_end: bool) -> None:
        start = time.perf_counter()
        snapshot = course.snapshot()
        self._copying = time.perf_counter() - start
        self._kept.put(snapshot, is_end)
        self._last, self._last_epoch = time.perf_counter(), course.epoch


class _Point(NamedTuple):
    snapshot: Snapshot
    is_end: bool
    n_bytes: int


class _Training:
    """The points of one training by (epoch, position), and the lock of the thread that trains it.

    `counted` is the part of its memory that the store has in its sum.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.points: dict[tuple[int, int], _Point] = {}
        self.counted = 0

    @property
    def n_bytes(self) -> int:
        return sum(point.n_bytes for point in self.points.values())


class MemoryStore:
    """Keeps snapshots in the memory of this process. If they take more than `max_bytes`, the least recently used trainings go.

    Parameters
    ----------
    max_bytes : int, default=MEMORY_BYTES
    """

    def __init__(self, max_bytes: int = MEMORY_BYTES) -> None:
        self._max_bytes = max_bytes
        self._trainings: OrderedDict[str, _Training] = OrderedDict()
        self._open: weakref.WeakValueDictionary[str, _Training] = weakref.WeakValueDictionary()
        self._lock = threading.Lock()
        self.n_bytes = 0
        """The memory of all snapshots."""

    @contextlib.contextmanager
    def opened(self, identity: str, watcher: Watcher) -> Iterator[_InMemory]:
        """Yield what is kept of one training; wait while another thread has it open, or until the watcher is cancelled."""
        with self._lock:
            training = self._trainings.get(identity) or self._open.get(identity) or _Training()
            self._open[identity] = training
        while not training.lock.acquire(timeout=SECONDS_BETWEEN_LOOKS):
            raise_if_cancelled(watcher)
        try:
            yield _InMemory(self, identity, training)
        finally:
            training.lock.release()

    def use(self, identity: str, training: _Training) -> None:
        """Note that a training was used, and forget others, or its own first points, while all take too much memory."""
        with self._lock:
            self._trainings[identity] = training
            self._trainings.move_to_end(identity)
            self._count(training, training.n_bytes)
            while self.n_bytes > self._max_bytes:
                oldest = next(iter(self._trainings.values()))
                if oldest is training and len(training.points) > 1:
                    del training.points[min(training.points)]
                    self._count(training, training.n_bytes)
                else:
                    self._trainings.popitem(last=False)
                    self._count(oldest, 0)

    def _count(self, training: _Training, n_bytes: int) -> None:
        self.n_bytes += n_bytes - training.counted
        training.counted = n_bytes

    def clear(self) -> None:
        """Forget all trainings."""
        with self._lock:
            for training in self._trainings.values():
                self._count(training, 0)
            self._trainings.clear()


class _InMemory:
    """What a `MemoryStore` keeps of one training."""

    def __init__(self, store: MemoryStore, identity: str, training: _Training) -> None:
        self._store, self._identity, self._training = store, identity, training
        self._cost = 0.0

    def newest(self, job: Job) -> Snapshot | None:
        points = self._training.points
        if not points:
            return None
        self._store.use(self._identity, self._training)
        found = [place for place in points if place <= (job.last_epoch, 0)]
        return points[max(found)].snapshot if found else None

    def put(self, snapshot: Snapshot, is_end: bool) -> None:
        start = time.perf_counter()
        points, place = self._training.points, place_of(snapshot)
        was_end = place in points and points[place].is_end
        n_bytes = sum(leaf.nbytes for leaf in jax.tree.leaves(snapshot.state))
        n_bytes += 8 * sum(map(len, snapshot.history.values()))
        points[place] = _Point(snapshot, is_end or was_end, n_bytes)
        self._thin_out()
        self._store.use(self._identity, self._training)
        self._cost = time.perf_counter() - start

    def cost(self) -> float:
        return self._cost

    def _thin_out(self) -> None:
        """Drop every second point if there are too many, so that those that are left spread over the whole training."""
        points = self._training.points
        between = sorted(place for place, point in points.items() if not point.is_end)
        if len(between) > MOST_POINTS:
            for place in between[:-1:2]:
                del points[place]


def place_of(snapshot: Snapshot) -> tuple[int, int]:
    """Return the number of finished epochs of a snapshot, and of finished steps of the next one."""
    return int(snapshot.state.epoch), int(snapshot.state.position)


def raise_if_cancelled(watcher: Watcher) -> None:
    """Raise KeyboardInterrupt if a training that waits for another was cancelled."""
    if watcher.is_cancelled():
        raise KeyboardInterrupt


def stopped_by(identity: str, callbacks: Any) -> str:
    """Return the identity of a training that these objects may stop."""
    with readable():
        return digest_of([identity, list(atoms_of(callbacks))])


MEMORY = MemoryStore()
"""The store of this process."""
