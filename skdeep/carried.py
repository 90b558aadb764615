"""Registered names in pickles: an estimator takes the objects of the names that its parameters use to another process.

A name stays with the parameter that holds it, as a `CarriedName`; loading changes no registry. The worker processes of joblib's
loky backend are an exception: they get all names of their parent, because candidates of a search name components by plain strings.
"""

from __future__ import annotations

import functools
import multiprocessing
import pickle
from typing import Any, NamedTuple

from skdeep import registry
from skdeep.discovery import DISTRIBUTION, LOCAL
from skdeep.registry import CarriedName


class Carried(NamedTuple):
    """All registered names, for a worker process.

    `entries` are the objects as bytes of cloudpickle; `left_behind` the reasons why others could not be pickled.
    """

    entries: dict[tuple[str, str], bytes]
    left_behind: dict[tuple[str, str], str]


def with_object(kind: str, name: str) -> str:
    """Return the name with its object if it is registered in this process; any other name unchanged."""
    bare = name.removeprefix(f"{LOCAL}:")
    is_builtin = name.removeprefix(f"{DISTRIBUTION}:") in registry.builtin_names(kind)
    registered = registry.registered_names(kind)
    if isinstance(name, CarriedName) or is_builtin or bare not in registered:
        return name
    return CarriedName(name, kind, registered[bare])


def reduced_name(name: CarriedName) -> Any:
    """Return the value of `CarriedName.__reduce_ex__`."""
    data, reason = name.data, name.reason
    if data is None and not reason:
        data, reason = _pickled(name.component)
    return received, (str(name), name.kind, data, reason)


def received(name: str, kind: str, data: bytes | None, reason: str) -> CarriedName:
    """Return a name that came with a pickle, with its object; called when a pickle is loaded.

    If the object cannot be unpickled, the reason is kept for the error of a later look-up.
    """
    component = None
    if data is not None:
        component, reason = _unpickled(kind, name.removeprefix(f"{LOCAL}:"), data)
    return CarriedName(name, kind, component, data, reason)


def all_names() -> Carried | None:
    """Return the registered names for a worker process; None if there are none."""
    entries, left_behind = {}, {}
    for key, value in list(registry._local.items()):
        # An object from another process is passed on as the same bytes, so that its workers see no change.
        data, reason = (registry._adopted[key], "") if key in registry._adopted else _pickled(value)
        if data is None:
            left_behind[key] = reason
        else:
            entries[key] = data
    return Carried(entries, left_behind) if registry._local else None


def adopt(carried: Carried) -> None:
    """Register the names of the parent process in a worker process; do nothing in other processes.

    A name that the worker got from its parent before is replaced if its bytes have changed. A name that was registered in the
    worker itself keeps its object.
    """
    if multiprocessing.parent_process() is None:
        return
    for key, data in carried.entries.items():
        if key in registry._local and registry._adopted.get(key, data) == data:
            continue
        value, reason = _unpickled(*key, data)
        if reason:
            registry._left_behind[key] = reason
            continue
        with registry._lock:
            registry._local[key], registry._adopted[key] = value, data
    registry._left_behind.update(carried.left_behind)


def _pickled(value: Any) -> tuple[bytes | None, str]:
    """Return the bytes of an object, or None and the reason."""
    import cloudpickle

    try:
        return cloudpickle.dumps(value), ""
    except Exception as err:  # pickling runs code of the object, which may raise anything
        return None, f"it could not be pickled ({type(err).__name__}: {err})"


def _unpickled(kind: str, name: str, data: bytes) -> tuple[Any, str]:
    """Return the object in these bytes, or None and the reason."""
    known = registry.registered_names(kind).get(name)
    if known is not None and data in (registry._adopted.get((kind, name)), _pickled(known)[0]):
        return known, ""
    try:
        return _loaded(data), ""
    except Exception as err:  # unpickling runs code of the object, which may raise anything
        return None, f"it could not be unpickled ({type(err).__name__}: {err})"


@functools.lru_cache(maxsize=100)
def _loaded(data: bytes) -> Any:
    """Return the same object for the same bytes, so that its programs are compiled once."""
    return pickle.loads(data)
