"""Run several fits at the same time: in threads that share programs, or so that their trainings become lanes of one program."""

from __future__ import annotations

import concurrent.futures
import os
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal, TypeAlias, TypeVar

from skdeep.core.drivers.lanes import NoLanesError, lanes_that_fit, run_lanes, stacks_with, suits_lanes
from skdeep.core.job import Job
from skdeep.core.placement import default_placement
from skdeep.core.run import is_run_by_another, run_alone, run_by
from skdeep.core.watcher import Stoppable, Watcher
from skdeep.records import Outcome

Mode: TypeAlias = Literal["auto", "threads", "lanes"]
Result = TypeVar("Result")

MODES = ("auto", "threads", "lanes")
MOST_LANES = 128
SECONDS_OF_LINGERING = 0.05
"""How long trainings wait after the last one came, if all are there: longer than it takes to begin another fit."""
SECONDS_OF_PATIENCE = 2.0
"""How long they wait for those who do not come: one may wait for them, for example for the lock of its checkpoint."""


def uses_lanes(mode: Mode) -> bool:
    """Return True if trainings become lanes; "auto" is lanes on accelerators, where they pay, and threads on CPUs."""
    return mode == "lanes" or (mode == "auto" and not default_placement().is_cpu)


def n_cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def together(calls: Sequence[Callable[[], Result]], mode: Mode = "auto") -> list[Result]:
    """Return the results of functions that train, in order. They run at the same time as far as that is faster.

    Inside another call of this function, and inside a fit of the joblib backend, they run one after the other: their trainings join
    those of the outer call.

    Raises
    ------
    Exception
        The first one, in order, that a function raised; the others have run to their ends. After Ctrl-C, trainings end after their
        current block, and KeyboardInterrupt is raised.
    """
    if is_run_by_another():
        return _in_order(calls)
    with_lanes = uses_lanes(mode)
    n_threads = min(len(calls), MOST_LANES if with_lanes else n_cores())
    if n_threads <= 1:
        return _in_order(calls)
    company = Company(with_lanes)
    with concurrent.futures.ThreadPoolExecutor(n_threads) as pool:
        futures: list[Any] = []
        try:  # Ctrl-C may come while a thread starts, and then the pool does not know of the thread
            for call in calls:
                futures.append(pool.submit(company.task(call)))
            concurrent.futures.wait(futures)
        except BaseException:
            company.stop()
            for future in futures:
                future.cancel()
            raise
    return [future.result() for future in futures]


def _in_order(calls: Sequence[Callable[[], Result]]) -> list[Result]:
    """Return the results of functions that are called one after the other; raise the first exception after all were called."""
    results: list[Result] = []
    errors: list[Exception] = []
    for call in calls:
        try:
            results.append(call())
        except Exception as err:
            errors.append(err)
    if errors:
        raise errors[0]
    return results


class Company:
    """Fits in several threads that know of each other: the trainings in them become lanes, or can be stopped together.

    Parameters
    ----------
    with_lanes : bool
    """

    def __init__(self, with_lanes: bool) -> None:
        self._stop = threading.Event()
        self._meeting = Meeting(self._stop) if with_lanes else None

    def stop(self) -> None:
        """Let all trainings end after their current block, and raise KeyboardInterrupt in their threads."""
        self._stop.set()
        if self._meeting is not None:
            self._meeting.wake()

    def task(self, call: Callable[[], Result]) -> Callable[[], Result]:
        """Return a function for one thread that calls another; while it runs, the company waits for its training.

        Calls that have no thread yet are not waited for: they may get one only when others are done.
        """

        def called() -> Result:
            if self._meeting is None:
                with run_by(self._run):
                    return call()
            self._meeting.expect()
            try:
                with run_by(self._run):
                    return call()
            finally:
                self._meeting.leave()

        return called

    def _run(self, job: Job, watcher: Watcher) -> Outcome:
        runner = run_alone if self._meeting is None else self._meeting.run
        outcome = runner(job, Stoppable(watcher, self._stop))
        if self._stop.is_set():
            raise KeyboardInterrupt
        return outcome


