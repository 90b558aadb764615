"""Build the documentation site and check its links."""

from __future__ import annotations

import argparse
import shutil
import sys
import time

from docs.links import check_folder, external_links
from docs.staging import BUILD, HTML, ROOT, stage


def main() -> int:
    """Build the site, warnings as errors. Return 0 if there is no warning and no broken link."""
    parser = argparse.ArgumentParser(prog="python -m docs", description=__doc__)
    parser.add_argument(
        "--fresh", action="store_true", help="remove the earlier build first, so that all examples run again"
    )
    parser.add_argument(
        "--no-examples", action="store_true", help="do not run the examples, for a quick look at the pages"
    )
    parser.add_argument(
        "--builder", default="html", help="Sphinx's builder; 'linkcheck' opens external links, with a network"
    )
    arguments = parser.parse_args()

    started = time.perf_counter()
    if arguments.fresh:
        shutil.rmtree(BUILD, ignore_errors=True)
    shutil.rmtree(
        HTML, ignore_errors=True
    )  # or pages that are gone would stay; what was read and run is kept elsewhere
    source = stage()
    status = build(source, arguments.builder, run_examples=not arguments.no_examples)
    if status or arguments.builder != "html":
        return status
    problems = check_folder(HTML)
    for problem in problems:
        print(problem, file=sys.stderr)
    print(f"{len(problems)} broken links; {len(external_links(HTML))} external links, which were not opened.")
    print(f"{HTML.relative_to(ROOT)}/index.html, built in {time.perf_counter() - started:.0f} s")
    return 1 if problems else 0


def build(source: str, builder: str, run_examples: bool) -> int:
    """Run Sphinx and return its exit status."""
    from sphinx.cmd.build import build_main

    output = HTML if builder == "html" else BUILD / builder
    flags = ["-W", "--keep-going", "-q", "-b", builder, "-c", str(ROOT / "docs"), "-d", str(BUILD / "doctrees")]
    return build_main([*flags, "-D", f"plot_gallery={int(run_examples)}", str(source), str(output)])


if __name__ == "__main__":
    sys.exit(main())
