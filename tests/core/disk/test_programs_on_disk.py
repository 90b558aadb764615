"""Fits in other processes: programs come from disk, results have the same bits, and nothing stale is ever run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import warnings
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import skdeep
from skdeep import compile_cache, program_folder
from skdeep.compile_cache import VARIABLE
from skdeep.core.cpu.rewriting import LeftAloneError
from skdeep.core.disk import entries, programs_on_disk
from skdeep.core.programs import Program, TracedFunction
from skdeep.program_folder import stored_files

LIMIT = 600  # a process that hangs is killed after so many seconds

FIT = """
import hashlib, json, sys, warnings
import jax, numpy as np
from sklearn.datasets import load_iris
import skdeep, skdeep.networks
{before}
X, y = load_iris(return_X_y=True)
settings = dict(max_epochs=4, tol=None, random_state=0)
{fit}
arrays = [np.asarray(a) for a in jax.tree.leaves(model.params_)]
arrays += [model.predict_proba(X)] if hasattr(model, "predict_proba") else []
digest = hashlib.sha256(b"".join(a.tobytes() for a in arrays)).hexdigest()
counts = {{name: list(count) for name, count in skdeep.compile_counts().items()}}
print(json.dumps([digest, counts, sorted({{"flax", "optax"}} & set(sys.modules))]))
"""
DEFAULT = "model = skdeep.DeepClassifier(**settings).fit(X, y)"


@pytest.fixture(scope="module")
def run(forks):
    """Return a function that fits in a fresh process, with programs in a folder.

    It returns the digest of the results, the counts of traces and compiles, and the packages that were loaded.
    """

    def run(folder, fit=DEFAULT, before="", **variables):
        done = forks.run(FIT.format(before=before, fit=fit), **{VARIABLE: folder, **variables})
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


@pytest.fixture(scope="module")
def filled(run, tmp_path_factory):
    """Return a folder after a first fit, and the results of that fit; tests work on copies."""
    folder = tmp_path_factory.mktemp("filled") / "programs"
    return folder, run(folder)


@pytest.fixture
def folder(filled, tmp_path):
    copy = program_folder.made_private(tmp_path / "programs")
    for file in stored_files(filled[0]):
        (copy / file.path.name).write_bytes(file.path.read_bytes())
        (copy / file.path.name).chmod(0o600)
    return copy


def test_a_second_process_neither_traces_nor_compiles(run, filled, folder):
    digest, counts, loaded = filled[1]
    assert counts == {"new_state": [1, 0], "predict_blocks": [1, 1], "train_block": [1, 1]}
    assert loaded == ["flax", "optax"]
    assert run(folder) == [digest, {}, []]
    assert run("0")[0] == digest


ESTIMATORS = {
    "validation": "network = skdeep.networks.MLP(dropout_rate=0.5)\n"
    "model = skdeep.DeepClassifier(network=network, early_stopping=True, optimizer='schedule_free_adamw', **settings).fit(X, y)",
    "convolution": "layers = [('conv', {'features': 2}), 'relu', 'max_pool']\n"
    "model = skdeep.DeepRegressor(network=layers, input_shape=(2, 2, 1), **settings).fit(X, y)",
    "float64": "model = skdeep.MLPClassifier(max_iter=4, random_state=0)\nwarnings.simplefilter('ignore')\nmodel.fit(X, y)",
    "lbfgs": "model = skdeep.MLPRegressor(solver='lbfgs', max_iter=4)\nwarnings.simplefilter('ignore')\nmodel.fit(X, y)",
}


IN_THE_QUICK_RUN = ("validation", "processor", "settings")
"""Each case starts two processes: of the others, the campaign does."""


def cases(names):
    return [name if name in IN_THE_QUICK_RUN else pytest.param(name, marks=pytest.mark.campaign) for name in names]


@pytest.mark.parametrize("name", cases(ESTIMATORS))
def test_results_have_the_same_bits(run, name, tmp_path):
    fit = f"np.random.seed(0)\n{ESTIMATORS[name]}"
    first = run(tmp_path / "programs", fit)
    assert max(compiles for _, compiles in first[1].values()) == 1
    assert run(tmp_path / "programs", fit)[:2] == [first[0], {}]


OTHERS = {
    "flags": {"variables": {"XLA_FLAGS": "--xla_backend_optimization_level=1"}},
    "settings": {"before": "jax.config.update('jax_enable_x64', True)"},
    "two devices": {"variables": {"XLA_FLAGS": "--xla_force_host_platform_device_count=2"}},
    "processor": {"before": "from skdeep.core.disk import environment\nenvironment.processor = lambda: ['other']"},
}


@pytest.mark.parametrize("name", cases(OTHERS))
def test_nothing_is_loaded_elsewhere(run, filled, folder, name):
    case = OTHERS[name]
    counts = run(folder, before=case.get("before", ""), **case.get("variables", {}))[1]
    assert counts["train_block"] == [1, 1]


@pytest.mark.campaign
def test_the_second_of_two_devices(run, tmp_path):
    flags = {"XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
    fit = "with jax.default_device(jax.devices()[{}]):\n    model = skdeep.DeepClassifier(**settings).fit(X, y)"
    digest = run(tmp_path / "programs", fit.format(1), **flags)[0]
    assert run(tmp_path / "programs", fit.format(0), **flags)[1]["train_block"] == [1, 1]
    for index in (0, 1):
        assert run(tmp_path / "programs", fit.format(index), **flags)[:2] == [digest, {}]


def test_an_executable_that_cannot_be_loaded_is_replaced(run, filled, folder):
    """The digests are right, but the content is no program."""
    for file in stored_files(folder):
        entries.write_entry(folder, file.path.stem, b"\x80\x04\x8c\x01x\x94.")
    digest, counts, _ = run(folder)
    assert (digest, counts) == (filled[1][0], filled[1][1])
    assert run(folder)[:2] == [digest, {}]


@pytest.mark.campaign
def test_a_removed_executable_is_compiled_again(run, filled, folder):
    for file in stored_files(folder):
        if file.n_bytes > 50_000:
            file.path.unlink()
    digest, counts, _ = run(folder)
    assert digest == filled[1][0]
    assert counts["train_block"] == [1, 1]


@pytest.mark.campaign
def test_programs_of_jaxs_own_cache_are_not_stored(run, filled, folder, tmp_path):
    """XLA would write them without a part of their code."""
    before = f"jax.config.update('jax_compilation_cache_dir', {str(tmp_path / 'jax')!r})\n"
    before += "jax.config.update('jax_persistent_cache_min_compile_time_secs', 0)"
    for directory, n_runs in ((tmp_path / "unused", 1), (folder, 2)):
        program_folder.made_private(directory)
        for file in stored_files(directory):
            file.path.unlink()
        for _ in range(n_runs):
            assert run(directory, before=before)[0] == filled[1][0]


OWN = """
import flax.linen as nn
FACTOR = {factor}

