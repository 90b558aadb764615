"""What must be installed before the command starts: all of it is named at once. Imports nothing that may be missing."""

from __future__ import annotations

import importlib.util
import re
import tomllib
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ALSO = ("pytest", "scipy")
MODULES = {"scikit-learn": "sklearn"}
METADATA = f"""\
skdeep has no metadata on this machine, by which it finds its built-in components. In {ROOT}, run one of these once (both work \
offline, with setuptools 77 or newer):
    python -m pip install --no-deps --no-build-isolation -e .
    python -c "import setuptools; setuptools.setup()" -q egg_info
The second one writes the folder skdeep_flax.egg-info beside pyproject.toml, which may also be copied from another machine."""


def check_packages() -> None:
    """Exit with a message that names all missing packages and, if skdeep itself has no metadata, how to make it."""
    problems = []
    if missing := missing_packages():
        problems.append(
            f"Not installed: {', '.join(missing)}. Install them: python -m pip install {' '.join(map(repr, missing))} (offline: from "
            "wheels, with --no-index --find-links FOLDER)."
        )
    if not has_metadata():
        problems.append(METADATA)
    if problems:
        raise SystemExit("\n".join(problems))


def missing_packages() -> list[str]:
    """Return the requirements of skdeep and of its tests whose package cannot be imported, or is too old."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return [line for line in (*project["dependencies"], *ALSO) if not is_met(line)]


def is_met(requirement: str) -> bool:
    """Return True if a package of this requirement can be imported and is not older; only `name` and `name>=version` are read."""
    name, _, least = requirement.partition(">=")
    if importlib.util.find_spec(MODULES.get(name, name.replace("-", "_"))) is None:
        return False
    try:
        return _numbers(metadata.version(name)) >= _numbers(least)
    except metadata.PackageNotFoundError:  # from a folder on the path, so the version is not known
        return True


def has_metadata() -> bool:
    """Return True if the entry points of skdeep can be read."""
    try:
        return bool(metadata.distribution("skdeep-flax").entry_points.select(group="skdeep.networks"))
    except metadata.PackageNotFoundError:
        return False


def _numbers(version: str) -> tuple[int, ...]:
    """Return the numbers at the beginning of a version: (2, 9) for "2.9rc1"."""
    found = re.match(r"\d+(\.\d+)*", version)
    return tuple(map(int, found[0].split("."))) if found else ()
