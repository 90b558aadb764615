"""The generator: NumPy and JAX give the same bits, also under `vmap`, and the numbers pass statistical tests."""

from __future__ import annotations

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

from skdeep.core.random import PRNG, fold_key, host_generator, key_of_seed, random_words, shuffle, split_key, wrap_key

SEEDS = [0, 1, 12345, 2**32 - 1, 2**32, 2**40 + 7]
N_WORDS = 50_000


@functools.cache
def random_bits(seed, n=N_WORDS):
    return random_words(key_of_seed(seed), (n,), np)


def p_value_of_uniform(counts):
    return stats.chisquare(counts).pvalue


@functools.partial(jax.jit, static_argnums=1)
def compiled_words(key, shape):
    return random_words(key, shape, jnp)


@functools.partial(jax.jit, static_argnums=1)
def compiled_split(key, shape):
    return split_key(key, shape, jnp), jax.random.key_data(jax.random.split(wrap_key(key), shape))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("shape", [(), (1,), (7,), (3, 5), (0,)])
def test_words_in_numpy_equal_those_in_jax(seed, shape):
    key = key_of_seed(seed)
    words = random_words(key, shape, np)
    assert words.shape == shape
    assert words.dtype == np.uint32
    assert_array_equal(words, compiled_words(key, shape))
    assert_array_equal(words, jax.random.bits(wrap_key(key), shape))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("data", [0, 1, 2**31, 2**32 - 1])
def test_folded_keys_in_numpy_equal_those_in_jax(seed, data):
    key = key_of_seed(seed)
    with np.errstate(over="ignore"):
        folded = fold_key(key, np.uint32(data), np)
    assert folded.dtype == np.uint32
    assert_array_equal(folded, fold_key(jnp.asarray(key), jnp.uint32(data), jnp))
    assert_array_equal(folded, jax.random.key_data(jax.random.fold_in(wrap_key(key), np.uint32(data))))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("shape", [(1,), (2,), (5,), (2, 3)])
def test_split_keys_in_numpy_equal_those_in_jax(seed, shape):
    key = key_of_seed(seed)
    keys = split_key(key, shape, np)
    assert keys.shape == (*shape, 2)
    assert keys.dtype == np.uint32
    for compiled in compiled_split(key, shape):
        assert_array_equal(keys, compiled)


