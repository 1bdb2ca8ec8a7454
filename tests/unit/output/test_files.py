# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import errno
import hashlib
import os
from contextlib import contextmanager

import pytest
from airflow.sdk import ObjectStoragePath
from fsspec import register_implementation
from fsspec.implementations.memory import MemoryFileSystem

from lessonspace_provider.archive.paths import LONGEST_PART
from lessonspace_provider.exceptions import LessonspaceDestinationError, LessonspaceInputError
from lessonspace_provider.output.files import fingerprints_in, read_whole, remove_files, write_pieces, write_whole
from tests.airflow_version import needs_airflow
from tests.users import ANOTHER_USER, NEEDS_ROOT


@pytest.fixture(
    params=[
        "file",
        "plain",
        pytest.param("memory", marks=needs_airflow("3.2", "ObjectStoragePath of older ones reads no memory:// file")),
    ]
)
def folder(request, tmp_path):
    return ObjectStoragePath(
        {"file": f"file://{tmp_path}/a b", "plain": f"{tmp_path}/a b", "memory": f"memory://{tmp_path}/a b"}[
            request.param
        ]
    )


def test_a_file_appears_with_its_folders_and_replaces_the_one_before(folder):
    path = folder / "x" / "y.json"
    write_whole(path, b"one")
    write_whole(path, b"other")
    assert path.read_bytes() == b"other"
    assert [entry.name for entry in (folder / "x").iterdir()] == ["y.json"]


def test_of_a_file_in_pieces_size_and_hash_are_reported(folder):
    path = folder / "x" / "y.json"
    for pieces in (b"one", b"other"), (b"othe", b"", b"r one"), ():
        whole = b"".join(pieces)
        assert write_pieces(path, iter(pieces)) == (len(whole), hashlib.sha256(whole).hexdigest())
        assert path.read_bytes() == whole
    assert [entry.name for entry in (folder / "x").iterdir()] == ["y.json"]


def test_a_file_that_is_there_and_the_same_is_not_written_again(tmp_path):
    path = ObjectStoragePath(f"file://{tmp_path}/y.json")
    write_pieces(path, [b"one", b"other"])
    before = (tmp_path / "y.json").stat()
    assert write_pieces(path, [b"oneother"]).size == 8
    after = (tmp_path / "y.json").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    write_pieces(path, [b"oneOTHER"])
    assert path.read_bytes() == b"oneOTHER"
    assert [entry.name for entry in tmp_path.iterdir()] == ["y.json"]


def test_pieces_that_break_off_leave_the_old_file_and_no_part(folder):
    path = folder / "y.json"
    write_whole(path, b"old")

    def breaks_off():
        yield b"ne"
        raise ValueError("a segment that nobody can write")

    with pytest.raises(ValueError, match="segment"):
        write_pieces(path, breaks_off())
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in folder.iterdir()] == ["y.json"]


@pytest.mark.parametrize("step", ["os.fsync", "pathlib.Path.replace"])
def test_a_write_that_breaks_off_leaves_the_old_file_and_no_part(tmp_path, monkeypatch, step):
    path = ObjectStoragePath(f"file://{tmp_path}/y.json")
    write_whole(path, b"old")

    def disk_full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(step, disk_full)
    with pytest.raises(
        LessonspaceDestinationError, match=f"{path.path} can't be written or read.*No space.*free some space"
    ) as caught:
        write_whole(path, b"new")
    assert isinstance(caught.value.__cause__, OSError)
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["y.json"]


class ShareError(OSError):
    pass


@contextmanager
def numbers_only():
    try:
        yield
    except FileNotFoundError as error:
        raise ShareError(errno.ENOENT, "there is none") from error


