"""Layers for tables, against values of the reference packages; `references/README.md` says how they were made."""

from __future__ import annotations

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from skdeep import DeepClassifier
from skdeep.layers import (
    CategoryEmbedding,
    NTKDense,
    ParametricActivation,
    PBLDEmbedding,
    PiecewiseLinearEmbedding,
    PLREmbedding,
    Scaling,
)
from skdeep.layers.linen.tabular import shares_of_bins
from skdeep.schedules import CosLog, FlatCosine

REFERENCES = Path(__file__).parent / "references"
X = np.random.RandomState(0).randn(7, 3).astype(np.float32)


def reference(name):
    """Return the arrays of a reference as float32, integers unchanged."""
    arrays = np.load(REFERENCES / f"{name}.npz")
    return {key: a.astype(np.float32) if (a := arrays[key]).dtype == np.float64 else a for key in arrays}


def apply(layer, params, x, **state):
    return np.asarray(layer.build().apply({"params": params, **state}, x))


@pytest.mark.parametrize(("name", "schedule"), [("coslog4", CosLog()), ("flat_cos", FlatCosine())])
def test_schedules_equal_those_of_pytabkit(name, schedule):
    expected = json.loads((REFERENCES / "schedules.json").read_text())
    found = schedule(jnp.array(expected["t"], jnp.float32))
    np.testing.assert_allclose(found, expected[name], atol=2e-6)  # float32 sines of 2 pi log2(16)


