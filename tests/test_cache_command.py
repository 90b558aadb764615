"""The commands `skdeep cache info` and `skdeep cache clear`."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from skdeep.__main__ import main
from skdeep.compile_cache import VARIABLE


@pytest.fixture
def folder(tmp_path, monkeypatch):
    folder = tmp_path / "programs"
    folder.mkdir(mode=0o700)
    for name in "ab":
        (folder / f"{name}.program").write_bytes(bytes(600))
    monkeypatch.setenv(VARIABLE, str(folder))
    return folder


def test_info(folder, capsys):
    assert main(["cache", "info"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == [f"folder   {folder}", "state    on", "entries  2"]
    assert lines[3] == "bytes    1,200 of at most 536,870,912"


def test_info_as_json(folder, capsys):
    assert main(["cache", "info", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["folder"], found["on"], found["entries"], found["bytes"]) == (str(folder), True, 2, 1200)


def test_info_when_off(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv(VARIABLE, "0")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert main(["cache", "info"]) == 0
    out = capsys.readouterr().out
    assert "state    off (set SKDEEP_COMPILE_CACHE=1 to use it)\nentries  0\n" in out
    assert not (tmp_path / "skdeep").exists()


def test_info_of_an_unusable_folder(folder, capsys):
    folder.chmod(0o755)
    assert main(["cache", "info"]) == 0
    out = capsys.readouterr().out
    assert "state    off\n" in out
    assert "has mode 0755" in out


def test_clear(folder, capsys):
    (folder / "notes.txt").write_bytes(b"x")
    assert main(["cache", "clear"]) == 0
    assert capsys.readouterr().out == f"Removed 2 entries from {folder}.\n"
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]


def test_unfinished_files(folder, capsys):
    (folder / ".skdeep-0.part").write_bytes(bytes(300))
    assert main(["cache", "info", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["entries"], found["bytes"]) == (2, 1500)
    assert main(["cache", "clear"]) == 0
    assert capsys.readouterr().out == f"Removed 2 entries from {folder}.\n"
    assert list(folder.iterdir()) == []


def test_clear_refuses_a_folder_that_others_may_replace(folder, capsys):
    folder.parent.chmod(0o777)
    assert main(["cache", "clear"]) == 1
    assert "which other users can write (mode 0777)" in capsys.readouterr().err
    assert len(list(folder.iterdir())) == 2


def test_clear_refuses_an_unusable_folder(folder, capsys):
    folder.chmod(0o755)
    assert main(["cache", "clear"]) == 1
    assert "has mode 0755" in capsys.readouterr().err
    assert len(list(folder.iterdir())) == 2


def test_the_command_does_not_import_jax():
    script = "import sys; from skdeep.__main__ import main; main(['cache', 'info']); assert 'jax' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True, timeout=300, stdout=subprocess.DEVNULL)
