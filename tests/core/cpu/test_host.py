"""Evaluation in NumPy: the same results as of the compiled function, and only the operations that the outputs need."""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax import lax
from jax.nn import initializers
from numpy.testing import assert_allclose

from skdeep.contract import call_arguments
from skdeep.core.cpu import host
from skdeep.core.cpu.host import as_program, evaluate, run
from skdeep.core.network import functions_of
from skdeep.core.random import key_of_seed, wrap_key
from skdeep.layers import BatchNorm, Dense, Dropout, LayerNorm, Residual
from skdeep.networks import MLP, FlaxNetwork, NNXNetwork, Sequential

WORDS = key_of_seed(3)


def on_host(function, *arguments):
    """Return the outputs of a function of a key and arrays, evaluated in NumPy."""
    traced, shape = jax.make_jaxpr(lambda words, *rest: function(wrap_key(words), *rest), return_shape=True)(
        WORDS, *arguments
    )
    return jax.tree.unflatten(jax.tree.structure(shape), evaluate(traced, [WORDS, *arguments]))


def assert_as_compiled(function, *arguments):
    """Assert equal structure, shapes and dtypes, and values up to rounding (exact for integers)."""
    expected = jax.jit(lambda words, *rest: function(wrap_key(words), *rest))(WORDS, *arguments)
    got = on_host(function, *arguments)
    assert jax.tree.structure(got) == jax.tree.structure(expected)
    for (path, host_leaf), leaf in zip(jax.tree.leaves_with_path(got), jax.tree.leaves(expected), strict=True):
        name = jax.tree_util.keystr(path)
        assert (np.shape(host_leaf), host_leaf.dtype) == (leaf.shape, leaf.dtype), name
        is_float = jnp.issubdtype(leaf.dtype, jnp.inexact)
        rtol = max(2e-5, 2 * float(jnp.finfo(leaf.dtype).eps)) if is_float else 0
        assert_allclose(host_leaf, leaf, rtol=rtol, atol=2e-6 if is_float else 0, err_msg=name)


def assert_all_as_compiled(table, *arguments):
    """Assert the same for all functions of a table, in one program, because compiling is slow."""
    assert_as_compiled(lambda key, *rest: {name: function(key, *rest) for name, function in table.items()}, *arguments)


INITIALISERS = {
    "zeros": initializers.zeros,
    "ones": initializers.ones,
    "constant": initializers.constant(0.3),
    "normal": initializers.normal(0.1),
    "truncated_normal": initializers.truncated_normal(0.1),
    "uniform": initializers.uniform(0.1),
    "glorot_normal": initializers.glorot_normal(),
    "glorot_uniform": initializers.glorot_uniform(),
    "he_normal": initializers.he_normal(),
    "he_uniform": initializers.he_uniform(),
    "lecun_normal": initializers.lecun_normal(),
    "lecun_uniform": initializers.lecun_uniform(),
    "variance_scaling": initializers.variance_scaling(2.0, "fan_avg", "truncated_normal"),
    "orthogonal": initializers.orthogonal(),
}


def test_initialisers_equal_jaxs():
    assert_as_compiled(lambda key: {name: initialiser(key, (20, 10)) for name, initialiser in INITIALISERS.items()})


@pytest.mark.parametrize(
    ("name", "dtype"), [("normal", "bfloat16"), ("glorot_uniform", "bfloat16"), ("normal", "float16")]
)
def test_initialisers_of_half_precision(name, dtype):
    made = on_host(lambda key: INITIALISERS[name](key, (20, 10), dtype))
    expected = jax.jit(lambda: INITIALISERS[name](wrap_key(WORDS), (20, 10), dtype))()
    assert made.dtype == dtype
    assert_allclose(made.astype(float), expected.astype(float), atol=0.02)


