"""All pairs of these values differ for a program in some way, so each has a digest of its own, or has no key on disk."""

from __future__ import annotations

import collections
import datetime
import enum
import functools
import math
import struct
import types

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest

from skdeep.core.content import digest_of
from skdeep.core.disk.structure import ForeignCodeError, _check_atoms, written_structure
from skdeep.core.fingerprint import atoms_of
from skdeep.layers import Activation, Dense
from skdeep.losses import CrossEntropy, Huber
from skdeep.records import InputSpec, Task

OTHER_NAN = struct.unpack("<d", struct.pack("<Q", 0x7FF8000000000001))[0]
NEGATIVE_NAN = struct.unpack("<d", struct.pack("<Q", 0xFFF8000000000000))[0]
LONG = np.arange(2000)
OTHER_LONG = np.where(LONG == 1000, 0, LONG)

Pair = collections.namedtuple("Pair", "a b")
OtherPair = collections.namedtuple("OtherPair", "a b")


class Text(str):
    pass


class Number(int):
    pass


class Real(float):
    pass


class Items(list):
    pass


class Text1(str, enum.Enum):  # noqa: UP042 # a StrEnum is another kind
    A = "a"


class Text2(str, enum.Enum):  # noqa: UP042 # as above
    A = "a"


class Int1(enum.IntEnum):
    A = 1


class Int2(enum.IntEnum):
    A = 1


class Float1(float, enum.Enum):
    A = 1.0


class Plain1(enum.Enum):
    A = 1
    B = 2


class Plain2(enum.Enum):
    A = 1


class Flag(enum.Flag):
    A = 1
    B = 2


class Labelled(np.ndarray):
    pass


def labelled(label):
    array = np.arange(3).view(Labelled)
    array.label = label
    return array


def aligned(dtype):
    return np.dtype([("a", "i1"), ("b", dtype)], align=True)


