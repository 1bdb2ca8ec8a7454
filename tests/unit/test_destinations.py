# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import errno
import re

import fsspec
import pytest
import requests
from airflow.sdk import ObjectStoragePath

from lessonspace_provider.destinations import as_place, destination_error, has_filesystem
from lessonspace_provider.exceptions import LessonspaceInputError

NO_PLACES = [
    "",
    "a",
    "./a",
    "file://",
    "file://a/b",
    "file://a@b/c",
    ":///a",
    "s3://",
    "a\0",
    "/\ud800",
    7,
    None,
    b"/a",
]


@pytest.mark.parametrize(
    ("destination", "path"),
    [
        ("/data/a", "/data/a"),
        ("file:///data/a", "/data/a"),
        ("file:///data/a@b/c", "/data/a@b/c"),
        ("file:////data/a", "/data/a"),
        ("local://///data/a", "/data/a"),
        (ObjectStoragePath("file:///data/a"), "/data/a"),
        ("s3://school_aws@bucket/a", "bucket/a"),
    ],
)
def test_a_place_is_an_absolute_path_or_a_url(destination, path):
    assert as_place(destination, "a folder").path == path


@pytest.mark.parametrize("destination", NO_PLACES)
def test_a_place_that_depends_on_the_worker_or_is_none_is_refused(destination):
    with pytest.raises(LessonspaceInputError, match=r"destination=.*must be a folder"):
        as_place(destination, "a folder")


@pytest.mark.parametrize(
    ("scheme", "package"),
    [
        ("s3", r"apache-airflow-providers-amazon\[s3fs\]"),
        ("gs", "apache-airflow-providers-google"),
        ("abfs", "apache-airflow-providers-microsoft-azure"),
        ("memory", "the Airflow provider that has one"),
    ],
)
def test_a_connection_that_nothing_here_could_use_is_refused_with_what_to_install(monkeypatch, scheme, package):
    monkeypatch.setattr("lessonspace_provider.destinations.has_filesystem", lambda protocol: False)
    with pytest.raises(
        LessonspaceInputError, match=f"{scheme}://conn@.*could use the connection conn. Install {package}"
    ):
        as_place(f"{scheme}://conn@bucket/a", "a folder")


def test_a_path_that_is_one_already_is_looked_at_likewise():
    with pytest.raises(LessonspaceInputError, match="could use the connection conn"):
        as_place(ObjectStoragePath("memory://conn@bucket/a"), "a folder")


def test_airflow_says_which_filesystems_it_has():
    assert has_filesystem("file")
    assert has_filesystem("s3")
    assert not has_filesystem("memory")


@pytest.mark.parametrize(
    ("scheme", "package"),
    [("gs", "apache-airflow-providers-google"), ("oss", "it"), ("s3", r"apache-airflow-providers-amazon\[s3fs\]")],
)
@pytest.mark.parametrize("connection", ["", "conn@"])
def test_a_library_that_is_missing_is_told_with_what_to_install(monkeypatch, scheme, package, connection):
    def is_missing(protocol):
        raise ImportError(f"Please install the library of {protocol}")

    monkeypatch.setattr("lessonspace_provider.destinations.has_filesystem", lambda protocol: True)
    monkeypatch.setattr(fsspec, "get_filesystem_class", is_missing)
    monkeypatch.setattr("upath.registry.get_filesystem_class", is_missing)
    with pytest.raises(LessonspaceInputError, match=rf"is missing. Install {package} \(Please install the library"):
        as_place(f"{scheme}://{connection}bucket/a", "a folder")


def test_credentials_in_place_of_a_connection_are_refused_and_not_shown(capfd):
    with pytest.raises(LessonspaceInputError, match="must be the id of an Airflow connection") as caught:
        as_place("s3://AKIA:SECRET@bucket/a", "a folder")
    assert "AKIA" not in str(caught.value)
    assert "SECRET" not in str(caught.value)
    assert "SECRET" not in str(capfd.readouterr())


class ClientError(Exception):
    """What a store's library has of its own."""


@pytest.mark.parametrize(
    ("error", "words", "advice"),
    [
        (FileNotFoundError("The specified bucket does not exist"), "bucket does not exist", "Make its bucket"),
        (
            FileNotFoundError(errno.ENOENT, "No such file", "/proc/a"),
            "FileNotFoundError: No such file",
            "Make its bucket",
        ),
        (PermissionError("Access Denied"), "Access Denied", "write there"),
        (OSError(errno.EROFS, "Read-only file system"), "Read-only", "write there"),
        (NotADirectoryError(errno.ENOTDIR, "Not a directory"), "Not a directory", "in a folder's place"),
        (OSError(errno.ENOSPC, "No space left on device"), "No space", "make room"),
        (OSError(errno.EIO, "it\nbroke"), "it broke", "Check that the worker reaches the store"),
        (ClientError("anything"), r"\(ClientError\)", "Check that the worker reaches the store"),
    ],
)
def test_an_error_of_a_store_names_the_place_and_says_what_to_do_in_its_first_line(error, words, advice):
    told = str(destination_error(ObjectStoragePath("s3://school_aws@bucket/a/b.json"), error))
    assert told.startswith("The destination s3://school_aws@bucket/a/b.json can't be written or read (")
    assert re.search(words, told)
    assert advice in told
    assert "\n" not in told


SECRET = "5f3a"


@pytest.mark.parametrize(
    "error",
    [
        FileNotFoundError(f"https://store/a?X-Amz-Date=1&X-Amz-Signature={SECRET}"),
        OSError(errno.EIO, f"no answer from https://key:{SECRET}@store/a"),
        OSError(f"GET /a&sig={SECRET} failed"),
        requests.ConnectionError(f"url: /webhdfs/v1/a?delegation={SECRET}"),
        ClientError(SECRET),
    ],
)
def test_no_signature_and_no_password_of_a_store_is_in_its_error(error):
    place = ObjectStoragePath(f"s3://key:{SECRET}@bucket/a?token={SECRET}")
    assert SECRET not in str(destination_error(place, error))
