"""The command `skdeep` (also `python -m skdeep`)."""

from __future__ import annotations

import argparse
import os
import signal
import sys

from skdeep.cache_command import add_cache_command
from skdeep.plugins_command import add_plugins_command
from skdeep.versions import print_versions


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    parser = argparse.ArgumentParser(prog="skdeep", description="Flax networks as scikit-learn estimators.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    demo = commands.add_parser("demo", help="search learning rate and loss of a classifier on the digits")
    demo.add_argument("--png", default="skdeep_demo.png", help="where the training curves go (default: %(default)s)")
    demo.set_defaults(run=_run_demo)
    add_plugins_command(commands)
    add_cache_command(commands)
    versions = commands.add_parser("versions", help="print the versions that a bug report needs")
    versions.add_argument("--json", action="store_true", help="print JSON")
    versions.set_defaults(run=lambda options: print_versions(as_json=options.json))
    options = parser.parse_args(arguments)
    try:
        status: int = options.run(options)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader of the pipe, such as `head`, has closed it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # otherwise Python's flush at exit fails too
        return 128 + signal.SIGPIPE
    return status


def _run_demo(options: argparse.Namespace) -> int:
    from skdeep.demo import run_demo

    run_demo(options.png)
    return 0


if __name__ == "__main__":
    sys.exit(main())