SAMPLERS = {
    "scalar normal": lambda key: jax.random.normal(key),
    "scalar uniform": lambda key: jax.random.uniform(key),
    "bernoulli": lambda key: jax.random.bernoulli(key, 0.3, (8,)),
    "randint": lambda key: jax.random.randint(key, (8,), -100, 100),
    "permutation": lambda key: jax.random.permutation(key, 10),
    "choice": lambda key: jax.random.choice(key, 10, (4,), replace=False),
    "categorical": lambda key: jax.random.categorical(key, jnp.zeros(5), shape=(6,)),
    "exponential": lambda key: jax.random.exponential(key, (5,)),
    "laplace": lambda key: jax.random.laplace(key, (5,)),
    "bits": lambda key: jax.random.bits(key, (2, 3)),
    "bits of 8": lambda key: jax.random.bits(key, (5,), "uint8"),
    "bits of 16": lambda key: jax.random.bits(key, (5,), "uint16"),
    "complex": lambda key: jax.random.normal(key, (3,), "complex64"),
    "threefry": lambda key: jax.random.normal(jax.random.key(0, impl="threefry2x32"), (3,)),
}


def test_random_samples_equal_jaxs():
    assert_all_as_compiled(SAMPLERS)


KEYS = {
    "data": jax.random.key_data,
    "fold": lambda key: jax.random.key_data(jax.random.fold_in(key, 7)),
    "fold twice": lambda key: jax.random.key_data(jax.random.fold_in(jax.random.fold_in(key, 7), 1)),
    "split": lambda key: jax.random.key_data(jax.random.split(key, 3)),
    "split in two dimensions": lambda key: jax.random.key_data(jax.random.split(key, (2, 3))),
    "unpacked split": lambda key: [jax.random.normal(k, (3,)) for k in jax.random.split(key)],
    "split of a split": lambda key: jax.random.key_data(jax.random.split(jax.random.split(key)[1], 2)),
    "sliced": lambda key: jax.random.key_data(jax.random.split(key, 5)[1:3]),
    "reshaped": lambda key: jax.random.key_data(jax.random.split(key, (2, 3)).reshape(3, 2)),
    "concatenated": lambda key: jax.random.key_data(jnp.concatenate([jax.random.split(key, 2), key[None]])),
    "clone": lambda key: jax.random.normal(jax.random.clone(key), (2,)),
    "vmap over keys": lambda key: jax.vmap(lambda k: jax.random.normal(k, (3,)))(jax.random.split(key, 4)),
    "vmap over data": lambda key: jax.vmap(lambda i: jax.random.normal(jax.random.fold_in(key, i)))(jnp.arange(4)),
    "vmap of split": lambda key: jax.random.key_data(jax.vmap(jax.random.split)(jax.random.split(key, 3))),
    "scan": lambda key: lax.scan(lambda k, _: (jax.random.split(k)[0], jax.random.uniform(k)), key, None, length=3)[1],
    "cond": lambda key: lax.cond(jax.random.uniform(key) > 0.5, jax.random.normal, jax.random.uniform, key),
}


def test_keys_equal_jaxs():
    assert_all_as_compiled(KEYS)


NUMBERS = np.array([[-3.5, -1.0, -0.2, 0.0], [0.3, 1.0, 2.5, 7.0]], np.float32)
INTEGERS = np.array([-(2**31), -7, -1, 0, 1, 5, 2**31 - 1], np.int32)

