"""Definition and running of checks.

A check is a function of one component that raises AssertionError, with advice to the author, if the component breaks a rule.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Literal, NamedTuple, TypeAlias

import jax
import numpy as np

from skdeep.estimators.diagnose import traced_fields_named

Check: TypeAlias = Callable[..., None]
ExpectedFailures: TypeAlias = Mapping[str, str]
"""Maps the name of a check to the reason why a component fails it."""


class CheckResult(NamedTuple):
    """The result of one check of one component.

    Attributes
    ----------
    component : object
    check_name : str
    error : AssertionError or None
        None if the component passed the check, or failed it as declared.
    expected_failure : str or None
        The declared reason, if the component failed the check as declared.
    """

    component: Any
    check_name: str
    error: AssertionError | None
    expected_failure: str | None = None

    @property
    def passed(self) -> bool:
        """True if the component passed the check, or failed it as declared."""
        return self.error is None

    @property
    def status(self) -> Literal["passed", "failed", "xfail"]:
        """The result in scikit-learn's terms; "xfail" is a failure that was declared."""
        if self.error is not None:
            return "failed"
        return "passed" if self.expected_failure is None else "xfail"


def contract_check(advice: str | Callable[[Exception], str]) -> Callable[[Check], Check]:
    """Return a decorator that turns a function into a check: any error inside becomes an AssertionError with the advice.

    The advice may be a function of the error.
    """

    def decorate(function: Check) -> Check:
        @functools.wraps(function)
        def check(component: Any, **options: Any) -> None:
            try:
                with traced_fields_named():
                    function(component, **options)
            except Exception as err:  # the component's own code runs inside and may raise any error
                what = str(err) if isinstance(err, AssertionError) else f"{type(err).__name__}: {err}"
                change = advice if isinstance(advice, str) else advice(err)
                raise AssertionError(
                    f"{component} fails {function.__name__}: {what}\nWhat to change: {change}"
                ) from err

        return check

    return decorate


def run_checks(
    cases: Iterable[tuple[Any, Check, str | None]], on_fail: Literal["raise"] | None = "raise"
) -> list[CheckResult]:
    """Run cases of component, check and declared reason (or None); return the results, or raise the first failure."""
    results = []
    for component, check, reason in cases:
        result = _outcome(component, check, reason)
        if result.error is not None and on_fail == "raise":
            raise result.error
        results.append(result)
    return results


def _outcome(component: Any, check: Check, reason: str | None) -> CheckResult:
    name = name_of(check)
    try:
        check(component)
    except AssertionError as err:
        return CheckResult(component, name, err) if reason is None else CheckResult(component, name, None, reason)
    if reason is None:
        return CheckResult(component, name, None)
    message = f"{component} passes {name}, although it is declared to fail it: {reason}"
    advice = f"remove {name!r} from its expected_failed_checks."
    return CheckResult(component, name, AssertionError(f"{message}\nWhat to change: {advice}"))


def name_of(check: Check) -> str:
    """Return the name of a check, or of a `functools.partial` of one."""
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
    """Expect that two pytrees of equal structure hold the same numbers within the tolerances."""
    for (path, left), (_, right) in zip(_leaves(actual), _leaves(wanted), strict=True):
        if left.shape == right.shape and np.allclose(left, right, rtol=rtol, atol=atol):
            continue
        difference = np.abs(left - right).max() if left.shape == right.shape else "that of the shapes"
        raise AssertionError(f"{message}{path} The largest difference is {difference}: {left!r} and {right!r}.")


def expect_same_form(actual: Any, wanted: Any, message: str) -> None:
    """Expect that two pytrees have equal structures, and leaves of equal shapes and dtypes."""
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
