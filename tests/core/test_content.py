"""Values are written by name and content: equal for equal values, different for others."""

from __future__ import annotations

import enum
import math
import subprocess
import sys
import types

import jax.numpy as jnp
import numpy as np
import pytest

from skdeep.core.content import (
    CODE_ATTRIBUTES,
    digest_of,
    distribution_version,
    name_of,
    version_of,
    written,
)


class Color(enum.Enum):
    RED = 1
    BLUE = 2


class Word(enum.StrEnum):
    A = "a"


class OtherWord(enum.StrEnum):
    A = "a"


class Text(str):
    pass


def functions_of_one_name():
    return [lambda x: x + 1, lambda x: x + 2, lambda x, y=1: x + 1, lambda x, *, y=1: x + 1]


VALUES = [
    None, ..., True, 1, 1.0, -0.0, 0.0, "1", b"1", (), (1,), [1, 2], {"a": 1}, {"a": 2}, frozenset(), frozenset({1}),
    [frozenset({1, 2}), frozenset()], [frozenset({1}), frozenset({2})], Color.RED, Color.BLUE, np, sys,
    np.dtype("f4"), np.dtype("f8"), np.float32(1), np.float64(2), np.arange(3), np.arange(3.0), np.zeros((1, 3)), len, print,
    int, Color, *functions_of_one_name(), Word.A, OtherWord.A, "a", Text("a"), ["a", 1], ("a", 1), {"b": 1, "a": 1}, {"a": 1, "b": 1},
    {1}, {"a"}, {1: "a"}, {"1": "a"}, math.nan, -math.nan, complex(0, -0.0), 0j, range(2), range(3), slice(2), slice(2.0),
    np.array(1.0), np.array([1.0]), np.float64(1), np.ma.array([1, 2], mask=[0, 1]), np.ma.array([1, 2], mask=[1, 0]),
    [].append, [1].append, "a".upper, "b".upper, np.dtype("M8[s]"), np.dtype("M8[ms]"), jnp.tanh, jnp.tanh.__wrapped__,
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


WITHOUT_EFFECT = {
    "co_filename", "co_firstlineno", "co_linetable", "co_lnotab", "co_lines", "co_positions", "co_branches",  # places in files
    "co_nlocals", "co_stacksize", "_co_code_adaptive",  # follow from the others
}  # fmt: skip


def test_every_attribute_of_code_is_written_or_has_no_effect():
    found = {name for name in dir(types.CodeType) if name.startswith(("co_", "_co"))}
    assert set(CODE_ATTRIBUTES) <= found
    assert found - set(CODE_ATTRIBUTES) <= WITHOUT_EFFECT


def guarded(x, *, y=1):
    try:
        return [x, y, lambda z: (x, z)]
    except ValueError:
        return None


CHANGES = {
    "co_code": guarded.__code__.co_code[:-2] + bytes(2),
    "co_consts": (*guarded.__code__.co_consts, 1),
    "co_names": ("TypeError",),
    "co_varnames": ("x", "v"),
    "co_freevars": ("f",),
    "co_cellvars": ("x", "c"),
    "co_flags": guarded.__code__.co_flags | 32,
    "co_argcount": 0,
    "co_posonlyargcount": 1,
    "co_kwonlyargcount": 0,
    "co_exceptiontable": b"",
    "co_name": "other",
    "co_qualname": "Other.guarded",
}


@pytest.mark.parametrize("name", CODE_ATTRIBUTES)
def test_each_attribute_of_code_decides_its_digest(name):
    code = guarded.__code__.replace(**{name: CHANGES[name]})
    assert digest_of([code]) != digest_of([guarded.__code__])


def test_places_in_files_do_not_decide_the_digest_of_code():
    code = guarded.__code__
    moved = code.replace(co_filename="other.py", co_firstlineno=code.co_firstlineno + 5)
    assert digest_of([moved]) == digest_of([code])
