"""The settings of JAX that are part of the key of each program."""

from __future__ import annotations

import operator
import sys
from collections.abc import Hashable

import jax

SETTINGS = [
    f"jax_{name}"
    for name in (
        "allow_f16_reductions", "check_static_indices", "custom_vjp3", "debug_infs", "debug_key_reuse", "debug_nans",
        "default_device", "default_matmul_precision", "default_prng_impl", "disable_jit", "enable_checks",
        "enable_custom_prng", "enable_x64", "error_checking_behavior_divide", "error_checking_behavior_nan",
        "error_checking_behavior_oob", "explicit_x64_dtypes", "high_dynamic_range_gumbel", "legacy_prng_key",
        "numpy_dtype_promotion", "numpy_rank_promotion", "optimization_level", "random_seed_offset", "remat3", "scan3",
        "softmax_custom_jvp", "threefry_gpu_kernel_lowering", "threefry_partitionable", "use_direct_linearize",
    )
    if hasattr(jax.config, f"jax_{name}")
]  # fmt: skip
"""The settings of JAX that change traces or compiled programs, or make tracing or compiling raise."""


_read_settings = operator.attrgetter(*SETTINGS)


def interceptors() -> tuple[int, ...]:
    """Return the identities of the functions that intercept the methods of Flax's modules now (`flax.linen.intercept_methods`)."""
    # The module has no stack yet while another thread imports it, and nobody can have set an interceptor.
    stack = getattr(sys.modules.get("flax.linen.module"), "_global_interceptor_stack", ())
    return tuple(map(id, stack))


def current_settings() -> Hashable:
    """Return the values of `SETTINGS` in this thread, and who intercepts methods of modules."""
    values: Hashable = _read_settings(jax.config)
    return values, interceptors()
