"""The packages in plugins/: installed as in their pyproject.toml, found by both names, importing public names only."""

from __future__ import annotations

import ast
import tomllib
from importlib import import_module, metadata
from pathlib import Path

import pytest

from skdeep import registry
from skdeep.known_plugins import KNOWN_PLUGINS

ROOT = Path(__file__).parent.parent
FOLDERS = {path.parent.name: path.parent for path in sorted(ROOT.glob("plugins/*/pyproject.toml"))}
PROJECTS = {name: tomllib.loads((folder / "pyproject.toml").read_text())["project"] for name, folder in FOLDERS.items()}
OFFERS = [
    (project["name"], kind, name, value)
    for project in PROJECTS.values()
    for kind, group in registry.GROUPS.items()
    for name, value in project["entry-points"].get(group, {}).items()
]
SOURCES = [path for folder in FOLDERS.values() for path in sorted(folder.glob("src/**/*.py"))]
PUBLIC_PACKAGES = {"skdeep", "skdeep.contract", "skdeep.kernels", "skdeep.testing", *registry.GROUPS.values()}

pytestmark = pytest.mark.usefixtures("fresh_registry")


def test_the_packages_are_those_that_are_known():
    assert set(FOLDERS) == {"skdeep-kan", "skdeep-optimizers", "skdeep-robust", "skdeep-statistics", "template"}
    offered: dict[str, dict[str, tuple[str, ...]]] = {}
    for distribution, kind, name, _ in OFFERS:
        if distribution.startswith("skdeep-"):
            names = offered.setdefault(distribution, {})
            names[kind] = tuple(sorted((*names.get(kind, ()), name)))
    assert offered == KNOWN_PLUGINS


@pytest.mark.parametrize("project", PROJECTS.values(), ids=PROJECTS)
def test_installed_as_the_pyproject_says(project):
    installed = metadata.distribution(project["name"])
    assert installed.version == project["version"]
    for group, entries in project["entry-points"].items():
        assert {entry.name: entry.value for entry in installed.entry_points.select(group=group)} == entries


@pytest.mark.parametrize("project", PROJECTS.values(), ids=PROJECTS)
def test_each_package_declares_its_metadata(project):
    assert project["license"] == "BSD-3-Clause"
    assert project["readme"] == "README.md"
    assert project["requires-python"] == ">=3.11"
    assert "skdeep-flax>=0.1,<0.2" in project["dependencies"]


@pytest.mark.parametrize(("distribution", "kind", "name", "value"), OFFERS, ids=[f"{o[1]}-{o[2]}" for o in OFFERS])
def test_every_plugin_by_its_full_id_and_its_bare_name(distribution, kind, name, value):
    module, _, attribute = value.partition(":")
    wanted = f"{distribution}:{name}", getattr(import_module(module), attribute)
    assert registry.get(kind, f"{distribution}:{name}") == wanted
    assert registry.get(kind, name) == wanted
    assert registry.id_of(kind, wanted[1]) == wanted[0]


def private_imports(path):
    """Yield the names that a file imports from skdeep and that are not public."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (a.name for a in node.names if a.name.startswith("skdeep.") and a.name not in PUBLIC_PACKAGES)
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.partition(".")[0] == "skdeep":
            public = getattr(import_module(node.module), "__all__", None)
            for alias in node.names:
                is_public = alias.name in public if public else not alias.name.startswith("_")
                if node.module not in PUBLIC_PACKAGES or not is_public:
                    yield f"{node.module}.{alias.name}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_plugins_import_public_names_only(path):
    assert list(private_imports(path)) == []


def test_private_imports_are_found(tmp_path):
    path = tmp_path / "plugin.py"
    path.write_text(
        "import skdeep.core\nimport skdeep\nfrom skdeep.layers.basic import Dense\nfrom skdeep.layers import Dense\n"
        "from skdeep import Loss, registry\nfrom skdeep.contract import Task, _FLAGS\n"
    )
    assert list(private_imports(path)) == [
        "skdeep.core",
        "skdeep.layers.basic.Dense",
        "skdeep.registry",
        "skdeep.contract._FLAGS",
    ]
