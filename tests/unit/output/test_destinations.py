# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import errno
import re
from types import SimpleNamespace
from unittest.mock import Mock

import fsspec
import pytest
import requests
from airflow.providers_manager import ProvidersManager
from airflow.sdk import ObjectStoragePath

from lessonspace_provider.exceptions import LessonspaceDestinationError, LessonspaceInputError
from lessonspace_provider.output.destinations import (
    as_place,
    check_store,
    destination_error,
    has_filesystem,
    is_below,
    join_below,
    place_of,
)
from lessonspace_provider.output.files import write_whole

NEEDS_AMAZON = pytest.mark.skipif(
    "apache-airflow-providers-amazon" not in ProvidersManager().providers, reason="the amazon provider is not installed"
)
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
        pytest.param("s3://school_aws@bucket/a", "bucket/a", marks=NEEDS_AMAZON),
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
    monkeypatch.setattr("lessonspace_provider.output.destinations.has_filesystem", lambda protocol: False)
    with pytest.raises(
        LessonspaceInputError, match=f"{scheme}://conn@.*could use the connection conn. Install {package}"
    ):
        as_place(f"{scheme}://conn@bucket/a", "a folder")


def test_a_path_that_is_one_already_is_looked_at_likewise():
    with pytest.raises(LessonspaceInputError, match="could use the connection conn"):
        as_place(ObjectStoragePath("memory://conn@bucket/a"), "a folder")


def test_airflow_reports_which_filesystems_it_has():
    assert has_filesystem("file")
    assert not has_filesystem("memory")


@NEEDS_AMAZON
def test_the_amazon_provider_has_one_for_s3():
    assert has_filesystem("s3")


@pytest.fixture
def without_libraries(monkeypatch):
    def is_missing(protocol):
        raise ImportError(f"Please install the library of {protocol}")

    monkeypatch.setattr(fsspec, "get_filesystem_class", is_missing)
    monkeypatch.setattr("upath.registry.get_filesystem_class", is_missing)


@pytest.mark.parametrize(
    ("scheme", "package", "is_airflows"),
    [
        ("gs", "apache-airflow-providers-google", True),
        ("s3", r"apache-airflow-providers-amazon\[s3fs\]", True),
        ("oss", "it", False),
    ],
)
def test_a_library_that_is_missing_is_reported_with_what_to_install(
    monkeypatch, without_libraries, scheme, package, is_airflows
):
    monkeypatch.setattr("lessonspace_provider.output.destinations.has_filesystem", lambda protocol: is_airflows)
    for connection in ["", "conn@"] if is_airflows else [""]:
        with pytest.raises(LessonspaceInputError, match=rf"is missing. Install {package} \(Please install the library"):
            as_place(f"{scheme}://{connection}bucket/a", "a folder")


@pytest.mark.parametrize("scheme", ["adl", "sftp", "ssh"])
def test_where_airflows_own_filesystem_takes_another_library_that_of_fsspec_is_not_asked_for(
    monkeypatch, without_libraries, scheme
):
    monkeypatch.setattr("lessonspace_provider.output.destinations.has_filesystem", lambda protocol: True)
    assert check_store(SimpleNamespace(protocol=scheme, conn_id="conn", path="bucket/a")) is None


def test_of_a_store_that_fsspec_has_no_class_for_any_more_nothing_is_reported_here(monkeypatch):
    monkeypatch.setattr(fsspec, "get_filesystem_class", Mock(side_effect=AttributeError))
    assert check_store(SimpleNamespace(protocol="adl", conn_id=None, path="bucket/a", storage_options={})) is None


def test_azures_other_name_is_reported():
    with pytest.raises(LessonspaceInputError, match="write abfs:// in its place"):
        check_store(SimpleNamespace(protocol="az", conn_id="conn", path="bucket/a"))


@pytest.mark.parametrize("url", ["s3://AKIA:SECRET@bucket/a", "s3://AKIA:SEC/RET@bucket/a", "gs://AKIA:SEC/RET@bucket"])
def test_credentials_in_place_of_a_connection_are_refused_and_not_shown(capfd, url):
    with pytest.raises(LessonspaceInputError, match="must be the id of an Airflow connection") as caught:
        as_place(url, "a folder")
    for shown in (str(caught.value).upper(), str(capfd.readouterr()).upper()):
        assert not [secret for secret in ("AKIA", "SEC", "RET@") if secret in shown]


def test_a_signature_in_what_is_refused_is_not_shown():
    with pytest.raises(LessonspaceInputError, match="must be a folder") as caught:
        as_place("file://c/p?sig=5f3a", "a folder")
    assert "5f3a" not in str(caught.value)


class ClientError(Exception):
    """What a store's library has of its own."""


