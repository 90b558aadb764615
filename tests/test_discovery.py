"""Plugins of fake packages on the path: finding without imports, loading one by one, the policy, broken plugins."""

from __future__ import annotations

import json
import subprocess
import sys
import threading

import pytest

import skdeep
from skdeep import discovery, plugins, policy, registry
from skdeep.errors import (
    AmbiguousComponentError,
    ComponentError,
    PluginBlockedError,
    PluginContractError,
    PluginIncompatibleError,
    PluginLoadError,
    UnknownComponentError,
)
from skdeep.losses import Huber

pytestmark = pytest.mark.usefixtures("fresh_registry")

LOSS_SOURCE = """
import skdeep

class Cubic(skdeep.Loss):
    scale: float = 1.0
    tasks = ("regression",)
    scaling = "standard"
    def __call__(self, raw, target):
        return (self.scale * abs(raw - target) ** 3).mean(axis=1)
"""


def states(kind="loss"):
    return {c.full_id: c.state for c in plugins.list_components(kind) if c.state not in ("built in", "registered")}


def test_plugin_is_found_by_name_and_by_full_id(install):
    install("cubics", LOSS_SOURCE, losses="cubic = fake_cubics:Cubic")
    full_id, cls = registry.get("loss", "cubic")
    assert full_id == "cubics:cubic"
    assert cls.__module__ == "fake_cubics"
    assert registry.get("loss", "cubics:cubic") == (full_id, cls)
    assert "cubics:cubic" in registry.names("loss")
    assert skdeep.DeepRegressor(loss="cubic").set_params(loss__scale=2.0).loss == cls(scale=2.0)


def test_plugin_appears_after_a_miss(install):
    with pytest.raises(UnknownComponentError):
        registry.get("loss", "cubic")
    install("cubics", LOSS_SOURCE, losses="cubic = fake_cubics:Cubic")
    assert registry.get("loss", "cubic")[0] == "cubics:cubic"


def test_listing_imports_no_plugin(install):
    install("cubics", LOSS_SOURCE, losses="cubic = fake_cubics:Cubic")
    assert "cubics:cubic" in registry.names("loss")
    assert states()["cubics:cubic"] == "available"
    assert "fake_cubics" not in sys.modules


def test_loading_one_imports_no_other(install):
    install("cubics", LOSS_SOURCE, losses="cubic = fake_cubics:Cubic")
    install("others", "raise SystemExit", losses="other = fake_others:Other", optimizers="cubic = fake_others:Cubic")
    registry.get("loss", "cubic")
    assert "fake_others" not in sys.modules


@pytest.mark.parametrize("typed", ["my-cubics:cubic", "My_Cubics:cubic", "my.cubics:cubic"])
def test_distribution_names_are_normalised(install, typed):
    install("My_Cubics", LOSS_SOURCE, losses="cubic = fake_My_Cubics:Cubic")
    assert registry.get("loss", typed)[0] == "my-cubics:cubic"


def test_built_in_names_come_first(install):
    install("cubics", LOSS_SOURCE, losses="huber = fake_cubics:Cubic")
    assert registry.get("loss", "huber") == ("huber", Huber)
    assert registry.get("loss", "cubics:huber")[0] == "cubics:huber"


def test_registered_names_come_before_plugins(install):
    install("cubics", LOSS_SOURCE, losses="cubic = fake_cubics:Cubic")
    skdeep.register("loss", "cubic")(Huber)
    assert registry.get("loss", "cubic") == ("local:cubic", Huber)
    assert registry.get("loss", "cubics:cubic")[0] == "cubics:cubic"


def test_name_of_two_plugins_is_ambiguous(install):
    for name in ("second", "first"):
        install(name, LOSS_SOURCE, losses=f"cubic = fake_{name}:Cubic")
    message = "More than one package offers the loss 'cubic'. Name one of: first:cubic, second:cubic."
    with pytest.raises(AmbiguousComponentError, match=message):
        registry.get("loss", "cubic")
    assert registry.get("loss", "second:cubic")[1].__module__ == "fake_second"
    assert {"first:cubic", "second:cubic"} <= set(registry.names("loss"))


def test_policy_settles_an_ambiguity(install):
    for name in ("second", "first"):
        install(name, LOSS_SOURCE, losses=f"cubic = fake_{name}:Cubic")
    plugins.configure(deny=["first"])
    assert registry.get("loss", "cubic")[0] == "second:cubic"