def test_coslog_has_its_zeros_where_cycles_end():
    n = 3
    zeros = [(2**k - 1) / (2**n - 1) for k in range(n + 1)]
    np.testing.assert_allclose(CosLog(n_cycles=n)(jnp.array(zeros)), 0, atol=1e-6)
    peaks = [(2 ** (k + 0.5) - 1) / (2**n - 1) for k in range(n)]
    np.testing.assert_allclose(CosLog(n_cycles=n)(jnp.array(peaks)), 1, atol=1e-6)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: CosLog(n_cycles=0.0), "'n_cycles' field of CosLog must be positive. Got 0.0 instead"),
        (lambda: FlatCosine(flat_fraction=1.0), "'flat_fraction' field of FlatCosine must be in .0, 1.. Got 1.0"),
        (lambda: NTKDense(0), "'features' field of NTKDense must be a positive int"),
        (lambda: ParametricActivation("selo"), "Unknown activation 'selo'. Did you mean 'selu'"),
        (lambda: PBLDEmbedding(features=1), "'features' field of PBLDEmbedding must be an int of at least 2"),
        (lambda: PBLDEmbedding(n_frequencies=0), "'n_frequencies' field of PBLDEmbedding"),
        (lambda: PLREmbedding(features=0), "'features' field of PLREmbedding"),
        (lambda: PiecewiseLinearEmbedding(n_bins=0), "'n_bins' field of PiecewiseLinearEmbedding"),
        (lambda: CategoryEmbedding(()), "'n_categories' field of CategoryEmbedding must be a tuple of one or more"),
    ],
)
def test_wrong_fields(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_periodic_embeddings_equal_those_of_pytabkit():
    ref = reference("pbld")
    params = {
        "frequency": ref["pbld/weight_1"][:, 0],
        "phase": ref["pbld/bias_1"][:, 0],
        "output": {"kernel": ref["pbld/weight_2"], "bias": ref["pbld/bias_2"][:, 0]},
    }
    found = apply(PBLDEmbedding(), params, ref["x"])
    np.testing.assert_allclose(found, with_numbers_first(ref["x"], ref["pbld/out"]), atol=2e-6)
    params = {
        "frequency": ref["plr/weight_1"][:, 0],
        "output": {"kernel": ref["plr/weight_2"], "bias": ref["plr/bias_2"][:, 0]},
    }
    np.testing.assert_allclose(apply(PLREmbedding(8, 4), params, ref["x"]), ref["plr/out"], atol=2e-6)
    linear = PLREmbedding(8, 4, activation="identity")
    np.testing.assert_allclose(apply(linear, params, ref["x"]), ref["pl/out"], atol=2e-6)


def with_numbers_first(x, out):
    """Return pytabkit's output of PBLD, all cosines and then all numbers, column by column with the number first."""
    cosines = out[:, : -x.shape[1]].reshape(len(x), x.shape[1], -1)
    np.testing.assert_array_equal(out[:, -x.shape[1] :], x)
    return np.concatenate([x[..., None], cosines], axis=-1).reshape(len(x), -1)


def test_piecewise_linear_embedding_equals_that_of_rtdl():
    ref = reference("tabm")
    layer = PiecewiseLinearEmbedding(n_bins=6, features=3)
    made = layer.build().init(jax.random.key(0), ref["ple/x_train"])
    for column in range(3):
        edges = np.unique(np.asarray(made["edges"]["quantiles"][column]))
        np.testing.assert_allclose(edges, ref[f"ple/edges{column}"], atol=1e-6)
    # The reference keeps the bins of a column in its first slots, but the last bin in the last slot. Here bins stay in order.
    edges, kernel = np.asarray(made["edges"]["quantiles"]), np.zeros((3, 6, 3), np.float32)
    shares = np.zeros((10, 3, 6), np.float32)
    for column in range(3):
        slots = np.flatnonzero(np.diff(edges[column]) > 0)
        theirs = [*range(len(slots) - 1), 5]
        kernel[column, slots] = ref["ple/param/linear.weight"][column, theirs]
        shares[:, column, slots] = ref["ple/encoding_new"][:, column, theirs]
    np.testing.assert_allclose(shares_of_bins(ref["ple/x_new"], edges), shares, atol=2e-5)
    params = {"slope": ref["ple/param/linear0.weight"], "bias": ref["ple/param/linear0.bias"], "kernel": kernel}
    found = apply(layer, params, ref["ple/x_new"], edges=made["edges"])
    np.testing.assert_allclose(found, ref["ple/out_new"].reshape(10, -1), rtol=1e-5, atol=2e-5)
    at_first = apply(layer, params | {"kernel": made["params"]["kernel"]}, ref["ple/x_new"], edges=made["edges"])
    np.testing.assert_allclose(at_first, ref["ple/out_new_at_init"].reshape(10, -1), atol=2e-6)


def test_a_column_of_zeros_and_ones_has_no_bin_of_one_rounding_error():
    ref = np.load(REFERENCES / "tabm.npz")
    x = ref["ple/ulp_x"].astype(np.float32)[:, None]
    edges = PiecewiseLinearEmbedding(n_bins=6).build().init(jax.random.key(0), x)["edges"]["quantiles"]
    edges = jnp.where((edges > 0) & (edges < 1), np.nextafter(np.float32(0), np.float32(1)), edges)
    assert np.abs(shares_of_bins(np.array([[-9.0]], np.float32), edges)).max() == 9


def test_scale_and_parametric_activation_equal_their_formulas():
    factor = np.array([2.0, 0.5, -1.0], np.float32)
    np.testing.assert_array_equal(apply(Scaling(), {"scale": factor}, X), X * factor)
    mish = X * np.tanh(np.log1p(np.exp(X)))
    found = apply(ParametricActivation("mish"), {"slope": factor}, X)
    np.testing.assert_allclose(found, X + factor * (mish - X), atol=1e-6)


def test_initial_values_of_ntk_dense_equal_those_of_pytabkit(monkeypatch):
    ref = reference("data_driven_init")
    draws = {
        name: iter([ref[f"layer{i}/{name}"] for i in (0, 1)]) for name in ("drawn_weight", "drawn_rows", "drawn_exp")
    }
    monkeypatch.setattr(jax.random, "normal", lambda *_: jnp.array(next(draws["drawn_weight"])))
    monkeypatch.setattr(jax.random, "randint", lambda *_: jnp.array(next(draws["drawn_rows"]).T))
    monkeypatch.setattr(jax.random, "exponential", lambda *_: jnp.array(next(draws["drawn_exp"]).T))
    x = ref["x"]
    for i, features in enumerate((5, 3)):
        out, made = NTKDense(features).build().init_with_output(jax.random.key(0), x)
        np.testing.assert_allclose(made["params"]["kernel"], ref[f"layer{i}/weight"], atol=1e-5)
        np.testing.assert_allclose(made["params"]["bias"], ref[f"layer{i}/bias"][0], atol=1e-5)
        x = np.asarray(jax.nn.selu(out))
    np.testing.assert_allclose(out, ref["layer1/out"], atol=1e-5)


@pytest.mark.parametrize("value", [1.0, 0.1, 1e5])
def test_ntk_dense_of_equal_rows_takes_no_rounding_error_for_spread(value):
    made = NTKDense(64).build().init(jax.random.key(0), np.full((600, 7), value, np.float32))
    assert all(np.abs(leaf).max() < 1e7 for leaf in jax.tree.leaves(made))


def test_categories_have_tables_of_their_own_and_missing_ones_are_zero_at_first():
    layer = CategoryEmbedding((2, 3), 2)
    params = layer.build().init(jax.random.key(0), np.zeros((1, 2), np.int32))["params"]
    table = np.asarray(params["embedding"])
    assert (table[[0, 2]] == 0).all()
    assert (table[[1, 3, 4]] != 0).all()
    found = apply(layer, params, np.array([[1, 2], [0, 1]], np.int32))
    np.testing.assert_array_equal(found, np.concatenate([table[[1, 0]], table[[4, 3]]], axis=1))


@pytest.mark.parametrize(
    ("x", "message"),
    [
        ([[0, 3], [1, 0]], "Ids of column 1 must be from 0 to 2 .* Got 3.0 in row 0"),
        ([[0], [1]], "n_categories=.2, 3. for 2 columns, but rows have the shape .1,."),
    ],
)
def test_ids_that_have_no_embedding(x, message):
    model = DeepClassifier(network=[CategoryEmbedding((2, 3)), "dense"], max_epochs=1)
    with pytest.raises(ValueError, match=message):
        model.fit(np.array(x, float), [0, 1])
