# SPDX-License-Identifier: Apache-2.0
"""What is tried again, how often and after how long; every wait ends."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

import pytest
import requests
from requests_mock import ANY

from lessonspace_provider.api.connection import ConnectionSettings
from lessonspace_provider.api.retries import ATTEMPTS, LONGEST_BACKOFF, SHORTEST_WAIT
from lessonspace_provider.api.transport import Transport
from lessonspace_provider.exceptions import (
    LessonspaceConnectionError,
    LessonspaceError,
    LessonspaceLinkExpiredError,
    LessonspaceRateLimitedError,
    LessonspaceServerError,
)
from lessonspace_provider.rate_limit.gate import OpenGate
from tests.unit.hooks.known import API, KEY, LAUNCH, LAUNCH_PATH, LINK, SESSION, SESSION_PATH, USERS_PATH, sent

HELLO = f"{API}/hello/"
GOOD = {"json": {"response": "The sun is shining"}}
RESET = {"exc": requests.exceptions.ConnectionError}
TIMEOUT = {"exc": requests.exceptions.ReadTimeout}
NOT_JSON = {"text": "<h1>Maintenance</h1>"}


def too_many(**headers):
    return {"status_code": 429, "headers": {name.replace("_", "-"): value for name, value in headers.items()}}


def transport():
    return Transport(ConnectionSettings("lessonspace_default", API, KEY), OpenGate(), logging.getLogger("quiet"))


@pytest.mark.parametrize(
    "bad",
    [RESET, TIMEOUT, NOT_JSON, {"content": b""}, *({"status_code": status} for status in (500, 502, 503, 504, 599))],
)
def test_a_fault_is_tried_again_until_it_has_passed(hook, requests_mock, clock, bad):
    requests_mock.get(HELLO, [bad] * (ATTEMPTS - 1) + [GOOD])
    assert hook.hello() == "The sun is shining"
    assert len(sent(requests_mock)) == ATTEMPTS
    assert len(clock.waits) == ATTEMPTS - 1


@pytest.mark.parametrize(
    ("bad", "kind"),
    [
        (RESET, LessonspaceConnectionError),
        (TIMEOUT, LessonspaceConnectionError),
        (NOT_JSON, LessonspaceServerError),
        ({"status_code": 500}, LessonspaceServerError),
    ],
)
def test_a_fault_that_stays_is_an_error_after_so_many_attempts(hook, requests_mock, clock, bad, kind):
    requests_mock.get(HELLO, **bad)
    with pytest.raises(kind):
        hook.hello()
    assert len(sent(requests_mock)) == ATTEMPTS


def test_the_waits_between_faults_grow_are_jittered_and_capped(connect, requests_mock, clock):
    requests_mock.get(HELLO, status_code=500)
    waits = []
    for _ in range(60):
        with pytest.raises(LessonspaceServerError):
            connect().hello()
        waits.append(tuple(clock.waits))
        clock.waits.clear()
    longest = [max(column) for column in zip(*waits, strict=True)]
    assert all(wait <= min(2**number, LONGEST_BACKOFF) for number, wait in enumerate(longest))
    assert longest[-1] > 2 * longest[0]
    assert len({wait for row in waits for wait in row}) > 200


@pytest.mark.parametrize("status", [301, 302, 307, 400, 401, 403, 404, 405, 409, 422])
@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE", "POST"])
def test_what_would_be_the_same_the_next_time_is_asked_once(hook, requests_mock, clock, status, method):
    requests_mock.request(method, ANY, status_code=status, headers={"Location": "https://x.example/"})
    call = {
        "GET": lambda: hook.get_session(SESSION),
        "PATCH": lambda: hook.update_session(SESSION, name="Algebra"),
        "DELETE": lambda: hook.remove_user(7),
        "POST": lambda: hook.launch_space("maths"),
    }[method]
    with pytest.raises(LessonspaceError):
        call()
    assert len(sent(requests_mock)) == 1
    assert clock.waits == []


@pytest.mark.parametrize("count", [1, ATTEMPTS, 3 * ATTEMPTS])
def test_a_429_is_waited_out_as_often_as_it_comes(hook, requests_mock, clock, count):
    requests_mock.get(HELLO, [too_many(Retry_After="1")] * count + [GOOD])
    assert hook.hello() == "The sun is shining"
    assert clock.waits == [1.0] * count


def test_429s_do_not_count_as_faults(hook, requests_mock, clock):
    requests_mock.get(HELLO, [too_many(), {"status_code": 500}] * (ATTEMPTS - 1) + [too_many(), GOOD])
    assert hook.hello() == "The sun is shining"


@pytest.mark.parametrize("status", [429, 500, 503])
def test_retry_after_in_seconds_is_waited_exactly(hook, requests_mock, clock, status):
    requests_mock.get(HELLO, [{"status_code": status, "headers": {"Retry-After": "17.5"}}, GOOD])
    hook.hello()
    assert clock.waits == [17.5]


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_as_a_date_is_waited_for(hook, requests_mock, clock, status):
    later = format_datetime(datetime.now(timezone.utc) + timedelta(seconds=300), usegmt=True)
    requests_mock.get(HELLO, [{"status_code": status, "headers": {"Retry-After": later}}, GOOD])
    hook.hello()
    assert clock.waits == [pytest.approx(300, abs=30)]


@pytest.mark.parametrize("at_once", ["0", "-5", "Wed, 21 Oct 2015 07:28:00 GMT"])
def test_a_server_that_sends_retry_after_0_is_not_asked_in_a_busy_loop(hook, requests_mock, clock, at_once):
    requests_mock.get(HELLO, [too_many(Retry_After=at_once)] * 3 + [GOOD])
    hook.hello()
    assert clock.waits == [SHORTEST_WAIT] * 3


@pytest.mark.parametrize("header", ["601", "1e300", "Fri, 31 Dec 9999 23:59:59 GMT"])
@pytest.mark.parametrize(("status", "kind"), [(429, LessonspaceRateLimitedError), (503, LessonspaceServerError)])
def test_an_absurd_retry_after_ends_the_call_at_once(hook, requests_mock, clock, header, status, kind):
    requests_mock.get(HELLO, status_code=status, headers={"Retry-After": header})
    with pytest.raises(kind) as caught:
        hook.hello()
    assert caught.value.retry_after > 600
    assert len(sent(requests_mock)) == 1
    assert clock.waits == []


@pytest.mark.parametrize("answers", [[too_many(Retry_After="7")], [too_many()], [too_many(Retry_After="0")]])
def test_a_429_that_never_ends_is_an_error_within_the_longest_wait(connect, requests_mock, clock, answers):
    requests_mock.get(HELLO, answers)
    with pytest.raises(LessonspaceRateLimitedError, match="rate_limit_max_wait"):
        connect(rate_limit_max_wait=60).hello()
    assert 60 - LONGEST_BACKOFF <= sum(clock.waits) < 60


def test_the_longest_wait_holds_for_a_call_as_a_whole(connect, requests_mock, clock, monkeypatch):
    monkeypatch.setattr("lessonspace_provider.api.retries._backoff", lambda _: 1.0)
    # 50 s of 429, then a fault: the 429s that follow do not get another 60 s.
    requests_mock.get(HELLO, [too_many(Retry_After="10")] * 5 + [{"status_code": 500}] + [too_many(Retry_After="5")])
    with pytest.raises(LessonspaceRateLimitedError):
        connect(rate_limit_max_wait=60).hello()
    assert clock.waits == [10.0] * 5 + [1.0] + [5.0]


@pytest.mark.parametrize("lost", [RESET, TIMEOUT, {"status_code": 504}])
def test_a_launch_whose_answer_was_lost_gives_the_second_answer(hook, requests_mock, clock, lost):
    requests_mock.post(API + LAUNCH_PATH, [lost, {"json": LAUNCH, "status_code": 200}])
    assert hook.launch_space("maths", name="Algebra") == {**LAUNCH, "created": False}
    assert [request.json() for request in requests_mock.request_history] == [{"id": "maths", "name": "Algebra"}] * 2


def test_an_update_and_a_removal_are_tried_again_as_well(hook, requests_mock, clock):
    requests_mock.patch(API + SESSION_PATH, [RESET, {"json": {"name": "Algebra"}}])
    requests_mock.delete(f"{API}{USERS_PATH}7/", [{"status_code": 502}, {"status_code": 204}])
    assert hook.update_session(SESSION, name="Algebra") == {"name": "Algebra"}
    hook.remove_user(7)
    assert len(sent(requests_mock)) == 4


def test_every_attempt_carries_the_key(hook, requests_mock, clock):
    requests_mock.get(HELLO, [RESET, {"status_code": 500}, too_many(), GOOD])
    hook.hello()
    assert {request.headers["Authorization"] for request in requests_mock.request_history} == {f"Organisation {KEY}"}


@pytest.mark.parametrize(
    ("answer", "attempts", "kind"),
    [
        ({"status_code": 403}, 1, LessonspaceLinkExpiredError),
        ({"status_code": 404}, ATTEMPTS, LessonspaceServerError),
        ({"status_code": 307, "headers": {"Location": "https://elsewhere.example/"}}, 1, LessonspaceError),
        ({"status_code": 503}, ATTEMPTS, LessonspaceServerError),
        ({"status_code": 429}, ATTEMPTS, LessonspaceServerError),
        (NOT_JSON, ATTEMPTS, LessonspaceServerError),
        (RESET, ATTEMPTS, LessonspaceConnectionError),
    ],
)
def test_a_download_is_tried_as_often_as_a_call(requests_mock, clock, answer, attempts, kind):
    requests_mock.get(LINK, **answer)
    with pytest.raises(kind, match="transcript file of session 1"):
        transport().download(LINK, "transcript file of session 1")
    assert len(requests_mock.request_history) == attempts


def test_the_connections_timeouts_are_used(connect, requests_mock):
    requests_mock.get(HELLO, **GOOD)
    connect(timeout=30, connect_timeout="2.5").hello()
    assert requests_mock.last_request.timeout == (2.5, 30.0)


def test_certificates_are_always_checked_against_the_machines_own_of_the_environment(hook, requests_mock, monkeypatch):
    requests_mock.get(HELLO, **GOOD)
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    hook.hello()
    assert requests_mock.last_request.verify is True
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "school-ca.pem")
    hook.hello()
    assert requests_mock.last_request.verify == "school-ca.pem"