class _Ticket:
    """A training that waits for others, and its outcome or exception."""

    def __init__(self, job: Job, watcher: Watcher) -> None:
        self.job, self.watcher = job, watcher
        self.is_taken = False
        self.outcome: Outcome | None = None
        self.error: BaseException | None = None

    def run_alone(self) -> None:
        try:
            self.outcome = run_alone(self.job, self.watcher)
        except BaseException as err:
            self.error = err

    @property
    def is_done(self) -> bool:
        return self.outcome is not None or self.error is not None


class Meeting:
    """Where the trainings of several threads wait for each other, until one thread runs all of them as lanes.

    A thread that is expected either comes with a training, or leaves. When all who are still there wait, or nobody came for a while,
    those whose jobs stack become lanes of one program, and the others run alone.

    Parameters
    ----------
    stop : threading.Event
        When it is set, those who wait raise KeyboardInterrupt. Call `wake` after that.
    """

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop
        self._changed = threading.Condition()
        self._n_expected = 0
        self._waiting: list[_Ticket] = []
        self._last_change = time.monotonic()

    def expect(self) -> None:
        """Let the others wait for one more training."""
        with self._noted():
            self._n_expected += 1

    def leave(self) -> None:
        """Let the others wait for one training less."""
        with self._noted():
            self._n_expected -= 1

    def wake(self) -> None:
        """Let all who wait look again."""
        with self._noted():
            pass

    def run(self, job: Job, watcher: Watcher) -> Outcome:
        """Train a job, together with those that other threads bring meanwhile; raise what its own training raises."""
        if not suits_lanes(job, watcher):
            self.leave()
            try:
                return run_alone(job, watcher)
            finally:
                self.expect()
        ticket = _Ticket(job, watcher)
        with self._noted():
            self._waiting.append(ticket)
        tickets = self._wait(ticket)
        if tickets:
            try:
                run_tickets(tickets)
            finally:
                self.wake()
        if ticket.error is not None:
            raise ticket.error
        assert ticket.outcome is not None  # set by the thread that took the ticket
        return ticket.outcome

    def _wait(self, ticket: _Ticket) -> list[_Ticket]:
        """Wait until the training is done, or until all are there; then return them, to be run by this thread."""
        with self._changed:
            while not ticket.is_done:
                if self._stop.is_set() and not ticket.is_taken:
                    self._waiting.remove(ticket)
                    raise KeyboardInterrupt
                is_complete = len(self._waiting) >= self._n_expected
                patience = SECONDS_OF_LINGERING if is_complete else SECONDS_OF_PATIENCE
                left = self._last_change + patience - time.monotonic()
                if not ticket.is_taken and left <= 0:
                    tickets, self._waiting = self._waiting, []
                    for each in tickets:
                        each.is_taken = True
                    return tickets
                self._changed.wait(None if ticket.is_taken else left)
        return []

    @contextmanager
    def _noted(self) -> Iterator[None]:
        with self._changed:
            yield
            self._last_change = time.monotonic()
            self._changed.notify_all()


def run_tickets(tickets: Sequence[_Ticket]) -> None:
    """Run trainings as lanes, as far as they stack, and set their outcomes or errors."""
    groups: dict[Any, list[_Ticket]] = {}
    for ticket in tickets:
        groups.setdefault((stacks_with(ticket.job), ticket.job.placement), []).append(ticket)
    for group in groups.values():
        size = lanes_that_fit(group[0].job, MOST_LANES)
        for start in range(0, len(group), size):
            _run_group(group[start : start + size])


def _warn_of_halves(n: int, err: Exception) -> None:
    warnings.warn(
        f"{n} trainings could not run as lanes of one program, so they run in smaller groups, at last alone: {type(err).__name__}: {err}",
        RuntimeWarning,
        stacklevel=2,
    )


def _run_group(group: list[_Ticket]) -> None:
    """Run trainings as lanes of one program; if it cannot be run, in halves, and at last one by one."""
    if len(group) == 1:
        group[0].run_alone()
        return
    try:
        outcomes = run_lanes([ticket.job for ticket in group], [ticket.watcher for ticket in group])
    except Exception as err:  # of any kind: too little memory, an operation that cannot be stacked
        if not isinstance(err, NoLanesError):
            _warn_of_halves(len(group), err)
        middle = len(group) // 2
        _run_group(group[:middle])
        _run_group(group[middle:])
        return
    for ticket, outcome in zip(group, outcomes, strict=True):
        ticket.outcome = outcome
