"""Names: built-in, registered in this process, and offered by other packages (fake ones on the path)."""

from __future__ import annotations

import inspect
import sys
import tomllib
from importlib import import_module, metadata
from pathlib import Path

import pytest

import skdeep
from skdeep import registry
from skdeep.contract import KINDS, Loss
from skdeep.errors import AmbiguousComponentError, ComponentExistsError, PluginLoadError, UnknownComponentError
from skdeep.losses import FunctionLoss, Huber
from skdeep.optimizers import Adam

PYPROJECT = tomllib.loads((Path(registry.__file__).parents[1] / "pyproject.toml").read_text())
ENTRIES = {
    (kind, name): value
    for kind, group in registry.GROUPS.items()
    for name, value in PYPROJECT["project"]["entry-points"][group].items()
}


@pytest.fixture(autouse=True)
def _forget_registered_names(monkeypatch):
    monkeypatch.setattr(registry, "_local", {})
    monkeypatch.setattr(registry, "_plugins", {})


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Return a function that puts a fake package with entry points on the path."""
    known = set(sys.modules)

    def install(distribution, source, **entries):
        folder = tmp_path / distribution
        info = folder / f"{distribution}-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
        groups = "".join(f"[skdeep.{group}]\n{lines}\n" for group, lines in entries.items())
        (info / "entry_points.txt").write_text(groups)
        (folder / f"fake_{distribution}.py").write_text(source)
        monkeypatch.syspath_prepend(folder)

    yield install
    for name in set(sys.modules) - known:
        if name.startswith("fake_"):
            del sys.modules[name]


LOSS_SOURCE = """
import skdeep

class Cubic(skdeep.Loss):
    scale: float = 1.0
    def __call__(self, raw, target):
        return (self.scale * abs(raw - target) ** 3).mean(axis=1)
"""


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
    """Those that take an object of the user's have none."""
    module = import_module(registry.GROUPS[kind])
    public = {name for name in module.__all__ if inspect.isclass(getattr(module, name))}
    named = {value.partition(":")[2] for (k, _), value in ENTRIES.items() if k == kind}
    wrappers = {"FunctionLoss", "OptaxFactory", "FunctionSchedule", "ModuleLayer"}
    assert public - named - wrappers == ({"FlaxNetwork", "NNXNetwork", "Sequential"} if kind == "network" else set())


@pytest.mark.parametrize(("kind", "name"), ENTRIES)
def test_builtin_name(kind, name):
    cls = registry.get(kind, name)[1]
    assert registry.get(kind, registry.builtin_name(kind, cls))[1] is cls


def test_builtin_name_of_other_classes():
    assert registry.builtin_name("loss", FunctionLoss) is None
    assert registry.builtin_name("loss", Adam) is None
    assert registry.builtin_name("loss", type("Huber", (Loss,), {"__module__": "elsewhere"})) is None


def test_register_as_decorator():
    @skdeep.register("loss", "cubic")
    class Cubic(skdeep.Loss):
        pass

    assert registry.get("loss", "cubic") == ("local:cubic", Cubic)
    assert registry.get("loss", "local:cubic") == ("local:cubic", Cubic)
    assert "cubic" in registry.names("loss")
    assert "cubic" not in registry.names("optimizer")


def test_registered_functions_and_objects_are_kept_as_they_are():
    function, loss = abs, Huber(delta=3.0)
    assert skdeep.register("loss", "absolute")(function) is function
    skdeep.register("loss", "wide_huber")(loss)
    assert registry.get("loss", "absolute")[1] is function
    assert registry.get("loss", "wide_huber")[1] is loss
    assert skdeep.DeepRegressor(loss="wide_huber").get_params()["loss__delta"] == 3.0


def test_register_again():
    skdeep.register("loss", "mine")(abs)
    skdeep.register("loss", "mine")(abs)
    with pytest.raises(
        ComponentExistsError, match="The loss 'mine' is registered already, as <.*abs>. Pass replace=True"
    ):
        skdeep.register("loss", "mine")(pow)
    assert registry.get("loss", "mine")[1] is abs
    skdeep.register("loss", "mine", replace=True)(pow)
    assert registry.get("loss", "mine")[1] is pow


@pytest.mark.parametrize("replace", [False, True])
def test_built_in_names_are_taken(replace):
    with pytest.raises(ComponentExistsError, match="'huber' is the name of a built-in loss. Choose another name."):
        skdeep.register("loss", "huber", replace=replace)(abs)
    assert registry.get("loss", "huber") == ("huber", Huber)


def test_one_name_may_serve_two_kinds():
    skdeep.register("optimizer", "huber")(abs)
    assert registry.get("optimizer", "huber") == ("local:huber", abs)


def test_register_of_an_unknown_kind():
    with pytest.raises(ValueError, match=r"The kind must be one of \['loss', .*'network'\]. Got 'losses' instead."):
        skdeep.register("losses", "mine")