@pytest.mark.parametrize(
    ("error", "words", "advice"),
    [
        (FileNotFoundError("The specified bucket does not exist"), "bucket does not exist", "Create its bucket"),
        (
            FileNotFoundError(errno.ENOENT, "No such file", "/proc/a"),
            "FileNotFoundError: No such file",
            "Create its bucket",
        ),
        (PermissionError("Access Denied"), "Access Denied", "write there"),
        (OSError(errno.EROFS, "Read-only file system"), "Read-only", "write there"),
        (NotADirectoryError(errno.ENOTDIR, "Not a directory"), "Not a directory", "A part of the path is a file"),
        (OSError(errno.ENOSPC, "No space left on device"), "No space", "free some space"),
        (OSError(errno.EIO, "it\nbroke"), "it broke", "Check that the worker reaches the store"),
        (ClientError("anything"), r"\(ClientError\)", "Check that the worker reaches the store"),
        (ImportError("pip install sshfs"), "pip install sshfs", "Install the missing package on the workers"),
        (OSError("long " * 100), r"^.{,500}$", "Check that the worker reaches the store"),
    ],
)
def test_an_error_of_a_store_names_the_place_and_what_to_do_in_its_first_line(monkeypatch, error, words, advice):
    monkeypatch.setenv("AIRFLOW_CONN_SCHOOL_AWS", "aws://")
    told = str(destination_error(ObjectStoragePath("s3://school_aws@bucket/a/b.json"), error))
    assert told.startswith("The destination s3://school_aws@bucket/a/b.json can't be written or read (")
    assert re.search(words, told)
    assert advice in told
    assert "\n" not in told


@NEEDS_AMAZON
def test_a_connection_that_does_not_exist_is_named_in_place_of_the_store(monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    with pytest.raises(LessonspaceDestinationError) as refused:
        write_whole(ObjectStoragePath("s3://no_such_connection@bucket/a.json"), b"{}")
    first_line = str(refused.value)
    assert re.search(r"the connection no_such_connection was not found \(\w+\). Create it in Airflow", first_line)
    assert "reaches the store" not in first_line
    assert "\n" not in first_line


SECRET = "5f3a"


@pytest.mark.parametrize(
    "error",
    [
        FileNotFoundError(f"https://store/a?X-Amz-Date=1&X-Amz-Signature={SECRET}"),
        OSError(errno.EIO, f"no answer from https://key:{SECRET}@store/a"),
        OSError(f"GET /a&sig={SECRET} failed"),
        requests.ConnectionError(f"url: /webhdfs/v1/{SECRET}"),
        ClientError(SECRET),
    ],
)
def test_no_signature_and_no_password_of_a_store_is_in_its_error(error):
    place = ObjectStoragePath(f"s3://key:{SECRET}@bucket/a?token={SECRET}")
    assert SECRET not in str(destination_error(place, error))


FOLDERS = [
    "/data/a",
    "file:///data/a/",
    "memory://bucket/a",
    "memory://bucket",
    pytest.param("s3://bucket/a", marks=NEEDS_AMAZON),
    pytest.param("s3://school_aws@bucket", marks=NEEDS_AMAZON),
]


@pytest.mark.parametrize("folder", FOLDERS)
@pytest.mark.parametrize(
    "path", ["a", "2026/01/02/a.json", "a/..b", "..a", "a..", "Jo: 100%.txt", "12:30/a", "~/é #?*"]
)
def test_relative_path_is_joined_below_the_destination(folder, path):
    folder = ObjectStoragePath(folder)
    joined = join_below(folder, path)
    assert place_of(joined)[:2] == place_of(folder)[:2]
    assert joined.path == f"{folder.path.rstrip('/')}/{path}"


@pytest.mark.parametrize("folder", FOLDERS)
@pytest.mark.parametrize(
    "path",
    [
        "..",
        "../EVIL",
        "a/../../b",
        "a/..",
        "a/.. /b",
        ". ./a",
        ".",
        "./a",
        "a/./b",
        "",
        " ",
        "/",
        "/etc/a",
        "//host/a",
        "a//b",
        "a/",
        "C:",
        "C:a",
        "c:\\a",
        "..\\a",
        "a\\..\\..\\b",
        "s3://bucket/a",
        "s3:/bucket/a",
        "file:/etc/a",
        "%2e%2e/a",
        "a/%2E%2e/b",
        "a%2Fb",
        "a%5cb",
        "%252e%252e/a",
        "a\0b",
        "a\nb",
        "a\x85b",
        "\ud800",
        None,
        7,
        b"a",
        ["a"],
    ],
)
def test_path_that_leads_out_of_the_destination_is_refused(folder, path):
    assert not is_below(path)
    with pytest.raises(LessonspaceDestinationError, match=r"^The path .* leads out of the destination .*Correct"):
        join_below(ObjectStoragePath(folder), path)


def test_path_that_the_library_takes_for_a_url_never_leads_elsewhere():
    try:
        joined = join_below(ObjectStoragePath("/data/a"), "data:,a")
    except LessonspaceDestinationError:
        return
    # An old library takes it for the name of a file.
    assert (joined.protocol or "file", joined.path) == ("file", "/data/a/data:,a")
