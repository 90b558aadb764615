"""Initializers of kernels, by name."""

from __future__ import annotations

from typing import Any

import jax

INITIALIZERS = [f"{k}_{d}" for k in ("he", "glorot", "lecun", "kaiming", "xavier") for d in ("normal", "uniform")]


def initializer(name: str) -> Any:
    """Return the initializer that has this name in `jax.nn.initializers`."""
    return getattr(jax.nn.initializers, name)()
