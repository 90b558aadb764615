"""The allowed directions of imports, as described in `skdeep/docs/design.md`."""

from __future__ import annotations

import ast
import graphlib
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "skdeep"

# Modules that define or make components.
COMPONENTS = [
    "skdeep.component",
    "skdeep.contract",
    "skdeep.core",
    "skdeep.registry",
    "skdeep.estimators",
    "optax",
    "sklearn",
]

# Module or folder -> modules that it must not import, anywhere in its source.
FORBIDDEN = {
    "contract.py": ["skdeep.core", "skdeep.registry", "skdeep.estimators", "skdeep.losses", "skdeep.layers", "sklearn"],
    "component.py": ["flax", "optax", "sklearn", "skdeep.contract", "skdeep.core", "skdeep.registry"],
    "records.py": ["flax", "optax", "sklearn", "skdeep"],
    "perceptron": ["optax", "sklearn", "skdeep.registry", "skdeep.estimators"],
    "definition.py": [
        "flax",
        "optax",
        "sklearn",
        "skdeep.component",
        "skdeep.contract",
        "skdeep.core",
        "skdeep.registry",
    ],
    "annotations.py": [
        "flax",
        "optax",
        "sklearn",
        "skdeep.component",
        "skdeep.contract",
        "skdeep.core",
        "skdeep.registry",
    ],
    "atomic_files.py": ["jax", "flax", "optax", "sklearn", "skdeep"],
    "compile_cache.py": ["jax", "flax", "optax", "sklearn", "skdeep.core"],
    "folder_parents.py": ["jax", "flax", "optax", "sklearn", "skdeep"],
    "program_folder.py": ["jax", "flax", "optax", "sklearn", "skdeep.core", "skdeep.estimators"],
    "arguments.py": ["jax", "flax", "optax", "sklearn", "skdeep"],
    "errors.py": ["jax", "flax", "optax", "sklearn", "skdeep"],
    "core/encode.py": ["jax", "flax", "optax", "sklearn", "scipy"],
    "core/target.py": ["jax", "flax", "optax", "sklearn"],
    "core/rows.py": ["jax", "flax", "optax", "sklearn", "scipy"],
    "core/repeated.py": ["jax", "flax", "optax", "sklearn", "scipy"],
    "core/batch.py": ["flax", "optax", "sklearn", "skdeep.registry"],
    "core/streamed_rows.py": ["flax", "optax", "sklearn", "skdeep.registry", "skdeep.estimators"],
    "sources": ["jax", "flax", "optax", "sklearn", "skdeep.core", "skdeep.registry", "skdeep.estimators"],
    "core/sparse_rows.py": ["flax", "optax", "sklearn", "scipy", "skdeep.registry", "skdeep.estimators"],
    "core/augment.py": ["flax", "optax", "sklearn", "skdeep.registry"],
    "config.py": ["flax", "optax", "sklearn", "skdeep.core", "skdeep.registry", "skdeep.estimators"],
    "core/cpu": ["flax", "optax", "sklearn", "skdeep.registry", "skdeep.estimators"],
    "core/disk": ["flax", "optax", "sklearn", "skdeep.registry", "skdeep.estimators"],
    "core/drivers": ["flax", "optax", "sklearn", "skdeep.registry", "skdeep.estimators"],
    "core/encoding.py": ["jax", "flax", "optax", "sklearn", "skdeep.registry", "skdeep.estimators"],
    "core/content.py": ["jax", "flax", "optax", "sklearn", "scipy", "skdeep"],
    "core/feeds": ["flax", "optax", "sklearn", "skdeep.registry", "skdeep.estimators"],
    "history.py": ["jax", "flax", "optax", "sklearn", "skdeep.registry", "skdeep.estimators"],
    "core/identity.py": ["flax", "optax", "sklearn", "skdeep.registry", "skdeep.estimators"],
    "core/initial_rows.py": ["flax", "optax", "sklearn", "skdeep.registry", "skdeep.estimators"],
    "core/inputs.py": ["flax", "optax", "sklearn", "skdeep.registry", "skdeep.estimators"],
    "inputs.py": ["jax", "flax", "optax", "sklearn", "skdeep"],
    "core/job.py": ["flax", "optax", "sklearn", "skdeep.registry", "skdeep.estimators"],
    "core/processes.py": ["flax", "optax", "sklearn", "skdeep.registry", "skdeep.estimators"],
    "core/sharding.py": ["flax", "optax", "sklearn", "skdeep.registry", "skdeep.estimators"],
    "core/placement.py": ["flax", "optax", "sklearn", "skdeep.registry", "skdeep.estimators"],
    "core/members.py": ["flax", "optax", "sklearn", "skdeep.losses", "skdeep.registry", "skdeep.estimators"],
    "core/loss_parameters.py": [
        "flax",
        "optax",
        "sklearn",
        "skdeep.losses",
        "skdeep.networks",
        "skdeep.registry",
        "skdeep.estimators",
    ],
    "core/calibration.py": ["jax", "flax", "optax", "sklearn", "skdeep"],
    "core/flops.py": ["flax", "optax", "sklearn", "skdeep.registry", "skdeep.estimators"],
    "core/greedy.py": ["jax", "flax", "optax", "sklearn", "skdeep"],
    "core/one_hot.py": ["flax", "optax", "sklearn", "skdeep.networks", "skdeep.registry", "skdeep.estimators"],
    "tables": ["flax", "optax", "sklearn", "skdeep.core", "skdeep.registry", "skdeep.estimators"],
    "core/raw.py": ["flax", "optax", "sklearn", "skdeep.registry", "skdeep.estimators"],
    "core/bounded_cache.py": ["jax", "flax", "optax", "sklearn", "skdeep"],
    "core/program_keys.py": ["flax", "optax", "sklearn", "skdeep.registry", "skdeep.estimators"],
    "core/together.py": ["flax", "optax", "sklearn", "joblib", "skdeep.registry", "skdeep.estimators"],
    "display": ["jax", "flax", "optax", "skdeep.core", "skdeep.registry", "skdeep.estimators"],
    "view": ["optax", "sklearn", "skdeep.registry", "skdeep.estimators", "skdeep.networks"],
    "view/curve.py": ["jax", "flax", "optax", "sklearn", "matplotlib", "skdeep.core"],
    "view/training.py": ["jax", "flax", "optax", "sklearn", "matplotlib", "skdeep.core"],
    "view/values.py": ["jax", "flax", "optax", "sklearn", "skdeep.core"],
    "search": ["flax", "optax", "sklearn", "skdeep.registry", "skdeep.estimators"],
    "callbacks": ["jax", "flax", "optax", "sklearn", "skdeep.core", "skdeep.registry"],
    "core/run.py": ["flax", "optax", "sklearn", "skdeep.registry", "skdeep.estimators"],
    "core/text_encoding.py": ["jax", "flax", "optax", "sklearn", "skdeep.registry", "skdeep.estimators"],
    "core/texts.py": ["jax", "flax", "optax", "sklearn", "scipy"],
    "core/watcher.py": ["flax", "optax", "sklearn", "skdeep.registry", "skdeep.estimators"],
    "core/objective.py": ["flax", "optax", "sklearn", "skdeep.registry"],
    "core/stopping.py": ["flax", "optax", "sklearn", "skdeep.registry"],
    "core/inference.py": ["flax", "optax", "sklearn", "skdeep.registry"],
    "core/link.py": ["flax", "optax", "sklearn", "skdeep.registry", "skdeep.estimators"],
    "core/network.py": ["optax", "sklearn", "skdeep.layers", "skdeep.networks", "skdeep.registry"],
    "core/checkpoints.py": ["flax", "optax", "sklearn", "skdeep.registry", "skdeep.estimators", "skdeep.persistence"],
    "checkpoint.py": ["flax", "optax", "sklearn", "skdeep.registry", "skdeep.estimators"],
    "core/composed.py": ["flax", "optax", "sklearn", "skdeep.networks", "skdeep.registry", "skdeep.estimators"],
    "core/variational.py": ["flax", "optax", "sklearn", "skdeep.losses", "skdeep.registry", "skdeep.estimators"],
    "core/language.py": ["flax", "optax", "sklearn", "skdeep.losses", "skdeep.registry", "skdeep.estimators"],
    "core/generation.py": ["flax", "optax", "sklearn", "skdeep.losses", "skdeep.registry", "skdeep.estimators"],
    "core/tokens.py": ["jax", "flax", "optax", "sklearn", "scipy"],
    "core/step.py": ["flax", "sklearn", "skdeep.registry", "skdeep.estimators"],
    "core/fingerprint.py": ["flax", "optax", "sklearn", "skdeep.registry", "skdeep.estimators"],
    "core/jitted.py": ["flax", "optax", "sklearn", "skdeep.registry", "skdeep.estimators"],
    "core/optimizer_state.py": ["flax", "optax", "sklearn", "skdeep.registry", "skdeep.estimators"],
    "core/settings.py": ["flax", "optax", "sklearn", "skdeep"],
    "core/programs.py": ["flax", "optax", "sklearn", "skdeep.registry", "skdeep.estimators"],
    "core/random.py": ["flax", "optax", "sklearn", "skdeep.registry", "skdeep.estimators"],
    "layers": ["skdeep.core", "skdeep.registry", "skdeep.estimators", "skdeep.networks", "sklearn"],
    "layers/linen": [*COMPONENTS, "skdeep.networks"],
    "layers/initializers.py": ["flax", *COMPONENTS, "skdeep.networks"],
    "layers/masks.py": ["flax", *COMPONENTS, "skdeep.networks"],
    "layers/rows.py": ["flax", *COMPONENTS, "skdeep.networks"],
    "losses": ["skdeep.core", "skdeep.registry", "skdeep.estimators", "flax", "optax", "sklearn"],
    "optimizers": ["skdeep.core", "skdeep.registry", "skdeep.estimators", "flax", "sklearn"],
    "schedules": ["skdeep.core", "skdeep.registry", "skdeep.estimators", "flax", "sklearn"],
    "augmentations": ["skdeep.core", "skdeep.registry", "skdeep.estimators", "flax", "sklearn"],
    "networks": ["skdeep.core", "skdeep.registry", "skdeep.estimators", "sklearn"],
    "networks/linen": COMPONENTS,
    "kernels.py": ["flax", "optax", "sklearn", "skdeep.component", "skdeep.contract", "skdeep.core", "skdeep.registry"],
    "linen.py": ["flax", *COMPONENTS, "skdeep.layers", "skdeep.networks"],
    "pickling.py": ["jax", "flax", "optax", "sklearn", "skdeep.core", "skdeep.component", "skdeep.registry"],
    "acceptance.py": ["flax", "optax", "sklearn", "skdeep.core", "skdeep.registry", "skdeep.estimators"],
    "policy.py": ["jax", "flax", "optax", "sklearn", "skdeep"],
    "discovery.py": ["jax", "flax", "optax", "sklearn", "skdeep.core", "skdeep.registry", "skdeep.estimators"],
    "description.py": ["jax", "flax", "optax", "sklearn", "skdeep.core", "skdeep.registry", "skdeep.estimators"],
    "carried.py": ["jax", "flax", "optax", "sklearn", "skdeep.core", "skdeep.component", "skdeep.estimators"],
    "registry.py": ["skdeep.core", "skdeep.losses", "skdeep.layers", "skdeep.estimators", "jax", "flax", "sklearn"],
}