def test_a_distribution_twice_on_the_path_counts_once_and_the_first_wins(install):
    install(
        "cubics", LOSS_SOURCE, version="1.0", folder="old", losses="cubic = fake_cubics:Cubic\ngone = fake_cubics:Gone"
    )
    install("cubics", LOSS_SOURCE, version="2.0", folder="new", losses="cubic = fake_cubics:Cubic")
    assert [(p.full_id, p.version) for p in discovery.offered("loss") if p.distribution == "cubics"] == [
        ("cubics:cubic", "2.0")
    ]
    assert registry.get("loss", "cubic")[0] == "cubics:cubic"
    with pytest.raises(UnknownComponentError, match="The package cubics 2.0 offers no loss 'gone'."):
        registry.get("loss", "cubics:gone")


@pytest.mark.parametrize(
    ("source", "value", "cause"),
    [
        ("import no_such_package", "fake_broken:Cubic", ModuleNotFoundError),
        ("raise SystemExit(3)", "fake_broken:Cubic", SystemExit),
        ("1 / 0", "fake_broken:Cubic", ZeroDivisionError),
        ("", "fake_broken:Cubic", AttributeError),
        ("", "fake_nowhere:Cubic", ModuleNotFoundError),
        ("def", "fake_broken:Cubic", SyntaxError),
    ],
    ids=["import", "exit", "exception", "no such class", "no such module", "syntax"],
)
def test_a_plugin_that_does_not_load_affects_only_its_users(install, source, value, cause):
    install("broken", source, losses=f"cubic = {value}")
    assert registry.get("loss", "huber") == ("huber", Huber)
    with pytest.raises(UnknownComponentError, match="Did you mean 'broken:cubic'?"):
        registry.get("loss", "cubix")
    message = rf"The loss 'broken:cubic' \(broken 1.0, {value}\) could not be loaded: {cause.__name__}: .*\. Update or uninstall broken; "
    with pytest.raises(PluginLoadError, match=message) as caught:
        registry.get("loss", "cubic")
    assert isinstance(caught.value.__cause__, cause)
    assert states()["broken:cubic"] == "broken"
    assert skdeep.DeepRegressor(loss="cubic").get_params()["loss"] == "cubic"


def test_a_repaired_plugin_works_without_a_restart(install):
    folder = install("broken", "import fake_missing", losses="cubic = fake_broken:Cubic")
    with pytest.raises(PluginLoadError):
        registry.get("loss", "cubic")
    (folder / "fake_missing.py").write_text("")
    (folder / "fake_broken.py").write_text(LOSS_SOURCE + "import fake_missing\n")
    discovery.scan()
    assert registry.get("loss", "cubic")[0] == "broken:cubic"
    assert states()["broken:cubic"] == "loaded"


CONTRACT = [
    ("Cubic = 3", "it is 3, neither a loss component nor a function."),
    ("def Cubic(raw): pass", "its signature is (raw), but as a loss of each row it is called with (raw, target)."),
    ("from skdeep.optimizers import Adam as Cubic", "Adam is an optimizer, not a loss."),
    ("import skdeep\nclass Cubic(skdeep.Loss): pass", "Cubic does not define __call__."),
    ("class Cubic: pass", "it is a class that is not a loss: subclass skdeep.Loss."),
    (
        LOSS_SOURCE.replace("= 1.0", ""),
        "the field 'scale' of Cubic has no default: a name alone must be enough, so give it one.",
    ),
]


@pytest.mark.parametrize(("source", "reason"), CONTRACT, ids=[reason[:30] for _, reason in CONTRACT])
def test_an_object_that_is_not_a_component_is_refused(install, source, reason):
    install("broken", source, losses="cubic = fake_broken:Cubic")
    with pytest.raises(PluginContractError) as caught:
        registry.get("loss", "cubic")
    assert str(caught.value) == (
        f"The loss 'broken:cubic' (broken 1.0, fake_broken:Cubic) cannot be used as a loss: {reason} "
        "Update broken, or tell its authors."
    )
    assert isinstance(caught.value, TypeError)


