"""Whose components may be used: two environment variables say so, which worker processes inherit."""

from __future__ import annotations

import fnmatch
import os
import re

ALLOW_VARIABLE, DENY_VARIABLE = "SKDEEP_PLUGINS", "SKDEEP_PLUGINS_DENY"


def is_allowed(distribution: str) -> bool:
    """Tell whether policy lets a package's components be used.

    Raises
    ------
    ValueError
        If one of the variables holds what is no name of a package: a typing error must not open the door.
    """
    allow = patterns_in(ALLOW_VARIABLE, os.environ.get(ALLOW_VARIABLE, "")) or ["all"]
    deny = patterns_in(DENY_VARIABLE, os.environ.get(DENY_VARIABLE, ""))
    return _matches(distribution, allow) and not _matches(distribution, deny)


def patterns_in(variable: str, text: str) -> list[str]:
    """Return the patterns of a policy, separated by commas or spaces, as the packaging standards compare names.

    Raises
    ------
    ValueError
        If one of them is no name of a package, in which `*`, `?` and `[...]` stand for characters.
    """
    patterns = [normalised(pattern) for pattern in re.split(r"[,\s]+", text) if pattern]
    for pattern in patterns:
        if not re.fullmatch(r"[\w*?\[\]!-]+", pattern):
            raise ValueError(
                f"{variable} must hold names of packages, such as 'acme-losses,skdeep-*', or 'all' or 'none'. Got {pattern!r} in {text!r}."
            )
    return patterns


def normalised(distribution: str) -> str:
    """Return a distribution's name as the packaging standards compare them."""
    return re.sub(r"[-_.]+", "-", distribution).lower()


def _matches(distribution: str, patterns: list[str]) -> bool:
    return "none" not in patterns and any(p == "all" or fnmatch.fnmatchcase(distribution, p) for p in patterns)
