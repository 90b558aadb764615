"""The pass for the CPU: values and gradients equal those of the original program, for many shapes."""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from hypothesis import given, settings
from hypothesis import strategies as st
from jax import lax
from numpy.testing import assert_allclose, assert_array_equal

from skdeep import DeepClassifier, DeepRegressor
from skdeep.core.cpu import convolution, rewriting
from skdeep.core.cpu.rewriting import RULES, rewritten_for_cpu
from skdeep.core.network import functions_of_module
from skdeep.core.placement import Placement
from skdeep.core.random import wrap_key

KEY = np.array([3, 0], np.uint32)
FEW = settings(max_examples=12, deadline=None, derandomize=True)
MANY = settings(max_examples=300, deadline=None)


@pytest.fixture(params=[pytest.param(FEW, id="few"), pytest.param(MANY, id="many", marks=pytest.mark.campaign)])
def examples(request):
    """Return the number of examples that hypothesis draws: few in each run, many in the campaign."""
    return request.param


def operations(jaxpr):
    """Return the equations of a trace and of all traces inside it."""
    for equation in jaxpr.eqns:
        yield equation
        for value in jax.tree.leaves(
            list(equation.params.values()), is_leaf=lambda v: hasattr(v, "eqns") or hasattr(v, "jaxpr")
        ):
            inner = getattr(value, "jaxpr", value)
            if hasattr(inner, "eqns"):
                yield from operations(inner)


def names(function, *arguments):
    return {equation.primitive.name for equation in operations(jax.make_jaxpr(function)(*arguments).jaxpr)}


def assert_rewritten(function, *arguments, gradients=True, bounds=(convolution.MAX_PATCH_VALUES,), reference=None):
    """Assert that values and gradients equal those of the original function, and that all operations were rewritten.

    Each of the bounds is tried as the largest number of values in the patches of a convolution. A reference is a function
    that returns the right values, if XLA's are wrong.
    """
    assert names(function, *arguments) & set(RULES)

    def run(function, *arguments):
        if not gradients:
            return function(*arguments)
        output, pull_back = jax.vjp(function, *arguments)
        return output, pull_back(jnp.sin(1.0 + output))

    expected = jax.jit(lambda *arguments: run(reference or function, *arguments))(*arguments)
    for bound in bounds:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(convolution, "MAX_PATCH_VALUES", bound)
            assert not names(rewritten_for_cpu(function), *arguments) & set(RULES)
            found = jax.jit(lambda *arguments: run(rewritten_for_cpu(function), *arguments))(*arguments)
        for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
            assert a.dtype == b.dtype
            assert_allclose(a, b, rtol=2e-5, atol=2e-5, err_msg=f"MAX_PATCH_VALUES = {bound}")


@st.composite
def convolutions(draw):
    """Draw shapes and parameters of a convolution that has at least one window."""
    n_axes = draw(st.sampled_from([1, 2, 2, 3]))

    def each(strategy):
        return draw(st.tuples(*[strategy] * n_axes))

    groups, c, width = (draw(st.integers(1, 3)) for _ in range(3))
    sizes, strides = each(st.integers(1, 3)), each(st.integers(1, 3))
    lhs_dilation, rhs_dilation = each(st.integers(1, 2)), each(st.integers(1, 3))
    padding = each(st.tuples(st.integers(-1, 3), st.integers(0, 3)))
    reach = [(size - 1) * d + 1 for size, d in zip(sizes, rhs_dilation, strict=True)]
    lengths = [
        r + 1 + draw(st.integers(0, 4)) for r in reach
    ]  # one more than needed, because negative padding may cut one off
    specs = tuple(draw(st.permutations(range(n_axes + 2))) for _ in range(3))
    numbers = lax.ConvDimensionNumbers(*map(tuple, specs))
    x_shape = {numbers.lhs_spec[0]: draw(st.integers(1, 3)), numbers.lhs_spec[1]: groups * c}
    x_shape |= dict(zip(numbers.lhs_spec[2:], lengths, strict=True))
    k_shape = {numbers.rhs_spec[0]: groups * width, numbers.rhs_spec[1]: c}
    k_shape |= dict(zip(numbers.rhs_spec[2:], sizes, strict=True))
    options = {
        "window_strides": strides,
        "padding": padding,
        "lhs_dilation": lhs_dilation,
        "rhs_dilation": rhs_dilation,
        "dimension_numbers": numbers,
        "feature_group_count": groups,
    }
    rng = np.random.default_rng(draw(st.integers(0, 100)))
    x, kernel = (rng.normal(size=[s[i] for i in range(len(s))]).astype(np.float32) for s in (x_shape, k_shape))
    return x, kernel, options


