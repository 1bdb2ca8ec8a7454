# SPDX-License-Identifier: Apache-2.0
"""The settings of an Airflow connection of type ``lessonspace``, read once and checked. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import nan
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from lessonspace_provider.api.arguments import shown
from lessonspace_provider.exceptions import LessonspaceInputError
from lessonspace_provider.rate_limit.gate import RateLimitSettings

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Connection

DEFAULT_BASE_URL = "https://api.thelessonspace.com/v2"
DEFAULT_CONNECT_TIMEOUT = 10.0
DEFAULT_READ_TIMEOUT = 60.0
DEFAULT_RATE_LIMIT = RateLimitSettings(per_second=5.0, max_wait=600.0)

#: No number in a connection is larger: an operating system can't wait for any number of seconds, but for these.
LARGEST_NUMBER = 1_000_000

#: Characters of an organisation's id: it is part of paths, and messages quote paths.
LONGEST_ORGANISATION_ID = 64

#: Where the rate limit can be kept: on this machine, or in Redis for several.
BACKENDS = ("local", "redis")

#: The ports that a URL leads to when it names none.
_PORTS = {"http": 80, "https": 443}

#: The form of an API key.
_KEY = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

#: One that was spelled in another way, or pasted into a field that is not for it.
_ANY_KEY = re.compile(r"(?<!\w)[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}(?!\w)")


@dataclass(frozen=True)
class ConnectionSettings:
    """
    The settings of one connection.

    :param conn_id: the connection's id, for messages.
    :param base_url: API root without a trailing slash.
    :param api_key: the organisation's key; in no repr.
    :param organisation_id: None means: ask ``/my-organisation/``.
    :param connect_timeout: seconds, for each address of the host.
    :param read_timeout: seconds without a byte; a whole reply, with its connection, may take five times that.
    :param rate_limit: what decides which gate the key passes. Connections with the same key share one queue, so a lower
        figure in one of them holds up the calls behind its own.
    :param warnings: sentences about fields that are ignored.
    """

    conn_id: str
    base_url: str
    api_key: str = field(repr=False)
    organisation_id: str | None = None
    connect_timeout: float = DEFAULT_CONNECT_TIMEOUT
    read_timeout: float = DEFAULT_READ_TIMEOUT
    rate_limit: RateLimitSettings = DEFAULT_RATE_LIMIT
    warnings: tuple[str, ...] = ()

    @classmethod
    def from_connection(cls, connection: Connection) -> ConnectionSettings:
        """
        Read an Airflow connection.

        :param connection: its password is the API key, its host the base URL, the rest is in its extra
            (as numbers, or as text when the connection was written as a URI).
        :return: the settings, with defaults for what is not given.
        :raises LessonspaceInputError: naming the connection, the field and what is allowed.
        """
        fields = _Extra(connection.conn_id, _extra_fields(connection))
        base_url = _base_url(connection)
        return cls(
            conn_id=connection.conn_id,
            base_url=base_url,
            api_key=_api_key(connection),
            organisation_id=fields.organisation_id(),
            connect_timeout=fields.number("connect_timeout", DEFAULT_CONNECT_TIMEOUT),
            read_timeout=fields.number("timeout", DEFAULT_READ_TIMEOUT),
            rate_limit=fields.rate_limit(),
            warnings=(*fields.warnings(), *_warnings(connection, base_url)),
        )


def is_organisation_id(text: str) -> bool:
    """Whether a text can be the id of an organisation, which is an integer in practice."""
    return 0 < len(text) <= LONGEST_ORGANISATION_ID and text.isascii() and all(c.isalnum() or c in "-_" for c in text)


def _extra_fields(connection: Connection) -> dict[str, object]:
    """Take the extra, which Airflow gives as whatever JSON it holds."""
    extra: object = connection.extra_dejson
    if isinstance(extra, dict) and (extra or _is_blank_or_json(connection.extra)):
        return extra
    given = "text that is not JSON" if isinstance(extra, dict) else f"a {type(extra).__name__}"
    # It is not repeated: a person may have pasted a secret there.
    raise LessonspaceInputError(
        f"Connection {connection.conn_id!r}: its extra was refused: it must be a JSON object, such as "
        f'{{"organisation_id": 1234}}, and not {given}.'
    )


def _is_blank_or_json(text: str | None) -> bool:
    """Whether Airflow has read an extra, or, of what is not JSON, has made an empty one."""
    try:
        json.loads(text if text and text.strip() else "{}")
    except ValueError:
        return False
    return True


class _Extra:
    """Reads the extra fields of a connection; blank counts as not given, as the form leaves fields blank."""

    def __init__(self, conn_id: str, extra: dict[str, object]) -> None:
        self._conn_id = conn_id
        self._extra = extra
        self._read: set[str] = set()

    def warnings(self) -> Iterator[str]:
        """Warn of the fields that no setting was read from."""
        if unknown := sorted(set(self._extra) - self._read):
            yield (
                f"Connection {self._conn_id!r} has unknown extra fields, perhaps misspelt: {', '.join(unknown)}. Known "
                f"fields: {', '.join(sorted(self._read))}"
            )

    def _given(self, name: str) -> object:
        self._read.add(name)
        value = self._extra.get(name)
        return None if isinstance(value, str) and not value.strip() else value

    def number(self, name: str, default: float, *, zero_allowed: bool = False) -> float:
        """Read a number of seconds or requests."""
        value = self._given(name)
        if value is None:
            return default
        try:
            number = float(value) if isinstance(value, (str, int, float)) else nan
        except (ValueError, OverflowError):
            number = nan
        in_range = number <= LARGEST_NUMBER and (number > 0 or (number == 0 and zero_allowed))
        if isinstance(value, bool) or not in_range:
            raise LessonspaceInputError(
                f"Connection {self._conn_id!r}: {name}={_hidden_if_key(value)} was refused: it must be a number"
                f"{' of 0 or more' if zero_allowed else ' above 0'}, and at most {LARGEST_NUMBER}."
            )
        return number

    def text(self, name: str) -> str | None:
        """Read a text."""
        value = self._given(name)
        if value is None:
            return None
        if not isinstance(value, str):
            raise LessonspaceInputError(f"Connection {self._conn_id!r}: {name} was refused: it must be text.")
        return value.strip()

    def directory(self, name: str) -> str | None:
        """Read a folder; a relative one would be another for each process, and so would the queue in it."""
        folder = self.text(name)
        if folder is not None and not folder.startswith(("/", "~")):
            raise LessonspaceInputError(
                f"Connection {self._conn_id!r}: {name}={_hidden_if_key(folder)} was refused: it must be an absolute "
                f"path, or begin with ~, the user's home."
            )
        return folder

    def rate_limit(self) -> RateLimitSettings:
        """Read how fast calls may be made, and where that is kept."""
        return RateLimitSettings(
            per_second=self.number("rate_limit_per_second", DEFAULT_RATE_LIMIT.per_second, zero_allowed=True),
            max_wait=self.number("rate_limit_max_wait", DEFAULT_RATE_LIMIT.max_wait),
            directory=self.directory("rate_limit_dir"),
            redis_conn_id=self._redis_conn_id(),
        )

    def _redis_conn_id(self) -> str | None:
        conn_id, backend = self.text("rate_limit_redis_conn_id"), self.text("rate_limit_backend") or "local"
        if backend not in BACKENDS:
            raise LessonspaceInputError(
                f"Connection {self._conn_id!r}: rate_limit_backend={_hidden_if_key(backend)} was refused: it must be "
                f"one of {', '.join(BACKENDS)}."
            )
        if backend == "redis" and conn_id is None:
            raise LessonspaceInputError(
                f"Connection {self._conn_id!r}: rate_limit_backend 'redis' needs rate_limit_redis_conn_id: the id of "
                f"an Airflow connection of type redis."
            )
        return conn_id if backend == "redis" else None

    def organisation_id(self) -> str | None:
        """Read the organisation's id, an integer in practice."""
        value = self._given("organisation_id")
        if value is None:
            return None
        text = str(value).strip()
        # An API key would be part of all paths, and messages quote paths.
        if isinstance(value, bool) or not is_organisation_id(text) or _ANY_KEY.search(text.lower()):
            raise LessonspaceInputError(
                f"Connection {self._conn_id!r}: organisation_id={_hidden_if_key(value)} was refused: it must be the "
                f"organisation's id, such as 1234. Leave it blank to request it with the API key."
            )
        return text


