"""The commands `skdeep plugins` (list, describe and check) and `skdeep describe`, as text or as JSON."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

from skdeep import errors, plugins
from skdeep.discovery import GROUPS
from skdeep.plugins import CheckReport, Description, ListedComponent
from skdeep.policy import ALLOW_VARIABLE, DENY_VARIABLE

WIDTH = 100


def add_plugins_command(commands: Any) -> None:
    """Add `plugins` with its own commands, and `describe`, to the parser."""
    as_json = argparse.ArgumentParser(add_help=False)
    as_json.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print JSON")
    parser = commands.add_parser("plugins", parents=[as_json], help="list, describe and check components")
    parser.set_defaults(run=run_list, kind=None)
    inner = parser.add_subparsers(metavar="{list,describe,check}")
    listing = inner.add_parser("list", parents=[as_json], help="list all components; imports none of them")
    listing.add_argument("kind", nargs="?", choices=list(GROUPS), help="only this kind")
    listing.set_defaults(run=run_list)
    for there in (inner, commands):  # also `skdeep describe`
        describing = there.add_parser("describe", parents=[as_json], help="print the description of one component")
        describing.add_argument("kind", choices=list(GROUPS))
        describing.add_argument("name", help="bare name, or distribution:name")
        describing.set_defaults(run=run_describe)
    checking = inner.add_parser(
        "check",
        parents=[as_json],
        help="load the installed plugins and check their contract; exit status 1 if one fails or all are blocked",
    )
    checking.add_argument("distribution", nargs="?", help="only this package")
    checking.set_defaults(run=run_check)


def run_list(options: argparse.Namespace) -> int:
    """Print all components, or those of one kind, with the problems of plugins that cannot be used."""
    listed = plugins.list_components(options.kind)
    unreadable = plugins.unreadable_packages()
    if _wants_json(options):
        components, groups = [c._asdict() for c in listed], plugins.unknown_groups()
        _print_json({"components": components, "unreadable_packages": unreadable, "unknown_groups": groups})
        return 0
    for kind, of_kind in groupby(listed, key=lambda c: c.kind):
        print(f"{GROUPS[kind].partition('.')[2]}")
        _print_table(
            (source, ", ".join(c.name if c.state != "broken" else f"{c.name} (broken)" for c in group))
            for source, group in groupby(of_kind, key=_source)
        )
    # One message per blocked or incompatible package, and one per broken component.
    problems = {c.full_id if c.state == "broken" else (c.package, c.state): c.problem for c in listed if c.problem}
    for problem in (*problems.values(), *plugins.unknown_groups()):
        print(f"\n{_filled(problem)}")
    for package, problem in unreadable.items():
        print(f"\n{_filled(f'The metadata of {package} could not be read: {problem}')}")
    return 0


def run_describe(options: argparse.Namespace) -> int:
    """Print the description of one component."""
    try:
        description = plugins.describe(options.kind, options.name)
    except errors.ComponentError as err:
        print(_filled(str(err)), file=sys.stderr)
        return 1
    if _wants_json(options):
        _print_json({**description._asdict(), "fields": [field._asdict() for field in description.fields]})
    else:
        _print_description(description)
    return 0


def run_check(options: argparse.Namespace) -> int:
    """Print the results of the checks of each plugin; return 1 if a check failed or all plugins are blocked, else 0."""
    try:
        reports = plugins.check(options.distribution)
    except errors.UnknownComponentError as err:
        print(_filled(str(err)), file=sys.stderr)
        return 1
    n_failed = sum(bool(report.failures) for report in reports)
    if _wants_json(options):
        _print_json([report._asdict() for report in reports])
    else:
        _print_reports(reports, n_failed)
    is_all_blocked = bool(reports) and all(report.state == "blocked" for report in reports)
    return 1 if n_failed or is_all_blocked else 0


def _print_description(d: Description) -> None:
    print(f"{d.kind} {d.full_id}\n")
    _print_table(
        (
            ("signature", d.signature),
            ("package", f"{d.package} {d.version}" if d.package else "registered in this process"),
            ("home page", d.home_page or "none given"),
            ("defined as", d.place),
        )
    )
    if d.fields:
        print("\nfields")
        traced = {True: "traced: a new number needs no compile", False: "structure: a new value needs a new compile"}
        rows = [(f.name, f.type, f"= {f.default}" if f.default else "", traced[f.is_traced]) for f in d.fields]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for row in rows:
            print("  " + "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())
    if d.doc:
        print(f"\n{d.doc}")


def _print_reports(reports: Sequence[CheckReport], n_failed: int) -> None:
    width = max((len(report.full_id) for report in reports), default=0)
    for report in reports:
        verdict = "blocked" if report.state == "blocked" else "FAILED" if report.failures else "passed"
        n_checks = report.n_passed + len(report.failures) + len(report.expected_failures)
        counts = "" if report.state == "blocked" else f"{report.n_passed} of {n_checks} checks"
        print(f"{verdict:<8} {report.kind:<10} {report.full_id:<{width}}  {report.version:<8} {counts}".rstrip())
        for reason in report.expected_failures:
            print(textwrap.indent(_filled(f"expected to fail {reason}", WIDTH - 9), " " * 9))
        for failure in report.failures:
            print(textwrap.indent("\n".join(_filled(line, WIDTH - 9) for line in failure.splitlines()), " " * 9))
    for package, problem in plugins.unreadable_packages().items():
        print(_filled(f"The metadata of {package} could not be read: {problem}"))
    if not reports:
        print("No plugin is installed.")
        return
    n_packages = len({report.package for report in reports})
    n_blocked = sum(report.state == "blocked" for report in reports)
    blocked = f", {n_blocked} blocked by {ALLOW_VARIABLE} or {DENY_VARIABLE}" if n_blocked else ""
    print(f"{len(reports)} components of {n_packages} packages, {n_failed} failed{blocked}")
    if n_blocked == len(reports):
        print("Nothing was checked.")


def _source(c: ListedComponent) -> str:
    """Return the package of a component, with the state of a package that cannot be used, or "built in"/"registered"."""
    if c.state in ("built in", "registered"):
        return c.state
    return f"{c.package} {c.version}" + (f" ({c.state})" if c.state in ("blocked", "incompatible") else "")


def _print_table(rows: Iterable[tuple[str, str]]) -> None:
    """Print two columns, with wrapped lines in the second one."""
    table = list(rows)
    width = max(len(left) for left, _ in table)
    for left, right in table:
        first = f"  {left:<{width}}  "
        wrapper = textwrap.TextWrapper(_width(), initial_indent=first, subsequent_indent=" " * len(first))
        wrapper.break_long_words = wrapper.break_on_hyphens = False
        print(wrapper.fill(right))


def _wants_json(options: argparse.Namespace) -> bool:
    """Return True if --json was given, before or after the inner command."""
    return getattr(options, "json", False)


def _print_json(value: Any) -> None:
    print(json.dumps(value, indent=2))


def _filled(text: str, width: int | None = None) -> str:
    return textwrap.fill(text, width or _width(), break_long_words=False, break_on_hyphens=False)


def _width() -> int:
    return min(WIDTH, shutil.get_terminal_size((WIDTH, 24)).columns)
