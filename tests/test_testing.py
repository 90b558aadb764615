"""The contract checks: built-in components pass them, and components that break a rule fail, with a useful message."""

from __future__ import annotations

import itertools
from typing import ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import skdeep
from skdeep import augmentations, layers, optimizers, registry, schedules, testing
from skdeep.layers import Activation, BatchNorm, Dense, Dropout, Flatten, LayerNorm, Residual
from skdeep.networks import MLP, Sequential
from skdeep.testing import component_checks, parametrize_with_component_checks
from skdeep.testing.distributions import check_requirement
from skdeep.testing.kinds import CHECKS
from skdeep.testing.running import name_of

# The time of a check depends on the number of layers, and on the size of orthogonal kernels, which are made on the host.
SMALLER = {
    ("layer", "bidirectional"): {"layer": layers.SimpleRNN(units=4)},
    ("layer", "gru"): {"units": 4},
    ("layer", "lstm"): {"units": 4},
    ("layer", "rnn"): {"units": 4},
    ("network", "gru"): {"units": 4},
    ("network", "realmlp"): {"widths": (8,)},
    ("network", "tabm"): {"n_members": 3, "widths": (8,), "n_bins": 4, "numeric_features": 2},
    ("network", "tcn"): {"widths": (8,)},
    ("network", "transformer"): {"n_layers": 1, "features": 8, "n_heads": 2},
}
LARGE = (("network", "lstm"), ("network", "resnet"))


def built_in():
    """Return two lists: small built-in components, and the defaults of those that take long to compile or to initialise."""
    classes = {
        (kind, name): registry.get(kind, name)[1] for kind in registry.GROUPS for name in registry.builtin_names(kind)
    }
    small = [cls(**SMALLER.get(key, {})) for key, cls in classes.items() if key not in LARGE]
    return small, [classes[key]() for key in (*SMALLER, *LARGE)]


SMALL, LARGE_ONES = built_in()
STACK = Sequential((Flatten(), Dense(8), Activation("relu"), BatchNorm(), Dropout(0.1), Residual(), LayerNorm()))
VARIANTS = [  # of the parts of `STACK`
    MLP(widths=(8,), normalization="batch", dropout_rate=0.1),
    Residual((Dense(4), BatchNorm(), Dropout(0.3))),
    MLP(widths=()),
    MLP(widths=(8, 8), normalization="layer", residual=True, activation="gelu"),
]


@pytest.fixture(scope="module")
def last_component():
    """A list of the component that was checked last."""
    return [None]


@pytest.fixture
def forgets(component, last_component):
    """Clear JAX's caches when the checks of a network are done: those of all networks take gigabytes."""
    (before,) = last_component
    if before is not None and before is not component and before.kind == "network":
        jax.clear_caches()
    last_component[0] = component


# The next test trains these layers, in two fits instead of one per layer.
TRAINED_TOGETHER = {
    (4, 4, 2): Sequential(
        (
            layers.SeparableConv(4),
            layers.GroupNorm(2),
            layers.SqueezeExcitation(2),
            layers.MaxPool(2),
            layers.GlobalMaxPool(),
        )
    ),
    (5, 2): Sequential(
        (
            layers.Masking(),
            layers.PositionalEncoding(),
            layers.SelfAttention(1),
            layers.AvgPool(2),
            layers.GlobalAvgPool(),
        )
    ),
}
# The fits of these stay in the quick run. Other tests train the other layers, networks, schedules, and optimizers that
# have no code of their own in the step.
FITTED_HERE = (
    augmentations.RandomFlip,
    layers.Embedding,
    layers.SimpleRNN,
    Sequential,
    schedules.Cosine,
    skdeep.Loss,
    optimizers.Muon,
    optimizers.ScheduleFreeAdamW,
)


def other_fits_marked(parametrize):
    """Return the cases with the fits of all components that are not in `FITTED_HERE` marked for the campaign."""
    cases = []
    for case in parametrize.args[1]:
        component, check = case.values
        is_other = name_of(check).startswith("check_fit") and not isinstance(component, FITTED_HERE)
        cases.append(pytest.param(*case.values, id=case.id, marks=pytest.mark.campaign) if is_other else case)
    return pytest.mark.parametrize(("component", "check"), cases)


@pytest.mark.usefixtures("forgets")
@other_fits_marked(parametrize_with_component_checks([*SMALL, STACK]))
def test_contract_of_built_in_components(component, check):
    check(component)


@pytest.mark.parametrize("in_shape", TRAINED_TOGETHER, ids=["images", "sequences"])
def test_layers_are_trained_together(in_shape):
    for component, check in component_checks("network", TRAINED_TOGETHER[in_shape], in_shape):
        if name_of(check).startswith("check_fit"):
            check(component)


