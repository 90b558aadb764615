"""The registry: names of built-in components and of components registered in this process."""

from __future__ import annotations

import functools
import inspect
import tomllib
from importlib import import_module, metadata
from pathlib import Path

import flax.linen as nn
import jax
import numpy as np
import pytest

import skdeep
from skdeep import registry
from skdeep.contract import KINDS, Loss
from skdeep.errors import ComponentExistsError, UnknownComponentError
from skdeep.losses import FunctionLoss, Huber
from skdeep.optimizers import Adam

PYPROJECT = tomllib.loads((Path(registry.__file__).parents[1] / "pyproject.toml").read_text())
ENTRIES = {
    (kind, name): value
    for kind, group in registry.GROUPS.items()
    for name, value in PYPROJECT["project"]["entry-points"][group].items()
}


pytestmark = pytest.mark.usefixtures("fresh_registry")


@pytest.mark.parametrize(("kind", "name"), ENTRIES)
def test_entry_points_of_pyproject(kind, name):
    module, _, attribute = ENTRIES[kind, name].partition(":")
    cls = getattr(import_module(module), attribute)
    assert issubclass(cls, KINDS[kind])
    assert registry.get(kind, name) == (name, cls)
    assert name in registry.names(kind)


@pytest.mark.parametrize("kind", registry.GROUPS)
def test_installed_entry_points_are_those_of_pyproject(kind):
    installed = {
        e.name: e.value for e in metadata.distribution("skdeep-flax").entry_points.select(group=registry.GROUPS[kind])
    }
    assert installed == {name: value for (k, name), value in ENTRIES.items() if k == kind}


@pytest.mark.parametrize("kind", registry.GROUPS)
def test_every_public_class_has_a_name(kind):
    """Classes that wrap a user's object, parameter groups, and losses that only judge have no name."""
    module = import_module(registry.GROUPS[kind])
    public = {name for name in module.__all__ if inspect.isclass(getattr(module, name))}
    named = {value.partition(":")[2] for (k, _), value in ENTRIES.items() if k == kind}
    wrappers = {"FunctionLoss", "OptaxFactory", "FunctionSchedule", "ModuleLayer", "FunctionAugmentation", "Chain"}
    nameless = {
        "network": {"Branch", "FlaxNetwork", "NNXNetwork", "Sequential"},
        "optimizer": {"ParameterGroup"},
        "loss": {"ZeroOne"},
    }
    assert public - named - wrappers == nameless.get(kind, set())


@pytest.mark.parametrize(("kind", "name"), ENTRIES)
def test_id_of_built_in_classes(kind, name):
    cls = registry.get(kind, name)[1]
    assert registry.get(kind, registry.id_of(kind, cls))[1] is cls
    assert ENTRIES[kind, registry.id_of(kind, cls)] == ENTRIES[kind, name]


def test_id_of_other_classes():
    assert registry.id_of("loss", FunctionLoss) is None
    assert registry.id_of("loss", Adam) is None
    assert registry.id_of("loss", type("Huber", (Loss,), {"__module__": "elsewhere"})) is None
    assert registry.id_of("component", Adam) is None
    skdeep.register("loss", "mine")(cubic)
    assert registry.id_of("loss", cubic) == "local:mine"


def test_register_takes_the_component_too():
    assert skdeep.register("loss", "mine", cubic) is cubic
    assert registry.get("loss", "mine") == ("local:mine", cubic)
    assert skdeep.register("loss", "mine", abs_error, replace=True) is abs_error
    with pytest.raises(TypeError, match="cannot be registered as the loss 'other'"):
        skdeep.register("loss", "other", 3)
    with pytest.raises(ComponentExistsError):
        skdeep.register("loss", "mine", cubic)


def abs_error(raw, target):
    return abs(raw - target).mean(axis=1)


def cubic(raw, target):
    return (abs(raw - target) ** 3).mean(axis=1)


def quartic(raw, target):
    return ((raw - target) ** 4).mean(axis=1)


def test_register_as_decorator():
    @skdeep.register("loss", "cubic")
    class Cubic(skdeep.Loss):
        def __call__(self, raw, target):
            return cubic(raw, target)

    assert registry.get("loss", "cubic") == ("local:cubic", Cubic)
    assert registry.get("loss", "local:cubic") == ("local:cubic", Cubic)
    assert "local:cubic" in registry.names("loss")
    assert "local:cubic" not in registry.names("optimizer")