def padded_first(x, kernel, padding, dimension_numbers, lhs_dilation=None, **options):
    """Return a convolution of rows that are padded by another operation.

    XLA's CPU backend reads values outside of the rows if the padding of a convolution is negative on the low side and positive on
    the high side (openxla/xla issue 48713). Gradients of convolutions have such a padding too.
    """
    edges = [(0, 0, 0)] * x.ndim
    for axis, (low, high), dilation in zip(
        dimension_numbers.lhs_spec[2:], padding, lhs_dilation or (1,) * len(padding), strict=True
    ):
        edges[axis] = (low, high, dilation - 1)
    x = lax.pad(x, jnp.zeros((), x.dtype), edges)
    return lax.conv_general_dilated(x, kernel, padding="VALID", dimension_numbers=dimension_numbers, **options)


WHOLE, BLOCKS, OFFSETS = 2**24, 40, 0  # the patches of all rows, of blocks of rows, and no patches


def test_rewritten_convolutions_equal_xlas(examples):
    @examples
    @given(convolutions())
    def check(drawn):
        x, kernel, options = drawn
        assert_rewritten(
            lambda x, kernel: lax.conv_general_dilated(x, kernel, **options),
            x,
            kernel,
            bounds=(WHOLE, BLOCKS, OFFSETS),
            reference=lambda x, kernel: padded_first(x, kernel, **options),
        )

    check()


def test_patches_are_not_larger_than_the_bound(monkeypatch):
    monkeypatch.setattr(convolution, "MAX_PATCH_VALUES", 3000)
    x, kernel = jnp.ones((50, 6, 6, 2)), jnp.ones((3, 3, 2, 4))  # 648 values of patches per row: 4 rows per block

    def function(x, kernel):
        return lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))

    trace = jax.make_jaxpr(jax.grad(lambda *a: rewritten_for_cpu(function)(*a).sum(), (0, 1)))(x, kernel)
    patches = [e.outvars[0].aval for e in operations(trace.jaxpr) if e.primitive.name == "concatenate"]
    assert patches
    assert max(aval.size for aval in patches) == 4 * 648
    stacked = [v.aval.size for e in operations(trace.jaxpr) if e.primitive.name == "scan" for v in e.outvars]
    assert max(stacked) <= 52 * 6 * 6 * 4  # the results of the blocks are not larger than the output


@st.composite
def sliding_convolutions(draw):
    """Draw a 2-D convolution with stride 1 and enough channels for `slide`."""
    n, c, width = draw(st.integers(1, 6)), draw(st.integers(8, 10)), draw(st.integers(1, 9))
    sizes = draw(st.tuples(st.integers(1, 4), st.integers(2, 4)))
    padding = draw(st.tuples(*[st.tuples(st.integers(-1, 5), st.integers(-1, 5))] * 2))
    lengths = [
        size + 2 + draw(st.integers(0, 4)) for size in sizes
    ]  # two more than needed, because negative padding may cut them off
    x_spec, kernel_spec, out_spec = (tuple(draw(st.permutations(range(4)))) for _ in range(3))
    x_shape = dict(zip(x_spec, (n, c, *lengths), strict=True))
    kernel_shape = dict(zip(kernel_spec, (width, c, *sizes), strict=True))
    rng = np.random.default_rng(draw(st.integers(0, 100)))
    x, kernel = (
        rng.normal(size=[shape[axis] for axis in range(4)]).astype(np.float32) for shape in (x_shape, kernel_shape)
    )
    numbers = lax.ConvDimensionNumbers(x_spec, kernel_spec, out_spec)
    return x, kernel, {"window_strides": (1, 1), "padding": padding, "dimension_numbers": numbers}


