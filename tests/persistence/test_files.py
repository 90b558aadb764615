"""Reading within bounds, and writing in one step: a reader finds the old bytes or the new ones."""

import os
import resource
import signal
import subprocess
import sys
import time

import pytest

from skdeep.atomic_files import write_atomically
from skdeep.errors import ModelFileError
from skdeep.persistence.files import read_bounded


def test_bytes_come_back(tmp_path):
    path = tmp_path / "a"
    for data in (b"", b"old", b"new and longer"):
        write_atomically(path, data)
        assert read_bounded(path, 100) == data
    assert os.listdir(tmp_path) == ["a"]


def test_a_file_has_the_mode_that_the_user_wants(tmp_path):
    before = os.umask(0o027)
    try:
        write_atomically(tmp_path / "a", b"x")
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640


def test_symbolic_links_are_followed(tmp_path):
    (tmp_path / "link").symlink_to("file")
    write_atomically(tmp_path / "link", b"x")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_bytes() == b"x"
    assert read_bounded(tmp_path / "link", 9) == b"x"


def test_what_is_no_regular_file_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", "/dev/zero"):
        with pytest.raises((ModelFileError, IsADirectoryError)):
            read_bounded(path, 100)
    with pytest.raises(FileNotFoundError):
        read_bounded(tmp_path / "none", 100)


def test_large_files_are_refused_unread(tmp_path):
    with (tmp_path / "a").open("wb") as file:
        file.truncate(2**40)  # takes no room on the disk
    with pytest.raises(ModelFileError, match=f"has {2**40} bytes, more than max_bytes=100. Raise max_bytes"):
        read_bounded(tmp_path / "a", 100)


def test_a_failed_write_leaves_the_earlier_file(tmp_path, monkeypatch):
    path = tmp_path / "a"
    write_atomically(path, b"old")
    monkeypatch.setattr(os, "fsync", lambda handle: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a"]


def test_a_disk_that_is_full(tmp_path):
    path = tmp_path / "a"
    write_atomically(path, b"old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            write_atomically(path, b"x" * 2000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a"]


def test_parts_of_killed_processes_are_removed_after_an_hour(tmp_path):
    old, new = tmp_path / ".skdeep-old.part", tmp_path / ".skdeep-new.part"
    for part in (old, new):
        part.write_bytes(b"x")
    os.utime(old, (time.time() - 4000,) * 2)
    write_atomically(tmp_path / "a", b"y")
    assert not old.exists()
    assert new.exists()


WRITER = """
import itertools, sys
from skdeep.atomic_files import write_atomically
print("ready", flush=True)
for i in itertools.count():
    write_atomically(sys.argv[1], bytes([i % 256]) * 300_000)
"""


def test_a_killed_writer_leaves_a_whole_file(tmp_path):
    path = tmp_path / "a"
    for delay in (0.0, 0.003, 0.01, 0.02):
        process = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE)
        try:
            assert process.stdout.readline() == b"ready\n"
            deadline = time.monotonic() + 60
            while not path.exists() and time.monotonic() < deadline:
                time.sleep(0.001)
            time.sleep(delay)
        finally:
            process.kill()
            process.wait()
            process.stdout.close()
        data = read_bounded(path, 10**6)
        assert len(data) == 300_000
        assert len(set(data)) == 1