@pytest.mark.campaign
@parametrize_with_component_checks([*LARGE_ONES, *VARIANTS])
def test_contract_of_large_built_in_components(component, check):
    check(component)


class Residuals(skdeep.Loss):
    """The squared error, as base of losses that break a rule."""

    tasks = ("regression",)
    scaling = "standard"

    def __call__(self, raw, target):
        return jnp.mean((raw - target) ** 2, axis=1)


class MeanOverRows(Residuals):
    def __call__(self, raw, target):
        return jnp.mean((raw - target) ** 2)


class ComparesRows(Residuals):
    def __call__(self, raw, target):
        return jnp.mean((raw - jnp.mean(raw, axis=0)) ** 2, axis=1) + super().__call__(raw, target)


class Overflows(Residuals):
    def __call__(self, raw, target):
        return jnp.log(jnp.mean(jnp.exp((raw - target) ** 2), axis=1))


class WrongSlope(Residuals):
    def __call__(self, raw, target):
        return jnp.mean((raw - jax.lax.stop_gradient(raw)) * raw + (raw - target) ** 2, axis=1)


class Branches(Residuals):
    power: float = 2.0

    def __call__(self, raw, target):
        return jnp.mean((raw - target) ** 2 if self.power == 2.0 else jnp.abs(raw - target) ** self.power, axis=1)


class FixedType(Residuals):
    def __call__(self, raw, target):
        return super().__call__(raw, target).astype(jnp.float32)


class LinkOfAnotherLoss(Residuals):
    def link(self, raw, task, xp):
        return -raw


class LinkOfJaxAlone(Residuals):
    def link(self, raw, task, xp):
        return raw if xp is np else 2 * raw


class NegativePredictions(Residuals):
    domain = "non-negative"


class NoProbabilities(skdeep.Loss):
    tasks = ("multiclass",)
    probabilistic = True

    def __call__(self, raw, target):
        return jax.nn.logsumexp(raw, axis=1) - raw[jnp.arange(len(raw)), target]

    def link(self, raw, task, xp):
        return 1 / (1 + xp.exp(-raw))


class RefusesItsDefault(Residuals):
    scale: float = 0.0

    def check_fields(self):
        if not self.scale > 0:
            raise ValueError(f"The 'scale' field must be positive. Got {self.scale!r}.")


class HoldsALambda(Residuals):
    function: object = lambda x: x


class ConvertsFields(Residuals):
    scale: float = 1.0

    def __post_init__(self):
        object.__setattr__(self, "scale", str(self.scale))


class LearnsNothing(Residuals):
    def __call__(self, raw, target):
        return jnp.mean((jax.lax.stop_gradient(raw) - target) ** 2, axis=1)


class Ascends(skdeep.Optimizer):
    def transformation(self, learning_rate):
        return optax.scale(learning_rate)


class StateGrows(skdeep.Optimizer):
    def init(self, params):
        return ()

    def update(self, grad, state, params, learning_rate, value, objective):
        return (value,), jax.tree.map(lambda g: -learning_rate * g, grad)


class StateOfNumbers(skdeep.Optimizer):
    def init(self, params):
        return 0.5

    def update(self, grad, state, params, learning_rate, value, objective):
        return state, jax.tree.map(lambda g: -learning_rate * g, grad)


class UpdatesOfAnotherType(skdeep.Optimizer):
    def transformation(self, learning_rate):
        half = optax.stateless(lambda updates, _: jax.tree.map(lambda u: u.astype("bfloat16"), updates))
        return optax.chain(optax.sgd(learning_rate), half)


class BranchesOnTheRate(skdeep.Optimizer):
    b1: float = 0.9

    def transformation(self, learning_rate):
        return optax.sgd(learning_rate if learning_rate < 1 else 1.0)


class Layer(skdeep.Layer):
    """Builds the module in the class variable."""

    module: ClassVar[type]

    def build(self):
        return self.module()


def layer_of(call):
    """Return a layer whose module calls this function."""
    module = type("Module", (nn.Module,), {"__call__": nn.compact(call)})
    return type("Own", (Layer,), {"module": module, "__annotations__": {}})()


def centre(module, x):
    return x - jnp.mean(x, axis=0, keepdims=True)


def mix_while_training(module, x, train):
    return nn.BatchNorm(use_running_average=not train)(x)


def lose_rows(module, x):
    return x[1:]


def single(module, x):
    return x.astype(jnp.float32) * 1.5


def infinite(module, x):
    return jnp.where(x > 0, jnp.sqrt(x), 0.0)


def share_of_rows(module, x):
    return x / x.shape[0]


class AtItsBound(Residuals):
    power: float = 1.0

    def __call__(self, raw, target):
        return self.power * super().__call__(raw, target)

    def check_fields(self):
        if self.power < 1:
            raise ValueError(f"The 'power' field must be at least 1. Got {self.power!r}.")


