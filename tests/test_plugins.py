"""`skdeep.plugins`: list, describe, check and configure, and the commands `skdeep plugins` and `skdeep describe`."""

from __future__ import annotations

import functools
import json
import re
import signal
import subprocess
import sys

import flax.linen as nn
import jax.numpy as jnp
import optax
import pytest

import skdeep
import skdeep.testing
from skdeep import discovery, plugins, registry
from skdeep.__main__ import main
from skdeep.errors import PluginLoadError, UnknownComponentError

pytestmark = pytest.mark.usefixtures("fresh_registry")

GOOD = '''
import jax.numpy as jnp
import skdeep

class Cubic(skdeep.Loss):
    """Cubes.

    Of residuals.
    """
    scale: float = 1.0
    power: int = 3
    tasks = ("regression",)
    scaling = "standard"
    def __call__(self, raw, target):
        return (self.scale * jnp.abs(raw - target) ** self.power).mean(axis=1)
'''
# The mean over rows, so that weights have no effect.
BAD = GOOD.replace("axis=1", "").replace("Cubic", "Bad")


@pytest.fixture
def only_fakes(monkeypatch):
    """Hide the plugins of installed packages."""
    find = discovery._distributions
    installed = set(find())

    def find_fakes():
        return {name: found for name, found in find().items() if name not in installed}

    monkeypatch.setattr(discovery, "_distributions", find_fakes)


def test_list_components(install):
    install("acme-fakes", GOOD, requires=["skdeep-flax>=0.1"], losses="cubic = fake_acme_fakes:Cubic")
    install("late", GOOD, requires=["skdeep-flax>=9"], losses="cubic = fake_late:Cubic")
    skdeep.register("loss", "mine")(lambda raw, target: 0.0)
    listed = {c.full_id: c for c in plugins.list_components("loss")}
    assert listed["huber"][2:7] == ("huber", "skdeep-flax", skdeep.__version__, "skdeep.losses:Huber", "built in")
    assert listed["local:mine"][2:7] == ("local:mine", "", "", "", "registered")
    assert listed["acme-fakes:cubic"][2:] == (
        "acme-fakes:cubic",
        "acme-fakes",
        "1.0",
        "fake_acme_fakes:Cubic",
        "available",
        None,
    )
    assert listed["late:cubic"].state == "incompatible"
    assert "requires 'skdeep-flax>=9'" in listed["late:cubic"].problem
    registry.get("loss", "acme-fakes:cubic")
    assert {c.full_id: c.state for c in plugins.list_components("loss")}["acme-fakes:cubic"] == "loaded"


def test_listing_follows_the_kinds():
    listed = plugins.list_components()
    assert list(dict.fromkeys(c.kind for c in listed)) == [*registry.GROUPS]
    with pytest.raises(ValueError, match="The kind must be one of .* Got 'losses' instead."):
        plugins.list_components("losses")


def test_refresh_forgets_and_finds_again(install):
    install("acme-fakes", "1 / 0", losses="cubic = fake_acme_fakes:Cubic")
    with pytest.raises(PluginLoadError):
        registry.get("loss", "cubic")
    plugins.refresh()
    assert {c.full_id: c.state for c in plugins.list_components("loss")}["acme-fakes:cubic"] == "available"


def test_describe_a_plugin(install):
    folder = install("acme-fakes", GOOD, losses="cubic = fake_acme_fakes:Cubic")
    info = folder / "acme_fakes-1.0.dist-info" / "METADATA"
    info.write_text(
        info.read_text()
        + "Project-URL: Bug Tracker, https://acme.test/bugs\nProject-URL: Home-page, https://acme.test\n"
    )
    described = plugins.describe("loss", "cubic")
    assert described.full_id == "acme-fakes:cubic"
    assert described.signature == "Cubic(scale=1.0, power=3)"
    assert [tuple(field) for field in described.fields] == [
        ("scale", "float", "1.0", True),
        ("power", "int", "3", False),
    ]
    assert described.doc == "Cubes.\n\nOf residuals."
    assert (described.package, described.version, described.home_page) == ("acme-fakes", "1.0", "https://acme.test")
    assert described.place == "fake_acme_fakes:Cubic"


def half(progress):
    """Return a half."""
    return 0.5


class Scale(nn.Module):
    factor: float = 2.0

    @nn.compact
    def __call__(self, x):
        return x * self.factor


def test_describe_a_registered_component():
    skdeep.register("schedule", "half")(half)
    described = plugins.describe("schedule", "half")
    assert described.signature == "half(progress)"
    assert (described.package, described.fields, described.doc) == ("", (), "Return a half.")
    assert described.place == f"{__name__}:half"
    skdeep.register("layer", "scale")(Scale)
    assert [tuple(field) for field in plugins.describe("layer", "scale").fields] == [("factor", "float", "2.0", False)]
    skdeep.register("loss", "wide")(registry.get("loss", "huber")[1](delta=3.0))
    assert plugins.describe("loss", "wide").signature == "Huber(delta=3.0)"