def test_2d_convolutions_with_stride_1_equal_xlas_and_have_the_fast_layout(examples):
    @examples
    @given(sliding_convolutions())
    def check(drawn):
        x, kernel, options = drawn

        def function(x, kernel):
            return lax.conv_general_dilated(x, kernel, **options)

        def run(function):
            output, pull_back = jax.vjp(function, x, kernel)
            return output, pull_back(jnp.sin(1.0 + output))

        def reference(x, kernel):
            return padded_first(x, kernel, **options)

        found, expected = (jax.jit(lambda f=f: run(f))() for f in (rewritten_for_cpu(function), reference))
        for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
            assert a.dtype == b.dtype
            assert_allclose(a, b, rtol=2e-5, atol=1e-4)
        trace = jax.make_jaxpr(lambda: run(rewritten_for_cpu(function)))()
        assert orders(trace) == {CANONICAL}  # with another order, gradients are slow inside loops
        assert "concatenate" not in {equation.primitive.name for equation in operations(trace.jaxpr)}

    check()


CANONICAL = tuple(lax.conv_dimension_numbers((1,) * 4, (1,) * 4, ("NHWC", "HWIO", "NHWC")))


def orders(trace):
    """Return the orders of axes that convolutions have in a trace."""
    convolutions = [e for e in operations(trace.jaxpr) if e.primitive.name == "conv_general_dilated"]
    return {tuple(equation.params["dimension_numbers"]) for equation in convolutions}


def test_second_derivatives_of_convolutions_equal_xlas():
    x = np.random.default_rng(0).normal(size=(3, 5, 5, 8)).astype(np.float32)
    kernel = np.random.default_rng(1).normal(size=(3, 3, 8, 2)).astype(np.float32) / 8

    def function(x, kernel):
        return lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))

    def norm_of_gradient(function):
        gradient = jax.grad(lambda x, kernel: jnp.sum(function(x, kernel) ** 3), (0, 1))
        return lambda x, kernel: sum(jnp.sum(g**2) for g in gradient(x, kernel))

    found = jax.jit(jax.grad(norm_of_gradient(rewritten_for_cpu(function)), (0, 1)))(x, kernel)
    expected = jax.jit(jax.grad(norm_of_gradient(function), (0, 1)))(x, kernel)
    for a, b in zip(found, expected, strict=True):
        assert_allclose(a, b, rtol=1e-4, atol=1e-4 * float(jnp.abs(b).max()))


@st.composite
def pools(draw):
    """Draw an array with many equal values and the windows to pool it over."""
    n_axes = draw(st.integers(1, 2))
    each = st.tuples(*[st.integers(1, 3)] * n_axes)
    sizes = draw(st.tuples(*[st.integers(1, 20 if n_axes == 1 else 9)] * n_axes))
    strides, dilation = draw(each), draw(each)
    padding = [draw(st.tuples(st.integers(0, size - 1), st.integers(0, size - 1))) for size in sizes]
    lengths = [(size - 1) * d + 1 + draw(st.integers(0, 5)) for size, d in zip(sizes, dilation, strict=True)]
    x = np.random.default_rng(draw(st.integers(0, 100))).integers(-2, 3, (2, *lengths, 2)).astype(np.float32)
    options = {
        "window_dimensions": (1, *sizes, 1),
        "window_strides": (1, *strides, 1),
        "padding": ((0, 0), *padding, (0, 0)),
        "window_dilation": (1, *dilation, 1),
    }
    return x, options


