# SPDX-License-Identifier: Apache-2.0
"""The API's clock, as its replies show it."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta, timezone

import pytest

from lessonspace_provider.api.connection import ConnectionSettings
from lessonspace_provider.api.transport import Transport
from lessonspace_provider.exceptions import LessonspaceError
from lessonspace_provider.rate_limit.gate import OpenGate
from tests.unit.hooks.known import API, KEY, LINK

HELLO = f"{API}/hello/"
DATE = "Mon, 23 Nov 2026 08:00:00 GMT"
NOW = datetime(2026, 11, 23, 8, tzinfo=timezone.utc)


def reply(date, **more):
    return {"headers": {} if date is None else {"Date": date}, "json": {"response": "The sun is shining"}, **more}


def test_server_time_is_the_last_date_plus_the_time_since(requests_mock):
    seconds = [100.0]
    settings = ConnectionSettings("lessonspace_default", API, KEY)
    transport = Transport(settings, OpenGate(), logging.getLogger("quiet"), clock=lambda: seconds[0])
    assert transport.server_time() is None
    requests_mock.get(HELLO, **reply(DATE))
    transport.call("GET", "/hello/")
    assert transport.server_time() == NOW
    seconds[0] += 90
    assert transport.server_time() == NOW + timedelta(seconds=90)


@pytest.mark.parametrize(
    "date", [None, "", "soon", "Mon, 99 Nov 2026 08:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 GMT", "\ud800"]
)
def test_a_reply_without_a_readable_date_shows_no_time(hook, requests_mock, date):
    requests_mock.get(HELLO, **reply(date))
    hook.hello()
    assert hook.server_time() is None


def test_a_refusal_shows_the_servers_time_too(hook, requests_mock):
    requests_mock.get(HELLO, **reply(DATE, status_code=400))
    with pytest.raises(LessonspaceError):
        hook.hello()
    assert hook.server_time() >= NOW


def test_the_store_behind_a_signed_link_shows_no_server_time(hook, requests_mock):
    requests_mock.get(LINK, headers={"Date": DATE}, json=[])
    hook.get_conn().download(LINK, "transcript file")
    assert hook.server_time() is None