@pytest.mark.parametrize("kind", registry.GROUPS)
def test_every_built_in_component_is_described(kind):
    for name in registry.builtin_names(kind):
        described = plugins.describe(kind, name)
        assert described.doc
        assert described.signature.startswith(described.place.rpartition(":")[2])


@pytest.mark.usefixtures("only_fakes")
def test_check_finds_failures(install):
    install("acme-fakes", GOOD, requires=["skdeep-flax>=0.1,<0.2"], losses="cubic = fake_acme_fakes:Cubic")
    install("bad", BAD, requires=["skdeep-flax>=0.1,<0.2"], losses="bad = fake_bad:Bad")
    install("broken", "1 / 0", requires=["skdeep-flax>=0.1,<0.2"], losses="cubic = fake_broken:Cubic")
    install("careless", GOOD, losses="cubic = fake_careless:Cubic")
    install("kept-out", "1 / 0", losses="cubic = fake_kept_out:Cubic")
    plugins.configure(deny="kept-out")
    reports = {report.package: report for report in plugins.check()}
    assert list(reports) == ["acme-fakes", "bad", "broken", "careless", "kept-out"]
    assert (reports["acme-fakes"].failures, reports["acme-fakes"].state) == ((), "loaded")
    assert reports["acme-fakes"].n_passed > 10
    assert any("return one finite float per row" in failure for failure in reports["bad"].failures)
    assert "ZeroDivisionError" in reports["broken"].failures[0]
    assert "careless 1.0 does not require skdeep-flax." in reports["careless"].failures[0]
    assert (reports["kept-out"].state, reports["kept-out"].n_passed) == ("blocked", 0)
    assert [report.package for report in plugins.check("Acme.Fakes")] == ["acme-fakes"]


@pytest.mark.parametrize(
    ("arguments", "variables"),
    [
        ({"allow": "none"}, ("none", None)),
        ({"allow": ["a", "b-*"], "deny": ("c",)}, ("a,b-*", "c")),
        ({"allow": []}, ("none", None)),
        ({"deny": []}, (None, "")),
    ],
)
def test_configure(monkeypatch, arguments, variables):
    environment = {}
    monkeypatch.setattr("os.environ", environment)
    plugins.configure(**arguments)
    assert (environment.get("SKDEEP_PLUGINS"), environment.get("SKDEEP_PLUGINS_DENY")) == variables


