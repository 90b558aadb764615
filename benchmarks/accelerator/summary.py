"""What the lines of tests and parts say, in a few lines of text."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any


def outcomes_in(path: Path) -> list[dict[str, Any]]:
    """Return the records of tests and of parts in a file of JSON lines."""
    if not path.exists():
        return []
    return [record for line in path.read_text().splitlines() if "outcome" in (record := json.loads(line))]


def print_outcomes(path: Path) -> None:
    """Print the outcomes of tests and of parts, if the file has any."""
    records = outcomes_in(path)
    if records:
        print("\n".join([*lines_of_tests(records), *lines_of_parts(records)]), end="\n\n")


def is_failure(records: Sequence[dict[str, Any]]) -> bool:
    """Return True if a test or a part failed or was stopped."""
    return any(record["outcome"] in ("failed", "error", "stopped") for record in records)


def lines_of_tests(records: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Yield the number of tests per outcome, each test that did not pass with its reason, and the slowest ones."""
    tests = [record for record in records if "test" in record]
    if not tests:
        return
    counts = Counter(test["outcome"] for test in tests)
    seconds = sum(test["seconds"] for test in tests)
    yield f"## tests: {', '.join(f'{n} {outcome}' for outcome, n in counts.items())}, {seconds:.0f} s"
    for test in tests:
        if test["outcome"] != "passed":
            reason = " ".join(test["notes"].split())
            yield f"{test['outcome']}: {test['test']}: {reason[:400]}"
    slowest = sorted(tests, key=lambda test: -test["seconds"])[:5]
    yield "slowest: " + ", ".join(f"{test['test'].partition('::')[2]} {test['seconds']:.1f} s" for test in slowest)


def lines_of_parts(records: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Yield one line per part of the command."""
    parts = [record for record in records if "part" in record]
    if parts:
        yield "## parts"
    for part in parts:
        yield f"{part['part']:26}{part['outcome']:9}{part['seconds']:6.0f} s  {part['notes']}".rstrip()