PLAIN = [
    None, ..., True, False, 0, 1, 2, -1, 0.0, -0.0, 1.0, math.inf, -math.inf, math.nan, OTHER_NAN, NEGATIVE_NAN, 5e-324,
    0j, complex(0.0, -0.0), complex(-0.0, 0.0), 1 + 0j, complex(math.nan, 0), complex(OTHER_NAN, 0),
    "", "1", "a", "True", "None", "b'a'", "'a'", "\ud800", b"", b"1", b"a", bytearray(b"a"), 10**40, 10**40 + 1,
    Text("a"), Number(1), Real(1.0),
]  # fmt: skip
CONTAINERS = [
    (), [], {}, set(), frozenset(), (1,), [1], {1}, frozenset({1}), {1: 1}, (1, 1), [1, 1], ((1,), 1), (1, (1,)), ((1, 1),), ([1],), [(1,)],
    {"a": 1, "b": 2}, {"b": 2, "a": 1}, {"a": 1}, {"a": 1.0}, {"a": True}, {1: "a"}, {"1": "a"}, ("a", 1), ["a", 1],
    frozenset({True}), frozenset({1.0}), frozenset({"a"}), frozenset({"a", "b"}), (frozenset({1, 2}), frozenset()),
    (frozenset({1}), frozenset({2})), frozenset({frozenset({1, 2})}), frozenset({(1, 2)}), frozenset({(2, 1)}),
    Pair(1, 2), OtherPair(1, 2), (1, 2), Items([1]), types.MappingProxyType({"a": 1}), types.SimpleNamespace(a=1),
    collections.OrderedDict(a=1), collections.Counter(a=1), collections.defaultdict(int, a=1), collections.defaultdict(float, a=1),
    collections.deque([1]), collections.deque([1], 1), collections.deque([1], 2),
]  # fmt: skip
SPANS = [
    range(2), range(3), range(0, 4, 2), range(0, 4, 3), range(10**6), range(10**6 + 1), slice(2), slice(0, 2), slice(0, 2, 1),
    slice(2.0), slice(True), slice(1), slice("a"), slice(LONG), slice(OTHER_LONG), slice(np.int64(2)), slice(np.int32(2)), slice((2,)),
]  # fmt: skip
SCALARS = [
    *[getattr(np, name)(1) for name in (
        "bool_", "int8", "int16", "int32", "int64", "longlong", "uint8", "uint64", "float16", "float32", "float64", "longdouble",
        "complex64", "complex128", "str_", "bytes_",
    )],
    np.float64(0.0), np.float64(-0.0), np.float64(math.nan), np.float64(OTHER_NAN), ml_dtypes.bfloat16(1), ml_dtypes.float8_e4m3fn(1),
    *[np.datetime64(1, unit) for unit in ("s", "ms", "us", "ns", "D", "Y")], np.datetime64("NaT", "s"), np.datetime64("NaT", "ns"),
    np.timedelta64(1, "s"), np.timedelta64(1, "ms"), datetime.timedelta(seconds=1), datetime.date(1970, 1, 2), datetime.datetime(1970, 1, 2),
]  # fmt: skip
ARRAYS = [
    *[np.arange(3).astype(dtype) for dtype in ("i4", ">i4", "i8", "u4", "f4", "f8", "c8", "S1", "U1", "m8[s]", "m8[ms]", "M8[s]")],
    np.array(1), np.array([1]), np.array([[1]]), np.array(1.0), np.array(-0.0), np.zeros((0, 3)), np.zeros((3, 0)), np.zeros((2, 3)), LONG,
    OTHER_LONG, np.array([1, 2], object), np.array([[1, 2]], object), np.array([1, 2.0], object), np.array([True, 2], object),
    np.zeros((0, 3), object), np.zeros((3, 0), object), np.ma.array([1, 2]), np.ma.array([1, 2], mask=[0, 1]),
    np.ma.array([1, 2], mask=[1, 0]), np.ma.array([1, 2], mask=[0, 1], fill_value=7), labelled(1), labelled(2),
    np.zeros(2, [("a", "i4")]), np.zeros(2, [("b", "i4")]), np.zeros(2, [("a", "f4")]), np.zeros(2, aligned("i4")),
    np.rec.array(np.zeros(2, [("a", "i4")])), np.zeros(2, ml_dtypes.bfloat16), np.zeros(2, "f2"), np.zeros(2, "V2"),
]  # fmt: skip
DTYPES = [
    *map(np.dtype, ("?", "i4", ">i4", "i8", "q", "f2", "f4", "V2", "V4", "S4", "U1", "M8", "M8[s]", "M8[ms]", "M8[25s]", "m8[s]", "O")),
    np.dtype(ml_dtypes.bfloat16), np.dtype(ml_dtypes.float8_e4m3fn), np.dtype(ml_dtypes.float8_e5m2),
    np.dtype([("a", "i4")]), np.dtype([("b", "i4")]), np.dtype([(("title", "a"), "i4")]), np.dtype([("a", "i4"), ("b", "i4")]),
    np.dtype([("b", "i4"), ("a", "i4")]), np.dtype([("a", "i1"), ("b", "i4")]), aligned("i4"), np.dtype((np.record, [("a", "i4")])),
    np.dtype([("a", ml_dtypes.bfloat16)]), np.dtype([("a", "f2")]), np.dtype([("a", "V2")]), np.dtype(("i4", (2,))), np.dtype(("i4", (1, 2))),
    np.dtype({"names": ["a"], "formats": ["i4"], "offsets": [0], "itemsize": 8}),
    np.dtype({"names": ["a"], "formats": ["i4"], "offsets": [4], "itemsize": 8}),
    np.dtype("i4", metadata={"a": 1}), np.dtype("i4", metadata={"a": 2}), np.dtype([("a", np.dtype("i4", metadata={"a": 1}))]),
    np.dtypes.StringDType(), np.dtypes.StringDType(na_object=None), np.dtypes.StringDType(na_object=1), np.dtypes.StringDType(coerce=False),
    np.float32, np.float64, np.int32, jnp.float32, jnp.bfloat16, float, int, bool,
]  # fmt: skip
OF_JAX = [
    jnp.asarray(1.0), jnp.float32(1), jnp.asarray(1), jnp.int32(1), jnp.asarray([1.0]), jnp.zeros((2, 0)),
    jnp.asarray(-0.0), jnp.asarray(0.0), jnp.asarray(True), jnp.asarray(1.0, jnp.bfloat16),
    *[jax.random.key(seed, impl=impl) for seed in (0, 1) for impl in ("threefry2x32", "rbg", "unsafe_rbg")],
    jax.random.PRNGKey(0), jax.random.key(0, impl="rbg").dtype, jax.random.key(0, impl="unsafe_rbg").dtype, jax.random.key(0).dtype,
]  # fmt: skip
MEMBERS = [
    Text1.A, Text2.A, Int1.A, Int2.A, Float1.A, Plain1.A, Plain1.B, Plain2.A, Flag.A, Flag.B, Flag.A | Flag.B, Flag(0),
    jax.lax.Precision.HIGH, jax.lax.Precision.HIGHEST,
]  # fmt: skip
OBJECTS = [
    Huber(), CrossEntropy(), Huber(delta=2.0), Dense(3), Dense(4), (Dense(3),), Activation(jnp.tanh), Activation(jnp.sin), Activation("tanh"),
    Task("binary", 1), InputSpec((3,)), len, print, math.sin, [].append, [1].append, {}.get, "a".upper, "b".upper, str.upper, bytes.upper,
    jnp.tanh, jax.nn.relu, jax.nn.silu, jax.jit(jnp.tanh, inline=True), np.add, np.sin, np.dot,
    functools.partial(len), functools.partial(len, 1), functools.partial(len, 1.0), functools.partial(len, (1,)), functools.partial(len, [1]),
    functools.partial(len, obj=1), functools.partial(len, obj=True), functools.partial(print, 1), np, math, jnp,
]  # fmt: skip
GROUPS = {
    "plain": PLAIN, "containers": CONTAINERS, "spans": SPANS, "scalars": SCALARS, "arrays": ARRAYS, "dtypes": DTYPES, "jax": OF_JAX,
    "members": MEMBERS, "objects": OBJECTS,
}  # fmt: skip
VALUES = [value for group in GROUPS.values() for value in group]