class Net(skdeep.Module):
    n_outputs: int | None = None

    @nn.compact
    def __call__(self, x):
        return FACTOR * nn.Dense(self.n_outputs)(nn.relu(nn.Dense(4)(x)))
"""
OWN_FIT = "model = skdeep.DeepClassifier(network=Net(), **settings).fit(X, y)"


def test_code_of_users_is_traced_and_found_by_its_text(run, tmp_path):
    first = run(tmp_path / "programs", OWN_FIT, OWN.format(factor=1.0))
    assert first[1]["train_block"] == [1, 1]
    again = run(tmp_path / "programs", OWN_FIT, OWN.format(factor=1.0))
    assert again[0] == first[0]
    assert again[1]["train_block"] == [1, 0]
    other = run(tmp_path / "programs", OWN_FIT, OWN.format(factor=2.0))
    assert other[0] != first[0]
    assert other[1]["train_block"] == [1, 1]


PLUGIN = """
import skdeep.losses

class Scaled(skdeep.losses.CrossEntropy):
    def __call__(self, raw, target):
        return {factor} * super().__call__(raw, target)
"""


@pytest.mark.campaign
def test_an_edited_plugin(run, tmp_path):
    fit = "import acme\nmodel = skdeep.DeepClassifier(loss=acme.Scaled(), **settings).fit(X, y)"
    path = os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH")]))
    found = []
    for factor in (1.0, 1.0, 3.0):
        (tmp_path / "acme.py").write_text(PLUGIN.format(factor=factor))
        found.append(run(tmp_path / "programs", fit, PYTHONPATH=path))
    assert [counts["train_block"] for _, counts, _ in found] == [[1, 1], [1, 0], [1, 1]]
    assert found[0][0] == found[1][0] != found[2][0]


def test_a_program_for_several_devices(run, tmp_path):
    before = "import jax; jax.config.update('jax_num_cpu_devices', 4)"
    found = {}
    for devices in ("[0, 1]", "[0, 1]", "[2, 1]"):
        fit = f"model = skdeep.DeepClassifier(**settings, device={devices}).fit(X, y)"
        digest, counts, _ = run(tmp_path / "programs", fit, before)
        found.setdefault(devices, []).append((digest, counts.get("train_block")))
    first, again = found["[0, 1]"]
    assert first[0] == again[0] == found["[2, 1]"][0][0]
    assert (first[1], again[1], found["[2, 1]"][0][1]) == ([1, 1], None, [1, 1])


def test_a_changed_class_of_skdeep_is_not_mixed_up(run, filled, folder):
    """A subclass in the user's code has the name of the class of skdeep."""
    before = """
class CrossEntropy(skdeep.losses.CrossEntropy):
    def __call__(self, raw, target):
        return 2.0 * super().__call__(raw, target)
CrossEntropy.__module__ = "skdeep.losses"
"""
    fit = "model = skdeep.DeepClassifier(loss=CrossEntropy(), **settings).fit(X, y)"
    digest, counts, _ = run(folder, fit, "import skdeep.losses" + before)
    assert counts["train_block"] == [1, 1]
    assert digest != filled[1][0]


