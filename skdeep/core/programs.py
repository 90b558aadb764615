"""Stage 7: the bounded cache of compiled programs, and its counters.

A program is looked up by its structure: the tree of its arguments with every structure field, the fingerprint of users'
code in it, shapes, dtypes, device and settings of JAX. On a miss it is traced and looked up by the text of its lowered
form, which recognises equal programs behind unequal Python objects, such as a notebook's cell that was run again.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import hashlib
import itertools
import operator
import os
import sys
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from skdeep.component import Component
from skdeep.core.cpu.rewriting import LeftAloneError
from skdeep.core.fingerprint import fingerprint, user_functions
from skdeep.core.placement import current_placement

MAX_PROGRAMS = 64
COMPILES_PER_RETURN = 8
"""How often freed memory goes back to the system."""

Value = TypeVar("Value")


class Counts(NamedTuple):
    """How often a program was traced and compiled; calls that did neither are not counted."""

    traces: int
    compiles: int


class _Cache:
    """Least recently used values by key; each is made once, whichever threads ask for it."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._values: OrderedDict[Hashable, Any] = OrderedDict()
        self._pending: dict[Hashable, threading.Lock] = {}
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], Value]) -> Value:
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key]  # type: ignore[no-any-return]  # values have the type of their key's maker
            pending = self._pending.setdefault(key, threading.Lock())
        with pending:
            with self._lock:
                if key in self._values:
                    return self._values[key]  # type: ignore[no-any-return]  # as above
            try:
                value = make()
                with self._lock:
                    self._values[key] = value
                    while len(self._values) > self._size:
                        self._values.popitem(last=False)
            finally:
                with self._lock:
                    self._pending.pop(key, None)
            return value

    def clear(self) -> None:
        with self._lock:
            self._values.clear()


_by_structure = _Cache(MAX_PROGRAMS)
_by_text = _Cache(MAX_PROGRAMS)
_traced = _Cache(MAX_PROGRAMS)
_counts: dict[str, list[int]] = {}
_counts_lock = threading.Lock()
_forked_after_use = False


def clear_cache() -> None:
    """Forget every compiled program, give its memory back to the system, and set the counters to zero."""
    for cache in (_by_structure, _by_text, _traced):
        cache.clear()
    _return_memory()
    with _counts_lock:
        _counts.clear()


def compile_counts() -> dict[str, Counts]:
    """Return, by program, how often it was traced and compiled since the last `clear_cache()`.

    Examples
    --------
    >>> import numpy as np, skdeep
    >>> skdeep.clear_cache()
    >>> X, y = np.eye(8), np.arange(8) % 2
    >>> for rate in (0.1, 0.01):
    ...     model = skdeep.DeepClassifier(max_epochs=2, tol=None, learning_rate=rate).fit(X, y)
    >>> skdeep.compile_counts()["train_block"]
    Counts(traces=1, compiles=1)
    """
    with _counts_lock:
        return {name: Counts(*counts) for name, counts in _counts.items()}


