"""The folder of compiled programs: private, owned by the user, and bounded."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from skdeep.program_folder import check_private, default_folder, made_private, remove_all, remove_surplus, stored_files


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


def test_remove_all(tmp_path):
    assert remove_all(filled(tmp_path, {"a": 1, "b": 2})) == 2
    assert names(tmp_path) == []
    assert (tmp_path / "notes.txt").exists()
    assert remove_all(tmp_path / "missing") == 0
