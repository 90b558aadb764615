"""What the tests on JAX's default device share. They use nothing of the folder above, so that they also run without its packages."""

from __future__ import annotations

import jax
import pytest

collect_ignore = ["conftest.py"]  # not searched for examples: the folder above has a file of this name


@pytest.fixture
def exact_products():
    """Compute products and convolutions in float32 in all threads.

    By default, XLA may use TF32 on GPUs since Ampere, which keeps 10 bits of each factor. A context manager would set it for one
    thread only.
    """
    before = jax.config.jax_default_matmul_precision
    jax.config.update("jax_default_matmul_precision", "highest")
    yield
    jax.config.update("jax_default_matmul_precision", before)