def test_registered_functions_and_objects_are_kept_as_they_are():
    loss = Huber(delta=3.0)
    assert skdeep.register("loss", "mine")(cubic) is cubic
    skdeep.register("loss", "wide_huber")(loss)
    assert registry.get("loss", "mine")[1] is cubic
    assert registry.get("loss", "wide_huber")[1] is loss
    assert skdeep.DeepRegressor(loss="wide_huber").get_params()["loss__delta"] == 3.0


def test_register_again():
    skdeep.register("loss", "mine")(cubic)
    skdeep.register("loss", "mine")(cubic)
    message = "The loss 'mine' is registered already, as <function cubic.*>. Give replace=True to replace it."
    with pytest.raises(ComponentExistsError, match=message):
        skdeep.register("loss", "mine")(quartic)
    assert registry.get("loss", "mine")[1] is cubic
    skdeep.register("loss", "mine", replace=True)(quartic)
    assert registry.get("loss", "mine")[1] is quartic


def test_unregister():
    skdeep.register("loss", "mine")(cubic)
    skdeep.unregister("loss", "mine")
    with pytest.raises(UnknownComponentError):
        registry.get("loss", "mine")
    with pytest.raises(UnknownComponentError, match="Unknown registered loss 'mine'"):
        skdeep.unregister("loss", "mine")


@pytest.mark.parametrize("replace", [False, True])
def test_built_in_names_are_taken(replace):
    with pytest.raises(ComponentExistsError, match="'huber' is the name of a built-in loss. Choose another name."):
        skdeep.register("loss", "huber", replace=replace)(cubic)
    assert registry.get("loss", "huber") == ("huber", Huber)


@pytest.mark.parametrize(("kind", "name"), [("loss", "auto"), ("layer", "relu"), ("layer", "gelu")])
def test_names_that_parameters_use_are_taken(kind, name):
    with pytest.raises(ComponentExistsError, match=f"'{name}' is the name of a built-in {kind}."):
        skdeep.register(kind, name)(lambda *arguments: 0.0)


def test_built_in_names_may_be_written_with_their_package():
    assert registry.get("loss", "skdeep-flax:huber") == ("huber", Huber)


def test_a_function_without_a_module_trains():
    scope = {}
    exec("def f(raw, target): return ((raw - target) ** 2).mean(axis=1)", scope)
    assert scope["f"].__module__ in (None, "builtins")
    model = skdeep.DeepRegressor(loss=scope["f"], max_epochs=1, tol=None).fit(np.eye(8), np.arange(8.0))
    assert model.resolved_components_["loss"] == "object:f"


def test_options_of_a_registered_linen_layer():
    skdeep.register("layer", "dense_of_flax")(nn.Dense(3))
    model = skdeep.DeepRegressor(network=[("dense_of_flax", {"features": 5})], max_epochs=1, tol=None)
    shapes = {p.shape for p in jax.tree.leaves(model.fit(np.eye(8), np.arange(8.0)).params_)}
    assert (8, 5) in shapes
    with pytest.raises(ValueError, match="Invalid field 'width' for Dense"):
        model.set_params(network=[("dense_of_flax", {"width": 5})]).fit(np.eye(8), np.arange(8.0))


def test_one_name_may_be_used_for_two_kinds():
    import optax

    skdeep.register("optimizer", "huber")(optax.adabelief)
    assert registry.get("optimizer", "huber") == ("local:huber", optax.adabelief)


def test_register_of_an_unknown_kind():
    with pytest.raises(
        ValueError, match=r"The kind must be one of \['loss', .*'augmentation'\]. Got 'losses' instead."
    ):
        skdeep.register("losses", "mine")


