"""The bytes of a model file: everything that is not exactly what was written is refused."""

import hashlib
import json
import tracemalloc

import ml_dtypes
import numpy as np
import pytest
import safetensors
import safetensors.numpy

from skdeep.errors import CorruptModelError, ModelFileError, UnsupportedModelError
from skdeep.persistence.container import from_bytes, header_end, is_storable, read_manifest, to_bytes
from skdeep.persistence.strict_json import canonical

ARRAYS = {
    "params/kernel": np.arange(6, dtype=np.float32).reshape(2, 3),
    "mask": np.array([True, False]),
    "n": np.array(3),
    "none": np.zeros((0, 4), np.uint8),
    "half": np.array([1.5, -2], ml_dtypes.bfloat16),
}
MANIFEST = {"created_by": {"skdeep-flax": "9.9"}, "estimator": {"x": [1, 2.5, "é"]}}
DATA = to_bytes(MANIFEST, ARRAYS)


def parts(data=DATA):
    """Return the header and the bytes of the arrays."""
    end = header_end(data)
    return json.loads(data[8:end]), data[end:]


def joined(header, payload):
    text = json.dumps(header).encode() if not isinstance(header, bytes) else header
    return len(text).to_bytes(8, "little") + text + payload


def with_manifest(change, *, is_signed=True):
    """Return the file with a changed manifest, with its digest made anew as an attacker would."""
    header, payload = parts()
    manifest = json.loads(header["__metadata__"]["skdeep"])
    change(manifest)
    if is_signed:
        manifest.pop("sha256", None)
        manifest["sha256"] = hashlib.sha256(canonical(manifest)).hexdigest()
    header["__metadata__"]["skdeep"] = json.dumps(manifest)
    return joined(header, payload)


def with_array(name, dtype, shape, payload=b""):
    """Return a file of one array with these entries in header and manifest."""
    table = {name: [dtype, shape, hashlib.sha256(payload).hexdigest()]}
    manifest = {"format": "skdeep", "format_version": [1, 0], "tensors": table}
    manifest["sha256"] = hashlib.sha256(canonical(manifest)).hexdigest()
    entry = {"dtype": dtype, "shape": shape, "data_offsets": [0, len(payload)]}
    return joined({"__metadata__": {"skdeep": json.dumps(manifest)}, name: entry}, payload)


def test_contents_come_back():
    manifest, arrays = from_bytes(DATA)
    assert manifest["estimator"] == MANIFEST["estimator"]
    assert arrays.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(arrays[name], array)
    assert read_manifest(DATA[: header_end(DATA)], len(DATA)) == manifest


def test_equal_contents_are_equal_bytes():
    assert to_bytes(dict(MANIFEST), dict(reversed(ARRAYS.items()))) == DATA


def test_the_order_of_keys_is_kept_and_part_of_the_digest():
    assert list(from_bytes(DATA).manifest)[:2] == ["created_by", "estimator"]
    with pytest.raises(CorruptModelError, match="The manifest has been changed"):
        from_bytes(with_manifest(lambda m: m.update(estimator=m.pop("estimator")), is_signed=False))


def test_other_readers_of_safetensors_read_the_arrays():
    found = safetensors.numpy.load(to_bytes(MANIFEST, {k: v for k, v in ARRAYS.items() if k != "half"}))
    np.testing.assert_array_equal(found["params/kernel"], ARRAYS["params/kernel"])


@pytest.mark.parametrize(
    "array",
    [
        np.arange(12.0).reshape(3, 4).T,
        np.asfortranarray(np.arange(12.0).reshape(3, 4)),
        np.arange(12.0)[::-2],
        np.broadcast_to(np.float32(2), (3, 2)),
        np.arange(3, dtype=">i4"),
        np.array(1.5),
    ],
)
def test_strides_and_byte_order_do_not_matter(array):
    np.testing.assert_array_equal(from_bytes(to_bytes({}, {"a": array})).arrays["a"], array)


def test_types_that_are_stored():
    assert all(is_storable(np.zeros(1, kind)) for kind in ("?", "i1", "u8", "f2", "f4", "f8", ">f4"))
    assert not any(is_storable(np.zeros(1, kind)) for kind in ("c8", "O", "U3", "M8[s]", "S2", "f16"))
    assert not is_storable(np.zeros((1,) * 33))


