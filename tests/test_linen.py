"""Linen's conventions: arguments of a module's call, its fields, and its copies."""

from __future__ import annotations

import subprocess
import sys

import flax.linen as nn
import pytest

import skdeep
from skdeep import contract, linen


class Told(nn.Module):
    """Takes all arguments that a module may take."""

    def __call__(self, x, train, training, is_training, deterministic, use_running_average, row_mask, step_mask):
        return x


class Sized(nn.Module):
    width: int = 3
    n_outputs: int | None = None

    @nn.compact
    def __call__(self, x):
        return nn.Dense(self.n_outputs)(x)


@pytest.mark.parametrize("train", [True, False])
def test_call_arguments(train):
    masks = {"row_mask": "rows", "step_mask": "steps"}
    assert linen.call_arguments(Told(), train, "rows", "steps") == {
        "train": train,
        "training": train,
        "is_training": train,
        "deterministic": not train,
        "use_running_average": not train,
        **masks,
    }
    assert linen.call_arguments(nn.Dense(3), train, "rows", "steps") == {}
    assert linen.call_arguments(nn.Dropout(0.5), train, "rows", "steps") == {"deterministic": not train}


@pytest.mark.parametrize("deterministic", [True, False])
def test_a_flag_that_is_a_field_is_not_passed_again(deterministic):
    assert linen.call_arguments(nn.Dropout(0.5, deterministic=deterministic), True, None) == {}


def test_plugins_find_call_arguments_in_the_contract():
    assert contract.call_arguments is linen.call_arguments


@pytest.mark.parametrize(
    ("module", "takes_mask", "is_told"),
    [(Told(), True, True), (nn.Dense(3), False, False), (nn.BatchNorm(), False, True)],
)
def test_call_flags_that_a_module_takes(module, takes_mask, is_told):
    assert (linen.takes_step_mask(module), linen.is_told_of_training(module)) == (takes_mask, is_told)


@pytest.mark.parametrize(
    ("value", "is_class"),
    [(nn.Dense, True), (Sized, True), (skdeep.Module, True), (Sized(), False), (int, False), (skdeep.Layer, False)],
)
def test_is_linen_class(value, is_class):
    assert linen.is_linen_class(value) is is_class


@pytest.mark.parametrize("module", [Sized, Sized(name="mine")])
def test_fields(module):
    assert [field.name for field in linen.constructor_fields(module)] == ["width", "n_outputs", "name"]
    assert [field.name for field in linen.user_fields(module)] == ["width", "n_outputs"]


def test_copies():
    module = Sized(width=5, name="mine")
    for copy in (linen.made_anew(module), linen.copied(module)):
        assert copy is not module
        assert (copy.width, copy.n_outputs, copy.name) == (5, None, "mine")
    assert linen.copied(module, width=6).width == 6
    assert linen.with_fields(module, {"width": 7}).width == 7
    with pytest.raises(ValueError, match="Invalid field 'widht' for Sized. Did you mean 'width'?"):
        linen.with_fields(module, {"widht": 7})


@pytest.mark.parametrize(("given", "filled"), [(None, 2), (4, 4)])
def test_with_outputs(given, filled):
    assert linen.with_outputs(Sized(n_outputs=given), 2).n_outputs == filled


def test_with_outputs_of_a_module_without_the_field():
    assert linen.with_outputs(nn.Dense(3), 2).features == 3


def test_the_file_alone_loads_neither_flax_nor_jax():
    script = "import sys, skdeep.linen; print(sorted({'flax', 'jax'} & set(sys.modules)))"
    assert subprocess.check_output([sys.executable, "-c", script], text=True).strip() == "[]"
