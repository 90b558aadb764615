"""Compiled programs as bytes, and back. Loading runs the code in the bytes: read them only from the user's own folder."""

from __future__ import annotations

import io
import pickle
import threading
from collections.abc import Sequence
from typing import Any

import jax
from jax.experimental.serialize_executable import deserialize_and_load, serialize


class _OfThisThread(threading.local):
    n_hits = 0


_jax_cache = _OfThisThread()


def _count_hits(event: str, **_: Any) -> None:
    _jax_cache.n_hits += event == "/jax/compilation_cache/cache_hits"


jax.monitoring.register_event_listener(_count_hits)


def compile_now(lowered: Any, options: dict[str, int | bool]) -> tuple[Any, bool]:
    """Return the program compiled with these options of XLA, and True if it may be stored.

    It must not be stored if JAX loaded it from JAX's own persistent cache: XLA writes loaded programs without a part of their code
    (jaxlib 0.10), and they fail when they run.
    """
    n_hits = _jax_cache.n_hits
    compiled = _compiled(lowered, options)
    return compiled, _jax_cache.n_hits == n_hits


def _compiled(lowered: Any, options: dict[str, int | bool]) -> Any:
    """Return the program compiled with these options, or with none if this version of XLA does not know one of them."""
    try:
        return lowered.compile(options)
    except jax.errors.JaxRuntimeError as err:
        if "No such compile option" not in str(err):
            raise
        return lowered.compile()


def packed(compiled: Any) -> bytes | None:
    """Return a compiled program as bytes, None if it cannot be stored: it holds constants, or the device has no such form."""
    try:
        return pickle.dumps(serialize(compiled))
    except Exception:  # objects that cannot be pickled raise exceptions of any kind
        return None


def unpacked(data: bytes, devices: Sequence[Any]) -> Any:
    """Return the compiled program of these bytes, loaded onto devices.

    Raises
    ------
    Exception
        Of any kind, if this version of JAX or this processor cannot load it.
    """
    payload, in_tree, out_tree = pickle.load(io.BytesIO(data))
    return deserialize_and_load(payload, in_tree, out_tree, devices[0].client, devices)