@pytest.mark.campaign
def test_processes_share_a_folder(run, filled, tmp_path):
    """They compile at the same time, and write the same entries."""
    environment = {**os.environ, VARIABLE: str(tmp_path / "programs")}
    command = [sys.executable, "-W", "error", "-c", FIT.format(before="", fit=DEFAULT)]
    processes = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    try:
        outputs = [process.communicate(timeout=LIMIT)[0] for process in processes]
    finally:
        for process in processes:
            process.send_signal(signal.SIGKILL)
            process.wait()
    assert {json.loads(output)[0] for output in outputs} == {filled[1][0]}
    assert run(tmp_path / "programs")[:2] == [filled[1][0], {}]


# The following tests run in this process.


@pytest.fixture
def on_disk(tmp_path, monkeypatch):
    """Switch the folder on, and return it."""
    monkeypatch.setenv(VARIABLE, str(tmp_path / "here"))
    monkeypatch.setattr(compile_cache, "_warned", set())
    skdeep.clear_cache()
    yield tmp_path / "here"
    skdeep.clear_cache()


def called_after_forgetting(program, *arguments):
    """Return the output of a program that memory no longer holds, and how often it was compiled."""
    skdeep.clear_cache()
    output = program(*arguments)
    return output, skdeep.compile_counts()[program.name].compiles


X = np.arange(3, dtype=np.float32)


def test_in_one_process(on_disk):
    program = Program(lambda x: x + 1, "plus")
    for compiles in (1, 0, 0):
        output, found = called_after_forgetting(program, X)
        np.testing.assert_array_equal(output, X + 1)
        assert found == compiles
    assert len(stored_files(on_disk)) == 1


