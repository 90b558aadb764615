"""A loss for skdeep. Once this package is installed, estimators accept it by name: `DeepRegressor(loss="log_cosh")`."""

from acme_losses.log_cosh import LogCosh

__all__ = ["LogCosh"]