@pytest.mark.parametrize(
    ("kind", "name", "message"),
    [
        ("optimizer", "adma", "Unknown optimizer 'adma'. Did you mean 'adam'? Known: adagrad, adam, adamw, "),
        ("loss", "cross_entropie", "Unknown loss 'cross_entropie'. Did you mean 'cross_entropy'?"),
        ("loss", "zzz", "Unknown loss 'zzz'. Known: absolute_error, "),
        ("schedule", "adam", "Unknown schedule 'adam'. Known: constant, cosine, "),
        ("loss", "nobody:huber", "Unknown loss 'nobody:huber'. Known: absolute_error, "),
        ("loss", "local:mine", "Unknown loss 'local:mine'."),
    ],
)
def test_unknown_name(kind, name, message):
    with pytest.raises(UnknownComponentError) as caught:
        registry.get(kind, name)
    assert str(caught.value).startswith(message)


def test_registered_names_are_among_the_known():
    skdeep.register("loss", "fourth_power")(abs)
    with pytest.raises(UnknownComponentError, match="Did you mean 'fourth_power'?.* Known: .*fourth_power"):
        registry.get("loss", "forth_power")


def test_plugin_is_found_by_name_and_by_full_id(install):
    install("cubics", LOSS_SOURCE, losses="cubic = fake_cubics:Cubic")
    full_id, cls = registry.get("loss", "cubic")
    assert full_id == "cubics:cubic"
    assert cls.__module__ == "fake_cubics"
    assert registry.get("loss", "cubics:cubic") == (full_id, cls)
    assert "cubic" in registry.names("loss")
    assert skdeep.DeepRegressor(loss="cubic").set_params(loss__scale=2.0).loss == cls(scale=2.0)


def test_plugin_appears_after_a_miss(install):
    with pytest.raises(UnknownComponentError):
        registry.get("loss", "cubic")
    install("cubics", LOSS_SOURCE, losses="cubic = fake_cubics:Cubic")
    assert registry.get("loss", "cubic")[0] == "cubics:cubic"


def test_listing_names_imports_no_plugin(install):
    install("cubics", LOSS_SOURCE, losses="cubic = fake_cubics:Cubic")
    assert "cubic" in registry.names("loss")
    assert "fake_cubics" not in sys.modules


def test_distribution_names_are_normalised(install):
    install("My_Cubics", LOSS_SOURCE, losses="cubic = fake_My_Cubics:Cubic")
    assert registry.get("loss", "my-cubics:cubic")[0] == "my-cubics:cubic"


def test_built_in_names_come_first(install):
    install("cubics", LOSS_SOURCE, losses="huber = fake_cubics:Cubic")
    assert registry.get("loss", "huber") == ("huber", Huber)
    assert registry.get("loss", "cubics:huber")[0] == "cubics:huber"


def test_registered_names_come_before_plugins(install):
    install("cubics", LOSS_SOURCE, losses="cubic = fake_cubics:Cubic")
    skdeep.register("loss", "cubic")(abs)
    assert registry.get("loss", "cubic") == ("local:cubic", abs)
    assert registry.get("loss", "cubics:cubic")[0] == "cubics:cubic"


def test_name_of_two_plugins_is_ambiguous(install):
    for name in ("second", "first"):
        install(name, LOSS_SOURCE, losses=f"cubic = fake_{name}:Cubic")
    message = "More than one package offers the loss 'cubic'. Name one of: first:cubic, second:cubic."
    with pytest.raises(AmbiguousComponentError, match=message):
        registry.get("loss", "cubic")
    assert registry.get("loss", "second:cubic")[1].__module__ == "fake_second"
    assert registry.names("loss").count("cubic") == 1


@pytest.mark.parametrize(
    ("source", "value", "cause"),
    [
        ("import no_such_package", "fake_broken:Cubic", ModuleNotFoundError),
        ("raise SystemExit(3)", "fake_broken:Cubic", SystemExit),
        ("1 / 0", "fake_broken:Cubic", ZeroDivisionError),
        ("", "fake_broken:Cubic", AttributeError),
        ("", "fake_nowhere:Cubic", ModuleNotFoundError),
    ],
    ids=["import", "exit", "exception", "no such class", "no such module"],
)
def test_broken_plugin_hurts_only_who_asks_for_it(install, source, value, cause):
    install("broken", source, losses=f"cubic = {value}")
    assert registry.get("loss", "huber") == ("huber", Huber)
    with pytest.raises(UnknownComponentError, match="Did you mean 'cubic'?"):
        registry.get("loss", "cubix")
    message = f"The loss 'broken:cubic' could not be loaded from '{value}': {cause.__name__}: .*Update or uninstall"
    with pytest.raises(PluginLoadError, match=message) as caught:
        registry.get("loss", "cubic")
    assert isinstance(caught.value.__cause__, cause)
