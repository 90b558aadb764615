"""The options of XLA follow from a program's structure, and programs with other options are other programs."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import skdeep
from skdeep import DeepClassifier
from skdeep.core import programs
from skdeep.core.cpu import rewriting
from skdeep.core.cpu.compile_options import QUICK, compile_options
from skdeep.core.disk.executables import compile_now
from skdeep.core.placement import Placement
from skdeep.core.programs import Program
from skdeep.networks import CNN, GRU, MLP

rng = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def no_options_of_the_tests(monkeypatch):
    """The tests set these options for all programs, and options of the user stay."""
    monkeypatch.setenv("XLA_FLAGS", "")


@pytest.fixture
def options_used(monkeypatch):
    """Return a dict of the options with which each program was compiled, by its name."""
    used = {}

    def compile_noted(lowered, options):
        used[lowered.as_text().split("@jit_")[1].split()[0]] = options
        return compile_now(lowered, options)

    skdeep.clear_cache()
    monkeypatch.setattr(programs, "compile_now", compile_noted)
    return used


def fit(network, *shape, **params):
    X = rng.normal(size=shape).astype(np.float32)
    DeepClassifier(network=network, max_epochs=1, tol=None, random_state=0, **params).fit(X, np.arange(len(X)) % 2)


def test_convolutions_and_loops_are_compiled_quickly():
    assert compile_options({"add", "conv_general_dilated"}, False) == QUICK
    assert compile_options({"scan", "dot_general"}, False) == QUICK
    assert compile_options({"add", "dot_general"}, False) == {}


def test_brief_programs_are_compiled_quickly():
    assert compile_options({"add", "dot_general"}, True) == QUICK


def test_accelerators_get_no_options(monkeypatch):
    monkeypatch.setattr("skdeep.core.cpu.compile_options.current_placement", lambda: Placement("cuda"))
    assert compile_options({"scan"}, True) == {}


def test_options_of_the_user_stay(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "--xla_backend_optimization_level=2")
    assert compile_options({"scan"}, False) == {"xla_cpu_use_fusion_emitters": False}


@pytest.mark.parametrize("network", [CNN((2,)), GRU(2)], ids=["cnn", "gru"])
def test_networks_whose_steps_are_not_slowed(network, options_used):
    fit(network, 8, 6, *([4, 1] if isinstance(network, CNN) else [2]))
    assert options_used["train_block"] == QUICK


@pytest.mark.parametrize(
    ("n_rows", "widths", "params", "is_brief"),
    [
        (150, (128, 128), {}, True),
        (150, (256, 256), {}, False),
        (5000, (8,), {}, False),
        (500, (8,), {}, True),
        (500, (8,), {"batch_size": 32}, False),
    ],
)
def test_few_rows_and_small_networks_are_brief(n_rows, widths, params, is_brief, options_used):
    fit(MLP(widths), n_rows, 4, **params)
    assert options_used["train_block"] == (QUICK if is_brief else {})


def test_all_blocks_of_a_training_have_the_same_options(options_used):
    """Bits depend on the options, so a training that is continued, with blocks of another length, must have the same ones."""
    seen = []
    for checkpoint in (None, skdeep.Checkpoint(every_epochs=1)):
        skdeep.clear_cache()
        fit(MLP((8,)), 150, 4, checkpoint=checkpoint)
        seen.append(options_used.pop("train_block"))
    assert seen == [QUICK, QUICK]


def test_programs_of_one_text_with_other_options_are_compiled_apart():
    def doubled(x):
        return 2 * x

    one, other = Program(doubled, "doubled"), Program(doubled, "doubled", is_brief=lambda x: True)
    skdeep.clear_cache()
    for program in (one, other, one, other):
        assert program(np.float32(3)) == 6
    assert skdeep.compile_counts()["doubled"] == (2, 2)


def test_an_option_that_xla_does_not_know_is_left_out():
    lowered = jax.jit(lambda x: x + 1).lower(np.float32(1))
    compiled, _ = compile_now(lowered, {"xla_no_such_option": True})
    assert compiled(jnp.float32(1)) == 2


def test_other_errors_of_compiling_are_raised():
    lowered = jax.jit(lambda x: x + 1).lower(np.float32(1))
    with pytest.raises(jax.errors.JaxRuntimeError, match="level"):
        compile_now(lowered, {"xla_backend_optimization_level": 10**12})


def test_operations_are_noted_before_they_are_rewritten():
    def smoothed(x):
        return jnp.convolve(x, jnp.ones(3), mode="same")

    with rewriting.noted_operations() as names:
        jax.make_jaxpr(rewriting.rewritten_for_cpu(smoothed))(jnp.ones(8))
    assert "conv_general_dilated" in names
    jax.make_jaxpr(rewriting.rewritten_for_cpu(jnp.sin))(1.0)
    assert "sin" not in names
