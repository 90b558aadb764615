"""Methods that are available only with some parameters; an AttributeError gives the reason otherwise."""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import MethodType
from typing import Any


class available_if:  # noqa: N801  # used as scikit-learn's decorator of this name
    """Make a method available only if `check(estimator)` is true.

    `hasattr` follows the check, as with scikit-learn's decorator of this name. Unlike scikit-learn's, the message of the
    AttributeError includes the reason that the check raised.

    Parameters
    ----------
    check : callable
        A function of the estimator that returns True or raises AttributeError with the reason.

    Examples
    --------
    >>> from skdeep.estimators.availability import available_if
    >>> def is_open(shop):
    ...     if not shop.open:
    ...         raise AttributeError("The shop is closed.")
    ...     return True
    >>> class Shop:
    ...     open = False
    ...     @available_if(is_open)
    ...     def buy(self): ...
    >>> Shop().buy
    Traceback (most recent call last):
    AttributeError: This 'Shop' has no attribute 'buy'. The shop is closed.
    """

    def __init__(self, check: Callable[[Any], bool]) -> None:
        self._check = check

    def __call__(self, method: Callable[..., Any]) -> Any:
        """Return the method's descriptor."""
        return AvailableMethod(method, self._check)


class AvailableMethod:
    """The descriptor of a method that is available if `check(estimator)` is true."""

    def __init__(self, method: Callable[..., Any], check: Callable[[Any], bool]) -> None:
        self.method, self._check = method, check
        self.__name__, self.__doc__ = method.__name__, method.__doc__

    def __get__(self, estimator: Any, owner: type) -> Any:
        if estimator is not None:
            self._raise_unless_available(estimator, owner)
            return MethodType(self.method, estimator)

        @functools.wraps(self.method)
        def unbound(estimator: Any, *args: Any, **kwargs: Any) -> Any:
            self._raise_unless_available(estimator, owner)
            return self.method(estimator, *args, **kwargs)

        return unbound

    def _raise_unless_available(self, estimator: Any, owner: type) -> None:
        message = f"This {owner.__name__!r} has no attribute {self.method.__name__!r}"
        try:
            is_available = self._check(estimator)
        except AttributeError as err:
            raise AttributeError(f"{message}. {err}") from err
        if not is_available:
            raise AttributeError(message)