class LargeValues(Residuals):
    def __call__(self, raw, target):
        return 5e3 * super().__call__(raw, target)


class OfLabels(skdeep.Loss):
    tasks = ("multilabel",)
    probabilistic = True

    def __call__(self, raw, target):
        return jnp.mean(jnp.logaddexp(0.0, raw) - target * raw, axis=1)


class ImageNet(nn.Module):
    n_outputs: int | None = None
    example_shape = (4, 4, 1)

    @nn.compact
    def __call__(self, x):
        x = nn.Conv(2, (2, 2))(x)
        return nn.Dense(self.n_outputs)(x.reshape(x.shape[0], -1))


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("loss", AtItsBound()),
        ("loss", LargeValues()),
        ("loss", OfLabels()),
        ("loss", lambda raw, target: jnp.mean((raw - target) ** 2, axis=1)),
        ("optimizer", optax.adadelta),
        ("network", ImageNet),
    ],
    ids=["at its bound", "large values", "labels only", "function for regression", "large rates", "images"],
)
def test_good_components_of_other_forms_pass(kind, value):
    for component, check in component_checks(kind, value):
        check(component)


class FlaxDropout(skdeep.Layer):
    rate: float = 0.5

    def build(self):
        return TakesTrain(self.rate)


class TakesTrain(nn.Module):
    rate: float

    @nn.compact
    def __call__(self, x, train: bool):
        return nn.Dropout(self.rate)(x, deterministic=not train)


class TooWide(skdeep.Network):
    def build(self, in_shape, n_outputs):
        return nn.Dense(n_outputs + 1)


COUNTER = itertools.count()

BROKEN = [
    ("loss", MeanOverRows(), "check_one_value_per_row", "it returned shape (), not (12,)"),
    ("loss", ComparesRows(), "check_rows_are_independent", "no mean, maximum, sort or comparison over axis 0"),
    ("loss", Overflows(), "check_gradient", "At raw outputs of 30 and -30 the gradient"),
    ("loss", WrongSlope(), "check_gradient", "The gradient is not the slope of the loss."),
    ("loss", Branches(), "check_floats_are_traced", "Branches uses its float field 'power' in Python control flow"),
    ("loss", FixedType(), "check_gradient", "For float64 raw outputs it returned float32."),
    ("loss", LinkOfAnotherLoss(), "check_link_fits_loss", "change the loss or the link"),
    ("loss", LinkOfJaxAlone(), "check_link", "JAX and NumPy differ"),
    ("loss", NegativePredictions(), "check_link", "The loss is for non-negative targets, but a prediction is -"),
    ("loss", NoProbabilities(), "check_link", "Probabilities of a row do not sum to 1."),
    ("loss", Overflows(), "check_padding_is_neutral", "Padding"),
    ("loss", RefusesItsDefault(), "check_default_fields", "let check_fields accept the defaults"),
    ("loss", HoldsALambda(), "check_pickling", "functions that can be imported by name"),
    ("loss", ConvertsFields(), "check_floats_are_data", "do not convert them in __post_init__"),
    ("loss", LearnsNothing(), "check_fit", "The training loss did not fall at any learning rate."),
    ("optimizer", Ascends(), "check_descends", "The loss starts at"),
    ("optimizer", StateGrows(), "check_forms", "An update changes the form of the state."),
    (
        "optimizer",
        StateOfNumbers(),
        "check_init_gives_one_form",
        "The state holds 0.5, a float, which is not an array.",
    ),
    ("optimizer", UpdatesOfAnotherType(), "check_forms", "Updates do not have the form of the parameters."),
    ("optimizer", BranchesOnTheRate(), "check_floats_are_traced", "use `jnp.where` or `lax.cond` instead of `if`"),
    ("schedule", lambda progress: progress - 0.5, "check_factor", "At progress 0 the factor is -0.5."),
    ("schedule", lambda progress: 1 / progress, "check_factor", "infinite"),
    ("schedule", lambda progress: jnp.array([progress]), "check_factor", "shape (1,), not one number"),
    (
        "schedule",
        lambda progress: 1.0 if progress < 0.5 else 0.1,
        "check_floats_are_traced",
        "write it without Python branches",
    ),
    ("layer", layer_of(centre), "check_rows_are_independent", "The prediction of a row depends on the other rows."),
    (
        "layer",
        layer_of(share_of_rows),
        "check_rows_are_independent",
        "The prediction of a row changes if there are fewer rows.",
    ),
    ("layer", layer_of(mix_while_training), "check_padding_is_neutral", "take `row_mask: (n,)`"),
    ("layer", layer_of(lose_rows), "check_output", "For 10 rows of shape (6,) it returned shape (9, 6)."),
    ("layer", layer_of(single), "check_gradient", "For float64 rows it returned float32."),
    ("layer", layer_of(infinite), "check_gradient", "values that are NaN or infinite"),
    ("layer", FlaxDropout(), "check_floats_are_traced", "skdeep.layers.Dropout"),
    ("network", TooWide(), "check_output", "The network must return the shape (10, 3), but returned (10, 4)."),
    ("network", TooWide(), "check_fit", "Make its last layer 3 wide"),
    (
        "augmentation",
        lambda key, x: x[:, :3],
        "check_rows_keep_their_form",
        "For rows float32(6, 6) it returned float32(6, 3).",
    ),
    (
        "augmentation",
        lambda key, x: x + next(COUNTER),
        "check_decided_by_the_key",
        "Two calls with the same key give different rows.",
    ),
    ("augmentation", lambda key, x: x - x.mean(axis=0)[None, :], "check_rows_are_independent", "set `mixes = True`"),
]


