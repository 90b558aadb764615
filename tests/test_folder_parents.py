"""A folder is refused if another user may replace it, or a folder or link that leads to it."""

from __future__ import annotations

import grp
import os
import pwd
import types

import pytest

from skdeep import folder_parents
from skdeep.folder_parents import check_parents

OTHER = 65_432


@pytest.fixture
def owners(monkeypatch):
    """Return the owner and the group of each path, by default root's. So the tests need no right to give folders away."""
    found = {}

    def with_owner(read):
        def status(path, *args, **kwargs):
            values = list(read(path, *args, **kwargs))[:10]
            values[4:6] = found.get(os.fspath(path), (0, 0))
            return os.stat_result(values)

        return status

    monkeypatch.setattr(os, "stat", with_owner(os.stat))
    monkeypatch.setattr(os, "lstat", with_owner(os.lstat))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    return found


@pytest.fixture
def parent(tmp_path, owners):
    """Return a folder with a folder "programs" in it."""
    (tmp_path / "parent" / "programs").mkdir(parents=True)
    folder_parents._is_own_group.cache_clear()
    yield tmp_path / "parent"
    folder_parents._is_own_group.cache_clear()


def as_user(monkeypatch, user_id, group="me", members=(), primary=500):
    """Let this process be of a user with the name "me", and all groups be of this name and these members."""
    monkeypatch.setattr(os, "geteuid", lambda: user_id)
    monkeypatch.setattr(grp, "getgrgid", lambda _: types.SimpleNamespace(gr_name=group, gr_mem=list(members)))
    monkeypatch.setattr(pwd, "getpwuid", lambda _: types.SimpleNamespace(pw_name="me", pw_gid=primary))


@pytest.mark.parametrize("mode", [0o700, 0o755, 0o711, 0o750, 0o2755, 0o1755])
def test_parents_that_only_their_owner_can_write(parent, mode):
    parent.chmod(mode)
    check_parents(parent / "programs")


@pytest.mark.parametrize("mode", [0o777, 0o757, 0o702, 0o2777])
def test_parents_that_all_can_write_are_refused(parent, mode):
    parent.chmod(mode)
    with pytest.raises(PermissionError, match=f"which other users can write .mode {mode:04o}"):
        check_parents(parent / "programs")
    with pytest.raises(PermissionError, match="which other users can write"):
        check_parents(parent / "programs" / "deeper" / "missing")


def test_parents_of_other_users_are_refused(parent, owners):
    owners[str(parent)] = (OTHER, 0)
    with pytest.raises(PermissionError, match=f"which belongs to the user with id {OTHER}. Give a folder"):
        check_parents(parent / "programs")


def test_parents_of_root_and_of_the_user(parent, owners, monkeypatch):
    owners[str(parent)] = (OTHER, 0)
    as_user(monkeypatch, OTHER)
    check_parents(parent / "programs")


def test_a_sticky_parent(parent, owners, monkeypatch):
    """As /tmp: only the owner of an entry may rename it."""
    parent.chmod(0o1777)
    check_parents(parent / "programs")
    check_parents(parent / "missing")
    as_user(monkeypatch, OTHER)
    check_parents(parent / "programs")  # root's
    owners[str(parent / "programs")] = (OTHER + 1, 0)
    with pytest.raises(PermissionError, match=f"has an entry 'programs' of the user with id {OTHER + 1}"):
        check_parents(parent / "programs" / "deeper")


def test_a_sticky_parent_of_another_user_is_refused(parent, owners):
    """The owner of a sticky folder may rename its entries."""
    parent.chmod(0o1777)
    owners[str(parent)] = (OTHER, 0)
    with pytest.raises(PermissionError, match="belongs to the user with id"):
        check_parents(parent / "programs")


@pytest.mark.parametrize("members", [(), ("me",)], ids=str)
def test_a_parent_that_the_own_group_can_write(parent, owners, monkeypatch, members):
    owners[str(parent)] = (OTHER, 500)
    parent.chmod(0o775)
    as_user(monkeypatch, OTHER, members=members)
    check_parents(parent / "programs")


@pytest.mark.parametrize(
    "case", [{"group": "staff"}, {"members": ("me", "you")}, {"members": ("you",)}, {"primary": 501}], ids=str
)
def test_a_parent_that_a_shared_group_can_write_is_refused(parent, owners, monkeypatch, case):
    owners[str(parent)] = (OTHER, 500)
    parent.chmod(0o775)
    as_user(monkeypatch, OTHER, **case)
    with pytest.raises(PermissionError, match="which other users can write .mode 0775"):
        check_parents(parent / "programs")


def test_a_group_without_a_name_is_shared(parent, owners, monkeypatch):
    owners[str(parent)] = (OTHER, 500_000)
    parent.chmod(0o770)
    monkeypatch.setattr(os, "geteuid", lambda: OTHER)
    with pytest.raises(PermissionError, match="which other users can write"):
        check_parents(parent / "programs")


@pytest.mark.parametrize("is_absolute", [True, False])
def test_links_are_followed(parent, tmp_path, is_absolute):
    (tmp_path / "link").symlink_to(parent if is_absolute else "x/../parent")
    (tmp_path / "x").mkdir()
    check_parents(tmp_path / "link" / "programs")
    parent.chmod(0o777)
    with pytest.raises(PermissionError, match=f"is below '{parent}', which other users can write"):
        check_parents(tmp_path / "link" / "programs")


def test_the_folder_of_a_link_counts(parent, owners, tmp_path):
    """Who can write it can let the link point elsewhere."""
    (tmp_path / "open").mkdir()
    (tmp_path / "open" / "link").symlink_to(parent)
    (tmp_path / "first").symlink_to(tmp_path / "open" / "link")
    check_parents(tmp_path / "first" / "programs")
    (tmp_path / "open").chmod(0o777)
    with pytest.raises(PermissionError, match="open', which other users can write"):
        check_parents(tmp_path / "first" / "programs")
    (tmp_path / "open").chmod(0o1777)
    check_parents(tmp_path / "first" / "programs")
    owners[str(tmp_path / "open" / "link")] = (OTHER, 0)
    with pytest.raises(PermissionError, match="has an entry 'link' of the user"):
        check_parents(tmp_path / "first" / "programs")


def test_a_loop_of_links_raises(tmp_path):
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(OSError, match="Too many levels of symbolic links"):
        check_parents(tmp_path / "loop" / "programs")
