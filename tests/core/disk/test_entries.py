"""An entry is read only if it is whole, has its own key inside, and belongs to the user."""

from __future__ import annotations

import io
import os

import pytest

from skdeep.core.disk.entries import path_of, read_entry, remove_entry, write_entry
from skdeep.program_folder import remove_all

KEY, OTHER = "a" * 64, "b" * 64
CONTENT = bytes(range(256)) * 4


@pytest.fixture
def folder(tmp_path):
    write_entry(tmp_path, KEY, CONTENT)
    return tmp_path


def test_content_comes_back(folder):
    assert read_entry(folder, KEY) == CONTENT
    assert read_entry(folder, OTHER) is None
    write_entry(folder, KEY, b"")
    assert read_entry(folder, KEY) == b""
    assert path_of(folder, KEY).stat().st_mode & 0o777 == 0o600
    remove_entry(folder, KEY)
    assert read_entry(folder, KEY) is None


def test_every_damaged_byte_is_noticed(folder):
    path = path_of(folder, KEY)
    data = path.read_bytes()
    for position in range(len(data)):
        path.write_bytes(data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :])
        assert read_entry(folder, KEY) is None


def test_every_truncation_is_noticed(folder):
    path = path_of(folder, KEY)
    data = path.read_bytes()
    for size in range(len(data)):
        path.write_bytes(data[:size])
        assert read_entry(folder, KEY) is None
    path.write_bytes(data + b"x")
    assert read_entry(folder, KEY) is None


def test_an_entry_under_another_name_is_not_read(folder):
    os.rename(path_of(folder, KEY), path_of(folder, OTHER))
    assert read_entry(folder, OTHER) is None


def test_a_damaged_entry_is_replaced(folder):
    path_of(folder, KEY).write_bytes(b"junk")
    path_of(folder, KEY).chmod(0o666)
    assert read_entry(folder, KEY) is None
    write_entry(folder, KEY, CONTENT)
    assert read_entry(folder, KEY) == CONTENT


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_an_entry_that_others_can_write_is_not_read(folder, mode):
    path_of(folder, KEY).chmod(mode)
    assert read_entry(folder, KEY) is None


def test_an_entry_of_another_user_is_not_read(folder, monkeypatch):
    found = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: found + 1)
    assert read_entry(folder, KEY) is None


def test_links_and_pipes_are_not_read(folder):
    path_of(folder, OTHER).symlink_to(path_of(folder, KEY))
    assert read_entry(folder, OTHER) is None
    path_of(folder, OTHER).unlink()
    os.mkfifo(path_of(folder, OTHER))
    assert read_entry(folder, OTHER) is None


def test_reading_notes_the_use(folder):
    os.utime(path_of(folder, KEY), (1, 1))
    read_entry(folder, KEY)
    assert path_of(folder, KEY).stat().st_mtime > 1


def test_the_least_recently_used_entries_are_removed(folder, monkeypatch):
    size = path_of(folder, KEY).stat().st_size
    monkeypatch.setattr("skdeep.program_folder.MAX_BYTES", 2 * size)
    write_entry(folder, OTHER, CONTENT)
    os.utime(path_of(folder, KEY), (1, 1))
    os.utime(path_of(folder, OTHER), (2, 2))
    assert read_entry(folder, KEY) == CONTENT
    write_entry(folder, "c" * 64, CONTENT)
    assert [read_entry(folder, key) is not None for key in (KEY, OTHER, "c" * 64)] == [True, False, True]


def test_an_entry_that_is_larger_than_the_bound_is_not_written(folder, monkeypatch):
    """It would push out all others, and then itself."""
    size = path_of(folder, KEY).stat().st_size
    monkeypatch.setattr("skdeep.program_folder.MAX_BYTES", size)
    write_entry(folder, OTHER, bytes(len(CONTENT) + 1))
    assert (read_entry(folder, KEY), read_entry(folder, OTHER)) == (CONTENT, None)
    write_entry(folder, OTHER, bytes(len(CONTENT)))
    assert (read_entry(folder, KEY), read_entry(folder, OTHER)) == (None, bytes(len(CONTENT)))


def test_a_file_that_is_larger_than_the_bound_is_not_read(folder, monkeypatch):
    path = path_of(folder, KEY)
    monkeypatch.setattr("skdeep.program_folder.MAX_BYTES", path.stat().st_size)
    assert read_entry(folder, KEY) == CONTENT
    monkeypatch.setattr("skdeep.program_folder.MAX_BYTES", path.stat().st_size - 1)
    assert read_entry(folder, KEY) is None


def test_an_entry_that_is_larger_than_memory_is_not_read(folder, monkeypatch):
    class TooLarge(io.FileIO):
        def read(self, size=-1):
            raise MemoryError

    monkeypatch.setattr(os, "fdopen", TooLarge)
    assert read_entry(folder, KEY) is None


def test_a_folder_that_is_emptied_meanwhile(folder, monkeypatch):
    replace = os.replace

    def emptied(part, target):
        remove_all(folder)
        replace(part, target)

    monkeypatch.setattr(os, "replace", emptied)
    write_entry(folder, OTHER, CONTENT)
    assert list(folder.iterdir()) == []
