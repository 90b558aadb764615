"""The documentation site: its links are checked, and it has every page, example and public name."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import skdeep
from docs.api import documented
from docs.links import check_folder, external_links
from docs.staging import ROOT, adapted, pages

EXAMPLES = sorted((ROOT / "docs" / "examples").glob("plot_*.py"))
PUBLIC = ["augmentations", "callbacks", "contract", "display", "layers", "losses", "networks", "optimizers", "plugins"]
PUBLIC += ["schedules", "testing"]

PAGE = '<html><body id="top"><a href="{href}">a</a><img src="{src}" srcset="p.png, q.png 2.00x"></body></html>'


@pytest.fixture
def site(tmp_path):
    def write(href="other.html#part", src="p.png"):
        (tmp_path / "index.html").write_text(PAGE.format(href=href, src=src))
        (tmp_path / "other.html").write_text('<h2 id="part">x</h2><a href="https://example.org/x#y">z</a>')
        for name in ("p.png", "q.png"):
            (tmp_path / name).touch()
        return tmp_path

    return write


@pytest.mark.parametrize("href", ["#top", "index.html", "other.html#part", "./", "https://example.org", "mailto:a@b.c"])
def test_good_links_are_no_problem(site, href):
    assert check_folder(site(href=href)) == []


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ({"href": "missing.html"}, "index.html: missing.html: no such file"),
        ({"href": "other.html#missing"}, "index.html: other.html#missing: no such anchor"),
        ({"href": "#missing"}, "index.html: #missing: no such anchor"),
        ({"src": "missing.png"}, "index.html: missing.png: no such file"),
    ],
)
def test_broken_links_and_missing_pictures_are_found(site, broken, message):
    assert check_folder(site(**broken)) == [message]


def test_pictures_for_fine_screens_are_checked(site):
    folder = site()
    (folder / "q.png").unlink()
    assert check_folder(folder) == ["index.html: q.png: no such file"]


def test_files_of_the_theme_are_not_checked(site):
    folder = site()
    (folder / "_static").mkdir()
    (folder / "_static" / "template.html").write_text('<a href="{{ nothing }}">a</a>')
    assert check_folder(folder) == []


def test_external_links_are_listed(site):
    assert external_links(site()) == ["https://example.org/x#y"]


def test_links_between_pages_hold_in_the_site():
    page = ROOT / "skdeep" / "docs" / "plugins.md"
    text = (
        "[a](tables.md#numbers) [b](../../plugins/skdeep-kan/README.md) [c](../../plugins/template) [d](../contract.py)"
    )
    expected = "[a](tables.md#numbers) [b](plugins/skdeep-kan.md) [c](plugins/template.md) d"
    assert adapted(text, page, "plugins.md") == expected
    assert adapted("```\n[a](../contract.py)\n```", page, "plugins.md") == "```\n[a](../contract.py)\n```"


def test_a_section_of_another_file_is_inserted_with_its_links():
    text = adapted("<!-- insert README.md#Speed -->", ROOT / "docs" / "pages" / "benchmarks.md", "benchmarks.md")
    assert text.startswith("Medians of")
    assert "(compiling.md#compiled-programs-on-disk)" in text
    with pytest.raises(ValueError, match=r"README.md has no section 'Nothing', which x.md inserts."):
        adapted("<!-- insert README.md#Nothing -->", ROOT / "README.md", "x.md")


def test_every_page_of_the_guide_is_in_the_navigation():
    navigation = "".join(
        (ROOT / "docs" / "pages" / name).read_text() for name in ("guide.md", "index.md", "benchmarks.md")
    )
    navigation += (ROOT / "docs" / "staging.py").read_text()
    assert [
        page for page in pages() if "/" not in page and page != "index.md" and Path(page).stem not in navigation
    ] == []


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_are_in_the_gallery_and_have_a_title(path):
    hooks = ast.parse((ROOT / "docs" / "sphinx_hooks.py").read_text())
    listed = next(node.value for node in hooks.body if isinstance(node, ast.Assign) and node.targets[0].id == "GALLERY")
    assert path.stem in ast.literal_eval(listed)
    story = ast.get_docstring(ast.parse(path.read_text()), clean=True)
    title, line, empty, *text = story.splitlines()
    assert title
    assert line == "=" * len(title)
    assert not empty
    assert text
    assert "matplotlib" in path.read_text() or "display" in path.read_text() or "plot_edges" in path.read_text()


def test_the_gallery_lists_no_example_that_is_gone():
    text = (ROOT / "docs" / "sphinx_hooks.py").read_text()
    assert set(re.findall(r'^    "(plot_\w+)",$', text, flags=re.MULTILINE)) == {path.stem for path in EXAMPLES}


def test_every_public_name_is_in_the_reference():
    names = set(documented())
    assert len(names) == len(documented())
    expected = {f"skdeep.{name}" for name in skdeep.__all__ if not hasattr(getattr(skdeep, name), "__path__")}
    expected -= {"skdeep.plugins", "skdeep.NonFiniteLossError", "skdeep.UnknownComponentError"}  # modules and errors
    for module in PUBLIC:
        expected |= {f"skdeep.{module}.{name}" for name in importlib.import_module(f"skdeep.{module}").__all__}
    at_the_top = {
        name for name in expected if name.startswith("skdeep.contract.") and name.rpartition(".")[2] in skdeep.__all__
    }
    assert expected - at_the_top - names == set()
    assert {
        "skdeep.errors.NonFiniteLossError",
        "skdeep.errors.UnknownComponentError",
        "skdeep.errors.CheckpointWarning",
    } <= names


def test_public_packages_are_all_that_have_public_names():
    """A new package with `__all__` must be added to the reference, or be listed here as one that users do not import."""
    internal = {"core", "estimators", "perceptron", "persistence", "search", "sources", "tables", "view"}
    packages = {module.name for module in pkgutil.iter_modules(skdeep.__path__) if module.ispkg}
    assert packages - set(PUBLIC) - internal == set()


def test_numbers_of_the_start_page_are_those_of_the_readme():
    page = (ROOT / "docs" / "pages" / "index.md").read_text()
    claims = re.findall(r"([\d.]+(?: to [\d.]+)?) times ", page)
    speed = (ROOT / "README.md").read_text().split("## Speed")[1]
    assert len(claims) == 4
    assert [claim for claim in claims if f"{claim} times its speed" not in speed] == []
