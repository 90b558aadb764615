"""Fits on several devices equal fits on one, up to rounding. The devices are virtual ones of the CPU, in a process of their own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from on_several_devices import CASES, DEVICES
from sklearn.utils._param_validation import InvalidParameterError

from skdeep import DeepClassifier, MLPClassifier
from skdeep.estimators.devices import placement_named

TOLERANCE = 2e-5
"""Sums over several devices are rounded in another order; three epochs of Adam make that at most about ten times larger."""


@pytest.fixture(scope="module")
def differences(forks):
    done = forks.run(
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\nimport on_several_devices as d\nd.main([])"
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("case", CASES)
def test_several_devices_equal_one(differences, case):
    assert differences[case].keys() <= DEVICES.keys()
    assert differences[case]["all"] < TOLERANCE
    assert max(differences[case].values()) < TOLERANCE


@pytest.mark.parametrize("kind", [DeepClassifier, MLPClassifier])
@pytest.mark.parametrize(
    ("device", "message"),
    [
        (0, "must be a str among .* an int in the range \\[1, inf\\)"),
        (True, "must be a number of devices. Got True instead."),
        ([], "must be a list of different numbers of devices, counted from 0, such as \\[0, 1\\]. Got \\[\\] instead."),
        ([0, 0], "must be a list of different numbers of devices"),
        (["cpu"], "must be a list of different numbers of devices"),
        (
            [1],
            r"asks for devices that JAX does not have. Got \[1\], but there are 1 here, counted from 0: 'cpu' \(",
        ),
        (2, "asks for devices that JAX does not have. Got 2, but there are 1 here"),
    ],
)
def test_wrong_devices(kind, device, message):
    with pytest.raises(InvalidParameterError, match=f"The 'device' parameter of {kind.__name__} {message}"):
        kind(device=device).fit([[0.0], [1.0]] * 10, [0, 1] * 10)


@pytest.mark.parametrize("device", ["all", 1, [0], (0,)])
def test_one_device_is_one_however_it_is_named(device):
    assert placement_named("Owner", device) == placement_named("Owner", "auto")
