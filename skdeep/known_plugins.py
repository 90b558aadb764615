"""Plugins that live beside skdeep: so that asking for one that is not installed says what to install."""

from __future__ import annotations

KNOWN_PLUGINS: dict[str, dict[str, tuple[str, ...]]] = {
    "skdeep-kan": {"layer": ("kan",), "network": ("kan",)},
    "skdeep-optimizers": {"optimizer": ("ademamix", "adopt", "prodigy", "sam", "sgld", "soap")},
    "skdeep-robust": {
        "loss": ("asymmetric", "evidential", "generalized_cross_entropy", "symmetric_cross_entropy", "tweedie")
    },
    "skdeep-statistics": {"network": ("mixture_of_experts",)},
}
