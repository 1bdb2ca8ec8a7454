# SPDX-License-Identifier: Apache-2.0
"""The files into which example DAGs write links."""

from __future__ import annotations

import os

import link_files
import pytest

from tests.users import ANOTHER_USER, NEEDS_ROOT


def test_a_link_is_written_into_a_file_that_only_its_owner_may_read(tmp_path):
    folder = tmp_path / "links"
    for text in ("first, and longer", "second"):
        link_files.write_file(folder, "7b-maths 2026-11-30 ../Gül/Aydin 12", text)
    (path,) = folder.iterdir()
    assert path.name == "7b-maths-2026-11-30-Gül-Aydin-12.txt"
    assert path.read_text() == "second"
    assert (folder.stat().st_mode & 0o777, path.stat().st_mode & 0o777) == (0o700, 0o600)


def test_a_link_is_written_neither_through_a_symbolic_link_nor_into_a_file_that_is_open_to_others(tmp_path):
    folder, elsewhere = tmp_path / "links", tmp_path / "elsewhere"
    folder.mkdir()
    elsewhere.touch()
    (folder / "a.txt").symlink_to(elsewhere)
    (folder / "b.txt").touch(mode=0o666)
    (folder / "b.txt").chmod(0o666)
    for name in ("a", "b"):
        link_files.write_file(folder, name, "the link")
    assert elsewhere.read_text() == ""
    assert {path.name: path.lstat().st_mode for path in folder.iterdir()} == dict.fromkeys(("a.txt", "b.txt"), 0o100600)


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o1777])
def test_no_link_is_written_where_other_users_could_replace_it(tmp_path, mode):
    tmp_path.chmod(mode)
    with pytest.raises(PermissionError, match=f"^Other users may write to {tmp_path}, .* with mode 0700"):
        link_files.write_file(tmp_path, "a", "the link")
    assert list(tmp_path.iterdir()) == []


@NEEDS_ROOT
def test_no_link_is_written_into_a_folder_of_another_user(tmp_path):
    os.chown(tmp_path, ANOTHER_USER, -1)
    with pytest.raises(PermissionError, match="Other users may write to"):
        link_files.write_file(tmp_path, "a", "the link")


def test_a_write_that_fails_leaves_no_link_behind(tmp_path):
    (tmp_path / "a.txt").mkdir()
    with pytest.raises(IsADirectoryError):
        link_files.write_file(tmp_path, "a", "the link")
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]
