"""The command `skdeep` (also `python -m skdeep`)."""

from __future__ import annotations

import argparse
import sys


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="skdeep", description="Flax networks as scikit-learn estimators.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    demo = commands.add_parser("demo", help="search learning rate and loss of a classifier on the digits")
    demo.add_argument("--png", default="skdeep_demo.png", help="where the training curves go (default: %(default)s)")
    commands.add_parser("versions", help="print the versions that a bug report needs")
    options = parser.parse_args(arguments)
    if options.command == "demo":
        from skdeep.demo import run_demo

        run_demo(options.png)
    else:
        print_versions()
    return 0


def print_versions() -> None:
    """Print the versions of Python, skdeep and what it stands on, and JAX's devices."""
    import platform
    from importlib import metadata

    import jax

    print(f"Python        {platform.python_version()} ({platform.platform()})")
    for name in ("skdeep-flax", "jax", "jaxlib", "flax", "optax", "scikit-learn", "numpy", "scipy", "pandas", "joblib"):
        print(f"{name:<13} {metadata.version(name)}")
    print(f"devices       {', '.join(map(str, jax.devices()))}")


if __name__ == "__main__":
    sys.exit(main())