POOLS = [(-np.inf, lax.max), (np.inf, lax.min), (0.0, lax.add)]


def test_rewritten_pools_equal_xlas(examples):
    @examples
    @given(pools())
    def check(drawn):
        x, options = drawn
        is_plain = set(options["window_dilation"]) == {1}  # XLA has no gradient of dilated windows

        def pooled(x):
            return jnp.stack([lax.reduce_window(x, neutral, combine, **options) for neutral, combine in POOLS])

        assert_rewritten(pooled, x, gradients=is_plain)

    check()


LIMITS = {jnp.bfloat16: (-np.inf, np.inf), np.bool_: (False, True)}
LIMITS |= {dtype: (np.iinfo(dtype).min, np.iinfo(dtype).max) for dtype in (np.int8, np.int32, np.uint8, np.uint32)}


@pytest.mark.parametrize(
    ("dtype", "combine"),
    [(d, c) for d in LIMITS for c in ("max", "min", "add") if (d, c) != (np.bool_, "add")],  # lax has no sum of bools
)
def test_pools_of_other_types_equal_xlas(dtype, combine):
    lowest, highest = LIMITS[dtype]
    neutral = np.asarray({"max": lowest, "min": highest, "add": 0}[combine], dtype)
    x = jnp.asarray(np.random.default_rng(0).integers(0, 9, (2, 7, 3)), dtype)
    if dtype == np.bool_:
        x = x > 0 if combine == "min" else x == 0
    assert_rewritten(
        lambda x: lax.reduce_window(x, neutral, getattr(lax, combine), (1, 3, 1), (1, 2, 1), "SAME"),
        x,
        gradients=False,
    )


@pytest.mark.parametrize(("neutral", "combine"), POOLS)
def test_a_window_with_nan_is_nan(neutral, combine):
    x = jnp.array([1.0, jnp.nan, 3.0, 2.0, jnp.nan, 5.0])
    found = rewritten_for_cpu(lambda x: lax.reduce_window(x, neutral, combine, (2,), (2,), "VALID"))(x)
    assert_array_equal(np.isnan(found), [True, False, True])


@pytest.mark.parametrize("dtype", [np.bool_, np.int32, np.uint8])
@pytest.mark.parametrize("combine", ["bitwise_and", "bitwise_or", "bitwise_xor"])
def test_windows_without_a_rule_are_not_rewritten(dtype, combine):
    neutral = ~dtype(0) if combine == "bitwise_and" else dtype(0)
    x = jnp.asarray(np.random.default_rng(0).integers(0, 3, (2, 7, 3)), dtype)

    def pool(x):
        return lax.reduce_window(x, neutral, getattr(lax, combine), (1, 3, 1), (1, 2, 1), "SAME")

    assert_array_equal(jax.jit(rewritten_for_cpu(pool))(x), pool(x))


class WindowsOfFlags(nn.Module):
    """Pools bools: whether two neighbours are positive. NumPy computes the same below."""

    n_outputs: int | None = None

    @nn.compact
    def __call__(self, x):
        neutral = {"any": False, "all": True}
        parts = [
            lax.reduce_window(x > 0, neutral[name], combine, (1, 2), (1, 2), "VALID").astype(x.dtype)
            for name, combine in (("any", lax.max), ("all", lax.min), ("any", lax.bitwise_or), ("all", lax.bitwise_and))
        ]
        return nn.Dense(self.n_outputs)(jnp.concatenate(parts, axis=1))


def test_a_module_with_windows_of_bools_can_be_fitted():
    X = np.random.default_rng(0).normal(size=(64, 4)).astype(np.float32)
    pairs = (X > 0).reshape(-1, 2, 2)
    y = (pairs.any(2) + 2.0 * pairs.all(2)).sum(1)
    params = {"max_epochs": 200, "tol": None, "learning_rate": 0.05, "random_state": 0}
    model = DeepRegressor(network=WindowsOfFlags(), **params).fit(X, y)
    assert_allclose(model.predict(X), y, atol=0.01)  # the target is linear in the pooled values


