"""Rows that are split over several devices: placed, gathered and read in order as on one device."""

from __future__ import annotations

import json

import jax.numpy as jnp
import numpy as np
import pytest

from skdeep.core.placement import Placement
from skdeep.core.sharding import divisible, neighbours, of_results, sharding_of, split_of, taken, with_rows_split

# 4 virtual devices, in a process of their own because their number is set before JAX starts. 24 rows are 8 on each of 3 devices.
ON_DEVICES = """
import json, jax
jax.config.update("jax_num_cpu_devices", 4)
import numpy as np
from skdeep.core.placement import Placement
from skdeep.core.programs import Program
from skdeep.core.sharding import divisible, neighbours, split_of, taken, with_batches_split, with_rows_split

x = {"a": np.arange(48, dtype=np.float32).reshape(24, 2), "b": np.arange(24, dtype=np.int32)}
x["a"][3] = np.nan
index = np.random.default_rng(0).integers(0, 24, (5, 6)).astype(np.int32)
take = Program(lambda rows, index: taken(rows, index), name="take")
near = Program(lambda rows, first: neighbours(rows, first, 6), name="near")
found = {}
for devices in ((0, 1), (3, 1), (0, 1, 2), (0, 1, 2, 3)):
    with Placement("cpu", devices).active():
        rows = with_rows_split(x)
        shards = [shard.data.shape[0] for shard in rows["b"].addressable_shards]
        batches = with_batches_split(np.zeros((5, 12)))
        result = {
            "shards": shards,
            "batches": [shard.data.shape[1] for shard in batches.addressable_shards],
            "split": tuple(split_of(rows["b"])),
            "divisible": divisible(25),
        }
        for name, of in (("split", rows), ("copied", x)):
            got = take(of, index)
            result["take " + name] = all(np.array_equal(got[k], x[k][index], equal_nan=True) for k in x)
            result["odd " + name] = np.array_equal(take(of, index[:, :5])["b"], x["b"][index[:, :5]])
            result["near " + name] = np.array_equal(near(of, np.int32(7))["b"], x["b"][7:13])
        few = {"b": x["b"][:23]}
        result["few"] = np.array_equal(take(few, np.minimum(index, 22))["b"], np.minimum(index, 22))
        result["device"] = Placement("cpu", devices).device.id
        found[str(devices)] = result
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def on_devices(forks):
    done = forks.run(ON_DEVICES)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("devices", [(0, 1), (3, 1), (0, 1, 2), (0, 1, 2, 3)], ids=str)
def test_split_rows_are_taken_as_from_one_array(on_devices, devices):
    n = len(devices)
    assert on_devices[str(devices)] == {
        "shards": [24 // n] * n,
        "batches": [12 // n] * n,
        "split": ["data"],
        "divisible": -(-25 // n) * n,
        **{f"{what} {how}": True for how in ("split", "copied") for what in ("take", "odd", "near")},
        "few": True,
        "device": devices[0],
    }


def test_on_one_device_nothing_is_split():
    x = np.arange(12, dtype=np.float32).reshape(6, 2)
    with Placement("cpu").active():
        assert with_rows_split(x) is x
        assert divisible(7) == 7
        assert sharding_of(x) is split_of(x) is of_results() is None
        np.testing.assert_array_equal(taken(jnp.asarray(x), jnp.array([[1, 0]])), x[[[1, 0]]])
        np.testing.assert_array_equal(neighbours(x, jnp.int32(2), 3), x[2:5])
