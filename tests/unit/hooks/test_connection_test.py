# SPDX-License-Identifier: Apache-2.0
"""The connection's test says what it found, or what to do."""

from __future__ import annotations

import pytest
import requests

from lessonspace_provider.exceptions import LessonspaceServerError
from lessonspace_provider.hooks.connection_check import TEST_PATIENCE
from tests.unit.hooks.known import API, KEY, sent

HELLO, MINE = f"{API}/hello/", f"{API}/my-organisation/"
GREETING = {"response": "The sun is shining and so are you, School of Tests"}


def test_a_good_key_is_greeted(hook, requests_mock):
    requests_mock.get(HELLO, json=GREETING)
    requests_mock.get(MINE, json={"id": 42})
    good, message = hook.test_connection()
    assert good is True
    assert message == f"Connected to organisation 42. Lessonspace replied: {GREETING['response']}"
    assert sent(requests_mock) == [("GET", "/hello/", ""), ("GET", "/my-organisation/", "")]


def test_connection_test_reports_a_limit_that_holds_in_a_container_only(connect, requests_mock, monkeypatch, tmp_path):
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    requests_mock.get(HELLO, json=GREETING)
    requests_mock.get(MINE, json={"id": 42})
    for _ in range(2):  # also where the log has it already
        good, message = connect(rate_limit_per_second=50, rate_limit_dir=str(tmp_path / "queue")).test_connection()
        assert good is True
        assert "The rate limit of this API key covers this container only" in message


@pytest.mark.parametrize(
    ("greeting", "words"),
    [
        (f"Hello {KEY.upper()}\n\x1b[31m", "Hello <API key> \ufffd[31m"),
        ("see https://store.example/t.json?X-Amz-Signature=abc", "see <link>"),
        ("x" * 100_000, "x" * 500 + "..."),
    ],
)
def test_greeting_is_shown_as_one_short_line(hook, requests_mock, greeting, words):
    requests_mock.get(HELLO, json={"response": greeting})
    requests_mock.get(MINE, json={"id": 42})
    assert hook.test_connection() == (True, f"Connected to organisation 42. Lessonspace replied: {words}")


def test_an_organisation_need_not_be_configured(connect, requests_mock):
    requests_mock.get(HELLO, json=GREETING)
    requests_mock.get(MINE, json={"id": 99})
    good, message = connect(organisation_id=None).test_connection()
    assert good is True
    assert "organisation 99" in message


def test_a_wrong_key_is_reported(hook, requests_mock):
    requests_mock.get(HELLO, status_code=401, json={"detail": f"No such key: {KEY}"})
    good, message = hook.test_connection()
    assert good is False
    assert "check the API key of this connection." in message
    assert KEY not in message


def test_the_key_of_another_organisation_is_reported_with_both_ids(hook, requests_mock):
    requests_mock.get(HELLO, json=GREETING)
    requests_mock.get(MINE, json={"id": 43})
    good, message = hook.test_connection()
    assert good is False
    assert "belongs to organisation 43 and not to 42" in message
    assert "correct organisation_id, or leave it blank" in message


@pytest.mark.parametrize("exception", [requests.exceptions.ConnectionError, requests.exceptions.ConnectTimeout])
def test_a_host_out_of_reach_is_reported(hook, requests_mock, exception):
    requests_mock.get(HELLO, exc=exception)
    good, message = hook.test_connection()
    assert good is False
    assert "no response" in message
    assert "reaches the host of this connection, " in message


def test_no_one_waits_long_for_a_test_that_will_fail(hook, requests_mock, clock, monkeypatch):
    monkeypatch.setattr("lessonspace_provider.api.retries._backoff", lambda _: TEST_PATIENCE / 2.5)
    requests_mock.get(HELLO, status_code=503)
    assert not hook.test_connection()[0]
    assert sum(clock.waits) <= TEST_PATIENCE
    with pytest.raises(LessonspaceServerError):
        hook.hello()
    assert sum(clock.waits) > 2 * TEST_PATIENCE  # beyond the test, the hook is as patient as its connection


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"password": ""}, "This connection has no API key"),
        ({"host": "https://host:port/"}, "This connection: the host was refused"),
        ({"timeout": "soon"}, "This connection: timeout='soon' was refused"),
    ],
)
def test_a_connection_that_can_not_be_used_is_reported_without_a_call(connect, requests_mock, fields, words):
    good, message = connect(**fields).test_connection()
    assert good is False
    assert words in message
    assert not requests_mock.called


def test_another_web_site_at_the_host_is_reported(connect, requests_mock):
    requests_mock.get("https://www.school.example/v2/hello/", text="<h1>Our school</h1>")
    good, message = connect(host="https://www.school.example").test_connection()
    assert good is False
    assert "check that the host" in message