def test_a_wrong_digest_of_an_array():
    header, payload = parts()
    with pytest.raises(CorruptModelError, match="has been changed: its bytes do not have the digest"):
        from_bytes(joined(header, bytes([payload[0] ^ 1]) + payload[1:]))


def test_a_changed_manifest():
    with pytest.raises(CorruptModelError, match="The manifest has been changed"):
        from_bytes(with_manifest(lambda m: m["estimator"].update(x=2), is_signed=False))
    assert from_bytes(with_manifest(lambda m: m["estimator"].update(x=2))).manifest["estimator"] == {"x": 2}


def test_newer_files():
    assert from_bytes(with_manifest(lambda m: m.update(format_version=[1, 7], news=1))).manifest["news"] == 1
    with pytest.raises(UnsupportedModelError, match=r"version 2.0 of the format.*Install skdeep-flax '9.9' or newer"):
        from_bytes(with_manifest(lambda m: m.update(format_version=[2, 0])))
    with pytest.raises(UnsupportedModelError, match="needs 'lanes', which this version"):
        from_bytes(with_manifest(lambda m: m.update(required_features=["lanes"])))


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m.update(format="other"),
        lambda m: m.pop("format_version"),
        lambda m: m.update(format_version=[1]),
        lambda m: m.update(format_version=["1", 0]),
        lambda m: m.update(format_version=[True, 0]),
        lambda m: m.update(required_features="x"),
        lambda m: m.update(required_features=[1]),
        lambda m: m.pop("tensors"),
        lambda m: m.update(tensors=[]),
        lambda m: m["tensors"].pop("mask"),
        lambda m: m["tensors"].update(mask=["BOOL", [2]]),
        lambda m: m["tensors"].update(mask="x"),
        lambda m: m["tensors"]["mask"].__setitem__(0, "C64"),
        lambda m: m["tensors"]["mask"].__setitem__(0, ["BOOL"]),
        lambda m: m["tensors"]["mask"].__setitem__(1, [-2]),
        lambda m: m["tensors"]["mask"].__setitem__(1, [True]),
        lambda m: m["tensors"]["mask"].__setitem__(1, [2.0]),
        lambda m: m["tensors"]["mask"].__setitem__(1, 2),
        lambda m: m["tensors"]["mask"].__setitem__(1, [2] + [1] * 40),
        lambda m: m["tensors"]["mask"].__setitem__(1, [1, 2]),
        lambda m: m["tensors"]["mask"].__setitem__(2, "0" * 64),
        lambda m: m["tensors"]["mask"].__setitem__(2, None),
        lambda m: m["tensors"].update({"../x": ["U8", [0], hashlib.sha256().hexdigest()]}),
    ],
)
def test_malformed_manifests_with_a_valid_digest(change):
    with pytest.raises(CorruptModelError):
        from_bytes(with_manifest(change))


def offsets(name, value):
    return lambda h: h[name].update(data_offsets=value)


@pytest.mark.parametrize(
    "change",
    [
        lambda h: h.pop("__metadata__"),
        lambda h: h["__metadata__"].update(more="x"),
        lambda h: h.update(__metadata__={}),
        lambda h: h["__metadata__"].update(skdeep=5),
        lambda h: h["__metadata__"].update(skdeep="\ud800"),
        lambda h: h["__metadata__"].update(skdeep="[" * 10**6),
        lambda h: h.pop("mask"),
        lambda h: h.update(other=h["mask"]),
        lambda h: h["mask"].update(more=1),
        lambda h: h["mask"].pop("shape"),
        lambda h: h.update(mask=[]),
        lambda h: h["mask"].update(shape=[1]),
        lambda h: h["mask"].update(dtype="U8"),
        lambda h: h["mask"].update(shape=[2**63]),
        offsets("mask", [0, 2**63]),
        offsets("mask", [-2, 0]),
        offsets("mask", [0]),
        offsets("mask", "02"),
        offsets("mask", [0, 2]),
        offsets("mask", [0.0, 2.0]),
    ],
)
def test_malformed_headers(change):
    header, payload = parts()
    change(header)
    with pytest.raises(CorruptModelError):
        from_bytes(joined(header, payload))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00" * 7,
        b"\x00" * 8,
        (2**63).to_bytes(8, "little") + b"{}",
        (2**64 - 1).to_bytes(8, "little") + b"{}",
        (100).to_bytes(8, "little") + b"{}",
        joined(b"[]", b""),
        joined(b'{"a": 1, "a": 2}', b""),
        joined(b"{" + b'"a":{' * 10**6, b""),
        joined(b"\xff\xfe", b""),
        DATA[:-1],
        DATA + b"\x00",
        DATA[: len(DATA) // 2],
        safetensors.numpy.save({"a": np.zeros(2)}),
        safetensors.numpy.save({"a": np.zeros(2)}, {"skdeep": "{}"}),
        b"PK\x03\x04" * 100,
        b"\x80\x04\x95" * 100,
    ],
)
def test_bytes_that_are_no_model_file(data):
    with pytest.raises(CorruptModelError):
        from_bytes(data)


