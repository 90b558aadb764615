"""Warnings that point at the line of the user, not into our files or scikit-learn's wrappers of `fit`."""

from __future__ import annotations

import sys
import warnings

_INSIDE = ("skdeep.", "sklearn.callback", "contextlib")


def warn_caller(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn with the place of the first caller outside of skdeep."""
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and f"{frame.f_globals.get('__name__', '')}.".startswith(_INSIDE):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)
