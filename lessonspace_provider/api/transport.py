# SPDX-License-Identifier: Apache-2.0
"""The one HTTP path to Lessonspace: authorised, rate limited and retried."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from http.cookiejar import DefaultCookiePolicy
from typing import TypeVar
from urllib.parse import parse_qsl, urlsplit

import requests
from requests.auth import AuthBase
from tenacity import RetryCallState
from urllib3.exceptions import HTTPError

from lessonspace_provider import __version__
from lessonspace_provider.api.connection import ConnectionSettings
from lessonspace_provider.api.errors import Call, Reply, no_reply, no_whole_reply
from lessonspace_provider.api.exchange import Deadline, Exchange, ExchangeAdapter, under_way
from lessonspace_provider.api.foreign_words import clean_host, holds_key
from lessonspace_provider.api.log import Log
from lessonspace_provider.api.paging import Query, Source
from lessonspace_provider.api.replaced_errors import ErrorsReplaced
from lessonspace_provider.api.request_metrics import MeasuredRequest
from lessonspace_provider.api.responses import (
    ACCEPTED_ENCODING,
    LARGEST_FILE,
    LARGEST_OBJECT,
    LARGEST_PAGE,
    Answer,
    read_answer,
    read_file,
    read_reply,
)
from lessonspace_provider.api.retries import http_date, retry_policy
from lessonspace_provider.api.times import read_time
from lessonspace_provider.exceptions import (
    LessonspaceConnectionError,
    LessonspaceInputError,
    LessonspaceRateLimitedError,
    LessonspaceServerError,
)
from lessonspace_provider.rate_limit.gate import Gate, OpenGate

#: How many read timeouts an exchange may take from its connection's beginning to the reply's end, the wait for the
#: rate limit excepted: a timeout of requests only bounds the wait for the reply's next byte.
READ_TIMEOUTS_PER_REPLY = 5

Result = TypeVar("Result")


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


class _Session(requests.Session):
    """Keeps no cookie, and follows no redirect."""

    def __init__(self) -> None:
        super().__init__()
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
        self.headers["User-Agent"] = f"airflow-provider-lessonspace/{__version__}"
        self.headers["Accept"] = "application/json"
        self.headers["Accept-Encoding"] = ACCEPTED_ENCODING
        for scheme in ("https://", "http://"):
            self.mount(scheme, ExchangeAdapter())

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Find none: where there is one, requests reads the body to its end, however large it is."""