class InPlace(MemoryFileSystem):
    """
    A store that writes in place, as SFTP does: others see the half of a file, and it stays when the write breaks.

    Its errors have a number and no class of their own, as SMB's; ``refusal`` is how it refuses to replace a file:
    ``error`` as SMB does, ``silence`` as fsspec's WebHDFS.
    """

    protocol = "inplace"
    store, pseudo_dirs = {}, [""]
    breaks_off = False
    refusal = None
    breaks_move = False

    def pipe_file(self, path, value, **kwargs):
        super().pipe_file(path, value[: len(value) // 2], **kwargs)
        if self.breaks_off:
            raise OSError("connection lost")
        super().pipe_file(path, value, **kwargs)

    def mv(self, old, new, **kwargs):
        if self.refusal == "silence" and new in self.store:
            return
        if self.refusal == "error" and new in self.store:
            raise ShareError(errno.EEXIST, "there is one")
        if self.breaks_move and old.endswith(".part"):
            raise OSError("connection lost")
        self.store[new] = self.store.pop(old)

    def cat_file(self, path, **kwargs):
        with numbers_only():
            return super().cat_file(path, **kwargs)

    def info(self, path, **kwargs):
        with numbers_only():
            return super().info(path, **kwargs)

    def ls(self, path, **kwargs):
        with numbers_only():
            return super().ls(path, **kwargs)


@pytest.fixture
def in_place(monkeypatch):
    register_implementation("inplace", InPlace, clobber=True)
    monkeypatch.setattr(InPlace, "store", {})
    return ObjectStoragePath("inplace://folder/y.json")


@pytest.mark.filterwarnings("ignore:UPath 'inplace' filesystem not explicitly implemented")
@pytest.mark.parametrize("refusal", [None, "error", "silence"])
def test_a_store_that_writes_in_place_gets_a_part_file_that_takes_the_files_name(in_place, monkeypatch, refusal):
    monkeypatch.setattr(InPlace, "refusal", refusal)
    write_whole(in_place, b"one")
    write_whole(in_place, b"other")
    assert {path: file.getvalue() for path, file in InPlace.store.items()} == {in_place.path: b"other"}


@pytest.mark.filterwarnings("ignore:UPath 'inplace' filesystem not explicitly implemented")
def test_there_a_write_that_breaks_off_leaves_the_old_file_and_no_part(in_place, monkeypatch):
    write_whole(in_place, b"old")
    monkeypatch.setattr(InPlace, "breaks_off", True)
    with pytest.raises(
        LessonspaceDestinationError, match=r"folder/y.json can't be written or read.*connection lost"
    ) as caught:
        write_whole(in_place, b"newer")
    assert caught.value.__cause__ is caught.value.__context__ is None, "these may hold a signed address"
    assert {path: file.getvalue() for path, file in InPlace.store.items()} == {in_place.path: b"old"}


@pytest.mark.filterwarnings("ignore:UPath 'inplace' filesystem not explicitly implemented")
@pytest.mark.parametrize("refusal", ["error", "silence"])
def test_there_a_move_that_breaks_off_gives_the_old_file_its_name_back(in_place, monkeypatch, refusal):
    monkeypatch.setattr(InPlace, "refusal", refusal)
    write_whole(in_place, b"old")
    monkeypatch.setattr(InPlace, "breaks_move", True)
    with pytest.raises(OSError, match="connection lost"):
        write_whole(in_place, b"newer")
    assert {path: file.getvalue() for path, file in InPlace.store.items()} == {in_place.path: b"old"}


@pytest.mark.filterwarnings("ignore:UPath 'inplace' filesystem not explicitly implemented")
def test_there_what_is_missing_is_known_by_the_number_of_the_error(in_place):
    assert read_whole(in_place) is None
    assert fingerprints_in(in_place.parent) == {}


@pytest.mark.filterwarnings("ignore:UPath 'inplace' filesystem not explicitly implemented")
def test_there_the_longest_name_of_a_template_has_room_for_what_a_file_is_called_meanwhile(in_place, monkeypatch):
    names, put = [], InPlace.pipe_file
    monkeypatch.setattr(InPlace, "pipe_file", lambda self, path, value: (names.append(path), put(self, path, value)))
    write_whole(in_place.parent / f"{'x' * LONGEST_PART}.jsonl", b"one")
    assert max(len(part) for name in names for part in name.split("/")) <= 255


@pytest.mark.parametrize(
    "use", [read_whole, fingerprints_in, lambda path: write_whole(path, b""), lambda path: write_pieces(path, [])]
)
def test_a_store_is_never_used_with_the_credentials_of_the_process_when_a_connection_is_given(use):
    with pytest.raises(LessonspaceInputError, match="could use the connection conn"):
        use(ObjectStoragePath("memory://conn@bucket/a"))


@pytest.mark.parametrize(
    "use", [read_whole, fingerprints_in, lambda path: write_whole(path, b""), lambda path: write_pieces(path, [])]
)
def test_a_file_in_the_place_of_a_folder_is_reported_with_the_path(tmp_path, use):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(
        LessonspaceDestinationError, match=f"{tmp_path}/file/a can't be written or read.*A part of the path is a file"
    ):
        use(ObjectStoragePath(f"file://{tmp_path}/file/a"))


def make_link_to_device(path):
    path.symlink_to("/dev/zero")


def make_longer_than_read(path):
    with path.open("wb") as file:
        file.truncate(2**40)


@pytest.mark.parametrize(
    ("make", "advice"),
    [
        (os.mkfifo, "This is not a file of this provider: remove it"),
        (make_link_to_device, "This is not a file of this provider: remove it"),
        (make_longer_than_read, "This is not a file of this provider: remove it"),
        (os.mkdir, "A folder has the file's name: remove it"),
    ],
)
def test_what_is_no_file_of_ours_is_not_read_and_named_with_the_cure(tmp_path, make, advice):
    make(tmp_path / "y.json")
    with pytest.raises(LessonspaceDestinationError, match=f"^The destination {tmp_path}/y.json can't be .*{advice}"):
        read_whole(ObjectStoragePath(f"file://{tmp_path}/y.json"))


@needs_airflow("3.2", "ObjectStoragePath of older ones reads no memory:// file")
def test_object_that_is_too_long_is_not_read(monkeypatch):
    path = ObjectStoragePath("memory://bucket/too-long/y.json")
    write_whole(path, b"1234")
    monkeypatch.setattr("lessonspace_provider.output.files.LONGEST_READ", 4)
    assert read_whole(path) == b"1234"
    monkeypatch.setattr("lessonspace_provider.output.files.LONGEST_READ", 3)
    monkeypatch.setattr(MemoryFileSystem, "cat_file", None)
    with pytest.raises(LessonspaceDestinationError, match="it has 4 bytes, and at most 3 are read"):
        read_whole(path)


def test_a_files_fingerprint_stays_until_it_is_written_again(folder):
    for name in ("a", "b"):
        write_whole(folder / name, b"one")
    before = fingerprints_in(folder)
    assert fingerprints_in(folder) == before
    write_whole(folder / "a", b"two")
    after = fingerprints_in(folder)
    assert (after["a"] != before["a"], after["b"]) == (True, before["b"])


def test_a_store_that_distinguishes_no_writes_gives_no_fingerprint(tmp_path, monkeypatch):
    folder = ObjectStoragePath(f"file://{tmp_path}")
    write_whole(folder / "a", b"one")
    found = [{"name": f"{tmp_path}/a", "size": 3, "type": "file", "mtime": None}]
    monkeypatch.setattr(type(folder.fs), "ls", lambda *_, **__: found)
    assert fingerprints_in(folder) == {"a": None}


@NEEDS_ROOT
def test_no_file_is_removed_over_another_users_link(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "y.json").write_bytes(b"precious")
    (tmp_path / "folder").symlink_to("real")
    os.lchown(tmp_path / "folder", ANOTHER_USER, -1)
    with pytest.raises(LessonspaceDestinationError, match=r"is a link that the user .*Remove the link"):
        remove_files([ObjectStoragePath(f"file://{tmp_path}/folder/y.json")])
    assert (tmp_path / "real" / "y.json").read_bytes() == b"precious"
