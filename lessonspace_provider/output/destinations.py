# SPDX-License-Identifier: Apache-2.0
"""Where files are stored, checked before anything is asked for or written, and what to do when that fails."""

from __future__ import annotations

import errno
import re
from contextlib import suppress
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple, TypeGuard
from urllib.parse import urlsplit

from lessonspace_provider.api.arguments import is_text, refuse, shown
from lessonspace_provider.api.foreign_words import clean_words
from lessonspace_provider.exceptions import LessonspaceDestinationError, LessonspaceInputError

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

#: Protocols of local disks.
LOCAL = ("", "file", "local")

#: Which package has Airflow's filesystem for a protocol, and brings the library that reads and writes there.
_PACKAGES = {
    **dict.fromkeys(("s3", "s3a", "s3n"), "apache-airflow-providers-amazon[s3fs]"),
    **dict.fromkeys(("gs", "gcs"), "apache-airflow-providers-google"),
    **dict.fromkeys(("abfs", "abfss", "adl"), "apache-airflow-providers-microsoft-azure"),
}

# The libraries of those that Airflow and fsspec have the same class for; of others, Airflow may use another one.
_SHARED_LIBRARIES = ("s3", "s3a", "gs", "gcs", "abfs", "abfss")

# What follows a "?" or "&" may be a signature, what precedes an "@" a password.
_QUERY, _USER = re.compile(r"\?\S*|&[^\s&=]*=\S*"), re.compile(r"(?<=://)[^/\s@]*@")

# Some stores decode what is percent-encoded, take a backslash for a slash, or drop dots and blanks at a name's end.
_LEADS_OUT = re.compile(
    r"""
    ^ [A-Za-z]: | ^ [A-Za-z][A-Za-z0-9+.-]*:/  # a drive, or a URL's scheme
    | (?:^|/) [. ]* (?:/|$)                     # an absolute path, an empty part, "." and ".."
    | [\\\x00-\x1f\x7f-\x9f\ud800-\udfff] | %[0-9A-Fa-f]{2}
    """,
    re.VERBOSE,
)

# On Airflow 3.0 and 3.1, a task can't read connections from several threads at a time.
_one_lookup = Lock()

#: How much of a store's own words a message has, in characters.
_LONGEST_DETAIL = 300

_ADVICE = (
    ((errno.ENOENT,), FileNotFoundError, "Create its bucket or its parent folder, or give another destination"),
    ((errno.EACCES, errno.EPERM, errno.EROFS), PermissionError, "Let the worker or the connection write there"),
    ((errno.ENOTDIR, errno.EEXIST), FileExistsError, "A part of the path is a file: give another destination"),
    ((errno.EISDIR,), IsADirectoryError, "A folder has the file's name: remove it, or give another destination"),
    ((errno.ENXIO, errno.EFBIG), None, "This is not a file of this provider: remove it"),
    ((errno.ELOOP,), None, "Remove the link, or give a destination where other users can't create links"),
    ((errno.ENOSPC, errno.EDQUOT), None, "The store is full: free some space"),
)


class Place(NamedTuple):
    """A place: in the store of a URL's scheme, for an Airflow connection, at a path, bucket included."""

    protocol: str
    conn_id: str | None
    path: str


def as_place(destination: object, allowed: str, parameter: str = "destination") -> ObjectStoragePath:
    """
    Check a file or a folder; a relative one would be wherever the worker happens to run.

    :param destination: text, or an ``ObjectStoragePath``.
    :param allowed: what would be right, as the end of "... must be".
    :param parameter: its name, for the error.
    :raises LessonspaceInputError: for anything else, a relative path, and a store that no one knows, or no one here
        can write to.
    """
    # On the worker only: what it imports is not needed to parse a DAG.
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    if isinstance(destination, ObjectStoragePath):
        check_store(destination)
        return destination
    # Checked before Airflow does, which makes a relative path absolute and searches for the connection.
    if _is_absolute(destination):
        _check_place(_place_in(destination))
        with suppress(ValueError):  # a store that no one knows
            return ObjectStoragePath(_with_one_slash(destination))
    raise refuse(parameter, _without_secrets(destination) if is_text(destination) else destination, allowed)


