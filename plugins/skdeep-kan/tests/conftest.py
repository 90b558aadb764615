"""Strict switches: nothing may be broadcast over axes by accident; plots need no screen."""

import jax
import matplotlib as mpl

jax.config.update("jax_numpy_rank_promotion", "raise")
mpl.use("agg")
