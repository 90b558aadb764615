"""Every value that decides a compiled program is part of the key: a change of each changes the key."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import time
import types

import flax
import jax
import pytest

from skdeep.core.disk import environment
from skdeep.core.placement import Placement

CPU = Placement("cpu", 0)


def test_equal_in_one_process():
    assert environment.of_compiled(CPU) == environment.of_compiled(CPU)
    assert environment.of_traced() == environment.of_traced() is not None


@pytest.mark.parametrize("name", ["XLA_FLAGS", "NPROC", "PJRT_NPROC", "TF_XLA_FLAGS", "XLA_PYTHON_CLIENT_PREALLOCATE"])
def test_variables_of_compiled_programs(monkeypatch, name):
    before = environment.of_compiled(CPU)
    monkeypatch.setenv(name, "1")
    assert environment.of_compiled(CPU) != before


def test_variables_of_traces(monkeypatch):
    before = environment.of_traced()
    monkeypatch.setenv("FLAX_RETURN_FROZENDICT", "1")
    assert environment.of_traced() != before


@pytest.mark.parametrize("name", ["jax_debug_nans", "jax_numpy_dtype_promotion", "jax_disable_most_optimizations"])
def test_settings_of_jax(name):
    before, value = environment.of_compiled(CPU), jax.config.values[name]
    jax.config.update(name, "strict" if name == "jax_numpy_dtype_promotion" else not value)
    try:
        assert environment.of_compiled(CPU) != before
    finally:
        jax.config.update(name, value)
    assert environment.of_compiled(CPU) == before


def test_settings_without_effect(tmp_path):
    before, value = environment.of_compiled(CPU), jax.config.values["jax_compilation_cache_dir"]
    jax.config.update("jax_compilation_cache_dir", str(tmp_path))
    try:
        assert environment.of_compiled(CPU) == before
    finally:
        jax.config.update("jax_compilation_cache_dir", value)


def test_x64_of_this_thread():
    before = environment.of_compiled(CPU)
    with jax.enable_x64(True):
        assert environment.of_compiled(CPU) != before


def test_type_of_numbers():
    assert environment.of_compiled(Placement("cpu", 0, "float64")) != environment.of_compiled(CPU)


CPUINFO = """processor : 0
model name : A
cpu MHz : {mhz}
flags : {flags}

processor : 1
model name : A
cpu MHz : 1000
flags : {flags}
"""


def test_processor(monkeypatch, tmp_path):
    def with_text(**values):
        (tmp_path / "cpuinfo").write_text(CPUINFO.format(**values))
        monkeypatch.setattr(environment, "Path", lambda _: tmp_path / "cpuinfo")
        return environment.processor.__wrapped__()

    found = with_text(mhz=1, flags="sse avx512f")
    assert found == ["flags : sse avx512f", "model name : A"]
    assert with_text(mhz=2, flags="sse avx512f") == found
    assert with_text(mhz=1, flags="sse") != found


def test_processor_without_cpuinfo(monkeypatch, tmp_path):
    monkeypatch.setattr(environment, "Path", lambda _: tmp_path / "missing")
    assert os.uname().nodename in environment.processor.__wrapped__()


@pytest.fixture
def source(monkeypatch, tmp_path):
    """Let two files stand for skdeep's own, in a process that imported them just now."""
    (tmp_path / "sub").mkdir()
    for name in ("a.py", "sub/b.py"):
        (tmp_path / name).write_text(f"# {name}")
        os.utime(tmp_path / name, (1, 1))
    monkeypatch.setattr(environment, "_SOURCE", tmp_path)
    monkeypatch.setattr(environment, "_imported_at", time.time() + 5)
    monkeypatch.setattr(environment, "_first_stamps", [])
    environment._content_digest.cache_clear()
    yield tmp_path
    environment._content_digest.cache_clear()


def new_process(monkeypatch):
    monkeypatch.setattr(environment, "_first_stamps", [])
    environment._content_digest.cache_clear()


def test_source_of_equal_files(source, monkeypatch):
    first = environment.source_digest()
    assert first is not None
    os.utime(source / "a.py", (2, 2))
    new_process(monkeypatch)
    assert environment.source_digest() == first
    (source / "notes.txt").write_text("x")
    assert environment.source_digest() == first