class Transport:
    """
    Makes the calls of one hook: those to the API pass the gate, downloads from the store do not.

    :param settings: the connection.
    :param gate: what every call to the API host passes.
    :param log: where retries are reported, without queries, headers or bodies.
    :param clock: monotonic seconds.
    """

    def __init__(
        self,
        settings: ConnectionSettings,
        gate: Gate,
        log: Log,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._gate = gate
        self._log = log
        self._clock = clock
        self._session = _Session()
        self._server_date: tuple[datetime, float] | None = None

    def close(self) -> None:
        """Close the connections that are not in use."""
        self._session.close()

    def call(
        self,
        method: str,
        path: str,
        *,
        query: Query = (),
        body: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        largest: int = LARGEST_OBJECT,
    ) -> Answer:
        """
        Make one API call, retried where that can help.

        ``rate_limit_max_wait`` bounds each wait at the gate, and the time after the first attempt in which retries
        begin: a call that had to queue for long has its retries anyway.

        :param method: HTTP method.
        :param path: path below the base URL, with its trailing slash.
        :param query: name and text of each query parameter.
        :param body: JSON material.
        :param headers: headers beside the usual ones.
        :param largest: bytes that the answer's body may have.
        :return: the first good answer.
        :raises LessonspaceError: of the kind that fits, when there is none.
        """
        if holds_key(path, self._settings.api_key):  # pasted in place of an id, and every message names the path
            raise LessonspaceInputError(
                f"The API key of connection {self._settings.conn_id!r} was given in place of an id: give the id of a "
                f"session, space or user. Nothing was sent.",
                method=method,
            )
        call = Call(method, path, self._settings.conn_id)
        request = requests.Request(
            method,
            f"{self._settings.base_url}{path}",
            params=list(query),
            json=body,
            headers=dict(headers or {}),
            auth=_OrganisationKey(self._settings.api_key),
        )
        prepared = self._prepare(request, call)

        def attempt() -> Answer:
            with MeasuredRequest(self._gate) as measured:
                reply = self._send(prepared, call, measured.acquire, largest)
                measured.status = reply.status
            self._keep_date(reply)
            try:
                return read_answer(reply, call, self._settings.api_key)
            except LessonspaceRateLimitedError as error:
                self._pause_all_callers(error.retry_after)
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
        :raises LessonspaceLinkExpiredError: 403 or 400 of an expired link, ask for a new one.
        :raises LessonspaceError: of the kind that fits, after all retries.
        """
        call = Call("GET", what, self._settings.conn_id)
        if not self._is_safe_link(url):
            raise call.error(
                LessonspaceServerError,
                f"{call}: the API returned a link that is not an https address. It was not followed. Ask Lessonspace "
                f"about it.",
            )
        prepared = self._prepare(requests.Request("GET", url, auth=_no_authorisation), call)
        return self._retried(lambda: read_file(self._send(prepared, call, OpenGate().acquire, LARGEST_FILE), call))

    def pages(self, path: str) -> Source:
        """
        Give the source of the pages of a list.

        :param path: the list's path below the base URL.
        """
        return Source(
            Call("GET", path, self._settings.conn_id),
            get=lambda query: self.call("GET", path, query=query, largest=LARGEST_PAGE).body,
            query_of_next_page=lambda link: self.query_of_next_page(link, path),
        )

    def query_of_next_page(self, link: str, path: str) -> Query:
        """
        Take the query of a list's ``next`` link, which must stay on the API's host and at the list's path.

        Nothing but its query is used: a server behind a proxy may write ``http://``, and the key would then
        travel in the clear.

        :param link: the absolute link.
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
            f"GET {path}: the link to the next page leads to {place} and was not followed. Check the host of "
            f"connection {self._settings.conn_id!r}.",
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

    def _pause_all_callers(self, retry_after: float | None) -> None:
        # Half of what any caller would wait: an absurd Retry-After must neither stop the key for good nor let the waits
        # of all who queue run out.
        longest = self._settings.rate_limit.max_wait / 2
        self._gate.pause(None if retry_after is None else min(retry_after, longest))

    def _prepare(self, request: requests.Request, call: Call) -> requests.PreparedRequest:
        def failure(error: Exception) -> LessonspaceInputError:
            return call.error(
                LessonspaceInputError,
                f"{call} is not a valid request ({type(error).__name__}). Check its values for invalid characters, and "
                f"the host of connection {call.conn_id!r}. Nothing was sent.",
            )

        with ErrorsReplaced(failure, requests.RequestException, ValueError):  # which hold the URL or the body
            return self._session.prepare_request(request)

    def _send(self, prepared: requests.PreparedRequest, call: Call, acquire: Callable[[], None], largest: int) -> Reply:
        environment = self._session.merge_environment_settings(prepared.url, {}, True, None, None)
        timeouts = (self._settings.connect_timeout, self._settings.read_timeout)
        seconds = READ_TIMEOUTS_PER_REPLY * self._settings.read_timeout
        deadline = Deadline(seconds)

        def failure(error: Exception) -> LessonspaceConnectionError:
            return no_whole_reply(call, seconds) if deadline.has_passed else no_reply(error, call)

        with (
            ErrorsReplaced(failure, OSError, ValueError, HTTPError),  # all of requests' own are OSErrors
            under_way(Exchange(acquire, deadline)),
            self._session.send(prepared, timeout=timeouts, allow_redirects=False, **environment) as response,
        ):
            reply = read_reply(response, call, largest, deadline)
        if deadline.has_passed:
            raise no_whole_reply(call, seconds)
        return reply

    def _retried(self, attempt: Callable[[], Result]) -> Result:
        return retry_policy(longest=self._settings.rate_limit.max_wait, before_sleep=self._report)(attempt)

    def _report(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        self._log.warning("Attempt %d failed, next in %.1f s: %s", state.attempt_number, state.upcoming_sleep, error)
