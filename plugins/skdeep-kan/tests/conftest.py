"""Strict settings: rank promotion raises; plots use a backend without a screen."""

import jax
import matplotlib as mpl

jax.config.update("jax_numpy_rank_promotion", "raise")
mpl.use("agg")
