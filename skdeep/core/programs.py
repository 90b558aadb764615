"""The bounded cache of compiled programs, and its counters.

A program is looked up by its structure: the tree of its arguments with every structure field, the fingerprint of users'
code in it, shapes, dtypes, device and settings of JAX. If it is not found, it is traced, lowered, and looked up by the text
of its lowered form. So equal programs of different Python objects are compiled once, for example if a notebook's cell that
defines a class is run again.

With `skdeep.enable_compile_cache`, both lookups go on in a folder on disk (`core/disk`).
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import hashlib
import itertools
import os
import sys
import threading
from collections.abc import Callable, Hashable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from skdeep.core.bounded_cache import BoundedCache
from skdeep.core.cpu.compile_options import compile_options
from skdeep.core.cpu.rewriting import LeftAloneError, noted_operations
from skdeep.core.disk import programs_on_disk as disk
from skdeep.core.disk.executables import compile_now
from skdeep.core.placement import current_placement
from skdeep.core.program_keys import abstract, code_version, current_version, key_of
from skdeep.core.settings import current_settings
from skdeep.core.sharding import of_results, sharding_of

MAX_PROGRAMS = 64
COMPILES_PER_RETURN = 8
"""Freed memory is returned to the system after every so many compiles."""


class Counts(NamedTuple):
    """How often a program was traced and compiled. Calls that find a compiled program are not counted."""

    traces: int
    compiles: int


_by_structure = BoundedCache(MAX_PROGRAMS)
_by_text = BoundedCache(MAX_PROGRAMS)
_traced = BoundedCache(MAX_PROGRAMS)
_counts: dict[str, list[int]] = {}
_counts_lock = threading.Lock()
_forked_after_use = False
_is_used = False


def clear_cache() -> None:
    """Drop all compiled programs, return their memory to the system, and set the counters to zero."""
    for cache in (_by_structure, _by_text, _traced):
        cache.clear()
    _return_memory()
    with _counts_lock:
        _counts.clear()


def compile_counts() -> dict[str, Counts]:
    """Return, for each program, how often it was traced and compiled since the last `clear_cache()`.

    Programs that were loaded from disk (`enable_compile_cache`) are not counted.

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
        Other traced functions call it as `program.function`.
    name : str, default=None
        Name in `compile_counts`, by default the function's.
    donate : tuple of int
        The positions of arguments whose memory the outputs may reuse.
    is_brief : callable, default=None
        Takes the arguments and returns True if, by their shapes, the program is soon done (see `core/cpu/compile_options.py`).
    """

    def __init__(
        self,
        function: Callable[..., Any],
        name: str | None = None,
        donate: tuple[int, ...] = (),
        is_brief: Callable[..., bool] | None = None,
    ) -> None:
        self.name = name or function.__name__
        self.function = function
        self._donate = donate
        self._is_brief = is_brief or (lambda *_: False)
        functools.update_wrapper(self, function)

    def __call__(self, *arguments: Any) -> Any:
        if _is_eager():
            return self.function(*_on_device(arguments))
        leaves, compiled, out_tree = self._look_up(arguments)
        return jax.tree.unflatten(out_tree, compiled(*leaves))

    def with_others(self, *arguments: Any) -> Any:
        """Return the compiled program as a function of its last argument; the other arguments are fixed.

        The function takes pytrees with the structure, shapes and dtypes of the given last argument, and does not look the
        program up again. The result is None if the program does not suit its loop (see `suits_its_loop`).
        """
        if _is_eager():
            return lambda last: self(*arguments[:-1], last)
        found = self._look_up_or_none(arguments)
        if found is None:
            return None
        leaves, compiled, out_tree = found
        fixed = leaves[: len(leaves) - len(jax.tree.leaves(arguments[-1]))]
        return lambda last: jax.tree.unflatten(out_tree, compiled(*fixed, *jax.tree.leaves(last)))

    def prepared(self, *arguments: Any) -> Any:
        """Compile for arguments of these structures, shapes and dtypes, and return the compiled function.

        Its calls neither compile nor look the program up, so that they can be timed. The result is None if the program does
        not suit its loop (see `suits_its_loop`).
        """
        if _is_eager():
            return self
        found = self._look_up_or_none(arguments)
        if found is None:
            return None
        _, compiled, out_tree = found
        return lambda *others: jax.tree.unflatten(out_tree, compiled(*jax.tree.leaves(others)))

    def suits_its_loop(self, *arguments: Any) -> bool:
        """Return False if a network in this program is too slow inside the program's loop on a CPU.

        The cache of programs keeps the answer, so that asking needs no trace of its own.
        """
        return _is_eager() or self._look_up_or_none(arguments) is not None

    def _look_up_or_none(self, arguments: tuple[Any, ...]) -> Any:
        """Return the result of `_look_up`, or None if the program does not suit its loop."""
        try:
            return self._look_up(arguments)
        except LeftAloneError:
            return None

    def _look_up(self, arguments: tuple[Any, ...]) -> Any:
        _refuse_fork()
        leaves, tree = jax.tree.flatten(arguments)
        key = key_of(self, arguments, leaves, tree)
        found = _by_structure.get(key, lambda: self._compiled_or_refused(arguments, leaves, tree))
        if isinstance(found, LeftAloneError):
            raise LeftAloneError(*found.args)
        return leaves, *found

    def _compiled_or_refused(self, arguments: tuple[Any, ...], leaves: list[Any], tree: Any) -> Any:
        """Return the compiled program, or the LeftAloneError that its trace raised. The cache keeps either."""
        donated = self._donated_leaves(arguments)
        key = disk.structure_key(self.name, self.function, donated, tree, list(map(abstract, leaves)))
        stored = disk.load_value(key)
        if isinstance(stored, LeftAloneError):
            return stored
        if isinstance(stored, disk.Lowered):
            compiled = _loaded(stored.text_digest)
            if compiled is not None:
                return compiled, stored.out_tree
        try:
            return self._compile(arguments, leaves, tree, donated, key)
        except LeftAloneError as error:
            disk.store_value(key, error.with_traceback(None))
            return error

    def _donated_leaves(self, arguments: tuple[Any, ...]) -> list[int]:
        sizes = [len(jax.tree.leaves(argument)) for argument in arguments]
        return [i for k in self._donate for i in range(sum(sizes[:k]), sum(sizes[: k + 1]))]

    def _compile(
        self, arguments: tuple[Any, ...], leaves: list[Any], tree: Any, donated: list[int], key: str | None
    ) -> Any:
        """Trace and lower the program, and compile it unless there is a compiled one of the same text."""
        out_trees = []

        def flat(*flat_arguments: Any) -> list[Any]:
            outputs, out_tree = jax.tree.flatten(self.function(*jax.tree.unflatten(tree, flat_arguments)))
            out_trees.append(out_tree)
            return outputs

        flat.__name__ = self.name
        _count(self.name, 0)
        with code_version(current_version(arguments)), noted_operations() as operations:
            jitted = jax.jit(flat, donate_argnums=donated, keep_unused=True, out_shardings=of_results())
            lowered = jitted.lower(*map(_split_shape_of, leaves))
        options = compile_options(operations, self._is_brief(*arguments))
        text = lowered.as_text()
        if "callback" in text:  # the text does not identify the Python function that is called back
            return self._compiled(lowered, options)[0], out_trees[0]
        digest = hashlib.sha256(f"{options}\n{text}".encode()).digest()
        compiled = _by_text.get(_text_key(digest), lambda: self._loaded_or_compiled(lowered, options, digest))
        disk.store_value(key, disk.Lowered(digest, out_trees[0]))
        return compiled, out_trees[0]

    def _loaded_or_compiled(self, lowered: Any, options: dict[str, int | bool], digest: bytes) -> Any:
        if not disk.is_active():
            return self._compiled(lowered, options)[0]
        key = disk.text_key(digest)
        found = disk.load_executable(key)
        if found is None:
            found, may_be_stored = self._compiled(lowered, options)
            if may_be_stored:
                disk.store_executable(key, found)
        return found

    def _compiled(self, lowered: Any, options: dict[str, int | bool]) -> tuple[Any, bool]:
        """Return the compiled program, and True if it may be stored on disk."""
        _count(self.name, 1)
        result = compile_now(lowered, options)
        if next(_compiles) % COMPILES_PER_RETURN == 0:
            _return_memory()
        return result


class _NotStoredError(Exception):
    """There is no compiled program on disk."""


def _loaded(digest: bytes) -> Any:
    """Return the compiled program of this text from memory or from disk, None if there is none."""

    def load() -> Any:
        found = disk.load_executable(disk.text_key(digest))
        if found is None:
            raise _NotStoredError
        return found

    try:
        return _by_text.get(_text_key(digest), load)
    except _NotStoredError:
        return None


def _text_key(digest: bytes) -> Hashable:
    return digest, current_placement(), current_settings()


def program(
    *, donate: tuple[int, ...] = (), is_brief: Callable[..., bool] | None = None
) -> Callable[[Callable[..., Any]], Program]:
    """Return a decorator that turns a function into a `Program`."""
    return lambda function: Program(function, donate=donate, is_brief=is_brief)


class TracedFunction:
    """A pure function of pytrees that is traced once per structure and evaluated in NumPy on the host; use it as a decorator."""

    def __init__(self, function: Callable[..., Any], name: str | None = None) -> None:
        self.name = name or function.__name__
        self.function = function
        functools.update_wrapper(self, function)

    def __call__(self, *arguments: Any) -> Any:
        from skdeep.core.cpu.host import run

        _refuse_fork()
        if _is_eager():
            return jax.tree.map(np.asarray, self.function(*_on_device(arguments)))
        leaves, tree = jax.tree.flatten(arguments)
        key = key_of(self, arguments, leaves, tree)
        traced, out_tree = _traced.get(key, lambda: self._loaded_or_traced(arguments, leaves, tree))
        outputs = run(traced, [np.asarray(leaf) for leaf in leaves])
        return jax.tree.unflatten(out_tree, outputs)

    def _loaded_or_traced(self, arguments: tuple[Any, ...], leaves: list[Any], tree: Any) -> Any:
        key = disk.structure_key(self.name, self.function, (), tree, list(map(abstract, leaves)))
        stored = disk.load_value(key)
        if isinstance(stored, disk.Traced):
            return stored
        found = self._trace(arguments, leaves, tree)
        if found.program.is_data:
            disk.store_value(key, found)
        return found

    def _trace(self, arguments: tuple[Any, ...], leaves: list[Any], tree: Any) -> disk.Traced:
        from skdeep.core.cpu.host import as_program

        def flat(*flat_arguments: Any) -> Any:
            return self.function(*jax.tree.unflatten(tree, flat_arguments))

        _count(self.name, 0)
        with code_version(current_version(arguments)):
            closed, shapes = jax.make_jaxpr(flat, return_shape=True)(*map(_shape_of, leaves))
        return disk.Traced(as_program(closed), jax.tree.structure(shapes))


def _is_eager() -> bool:
    """Return True under `jax.disable_jit`: programs then run as plain Python functions, for debuggers."""
    return bool(jax.config.jax_disable_jit)  # type: ignore[attr-defined]  # config attributes are made at run time


def _on_device(arguments: tuple[Any, ...]) -> Any:
    return jax.tree.map(jnp.asarray, arguments)


_compiles = itertools.count(1)


def _return_memory() -> None:
    """Return freed memory to the system. After compiling, glibc keeps several times the memory that a program needs."""
    if sys.platform == "linux":
        with contextlib.suppress(AttributeError):  # another C library
            ctypes.CDLL(None).malloc_trim(0)


def _shape_of(leaf: Any) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype)


def _split_shape_of(leaf: Any) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding_of(leaf))


def _count(name: str, index: int) -> None:
    with _counts_lock:
        _counts.setdefault(name, [0, 0])[index] += 1


def _note_fork() -> None:
    global _forked_after_use
    _forked_after_use = _forked_after_use or _is_used


def _refuse_fork() -> None:
    """Note that programs are used now, and raise RuntimeError if the process was forked after that."""
    global _is_used
    _is_used = True
    if _forked_after_use:
        raise RuntimeError(
            "This process was forked after JAX had started, and JAX's threads do not survive a fork: it would hang. "
            "Use joblib's 'loky' (the default) or 'threading' backend instead of 'multiprocessing', "
            "or the start method 'spawn'."
        )


os.register_at_fork(after_in_child=_note_fork)
