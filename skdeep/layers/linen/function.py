"""Functions without parameters, as modules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flax.linen as nn


class Function(nn.Module):
    """Applies a function without parameters."""

    function: Callable[[Any], Any]

    def __call__(self, x: Any) -> Any:
        return self.function(x)


def flattened(x: Any) -> Any:
    """Return rows with all their values on one axis."""
    return x.reshape(x.shape[0], -1)
