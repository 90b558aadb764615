"""The folder of compiled programs: private, owned by the user, and bounded."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from skdeep import program_folder
from skdeep.program_folder import (
    check_private,
    default_folder,
    made_private,
    remove_all,
    remove_surplus,
    stored_files,
    unfinished_files,
)


def test_a_new_folder_and_its_new_parents_are_private(tmp_path):
    folder = tmp_path / "a" / "b"
    before = os.umask(0)
    try:
        assert made_private(folder) == folder
    finally:
        os.umask(before)
    assert [path.stat().st_mode & 0o777 for path in (folder, folder.parent)] == [0o700, 0o700]
    assert made_private(folder) == folder


@pytest.mark.parametrize("mode", [0o701, 0o710, 0o720, 0o750, 0o755, 0o770, 0o777])
def test_a_wider_mode_is_refused(tmp_path, mode):
    folder = tmp_path / "wide"
    folder.mkdir()
    folder.chmod(mode)
    with pytest.raises(PermissionError, match=f"has mode {mode:04o}. Run `chmod 700`"):
        made_private(folder)
    assert folder.stat().st_mode & 0o777 == mode


def test_a_link_is_refused(tmp_path):
    (tmp_path / "folder").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(tmp_path / "folder")
    with pytest.raises(NotADirectoryError, match="is a symbolic link"):
        made_private(tmp_path / "link")
    (tmp_path / "dangling").symlink_to(tmp_path / "nothing")
    with pytest.raises(NotADirectoryError, match="is a symbolic link"):
        made_private(tmp_path / "dangling")
    assert not (tmp_path / "nothing").exists()


def test_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(NotADirectoryError, match="is not a folder"):
        made_private(tmp_path / "file")


def test_a_folder_of_another_user_is_refused(tmp_path, monkeypatch):
    folder = made_private(tmp_path / "own")
    found = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: found + 1)
    with pytest.raises(PermissionError, match=f"belongs to the user with id {found}, not {found + 1}"):
        check_private(folder)


def test_a_folder_with_the_setgid_bit_of_its_parent(tmp_path):
    (tmp_path / "parent").mkdir(mode=0o755)
    (tmp_path / "parent").chmod(0o2755)
    folder = made_private(tmp_path / "parent" / "programs")
    folder.chmod(0o2700)
    assert folder.stat().st_mode & 0o7777 == 0o2700
    assert made_private(folder) == folder


@pytest.mark.parametrize("is_there", [True, False])
def test_a_parent_that_others_can_write_is_refused(tmp_path, is_there):
    parent = tmp_path / "open"
    parent.mkdir()
    folder = parent / "inside" / "programs"
    if is_there:
        made_private(folder)
    parent.chmod(0o777)
    with pytest.raises(
        PermissionError, match=f"is below '{parent}', which other users can write .mode 0777.*chmod go-w"
    ):
        made_private(folder)
    assert folder.exists() == is_there  # nothing is made where it would be refused


def test_the_default_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_folder() == tmp_path / "skdeep" / "programs"
    for unusable in ("", "relative"):
        monkeypatch.setenv("XDG_CACHE_HOME", unusable)
        assert default_folder() == Path.home() / ".cache" / "skdeep" / "programs"


def filled(folder, uses):
    """Write files of 10 bytes with these times of use."""
    for name, used in uses.items():
        (folder / f"{name}.program").write_bytes(bytes(10))
        os.utime(folder / f"{name}.program", (used, used))
    (folder / "notes.txt").write_bytes(bytes(100))
    return folder


def names(folder):
    return [file.path.stem for file in stored_files(folder)]


def test_the_least_recently_used_are_removed(tmp_path):
    folder = filled(tmp_path, {"b": 2, "a": 1, "d": 4, "c": 3})
    assert names(folder) == ["a", "b", "c", "d"]
    for limit, left in ((40, "abcd"), (39, "bcd"), (20, "cd"), (0, "")):
        remove_surplus(folder, limit)
        assert "".join(names(folder)) == left
    assert (folder / "notes.txt").exists()


def left_by_a_killed_writer(folder, age_seconds):
    part = folder / f".skdeep-{age_seconds}.part"
    part.write_bytes(bytes(10))
    used = time.time() - age_seconds
    os.utime(part, (used, used))
    return part


def test_files_of_killed_writers_are_removed(tmp_path):
    folder = filled(tmp_path, {"a": 1})
    old, new = left_by_a_killed_writer(folder, 100), left_by_a_killed_writer(folder, 1)
    assert [file.path for file in unfinished_files(folder)] == [old, new]
    remove_surplus(folder)
    assert (old.exists(), new.exists()) == (False, True)
    assert names(folder) == ["a"]


def test_files_that_are_written_now_count_against_the_bound(tmp_path):
    folder = filled(tmp_path, {"a": 1, "b": 2})
    new = left_by_a_killed_writer(folder, 1)
    remove_surplus(folder, 30)
    assert names(folder) == ["a", "b"]
    remove_surplus(folder, 29)
    assert names(folder) == ["b"]
    remove_surplus(folder, 0)
    assert names(folder) == []
    assert new.exists()


def test_a_killed_writer_leaves_a_file_that_is_removed(tmp_path, monkeypatch):
    """Of a real process, which dies before it gives the file its name."""
    script = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom skdeep.core.disk.entries import write_entry\n"
        "os.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\nwrite_entry(Path(sys.argv[1]), 'a' * 64, bytes(1000))"
    )
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], timeout=600, check=False)
    assert done.returncode == -signal.SIGKILL
    (part,) = unfinished_files(tmp_path)
    assert part.n_bytes > 1000
    monkeypatch.setattr(program_folder, "UNFINISHED_SECONDS", 0.0)
    remove_surplus(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_remove_all(tmp_path):
    folder = filled(tmp_path, {"a": 1, "b": 2})
    parts = [left_by_a_killed_writer(folder, age) for age in (1, 100)]
    assert remove_all(folder) == 2
    assert not any(part.exists() for part in parts)
    assert names(tmp_path) == []
    assert (tmp_path / "notes.txt").exists()
    assert remove_all(tmp_path / "missing") == 0