class Program:
    """A pure function of pytrees, compiled once per structure; called like the function.

    Parameters
    ----------
    function : callable
        Also called as `program.function`, inside other traced functions.
    name : str, default=None
        In the counts of compiles; by default that of the function.
    donate : tuple of int
        The positions of arguments whose memory the outputs may reuse.
    """

    def __init__(self, function: Callable[..., Any], name: str | None = None, donate: tuple[int, ...] = ()) -> None:
        self.name = name or function.__name__
        self.function = function
        self._donate = donate
        functools.update_wrapper(self, function)

    def __call__(self, *arguments: Any) -> Any:
        if _is_eager():
            return self.function(*_on_device(arguments))
        leaves, compiled, out_tree = self._look_up(arguments)
        return jax.tree.unflatten(out_tree, compiled(*leaves))

    def with_others(self, *arguments: Any) -> Any:
        """Return the compiled function of the last argument, for pytrees like this one, with the others fixed.

        For callers that would otherwise look the same program up at each call. None, if the program does not suit its
        loop (see `suits_its_loop`).
        """
        if _is_eager():
            return lambda last: self(*arguments[:-1], last)
        found = self._asked(arguments)
        if found is None:
            return None
        leaves, compiled, out_tree = found
        fixed = leaves[: len(leaves) - len(jax.tree.leaves(arguments[-1]))]
        return lambda last: jax.tree.unflatten(out_tree, compiled(*fixed, *jax.tree.leaves(last)))

    def prepared(self, *arguments: Any) -> Any:
        """Compile for such arguments, and return the compiled function of arguments like these.

        A clock may start afterwards, and no call looks the program up again. None, if the program does not suit its loop
        (see `suits_its_loop`).
        """
        if _is_eager():
            return self
        found = self._asked(arguments)
        if found is None:
            return None
        _, compiled, out_tree = found
        return lambda *others: jax.tree.unflatten(out_tree, compiled(*jax.tree.leaves(others)))

    def suits_its_loop(self, *arguments: Any) -> bool:
        """Return False if a network in this program is too slow inside the program's loop on a CPU.

        The answer is kept beside the compiled program, so it costs no trace of its own.
        """
        return _is_eager() or self._asked(arguments) is not None

    def _asked(self, arguments: tuple[Any, ...]) -> Any:
        """Return the program for arguments, or None if it does not suit its loop."""
        try:
            return self._look_up(arguments)
        except LeftAloneError:
            return None

    def _look_up(self, arguments: tuple[Any, ...]) -> Any:
        _refuse_fork()
        leaves, tree = jax.tree.flatten(arguments)
        key = _key(self, arguments, leaves, tree)
        found = _by_structure.get(key, lambda: self._compiled_or_refused(arguments, leaves, tree))
        if isinstance(found, LeftAloneError):
            raise LeftAloneError(*found.args)
        return leaves, *found

    def _compiled_or_refused(self, arguments: tuple[Any, ...], leaves: list[Any], tree: Any) -> Any:
        """Return a program, or the error of one that refuses its loop, so that it is not traced again to find out."""
        try:
            return self._compile(arguments, leaves, tree)
        except LeftAloneError as error:
            return error.with_traceback(None)

    def _compile(self, arguments: tuple[Any, ...], leaves: list[Any], tree: Any) -> Any:
        out_trees = []

        def flat(*flat_arguments: Any) -> list[Any]:
            outputs, out_tree = jax.tree.flatten(self.function(*jax.tree.unflatten(tree, flat_arguments)))
            out_trees.append(out_tree)
            return outputs

        flat.__name__ = self.name
        sizes = [len(jax.tree.leaves(argument)) for argument in arguments]
        donated = [i for k in self._donate for i in range(sum(sizes[:k]), sum(sizes[: k + 1]))]
        _count(self.name, 0)
        with _code_version(_current_version(arguments)):
            lowered = jax.jit(flat, donate_argnums=donated, keep_unused=True).lower(*map(_shape_of, leaves))
        text = lowered.as_text()

        def compile_it() -> Any:
            _count(self.name, 1)
            compiled = lowered.compile()
            if next(_compiles) % COMPILES_PER_RETURN == 0:
                _return_memory()
            return compiled

        if "callback" in text:  # the text does not say which Python function is called back
            return compile_it(), out_trees[0]
        digest = hashlib.sha256(text.encode()).digest()
        return _by_text.get((digest, current_placement(), _settings()), compile_it), out_trees[0]


def program(*, donate: tuple[int, ...] = ()) -> Callable[[Callable[..., Any]], Program]:
    """Make a program of a function, as a decorator; see `Program`."""
    return lambda function: Program(function, donate=donate)


class TracedFunction:
    """A pure function of pytrees that is traced once per structure and evaluated on the host; also a decorator."""

    def __init__(self, function: Callable[..., Any], name: str | None = None) -> None:
        self.name = name or function.__name__
        self.function = function
        functools.update_wrapper(self, function)

    def __call__(self, *arguments: Any) -> Any:
        from skdeep.core.cpu.host import evaluate

        _refuse_fork()
        if _is_eager():
            return jax.tree.map(np.asarray, self.function(*_on_device(arguments)))
        leaves, tree = jax.tree.flatten(arguments)
        key = _key(self, arguments, leaves, tree)
        closed, out_tree = _traced.get(key, lambda: self._trace(arguments, leaves, tree))
        outputs = evaluate(closed, [np.asarray(leaf) for leaf in leaves])
        return jax.tree.unflatten(out_tree, outputs)

    def _trace(self, arguments: tuple[Any, ...], leaves: list[Any], tree: Any) -> Any:
        def flat(*flat_arguments: Any) -> Any:
            return self.function(*jax.tree.unflatten(tree, flat_arguments))

        _count(self.name, 0)
        with _code_version(_current_version(arguments)):
            closed, shapes = jax.make_jaxpr(flat, return_shape=True)(*map(_shape_of, leaves))
        return closed, jax.tree.structure(shapes)