@pytest.mark.parametrize(
    "requires", [["skdeep-flax>=99"], ["numpy", "skdeep_flax (<0.1)"], ["skdeep.flax == 3.*; python_version > '3'"]]
)
def test_plugin_for_another_skdeep(install, requires):
    install("future", "1 / 0", requires=requires, losses="cubic = fake_future:Cubic")
    message = (
        rf"The loss 'future:cubic' \(future 1.0, fake_future:Cubic\) requires ['\"].*, but skdeep-flax {skdeep.__version__} is "
        "installed. Install a compatible version of future or of skdeep-flax."
    )
    assert states()["future:cubic"] == "incompatible"
    with pytest.raises(PluginIncompatibleError, match=message):
        registry.get("loss", "cubic")
    assert "fake_future" not in sys.modules


@pytest.mark.parametrize(
    "requires",
    [
        ["skdeep-flax>=0.1"],
        ["skdeep-flax"],
        ["skdeep-flax-extras>=99"],
        ["skdeep-flax>=99; python_version < '3'"],
        ["skdeep-flax>=99; extra == 'future'"],
        ["skdeep-flax of another spelling"],
    ],
)
def test_requirements_that_are_met(install, requires):
    install("cubics", LOSS_SOURCE, requires=requires, losses="cubic = fake_cubics:Cubic")
    assert registry.get("loss", "cubic")[0] == "cubics:cubic"


@pytest.mark.parametrize("api", [(2, 0), (1, 2), (0, 9)])
def test_plugin_for_an_unsupported_interface_is_refused(install, api):
    install("future", LOSS_SOURCE + f"    plugin_api = {api}\n", losses="cubic = fake_future:Cubic")
    with pytest.raises(PluginIncompatibleError) as caught:
        registry.get("loss", "cubic")
    assert str(caught.value) == (
        f"The loss 'future:cubic' (future 1.0, fake_future:Cubic) requires version {api} of the plugin interface, but "
        f"skdeep-flax {skdeep.__version__} has (1, 1). Update skdeep-flax, or install another version of future."
    )
    assert states()["future:cubic"] == "incompatible"


def test_plugin_whose_constructor_raises(install):
    source = LOSS_SOURCE + "    def __post_init__(self): raise OSError('no file')\n"
    install("broken", source, losses="cubic = fake_broken:Cubic")
    message = "cannot be used as a loss: its constructor, called without arguments, raises OSError: no file. Update broken, or tell its authors."
    with pytest.raises(PluginContractError, match=message):
        registry.get("loss", "cubic")
    assert skdeep.DeepRegressor(loss="cubic").get_params()["loss"] == "cubic"
    (report,) = plugins.check("broken")
    assert any(message in failure for failure in report.failures)


def test_an_entry_that_names_no_object(install):
    install("broken", losses="cubic = fake_broken.Cubic()")
    with pytest.raises(PluginContractError, match=r"fake_broken.Cubic\(\)\) is not of the form 'module:attribute'"):
        registry.get("loss", "cubic")


def test_no_package_has_the_names_of_this_process(install):
    install("local", LOSS_SOURCE, losses="cubic = fake_local:Cubic")
    with pytest.raises(UnknownComponentError, match="Register it in this process with"):
        registry.get("loss", "local:cubic")


def test_an_entry_twice_counts_once(install):
    install("twice", LOSS_SOURCE, losses="cubic = fake_twice:Cubic\ncubic = fake_twice:Cubic\na:b = fake_twice:Cubic")
    assert registry.get("loss", "cubic")[0] == "twice:cubic"
    assert registry.get("loss", "twice:a:b")[0] == "twice:a:b"


def test_finding_the_plugin_of_an_object_runs_no_code_of_other_plugins(install):
    """A module's `__getattr__` may import, which fails here."""
    install("lazy", "def __getattr__(name): raise ImportError('asked for ' + name)", losses="lazy = fake_lazy:Lazy")
    install("mine", LOSS_SOURCE)
    import fake_lazy  # noqa: F401
    import fake_mine

    assert registry.id_of("loss", fake_mine.Cubic) is None


def test_an_object_that_a_plugin_re_exports_is_not_its_own(install):
    install("handing", "from optax import adabelief", optimizers="belief = fake_handing:adabelief")
    from skdeep.pickling import origin_of

    assert origin_of(registry.get("optimizer", "belief")[1]) is None


@pytest.mark.parametrize("api", [(1, 0), (1, 1)])
def test_plugin_for_a_supported_interface_is_loaded(install, api):
    install("present", LOSS_SOURCE + f"    plugin_api = {api}\n", losses="cubic = fake_present:Cubic")
    assert registry.get("loss", "cubic")[0] == "present:cubic"


