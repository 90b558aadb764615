"""JSON with one meaning: no duplicate keys, no NaN, no deep nesting, no huge integers; and one form for digests."""

from __future__ import annotations

import collections
import json
import math
import re
from typing import Any

import numpy as np

from skdeep.errors import CorruptModelError

MOST_LEVELS = 64
MOST_DIGITS = 100

_BLOCK = 2**20

# Possessive, so that a string without an end costs one pass.
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\Z)', re.DOTALL)
_BRACKET = np.zeros(256, np.int8)
_BRACKET[list(b"[{")], _BRACKET[list(b"]}")] = 1, -1


def canonical(value: Any) -> bytes:
    """Return the one JSON text of a value: keys in their order, no white space, ASCII only."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False).encode()


def parse(text: bytes, what: str) -> Any:
    """Return the value of a JSON text; `what` names the text in errors.

    Raises
    ------
    CorruptModelError
        If the text is not UTF-8 or not JSON, is nested deeper than `MOST_LEVELS`, repeats a key, or has a number that is not
        finite or an integer of more than `MOST_DIGITS` digits.
    """
    if _n_levels(text) > MOST_LEVELS:
        raise CorruptModelError(f"{what} is nested deeper than {MOST_LEVELS} levels.")
    try:
        return json.loads(
            text.decode(),
            object_pairs_hook=_object,
            parse_int=_integer,
            parse_float=_finite,
            parse_constant=_no_constant,
        )
    except (ValueError, RecursionError) as err:
        raise CorruptModelError(f"{what} is not valid JSON: {err}") from err


def _n_levels(text: bytes) -> int:
    """Return the depth of the brackets outside of strings."""
    rest = np.frombuffer(_STRING.sub(b"", text), np.uint8)
    level = deepest = 0
    for start in range(0, len(rest), _BLOCK):
        levels = level + np.cumsum(_BRACKET[rest[start : start + _BLOCK]], dtype=np.int32)
        level, deepest = int(levels[-1]), max(deepest, int(levels.max()))
    return deepest


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        counts = collections.Counter(name for name, _ in pairs)
        repeated = counts.most_common(1)[0][0]
        raise ValueError(f"the key {repeated[:80]!r} is repeated")
    return found


def _integer(digits: str) -> int:
    if len(digits) > MOST_DIGITS:
        raise ValueError(f"an integer has {len(digits)} digits")
    return int(digits)


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError(f"the number {digits[:40]} is too large")
    return value


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not allowed")
