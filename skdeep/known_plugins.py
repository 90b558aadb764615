"""Components of the plugin packages in this repository, so that errors name the package that has to be installed."""

from __future__ import annotations

KNOWN_PLUGINS: dict[str, dict[str, tuple[str, ...]]] = {
    "skdeep-kan": {"layer": ("kan",), "network": ("kan",)},
    "skdeep-optimizers": {"optimizer": ("ademamix", "adopt", "prodigy", "sam", "sgld", "soap")},
    "skdeep-robust": {
        "loss": ("asymmetric", "evidential", "generalized_cross_entropy", "symmetric_cross_entropy", "tweedie")
    },
    "skdeep-statistics": {"loss": ("cox", "cumulative_logit"), "network": ("mixture_of_experts",)},
}