def _hidden_if_key(value: object) -> str:
    """Write a refused value for a message, unless it is an API key, pasted into the wrong field."""
    return "<an API key>" if _ANY_KEY.search(shown(value).lower()) else shown(value)


def _base_url(connection: Connection) -> str:
    host = (connection.host or "").strip() or DEFAULT_BASE_URL
    host = (host if "://" in host else f"https://{host}").rstrip("/")
    path = _path_of_base_url(host)
    if path is None:
        # The host is not repeated: a person may have written a user and password into it.
        raise LessonspaceInputError(
            f"Connection {connection.conn_id!r}: the host was refused: it must be the API's base URL, such as "
            f"{DEFAULT_BASE_URL}, and https for Lessonspace's own."
        )
    return host if path else f"{host}/v2"


def _warnings(connection: Connection, base_url: str) -> Iterator[str]:
    """Warn of port and schema where they contradict the host, which alone is the base URL."""
    parts, schema = urlsplit(base_url), str(connection.schema or "").strip().strip("/").lower()
    ignored = []
    if connection.port and connection.port != (parts.port or _PORTS[parts.scheme]):
        ignored.append("port")
    if schema and schema not in (parts.scheme, parts.path.strip("/").lower()):
        ignored.append("schema")
    if ignored:
        yield (
            f"Connection {connection.conn_id!r}: {' and '.join(ignored)} ignored: the host alone is the base URL, "
            f"{base_url}. Write the whole URL into the host."
        )


def _path_of_base_url(host: str) -> str | None:
    """
    Check a base URL.

    :return: its path, blank when it is missing: all of the API is under ``/v2/`` (reference). None when the URL
        can't be used, or would carry the key to Lessonspace in the clear.
    """
    try:
        parts = urlsplit(host)
        port_is_a_number = parts.port != 0
    except ValueError:
        return None
    own = (parts.hostname or "").rstrip(".").endswith("thelessonspace.com")
    good = (
        port_is_a_number
        and parts.hostname
        and parts.scheme in (("https",) if own else ("http", "https"))
        and not any(character in "?#@\\" or character.isspace() for character in host)
    )
    return parts.path if good else None


def _api_key(connection: Connection) -> str:
    key = (connection.password or "").strip()
    if not key:
        raise LessonspaceInputError(
            f"Connection {connection.conn_id!r} has no API key: enter it in the connection's API key field "
            f"(the password)."
        )
    if not _KEY.fullmatch(key):
        raise LessonspaceInputError(
            f"Connection {connection.conn_id!r}: the API key was refused: it must be the bare key, a lower-case "
            f"UUID such as 01234567-89ab-4cde-8f01-23456789abcd, without 'Organisation' or spaces before it."
        )
    return key
