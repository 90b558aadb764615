"""The table of layers as text, data frame and HTML."""

from __future__ import annotations

import pytest

from skdeep import DeepClassifier
from skdeep.networks import MLP
from skdeep.view.layers import Layer, Layers
from skdeep.view.summary import NetworkSummary, worded_bytes, worded_count

NESTED = Layers(
    "Net",
    (
        Layer((), "Net", "(n, 2)", 0, 7),
        Layer(("block",), "Block", "(n, 3)", 0, 0),
        Layer(("block", "dense"), "Dense", "(n, 3)", 12, 21),
        Layer(("layers", "0"), "", "", 5, 0),
    ),
    "(n, 3)",
    68,
    4,
)


def test_text():
    summary = DeepClassifier(network=MLP(widths=(16,))).summary(input_shape=(4,), n_targets=3)
    assert str(summary).splitlines() == [
        "DeepClassifier: MLP",
        "----------------------------------------------------------",
        "layer       type   output shape  parameters  FLOPs per row",
        "----------------------------------------------------------",
        "input              (n, 4)",
        "Dense_0     Dense  (n, 16)               80            144",
        "Function_0  relu   (n, 16)                0             16",
        "output      Dense  (n, 3)                51             99",
        "----------------------------------------------------------",
        "total                                   131            259",
        "",
        "131 parameters (524 bytes). A prediction takes 259 FLOPs per row; n is the number of rows.",
    ]
    assert repr(summary) == str(summary)


def test_tree():
    """The network has a line if it has numbers of its own. Groups show no zeros, and unknown numbers are empty."""
    lines = str(NetworkSummary("DeepX", ((NESTED, 1),))).splitlines()
    assert lines[4:8] == [
        "input            (n, 3)",
        "Net              (n, 2)                                7",
        "block     Block  (n, 3)",
        "  dense   Dense  (n, 3)                12             21",
    ]
    assert lines[8] == "layers/0                                5"
    assert lines[-1].startswith("17 parameters (68 bytes), and 4 values that are not trained.")


def test_ensembles():
    summary = NetworkSummary("DeepX", ((NESTED, 3), (NESTED, 2)))
    text = str(summary)
    assert (summary.n_networks, summary.n_parameters, summary.flops) == (5, 5 * 17, 5 * 28)
    assert (summary.n_bytes, summary.n_state) == (5 * 68, 5 * 4)
    assert "DeepX, 3 of 5 networks: Net" in text
    assert "total per network" in text
    assert text.splitlines()[-1].startswith("5 networks with 85 parameters (340 bytes)")


def test_frame():
    frame = NetworkSummary("DeepX", ((NESTED, 3),)).to_frame()
    assert list(frame.columns) == ["network", "networks", "layer", "type", "output_shape", "parameters", "flops"]
    assert list(frame["layer"]) == ["", "block", "block/dense", "layers/0"]
    assert frame["parameters"].sum() == NESTED.n_parameters
    assert frame["flops"].sum() == NESTED.flops


def test_html_is_escaped():
    layers = Layers("<script>", (Layer((), "<i>", "(n, <b>)", 1, 1), Layer(("<u>",), "<s>", "", 1, 1)), "<p>", 4, 0)
    html = NetworkSummary("<h1>", ((layers, 1),))._repr_html_()
    for text in ("<script>", "<i>", "(n, <b>)", "<u>", "<s>", "<h1>"):
        assert text not in html
    assert "&lt;script&gt;" in html


@pytest.mark.parametrize(
    ("n", "words"), [(0, "0 bytes"), (999, "999 bytes"), (1000, "1 kB"), (70_156, "70.2 kB"), (999_600, "1 MB")]
)
def test_bytes(n, words):
    assert worded_bytes(n) == words


@pytest.mark.parametrize(
    ("n", "words"), [(0, "0"), (999_999, "999,999"), (7_852_554, "7.85 million"), (4 * 10**12, "4 trillion")]
)
def test_counts(n, words):
    assert worded_count(n) == words
