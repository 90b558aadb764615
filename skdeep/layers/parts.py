"""Layers in the form that modules hold them in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skdeep.contract import Layer

if TYPE_CHECKING:
    from skdeep.layers.linen.stack import Part


def parts_of(layers: tuple[Layer, ...]) -> tuple[Part, ...]:
    """Return the builder of each layer's module, with the layer's rule of masks beside it."""
    from skdeep.layers.linen.stack import Part

    return tuple(Part(layer.build, layer.output_mask) for layer in layers)
