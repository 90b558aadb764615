"""Functions that return an Optax transformation as optimizers."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Self

from skdeep.contract import Optimizer
from skdeep.records import OptimizerState, Params


class OptaxFactory(Optimizer):
    """A function `f(learning_rate) -> optax.GradientTransformation` as an optimizer; an estimator makes one of `optimizer=f`.

    A `functools.partial` is stored as function and arguments, so that equal partials share one program. Numbers that the
    function or the partial fixes are not traced: another value compiles a new program.

    Parameters
    ----------
    function : callable
    arguments : tuple, default=()
        Further positional arguments of `function`, after the learning rate.
    keywords : tuple of (str, object), default=()
        Keyword arguments of `function`, sorted by name.

    Examples
    --------
    >>> import functools, optax
    >>> from skdeep.optimizers import OptaxFactory
    >>> first, second = (OptaxFactory.of(functools.partial(optax.adam, b1=0.8)) for _ in range(2))
    >>> first == second
    True
    """

    function: Callable[..., Any]
    arguments: tuple[Any, ...] = ()
    keywords: tuple[tuple[str, Any], ...] = ()

    @classmethod
    def of(cls, factory: Callable[..., Any]) -> Self:
        """Return the component for a function or a `functools.partial`."""
        if isinstance(factory, functools.partial):
            return cls(factory.func, factory.args, tuple(sorted(factory.keywords.items())))
        return cls(factory)

    def transformation(self, learning_rate: Any) -> Any:
        return self.function(learning_rate, *self.arguments, **dict(self.keywords))

    def update(
        self, grad: Params, state: OptimizerState, params: Params, learning_rate: Any, value: Any, objective: Any
    ) -> tuple[OptimizerState, Params]:
        import optax

        transformation = optax.with_extra_args_support(self.transformation(learning_rate))
        updates, state = transformation.update(grad, state, params, value=value, grad=grad, value_fn=objective)
        return state, updates
