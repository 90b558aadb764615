"""Hooks of the build: which members a page documents, links from code to the reference, and the order of the gallery."""

from __future__ import annotations

import importlib
import inspect
from functools import cache
from pathlib import Path
from typing import Any

from docutils import nodes

from docs.api import documented
from docs.staging import pages

GALLERY = [
    "plot_digits",
    "plot_search",
    "plot_training_curves",
    "plot_calibration",
    "plot_mixed_table",
    "plot_time_series",
    "plot_uncertainty",
    "plot_fashion_mnist",
    "plot_autoencoder",
    "plot_text",
    "plot_own_module",
    "plot_own_loss",
    "plot_kan",
    "plot_saving",
]
"""The examples in the order of the gallery: first steps, kinds of data, own code, models."""

_ABSENT = """
.. note::

   Fashion-MNIST is not installed on the machine that built this page. So the code below was not run, and there are no pictures.
"""


def place_in_gallery(filename: str) -> int:
    """Return the position of an example in the gallery."""
    return GALLERY.index(Path(filename).stem)


def fashion_mnist_is_installed() -> bool:
    """Return True if the files of Debian's package dataset-fashion-mnist are on this machine."""
    return Path("/usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz").exists()


def setup(app: Any) -> dict[str, Any]:
    """Connect the hooks."""
    app.connect("autodoc-skip-member", _skip_member)
    app.connect("source-read", _say_what_was_not_run)
    app.connect("doctree-read", _link_code)
    return {"parallel_read_safe": True}


def _skip_member(app: Any, what: str, name: str, member: Any, skip: bool, options: Any) -> bool | None:
    """Document methods of skdeep only: those inherited from scikit-learn, Flax and Python are described there."""
    function = inspect.unwrap(getattr(member, "fget", None) or getattr(member, "__func__", None) or member)
    is_ours = str(getattr(function, "__module__", "")).startswith("skdeep")
    return None if is_ours and not name.startswith("_") else True


def _say_what_was_not_run(app: Any, page: str, source: list[str]) -> None:
    if page == "gallery/plot_fashion_mnist" and not fashion_mnist_is_installed():
        title, _, rest = source[0].partition("=\n\n")
        source[0] = f"{title}=\n{_ABSENT}\n{rest}"


def _link_code(app: Any, doctree: nodes.document) -> None:
    """Make code that names a public object, or a file such as `saving.md`, a link to its page."""
    page = app.env.docname
    for literal in list(doctree.findall(nodes.literal)):
        target = _page_of(literal.astext())
        if target in (None, page) or _is_inside(literal, (nodes.reference, nodes.title)):
            continue
        link = nodes.reference("", "", internal=True, refuri=app.builder.get_relative_uri(page, target))
        literal.replace_self(link)
        link += literal


def _is_inside(node: nodes.Node, kinds: tuple[type[nodes.Node], ...]) -> bool:
    while node.parent is not None:
        node = node.parent
        if isinstance(node, kinds):
            return True
    return False


@cache
def _page_of(code: str) -> str | None:
    """Return the page that describes a public object or is made from a file of `skdeep/docs`, None if the code names neither."""
    if code.endswith(".md"):
        page = Path(code).name
        return page.removesuffix(".md") if page in pages() else None
    name = _full_names().get(code)
    return f"api/generated/{name}" if name else None


@cache
def _full_names() -> dict[str, str]:
    """Return the full names in the reference by the texts that stand for them: full, or short if that is clear."""
    names = documented()
    short = [name.rpartition(".")[2] for name in names]
    known = {name: name for name in names}
    for name, last in zip(names, short, strict=True):
        is_class = isinstance(getattr(importlib.import_module(name.rpartition(".")[0]), last), type)
        if short.count(last) == 1 and (is_class or "_" in last):
            known[last] = name
    return known
