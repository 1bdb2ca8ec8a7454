# SPDX-License-Identifier: Apache-2.0
"""The one HTTP path to Lessonspace: authorised, rate limited and retried."""

from __future__ import annotations

import io
import logging
import ssl
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from contextvars import ContextVar
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol, TypeVar, cast
from urllib.parse import parse_qsl, urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from tenacity import RetryCallState
from urllib3.connectionpool import ConnectionPool, HTTPConnectionPool
from urllib3.exceptions import HTTPError

from lessonspace_provider import __version__
from lessonspace_provider.exceptions import (
    LessonspaceConnectionError,
    LessonspaceError,
    LessonspaceInputError,
    LessonspaceRateLimitedError,
    LessonspaceServerError,
    LessonspaceTlsError,
)
from lessonspace_provider.foreign_words import clean_host
from lessonspace_provider.hooks.answers import Answer, Call, Reply, read_answer, read_file
from lessonspace_provider.hooks.connection_settings import ConnectionSettings
from lessonspace_provider.rate_limit import Gate
from lessonspace_provider.retries import http_date, retry_policy
from lessonspace_provider.times import read_time

if TYPE_CHECKING:
    from urllib3.connection import HTTPConnection

#: How many read timeouts a whole reply may take, since a timeout of requests only says how long to wait for its next
#: byte: a server that drips them out would hold a task for ever.
READ_TIMEOUTS_PER_REPLY = 5

#: No reply may be larger, in bytes; the transcript of a long day's session has some 50 MB at most (assumption).
LARGEST_BODY = 256 * 1024 * 1024

#: Bytes that are asked for at once.
_PIECE = 64 * 1024

#: How OpenSSL calls an answer that is no TLS: up to 3.1, and from 3.2 on.
_NO_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE")

Query = Sequence[tuple[str, str]]
Result = TypeVar("Result")


class Logger(Protocol):
    """The part of a logger that is used here."""

    def warning(self, message: str, /, *args: object) -> None:
        """Log a line."""


class _OrganisationKey(AuthBase):
    """Adds the API key. As ``auth`` and not as a header, or requests would prefer an entry of ~/.netrc."""

    def __init__(self, api_key: str) -> None:
        self._api_key = api_key

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Organisation {self._api_key}"
        return request


