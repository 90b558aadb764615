"""The command `skdeep versions`: versions, devices and settings for a bug report."""

from __future__ import annotations

import json
import os
import platform
from importlib import metadata
from typing import Any

from skdeep import plugins
from skdeep.compile_cache import VARIABLE
from skdeep.discovery import DISTRIBUTION
from skdeep.policy import ALLOW_VARIABLE, DENY_VARIABLE

PACKAGES = (DISTRIBUTION, "jax", "jaxlib", "flax", "optax", "scikit-learn", "numpy", "scipy", "pandas", "joblib")
VARIABLES = (ALLOW_VARIABLE, DENY_VARIABLE, VARIABLE, "JAX_PLATFORMS", "JAX_ENABLE_X64", "XLA_FLAGS", "PJRT_NPROC")


def collect_versions() -> dict[str, Any]:
    """Return the versions of Python, skdeep, its dependencies and the plugins, JAX's devices, and environment variables."""
    offering = {c.package: c.version for c in plugins.list_components() if c.package not in ("", DISTRIBUTION)}
    return {
        "python": f"{platform.python_version()} ({platform.platform()})",
        "packages": {name: _version(name) for name in PACKAGES},
        "plugins": offering,
        "devices": _devices(),
        "n_cpus": os.cpu_count(),
        "environment": {name: os.environ[name] for name in VARIABLES if name in os.environ},
    }


def print_versions(as_json: bool = False) -> int:
    """Print the versions and return the exit status."""
    found = collect_versions()
    if as_json:
        print(json.dumps(found, indent=2))
        return 0
    rows = [("Python", found["python"]), *found["packages"].items()]
    rows += [(name, f"{version} (plugins)") for name, version in found["plugins"].items()]
    rows += [("devices", ", ".join(found["devices"])), ("CPUs", str(found["n_cpus"]))]
    rows += found["environment"].items()
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        print(f"{name:<{width}}  {value}")
    return 0


def _devices() -> list[str]:
    """Return JAX's devices, or the error that JAX raises when it looks for them."""
    import jax

    try:
        return [f"{device} ({device.device_kind})" for device in jax.devices()]
    except RuntimeError as err:
        return [f"none: {err}"]


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"
