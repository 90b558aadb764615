"""Values that the processes of one training exchange, if JAX runs in several processes (`jax.distributed`).

Each process has its own rows and runs the same code. Programs on the mesh of all processes wait for each other, so that all processes must
run the same programs in the same order. What one process alone knows, such as a callback's wish to stop or an error in its rows, is
therefore exchanged at fixed places.
"""

from __future__ import annotations

import contextlib
import pickle
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np
from jaxtyping import UInt8

from skdeep.core.drivers.interrupts import held_back_interrupt
from skdeep.errors import ProcessFailedError

SHORT = 1024
"""Messages of at most so many bytes are exchanged at once, longer ones after their lengths."""


_OF_CONNECTIONS = ("UNKNOWN: Gloo", "UNAVAILABLE", "INTERNAL: NCCL", "ABORTED", "DEADLINE_EXCEEDED", "CANCELLED")
"""What XLA's errors about connections begin with."""

_FAILURE = "failure"
"""The topic of what a process sends if it has failed."""


def n_processes() -> int:
    """Return the number of processes in which JAX runs: 1 without `jax.distributed`."""
    return int(jax.process_count())


def gathered(value: Any, topic: str) -> list[Any]:
    """Return the values of all processes, in their order. All processes must call it, with the same topic.

    Raises
    ------
    ProcessFailedError
        If another process has failed meanwhile, cannot be reached, or is at another place.
    """
    found = _exchanged((topic, value))
    for number, (other_topic, each) in enumerate(found):
        if other_topic == _FAILURE:
            raise ProcessFailedError(
                f"Process {number} of {len(found)} failed, so that this training ends in all of them: {each}"
            )
        if other_topic != topic:
            raise ProcessFailedError(
                f"Process {number} of {len(found)} is at another place of the program ({other_topic!r}) than process {jax.process_index()} "
                f"({topic!r}). All processes must call the same methods with the same parameters, and only their rows may differ."
            )
    return [each for _, each in found]


def of_first(value: Any) -> Any:
    """Return the value of process 0 in all processes; process 0 itself gets the same object, so that its generators go on."""
    message = pickle.dumps(value) if jax.process_index() == 0 else b""
    with held_back_interrupt():  # as in `_exchanged`
        size = gathered(len(message), "size of a value of process 0")[0]
        found = _message_of_first(message, size)
    return value if message else pickle.loads(found)


@contextlib.contextmanager
def failing_together() -> Iterator[None]:
    """Let the other processes know if this one fails in the block, at their next exchange; wait for them at its end."""
    try:
        with lost_processes_named():
            yield
            gathered(None, "end")
    except ProcessFailedError:
        raise
    except BaseException as err:
        with contextlib.suppress(Exception):  # the others may have ended, too
            _exchanged((_FAILURE, f"{type(err).__name__}: {err}"))
        raise


@contextlib.contextmanager
def lost_processes_named() -> Iterator[None]:
    """Turn an error of XLA about a connection, which may be a JaxRuntimeError or a ValueError, into one that says what happened."""
    try:
        yield
    except (jax.errors.JaxRuntimeError, ValueError) as err:
        if not str(err).startswith(_OF_CONNECTIONS):
            raise
        raise ProcessFailedError(
            f"Process {jax.process_index()} of {n_processes()} lost the connection to another one, which has probably ended. A training needs "
            "all of its processes: look for the first error in their outputs, and start all of them again."
        ) from err


def _exchanged(value: Any) -> list[Any]:
    message = pickle.dumps(value)
    with held_back_interrupt():  # between the parts of a long message, the others wait for the second one
        return [pickle.loads(each) for each in _exchanged_bytes(message)]


def _exchanged_bytes(message: bytes) -> list[bytes]:
    first = np.zeros(8 + SHORT, np.uint8)
    first[:8] = np.frombuffer(len(message).to_bytes(8, "little"), np.uint8)
    if len(message) <= SHORT:
        first[8 : 8 + len(message)] = np.frombuffer(message, np.uint8)
    parts = _all_of(first)
    lengths = [int.from_bytes(part[:8].tobytes(), "little") for part in parts]
    if max(lengths) > SHORT:
        padded = np.zeros(_padded(max(lengths)), np.uint8)
        padded[: len(message)] = np.frombuffer(message, np.uint8)
        long = _all_of(padded)
        return [part[:length].tobytes() for part, length in zip(long, lengths, strict=True)]
    return [part[8 : 8 + length].tobytes() for part, length in zip(parts, lengths, strict=True)]


def _message_of_first(message: bytes, size: int) -> bytes:
    """Return the message of process 0. Gathering it would take the memory of as many messages as there are processes."""
    from jax.experimental.multihost_utils import broadcast_one_to_all

    padded = np.zeros(_padded(size), np.uint8)
    padded[: len(message)] = np.frombuffer(message, np.uint8)
    with lost_processes_named():
        return np.asarray(broadcast_one_to_all(padded))[:size].tobytes()


def _padded(size: int) -> int:
    """Return the next power of two, so that few programs serve all messages."""
    return 1 << max(0, size - 1).bit_length()


def _all_of(message: UInt8[np.ndarray, " bytes"]) -> UInt8[np.ndarray, "processes bytes"]:
    from jax.experimental.multihost_utils import process_allgather

    with lost_processes_named():
        return np.asarray(process_allgather(message)).reshape(n_processes(), -1)
