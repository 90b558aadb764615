"""The commands `skdeep cache info` and `skdeep cache clear`: the folder of compiled programs."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from skdeep.compile_cache import VARIABLE, chosen_folder
from skdeep.program_folder import MAX_BYTES, check_private, default_folder, remove_all, stored_files, unfinished_files


def add_cache_command(commands: Any) -> None:
    """Add `cache` with its own commands to the parser."""
    parser = commands.add_parser("cache", help="show or empty the folder of compiled programs")
    inner = parser.add_subparsers(dest="cache_command", required=True, metavar="{info,clear}")
    showing = inner.add_parser("info", help="print the folder, its size, and whether it is used")
    showing.add_argument("--json", action="store_true", help="print JSON")
    showing.set_defaults(run=run_info)
    clearing = inner.add_parser("clear", help="remove all compiled programs")
    clearing.set_defaults(run=run_clear)


def run_info(options: argparse.Namespace) -> int:
    """Print the folder, the number of entries, their size, and whether programs are kept there; return 1 if there is no folder."""
    folder = _folder_or_none()
    if folder is None:
        return 1
    files = stored_files(folder)
    n_bytes = sum(file.n_bytes for file in (*files, *unfinished_files(folder)))
    problem = _problem(folder)
    is_on = chosen_folder() is not None and not problem
    if options.json:
        found = {"folder": str(folder), "on": is_on, "entries": len(files), "bytes": n_bytes, "max_bytes": MAX_BYTES}
        print(json.dumps({**found, "problem": problem}, indent=2))
        return 0
    print(f"folder   {folder}")
    print(f"state    {'on' if is_on else f'off (set {VARIABLE}=1 to use it)' if chosen_folder() is None else 'off'}")
    print(f"entries  {len(files)}")
    print(f"bytes    {n_bytes:,} of at most {MAX_BYTES:,}")
    if problem:
        print(f"\n{problem}")
    return 0


def run_clear(options: argparse.Namespace) -> int:
    """Remove all compiled programs, and print how many there were; return 1 if the folder is not the user's own."""
    folder = _folder_or_none()
    if folder is None:
        return 1
    problem = _problem(folder)
    if problem:
        print(problem, file=sys.stderr)
        return 1
    print(f"Removed {remove_all(folder)} entries from {folder}.")
    return 0


def _folder_or_none() -> Path | None:
    """Return the folder that is in use, or the one that would be used if it were switched on.

    Print why to stderr and return None if there is none.
    """
    try:
        return chosen_folder() or default_folder()
    except FileNotFoundError as err:
        print(err, file=sys.stderr)
        return None


def _problem(folder: Path) -> str:
    """Return why a folder cannot be used, "" if it can or does not exist."""
    try:
        check_private(folder)
    except FileNotFoundError:
        return ""
    except OSError as err:
        return str(err)
    return ""