HARMS = {
    "truncated": lambda data: data[: len(data) // 2],
    "damaged": lambda data: data[:-100] + b"x" + data[-99:],
    "emptied": lambda data: b"",
    "foreign": lambda data: b"\x80\x04N.",
}


@pytest.mark.parametrize("harm", HARMS)
def test_harmed_entries_are_replaced(on_disk, harm):
    program = Program(lambda x: x + 1, "plus")
    program(X)
    (file,) = stored_files(on_disk)
    file.path.write_bytes(HARMS[harm](file.path.read_bytes()))
    for compiles in (1, 0):
        output, found = called_after_forgetting(program, X)
        np.testing.assert_array_equal(output, X + 1)
        assert found == compiles


def test_exchanged_entries_are_replaced(on_disk):
    programs = [Program(lambda x, k=k: x + k, f"plus{k}") for k in (1, 2)]
    for program in programs:
        program(X)
    first, second = (file.path for file in stored_files(on_disk))
    data = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(data)
    for k, program in enumerate(programs, 1):
        output, compiles = called_after_forgetting(program, X)
        np.testing.assert_array_equal(output, X + k)
        assert compiles == 1


def test_a_changed_global(on_disk):
    for added in (1.0, 2.0):
        program = Program(lambda x, added=added: x + added, "plus")
        np.testing.assert_array_equal(called_after_forgetting(program, X)[0], X + added)


def test_programs_that_call_back_are_not_stored(on_disk):
    for factor in (2, 3):
        program = Program(
            lambda x, factor=factor: jax.pure_callback(lambda x: factor * x, jax.ShapeDtypeStruct((3,), "float32"), x),
            "back",
        )
        output, compiles = called_after_forgetting(program, X)
        np.testing.assert_array_equal(output, factor * X)
        assert compiles == 1
    assert stored_files(on_disk) == []


def test_donation_is_part_of_the_key(on_disk):
    for donate in ((), (0,), ()):
        given = jnp.asarray(X)
        called_after_forgetting(Program(lambda x: x + 1, "plus", donate=donate), given)
        assert given.is_deleted() == bool(donate)


def test_a_full_disk_warns_once(on_disk, monkeypatch):
    def fail(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(entries, "write_atomically", fail)
    program = Program(lambda x: x + 1, "plus")
    with pytest.warns(RuntimeWarning, match="could not be stored in .* No space left on device"):
        np.testing.assert_array_equal(called_after_forgetting(program, X)[0], X + 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(called_after_forgetting(program, X)[0], X + 1)


def test_a_read_only_folder_is_read(on_disk, monkeypatch):
    program = Program(lambda x: x + 1, "plus")
    program(X)
    monkeypatch.setattr(os, "utime", lambda *_: (_ for _ in ()).throw(PermissionError))
    assert called_after_forgetting(program, X)[1] == 0


def refuse(x):
    raise LeftAloneError("conv")


def test_the_refusal_of_a_program(on_disk, monkeypatch):
    """It is stored only with a key by structure, so the test gives this function one."""
    monkeypatch.setattr(programs_on_disk, "structure_key", lambda *_: "f" * 64)
    program = Program(refuse, "refuse")
    assert program.prepared(X) is None
    assert skdeep.compile_counts()["refuse"].traces == 1
    skdeep.clear_cache()
    assert program.prepared(X) is None
    assert "refuse" not in skdeep.compile_counts()
    with pytest.raises(LeftAloneError, match="conv"):
        program(X)


def test_nothing_is_stored_under_a_structure_if_packages_changed_since(on_disk, monkeypatch):
    """The trace may be of code that is not part of the key, for example if Flax was replaced before it was loaded."""
    key = "f" * 64
    with monkeypatch.context() as changed:
        changed.setattr(programs_on_disk.environment, "of_traced", lambda: None)
        programs_on_disk.store_value(key, 1)
        assert programs_on_disk.load_value(key) is None
    programs_on_disk.store_value(key, 1)
    assert programs_on_disk.load_value(key) == 1


def test_memory_that_is_too_small_warns(on_disk, monkeypatch):
    def fail(*_, **__):
        raise MemoryError

    monkeypatch.setattr(entries, "write_atomically", fail)
    with pytest.warns(RuntimeWarning, match="could not be stored in .*: MemoryError. Training goes on"):
        np.testing.assert_array_equal(called_after_forgetting(Program(lambda x: x + 1, "plus"), X)[0], X + 1)


def test_a_traced_function_of_users_is_not_stored(on_disk):
    function = TracedFunction(lambda x: x + 1, "plus")
    np.testing.assert_array_equal(function(X), X + 1)
    assert stored_files(on_disk) == []


def test_off(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, "0")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    Program(lambda x: x + 1, "plus")(X)
    assert list(Path(tmp_path).iterdir()) == []


def test_fork_after_a_loaded_program_is_refused(run, filled, folder):
    fit = (
        DEFAULT
        + "\nimport os\npid = os.fork()\nif pid == 0:\n    try:\n        skdeep.DeepClassifier(**settings).fit(X, y)\n"
    )
    fit += "    except RuntimeError as err:\n        os._exit(7 * ('forked' in str(err)))\n    os._exit(1)\n"
    fit += "assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7"
    assert run(folder, fit, "warnings.simplefilter('ignore')")[1] == {}