@pytest.mark.parametrize(
    ("kind", "name", "message"),
    [
        ("optimizer", "adma", "Unknown optimizer 'adma'. Did you mean 'adam'? Known: adagrad, adam, adamw, "),
        ("loss", "cross_entropie", "Unknown loss 'cross_entropie'. Did you mean 'cross_entropy'?"),
        ("loss", "zzz", "Unknown loss 'zzz'. Known: absolute_error, "),
        ("loss", "mse", "Unknown loss 'mse'. It is called 'squared_error' here. Known: absolute_error, "),
        ("loss", "MAE", "Unknown loss 'MAE'. It is called 'absolute_error' here."),
        (
            "loss",
            "bce",
            "Unknown loss 'bce'. It is called 'cross_entropy' (classes) or 'bernoulli' (numbers in [0, 1]) here.",
        ),
        (
            "loss",
            "categorical_crossentropy",
            "Unknown loss 'categorical_crossentropy'. It is called 'cross_entropy' here.",
        ),
        (
            "loss",
            "binary_crossentropy",
            "Unknown loss 'binary_crossentropy'. It is called 'cross_entropy' (classes) or 'bernoulli' (numbers",
        ),
        (
            "loss",
            "nll",
            "Unknown loss 'nll'. It is called 'cross_entropy' (classes) or 'gaussian_nll' (numbers and their spread) here.",
        ),
        ("loss", "mean_squared_error", "Unknown loss 'mean_squared_error'. It is called 'squared_error' here."),
        ("optimizer", "adam_w", "Unknown optimizer 'adam_w'. It is called 'adamw' here."),
        ("optimizer", "l-bfgs", "Unknown optimizer 'l-bfgs'. It is called 'lbfgs' here."),
        ("schedule", "adam", "Unknown schedule 'adam'. Known: constant, cosine, "),
        (
            "loss",
            "nobody:huber",
            "Unknown loss 'nobody:huber'. Did you mean 'huber'? The package 'nobody' is not installed. Install it. Known: abs",
        ),
        (
            "loss",
            "numpy:huber",
            f"Unknown loss 'numpy:huber'. Did you mean 'huber'? The package numpy {np.__version__} offers no loss 'huber'.",
        ),
        (
            "loss",
            "local:zzz",
            "Unknown loss 'local:zzz'. Register it in this process with @skdeep.register('loss', 'zzz').",
        ),
    ],
)
def test_unknown_name(kind, name, message):
    with pytest.raises(UnknownComponentError) as caught:
        registry.get(kind, name)
    assert str(caught.value).startswith(message)


def test_registered_names_are_among_the_known():
    skdeep.register("loss", "fourth_power")(quartic)
    with pytest.raises(UnknownComponentError, match="Did you mean 'local:fourth_power'?.* Known: .*local:fourth_power"):
        registry.get("loss", "forth_power")


def named(*arguments):
    """Return a function of these arguments."""
    return eval(f"lambda {', '.join(arguments)}: None")


class Widget(skdeep.Module):
    width: int

    def __call__(self, x):
        return x


class NoTransformation(skdeep.Optimizer):
    b1: float = 0.9


class NoDefault(skdeep.Schedule):
    final: float

    def __call__(self, progress):
        return progress * self.final


REFUSED = [
    ("loss", 3, "it is 3, neither a loss component nor a function"),
    ("loss", named("raw"), "its signature is (raw), but as a loss of each row it is called with (raw, target)"),
    ("optimizer", named(), "its signature is (), but as an Optax factory it is called with (learning_rate)"),
    (
        "schedule",
        named("a", "b"),
        "its signature is (a, b), but as a factor of the learning rate it is called with (progress)",
    ),
    ("layer", named("x", "y"), "its signature is (x, y), but as an activation it is called with (x)"),
    (
        "network",
        named("n"),
        "its signature is (n), but as an NNX factory it is called with (in_shape, n_outputs, rngs)",
    ),
    ("loss", Adam, "Adam is an optimizer, not a loss"),
    ("loss", Adam(), "it is an optimizer, not a loss"),
    ("optimizer", NoTransformation, "NoTransformation does not define transformation or update"),
    (
        "schedule",
        NoDefault,
        "the field 'final' of NoDefault has no default: a name alone must be enough, so give it one",
    ),
    ("layer", Widget, "the field 'width' of Widget has no default: a name alone must be enough, so give it one"),
    ("loss", Widget, "it is a flax.linen module, which can be a layer or a network, not a loss"),
    ("loss", dict, "it is a class that is not a loss: subclass skdeep.Loss"),
]


@pytest.mark.parametrize(("kind", "value", "reason"), REFUSED, ids=[reason[:40] for _, _, reason in REFUSED])
def test_refused_objects(kind, value, reason):
    with pytest.raises(TypeError) as caught:
        skdeep.register(kind, "mine")(value)
    assert str(caught.value) == f"This object cannot be registered as the {kind} 'mine': {reason}."
    assert registry.registered_names(kind) == {}


@pytest.mark.parametrize("name", ["", "a:b", 3, None])
def test_invalid_names_raise(name):
    with pytest.raises(ValueError, match="The name of a loss must be a string without ':'. Got .* instead."):
        skdeep.register("loss", name)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("network", Widget(width=3)),
        ("layer", Widget(width=3)),
        ("layer", lambda x: x),
        ("schedule", lambda progress: 1 - progress),
        ("network", lambda in_shape, n_outputs, rngs: None),
        ("optimizer", functools.partial(max, 3)),  # has no signature that `inspect` can read
    ],
    ids=["linen network", "linen layer", "activation", "schedule", "factory", "partial"],
)
def test_accepted_objects(kind, value):
    skdeep.register(kind, "mine")(value)
    assert registry.get(kind, "mine") == ("local:mine", value)