OPERATIONS = {
    "arithmetic": lambda key, x, i: (x + 2, x - 1, x * 3, x / 7, -x, x**3, x**-2.0, jnp.square(x)),
    "functions": lambda key, x, i: [
        f(x) for f in (jnp.exp, jnp.sin, jnp.cos, jnp.tanh, jnp.expm1, jnp.abs, jnp.sign, jnp.floor, jnp.ceil, jnp.round)
    ],
    "roots and logarithms": lambda key, x, i: [f(jnp.abs(x) + 1) for f in (jnp.sqrt, lax.rsqrt, jnp.log, jnp.log1p)],
    "special": lambda key, x, i: (lax.erf(x), lax.erf_inv(x / 10), jax.nn.sigmoid(x), jax.nn.gelu(x)),
    "comparisons": lambda key, x, i: (x < 0, x <= 0, x > 0, x >= 0, x == 0, x != 0, jnp.maximum(x, 1), jnp.minimum(x, 1)),
    "select": lambda key, x, i: (jnp.where(x > 0, x, -1), jnp.clip(x, -1, 1), lax.select_n(x > 0, x, 2 * x)),
    "shapes": lambda key, x, i: (x.T, x[:, ::2], x[0], x.reshape(4, 2), x[:, None, :], jnp.squeeze(x[:1]), x[::-1]),
    "joins": lambda key, x, i: (jnp.concatenate([x, x], 1), jnp.stack([x, x]), jnp.broadcast_to(x[0], (3, 4))),
    "ranges": lambda key, x, i: (jnp.arange(5), jnp.eye(3), lax.broadcasted_iota("int32", (2, 3), 1), jnp.linspace(0, 1, 4)),
    "reductions": lambda key, x, i: (x.sum(), x.mean(0), x.max(1), jnp.argmax(x), jnp.cumsum(x), jnp.sort(x), x @ x.T),
    "conversions": lambda key, x, i: (x.astype(int), i.astype("float32"), (x > 0).astype("float32"), x.astype("float16")),
    "integers": lambda key, x, i: (i + 1, i * 3, i // 3, i % 3, lax.div(i, jnp.int32(3)), jnp.abs(i), jnp.sign(i)),
    "bits": lambda key, x, i: (i & 3, i | 3, i ^ 3, ~i, ~(x > 0), i << 3, lax.shift_right_arithmetic(i, jnp.int32(3))),
    "logical shift": lambda key, x, i: lax.shift_right_logical(i, jnp.full_like(i, 3)),
    "shift by all bits": lambda key, x, i: (i << 32, lax.shift_right_logical(i.view("uint32"), jnp.full(7, 32, "uint32"))),
    "bit casts": lambda key, x, i: (x.view("int32"), i.view("uint32"), x.view("uint32").view("float32")),
    "bit cast of a scalar": lambda key, x, i: lax.bitcast_convert_type(x[0, 0], "int32"),
    "bit cast to less": lambda key, x, i: lax.bitcast_convert_type(i, "uint8"),
    "bit cast to more": lambda key, x, i: lax.bitcast_convert_type(i[:4].reshape(2, 2).astype("uint16"), "uint32"),
    "loops": lambda key, x, i: (lax.fori_loop(0, 3, lambda _, c: c * 2, x), lax.map(jnp.sum, x)),
    "inner jit": lambda key, x, i: jax.jit(lambda x: jax.jit(jnp.exp)(x) + x)(x),
    "custom derivative": lambda key, x, i: (jax.nn.relu(x), jax.nn.relu6(x), jax.nn.softplus(x)),
    "checkpoint": lambda key, x, i: jax.checkpoint(jnp.sin)(x),
    "constants": lambda key, x, i: x + np.arange(4.0, dtype=np.float32)[None, :],
    "the argument": lambda key, x, i: (x, i, 3.0),
}  # fmt: skip


def test_operations_equal_jaxs():
    assert_all_as_compiled(OPERATIONS, NUMBERS, INTEGERS)


FLOATS = [0.0, -0.0, 0.5, -0.5, 1.5, -2.5, 3.7, 127, 128, 255.5, -129, 300, 65504, np.inf, -np.inf, np.nan]
LARGE = [2**31 - 1, 2**31, -(2**31), 2**32, 2.0**53, 1e10, -1e10, 2.0**63, -(2.0**63), 2.0**64, 1e30, -1e30]
WHOLE = ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"]


def edges(dtype):
    """Return values of a type for which NumPy and XLA may give different results."""
    dtype = np.dtype(dtype)
    if dtype.kind == "f":
        return np.array(FLOATS + (LARGE if dtype.itemsize > 2 else []), dtype)
    limits = np.iinfo(dtype)
    near = {0, 1, 2, 3, 7, limits.min, limits.min + 1, limits.max, limits.max - 1, limits.max // 3, -1, -2, -3, -7}
    return np.array(sorted(v for v in near if limits.min <= v <= limits.max), dtype)


def pairs(function):
    return lambda key, x: function(*jnp.broadcast_arrays(x[:, None], x[None, :]))


ON_EDGES = {
    **{
        f"to {dtype}": (lambda key, x, dtype=dtype: x.astype(dtype)) for dtype in [*WHOLE, "bool", "float32", "float16"]
    },
    "division": pairs(lax.div),
    "remainder": pairs(lax.rem),
    "floor division": pairs(jnp.floor_divide),
    "modulo": pairs(jnp.mod),
    "arithmetic": pairs(lambda a, b: (a + b, a - b, a * b)),
    "comparisons": pairs(lambda a, b: (a < b, a <= b, a > b, a >= b, a == b, a != b)),
    "of one": lambda key, x: (-x, jnp.abs(x), jnp.sign(x), jnp.square(x), x**3, lax.integer_pow(x, 5)),
}
ON_FLOATS = {
    "functions": lambda key, x: [f(x) for f in (jnp.sqrt, lax.rsqrt, jnp.exp, jnp.log, jnp.log1p, jnp.tanh, lax.erf)],
    "of the unit interval": lambda key, x: (lax.erf_inv(x), jnp.expm1(x), jnp.floor(x)),
    "extremes": pairs(lambda a, b: (lax.max(a, b), lax.min(a, b))),
    "next numbers": pairs(lambda a, b: lax.nextafter(a, b)),
}
ON_WHOLE = {
    "shifts": pairs(
        lambda a, b: (lax.shift_left(a, b), lax.shift_right_logical(a, b), lax.shift_right_arithmetic(a, b))
    ),
    "bits": pairs(lambda a, b: (a & b, a | b, a ^ b, ~a)),
    "extremes": pairs(lambda a, b: (lax.max(a, b), lax.min(a, b))),
}


@pytest.mark.filterwarnings("ignore:overflow encountered")  # casts of the table of values to narrower types
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", *WHOLE])
def test_operations_on_extreme_values_equal_jaxs(dtype):
    table = ON_EDGES | (ON_FLOATS if dtype.startswith("float") else ON_WHOLE)
    with jax.enable_x64(True), np.errstate(all="ignore"):
        assert_all_as_compiled(table, edges(dtype))


def test_signs_of_zeros_equal_jaxs():
    zeros = np.array([0.0, -0.0], np.float32)
    for function in (jnp.sign, lax.erf_inv, jnp.negative, lambda x: lax.nextafter(x, -x)):
        found = on_host(lambda key, x, f=function: f(x), zeros)
        assert list(np.signbit(found)) == list(np.signbit(jax.jit(function)(zeros)))


class Attention(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.MultiHeadDotProductAttention(num_heads=2)(x[:, None, :], x[:, None, :])


class Repeated(nn.Module):
    """Layers whose parameters are initialised under `vmap` over keys, as in Flax's guide to lifted transformations."""

    @nn.compact
    def __call__(self, x):
        many = nn.vmap(
            nn.Dense, in_axes=None, out_axes=0, variable_axes={"params": 0}, split_rngs={"params": True}, axis_size=3
        )
        return many(5)(x)


class Scanned(nn.Module):
    @nn.compact
    def __call__(self, x):
        cell = nn.scan(nn.LSTMCell, variable_broadcast="params", split_rngs={"params": False}, in_axes=1, out_axes=1)(6)
        carry = cell.initialize_carry(jax.random.key(0), x[:, 0, :].shape)
        return cell(carry, x)[1]


MODULES = {
    "Dense": (nn.Dense(5), (4,)),
    "Conv": (nn.Conv(5, (3, 3)), (8, 8, 3)),
    "BatchNorm": (nn.BatchNorm(), (4,)),
    "LayerNorm": (nn.LayerNorm(), (4,)),
    "Embed": (nn.Sequential([lambda x: x.astype(int), nn.Embed(10, 5)]), (4,)),
    "orthogonal": (nn.Dense(5, kernel_init=initializers.orthogonal()), (4,)),
    "RNN of LSTMCell": (nn.RNN(nn.LSTMCell(6)), (5, 4)),
    "RNN of GRUCell": (nn.RNN(nn.GRUCell(6)), (5, 4)),
    "scan of LSTMCell": (Scanned(), (5, 4)),
    "attention": (Attention(), (8,)),
    "vmap of Dense": (Repeated(), (4,)),
    "remat": (nn.remat(nn.Dense)(5), (4,)),
}


@pytest.mark.parametrize("name", MODULES)
def test_parameters_of_linen_modules_equal_jaxs(name):
    module, in_shape = MODULES[name]
    x = np.ones((2, *in_shape), np.float32)

    assert_as_compiled(lambda key, x: module.init(key, x, **call_arguments(module, False, None)), x)


class NNXNet(nnx.Module):
    def __init__(self, in_shape, n_outputs, rngs):
        self.conv = nnx.Conv(in_shape[-1], 4, (3,), rngs=rngs)
        self.norm = nnx.BatchNorm(4, rngs=rngs)
        self.dropout = nnx.Dropout(0.5, rngs=rngs)
        self.output = nnx.Linear(4, n_outputs, rngs=rngs)

    def __call__(self, x):
        return self.output(self.dropout(self.norm(self.conv(x)))[:, 0])


class NNXRecurrent(nnx.Module):
    def __init__(self, in_shape, n_outputs, rngs):
        self.rnn = nnx.RNN(nnx.LSTMCell(in_shape[-1], n_outputs, rngs=rngs), rngs=rngs)

    def __call__(self, x):
        return self.rnn(x)[:, -1]


NETWORKS = {
    "mlp": (MLP(widths=(8, 8), dropout_rate=0.5, normalization="batch", residual=True), (4,)),
    "sequential": (Sequential((Dense(8, kernel_init="glorot_uniform"), BatchNorm(), Dropout(), Residual())), (4,)),
    "layer_norm": (Sequential((Dense(8), LayerNorm())), (4,)),
    "linen": (FlaxNetwork(nn.Dense(3)), (4,)),
    "nnx": (NNXNetwork(NNXNet), (5, 2)),
    "recurrent nnx": (NNXNetwork(NNXRecurrent), (5, 2)),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_parameters_of_networks_equal_jaxs(name):
    network, in_shape = NETWORKS[name]
    x = np.zeros((1, *in_shape), np.float32)
    assert_as_compiled(lambda key, x: functions_of(network, in_shape, 3).init(key, x), x)


@pytest.fixture
def evaluated(monkeypatch):
    """Return a list to which the names of evaluated operations are appended, in order."""
    names = []

    def apply(operation, inputs):
        names.append(operation.name)
        return original(operation, inputs)

    original = host._apply
    monkeypatch.setattr(host, "_apply", apply)
    return names


@pytest.mark.parametrize(
    ("module", "in_shape", "left_out"),
    [
        (nn.Dense(5), (4,), "dot_general"),
        (nn.Conv(5, (3,)), (8, 4), "conv_general_dilated"),
        (nn.Sequential([nn.Dense(5), nn.tanh, nn.Dense(5)]), (4,), "tanh"),
    ],
    ids=["Dense", "Conv", "Sequential"],
)
def test_forward_pass_is_not_evaluated(evaluated, module, in_shape, left_out):
    x = np.ones((2, *in_shape), np.float32)
    on_host(lambda key, x: module.init_with_output(key, x), x)
    assert left_out in evaluated
    evaluated.clear()
    on_host(lambda key, x: module.init(key, x), x)
    assert "random_bits" in evaluated
    assert left_out not in evaluated


def test_default_initialisers_need_no_jax(monkeypatch):
    """Operations without a rule run in JAX, which is slow."""

    def refuse(equation, inputs):
        raise AssertionError(f"no rule for {equation.primitive.name}")

    monkeypatch.setattr(host, "_apply_in_jax", refuse)
    network = MLP(widths=(8, 8), dropout_rate=0.5, normalization="batch", residual=True)
    x = np.zeros((1, 4), np.float32)
    params, _ = on_host(lambda key, x: functions_of(network, (4,), 3).init(key, x), x)
    assert all(type(leaf) is np.ndarray for leaf in jax.tree.leaves(params))


def test_unknown_operations_run_in_jax(evaluated):
    assert "cumsum" not in host._RULES
    assert_allclose(on_host(lambda key: jnp.cumsum(jnp.arange(4.0))), [0, 1, 3, 6])
    assert "cumsum" in evaluated


def test_outputs_of_unknown_operations_are_numpys_for_the_next_operation():
    x = np.array([1.6, 2e9, 1e9, np.nan], np.float32)

    def function(key, x):
        return jnp.cumsum(x).astype(jnp.int32)

    np.testing.assert_array_equal(on_host(function, x), function(None, x))


def test_outputs_that_are_constants_are_plain_arrays():
    constant = np.arange(3, dtype=np.float32)
    outputs = on_host(lambda key, x: (jnp.asarray(constant), jnp.asarray(constant) + 1, x), np.ones(2, np.float32))
    assert [type(output) for output in outputs] == [np.ndarray] * 3
    assert not np.shares_memory(outputs[0], constant)
    assert_allclose(outputs[0], constant)


def test_reshape_with_dimensions():
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    program = as_program(jax.make_jaxpr(lambda x: jax.lax.reshape(x, (6,), dimensions=(1, 0)))(x))
    np.testing.assert_array_equal(run(program, [x])[0], [0, 3, 1, 4, 2, 5])