def check_store(path: ObjectStoragePath) -> None:
    """
    Check that there is what it takes to write to a store, without a request to it.

    A connection is of use to Airflow's own filesystem only. Where Airflow has none, fsspec's would write with whatever
    credentials the process has, perhaps to another account: so that is refused. Without a connection those credentials
    are what was asked for, and Airflow's filesystem would take them, too.

    :raises LessonspaceInputError: naming the package to install.
    """
    _check_place(place_of(path))


def _check_place(place: Place) -> None:
    if place.protocol in LOCAL:
        return
    host, _, _ = place.path.partition("/")
    # A secret can have a slash, so that what seems to be a host is a key. None of it is shown.
    if ":" in (place.conn_id or "") or (place.protocol in _PACKAGES and ":" in host):
        raise LessonspaceInputError(
            f"The destination in {place.protocol}:// was refused: the part before its @ must be the id of an "
            f"Airflow connection, without a colon, and never credentials. Nothing was sent."
        )
    package, is_airflows = _PACKAGES.get(place.protocol), has_filesystem(place.protocol)
    if place.conn_id is not None and not is_airflows:
        missing = package or "the Airflow provider that has one, or leave the connection out"
        if place.protocol == "az":
            missing = f"{_PACKAGES['abfs']}, and write abfs:// in its place"
        raise _refusal(
            place,
            f"Airflow has no filesystem for {place.protocol}:// that could use the connection {place.conn_id}. Install "
            f"{missing}",
        )
    if is_airflows and place.protocol not in _SHARED_LIBRARIES:
        return
    if library := _missing_library(place.protocol):
        raise _refusal(place, f"the library for {place.protocol}:// is missing. Install {package or 'it'} ({library})")


def _refusal(place: Place, why: str) -> LessonspaceInputError:
    return LessonspaceInputError(f"The destination {_url_of(place)} was refused: {why}. Nothing was sent.")


def has_filesystem(protocol: str) -> bool:
    """Whether Airflow, or one of its installed providers, has a filesystem for a protocol."""
    try:
        from airflow.sdk.io import has_fs
    except ImportError:
        from airflow import io  # Airflow 3.0

        return bool(io.has_fs(protocol))  # type: ignore[attr-defined]  # newer ones have moved it
    return has_fs(protocol)


def _missing_library(protocol: str) -> str | None:
    """Give fsspec's words for what is missing to write to a store; None when it is there, or only Airflow knows it."""
    from fsspec import get_filesystem_class

    try:
        get_filesystem_class(protocol)
    except ImportError as error:
        return str(error)
    except Exception:  # unknown to fsspec, or the library no longer has its class
        return None
    return None


def _url_of(place: Place) -> str:
    """Write a place for a message: with the id of its connection, and without what could be a secret."""
    if place.protocol in LOCAL:
        return place.path
    connection = f"{place.conn_id}@" if place.conn_id and ":" not in place.conn_id else ""
    return _QUERY.sub("", f"{place.protocol}://{connection}{place.path}")


def is_below(path: object) -> TypeGuard[str]:
    """
    Check that a relative path can't lead out of the folder it is joined to, whatever store that is in.

    :param path: as read from a file or a server; parts are separated by ``/``.
    :return: False for an absolute path, a drive or URL, an empty path or part, ``.`` and ``..``, a backslash, a control
        character, percent-encoding, and anything that is no text.
    """
    return isinstance(path, str) and _LEADS_OUT.search(path) is None


