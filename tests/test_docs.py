"""The README and the pages: their code runs, their links point to files, and they name every component."""

from __future__ import annotations

import re
import sys
import textwrap
import types
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "skdeep" / "docs").glob("*.md"))]
PAGES += [ROOT / "plugins" / "README.md", *sorted(ROOT.glob("plugins/*/README.md"))]
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]


@pytest.mark.usefixtures("fresh_registry")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_code_blocks_run(page, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^ *```python\n(.*?)^ *```", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    assert blocks
    module = types.ModuleType(page.stem)
    monkeypatch.setitem(sys.modules, page.stem, module)  # classes look up the module that defines them
    for block in blocks:
        exec(compile(textwrap.dedent(block), str(page), "exec"), vars(module))


def test_readme_is_short_and_has_three_commands():
    lines = (ROOT / "README.md").read_text().splitlines()
    assert len(lines) <= 150
    assert len([line for line in lines if line.startswith("python3 -m venv .venv && ")]) == 3


@pytest.mark.parametrize("page", [*PAGES, ROOT / "docs" / "CONTRIBUTING.md"], ids=[*NAMES, "docs/CONTRIBUTING.md"])
def test_links_point_to_files(page):
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text()):
        assert (page.parent / target).exists(), target


def test_pages_name_every_built_in_component():
    from skdeep import registry

    text = (ROOT / "skdeep" / "docs" / "components.md").read_text()
    missing = [name for kind in registry.GROUPS for name in registry._builtins()[kind] if f"`{name}`" not in text]
    assert missing == []