@pytest.mark.parametrize("change", ["content", "name", "new", "removed"])
def test_source_of_other_files(source, monkeypatch, change):
    first = environment.source_digest()
    if change == "content":
        (source / "a.py").write_text("# A.py")
    elif change == "name":
        (source / "a.py").rename(source / "c.py")
    elif change == "new":
        (source / "c.py").write_text("")
    else:
        (source / "a.py").unlink()
    for path in source.glob("*.py"):
        os.utime(path, (1, 1))
    new_process(monkeypatch)
    assert environment.source_digest() not in (None, first)


def test_source_edited_after_the_first_lookup(source):
    assert environment.source_digest() is not None
    (source / "sub" / "b.py").write_text("# other")
    assert environment.source_digest() is None


def test_source_edited_between_import_and_first_lookup(source):
    later = time.time() + 10
    os.utime(source / "a.py", (later, later))
    assert environment.source_digest() is None


def test_changed_settings_of_flax():
    name = "flax_return_frozendict"
    value = getattr(flax.config, name)
    flax.config.update(name, not value)
    try:
        assert environment.of_traced() is None
    finally:
        flax.config.update(name, value)
    assert environment.of_traced() is not None


@pytest.mark.parametrize("package", environment.PACKAGES_OF_TRACES)
def test_packages_that_may_be_edited(monkeypatch, tmp_path, package):
    spec = types.SimpleNamespace(origin=str(tmp_path / "package.py"))
    find = environment.importlib.util.find_spec
    monkeypatch.setattr(environment.importlib.util, "find_spec", lambda name: spec if name == package else find(name))
    assert not environment._are_packages_installed.__wrapped__()
    monkeypatch.undo()
    assert environment._are_packages_installed.__wrapped__()


@pytest.mark.parametrize("package", environment.PACKAGES_OF_TRACES)
def test_a_package_that_was_replaced_while_it_is_loaded(monkeypatch, package):
    """The version that runs is not the installed one, which is part of the key."""
    assert environment.of_traced() is not None
    monkeypatch.setattr(importlib.import_module(package), "__version__", "0.0.1")
    assert environment.of_traced() is None


@pytest.mark.parametrize("package", [*environment.PACKAGES_OF_TRACES, "chex"])
def test_versions_of_traces(monkeypatch, package):
    before, version = environment._versions_when_traced(), environment.distribution_version
    monkeypatch.setattr(environment, "distribution_version", lambda name: "0.0.1" if name == package else version(name))
    assert environment._versions_when_traced.__wrapped__() != before


def test_versions_of_plugins_of_jax(monkeypatch):
    point = types.SimpleNamespace(name="cuda", dist=types.SimpleNamespace(version="1"))
    monkeypatch.setattr(environment.metadata, "entry_points", lambda group: [point] if group == "jax_plugins" else [])
    assert environment._versions_of_plugins.__wrapped__() == [("cuda", "1")]


# Logging, decorators that return the function, and finders of imports.
WITHOUT_EFFECT = {"absl", "typing_extensions.py", "_distutils_hack"}
NOTES_PACKAGES = """
import re, sys
import flax.linen, optax.contrib  # they import packages that decide nothing
import numpy as np
import skdeep
from skdeep.core.programs import Program, TracedFunction

names = set()

def note(frame, event, _):
    found = re.search(r"site-packages/([^/]+)", frame.f_code.co_filename)
    if event == "call" and found and not found[1].startswith("__editable__"):
        names.add(found[1])

def noted(function):
    def call(*arguments):
        sys.setprofile(note)
        try:
            return function(*arguments)
        finally:
            sys.setprofile(None)
    return call

Program._compile = noted(Program._compile)
TracedFunction._trace = noted(TracedFunction._trace)
X, y = np.eye(16), np.arange(16) % 2
for network, optimizer in (("mlp", "muon"), ("transformer", "adam"), ("realmlp", "adamw")):
    rows = X.reshape(16, 4, 4) if network == "transformer" else X
    skdeep.DeepClassifier(network=network, optimizer=optimizer, max_epochs=1, tol=None).fit(rows, y)
print(" ".join(names))
"""


def test_packages_that_run_while_programs_are_traced():
    """All that decide the text of a program are part of the key of traces. In a process of its own: packages of the tests call back."""
    names = set(subprocess.check_output([sys.executable, "-c", NOTES_PACKAGES], text=True).split())
    assert {"jax", "flax", "optax", "opt_einsum", "ml_dtypes"} <= names
    assert names - WITHOUT_EFFECT <= {*environment.PACKAGES_OF_TRACES, "chex"}


def test_versions(monkeypatch):
    before = environment._of_machine.__wrapped__()
    monkeypatch.setattr(jax, "__version__", "0.0.1")
    assert environment._of_machine.__wrapped__() != before
    assert sys.version in before
