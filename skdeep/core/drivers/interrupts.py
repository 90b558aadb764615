"""Ctrl-C during a program call is held back until the call's result is stored."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def held_back_interrupt() -> Iterator[None]:
    """Raise a KeyboardInterrupt that arrives inside only at the end of the block.

    A program call reuses the memory of the state it was given; an interrupt between its return and
    the assignment of its result would leave neither. A second Ctrl-C is let through at once.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.getsignal(signal.SIGINT)
    if previous is not signal.default_int_handler:  # somebody else handles Ctrl-C: leave it to them
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
