"""Plots use a backend without a screen, and are closed after each test."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest

collect_ignore = ["conftest.py"]  # not searched for examples: the folder above has a file of this name

mpl.use("agg")


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    plt.close("all")
