"""Which linen modules a trace calls, and the scope that marks the operations of each."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote, unquote

import jax

from skdeep.core.flops import Scope
from skdeep.linen import is_summarised_as_one, summary_title
from skdeep.view.shapes import worded_shape

Path = tuple[str, ...]
"""The names of modules from the outermost to one of them; the parameters of a module have the same path."""

_MARK = "skdeep:"


def marked_path(scope: Scope) -> Path | None:
    """Return the path of the innermost module that a scope is in, None if there is none."""
    mark = next((name for name in reversed(scope) if name.startswith(_MARK)), None)
    return None if mark is None else tuple(map(unquote, mark.removeprefix(_MARK).split(".")[1:]))


def _mark_of(path: Path) -> str:
    return _MARK + "".join(f".{quote(name, safe='').replace('.', '%2E')}" for name in path)


class Notes(NamedTuple):
    """The linen modules that a trace called.

    `rows` holds type and output shape of each layer by its path, and `owners` the path of the layer that each module belongs to.
    """

    rows: dict[Path, tuple[str, str]]
    owners: dict[Path, Path]


class _Call(NamedTuple):
    """A module that is being called: the path of its outermost module, its own path, and whether it is one layer with all inside."""

    prefix: Path
    path: Path
    is_one: bool


@contextlib.contextmanager
def noted_modules(notes: Notes, trees: Any) -> Iterator[None]:
    """Note type and output shape of each linen module that is called in the block, and mark its operations in the trace.

    Paths of modules are those of their parameters in `trees`, which hold the traced parameters and model state. A module that comes with
    Flax is one layer, with all modules inside it.
    """
    import flax.linen as nn

    where = {id(leaf): names_of(keys) for tree in trees for keys, leaf in jax.tree_util.tree_leaves_with_path(tree)}
    around: list[_Call] = []

    def note(call: Any, args: Any, kwargs: Any, context: Any) -> Any:
        module, title = context.module, summary_title(context.module)
        outer = around[-1] if around else _Call((), (), False)
        if context.method_name == "setup" or not title:
            return call(*args, **kwargs)
        prefix = outer.prefix if module.path else _path_of(module.variables, where, outer.prefix)
        path = (*prefix, *map(str, module.path))
        if outer.is_one:
            notes.owners.setdefault(path, outer.path)
            return call(*args, **kwargs)
        notes.owners[path] = path
        notes.rows.setdefault(path, (title, ""))
        around.append(_Call(prefix, path, is_summarised_as_one(module)))
        try:
            with jax.named_scope(_mark_of(path)):
                output = call(*args, **kwargs)
        finally:
            around.pop()
        if context.method_name == "__call__" or not notes.rows[path][1]:
            notes.rows[path] = (title, worded_shape(output))
        return output

    with nn.intercept_methods(note):
        yield


def _path_of(variables: Mapping[str, Any], where: Mapping[int, Path], otherwise: Path) -> Path:
    """Return the path of a module that is called on its own by a network of functions, from the place of its first variable."""
    for tree in variables.values():
        for keys, leaf in jax.tree_util.tree_leaves_with_path(tree):
            if id(leaf) in where:
                path = where[id(leaf)]
                return path[: len(path) - len(keys)]
    return otherwise


def names_of(keys: tuple[Any, ...]) -> Path:
    """Return the names in the keys of a path in a pytree."""
    return tuple(jax.tree_util.keystr((key,), simple=True) for key in keys)
