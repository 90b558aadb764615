"""A counter-based generator of random numbers, made of 32-bit multiplications, which compiles fast.

With JAX's threefry, parameter initialisation takes longer to compile than a whole training program, and dropout can take
longer than the matrix products (20 rounds per number). JAX's rbg keys give other numbers under `vmap` than without it.

This generator hashes (counter, key) with pcg3d and pcg4d of Jarzynski and Olano, "Hash Functions for GPU Rendering", JCGT
9(3), 2020. It finishes with the mixer of MurmurHash3 (Appleby); without the mixer, the four lowest bits of neighbouring
numbers are correlated. The generator is registered as a JAX key type, so that `jax.random.*` accepts its keys in any module.
The same arithmetic in NumPy gives the same bits; it initialises parameters on the host.
"""

from __future__ import annotations

import math
import threading
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.random import define_prng_impl
from jaxtyping import Shaped, UInt32

_MULTIPLIER = np.uint32(1664525)
_INCREMENT = np.uint32(1013904223)
_SPLIT_DOMAIN = np.uint32(0x5EED)
_FOLD_DOMAIN = np.uint32(0xF01D)


def pcg3d(x: Any, y: Any, z: Any) -> Any:
    """Hash three uint32 arrays to one (the first word of pcg3d)."""
    x, y, z = (v * _MULTIPLIER + _INCREMENT for v in (x, y, z))
    x = x + y * z
    y = y + z * x
    z = z + x * y
    x, y, z = (v ^ (v >> np.uint32(16)) for v in (x, y, z))
    return _finish(x + y * z)


def pcg4d(x: Any, y: Any, z: Any, w: Any) -> tuple[Any, Any]:
    """Hash four uint32 arrays to two (the first words of pcg4d)."""
    x, y, z, w = (v * _MULTIPLIER + _INCREMENT for v in (x, y, z, w))
    x, y, z, w = _pcg4d_round(x, y, z, w)
    x, y, z, w = (v ^ (v >> np.uint32(16)) for v in (x, y, z, w))
    x, y, _, _ = _pcg4d_round(x, y, z, w)
    return _finish(x), _finish(y)


def _finish(x: Any) -> Any:
    x = (x ^ (x >> np.uint32(16))) * np.uint32(0x85EBCA6B)
    x = (x ^ (x >> np.uint32(13))) * np.uint32(0xC2B2AE35)
    return x ^ (x >> np.uint32(16))


def random_words(key: Any, shape: tuple[int, ...], xp: Any) -> Any:
    """Return random uint32 words for a key of two words."""
    counter = xp.arange(math.prod(shape), dtype=np.uint32)
    return pcg3d(counter, key[..., 0:1], key[..., 1:2]).reshape(shape)


def fold_key(key: Any, data: Any, xp: Any) -> Any:
    """Return a new key, derived from a key and a number."""
    domain = xp.full_like(key[..., 0], _FOLD_DOMAIN)
    return xp.stack(pcg4d(key[..., 0], key[..., 1], data, domain), axis=-1)


def split_key(key: Any, shape: tuple[int, ...], xp: Any) -> Any:
    """Return an array of keys of this shape, derived from one key."""
    counter = xp.arange(math.prod(shape), dtype=np.uint32)
    domain = xp.full_like(counter, _SPLIT_DOMAIN)
    words = pcg4d(key[0] + 0 * counter, key[1] + 0 * counter, counter, domain)
    return xp.stack(words, axis=-1).reshape(*shape, 2)


def _pcg4d_round(x: Any, y: Any, z: Any, w: Any) -> tuple[Any, Any, Any, Any]:
    x = x + y * w
    y = y + z * x
    z = z + x * y
    w = w + y * z
    return x, y, z, w


def _random_bits(key: Any, bit_width: int, shape: tuple[int, ...]) -> Any:
    words = random_words(key, shape, jnp)
    if bit_width <= 32:
        return words.astype(f"uint{bit_width}")
    high = random_words(fold_key(key, jnp.uint32(1), jnp), shape, jnp)
    return words.astype("uint64") | (high.astype("uint64") << np.uint64(32))


def _seed(seed: Any) -> Any:
    low = jnp.asarray(seed).astype(np.uint32)
    return jnp.stack([low, jnp.zeros_like(low)])


@jax.jit
def _fold_in(key: Any, data: Any) -> Any:
    """Call `fold_key`. The jit traces its 60 operations once per process; otherwise each program would trace them again."""
    return fold_key(key, data.astype(np.uint32), jnp)


PRNG = define_prng_impl(
    key_shape=(2,),
    seed=_seed,
    split=lambda key, shape: split_key(key, shape, jnp),
    random_bits=_random_bits,
    fold_in=_fold_in,
    name="skdeep_pcg",
    tag="pcg",
)


def wrap_key(words: Any) -> jax.Array:
    """Return the JAX key made of two uint32 words. Call it inside programs."""
    key: jax.Array = jax.random.wrap_key_data(words, impl=PRNG)
    return key


def key_of_seed(seed: int) -> UInt32[np.ndarray, "2"]:
    """Return, on the host, the two words of the key of a non-negative seed."""
    return np.array([seed & 0xFFFFFFFF, (seed >> 32) & 0xFFFFFFFF], dtype=np.uint32)


def host_generator(key: UInt32[np.ndarray, "2"], number: int) -> np.random.Generator:
    """Return a NumPy generator that depends on a key and on a number, such as the epoch of a shuffle."""
    return np.random.Generator(np.random.Philox(key=_philox_key(key, number)))


def shuffle(values: Shaped[np.ndarray, " n"], key: UInt32[np.ndarray, "2"], number: int) -> None:
    """Shuffle values in place as `host_generator(key, number).shuffle` does, without making a generator each time."""
    bits = _of_thread.bits
    bits.state = {
        **_of_thread.first,
        "state": {"counter": _ZEROS, "key": np.array(_philox_key(key, number), np.uint64)},
    }
    _of_thread.generator.shuffle(values)


def _philox_key(key: UInt32[np.ndarray, "2"], number: int) -> list[int]:
    return [int(key[0]) | int(key[1]) << 32, number]


class _OfThread(threading.local):
    """A generator of each thread, whose state `shuffle` sets."""

    def __init__(self) -> None:
        self.bits = np.random.Philox(0)
        self.first = self.bits.state
        self.generator = np.random.Generator(self.bits)


_of_thread = _OfThread()
_ZEROS = np.zeros(4, np.uint64)
