"""The time that JAX reports for tracing, lowering and compiling."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def compile_clock() -> Iterator[list[float]]:
    """Collect the seconds of each tracing, lowering and compilation inside the block, in all threads."""
    import jax.monitoring

    seconds: list[float] = []

    def note(event: str, duration_secs: float, **_: Any) -> None:
        if event.startswith("/jax/core/compile/"):
            seconds.append(duration_secs)

    jax.monitoring.register_event_duration_secs_listener(note)
    try:
        yield seconds
    finally:
        jax.monitoring.unregister_event_duration_listener(note)
