"""A placement is a device and a type of numbers; in its block, programs are traced and compiled for both."""

import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import skdeep
from skdeep.core.placement import Placement, current_placement, default_placement, placement_of
from skdeep.core.programs import Program

CPU = Placement("cpu")


def test_the_default_placement_is_on_jaxs_default_device():
    assert default_placement() == placement_of(jax.local_devices()[0])
    assert current_placement() == default_placement()
    assert default_placement(np.float64).dtype == "float64"
    assert CPU.device == jax.local_devices(backend="cpu")[0]
    assert CPU.is_cpu
    assert not Placement("gpu").is_cpu


def test_a_placement_is_active_in_its_block_and_reset_after_errors():
    double = Placement("cpu", 0, "float64")
    with pytest.raises(KeyError), double.active():
        assert current_placement() == double
        assert jnp.ones(1).dtype == np.float64
        with CPU.active():
            assert current_placement() == CPU
        assert current_placement() == double
        raise KeyError
    assert jnp.ones(1).dtype == np.float32
    assert current_placement() == default_placement()


def test_ctrl_c_while_waiting_for_several_devices_leaves_nothing_set(monkeypatch):
    class Interrupted:
        def __enter__(self):
            raise KeyboardInterrupt

        def __exit__(self, *_):
            pass

    monkeypatch.setattr("skdeep.core.placement._several_devices", Interrupted())
    monkeypatch.setattr(Placement, "n_devices", 2)
    with pytest.raises(KeyboardInterrupt), Placement("cpu", 0, "float64").active():
        pass
    assert current_placement() == default_placement()
    assert jnp.zeros(1).dtype == np.float32
    assert not jax.config.jax_enable_x64


def test_a_device_that_does_not_exist_raises():
    with pytest.raises(
        RuntimeError, match=r"There is no cpu device number 99 in this process, which has \d+, counted from 0\."
    ):
        _ = Placement("cpu", 99).device


def test_a_placement_can_be_pickled():
    assert pickle.loads(pickle.dumps(CPU)) == CPU


def test_the_placement_is_part_of_a_programs_key():
    skdeep.clear_cache()
    program = Program(lambda x: x + 1, name="of_a_placement")
    for placement in (CPU, Placement("cpu", 0, "float64"), CPU):
        with placement.active():
            program(np.ones(3, np.float32))
    assert skdeep.compile_counts()["of_a_placement"].traces == 2
