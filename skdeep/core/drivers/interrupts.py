"""Delay Ctrl-C during a call of a program until the result of the call is stored."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def held_back_interrupt() -> Iterator[None]:
    """Delay a KeyboardInterrupt that arrives inside the block until the end of the block.

    A program call overwrites the memory of the state that it was given. An interrupt between its return and the assignment
    of its result would lose both states. A second Ctrl-C is not delayed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.getsignal(signal.SIGINT)
    if previous is not signal.default_int_handler:  # the user's program handles Ctrl-C itself: do not change that
        yield
        return
    was_pressed = False

    def hold_back(*_: Any) -> None:
        nonlocal was_pressed
        was_pressed = True
        signal.signal(signal.SIGINT, previous)

    signal.signal(signal.SIGINT, hold_back)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
    if was_pressed:
        raise KeyboardInterrupt
