"""Memory of the test processes: what one file's tests leave behind is dropped before the next file."""

from __future__ import annotations

from pathlib import Path

import pytest

LARGEST_BYTES = 2**30


@pytest.fixture(autouse=True, scope="module")
def caches_cleared():
    """Clear JAX's caches after each file, and the compiled programs too if the process is large.

    Other files use few of them: traces take more memory than programs, and all together take gigabytes.
    """
    yield
    import jax  # tests/conftest.py sets variables that are read at imports

    jax.clear_caches()
    if resident_bytes() > LARGEST_BYTES:
        import skdeep

        skdeep.clear_cache()


def resident_bytes():
    """Return how much memory this process has in use; 0 where the system does not tell."""
    statm = Path("/proc/self/statm")
    return int(statm.read_text().split()[1]) * 4096 if statm.exists() else 0