def imported_modules(path, in_functions=True):
    """Return the imports of a file without those under `if TYPE_CHECKING`; with or without those inside functions."""
    left_out = (ast.FunctionDef, ast.Lambda) if not in_functions else ()
    found, waiting = set(), [ast.parse(path.read_text())]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            waiting.extend(node.orelse)
        elif isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
        elif not isinstance(node, left_out):
            waiting.extend(ast.iter_child_nodes(node))
    return found


FILES = {
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for path in PACKAGE.rglob("*.py")
}
"""The files of the package by the name of their module."""


def imported_files(name, in_functions):
    """Return the modules of skdeep that one imports, by name; a package stands for its `__init__.py`."""
    found = imported_modules(FILES[name], in_functions)
    return {module if module in FILES else module.rpartition(".")[0] for module in found} & FILES.keys()


def reached_from(names):
    """Return the modules of skdeep that these import, directly or indirectly, inside functions or not."""
    reached, waiting = set(), list(names)
    while waiting:
        new = imported_files(waiting.pop(), in_functions=True) - reached
        reached |= new
        waiting.extend(new)
    return reached


def is_inside(name, *packages):
    """Return True if a module is one of these packages or is inside one of them."""
    return any(name == package or name.startswith(f"{package}.") for package in packages)


@pytest.mark.parametrize("place", FORBIDDEN)
def test_direction(place):
    path = PACKAGE / place
    files = [path] if path.is_file() else sorted(path.rglob("*.py"))
    assert files
    for file in files:
        for name in imported_modules(file):
            broken = [bad for bad in FORBIDDEN[place] if name == bad or name.startswith(bad + ".")]
            assert not broken, f"{file} imports {name}"


