"""The bytes of a model file: a safetensors file with one metadata entry, the manifest, and strict checks around the package.

The manifest holds a table of the arrays with their types, shapes and SHA-256 digests, and the digest of itself. So a change of any
byte that matters is noticed. The digests detect damage; they say nothing about who made the file.
"""

from __future__ import annotations

import hashlib
import hmac
import math
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np
import safetensors
from jaxtyping import Shaped
from safetensors.numpy import save as to_safetensors

from skdeep.errors import CorruptModelError, UnsupportedModelError
from skdeep.persistence.strict_json import canonical, parse

FORMAT, VERSION = "skdeep", (1, 0)
FEATURES: frozenset[str] = frozenset()
"""The features that a file may require of its reader."""

MOST_HEADER_BYTES = 16 * 2**20
MOST_TENSORS = 20_000
MOST_AXES = 32
MOST_EMPTY = 2**31

_LENGTH_BYTES = 8
_DTYPES = {
    "BOOL": np.dtype(np.bool_),
    "U8": np.dtype(np.uint8),
    "I8": np.dtype(np.int8),
    "U16": np.dtype(np.uint16),
    "I16": np.dtype(np.int16),
    "F16": np.dtype(np.float16),
    "BF16": np.dtype(ml_dtypes.bfloat16),
    "U32": np.dtype(np.uint32),
    "I32": np.dtype(np.int32),
    "F32": np.dtype(np.float32),
    "U64": np.dtype(np.uint64),
    "I64": np.dtype(np.int64),
    "F64": np.dtype(np.float64),
}
_NAMES = {dtype: name for name, dtype in _DTYPES.items()}


class Contents(NamedTuple):
    """The manifest of a model file, and its arrays by name."""

    manifest: dict[str, Any]
    arrays: dict[str, Shaped[np.ndarray, "..."]]


def is_storable(array: np.ndarray) -> bool:
    """Return True if an array has a type and a number of axes that the file can hold."""
    return array.dtype.newbyteorder("=") in _NAMES and array.ndim <= MOST_AXES


def to_bytes(manifest: Mapping[str, Any], arrays: Mapping[str, Shaped[np.ndarray, "..."]]) -> bytes:
    """Return a model file as bytes, equal for equal contents.

    The format's own entries are added to the manifest: "format", "format_version", "tensors" and "sha256".
    """
    # safetensors ignores strides and byte order.
    plain = {name: np.require(a, a.dtype.newbyteorder("="), requirements="C") for name, a in sorted(arrays.items())}
    whole = {
        **manifest,
        "format": FORMAT,
        "format_version": list(VERSION),
        "tensors": {name: [_NAMES[a.dtype], list(a.shape), _digest(_bytes_of(a))] for name, a in plain.items()},
    }
    whole["sha256"] = _digest(canonical(whole))
    return to_safetensors(plain, {FORMAT: canonical(whole).decode()})


def from_bytes(data: bytes) -> Contents:
    """Return the contents of a model file, after all checks.

    Raises
    ------
    CorruptModelError
        If the bytes are no model file, or have been changed.
    UnsupportedModelError
        If the file has another major version of the format, or requires a feature that is not known.
    """
    manifest, table = _checked_header(data[: header_end(data)], len(data))
    try:
        found = dict(safetensors.deserialize(data))
    except safetensors.SafetensorError as err:
        raise CorruptModelError(f"The file is damaged: {err}") from err
    arrays = {}
    for name, (dtype, shape, digest) in table.items():
        content = found.pop(name)["data"]
        if not hmac.compare_digest(_digest(content), digest):
            raise CorruptModelError(
                f"The array {name!r} has been changed: its bytes do not have the digest of the manifest."
            )
        if dtype == "BOOL" and content and max(content) > 1:
            raise CorruptModelError(f"The array {name!r} of booleans has other bytes than 0 and 1.")
        arrays[name] = np.frombuffer(content, _DTYPES[dtype]).reshape(shape)
    return Contents(manifest, arrays)


def read_manifest(header: bytes, n_bytes: int) -> dict[str, Any]:
    """Return the manifest from the first bytes of a file of `n_bytes`, up to `header_end`, with the checks of `from_bytes`."""
    return _checked_header(header, n_bytes)[0]


def header_end(start: bytes) -> int:
    """Return the position of the first byte after the header, from the first bytes of a file."""
    if len(start) < _LENGTH_BYTES:
        raise CorruptModelError(f"The file is too short to be a model file: it has {len(start)} bytes.")
    size = int.from_bytes(start[:_LENGTH_BYTES], "little")
    if size > MOST_HEADER_BYTES:
        raise CorruptModelError(f"The file is no model file, or it is damaged: its header would have {size} bytes.")
    return _LENGTH_BYTES + size


def _checked_header(header: bytes, n_bytes: int) -> tuple[dict[str, Any], dict[str, tuple[str, tuple[int, ...], str]]]:
    """Return the manifest, and type, shape and digest of each array by name."""
    if len(header) < header_end(header):
        raise CorruptModelError("The file is cut off: it ends before its header does.")
    entries = parse(header[_LENGTH_BYTES:], "The header")
    metadata = entries.pop("__metadata__", None) if isinstance(entries, dict) else None
    if not isinstance(metadata, dict) or metadata.keys() != {FORMAT} or not isinstance(metadata[FORMAT], str):
        raise CorruptModelError("The file is no model file of skdeep: its header holds no manifest.")
    manifest = parse(metadata[FORMAT].encode("utf-8", "surrogatepass"), "The manifest")
    _check_manifest(manifest)
    table = _checked_table(manifest.get("tensors"))
    _check_entries(entries, table, n_bytes - len(header))
    return manifest, table


