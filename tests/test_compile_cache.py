"""Compiled programs on disk are off by default, and switched on by a function or by an environment variable."""

from __future__ import annotations

import os
import warnings

import pytest

import skdeep
from skdeep import compile_cache
from skdeep.__main__ import main
from skdeep.compile_cache import VARIABLE, active_folder, chosen_folder
from skdeep.program_folder import default_folder


@pytest.fixture(autouse=True)
def switched_off(monkeypatch, tmp_path):
    monkeypatch.setenv(VARIABLE, "")  # recorded by monkeypatch, which then undoes changes by `enable_compile_cache`
    monkeypatch.delenv(VARIABLE)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setattr(compile_cache, "_warned", set())


def test_off_by_default():
    assert chosen_folder() is None
    assert active_folder() is None
    assert not default_folder().exists()


@pytest.mark.parametrize("value", ["", " ", "0", "false", "No", "OFF"])
def test_values_that_switch_off(monkeypatch, value):
    monkeypatch.setenv(VARIABLE, value)
    assert active_folder() is None


@pytest.mark.parametrize("value", ["1", "true", "Yes", "ON"])
def test_values_for_the_default_folder(monkeypatch, value):
    monkeypatch.setenv(VARIABLE, value)
    assert active_folder() == default_folder()
    assert default_folder().is_dir()


def test_other_values_are_folders(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv(VARIABLE, "~/programs")
    assert active_folder() == tmp_path / "programs"


def test_enable_and_disable(tmp_path):
    assert skdeep.enable_compile_cache(tmp_path / "a") == tmp_path / "a"
    assert active_folder() == tmp_path / "a"
    assert os.environ[VARIABLE] == str(tmp_path / "a")  # for workers
    assert skdeep.enable_compile_cache() == default_folder()
    skdeep.disable_compile_cache()
    assert active_folder() is None


def test_a_relative_folder_stays_where_it_was(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    skdeep.enable_compile_cache("a")
    monkeypatch.chdir("/")
    assert active_folder() == tmp_path / "a"


def test_enable_raises_for_a_folder_that_others_can_write(tmp_path):
    (tmp_path / "wide").mkdir()
    (tmp_path / "wide").chmod(0o777)
    with pytest.raises(PermissionError, match="mode 0777"):
        skdeep.enable_compile_cache(tmp_path / "wide")
    assert VARIABLE not in os.environ


def test_the_variable_with_an_unusable_folder_warns_once(tmp_path, monkeypatch):
    (tmp_path / "wide").mkdir()
    (tmp_path / "wide").chmod(0o777)
    monkeypatch.setenv(VARIABLE, str(tmp_path / "wide"))
    with pytest.warns(RuntimeWarning, match="SKDEEP_COMPILE_CACHE has no effect: .* mode 0777"):
        assert active_folder() is None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert active_folder() is None


@pytest.fixture
def without_home(monkeypatch):
    def fail(_):
        raise KeyError

    for name in ("HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", fail)


def test_a_user_without_a_home(without_home, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        FileNotFoundError, match="there is no home for '~'.*Give an absolute path, or set HOME or XDG_CACHE_HOME"
    ):
        skdeep.enable_compile_cache()
    for value in ("1", "~/programs"):
        monkeypatch.setenv(VARIABLE, value)
        monkeypatch.setattr(compile_cache, "_warned", set())
        with pytest.warns(RuntimeWarning, match="SKDEEP_COMPILE_CACHE has no effect: .* there is no home"):
            assert active_folder() is None
    assert list(tmp_path.iterdir()) == []  # no folder with the name "~"
    assert skdeep.enable_compile_cache(tmp_path / "given") == tmp_path / "given"


def test_commands_for_a_user_without_a_home(without_home, capsys):
    for command in ("info", "clear"):
        assert main(["cache", command]) == 1
        assert "there is no home for '~'" in capsys.readouterr().err


def test_a_parent_that_others_can_write(monkeypatch, tmp_path):
    tmp_path.chmod(0o777)
    with pytest.raises(PermissionError, match="which other users can write"):
        skdeep.enable_compile_cache(tmp_path / "a")
    monkeypatch.setenv(VARIABLE, str(tmp_path / "a"))
    with pytest.warns(RuntimeWarning, match="has no effect: No other user may be able to replace"):
        assert active_folder() is None
