"""A loss for skdeep, known by name where this package is installed: `DeepRegressor(loss="log_cosh")`."""

from acme_losses.log_cosh import LogCosh

__all__ = ["LogCosh"]
