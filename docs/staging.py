"""The source folder of Sphinx: the pages of the repository, copied side by side, with their links adapted.

Pages are also read in the repository, where links name files: `[tables](tables.md)`, `[template](../plugins/template)`.
`stage` copies each page to its place in the site, and rewrites each link to a page; a link to another file becomes its text.
A comment `<!-- insert README.md#Speed -->` in a page is replaced by that section, so that no text is written twice.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

ROOT = Path(__file__).parent.parent
BUILD = ROOT / "docs" / "_build"
SOURCE = BUILD / "source"
HTML = BUILD / "html"

NAVIGATION = {
    "plugins.md": ["plugins/packages"],
    "plugins/packages.md": [path.parent.name for path in sorted(ROOT.glob("plugins/*/README.md"))],
    "contributing.md": ["design", "core"],
}
"""The pages below a page, where the page itself does not say so because it is also read in the repository."""

_LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\((?!https?:|#)([^)\s#]+)(#[^)\s]*)?\)")
_INSERT = re.compile(r"^<!-- insert (\S+?)#(.+?) -->$", flags=re.MULTILINE)
_FENCE = re.compile(r"(^ *```.*?^ *```)", flags=re.DOTALL | re.MULTILINE)


def pages() -> dict[str, Path]:
    """Return the file of each page by the page's path in the site."""
    found = {path.name: path for path in sorted((ROOT / "docs" / "pages").iterdir())}
    found |= {path.name: path for path in sorted((ROOT / "skdeep" / "docs").glob("*.md"))}
    found |= {f"plugins/{path.parent.name}.md": path for path in sorted(ROOT.glob("plugins/*/README.md"))}
    return found | {
        "plugins/packages.md": ROOT / "plugins" / "README.md",
        "running_benchmarks.md": ROOT / "benchmarks" / "README.md",
        "changelog.md": ROOT / "skdeep" / "CHANGELOG.md",
        "contributing.md": ROOT / "docs" / "CONTRIBUTING.md",
    }


def stage() -> Path:
    """Write the source folder and return it. Files that do not change keep their time, so that Sphinx reads only what is new."""
    from docs.api import api_pages

    texts = {name: adapted(path.read_text(), path, name) for name, path in pages().items()} | api_pages()
    for name, below in NAVIGATION.items():
        texts[name] += "\n```{toctree}\n:hidden:\n\n" + "\n".join(below) + "\n```\n"
    for name, text in texts.items():
        _write(SOURCE / name, text)
    for picture in (ROOT / "skdeep" / "docs").glob("*.png"):
        shutil.copy2(picture, SOURCE)
    for old in SOURCE.rglob("*"):
        name = old.relative_to(SOURCE).as_posix()
        if (
            old.suffix in (".md", ".rst")
            and not name.startswith(("gallery/", "api/backreferences/"))
            and name not in texts
        ):
            old.unlink()
    return SOURCE


def adapted(text: str, path: Path, name: str) -> str:
    """Return the text of a page with the inserted sections, and links that hold in the site."""
    places = {file.resolve(): page for page, file in pages().items()}
    places[ROOT / "README.md"] = "index.md"
    text = _INSERT.sub(lambda match: _section(match[1], match[2], name), text) if "<!-- insert" in text else text
    parts = _FENCE.split(text)
    return "".join(part if i % 2 else _with_links(part, path, name, places) for i, part in enumerate(parts))


def _with_links(text: str, path: Path, name: str, places: dict[Path, str]) -> str:
    def replaced(match: re.Match[str]) -> str:
        mark, label, target, anchor = match[1], match[2], match[3], match[4] or ""
        file = (path.parent / target).resolve()
        page = places.get(file) or places.get(file / "README.md")
        if page:
            return f"{mark}[{label}]({_relative(page, name)}{anchor})"
        if mark or not file.exists():
            return match[0]  # a picture beside the page, or a link that Sphinx reports
        return label

    return _LINK.sub(replaced, text)


def _section(file: str, heading: str, name: str) -> str:
    """Return a section of a file without its heading and without a last paragraph "More: ...", with links adapted."""
    path = ROOT / file
    text = path.read_text()
    found = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |^More: |\Z)", text, flags=re.DOTALL | re.MULTILINE)
    if found is None:
        raise ValueError(f"{file} has no section {heading!r}, which {name} inserts.")
    return adapted(found[1].strip(), path, name)


def _relative(page: str, from_page: str) -> str:
    return os.path.relpath(page, os.path.dirname(from_page) or ".").replace(os.sep, "/")


def _write(path: Path, text: str) -> None:
    if not path.exists() or path.read_text() != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
