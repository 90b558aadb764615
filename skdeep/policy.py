"""The policy: two environment variables decide which packages' components may be used. Worker processes inherit them."""

from __future__ import annotations

import fnmatch
import os
import re

ALLOW_VARIABLE, DENY_VARIABLE = "SKDEEP_PLUGINS", "SKDEEP_PLUGINS_DENY"


def is_allowed(distribution: str) -> bool:
    """Return True if the policy allows a package's components.

    Raises
    ------
    ValueError
        If one of the variables holds a string that cannot be a name of a package, so that a typing error allows nothing.
    """
    allow = patterns_in(ALLOW_VARIABLE, os.environ.get(ALLOW_VARIABLE, "")) or ["all"]
    deny = patterns_in(DENY_VARIABLE, os.environ.get(DENY_VARIABLE, ""))
    return _matches(distribution, allow) and not _matches(distribution, deny)


def patterns_in(variable: str, text: str) -> list[str]:
    """Return the patterns of a variable, which are separated by commas or spaces, with normalised names.

    Raises
    ------
    ValueError
        If a pattern is not a name of a package with the wildcards `*`, `?` and `[...]`.
    """
    patterns = [normalised(pattern) for pattern in re.split(r"[,\s]+", text) if pattern]
    for pattern in patterns:
        if not re.fullmatch(r"[\w*?\[\]!-]+", pattern):
            raise ValueError(
                f"{variable} must hold names of packages, such as 'acme-losses,skdeep-*', or 'all' or 'none'. Got {pattern!r} in {text!r}."
            )
    return patterns


def normalised(distribution: str) -> str:
    """Return a distribution's name as normalised by the packaging standards: lower case, and "-" for "_" and "."."""
    return re.sub(r"[-_.]+", "-", distribution).lower()


def _matches(distribution: str, patterns: list[str]) -> bool:
    return "none" not in patterns and any(p == "all" or fnmatch.fnmatchcase(distribution, p) for p in patterns)