FUNCTIONS = {
    "bits": lambda key: jax.random.bits(key, (3,)),
    "normal": lambda key: jax.random.normal(key, (2, 3)),
    "uniform": lambda key: jax.random.uniform(key),
    "bernoulli": lambda key: jax.random.bernoulli(key, 0.3, (8,)),
    "fold": lambda key: jax.random.key_data(jax.random.fold_in(key, 3)),
    "split": lambda key: jax.random.key_data(jax.random.split(key, 3)),
    "permutation": lambda key: jax.random.permutation(key, 10),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_same_numbers_under_vmap(name):
    function = FUNCTIONS[name]
    keys = jax.random.split(wrap_key(key_of_seed(3)), 4)
    alone = jax.jit(function)
    assert_array_equal(jax.jit(jax.vmap(function))(keys), jnp.stack([alone(key) for key in keys]))


def test_same_keys_under_vmap_over_data():
    key = wrap_key(key_of_seed(3))
    fold = jax.jit(lambda data: jax.random.key_data(jax.random.fold_in(key, data)))
    assert_array_equal(jax.vmap(fold)(jnp.arange(5)), [fold(jnp.int32(data)) for data in range(5)])


@pytest.mark.parametrize(
    "function",
    [
        lambda key: jax.random.randint(key, (5,), 0, 10),
        lambda key: jax.random.choice(key, 10, (4,), replace=False),
        lambda key: jax.random.categorical(key, jnp.zeros(4), shape=(9,)),
        lambda key: jax.random.truncated_normal(key, -2.0, 2.0, (3,)),
        lambda key: jax.random.gamma(key, 2.0, (3,)),
        lambda key: jax.random.orthogonal(key, 3),
        lambda key: jax.random.bits(key, (3,), "uint8"),
        lambda key: jax.random.bits(key, (3,), "uint16"),
    ],
    ids=["randint", "choice", "categorical", "truncated_normal", "gamma", "orthogonal", "uint8", "uint16"],
)
def test_functions_of_jax_accept_the_keys(function):
    function = jax.jit(function)
    first, again, other = (function(wrap_key(key_of_seed(seed))) for seed in (0, 0, 1))
    assert_array_equal(first, again)
    assert (first != other).any()


def test_64_bits():
    with jax.enable_x64(True):
        words = np.asarray(jax.random.bits(wrap_key(key_of_seed(0)), (1000,), "uint64"))
    assert_array_equal(words.astype(np.uint32), random_bits(0, 1000))
    high, low = words >> np.uint64(32), words & np.uint64(0xFFFFFFFF)
    assert abs(np.corrcoef(high.astype(float), low.astype(float))[0, 1]) < 4 / 1000**0.5


@pytest.mark.parametrize("seed", SEEDS)
def test_key_of_seed(seed):
    key = key_of_seed(seed)
    assert key.dtype == np.uint32
    assert int(key[0]) + (int(key[1]) << 32) == seed
    if seed < 2**32:
        assert_array_equal(jax.random.key_data(jax.random.key(np.uint32(seed), impl=PRNG)), key)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("shift", [0, 8, 16, 24])
def test_every_byte_is_uniform(seed, shift):
    counts = np.bincount((random_bits(seed) >> np.uint32(shift)) & np.uint32(0xFF), minlength=256)
    assert p_value_of_uniform(counts) > 1e-4


@pytest.mark.parametrize("bit", range(32))
def test_every_bit_is_fair_and_uncorrelated(bit):
    """JAX makes a float32 in [0, 1) from bits 9 to 31, a bfloat16 from bits 1 to 7, and integers from all bits."""
    signs = 2.0 * ((random_bits(5) >> np.uint32(bit)) & np.uint32(1)) - 1
    assert abs(signs.mean()) < 5 / N_WORDS**0.5
    for lag in 2 ** np.arange(14):
        assert abs((signs[:-lag] * signs[lag:]).mean()) < 5 / (N_WORDS - lag) ** 0.5


@pytest.mark.parametrize("seed", SEEDS)
def test_consecutive_words_are_independent(seed):
    top = random_bits(seed) >> np.uint32(28)
    pairs = np.bincount(16 * top[:-1:2] + top[1::2], minlength=256)
    assert p_value_of_uniform(pairs) > 1e-4


@functools.cache
def keys_of(kind):
    """Return 2048 keys that are made as in a training: from seeds, by folding, or by splitting."""
    key = key_of_seed(11)
    with np.errstate(over="ignore"):
        return {
            "seeds": lambda: np.array([key_of_seed(seed) for seed in range(2048)]),
            "folded": lambda: np.array([fold_key(key, np.uint32(i), np) for i in range(2048)]),
            "folded twice": lambda: np.array(
                [fold_key(fold_key(key, np.uint32(i), np), np.uint32(j), np) for i, j in np.ndindex(32, 64)]
            ),
            "split": lambda: split_key(key, (2048,), np),
        }[kind]()


@pytest.mark.parametrize("kind", ["seeds", "folded", "folded twice", "split"])
@pytest.mark.parametrize("shift", [0, 28])
def test_numbers_of_neighbouring_keys_are_independent(kind, shift):
    keys = keys_of(kind)
    assert len(np.unique(keys, axis=0)) == 2048
    words = np.array([random_words(key, (2,), np) for key in keys])
    nibbles = (words >> np.uint32(shift)) & np.uint32(15)
    for column in range(2):
        assert p_value_of_uniform(np.bincount(nibbles[:, column], minlength=16)) > 1e-4
    neighbours = np.bincount(16 * nibbles[:-1:2, 0] + nibbles[1::2, 0], minlength=256)
    assert p_value_of_uniform(neighbours) > 1e-4


def test_different_keys_give_different_numbers():
    words = [random_bits(seed, 100) for seed in SEEDS]
    for first, second in itertools.combinations(words, 2):
        assert (first == second).mean() < 0.02


def test_folding_and_splitting_give_different_keys():
    key = key_of_seed(11)
    with np.errstate(over="ignore"):
        folded = [tuple(fold_key(key, np.uint32(i), np)) for i in range(100)]
    assert not set(folded) & set(map(tuple, split_key(key, (100,), np)))


@pytest.mark.parametrize(
    ("sample", "distribution"),
    [
        (lambda key: jax.random.normal(key, (N_WORDS,)), stats.norm()),
        (lambda key: jax.random.uniform(key, (N_WORDS,)), stats.uniform()),
        (lambda key: jax.random.exponential(key, (N_WORDS,)), stats.expon()),
        (lambda key: jax.random.truncated_normal(key, -2.0, 2.0, (N_WORDS,)), stats.truncnorm(-2, 2)),
    ],
    ids=["normal", "uniform", "exponential", "truncated_normal"],
)
def test_distributions(sample, distribution):
    values = np.asarray(sample(wrap_key(key_of_seed(2))), float)
    deviation = distribution.std() / N_WORDS**0.5
    assert abs(values.mean() - distribution.mean()) < 4 * deviation
    assert_allclose(values.std(), distribution.std(), rtol=0.03)
    assert stats.kstest(values, distribution.cdf).pvalue > 1e-4


@pytest.mark.parametrize("number", [0, 3, 2**62 + 5])
def test_shuffles_are_those_of_the_host_generator(number):
    for seed in (0, 2**40 + 7):
        for n in (1, 5, 1000):
            expected, found = np.arange(n), np.arange(n)
            host_generator(key_of_seed(seed), number).shuffle(expected)
            shuffle(found, key_of_seed(seed), number)
            assert_array_equal(found, expected)


def test_host_generator_depends_on_key_and_number():
    def draw(*arguments):
        return host_generator(*arguments).permutation(20).tolist()

    keys = [(key_of_seed(seed), number) for seed in (0, 1, 2**32) for number in (0, 1, 2**32 - 1)]
    assert draw(*keys[0]) == draw(*keys[0])
    assert len({tuple(draw(*arguments)) for arguments in keys}) == len(keys)
