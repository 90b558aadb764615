"""The scale of numeric columns, against scikit-learn, SciPy and NumPy."""

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.preprocessing import QuantileTransformer, RobustScaler, StandardScaler

from skdeep.tables.scaling import fit_scale, smooth_clip, weighted_quantiles

NONE_DERIVED = np.zeros(3, bool)


@pytest.fixture(name="x")
def _x():
    rng = np.random.default_rng(0)
    return np.stack([rng.normal(3, 2, 900), rng.standard_t(1.5, 900) * 1e3, rng.uniform(-1, 1, 900)], axis=1)


def fitted(method, x, weight=None):
    return fit_scale(method, x, np.ones(len(x)) if weight is None else weight, NONE_DERIVED)


def test_standard(x):
    np.testing.assert_allclose(fitted("standard", x)(x), StandardScaler().fit_transform(x), atol=1e-12)


def test_robust(x):
    np.testing.assert_allclose(fitted("robust", x)(x), smooth_clip(RobustScaler().fit_transform(x)), atol=1e-12)


def test_smooth_clip():
    z = np.array([-1e30, -3.0, 0.0, 0.1, 4.0])
    np.testing.assert_allclose(
        smooth_clip(z), [-3, -3 / np.sqrt(2), 0, 0.1 / np.sqrt(1 + 0.01 / 9), 4 / np.sqrt(25 / 9)]
    )


def test_quantile(x):
    theirs = QuantileTransformer(n_quantiles=30, output_distribution="normal", subsample=None).fit(x)
    ours, new = fitted("quantile", x), x[::-1] * 1.1
    np.testing.assert_allclose(ours(x), theirs.transform(x), atol=1e-9)
    np.testing.assert_allclose(ours(new), theirs.transform(new), atol=1e-9)


def test_quantile_gives_equal_values_the_middle_of_their_share():
    x = np.array([0.0] * 60 + [1.0] * 30 + [2.0] * 10)[:, None]
    z = fit_scale("quantile", x, np.ones(100), np.zeros(1, bool))(np.array([[0.0], [0.0]]))
    # With 10 quantiles, 0 covers the levels from 0 to 5/9.
    np.testing.assert_allclose(z, norm.ppf(5 / 18), atol=1e-12)


def test_none_changes_nothing_but_derived_columns(x):
    scale = fit_scale(None, x, np.ones(900), np.array([False, True, False]))
    np.testing.assert_array_equal(scale(x)[:, [0, 2]], x[:, [0, 2]])
    np.testing.assert_allclose(scale(x)[:, 1], StandardScaler().fit_transform(x)[:, 1], atol=1e-12)


@pytest.mark.parametrize(
    ("method", "filled"),
    [("standard", 0.0), ("robust", 0.0), (None, np.nanmean), ("quantile", None)],
)
def test_missing_values(x, method, filled):
    gaps = x.copy()
    gaps[::3, 0] = np.nan
    scale = fitted(method, gaps)
    z = scale(gaps)
    expected = z[1::3, 0].size and np.concatenate([z[1::3, 0], z[2::3, 0]]).mean() if filled is None else filled
    expected = filled(gaps[:, 0]) if callable(filled) else expected
    np.testing.assert_allclose(z[::3, 0], expected, rtol=1e-12)
    known = fitted(method, gaps[~np.isnan(gaps[:, 0])])
    np.testing.assert_allclose(scale.center[0], known.center[0])


@pytest.mark.parametrize("method", ["robust", "quantile"])
def test_infinite_values_end_at_the_ends(x, method):
    wild = x.copy()
    wild[0, 0], wild[1, 0] = np.inf, -np.inf
    scale = fitted(method, wild)
    z = scale(wild)
    assert np.isfinite(z).all()
    assert z[0, 0] == z[:, 0].max()
    assert z[1, 0] == z[:, 0].min()
    np.testing.assert_array_equal(scale.center[0], fitted(method, x[2:]).center[0])


@pytest.mark.parametrize("method", ["standard", "robust", "quantile"])
def test_a_constant_column_becomes_zero(method):
    x = np.full((20, 1), 7.25)
    scale = fit_scale(method, x, np.ones(20), np.zeros(1, bool))
    np.testing.assert_array_equal(scale(x), 0)


def test_a_constant_column_with_uneven_weights_keeps_its_scale():
    """The weighted mean of equal numbers differs from them in the last digits, which are no spread."""
    weight = np.random.default_rng(0).uniform(0.1, 3, 1000)
    scale = fit_scale("standard", np.full((1000, 1), 2024.1), weight, np.ones(1, bool))
    assert scale.factor[0] == 1
    np.testing.assert_allclose(scale(np.array([[2024.1], [2025.1]]))[:, 0], [0, 1], atol=1e-9)


def test_equal_quartiles_use_the_range():
    x = np.array([3.0] * 18 + [1.0, 7.0])[:, None]
    scale = fit_scale("robust", x, np.ones(20), np.zeros(1, bool))
    assert (scale.center[0], scale.factor[0]) == (3.0, 2 / 6)


def test_columns_without_any_value_become_zero():
    x = np.full((3, 1), np.nan)
    for method in ("standard", "robust", "quantile", None):
        np.testing.assert_array_equal(fit_scale(method, x, np.ones(3), np.zeros(1, bool))(x), 0)


@pytest.mark.parametrize("method", ["standard", "robust", None])
def test_a_weight_is_a_row_given_several_times(x, method):
    weight = np.random.default_rng(1).integers(0, 4, len(x)).astype(float)
    weighted, repeated = fitted(method, x, weight), fitted(method, np.repeat(x, weight.astype(int), axis=0))
    scaled = fitted(method, x, weight / 7)
    for other in (repeated, scaled):
        np.testing.assert_allclose(weighted(x), other(x), rtol=1e-9, atol=1e-12)


def test_weighted_quantiles_are_those_of_repeated_values():
    rng = np.random.default_rng(2)
    values, weight, levels = rng.normal(size=50), rng.integers(1, 5, 50).astype(float), np.linspace(0, 1, 17)
    weight[0] = 1
    np.testing.assert_allclose(
        weighted_quantiles(values, weight, levels),
        np.quantile(np.repeat(values, weight.astype(int)), levels),
        atol=1e-12,
    )


@pytest.mark.parametrize("method", ["standard", "robust", "quantile", None])
def test_a_table_without_numbers(method):
    nothing = np.zeros((5, 0))
    assert fit_scale(method, nothing, np.ones(5), np.zeros(0, bool))(nothing).shape == (5, 0)
