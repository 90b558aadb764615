"""Fields: refused values and their messages, documented defaults, and which fields are traced."""

from __future__ import annotations

import ast
import inspect
import math
import re

import jax
import numpy as np
import pytest
import skdeep_optimizers
from skdeep_optimizers import ADOPT, SAM, SGLD, SOAP, AdEMAMix, Prodigy

from skdeep.optimizers import LBFGS, SGD, Adam

CLASSES = [getattr(skdeep_optimizers, name) for name in skdeep_optimizers.__all__]
BELOW_ONE, FROM_ZERO, POSITIVE = "in [0, 1)", "in [0, inf)", "in (0, inf)"
COUNT = "an int in [1, inf)"

REFUSED = [
    *[
        (cls, name, value, BELOW_ONE)
        for cls in (ADOPT, AdEMAMix, Prodigy, SOAP)
        for name in ("b1", "b2")
        for value in (1.0, -0.1)
    ],
    *[(cls, "eps", value, POSITIVE) for cls in (ADOPT, AdEMAMix, Prodigy, SOAP) for value in (0, math.inf)],
    *[(cls, "weight_decay", -0.1, FROM_ZERO) for cls in (ADOPT, AdEMAMix, Prodigy, SOAP)],
    (ADOPT, "b1", math.nan, BELOW_ONE),
    (ADOPT, "b1", "0.9", BELOW_ONE),
    (ADOPT, "clip_exponent", -0.25, FROM_ZERO),
    (AdEMAMix, "b3", 0.0, "in (0, 1)"),
    (AdEMAMix, "b3", 1, "in (0, 1)"),
    (AdEMAMix, "alpha", -1.0, FROM_ZERO),
    (AdEMAMix, "warmup_steps", None, FROM_ZERO),
    (Prodigy, "b3", 1.0, BELOW_ONE),
    (Prodigy, "d0", 0.0, POSITIVE),
    (Prodigy, "d_coef", -1.0, POSITIVE),
    (SAM, "rho", -0.05, FROM_ZERO),
    (SAM, "eta", math.inf, FROM_ZERO),
    (SGLD, "temperature", -1e-4, FROM_ZERO),
    (SGLD, "burn_in", 1.1, "in [0, 1]"),
    (SOAP, "shampoo_decay", 1.0, BELOW_ONE),
    (SOAP, "precondition_every", 0, COUNT),
    (SOAP, "precondition_every", 10.0, COUNT),
    (SOAP, "precondition_every", True, COUNT),
    (SOAP, "max_precondition_size", -1, COUNT),
]


@pytest.mark.parametrize(("cls", "name", "value", "rule"), REFUSED)
def test_bad_field_values_are_refused(cls, name, value, rule):
    message = f"The {name!r} field of {cls.__name__} must be {rule}. Got {value!r} instead."
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        cls(**{name: value}).check_fields()


@pytest.mark.parametrize(
    ("base", "message"),
    [
        (3, "must be an optimizer component. Got 3 instead. Write base=SGD(momentum=0.9)"),
        (SGD, f"must be an optimizer component. Got {SGD!r} instead."),
        (LBFGS(), f"must be an optimizer for mini-batches. Got {LBFGS()!r} instead, whose line search"),
    ],
)
def test_sam_refuses_a_base(base, message):
    with pytest.raises(ValueError, match=f"^The 'base' field of SAM {re.escape(message)}"):
        SAM(base=base).check_fields()


@pytest.mark.parametrize(
    "optimizer",
    [
        *[cls() for cls in CLASSES],
        ADOPT(b1=0, b2=0, clip_exponent=None),
        ADOPT(b1=np.float32(0.5), clip_exponent=0),
        AdEMAMix(b1=0, alpha=0, warmup_steps=0),
        Prodigy(b3=0.5),
        SAM(rho=0, eta=0),
        SOAP(shampoo_decay=0.9, precondition_every=1, max_precondition_size=1),
    ],
)
def test_values_at_the_bounds_are_accepted(optimizer):
    assert optimizer.check_fields() is None


@pytest.mark.parametrize("cls", CLASSES)
def test_documented_defaults_equal_the_signature(cls):
    actual = {name: parameter.default for name, parameter in inspect.signature(cls).parameters.items()}
    documented = {}
    for names, default in re.findall(r"^    (\w[\w, ]*) : [^=\n]*?default=(.+)$", cls.__doc__, flags=re.MULTILINE):
        parts, values = names.split(", "), ast.literal_eval(default)
        documented.update(zip(parts, values if len(parts) > 1 else [values], strict=True))
    assert {**documented, **({"base": Adam()} if cls is SAM else {})} == actual


@pytest.mark.parametrize("cls", CLASSES)
def test_floats_are_data_and_the_rest_is_structure(cls):
    data = {path[-1].name for path, _ in jax.tree_util.tree_flatten_with_path(cls())[0]}
    floats = {name for name, value in cls().get_params().items() if isinstance(value, float)}
    assert data == {name.removeprefix("base__") for name in floats}
    assert data >= {"ADOPT": {"clip_exponent"}, "SAM": {"rho", "b1"}, "SGLD": {"temperature"}}.get(
        cls.__name__, {"b1", "eps"}
    )