@pytest.mark.parametrize("api", ["'1.0'", "1.0", "(1,)"])
def test_plugin_with_an_invalid_interface_version_is_refused(install, api):
    install("odd", LOSS_SOURCE + f"    plugin_api = {api}\n", losses="cubic = fake_odd:Cubic")
    with pytest.raises(
        PluginContractError, match="has plugin_api = .*, which must be a pair of ints such as .*Update odd"
    ):
        registry.get("loss", "cubic")


@pytest.mark.parametrize(
    ("allow", "deny", "allowed"),
    [
        (None, None, True),
        ("all", "", True),
        ("ALL", "", True),
        ("none", "", False),
        ("my-cubics", "", True),
        ("My_Cubics, other", "", True),
        ("other", "", False),
        ("my-*", "", True),
        ("all", "my-cubics", False),
        ("my-cubics", "MY.*", False),
        ("all", "other", True),
        ("all,other", "", True),
        ("all", "other my-cubics", False),
        ("all", "all", False),
    ],
)
def test_policy(install, monkeypatch, allow, deny, allowed):
    install("my-cubics", LOSS_SOURCE, losses="cubic = fake_my_cubics:Cubic")
    for variable, value in ((policy.ALLOW_VARIABLE, allow), (policy.DENY_VARIABLE, deny)):
        if value is not None:
            monkeypatch.setenv(variable, value)
    assert (states()["my-cubics:cubic"] == "available") is allowed
    assert ("my-cubics:cubic" in registry.names("loss")) is allowed
    for name in ("cubic", "my-cubics:cubic"):
        if allowed:
            assert registry.get("loss", name)[0] == "my-cubics:cubic"
        else:
            message = (
                r"The loss 'my-cubics:cubic' \(my-cubics 1.0, .*\) is blocked by SKDEEP_PLUGINS.*. Change the variable"
            )
            with pytest.raises(PluginBlockedError, match=message):
                registry.get("loss", name)
            assert "fake_my_cubics" not in sys.modules


@pytest.mark.parametrize("deny", ["my-cubics:cubic", "my-cubics==1.0", "my/cubics"])
def test_a_policy_that_names_no_package_is_an_error(install, monkeypatch, deny):
    """A typing error must neither block nor allow a package."""
    install("my-cubics", LOSS_SOURCE, losses="cubic = fake_my_cubics:Cubic")
    message = "SKDEEP_PLUGINS_DENY must hold names of packages, such as .*, or 'all' or 'none'. Got "
    with pytest.raises(ValueError, match=message):
        plugins.configure(deny=deny)
    monkeypatch.setenv(policy.DENY_VARIABLE, deny)
    with pytest.raises(ValueError, match=message):
        registry.get("loss", "cubic")
    assert "fake_my_cubics" not in sys.modules


def test_a_package_denied_after_loading_is_blocked(install):
    install("cubics", LOSS_SOURCE, losses="cubic = fake_cubics:Cubic")
    registry.get("loss", "cubic")
    plugins.configure(deny="cubics")
    with pytest.raises(PluginBlockedError, match="is blocked by SKDEEP_PLUGINS_DENY='cubics'. Change"):
        registry.get("loss", "cubic")


def test_workers_inherit_the_policy(install):
    folder = install("cubics", LOSS_SOURCE, losses="cubic = fake_cubics:Cubic")
    plugins.configure(allow="none")
    script = "from skdeep import registry; registry.get('loss', 'cubic')"
    child = subprocess.run([sys.executable, "-c", script], cwd=folder, capture_output=True, text=True, timeout=120)
    assert "PluginBlockedError" in child.stderr


def test_a_plugin_that_uses_skdeep_while_it_is_imported(install):
    source = LOSS_SOURCE + "\nfrom skdeep import registry\nADAM = registry.get('optimizer', 'adam')[1]\n"
    source += "NAMES = registry.names('loss')\nmodel = skdeep.DeepRegressor(loss='huber').get_params()\n"
    install("eager", source, losses="cubic = fake_eager:Cubic")
    assert registry.get("loss", "cubic")[0] == "eager:cubic"
    assert sys.modules["fake_eager"].ADAM.__name__ == "Adam"


def test_a_plugin_that_asks_for_another_plugin_while_it_is_imported(install):
    install("cubics", LOSS_SOURCE, losses="cubic = fake_cubics:Cubic")
    source = "from skdeep import registry\nclass Quick(registry.get('loss', 'cubic')[1]):\n    speed: float = 2.0\n"
    install("dependent", source, losses="quick = fake_dependent:Quick")
    assert registry.get("loss", "quick")[1]().get_params() == {"scale": 1.0, "speed": 2.0}


