"""What a check is: a function of one component that raises AssertionError, with what the author must change."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal, NamedTuple, TypeAlias

import jax
import numpy as np

from skdeep.estimators.diagnose import traced_fields_named

Check: TypeAlias = Callable[..., None]


class CheckResult(NamedTuple):
    """How one check of one component ended; `error` is None if it passed."""

    component: Any
    check_name: str
    error: AssertionError | None

    @property
    def passed(self) -> bool:
        """Whether the component passed."""
        return self.error is None


def contract_check(advice: str | Callable[[Exception], str]) -> Callable[[Check], Check]:
    """Make a check of a function: whatever goes wrong inside becomes an AssertionError that ends with the advice.

    The advice may depend on what went wrong.
    """

    def decorate(function: Check) -> Check:
        @functools.wraps(function)
        def check(component: Any, **options: Any) -> None:
            try:
                with traced_fields_named():
                    function(component, **options)
            except Exception as err:  # the component's own code runs inside, which may raise anything
                what = str(err) if isinstance(err, AssertionError) else f"{type(err).__name__}: {err}"
                change = advice if isinstance(advice, str) else advice(err)
                raise AssertionError(
                    f"{component} fails {function.__name__}: {what}\nWhat to change: {change}"
                ) from err

        return check

    return decorate


def run_checks(pairs: Iterable[tuple[Any, Check]], on_fail: Literal["raise"] | None = "raise") -> list[CheckResult]:
    """Run checks and return how they ended; with `on_fail="raise"` the first failure is raised."""
    results = []
    for component, check in pairs:
        error = None
        try:
            check(component)
        except AssertionError as err:
            if on_fail == "raise":
                raise
            error = err
        results.append(CheckResult(component, name_of(check), error))
    return results


def name_of(check: Check) -> str:
    """Return a check's name, also of one whose options are filled in."""
    return str(getattr(check, "func", check).__name__)


def expect(condition: Any, message: str) -> None:
    """Raise AssertionError with the message unless the condition holds, also under `python -O`."""
    if not condition:
        raise AssertionError(message)


def expect_finite(tree: Any, what: str) -> None:
    """Expect that no number of a pytree is NaN or infinite."""
    for path, leaf in _leaves(tree):
        n_bad = int((~np.isfinite(leaf)).sum())
        expect(n_bad == 0, f"{what}{path} has {n_bad} of {leaf.size} values that are NaN or infinite.")


def expect_close(actual: Any, wanted: Any, message: str, rtol: float = 1e-5, atol: float = 1e-6) -> None:
    """Expect that two pytrees of one structure hold the same numbers up to rounding."""
    for (path, left), (_, right) in zip(_leaves(actual), _leaves(wanted), strict=True):
        if left.shape == right.shape and np.allclose(left, right, rtol=rtol, atol=atol):
            continue
        difference = np.abs(left - right).max() if left.shape == right.shape else "one of shapes"
        raise AssertionError(f"{message}{path} The largest difference is {difference}: {left!r} and {right!r}.")


def expect_same_form(actual: Any, wanted: Any, message: str) -> None:
    """Expect that two pytrees have one structure, and leaves of equal shape and type."""
    left: Any = jax.tree.structure(actual)
    right: Any = jax.tree.structure(wanted)
    expect(left == right, f"{message} One has the structure {left}, the other {right}.")
    for (path, a), (_, b) in zip(_leaves(actual), _leaves(wanted), strict=True):
        same = (a.shape, a.dtype) == (b.shape, b.dtype)
        expect(same, f"{message} At {path or 'the only leaf'} one is {a.dtype}{a.shape}, the other {b.dtype}{b.shape}.")


def _leaves(tree: Any) -> Iterator[tuple[str, Any]]:
    for path, leaf in jax.tree_util.tree_flatten_with_path(tree)[0]:
        is_abstract = isinstance(leaf, jax.ShapeDtypeStruct)
        yield jax.tree_util.keystr(path), leaf if is_abstract else np.asarray(leaf)