def test_every_file_of_the_core_is_in_the_table():
    assert {f"core/{path.name}" for path in (PACKAGE / "core").iterdir()} - {
        "core/__init__.py",
        "core/__pycache__",
    } <= set(FORBIDDEN)


def test_no_import_cycles():
    """In layers and networks, imports inside functions count too, because none is needed to break a cycle there."""
    graph = {
        name: imported_files(name, in_functions=is_inside(name, "skdeep.layers", "skdeep.networks")) for name in FILES
    }
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as err:
        pytest.fail(f"These import each other: {' <- '.join(err.args[1])}")


MODULES = ("skdeep.layers.linen", "skdeep.networks.linen")


@pytest.mark.parametrize("package", MODULES)
def test_modules_reach_no_component(package):
    """Indirect imports count too: files that both sides need import neither of them."""
    modules = [name for name in FILES if is_inside(name, package)]
    assert len(modules) > 3
    assert not {name for name in reached_from(modules) if is_inside(name, "skdeep.component", "skdeep.contract")}


def test_components_import_modules_inside_functions_only():
    components = [n for n in FILES if is_inside(n, "skdeep.layers", "skdeep.networks") and not is_inside(n, *MODULES)]
    assert len(components) > 20
    for name in components:
        found = imported_modules(FILES[name], in_functions=False)
        assert not [imported for imported in found if is_inside(imported, "flax", *MODULES)], name


