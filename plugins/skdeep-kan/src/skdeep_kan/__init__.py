"""Kolmogorov-Arnold networks for skdeep: a layer, a network, and functions that return and plot the learned edges."""

from __future__ import annotations

from skdeep_kan.edges import EdgeFunctions, edge_functions
from skdeep_kan.layer import KANLayer
from skdeep_kan.network import KAN
from skdeep_kan.plot import plot_edges
from skdeep_kan.splines import bspline_basis

__all__ = ["KAN", "EdgeFunctions", "KANLayer", "bspline_basis", "edge_functions", "plot_edges"]