@pytest.mark.parametrize(
    "data",
    [
        with_array("a", "F32", [2**62], b"\x00" * 8),
        with_array("a", "F32", [0, 2**62]),
        with_array("a", "F32", [2**32, 2**32], b""),
        with_array("a", "F32", [1] * 100, b"\x00" * 4),
        with_array("a", "C64", [1], b"\x00" * 8),
        with_array("a", "F8_E4M3", [1], b"\x00"),
        with_array("a", "BOOL", [1], b"\x07"),
        with_array("a", "F32", [1], b"\x00" * 5),
    ],
)
def test_hostile_arrays_cost_no_memory(data):
    tracemalloc.start()
    with pytest.raises(CorruptModelError):
        from_bytes(data)
    assert tracemalloc.get_traced_memory()[1] < 10**6
    tracemalloc.stop()


def test_many_arrays_are_refused():
    header, _ = parts()
    empty = {f"a{i}": {"dtype": "U8", "shape": [0], "data_offsets": [0, 0]} for i in range(200_000)}
    with pytest.raises(CorruptModelError):
        from_bytes(joined({**header, **empty}, b""))


def test_an_honest_empty_array_is_read():
    assert from_bytes(with_array("a", "F32", [0, 7])).arrays["a"].shape == (0, 7)


def damaged(data, rng):
    """Return the bytes with random damage: bits, cuts, insertions, blocks moved, digits changed."""
    kind, at = rng.integers(7), int(rng.integers(len(data)))
    length = int(rng.integers(1, 40))
    if kind == 0:
        return data[:at] + bytes([data[at] ^ (1 << rng.integers(8))]) + data[at + 1 :]
    if kind == 1:
        return data[:at]
    if kind == 2:
        return data[:at] + rng.bytes(length) + data[at:]
    if kind == 3:
        return data[:at] + data[at + length :]
    if kind == 4:
        other = int(rng.integers(len(data)))
        return data[:at] + data[other : other + length] + data[at + length :]
    if kind == 5:
        return data[:at] + bytes(rng.integers(32, 127, length, dtype=np.uint8)) + data[at + length :]
    digit = bytes(rng.choice(list(b'0123456789[]{}",:'), 1).astype(np.uint8))
    at = int(rng.integers(header_end(data)))
    return data[:at] + digit + data[at + 1 :]


def check_damage(data, contents, n, seed):
    """Check that damaged files are refused with our errors, or hold the same contents; return how many were accepted."""
    rng, n_accepted = np.random.default_rng(seed), 0
    for _ in range(n):
        changed = damaged(data, rng)
        try:
            manifest, arrays = from_bytes(changed)
        except ModelFileError:
            continue
        n_accepted += 1
        assert manifest == contents.manifest
        assert arrays.keys() == contents.arrays.keys()
        assert all(arrays[name].tobytes() == array.tobytes() for name, array in contents.arrays.items())
    return n_accepted


def test_damaged_files_are_refused_or_hold_the_same():
    assert check_damage(DATA, from_bytes(DATA), 2000, seed=0) < 100


@pytest.mark.campaign
def test_many_damaged_files():
    assert check_damage(DATA, from_bytes(DATA), 30_000, seed=1) < 1500
