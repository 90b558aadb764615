"""Strict settings for all tests: shapes are checked, rank promotion raises, SciPy's array API is on."""

from __future__ import annotations

import functools
import gc
import importlib
import inspect
import os
import re
import signal
import sys
from pathlib import Path
from typing import get_args

os.environ["SCIPY_ARRAY_API"] = "1"  # before SciPy is imported, or scikit-learn skips a check

import jax
import jaxtyping
import pytest
from beartype import beartype
from fork_server import Forks

# Most of the time of the tests is compiling small programs that run for a moment. XLA's older code generator compiles
# them in half the time, no optimisation and code in one piece in half of that. An XLA that no longer knew one of the
# flags would end the process, so they are given where they were tried.
QUICK = ["--xla_backend_optimization_level=0", "--xla_cpu_parallel_codegen_split_count=1"]
if jax.__version_info__ < (0, 11):
    QUICK.append("--xla_cpu_use_fusion_emitters=false")
if jax.__version_info__ < (0, 12):
    os.environ["XLA_FLAGS"] = " ".join([os.environ.get("XLA_FLAGS", ""), *QUICK])


collect_ignore = ["in_several_processes.py", "conftest.py"]
"""Not searched for examples: a program that reads its arguments when it is imported, and files of which several have one name."""

LARGEST_BYTES = 2**30


def checked(function, *, typechecker, with_shapes=jaxtyping.jaxtyped):
    """Check the types of a function, and its shapes if an annotation has any: to bind shapes takes longer than all else.

    Functions inside functions are not checked. They are made anew at each call, and beartype would compile a check for each
    and keep it for ever, with all that the function refers to.
    """
    if "<locals>" in getattr(function, "__qualname__", ""):
        return function
    try:
        hints = inspect.get_annotations(function, eval_str=True) if inspect.isfunction(function) else None
    except Exception:  # names that only a type checker imports
        hints = None
    if hints is None or any(getattr(hint, "__module__", "") == "jaxtyping" for hint in parts(hints.values())):
        return with_shapes(function, typechecker=typechecker)
    return beartype(function)


def parts(hints):
    """Yield all hints, and what is in their brackets."""
    for hint in hints:
        yield hint
        yield from parts(hint if isinstance(hint, list) else get_args(hint))


jaxtyping.jaxtyped = lambda typechecker: functools.partial(checked, typechecker=typechecker)  # what the hook calls
hook = jaxtyping.install_import_hook("skdeep.core", "beartype.beartype")

jax.config.update("jax_numpy_rank_promotion", "raise")


def pytest_make_parametrize_id(val):
    """Return the name of a case from its value, equal in every worker: sets are sorted, addresses are removed."""
    if isinstance(val, set | frozenset):
        return str(sorted(map(str, val)))
    return re.sub(r" at 0x[0-9a-fA-F]+", "", str(val))


class Memory:
    """Bounds the memory of a test process, in the doctests and the plugins' tests too."""

    @pytest.fixture(autouse=True, scope="module")
    @classmethod
    def caches_cleared(cls):
        """Clear JAX's caches after each file, and the compiled programs too if the process is large.

        Other files use few of them, and all together take gigabytes.
        """
        yield
        jax.clear_caches()
        if resident_bytes() > LARGEST_BYTES:
            import skdeep

            skdeep.clear_cache()

    def pytest_collection_finish(self):
        """Exclude the imported modules from garbage collection, and collect less often: it took 7% of the CPU time."""
        gc.collect()
        gc.freeze()
        gc.set_threshold(20_000, 20, 10)


def pytest_configure(config):
    """Let `Memory` act on all tests of a run, not only on those in this folder, and let Ctrl-C interrupt.

    A shell that starts the tests by `command &` makes them ignore SIGINT, and tests of interrupts would wait for ever.
    """
    config.pluginmanager.register(Memory())
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def resident_bytes():
    """Return the resident memory of this process in bytes, or 0 if the system does not report it."""
    statm = Path("/proc/self/statm")
    return int(statm.read_text().split()[1]) * 4096 if statm.exists() else 0


@pytest.fixture(scope="session")
def forks():
    """A server of fresh processes: see `fork_server.py`."""
    server = Forks()
    yield server
    server.close()


@pytest.fixture
def fresh_registry(monkeypatch):
    """Empty the registry, the policy and the caches of plugins before and after a test."""
    from skdeep import discovery, policy, registry

    for name in ("_local", "_adopted", "_left_behind"):
        monkeypatch.setattr(registry, name, {})
    for variable in (policy.ALLOW_VARIABLE, policy.DENY_VARIABLE):
        monkeypatch.setenv(variable, "")  # recorded by monkeypatch, which then undoes changes by `configure`
        monkeypatch.delenv(variable)
    discovery.refresh()
    yield
    discovery.refresh()


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Return a function that puts a fake package with entry points on the path, without installing anything."""
    known = set(sys.modules)

    def install(distribution, source="", *, version="1.0", requires=(), folder=None, **entries):
        folder = tmp_path / (folder or distribution)
        info = folder / f"{distribution.replace('-', '_')}-{version}.dist-info"
        info.mkdir(parents=True)
        lines = [f"Name: {distribution}", f"Version: {version}", *(f"Requires-Dist: {line}" for line in requires)]
        (info / "METADATA").write_text("Metadata-Version: 2.1\n" + "\n".join(lines) + "\n")
        groups = "".join(f"[skdeep.{group}]\n{text}\n" for group, text in entries.items())
        (info / "entry_points.txt").write_text(groups)
        (folder / f"fake_{distribution.replace('-', '_')}.py").write_text(source)
        monkeypatch.syspath_prepend(folder)
        importlib.invalidate_caches()
        return folder

    yield install
    for name in set(sys.modules) - known:
        if name.startswith("fake_"):
            del sys.modules[name]
