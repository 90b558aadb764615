"""Strict switches for all tests: shapes are checked, rank promotion raises, SciPy's array API is on."""

from __future__ import annotations

import os

os.environ["SCIPY_ARRAY_API"] = "1"  # before SciPy is imported, or scikit-learn skips a check

import jax
import pytest
from jaxtyping import install_import_hook

hook = install_import_hook("skdeep.core", "beartype.beartype")

jax.config.update("jax_numpy_rank_promotion", "raise")


@pytest.fixture
def fresh_programs():
    """Forget compiled programs, so that counts start at zero."""
    import skdeep

    skdeep.clear_cache()
    return skdeep.compile_counts
