"""Warnings that show the user's line of code, not a line of skdeep or of scikit-learn's wrappers of `fit`."""

from __future__ import annotations

import sys
import warnings

_INSIDE = ("skdeep.", "sklearn.callback", "contextlib")


def warn_caller(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn with the line of the innermost caller outside of skdeep and scikit-learn's wrappers."""
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and f"{frame.f_globals.get('__name__', '')}.".startswith(_INSIDE):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)
