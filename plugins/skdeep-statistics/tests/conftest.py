"""Strict switches: nothing may be broadcast over axes by accident."""

import jax

jax.config.update("jax_numpy_rank_promotion", "raise")
