"""Strict JSON: what other parsers accept with two meanings, or without bounds, is refused."""

import json
import resource

import pytest

from skdeep.errors import CorruptModelError
from skdeep.persistence.strict_json import MOST_DIGITS, MOST_LEVELS, canonical, parse

VALUE = {"b": [1, -2.5, None, True, "é\ud800"], "a": {"$float": "inf"}}


def test_a_value_has_one_text():
    assert canonical({"b": 1, "a": "é"}) == b'{"b":1,"a":"\\u00e9"}'
    assert parse(canonical(VALUE), "It") == VALUE
    assert canonical(parse(canonical(VALUE), "It")) == canonical(VALUE)


def test_other_texts_of_the_same_value_are_read():
    assert parse(json.dumps(VALUE, indent=2).encode(), "It") == VALUE


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b'{"a": 1, "a": 2}', "the key 'a' is repeated"),
        (b'[{"x": {"a": 1, "a": 1}}]', "the key 'a' is repeated"),
        (b"[NaN]", "NaN is not allowed"),
        (b"[-Infinity]", "-Infinity is not allowed"),
        (b"[1e999]", "the number 1e999 is too large"),
        (b"9" * (MOST_DIGITS + 1), f"an integer has {MOST_DIGITS + 1} digits"),
        (b"9" * 10**5, "an integer has 100000 digits"),
        (b'"\xff"', "is not valid JSON"),
        (b"{", "is not valid JSON"),
        (b"[] []", "is not valid JSON"),
        (b"", "is not valid JSON"),
        (b"[" * (MOST_LEVELS + 1) + b"]" * (MOST_LEVELS + 1), f"nested deeper than {MOST_LEVELS} levels"),
        (b"[" * 10**6, f"nested deeper than {MOST_LEVELS} levels"),
        (b'{"a":' * 10**6, f"nested deeper than {MOST_LEVELS} levels"),
    ],
)
def test_texts_that_are_refused(text, message):
    with pytest.raises(CorruptModelError, match=message):
        parse(text, "It")


@pytest.mark.parametrize(
    "text",
    [
        ("{" + ",".join(f'"{i}":0' for i in range(300_000)) + ',"299999":0}').encode(),
        b'"' + b'\\"' * 4_000_000,
        b'"' + b"a" * (2**24 - 100),
        b"[" + b"[]," * 4_000_000,
    ],
    ids=["repeated key", "escaped quotes", "long string", "many lists"],
)
def test_large_texts_take_linear_time_and_memory(text):
    """In quadratic time this test would not end; a regular expression with a stack took 2 GB."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(CorruptModelError):
        parse(text, "It")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500 * 1024


def test_brackets_in_strings_do_not_count():
    text = json.dumps(["[" * 1000 + '\\"' + "{" * 1000]).encode()
    assert parse(text, "It") == json.loads(text)
    with pytest.raises(CorruptModelError, match="nested deeper"):
        parse(b'["\\"", ' + b"[" * 100, "It")
