"""The module for functions without parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flax.linen as nn


class Function(nn.Module):
    """Apply a function that has no parameters."""

    function: Callable[[Any], Any]

    @property
    def summary_title(self) -> str:
        """The name of the function, as the type of this module in summaries."""
        return getattr(self.function, "__name__", type(self).__name__)

    def __call__(self, x: Any) -> Any:
        return self.function(x)


def flattened(x: Any) -> Any:
    """Return x `(n, ...)` with each row flattened to one axis."""
    return x.reshape(x.shape[0], -1)