def join_below(folder: ObjectStoragePath, path: object) -> ObjectStoragePath:
    """
    Join a relative path that is not trusted to a folder.

    :param folder: a destination.
    :param path: see ``is_below``.
    :return: the path below the folder, with the folder's store and connection.
    :raises LessonspaceDestinationError: when it would be elsewhere.
    """
    if is_below(path):
        with suppress(ValueError):  # what else the library takes for another store's URL
            joined = folder / path
            if joined.path == f"{folder.path.rstrip('/')}/{path}":
                return joined
    raise LessonspaceDestinationError(
        f"The path {shown(path)} leads out of the destination {_url_of(place_of(folder))}: nothing was read or written "
        f"there. Correct the file that names it, or restore that file from a backup."
    )


def destination_error(path: ObjectStoragePath, error: Exception) -> LessonspaceDestinationError:
    """
    Make the error for a file that could not be written or read.

    :param path: the file or folder.
    :param error: the error of the system or of the store's library. Only words of an ``OSError`` or ``ImportError`` are
        repeated, and without what could be a secret: those of others may hold anything.
    """
    place = place_of(path)
    if not isinstance(error, ImportError) and _is_missing(place):
        return LessonspaceDestinationError(
            f"The destination {_url_of(place)} can't be written or read, since the connection {place.conn_id} was not "
            f"found ({_detail_of(error)}). Create it in Airflow, or correct the destination."
        )
    return LessonspaceDestinationError(
        f"The destination {_url_of(place)} can't be written or read ({_detail_of(error)}). {_advice(error)}."
    )


def _is_missing(place: Place) -> bool:
    """Whether a place's connection is not there; Airflow's filesystem of S3 then uses the process' own credentials."""
    if place.protocol in LOCAL or not place.conn_id or ":" in place.conn_id:
        return False
    from airflow.providers.common.compat.sdk import AirflowNotFoundException, BaseHook

    try:
        with _one_lookup:
            BaseHook.get_connection(place.conn_id)
    except AirflowNotFoundException:
        return True
    except Exception:  # the store's own error is reported
        return False
    return False


def _detail_of(error: Exception) -> str:
    from requests import RequestException  # an OSError, whose text holds a URL, and of WebHDFS a token with it

    kind = type(error).__name__
    if not isinstance(error, (OSError, ImportError)) or isinstance(error, RequestException):
        return kind
    return f"{kind}: {clean_words(str(getattr(error, 'strerror', None) or error), longest=_LONGEST_DETAIL)}"


def _without_secrets(text: str) -> str:
    return _USER.sub("", _QUERY.sub("", text))


def _advice(error: Exception) -> str:
    if isinstance(error, ImportError):
        return "Install the missing package on the workers"
    for codes, kind, advice in _ADVICE:
        if isinstance(error, OSError) and (error.errno in codes or (kind is not None and isinstance(error, kind))):
            return advice
    return "Check that the worker reaches the store, and check the destination's connection"


def _with_one_slash(destination: str) -> str:
    """Write file:////a like file:///a: a template may have made it, and ObjectStoragePath would make it relative."""
    protocol, _, rest = destination.partition("://")
    host, slash, path = rest.partition("/")
    return f"{protocol}://{host}/{path.lstrip('/')}" if slash and protocol in LOCAL else destination


def place_of(path: ObjectStoragePath) -> Place:
    """Give the place that a path leads to."""
    # Airflow 3.1 and older keep it with the options of the store.
    conn_id = getattr(path, "conn_id", None) or path.storage_options.get("conn_id")
    return Place(path.protocol, conn_id, path.path)


def _place_in(text: str) -> Place:
    """Give the place that a URL leads to, as Airflow reads it."""
    try:
        url = urlsplit(text)
    except ValueError:  # nor can Airflow
        return Place("", None, text)
    connection, _, host = url.netloc.rpartition("@")
    return Place(url.scheme, connection or None, host + url.path)


def _is_absolute(text: object) -> TypeGuard[str]:
    if not is_text(text) or "\0" in text:
        return False
    protocol, is_url, rest = text.partition("://")
    if not is_url:
        return text.startswith("/")
    if protocol not in LOCAL:
        return rest.strip("/") != ""
    host, _, _ = rest.partition("/")
    return protocol != "" and "/" in rest and host.rpartition("@")[2] == ""
