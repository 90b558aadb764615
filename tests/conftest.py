"""Strict switches for all tests: shapes are checked, rank promotion raises, SciPy's array API is on."""

from __future__ import annotations

import os
import re

os.environ["SCIPY_ARRAY_API"] = "1"  # before SciPy is imported, or scikit-learn skips a check

import jax
from jaxtyping import install_import_hook

hook = install_import_hook("skdeep.core", "beartype.beartype")

jax.config.update("jax_numpy_rank_promotion", "raise")


def pytest_make_parametrize_id(val):
    """Name cases by their values, the same in every worker: sets sorted, functions without address."""
    if isinstance(val, set | frozenset):
        return str(sorted(map(str, val)))
    return re.sub(r" at 0x[0-9a-f]+", "", str(val))