def _check_manifest(manifest: Any) -> None:
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise CorruptModelError("The file is no model file of skdeep: its manifest names no format.")
    version = manifest.get("format_version")
    if not (isinstance(version, list) and len(version) == 2 and all(type(n) is int and n >= 0 for n in version)):
        raise CorruptModelError("The manifest has no version of the format.")
    if version[0] != VERSION[0]:
        raise UnsupportedModelError(
            f"The file has version {version[0]}.{version[1]} of the format, but this version of skdeep reads {VERSION[0]}.x. "
            f"Install {_wording_of_versions(manifest)}."
        )
    required = manifest.get("required_features", [])
    if not isinstance(required, list) or not all(isinstance(name, str) for name in required):
        raise CorruptModelError("The manifest has no list of required features.")
    if unknown := sorted(set(required) - FEATURES):
        raise UnsupportedModelError(
            f"The file needs {', '.join(map(repr, unknown))}, which this version of skdeep does not know. "
            f"Install {_wording_of_versions(manifest)}."
        )
    rest = {name: value for name, value in manifest.items() if name != "sha256"}
    if manifest.get("sha256") != _digest(canonical(rest)):
        raise CorruptModelError("The manifest has been changed: it does not have its own digest.")


def _wording_of_versions(manifest: dict[str, Any]) -> str:
    made_by = manifest.get("created_by")
    version = made_by.get("skdeep-flax") if isinstance(made_by, dict) else None
    return f"skdeep-flax {version[:40]!a} or newer" if isinstance(version, str) else "a newer skdeep-flax"


def _checked_table(table: Any) -> dict[str, tuple[str, tuple[int, ...], str]]:
    """Return the manifest's table of arrays; raise CorruptModelError if an entry is malformed or a size is out of bounds."""
    if not isinstance(table, dict) or len(table) > MOST_TENSORS:
        raise CorruptModelError(f"The manifest has no table of at most {MOST_TENSORS} arrays.")
    return {name: _checked_row(name, row) for name, row in table.items()}


def _checked_row(name: str, row: Any) -> tuple[str, tuple[int, ...], str]:
    if not (isinstance(row, list) and len(row) == 3):
        raise CorruptModelError(f"The entry of the array {name!r} is malformed.")
    dtype, shape, digest = row
    if not isinstance(dtype, str) or dtype not in _DTYPES or not is_digest(digest):
        raise CorruptModelError(f"The array {name!r} has the unknown type {str(dtype)[:40]!r}, or no digest.")
    if not isinstance(shape, list) or len(shape) > MOST_AXES or not all(type(n) is int and n >= 0 for n in shape):
        raise CorruptModelError(f"The array {name!r} has no valid shape.")
    if math.prod(max(n, 1) for n in shape) > MOST_EMPTY and 0 in shape:
        raise CorruptModelError(f"The empty array {name!r} has a shape that is too large.")
    return dtype, tuple(shape), digest


def _check_entries(entries: dict[str, Any], table: dict[str, tuple[str, tuple[int, ...], str]], n_bytes: int) -> None:
    """Raise CorruptModelError unless the header lists the arrays of the table, one after the other, and nothing else."""
    if entries.keys() != table.keys():
        raise CorruptModelError("The header and the manifest list different arrays.")
    ranges = []
    for name, entry in entries.items():
        dtype, shape, _ = table[name]
        if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
            raise CorruptModelError(f"The header's entry of the array {name!r} is malformed.")
        if entry["dtype"] != dtype or entry["shape"] != list(shape):
            raise CorruptModelError(f"The header and the manifest give the array {name!r} different types or shapes.")
        offsets = entry["data_offsets"]
        if not (isinstance(offsets, list) and len(offsets) == 2 and all(type(n) is int for n in offsets)):
            raise CorruptModelError(f"The header gives the array {name!r} no position.")
        if offsets[1] - offsets[0] != math.prod(shape) * _DTYPES[dtype].itemsize:
            raise CorruptModelError(f"The array {name!r} does not have as many bytes as its shape needs.")
        ranges.append(offsets)
    ends = [0, *(end for _, end in sorted(ranges))]
    if [start for start, _ in sorted(ranges)] != ends[:-1] or ends[-1] != n_bytes:
        raise CorruptModelError("The file is cut off, or has bytes that belong to no array.")


def is_digest(text: Any) -> bool:
    """Return whether a value is a SHA-256 digest in hexadecimal digits."""
    return isinstance(text, str) and re.fullmatch("[0-9a-f]{64}", text) is not None


def _bytes_of(array: Shaped[np.ndarray, "..."]) -> Any:
    return array.reshape(-1).view(np.uint8) if array.size else b""


def _digest(content: Any) -> str:
    return hashlib.sha256(content).hexdigest()