def test_two_threads_race_the_first_load(install):
    source = (
        "import time\ntime.sleep(0.2)\n"
        + LOSS_SOURCE
        + "\nimport builtins\nbuiltins.n_loads = getattr(builtins, 'n_loads', 0) + 1\n"
    )
    install("slow", source, losses="cubic = fake_slow:Cubic")
    found, barrier = [], threading.Barrier(2)

    def ask():
        barrier.wait()
        found.append(registry.get("loss", "cubic"))

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    import builtins

    assert found[0] == found[1]
    assert found[0][1] is sys.modules["fake_slow"].Cubic
    assert vars(builtins).pop("n_loads") == 1


def test_unreadable_metadata_affects_no_other_package(install):
    install("cubics", LOSS_SOURCE, losses="cubic = fake_cubics:Cubic")
    install("garbled", "", losses="no entry point at all")
    assert registry.get("loss", "cubic")[0] == "cubics:cubic"
    problems = plugins.unreadable_packages()
    assert list(problems) == ["garbled"]


@pytest.mark.parametrize("path", ["fake_cubics:Cubic", "fake_cubics.Cubic", "os:system"])
def test_nothing_is_loaded_from_a_dotted_path(install, path):
    install("cubics", LOSS_SOURCE, losses="cubic = fake_cubics:Cubic")
    with pytest.raises(UnknownComponentError):
        registry.get("loss", path)
    assert "fake_cubics" not in sys.modules


def test_known_plugins_are_named_where_they_are_missing(monkeypatch):
    monkeypatch.setattr(discovery, "_distributions", dict)
    with pytest.raises(UnknownComponentError, match="The package skdeep-robust, which is not installed, offers it."):
        registry.get("loss", "tweedie")


def test_every_error_is_a_component_error(install):
    install("broken", "1 / 0", losses="cubic = fake_broken:Cubic")
    for name in ("cubic", "no-such-name"):
        with pytest.raises(ComponentError):
            registry.get("loss", name)


def test_an_object_has_the_full_id_of_its_plugin(install):
    folder = install("cubics", LOSS_SOURCE, losses="cubic = fake_cubics:Cubic")
    assert folder.name == "cubics"
    import fake_cubics

    assert registry.id_of("loss", fake_cubics.Cubic) == "cubics:cubic"
    assert registry.id_of("optimizer", fake_cubics.Cubic) is None


ORDER = """
import json
from skdeep import errors, plugins, registry
try:
    registry.get("loss", "cubic")
except errors.AmbiguousComponentError as err:
    message = str(err)
print(json.dumps([message, [c.full_id for c in plugins.list_components("loss")]]))
"""


def test_results_depend_neither_on_hashes_nor_on_the_order_of_the_path(install, monkeypatch):
    folders = [str(install(name, LOSS_SOURCE, losses=f"cubic = fake_{name}:Cubic")) for name in "dacb"]
    answers = set()
    for seed in range(8):
        folders = [*folders[1:], folders[0]]
        monkeypatch.setenv("PYTHONHASHSEED", str(seed))
        monkeypatch.setenv("PYTHONPATH", ":".join(folders))
        answers.add(subprocess.check_output([sys.executable, "-c", ORDER], text=True, timeout=120))
    assert len(answers) == 1
    message, listed = json.loads(answers.pop())
    assert message.endswith("Name one of: a:cubic, b:cubic, c:cubic, d:cubic.")
    assert [full_id for full_id in listed if full_id.endswith(":cubic")] == ["a:cubic", "b:cubic", "c:cubic", "d:cubic"]


def test_importing_scans_nothing():
    script = (
        "from importlib import metadata\n"
        "def refuse(*args, **kwargs): raise AssertionError('scanned')\n"
        "metadata.distributions = metadata.entry_points = refuse\n"
        "import skdeep\nimport skdeep.registry\nfrom skdeep import DeepClassifier\n"
        "from skdeep import registry; registry.get('optimizer', 'adam')\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120)


def test_listing_needs_neither_jax_nor_scikit_learn():
    script = "import sys; from skdeep import plugins; plugins.list_components(); print({'jax', 'sklearn'} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", script], text=True, timeout=120).strip() == "set()"
