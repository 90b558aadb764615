"""Everything beside a program's own code that decides its compiled form: processor, versions, flags, settings, skdeep's source.

A difference that does not matter costs a compile; one that is missed here would run a program that is wrong. So too much is listed
rather than too little.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import os
import platform
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import jax
import jaxlib.version
import numpy as np
from jaxlib import xla_client

import skdeep
from skdeep.core.content import distribution_version
from skdeep.core.fingerprint import is_installed_file
from skdeep.core.placement import Placement
from skdeep.core.settings import current_settings, interceptors

FORMAT = 1
"""Raise it if stored programs of earlier versions must not be used."""

_PREFIXES = ("NPROC", "XLA_", "PJRT_", "TF_", "LIBTPU_", "CUDA_", "NVIDIA_", "ROCM_", "HIP_")
_PREFIXES_WHEN_TRACED = ("FLAX_", "NNX_", "OPTAX_")
_CPU_FIELDS = {
    "vendor_id", "cpu family", "model", "model name", "stepping", "flags",
    "CPU implementer", "CPU architecture", "CPU variant", "CPU part", "CPU revision", "Features", "isa", "uarch", "cpu",
}  # fmt: skip
# Settings of JAX that change neither a trace nor a compiled program. They often differ between processes.
_WITHOUT_EFFECT = (
    "jax_compilation_cache", "jax_enable_compilation_cache", "jax_persistent_cache", "jax_raise_persistent_cache", "jax_explain_cache",
    "jax_log", "jax_debug_log", "jax_pprint", "jax_dump", "jax_traceback", "jax_tracer_error", "jax_include_full_tracebacks",
    "jax_transfer_guard", "jax_distributed", "jax_platforms",
)  # fmt: skip

PACKAGES_OF_TRACES = ("jax", "jaxlib", "flax", "optax", "numpy", "scipy", "ml_dtypes", "opt_einsum")
"""The packages whose code runs while a program is traced and lowered, and decides its text."""

_OPTIONAL = ("chex",)
"""Optax uses it up to version 0.2.6."""

_imported_at = skdeep.imported_at


def of_compiled(placement: Placement) -> list[Any]:
    """Return the values that decide how the text of a lowered program is compiled on a device, and whether it can be loaded."""
    device = placement.device
    return [
        FORMAT, _of_machine(), placement.platform, placement.index, placement.dtype, device.device_kind,
        str(getattr(device.client, "platform_version", "")), jax.local_device_count(), jax.process_count(),
        repr(current_settings()), _other_settings(), _variables(_PREFIXES), n_threads(),
        [] if placement.platform == "cpu" else _versions_of_plugins(),
    ]  # fmt: skip


def of_traced() -> list[Any] | None:
    """Return the values that decide the trace of code of skdeep and of the packages that it uses; None if they are not known.

    They are not known if files of skdeep changed after this process imported skdeep, if one of the packages is not installed but
    imported from a folder in which it may be edited, if another version of it was installed meanwhile, or if Flax's own settings were
    changed or its methods are intercepted in this process.
    """
    try:
        source = source_digest()
    except OSError:  # skdeep is not a folder of files here, or was removed
        return None
    are_known = source is not None and _are_packages_installed() and _are_loaded_versions_known()
    if not are_known or not _has_flax_defaults() or interceptors():
        return None
    return [source, _versions_when_traced(), _variables(_PREFIXES_WHEN_TRACED)]


def _variables(prefixes: tuple[str, ...]) -> list[Any]:
    return sorted((name, value) for name, value in os.environ.items() if name.startswith(prefixes))


@functools.cache
def _of_machine() -> list[Any]:
    """Return what does not change while a process runs. XLA reads its flags once, so its options are those that it uses."""
    return [
        sys.version, sys.byteorder, platform.machine(), sys.platform, processor(), jax.__version__, jaxlib.version.__version__,
        np.__version__, hashlib.sha256(xla_client.CompileOptions().SerializeAsString()).hexdigest(),
    ]  # fmt: skip


@functools.cache
def processor() -> list[str]:
    """Return the model and the features of the processor; without /proc/cpuinfo, the name of the machine stands for them."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return [platform.node(), platform.version()]
    return sorted({line for line in lines if line.partition(":")[0].strip() in _CPU_FIELDS})


def n_threads() -> int:
    """Return the number of processors that this process may use: XLA's CPU compiler divides work by it."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _other_settings() -> list[Any]:
    return sorted(
        (name, repr(value)) for name, value in jax.config.values.items() if not name.startswith(_WITHOUT_EFFECT)
    )


@functools.cache
def _versions_of_plugins() -> list[tuple[str, str]]:
    """Return name and version of each package that brings a compiler to JAX, such as the one for CUDA."""
    found = metadata.entry_points(group="jax_plugins")
    return sorted((point.name, point.dist.version if point.dist else "") for point in found)


@functools.cache
def _versions_when_traced() -> list[tuple[str, str]]:
    return [(name, distribution_version(name)) for name in (*PACKAGES_OF_TRACES, *_OPTIONAL)]


@functools.cache
def _are_packages_installed() -> bool:
    """Return True if the packages whose versions are part of keys are those of their distributions, not editable folders."""
    for name in (*PACKAGES_OF_TRACES, *_OPTIONAL):
        spec = importlib.util.find_spec(name)
        if spec is None and name in _OPTIONAL:
            continue
        if spec is None or spec.origin is None or not is_installed_file(spec.origin):
            return False
    return True


def _are_loaded_versions_known() -> bool:
    """Return True if the loaded packages have the versions that are part of keys.

    Not cached: Flax and Optax may be replaced and then loaded while a process runs.
    """
    loaded = ((sys.modules.get(name), version) for name, version in _versions_when_traced())
    return all(module is None or getattr(module, "__version__", "") == version for module, version in loaded)


def _has_flax_defaults() -> bool:
    """Return True if Flax is not loaded yet, or its settings are those that the environment variables give."""
    loaded = sys.modules.get("flax.configurations")
    if loaded is None or loaded.__spec__ is None or loaded.__spec__.loader is None:
        return "flax" not in sys.modules
    fresh = importlib.util.module_from_spec(loaded.__spec__)
    loaded.__spec__.loader.exec_module(fresh)
    return repr(fresh.config) == repr(loaded.config)


def source_digest() -> str | None:
    """Return a digest of all files of skdeep; None if they changed after this process imported skdeep."""
    stamps = tuple(_stamps_of_source())
    if not _first_stamps:
        _first_stamps.append(stamps)
    return _content_digest(stamps) if stamps == _first_stamps[0] else None


_first_stamps: list[tuple[Any, ...]] = []


@functools.cache
def _content_digest(stamps: tuple[Any, ...]) -> str | None:
    if not stamps or any(changed > _imported_at * 1e9 for _, _, changed in stamps):
        return None
    digest = hashlib.sha256()
    for name, size, _ in stamps:
        digest.update(f"{name}:{size}:".encode())
        digest.update((_SOURCE / name).read_bytes())
    return digest.hexdigest()


_SOURCE = Path(__file__).parents[2]


def _stamps_of_source() -> list[tuple[str, int, int]]:
    """Return name, size and time of change of each file of skdeep."""
    found, folders = [], [str(_SOURCE)]
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                elif entry.name.endswith(".py"):
                    status = entry.stat()
                    found.append(
                        (
                            os.path.relpath(entry.path, _SOURCE),
                            status.st_size,
                            max(status.st_mtime_ns, status.st_ctime_ns),
                        )
                    )
    return sorted(found)
