"""Values are written by name and content: equal for equal values, different for others."""

from __future__ import annotations

import enum
import subprocess
import sys

import numpy as np
import pytest

from skdeep.core.content import digest_of, distribution_version, name_of, version_of, written


class Color(enum.Enum):
    RED = 1
    BLUE = 2


def functions_of_one_name():
    return [lambda x: x + 1, lambda x: x + 2, lambda x, y=1: x + 1, lambda x, *, y=1: x + 1]


VALUES = [
    None, ..., True, 1, 1.0, -0.0, 0.0, "1", b"1", (), (1,), [1, 2], {"a": 1}, {"a": 2}, frozenset(), frozenset({1}),
    [frozenset({1, 2}), frozenset()], [frozenset({1}), frozenset({2})], Color.RED, Color.BLUE, np, sys,
    np.dtype("f4"), np.dtype("f8"), np.float32(1), np.float64(2), np.arange(3), np.arange(3.0), np.zeros((1, 3)), len, print,
    int, Color, *functions_of_one_name(),
]  # fmt: skip


def test_other_values_have_other_digests():
    digests = [digest_of([value]) for value in VALUES]
    assert len(set(digests)) == len(VALUES)
    assert digests == [digest_of([value]) for value in VALUES]


def test_nesting_is_written():
    assert digest_of([(1, 2), 3]) != digest_of([(1,), 2, 3])
    assert digest_of(["a;b"]) != digest_of(["a", "b"])


def test_equal_in_all_processes():
    script = "from skdeep.core.content import digest_of; print(digest_of([{'b', 'a', 'c'}, {'y': 1, 'x': 2}, len, lambda x: x]))"
    command = [sys.executable, "-c", script]
    found = {
        subprocess.check_output(command, env={**__import__("os").environ, "PYTHONHASHSEED": seed}, timeout=300)
        for seed in ("1", "2")
    }
    assert len(found) == 1


def test_values_without_a_name():
    with pytest.raises(TypeError, match="which has no name"):
        list(written(object()))
    assert name_of(len) == "builtins.len"


def test_versions():
    assert version_of("jax.numpy") == distribution_version("jax") != ""
    assert version_of("sklearn.base") == distribution_version("scikit-learn") != ""
    assert version_of("skdeep.core") == version_of("os.path") == version_of("__main__") == ""
    assert distribution_version("no-such-package") == ""