def _no_authorisation(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Leave the request as it is: without an ``auth`` of ours, requests would take one from ~/.netrc."""
    return request


_sending: ContextVar[bool] = ContextVar("lessonspace_sending", default=False)


class _NotOurCalls(logging.Filter):
    """Drops urllib3's lines about our calls: they hold signed links, and queries with people's names."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not _sending.get()


# All of urllib3's loggers that ever write a URL: a filter does not reach the loggers below its own.
for _name in ("connection", "connectionpool", "poolmanager", "response", "util.retry"):
    logging.getLogger(f"urllib3.{_name}").addFilter(_NotOurCalls())


@contextmanager
def _unlogged() -> Iterator[None]:
    token = _sending.set(True)
    try:
        yield
    finally:
        _sending.reset(token)


class _GatedAdapter(HTTPAdapter):
    """
    Sends a request when it has its permit, over a connection that is open by then.

    A handshake between the permit and the request would let a new process call later than its turn, and whoever follows
    over an open connection too soon after it.
    """

    def __init__(self, gate: Gate, connect_timeout: float) -> None:
        super().__init__()
        self._gate = gate
        self._connect_timeout = connect_timeout

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: float | tuple[float, float] | tuple[float, None] | None = None,
        verify: bool | str = True,
        cert: bytes | str | tuple[bytes | str, bytes | str] | None = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        with ExitStack() as held:
            with suppress(OSError, ValueError, HTTPError):  # what goes wrong here does so again below, and is told then
                # Its stubs know a narrower ``cert`` than send() is given, and no types for what follows.
                pool = self.get_connection_with_tls_context(request, verify, proxies, cert)  # type: ignore[arg-type]
                # As requests does before it connects: without it, the machine's own certificates would be trusted.
                self.cert_verify(pool, request.url, verify, cert)  # type: ignore[no-untyped-call]
                held.enter_context(_open_connection(pool, self._connect_timeout))
            self._gate.acquire()
        return super().send(request, stream, timeout, verify, cert, proxies)


@contextmanager
def _open_connection(pool: ConnectionPool, timeout: float) -> Iterator[None]:
    """Hold a connection open for the request that follows, unless a proxy's is to be made with the request."""
    if not isinstance(pool, HTTPConnectionPool) or pool.proxy is not None:
        yield
        return
    connection = cast("HTTPConnection", pool._get_conn())
    try:
        if connection.is_closed:
            connection.timeout = timeout
            _connect(connection)
        yield
        _read_tickets(connection)
    finally:
        pool._put_conn(connection)


def _connect(connection: HTTPConnection) -> None:
    try:
        connection.connect()
    except BaseException:
        connection.close()  # or it would count as open after a handshake that failed
        raise


def _read_tickets(connection: HTTPConnection) -> None:
    """Read what a TLS server sends after its handshake: urllib3 opens a connection anew that has something to read."""
    if isinstance(connection.sock, ssl.SSLSocket):
        connection.sock.settimeout(0)  # the request sets its own
        try:
            connection.sock.recv(1)
        except ssl.SSLWantReadError:
            return
        except OSError:
            pass
        connection.close()  # it has ended, or the server says what nobody has asked for


def _session() -> requests.Session:
    session = requests.Session()
    session.headers["User-Agent"] = f"airflow-provider-lessonspace/{__version__}"
    session.headers["Accept"] = "application/json"
    return session


class Transport:
    """
    Makes the calls of one hook: those to the API pass the gate, downloads from the store do not.

    :param settings: the connection.
    :param gate: what every call to the API host passes.
    :param log: where retries are reported, without queries, headers or bodies.
    :param sleep: waits that many seconds.
    :param clock: monotonic seconds.
    """

    def __init__(
        self,
        settings: ConnectionSettings,
        gate: Gate,
        log: Logger,
        *,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._gate = gate
        self._log = log
        self._sleep = sleep
        self._clock = clock
        self._server_date: tuple[datetime, float] | None = None
        self._to_api, self._to_store = _session(), _session()
        for scheme in ("https://", "http://"):
            self._to_api.mount(scheme, _GatedAdapter(gate, settings.connect_timeout))

    def close(self) -> None:
        """Close the connections."""
        self._to_api.close()
        self._to_store.close()

    def call(
        self,
        method: str,
        path: str,
        *,
        query: Query = (),
        body: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """
        Make one API call, retried as the guarantees say.

        ``rate_limit_max_wait`` bounds each wait at the gate, and the time after the first attempt in which retries
        begin: a call that had to queue for long has its retries all the same.

        :param method: HTTP method.
        :param path: path below the base URL, with its trailing slash.
        :param query: name and text of each query parameter.
        :param body: JSON material.
        :param headers: headers beside the usual ones.
        :return: the first good answer.
        :raises LessonspaceError: of the kind that fits, when there is none.
        """
        call = Call(method, path, self._settings.conn_id)
        request = requests.Request(
            method,
            f"{self._settings.base_url}{path}",
            params=list(query),
            json=body,
            headers=dict(headers or {}),
            auth=_OrganisationKey(self._settings.api_key),
        )
        prepared = self._prepare(self._to_api, request, call)

        def attempt() -> Answer:
            reply = self._send(self._to_api, prepared, call)
            self._keep_date(reply)
            try:
                return read_answer(reply, call, self._settings.api_key)
            except LessonspaceRateLimitedError as error:
                self._hold_everybody_back(error.retry_after)
                raise

        return self._retried(attempt)

    def server_time(self) -> datetime | None:
        """
        Give the present by the API's clock: the ``Date`` of its last reply, plus the time that has passed since.

        :return: aware, in UTC; None before the first reply, and while no reply had a ``Date``.
        """
        if self._server_date is None:
            return None
        date, read_at = self._server_date
        return date + timedelta(seconds=self._clock() - read_at)

    def _keep_date(self, reply: Reply) -> None:
        if (date := read_time(http_date(reply.headers.get("Date", "")))) is not None:
            self._server_date = (date, self._clock())

    def download(self, url: str, what: str) -> object:
        """
        Fetch the JSON file behind a signed link, without the API key and outside the rate limit.

        :param url: the signed link; it appears in no message.
        :param what: names the file in messages, e.g. ``transcript file of session <uuid>``.
        :return: the file's JSON, a list as a ``JsonList``.
        :raises LessonspaceLinkExpiredError: 403, ask for a new link.
        :raises LessonspaceError: of the kind that fits, after all retries.
        """
        call = Call("GET", what, self._settings.conn_id)
        if not self._is_safe_link(url):
            raise LessonspaceServerError(
                f"{call}: the API gave a link that is no https address, and it was not followed. Ask Lessonspace about "
                f"it.",
                method=call.method,
                path=call.path,
            )
        prepared = self._prepare(self._to_store, requests.Request("GET", url, auth=_no_authorisation), call)
        return self._retried(lambda: read_file(self._send(self._to_store, prepared, call), call))

    def query_of_next_page(self, link: str, path: str) -> Query:
        """
        Take the query of a list's ``next`` link, which must stay on the API's host and at the list's path.

        Nothing but its query is used: a server behind a proxy may write ``http://``, and the key would then
        travel in the clear.

        :param link: the absolute link (facts, C).
        :param path: the list's path below the base URL.
        :return: the query of the next page.
        :raises LessonspaceServerError: when the link leads elsewhere.
        """
        here = urlsplit(f"{self._settings.base_url}{path}")
        try:
            there = urlsplit(link)
            if there.hostname == here.hostname and there.path.rstrip("/") == here.path.rstrip("/"):
                return parse_qsl(there.query, keep_blank_values=True)
            place = f"host {clean_host(link, api_key=self._settings.api_key)}"
        except ValueError:
            place = "no address at all"
        raise LessonspaceServerError(
            f"GET {path}: the link to the next page leads to another place ({place}) and was not followed: check the "
            f"host of connection {self._settings.conn_id!r}.",
            method="GET",
            path=path,
        )

    def _is_safe_link(self, url: str) -> bool:
        """Files travel encrypted, unless the API itself does not, as a local one."""
        try:
            link = urlsplit(url)
        except ValueError:
            return False
        return bool(link.hostname) and link.scheme in ("https", urlsplit(self._settings.base_url).scheme)

    def _hold_everybody_back(self, retry_after: float | None) -> None:
        # Half of what anybody would wait: an absurd Retry-After must neither stop the key for good nor let the waits
        # of all who queue run out.
        longest = self._settings.rate_limit_max_wait / 2
        self._gate.pause(None if retry_after is None else min(retry_after, longest))

    def _prepare(self, session: requests.Session, request: requests.Request, call: Call) -> requests.PreparedRequest:
        try:
            return session.prepare_request(request)
        except (requests.RequestException, ValueError) as error:
            # Its message holds the URL or the body, so only the kind goes on, and no chain of exceptions.
            reason = type(error).__name__
        raise LessonspaceInputError(
            f"{call} can't be written as a request ({reason}): check its values for characters that are no text, and "
            f"the host of connection {call.conn_id!r}. Nothing was sent.",
            method=call.method,
            path=call.path,
        )

    def _send(self, session: requests.Session, prepared: requests.PreparedRequest, call: Call) -> Reply:
        environment = session.merge_environment_settings(prepared.url, {}, True, None, None)
        timeouts = (self._settings.connect_timeout, self._settings.read_timeout)
        try:
            with (
                _unlogged(),
                session.send(prepared, timeout=timeouts, allow_redirects=False, **environment) as response,
            ):
                return Reply(response.status_code, response.headers, self._read_body(response, call))
        except LessonspaceError:
            raise
        except (OSError, ValueError, HTTPError) as error:
            # All of requests' own are OSErrors. The message holds the URL with its query, so only the kind goes on.
            failure = _no_answer(error, call)
        raise failure

    def _read_body(self, response: requests.Response, call: Call) -> bytes:
        body = io.BytesIO()
        deadline = self._clock() + READ_TIMEOUTS_PER_REPLY * self._settings.read_timeout
        # Not iter_content(): that returns only when a piece is full, however slowly it fills.
        while piece := response.raw.read1(_PIECE, decode_content=True):
            body.write(piece)
            if body.tell() > LARGEST_BODY:
                raise LessonspaceServerError(
                    f"{call}: the answer is larger than {LARGEST_BODY >> 20} MB and was not read to its end. Check "
                    f"that the host of connection {call.conn_id!r} is the API's base URL, or ask Lessonspace.",
                    status=response.status_code,
                    method=call.method,
                    path=call.path,
                )
            if self._clock() > deadline:
                raise LessonspaceConnectionError(
                    f"{call}: the answer had not come to its end after {READ_TIMEOUTS_PER_REPLY} read timeouts of "
                    f"{self._settings.read_timeout:g} s: the connection is slow, or the server. Raise timeout in "
                    f"connection {call.conn_id!r} if this lasts.",
                    method=call.method,
                    path=call.path,
                )
        return body.getvalue()

    def _retried(self, attempt: Callable[[], Result]) -> Result:
        longest = self._settings.rate_limit_max_wait
        policy = retry_policy(longest=longest, sleep=self._sleep, before_sleep=self._report)
        return policy(attempt)

    def _report(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        self._log.warning("Try %d failed, next in %.1f s: %s", state.attempt_number, state.upcoming_sleep, error)


def _no_answer(error: BaseException, call: Call) -> LessonspaceConnectionError:
    """Say why there was no answer, and what to do."""
    kind, what = _kind_and_reason(error, call)
    return kind(f"{call}: {what}", method=call.method, path=call.path)


def _kind_and_reason(error: BaseException, call: Call) -> tuple[type[LessonspaceConnectionError], str]:
    of_api = call.path.startswith("/")  # else it is a file's name
    host = f"the host of connection {call.conn_id!r}" if of_api else "the store behind the signed link"
    tls = _tls_error(error)
    if isinstance(tls, ssl.SSLCertVerificationError):
        return LessonspaceTlsError, (
            f"the server's certificate was refused ({getattr(tls, 'verify_message', tls.reason)}). Check {host}, or "
            f"let this machine trust whoever signed it (REQUESTS_CA_BUNDLE names a file of certificates)."
        )
    if tls is not None and tls.reason in _NO_TLS:
        advice = f"begin {host} with http://, or give the port that does" if of_api else f"check the way to {host}"
        return LessonspaceTlsError, f"the server, or a proxy before it, speaks no TLS there: {advice}."
    spelling = ", that it begins with the right http:// or https://," if of_api else ""
    return LessonspaceConnectionError, (
        f"no answer ({_kind_of(error)}). Check that this machine reaches {host}{spelling} and that the timeouts of "
        f"connection {call.conn_id!r} are long enough."
    )


def _tls_error(error: BaseException | None) -> ssl.SSLError | None:
    """Find Python's own error, which knows the reason, below those of requests and urllib3."""
    while error is not None and not isinstance(error, ssl.SSLError):
        error = error.__cause__ or error.__context__
    return error


def _kind_of(error: BaseException) -> str:
    """Name the kind of a failure: urllib3's, which tells more than requests' own, where there is one."""
    cause = error.args[0] if error.args else error
    cause = getattr(cause, "reason", cause)
    return type(cause if isinstance(cause, Exception) else error).__name__