@pytest.mark.parametrize(
    ("kind", "component", "name", "message"), BROKEN, ids=[f"{name}-{i}" for i, (_, _, name, _) in enumerate(BROKEN)]
)
@pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning")
def test_a_broken_component_fails(kind, component, name, message):
    checks = {name_of(check): (part, check) for part, check in component_checks(kind, component)}
    part, check = checks[name]
    with pytest.raises(AssertionError) as caught:
        check(part)
    assert f" fails {name}: " in str(caught.value)
    assert "\nWhat to change: " in str(caught.value)
    assert message in str(caught.value)


def test_every_check_is_failed_by_something():
    """The last set has the checks that no component of the tables fails."""
    failed = {name for _, _, name, _ in BROKEN}
    every = {name_of(check) for checks in CHECKS.values() for check in checks}
    in_other_files = {  # test_testing_faults.py, and the tests of losses of a batch, with parameters and with a score
        "check_batch",
        "check_every_target_counts",
        "check_factor_between",
        "check_float_fields_matter",
        "check_init_follows_the_seed",
        "check_learning_rate_scales_steps",
        "check_learned_parameters",
        "check_noise_follows_the_key",
        "check_score",
        "check_std_fits_loss",
        "check_step_mask",
    }
    assert in_other_files <= every
    assert every - failed - in_other_files == {
        "check_parameters",
        "check_copies",
        "check_resumes",
        "check_fit_compiles_once",
        "check_fit_uses_weights",
    }


@pytest.mark.parametrize(
    ("check", "bad", "message"),
    [
        ("check_loss", MeanOverRows, "check_one_value_per_row"),
        ("check_optimizer", Ascends(), "check_descends"),
        ("check_schedule", lambda progress: -progress, "check_factor"),
        ("check_layer", layer_of(lose_rows), "check_output"),
        ("check_network", TooWide, "check_output"),
    ],
)
def test_check_functions_raise_the_first_failure(check, bad, message):
    """The docstrings of these functions have examples of components that pass."""
    with pytest.raises(AssertionError, match=f"{message}: "):
        getattr(testing, check)(bad)


def test_failures_can_be_returned():
    results = testing.check_loss(MeanOverRows, on_fail=None)
    assert [r.check_name for r in results if r.passed][:3] == [
        "check_pickling",
        "check_default_fields",
        "check_parameters",
    ]
    assert "check_one_value_per_row" in {r.check_name for r in results if not r.passed}
    assert all(("What to change: " in str(r.error)) is not r.passed for r in results)


def test_shape_of_a_row_can_be_given():
    class OfImages(skdeep.Layer):
        example_shape = (4, 4, 2)

        def build(self):
            return nn.Conv(3, (2, 2))

    assert all(result.passed for result in testing.check_layer(OfImages()))
    with pytest.raises(AssertionError, match="check_output"):
        testing.check_layer(OfImages(), in_shape=(4,))


@pytest.mark.parametrize("requires", [[], ["numpy"], ["skdeep-flax"]])
@pytest.mark.usefixtures("fresh_registry")
def test_a_package_must_require_a_range_of_skdeep_versions(install, requires):
    install("careless", requires=requires, losses="cubic = fake_careless:Cubic")
    (plugin,) = testing.distributions.plugins_of("careless")
    with pytest.raises(AssertionError, match="add 'skdeep-flax>=0.1,<0.2'"):
        check_requirement(plugin)


def test_a_package_that_is_not_installed():
    with pytest.raises(
        ValueError, match="No installed package 'numpy' offers components. Declare entry points in one of"
    ):
        testing.check_distribution("numpy")


def test_importing_the_kit_does_not_need_pytest():
    import subprocess
    import sys

    script = "import sys; import skdeep.testing; print('pytest' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", script], text=True, timeout=120).strip() == "False"