def conv(x, kernel):
    return lax.conv_general_dilated(x, kernel, (1,), "SAME", dimension_numbers=("NWC", "WIO", "NWC"))


STRUCTURES = {
    "jit": lambda x, kernel: jax.jit(conv)(x, kernel),
    "checkpoint": lambda x, kernel: jax.checkpoint(lambda x, kernel: jnp.sin(conv(x, kernel)))(x, kernel),
    "scan": lambda x, kernel: lax.scan(lambda x, _: (conv(x, kernel), None), x, None, length=2)[0],
    "loop": lambda x, kernel: lax.fori_loop(0, 2, lambda _, x: conv(x, kernel), x),
    "cond": lambda x, kernel: lax.cond(x.sum() > 0, conv, lambda x, _: x, x, kernel),
    "vmap": lambda x, kernel: jax.vmap(lambda row: conv(row[None], kernel)[0])(x),
    "many": lambda x, kernel: jax.jit(lambda x: lax.scan(lambda x, _: (jax.jit(conv)(x, kernel), x), x, None, 2)[0])(x),
}


@pytest.mark.parametrize("name", STRUCTURES)
def test_operations_inside_other_operations_are_rewritten(name):
    rng = np.random.default_rng(0)
    x, kernel = rng.normal(size=(3, 8, 2)).astype(np.float32), rng.normal(size=(3, 2, 2)).astype(np.float32)
    assert_rewritten(STRUCTURES[name], x, kernel)


def test_functions_with_a_custom_derivative_are_not_rewritten():
    @jax.custom_vjp
    def doubled(x, kernel):
        return conv(x, kernel)

    doubled.defvjp(lambda x, kernel: (conv(x, kernel), x), lambda x, ct: (2 * ct, jnp.zeros((3, 2, 2))))
    x, kernel = jnp.ones((3, 8, 2)), jnp.ones((3, 2, 2))
    assert names(rewritten_for_cpu(doubled), x, kernel) & set(RULES)
    assert_allclose(rewritten_for_cpu(doubled)(x, kernel), doubled(x, kernel))
    assert_array_equal(jax.grad(lambda x: rewritten_for_cpu(doubled)(x, kernel).sum())(x), np.full(x.shape, 2.0))


def test_convolutions_of_empty_arrays():
    for x in (jnp.ones((0, 8, 2)), jnp.ones((3, 0, 2))):
        assert_array_equal(rewritten_for_cpu(conv)(x, jnp.ones((3, 2, 2))), conv(x, jnp.ones((3, 2, 2))))


def test_on_accelerators_nothing_is_rewritten(monkeypatch):
    monkeypatch.setattr(rewriting, "current_placement", lambda: Placement("gpu"))
    assert "conv_general_dilated" in names(rewritten_for_cpu(conv), jnp.ones((3, 8, 2)), jnp.ones((3, 2, 2)))


class LinenNet(nn.Module):
    @nn.compact
    def __call__(self, x, train: bool):
        x = nn.relu(nn.Conv(4, (3, 3))(x))
        x = nn.max_pool(x, (2, 2), (2, 2))
        x = nn.Conv(4, (3, 3), feature_group_count=4)(x)
        x = nn.BatchNorm(use_running_average=not train)(x)
        x = nn.Dropout(0.5, deterministic=not train)(nn.avg_pool(x, (2, 2), (2, 2)))
        return nn.Dense(3)(x.reshape(x.shape[0], -1))