def test_importing_the_estimators_and_displays_loads_neither_flax_nor_optax_nor_matplotlib():
    script = "import sys; from skdeep import DeepClassifier, display; print(sorted({'flax', 'optax', 'matplotlib'} & set(sys.modules)))"
    assert subprocess.check_output([sys.executable, "-c", script], text=True).strip() == "[]"


def test_no_module_imports_matplotlib_or_rich_before_it_draws():
    """Importing scikit-learn 1.9 loads rich where it is installed, so that `sys.modules` does not tell."""
    for name, path in FILES.items():
        found = imported_modules(path, in_functions=False)
        assert not [imported for imported in found if is_inside(imported, "matplotlib", "rich")], name


def test_importing_the_estimators_loads_nothing_that_shows_them():
    script = "import sys; import skdeep; skdeep.DeepClassifier; print([name for name in sys.modules if name.startswith('skdeep.view')])"
    assert subprocess.check_output([sys.executable, "-c", script], text=True).strip() == "[]"


# Files that are tested by running a whole job.
TESTED_WITH_THE_JOB = {"run.py", "watcher.py", "drivers/steps.py", "drivers/training.py"}


def test_every_file_of_the_core_has_its_tests():
    core, tests = PACKAGE / "core", Path(__file__).parent / "core"
    files = {path.relative_to(core) for path in core.rglob("*.py") if path.name != "__init__.py"}
    untested = {str(file) for file in files if not (tests / file.with_name(f"test_{file.name}")).exists()}
    assert untested == TESTED_WITH_THE_JOB | {"feeds/resident.py", "feeds/gathered.py"}  # these two: with `feed.py`
