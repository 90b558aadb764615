"""Conversion of layers to `Part` objects, which linen modules hold as fields."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skdeep.contract import Layer

if TYPE_CHECKING:
    from skdeep.layers.linen.stack import Part


def parts_of(layers: tuple[Layer, ...]) -> tuple[Part, ...]:
    """Return one `Part` per layer: the function that builds its module, and the function of its output mask."""
    from skdeep.layers.linen.stack import Part

    return tuple(Part(layer.build, layer.output_mask) for layer in layers)