def collisions(digest):
    """Return the pairs of different values that have one digest; None is the digest of a value without one."""
    found = collections.defaultdict(list)
    for value in VALUES:
        key = digest(value)
        if key is not None and not any(value is other for other in found[key]):
            found[key].append(value)
    return [tuple(map(repr, values)) for values in found.values() if len(values) > 1]


def key_on_disk(value):
    """Return the written form of a value in a structure field, None if it has none."""
    try:
        return tuple(written_structure(functools.partial(len, value), jax.tree.structure(None)))
    except ForeignCodeError:
        return None


@pytest.mark.parametrize(
    "digest", [key_on_disk, lambda value: digest_of(atoms_of(value)), atoms_of], ids=["key", "identity", "fingerprint"]
)
def test_all_pairs_have_different_digests(digest):
    assert collisions(digest) == []
    assert [digest(value) for value in VALUES] == [digest(value) for value in VALUES]


def test_values_that_programs_often_hold_have_a_key():
    often = [
        *PLAIN[:34],
        *CONTAINERS[:35],
        *SPANS,
        *SCALARS[:16],
        *MEMBERS[-2:],
        Huber(),
        Task("binary", 1),
        len,
        np.arange(3),
    ]
    often += [
        jnp.tanh,
        jax.nn.silu,
        np.dtype("f4"),
        jnp.bfloat16,
        np.dtype(ml_dtypes.bfloat16),
        functools.partial(jnp.sum, axis=1),
    ]
    assert [value for value in often if not isinstance(value, bytearray) and key_on_disk(value) is None] == []


@pytest.mark.parametrize(
    "value",
    [
        Text("a"),
        Number(1),
        Real(1.0),
        Items([1]),
        Pair(1, 2),
        labelled(1),
        *MEMBERS[:12],
        jax.jit(jnp.tanh, inline=True),
    ],
)
def test_values_with_code_of_users_or_hidden_settings_have_no_key(value):
    assert key_on_disk(value) is None
    assert key_on_disk((1, (value,))) is None


@pytest.mark.parametrize(
    "value",
    [CONTAINERS[-7], *CONTAINERS[-5:], np.random.default_rng(0), datetime.date(1970, 1, 2), np.ma.array([1])],
)
def test_values_whose_state_only_a_pickle_shows_have_no_key(value):
    """A pickle may name code in place of the code."""
    assert key_on_disk(value) is None


@pytest.mark.parametrize(
    "atom", [Text("a"), Number(1), Real(1.0), Text1.A, Pair(1, 2), (1, (Text("a"),)), frozenset({Number(1)})]
)
def test_atoms_of_subclasses_are_refused(atom):
    with pytest.raises((ForeignCodeError, TypeError)):
        _check_atoms([atom])
