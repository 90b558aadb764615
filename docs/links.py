"""A check of the links of a built site: files, anchors and pictures. It opens no network connection."""

from __future__ import annotations

import os
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

_ADDRESSES = {
    "a": ("href",),
    "link": ("href",),
    "script": ("src",),
    "img": ("src", "srcset"),
    "source": ("src", "srcset"),
}


class _Page(HTMLParser):
    """The addresses that a page refers to, and the anchors that it has."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if value and (name == "id" or (name == "name" and tag == "a")):
                self.anchors.add(value)
            elif value and name in _ADDRESSES.get(tag, ()):
                self.addresses += _of_srcset(value) if name == "srcset" else [value]


def check_folder(folder: Path) -> list[str]:
    """Return one line per broken link of the HTML files in a folder: the page, the address and the fault."""
    problems = []
    for path in _pages_of(folder):
        for address in dict.fromkeys(_page(path).addresses):
            fault = _fault(path, address)
            if fault:
                problems.append(f"{path.relative_to(folder)}: {address}: {fault}")
    return problems


def external_links(folder: Path) -> list[str]:
    """Return the addresses of other sites, sorted."""
    addresses = {address for path in _pages_of(folder) for address in _page(path).addresses}
    return sorted(address for address in addresses if _is_external(address))


def _pages_of(folder: Path) -> list[Path]:
    """Return the HTML files, without those that belong to the theme."""
    return [path for path in sorted(folder.rglob("*.html")) if "_static" not in path.relative_to(folder).parts]


def _fault(path: Path, address: str) -> str | None:
    if _is_external(address) or address.startswith(("mailto:", "data:", "javascript:")):
        return None
    parts = urlsplit(address)
    target = _target(path.parent, unquote(parts.path)) if parts.path else path
    if target is None:
        return "no such file"
    if parts.fragment and target.suffix == ".html" and unquote(parts.fragment) not in _page(target).anchors:
        return "no such anchor"
    return None


@cache
def _target(folder: Path, address: str) -> Path | None:
    target = Path(os.path.normpath(folder / address))
    if target.is_dir():
        target /= "index.html"
    return target if target.is_file() else None


def _is_external(address: str) -> bool:
    return address.startswith(("http:", "https:", "//"))


def _of_srcset(value: str) -> list[str]:
    return [part.split()[0] for part in value.split(",") if part.strip()]


@cache
def _page(path: Path) -> _Page:
    return _Page(path.read_text())
