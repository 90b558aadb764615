"""The direction of imports, as the table in the design says."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "skdeep"

# Module (or folder) -> what it must not import, at any depth of its own source.
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
    "errors.py": ["jax", "flax", "optax", "sklearn", "skdeep"],
    "core/encode.py": ["jax", "flax", "optax", "sklearn", "scipy"],
    "core/target.py": ["jax", "flax", "optax", "sklearn"],
    "core/rows.py": ["jax", "flax", "optax", "sklearn", "scipy"],
    "core/batch.py": ["flax", "optax", "sklearn", "skdeep.registry"],
    "core/sparse_rows.py": ["flax", "optax", "sklearn", "scipy", "skdeep.registry", "skdeep.estimators"],
    "core/augment.py": ["flax", "optax", "sklearn", "skdeep.registry"],
    "config.py": ["flax", "optax", "sklearn", "skdeep.core", "skdeep.registry", "skdeep.estimators"],
    "core/cpu": ["flax", "optax", "sklearn", "skdeep.registry", "skdeep.estimators"],
    "core/drivers": ["flax", "optax", "sklearn", "skdeep.registry", "skdeep.estimators"],
    "core/encoding.py": ["jax", "flax", "optax", "sklearn", "skdeep.registry", "skdeep.estimators"],
    "core/feeds": ["flax", "optax", "sklearn", "skdeep.registry", "skdeep.estimators"],
    "core/history.py": ["jax", "flax", "optax", "sklearn", "skdeep.registry", "skdeep.estimators"],
    "core/identity.py": ["flax", "optax", "sklearn", "skdeep.registry", "skdeep.estimators"],
    "core/job.py": ["flax", "optax", "sklearn", "skdeep.registry", "skdeep.estimators"],
    "core/placement.py": ["flax", "optax", "sklearn", "skdeep.registry", "skdeep.estimators"],
    "core/run.py": ["flax", "optax", "sklearn", "skdeep.registry", "skdeep.estimators"],
    "core/text_encoding.py": ["jax", "flax", "optax", "sklearn", "skdeep.registry", "skdeep.estimators"],
    "core/texts.py": ["jax", "flax", "optax", "sklearn", "scipy"],
    "core/watcher.py": ["flax", "optax", "sklearn", "skdeep.registry", "skdeep.estimators"],
    "core/objective.py": ["flax", "optax", "sklearn", "skdeep.registry"],
    "core/stopping.py": ["flax", "optax", "sklearn", "skdeep.registry"],
    "core/inference.py": ["flax", "optax", "sklearn", "skdeep.registry"],
    "core/link.py": ["flax", "optax", "sklearn", "skdeep.registry", "skdeep.estimators"],
    "core/network.py": ["optax", "sklearn", "skdeep.layers", "skdeep.networks", "skdeep.registry"],
    "core/composed.py": ["flax", "optax", "sklearn", "skdeep.networks", "skdeep.registry", "skdeep.estimators"],
    "core/variational.py": ["flax", "optax", "sklearn", "skdeep.losses", "skdeep.registry", "skdeep.estimators"],
    "core/language.py": ["flax", "optax", "sklearn", "skdeep.losses", "skdeep.registry", "skdeep.estimators"],
    "core/generation.py": ["flax", "optax", "sklearn", "skdeep.losses", "skdeep.registry", "skdeep.estimators"],
    "core/tokens.py": ["jax", "flax", "optax", "sklearn", "scipy"],
    "core/step.py": ["flax", "sklearn", "skdeep.registry", "skdeep.estimators"],
    "core/fingerprint.py": ["flax", "optax", "sklearn", "skdeep.registry", "skdeep.estimators"],
    "core/jitted.py": ["flax", "optax", "sklearn", "skdeep.registry", "skdeep.estimators"],
    "core/programs.py": ["flax", "optax", "sklearn", "skdeep.registry", "skdeep.estimators"],
    "core/random.py": ["flax", "optax", "sklearn", "skdeep.registry", "skdeep.estimators"],
    "layers": ["skdeep.core", "skdeep.registry", "skdeep.estimators", "skdeep.networks", "sklearn"],
    "losses": ["skdeep.core", "skdeep.registry", "skdeep.estimators", "flax", "optax", "sklearn"],
    "optimizers": ["skdeep.core", "skdeep.registry", "skdeep.estimators", "flax", "sklearn"],
    "schedules": ["skdeep.core", "skdeep.registry", "skdeep.estimators", "flax", "sklearn"],
    "augmentations": ["skdeep.core", "skdeep.registry", "skdeep.estimators", "flax", "sklearn"],
    "networks": ["skdeep.core", "skdeep.registry", "skdeep.estimators", "sklearn"],
    "pickling.py": ["jax", "flax", "optax", "sklearn", "skdeep.core", "skdeep.component", "skdeep.registry"],
    "acceptance.py": ["flax", "optax", "sklearn", "skdeep.core", "skdeep.registry", "skdeep.estimators"],
    "policy.py": ["jax", "flax", "optax", "sklearn", "skdeep"],
    "discovery.py": ["jax", "flax", "optax", "sklearn", "skdeep.core", "skdeep.registry", "skdeep.estimators"],
    "description.py": ["jax", "flax", "optax", "sklearn", "skdeep.core", "skdeep.registry", "skdeep.estimators"],
    "registry.py": ["skdeep.core", "skdeep.losses", "skdeep.layers", "skdeep.estimators", "jax", "flax", "sklearn"],
}


def imported_modules(path):
    """Return all imports but those under `if TYPE_CHECKING`."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            node.body = []
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


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


def test_importing_the_estimators_loads_neither_flax_nor_optax():
    script = "import sys; from skdeep import DeepClassifier; print(sorted({'flax', 'optax', 'matplotlib'} & set(sys.modules)))"
    assert subprocess.check_output([sys.executable, "-c", script], text=True).strip() == "[]"