@pytest.mark.usefixtures("only_fakes")
def test_list_command(install, capsys):
    install("acme-fakes", GOOD, losses="cubic = fake_acme_fakes:Cubic\nquartic = fake_acme_fakes:Cubic")
    install("late", GOOD, requires=["skdeep-flax>=9"], losses="cubic = fake_late:Cubic\nother = fake_late:Cubic")
    skdeep.register("loss", "mine")(lambda raw, target: jnp.zeros(len(raw)))
    assert main(["plugins", "list", "loss"]) == 0
    out = capsys.readouterr().out
    assert "  acme-fakes 1.0           cubic, quartic\n" in out
    assert "  late 1.0 (incompatible)  cubic, other\n" in out
    assert "  registered               mine\n" in out
    assert out.count("requires 'skdeep-flax>=9'") == 1
    assert main(["plugins"]) == 0
    names = ", ".join(sorted(registry.builtin_names("augmentation")))
    assert f"augmentations\n  built in  {names}\n" in capsys.readouterr().out
    assert main(["plugins", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["components"]


def test_list_command_as_json(install, capsys):
    install("acme-fakes", GOOD, losses="cubic = fake_acme_fakes:Cubic")
    install("garbled", "", losses="no entry point at all")
    assert main(["plugins", "list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert list(listed["unreadable_packages"]) == ["garbled"]
    assert {c["full_id"]: c["state"] for c in listed["components"]}["acme-fakes:cubic"] == "available"


def test_describe_command(capsys):
    assert main(["plugins", "describe", "loss", "focal"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("loss focal\n\n  signature   Focal(gamma=2.0)\n  package     skdeep-flax ")
    assert "  gamma  float  = 2.0  traced: a new number needs no compile\n" in out
    assert "Focusing parameter, at least 0." in out
    assert main(["plugins", "describe", "loss", "focal", "--json"]) == 0
    described = json.loads(capsys.readouterr().out)
    assert described["fields"] == [{"name": "gamma", "type": "float", "default": "2.0", "is_traced": True}]


@pytest.mark.parametrize("value", [functools.partial(optax.adamw, b1=0.8), optax.sgd])
def test_describe_command_for_functions_of_all_sorts(capsys, value):
    skdeep.register("optimizer", "mine")(value)
    assert main(["plugins", "describe", "optimizer", "mine"]) == 0
    assert "learning_rate" in capsys.readouterr().out


def test_describe_command_for_an_unknown_name(capsys):
    assert main(["plugins", "describe", "loss", "focle"]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("Unknown loss 'focle'. Did you mean 'focal'?")
    with pytest.raises(UnknownComponentError):
        plugins.describe("loss", "focle")


@pytest.mark.usefixtures("only_fakes")
def test_check_command(install, capsys):
    assert main(["plugins", "check"]) == 0
    assert capsys.readouterr().out == "No plugin is installed.\n"
    install("acme-fakes", GOOD, requires=["skdeep-flax>=0.1,<0.2"], losses="cubic = fake_acme_fakes:Cubic")
    assert main(["plugins", "check"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("passed   loss       acme-fakes:cubic  1.0      ")
    assert out.endswith("1 components of 1 packages, 0 failed\n")
    install("broken", "1 / 0", requires=["skdeep-flax>=0.1,<0.2"], losses="cubic = fake_broken:Cubic")
    assert main(["plugins", "check", "broken"]) == 1
    out = capsys.readouterr().out
    assert out.startswith("FAILED   loss       broken:cubic  1.0      1 of 2 checks\n")
    assert "What to change: correct the module, so that it can be imported" in out
    assert main(["plugins", "check", "broken", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)[0]["n_passed"] == 1


ADVICE = {
    "an error": ("1 / 0", "correct the module, so that it can be imported"),
    "a missing package": (
        "import no_such_package",
        "add the package that contains 'no_such_package' to the project's dependencies",
    ),
    "a missing name": ("", "write an entry point 'module:attribute' whose attribute the module defines"),
    "another kind": ("Cubic = 3", "let the entry point name a component class"),
    "a class that is wrong": (
        GOOD.replace('scaling = "standard"', 'scaling = "standardize"'),
        "correct the module, so that it can be imported",
    ),
}


@pytest.mark.usefixtures("only_fakes")
@pytest.mark.parametrize("case", ADVICE.values(), ids=ADVICE.keys())
def test_each_error_of_loading_has_its_own_cure(install, case):
    source, advice = case
    install("acme-fakes", source, requires=["skdeep-flax>=0.1,<0.2"], losses="cubic = fake_acme_fakes:Cubic")
    (report,) = plugins.check("acme-fakes")
    assert f"What to change: {advice}" in report.failures[0]


@pytest.mark.usefixtures("only_fakes")
def test_check_command_if_all_plugins_are_blocked(install, capsys):
    install("acme-fakes", GOOD, requires=["skdeep-flax>=0.1,<0.2"], losses="cubic = fake_acme_fakes:Cubic")
    install("kept-out", "1 / 0", losses="cubic = fake_kept_out:Cubic")
    plugins.configure(deny="kept-out")
    assert main(["plugins", "check", "kept-out"]) == 1
    last = "1 components of 1 packages, 0 failed, 1 blocked by SKDEEP_PLUGINS or SKDEEP_PLUGINS_DENY\nNothing was checked.\n"
    assert capsys.readouterr().out.endswith(last)
    assert main(["plugins", "check"]) == 0
    assert "2 components of 2 packages, 0 failed, 1 blocked" in capsys.readouterr().out
    plugins.configure(allow="none")
    assert main(["plugins", "check"]) == 1


@pytest.mark.usefixtures("only_fakes")
def test_a_group_that_does_not_exist_is_reported(install, capsys):
    install("acme-fakes", GOOD, lossess="cubic = fake_acme_fakes:Cubic")
    message = "acme-fakes 1.0 offers 'cubic' in the group 'skdeep.lossess' of entry points, which does not exist. "
    message += "Did you mean 'skdeep.losses'?"
    with pytest.raises(UnknownComponentError, match=re.escape(message)):
        registry.get("loss", "cubic")
    assert plugins.list_components("loss")
    assert plugins.unknown_groups() == [message]
    for arguments in (["acme-fakes"], []):
        assert main(["plugins", "check", *arguments]) == 1
        out = capsys.readouterr().out
        assert out.startswith("FAILED   group      acme-fakes:skdeep.lossess")
        assert message in " ".join(out.split())
    assert main(["plugins"]) == 0
    assert message in " ".join(capsys.readouterr().out.split())
    with pytest.raises(UnknownComponentError, match="Did you mean 'skdeep.losses'"):
        skdeep.testing.check_distribution("acme-fakes")


def test_describe_beside_plugins_describe(capsys):
    assert main(["plugins", "describe", "loss", "focal"]) == 0
    expected = capsys.readouterr().out
    assert main(["describe", "loss", "focal"]) == 0
    assert capsys.readouterr().out == expected
    assert main(["describe", "loss", "focal", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["full_id"] == "focal"


def test_a_reader_that_closes_the_pipe_early():
    """As in `skdeep plugins list | head -1`: the exit status is that of a process that SIGPIPE ended."""
    command = [sys.executable, "-m", "skdeep", "plugins", "list"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 128 + signal.SIGPIPE


def test_check_command_for_a_package_that_is_not_installed(capsys):
    assert main(["plugins", "check", "no-such-package"]) == 1
    assert "No installed package 'no-such-package' offers components." in capsys.readouterr().err