class NNXNet(nnx.Module):
    def __init__(self, rngs):
        self.conv = nnx.Conv(1, 4, (3, 3), rngs=rngs)
        self.norm = nnx.BatchNorm(4, rngs=rngs)
        self.dropout = nnx.Dropout(0.5, rngs=rngs)
        self.dense = nnx.Linear(4 * 7 * 7, 3, rngs=rngs)

    def __call__(self, x):
        x = nnx.relu(self.norm(self.conv(x)))
        x = self.dropout(nnx.max_pool(x, (2, 2), (2, 2)))
        return self.dense(x.reshape(x.shape[0], -1))


@pytest.mark.parametrize("module", [LinenNet(), lambda rngs: NNXNet(rngs)], ids=["linen", "nnx"])
@pytest.mark.parametrize("train", [pytest.param(False, marks=pytest.mark.campaign), True])  # the passes are the same
def test_rewritten_flax_modules_equal_the_originals(monkeypatch, module, train):
    x = jnp.asarray(np.random.default_rng(0).normal(size=(5, 14, 14, 1)), jnp.float32)
    functions = functions_of_module(module)
    params, model_state = jax.jit(functions.init)(wrap_key(KEY), x[:1])

    def loss(params, x, apply):
        raw, changed = apply(params, model_state, x, train, wrap_key(KEY), jnp.ones(5))
        return jnp.sin(raw).sum(), changed

    def run(apply):
        return jax.jit(jax.value_and_grad(lambda *a: loss(*a, apply), argnums=(0, 1), has_aux=True))(params, x)

    assert not names(lambda *a: loss(*a, functions.apply), params, x) & set(RULES)
    found = run(functions.apply)
    monkeypatch.setattr(rewriting, "current_placement", lambda: Placement("gpu"))
    assert names(lambda *a: loss(*a, functions.apply), params, x) & set(RULES)
    jax.tree.map(lambda a, b: assert_allclose(a, b, rtol=1e-4, atol=1e-5), found, run(functions.apply))


@jax.custom_vjp
def conv_of_its_own(x, kernel):
    return conv(x, kernel)


def _forward(x, kernel):
    return jax.vjp(conv, x, kernel)


conv_of_its_own.defvjp(_forward, lambda pull_back, cotangent: pull_back(cotangent))


class OwnDerivative(nn.Module):
    is_own: bool = True
    n_outputs: int | None = None

    @nn.compact
    def __call__(self, x):
        kernel = self.param("kernel", nn.initializers.lecun_normal(), (3, 1, 4))
        x = (conv_of_its_own if self.is_own else conv)(x, kernel)
        return nn.Dense(self.n_outputs)(x.reshape(x.shape[0], -1))


@pytest.mark.parametrize("early_stopping", [pytest.param(False, marks=pytest.mark.campaign), True])  # True trains too
def test_a_network_with_a_custom_derivative_trains_without_loops(early_stopping):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 8, 1)).astype(np.float32)
    y = (X[:, 3, 0] > 0).astype(int)
    params = {"max_epochs": 3, "tol": None, "batch_size": 64, "random_state": 0, "early_stopping": early_stopping}
    own, plain = (DeepClassifier(network=OwnDerivative(is_own=is_own), **params).fit(X, y) for is_own in (True, False))
    assert_allclose(own.history_.train_loss, plain.history_.train_loss, rtol=1e-5)
    assert_allclose(own.history_.val_loss, plain.history_.val_loss, rtol=1e-5)
    assert_allclose(own.predict_proba(X), plain.predict_proba(X), rtol=1e-4)


def test_a_custom_derivative_raises_inside_a_loop():
    x, kernel = jnp.ones((3, 8, 2)), jnp.ones((3, 2, 2))
    with rewriting.inside_a_loop():
        rewritten_for_cpu(conv)(x, kernel)
        with pytest.raises(rewriting.LeftAloneError, match="custom_vjp_call"):
            rewritten_for_cpu(conv_of_its_own)(x, kernel)
    assert_allclose(rewritten_for_cpu(conv_of_its_own)(x, kernel), conv(x, kernel))