def _is_eager() -> bool:
    """Tell whether programs run as the Python functions that they are, as `jax.disable_jit` asks, for debuggers."""
    return bool(jax.config.jax_disable_jit)  # type: ignore[attr-defined]  # config attributes are made at run time


def _on_device(arguments: tuple[Any, ...]) -> Any:
    return jax.tree.map(jnp.asarray, arguments)


class _Same:
    """Equal to the same objects only."""

    def __init__(self, values: tuple[Any, ...]) -> None:
        self._values = values

    def __hash__(self) -> int:
        return hash(tuple(map(id, self._values)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and all(a is b for a, b in zip(self._values, other._values, strict=True))


def _key(program: Any, arguments: tuple[Any, ...], leaves: list[Any], tree: Any) -> Hashable:
    """Return what a program is looked up by; where code cannot be read, the very components, which one fit has."""
    read = fingerprint(arguments)
    same = _Same(tuple(argument for argument in arguments if isinstance(argument, Component)))
    leaf_types = tuple(map(_abstract, leaves))
    return program, tree, read if read.is_complete else same, leaf_types, current_placement(), _settings()


_code_version = jax.make_user_context(0)
_versions: weakref.WeakKeyDictionary[Any, int] = weakref.WeakKeyDictionary()
_n_changes = 0


def _current_version(arguments: tuple[Any, ...]) -> int:
    """Return a number that grows when a user's function is not what it was when it was traced before.

    JAX keeps the traces of functions that are jitted, or handed to `lax.scan` and the like, by the function alone.
    It keeps them apart by this number.
    """
    global _n_changes
    with _counts_lock:
        has_changed = not fingerprint(arguments).is_complete
        for function, version in user_functions(arguments):
            has_changed |= _versions.setdefault(function, version) != version
            _versions[function] = version
        _n_changes += has_changed
        return _n_changes


_compiles = itertools.count(1)


def _return_memory() -> None:
    """Give freed memory back to the system: after compiling, glibc keeps several times what a program takes."""
    if sys.platform == "linux":
        with contextlib.suppress(AttributeError):  # another C library
            ctypes.CDLL(None).malloc_trim(0)


def _abstract(leaf: Any) -> tuple[tuple[int, ...], Any]:
    return leaf.shape, leaf.dtype


def _shape_of(leaf: Any) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype)


_SETTINGS = [
    f"jax_{name}"
    for name in (
        "allow_f16_reductions", "check_static_indices", "custom_vjp3", "debug_infs", "debug_key_reuse", "debug_nans",
        "default_device", "default_matmul_precision", "default_prng_impl", "disable_jit", "enable_checks",
        "enable_custom_prng", "enable_x64", "error_checking_behavior_divide", "error_checking_behavior_nan",
        "error_checking_behavior_oob", "explicit_x64_dtypes", "high_dynamic_range_gumbel", "legacy_prng_key",
        "numpy_dtype_promotion", "numpy_rank_promotion", "optimization_level", "random_seed_offset", "remat3", "scan3",
        "softmax_custom_jvp", "threefry_gpu_kernel_lowering", "threefry_partitionable", "use_direct_linearize",
    )
    if hasattr(jax.config, f"jax_{name}")
]  # fmt: skip
"""The settings of JAX that change what is traced or compiled, or whether that raises."""


_read_settings = operator.attrgetter(*_SETTINGS)


def _settings() -> Hashable:
    """Return what the settings are in this thread."""
    values: Hashable = _read_settings(jax.config)
    return values


def _count(name: str, index: int) -> None:
    with _counts_lock:
        _counts.setdefault(name, [0, 0])[index] += 1


def _note_fork() -> None:
    global _forked_after_use
    _forked_after_use = _forked_after_use or bool(_counts)


def _refuse_fork() -> None:
    if _forked_after_use:
        raise RuntimeError(
            "This process was forked after JAX had started, and JAX's threads do not survive a fork: it would hang. "
            "Use joblib's 'loky' (the default) or 'threading' backend instead of 'multiprocessing', "
            "or the start method 'spawn'."
        )


os.register_at_fork(after_in_child=_note_fork)
