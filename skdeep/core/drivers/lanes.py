"""Several trainings of one signature as lanes of one program, for accelerators: their configurations and states are stacked.

On an accelerator, a step of a small network leaves most of the device idle, and a step of 64 of them takes about as long. On a
CPU there is nothing idle, so trainings run in threads there (`core/together.py`).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Int

from skdeep.config import FitConfig
from skdeep.core import stopping
from skdeep.core.batch import batch_of_step, gather_steps
from skdeep.core.cpu.rewriting import inside_a_loop
from skdeep.core.drivers.one_copy import one_copy
from skdeep.core.drivers.steps import Steps
from skdeep.core.drivers.training import Training, outcome_of, record_epochs
from skdeep.core.encode import is_sparse
from skdeep.core.feeds.feed import Batches
from skdeep.core.feeds.padding import pad_rows
from skdeep.core.feeds.validation import validates_in_program
from skdeep.core.placement import current_placement
from skdeep.core.programs import program
from skdeep.core.rows import WeightedRows
from skdeep.core.step import finish_epoch, train_step
from skdeep.core.watcher import Watcher
from skdeep.records import Info, Outcome, Rows, TrainState

STEPS_PER_BLOCK = 256
MAX_INDEX_ENTRIES = 2**22
SHARE_OF_MEMORY = 0.7


def suits_lanes(job: Any, watcher: Watcher) -> bool:
    """Return True if a job can be a lane.

    Its rows and validation rows must be dense and in memory, nothing may be judged or called back between two epochs, and it must stand at the
    beginning of an epoch.
    """
    state = job.start if job.snapshot is None else job.snapshot.state
    validates = job.validation is None or validates_in_program(job.validation)
    return (
        isinstance(job.driver, Steps)
        and isinstance(job.rows, WeightedRows)
        and not (is_sparse(job.rows.x) or watcher.is_epoch_wise)
        and job.scores is None
        and job.placement.n_devices == 1
        and validates
        and int(state.position) == 0
    )


def stacks_with(job: Any) -> tuple[Any, ...]:
    """Return a value that is equal for jobs that can be lanes of one program."""
    return job.signature(), -(-len(job.rows.target) // job.batch_size)


def lanes_that_fit(job: Any, most: int) -> int:
    """Return how many lanes fit into the free memory of the job's device, as a power of two; `most` if its size is not known.

    It counts what grows with the parameters, twice, and with the rows. What a network computes in between is not known before it is
    compiled: who runs the lanes must expect that they do not fit.
    """
    found = job.placement.device.memory_stats() or {}
    if "bytes_limit" not in found:
        return most
    free = SHARE_OF_MEMORY * (found["bytes_limit"] - found.get("bytes_in_use", 0))
    validation = () if job.validation is None else job.validation
    kept = sum(np.asarray(leaf).nbytes for leaf in jax.tree.leaves((job.start, tuple(validation))))
    of_params = sum(leaf.nbytes for leaf in jax.tree.leaves(job.start.params))
    fitting = max(1, int(free // (2 * kept + 4 * of_params)))
    return min(most, 1 << (fitting.bit_length() - 1))


class NoLanesError(Exception):
    """The program of these lanes is too slow on this device, or does not fit."""


def run_lanes(jobs: Sequence[Any], watchers: Sequence[Watcher]) -> list[Outcome]:
    """Train jobs with equal `stacks_with` together, on the placement of the first.

    Parameters are equal to those of `run` within float tolerance, not to the bit. A lane that ends leaves the others as they are,
    and if a quarter is left they are packed into a smaller program.

    Raises
    ------
    NoLanesError
        If the lanes cannot be one program on this device.
    """
    with jobs[0].placement.active():
        lanes = [Lane(job, watcher) for job, watcher in zip(jobs, watchers, strict=True)]
        rows, positions = one_copy([job.rows for job in jobs], jobs[0].config.model.in_shape)
        padded = pad_rows(rows, jobs[0].config.model.in_shape)
        for lane, places in zip(lanes, positions, strict=True):
            lane.begin(places)
        while live := [lane for lane in lanes if lane.status == stopping.RUNNING]:
            _run_stack(live, padded)
        return [outcome_of(lane) for lane in lanes]


class Lane(Training):
    """A training whose state is a part of a stack while it goes on."""

    _own: TrainState | None = None
    _stack: _Stack

    def begin(self, places: Int[np.ndarray, " n"]) -> None:
        """Set the positions of the rows in the rows of all lanes, and begin the first epoch."""
        self._places = places
        if self.status == stopping.RUNNING and self.epoch >= self.job.last_epoch:
            self.status = stopping.OUT_OF_EPOCHS
        if self.status == stopping.RUNNING:
            self.watcher.begin_epoch()

    def _feed(self, job: Any) -> Any:
        return Batches(len(job.rows.target), job.batch_size, job.order)

    def next_epochs(self, n: int, size: int) -> Int[np.ndarray, "size steps batch"]:
        """Return the positions of the rows in the batches of the next `n` epochs, padded with zeros to `size` epochs."""
        steps = self.feed.steps_per_epoch
        found: Int[np.ndarray, "..."] = self._places[self.feed.next_steps(n * steps, size * steps)]
        return found.reshape(size, steps, -1).astype(np.int32)

    @property
    def state(self) -> TrainState:
        """The state, copied from the stack when it is first read after a block."""
        if self._own is None:
            self._own = self._stack.state_of(self)
        return self._own

    @state.setter
    def state(self, state: TrainState) -> None:
        self._own = state

    @property
    def epoch(self) -> int:
        """Number of finished epochs."""
        return int(self._own.epoch) if self._own is not None else self._stack.epoch_of(self)

    def end_block(self, stack: _Stack, info: Info, status: int, seconds: float) -> None:
        """Take the results of a block: the new state in the stack, the epochs that ended, and the status."""
        self._stack, self._own = stack, None
        n_done = int(info.n_epochs)
        n_steps = n_done * self.feed.steps_per_epoch
        record_epochs(self, info, 0, n_steps, seconds / max(1, n_steps))
        self.status = status
        wants_stop = self.watcher.end_epochs(self, n_done)
        if self.status == stopping.RUNNING and self.epoch >= self.job.last_epoch:
            self.status = stopping.OUT_OF_EPOCHS
        wants_stop |= self.watcher.end_block(self)
        if self.status == stopping.RUNNING and wants_stop:
            self.status = stopping.STOPPED_BY_CALLBACK
        if self.status == stopping.RUNNING:
            self.watcher.begin_epoch()
        else:
            self.state = stack.state_of(self)  # the stack is given to the next block


class _Stack:
    """The states of lanes on the device after a block."""

    def __init__(self, lanes: Sequence[Lane], stacked: TrainState) -> None:
        self._places = {id(lane): i for i, lane in enumerate(lanes)}
        self._stacked = stacked
        self._epochs = np.array(stacked.epoch)  # a copy: the next block takes the memory
        self._on_host: TrainState | None = None

    def state_of(self, lane: Lane) -> TrainState:
        """Return the state of a lane as NumPy arrays."""
        if self._on_host is None:
            self._on_host = jax.device_get(self._stacked)
        place = self._places[id(lane)]
        state: TrainState = jax.tree.map(lambda values: np.array(values[place]), self._on_host)
        return state

    def epoch_of(self, lane: Lane) -> int:
        """Return the number of finished epochs of a lane."""
        return int(self._epochs[self._places[id(lane)]])


class _Given(NamedTuple):
    """What stays the same in all blocks of a stack."""

    config: Any
    rows: Rows
    validation: Any


def _run_stack(lanes: list[Lane], rows: Rows) -> None:
    """Run blocks of these lanes until a quarter of them is left, or none."""
    size = padded_lanes(len(lanes))
    validation = None
    if lanes[0].validation is not None:
        validation = _stacked([lane.validation.in_program for lane in lanes], size)  # type: ignore[union-attr]  # of all or of none
    given = _Given(_stacked([lane.config for lane in lanes], size), rows, validation)
    state = _stacked([lane.state for lane in lanes], size)
    if not current_placement().is_cpu:
        given, state = jax.device_put((given, state))
    n_epochs = epochs_per_block(lanes, size)
    run: Any = None
    live = lanes
    while len(live) * 4 > size or len(live) == len(lanes):
        order = np.zeros((size, n_epochs, lanes[0].feed.steps_per_epoch, lanes[0].job.batch_size), np.int32)
        asked = np.zeros(size, np.int32)
        for place, lane in enumerate(lanes):
            if lane.status == stopping.RUNNING:
                asked[place] = min(n_epochs, lane.job.last_epoch - lane.epoch)
                order[place] = lane.next_epochs(int(asked[place]), n_epochs)
        if run is None:
            run = lanes_block.prepared(given.config, state, *given[1:], order, asked)
            if run is None:
                raise NoLanesError("An operation of the network is too slow inside a loop.")
        start = time.perf_counter()
        state, info = run(given.config, state, *given[1:], order, asked)
        info, status = jax.device_get((info, state.status))
        seconds = (time.perf_counter() - start) / len(live)
        stack = _Stack(lanes, state)
        for place, lane in enumerate(lanes):
            if lane.status == stopping.RUNNING:
                of_lane: Info = jax.tree.map(lambda values, place=place: values[place], info)
                lane.end_block(stack, of_lane, int(status[place]), seconds)
        live = [lane for lane in lanes if lane.status == stopping.RUNNING]
        if not live:
            return
    for lane in live:
        lane.state = lane.state  # from the stack, which ends here


def padded_lanes(n: int) -> int:
    """Return the number of lanes of the program for `n` trainings: the next power of two, so that few programs serve all."""
    return 1 << max(0, n - 1).bit_length()


def epochs_per_block(lanes: Sequence[Lane], size: int) -> int:
    """Return how many epochs a block has: about `STEPS_PER_BLOCK` steps, if their order fits, and no more than are left."""
    lane = lanes[0]
    steps: int = lane.feed.steps_per_epoch
    most: int = max(each.job.last_epoch - each.epoch for each in lanes)
    fitting: int = MAX_INDEX_ENTRIES // (size * steps * lane.job.batch_size)
    return max(1, min(-(-STEPS_PER_BLOCK // steps), fitting, most))


def _stacked(trees: Sequence[Any], size: int) -> Any:
    """Return trees of arrays as one with a leading axis of lanes, filled up with the first tree."""
    leaves = [jax.tree.leaves(tree) for tree in trees]
    leaves += [leaves[0]] * (size - len(trees))
    stacked = [np.stack([np.asarray(leaf) for leaf in values]) for values in zip(*leaves, strict=True)]
    # Trees of equal signature may hold equal code in unequal objects; one of them serves all.
    return jax.tree.unflatten(jax.tree.structure(trees[0]), stacked)


@program(donate=(1,))
def lanes_block(
    config: FitConfig,
    state: TrainState,
    rows: Rows,
    validation: Rows | None,
    order: Int[Array, "lanes epochs steps batch"],
    n_epochs: Int[Array, " lanes"],
) -> tuple[TrainState, Info]:
    """Return the states and the history after a block of whole epochs, in which all lanes are in step.

    All arguments but `rows` have a leading axis of lanes. A lane takes part in `n_epochs` epochs, or fewer if its training ends.
    """
    n_lanes, most_epochs, n_steps, _ = order.shape
    unused = jnp.zeros((n_lanes, most_epochs), rows.weight.dtype)
    info = Info(unused, unused, unused, jnp.zeros(n_lanes, jnp.int32))

    def step_of_lane(config: FitConfig, state: TrainState, index: Any) -> TrainState:
        chunk = gather_steps(rows, index[None])
        return train_step(config, state, batch_of_step(chunk, 0, state.position, state.n_rows))[0]

    def step(i: Any, carry: Any) -> Any:
        state, of_epoch = carry
        index = lax.dynamic_index_in_dim(of_epoch, i, axis=1, keepdims=False)
        return jax.vmap(step_of_lane)(config, state, index), of_epoch

    def takes_part(state: TrainState, done: Any) -> Any:
        return (state.status == stopping.RUNNING) & (done < n_epochs)

    def epoch(carry: Any) -> Any:
        state, info, done = carry
        of_epoch = lax.dynamic_index_in_dim(order, done, axis=1, keepdims=False)
        after, _ = lax.fori_loop(0, n_steps, step, (state, of_epoch))
        in_axes = (0, 0, 0, None if validation is None else 0)
        after = jax.vmap(finish_epoch, in_axes=in_axes)(config, after, info, validation)
        part = takes_part(state, done)
        return *jax.tree.map(lambda new, old: _where(part, new, old), after, (state, info)), done + 1

    def goes_on(carry: Any) -> Any:
        state, _, done = carry
        return (done < most_epochs) & jnp.any(takes_part(state, done))

    with inside_a_loop():
        state, info, _ = lax.while_loop(goes_on, epoch, (state, info, jnp.int32(0)))
    return state, info


def _where(lanes: Any, new: Any, old: Any) -> Any:
    return jnp.where(lanes.reshape(-1, *(1,) * (new.ndim - 1)), new, old)
