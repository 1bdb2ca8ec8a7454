# SPDX-License-Identifier: Apache-2.0
"""Each failure has its class, its details as attributes, and a first line that says what happened and what to do."""

from __future__ import annotations

import json
import time
from base64 import b64encode
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

import pytest
import requests
from requests_mock import ANY

from lessonspace_provider.api.foreign_words import holds_key
from lessonspace_provider.api.responses import LARGEST_ERROR, Call, Reply, read_answer
from lessonspace_provider.exceptions import (
    LessonspaceAuthError,
    LessonspaceBadRequestError,
    LessonspaceConnectionError,
    LessonspaceError,
    LessonspaceNotFoundError,
    LessonspaceRateLimitedError,
    LessonspaceServerError,
)
from tests.unit.hooks.known import (
    API,
    KEY,
    LAUNCH_PATH,
    PLAYBACK_PATH,
    SESSION,
    SESSION_PATH,
    SESSIONS_PATH,
    SPACE,
    SPACE_SESSIONS_PATH,
    SPACES_PATH,
    USERS_PATH,
    messages_of,
)

URL = API + SESSION_PATH
HTML = {"text": "<html><h1>Bad gateway</h1></html>", "headers": {"Content-Type": "text/html"}}

#: Answer, class, words in the first line.
ANSWERS = [
    (
        {"status_code": 103},
        LessonspaceServerError,
        ["not a final response", "is the API's base URL and no proxy responds"],
    ),
    (
        {"status_code": 301, "headers": {"Location": "https://evil.example/take?it=all"}},
        LessonspaceServerError,
        ["redirect to host evil.example was not followed", "'lessonspace_default'", "base URL"],
    ),
    (
        {"status_code": 302, "headers": {"Location": "/login/?next=x"}},
        LessonspaceServerError,
        ["redirect to another path of the same host"],
    ),
    (
        {"status_code": 300, "headers": {"Location": "https://[broken"}},
        LessonspaceServerError,
        ["redirect to an address that can't be read"],
    ),
    ({"status_code": 304}, LessonspaceServerError, ["redirect"]),
    (
        {"status_code": 400, "json": {"name": ["This field may not be blank."], "tags": ["No JSON.", "Too long."]}},
        LessonspaceBadRequestError,
        ["Correct the field that the server names", "name: This field may not be blank.", "tags: No JSON. Too long."],
    ),
    (
        {"status_code": 400, "json": {"user": {"email": ["Enter a valid email."]}, "non_field_errors": ["Both."]}},
        LessonspaceBadRequestError,
        ["user.email: Enter a valid email.", " Both."],
    ),
    (
        {"status_code": 401, "json": {"detail": "Invalid token."}},
        LessonspaceAuthError,
        ["API key was refused", "check the API key of connection 'lessonspace_default'", "Invalid token."],
    ),
    (
        {"status_code": 403, "json": {"detail": "No permission."}},
        LessonspaceAuthError,
        ["not allowed", "organisation_id and API key of connection 'lessonspace_default'", "No permission."],
    ),
    ({"status_code": 404}, LessonspaceNotFoundError, ["no such session", "uuid"]),
    ({"status_code": 405, "json": {"detail": "Not allowed."}}, LessonspaceBadRequestError, ["Not allowed."]),
    ({"status_code": 409, "json": {"detail": "Conflict."}}, LessonspaceBadRequestError, ["Conflict."]),
    ({"status_code": 422, "json": {"name": "odd"}}, LessonspaceBadRequestError, ["name: odd"]),
    (
        {"status_code": 429, "headers": {"Retry-After": "9999"}},
        LessonspaceRateLimitedError,
        ["requests per second", "Run fewer tasks at once, or raise rate_limit_max_wait"],
    ),
    ({"status_code": 500, "json": {"detail": "Oops."}}, LessonspaceServerError, ["try again later", "Oops."]),
    ({"status_code": 502, **HTML}, LessonspaceServerError, ["Lessonspace had a fault"]),
    ({"status_code": 503}, LessonspaceServerError, ["Lessonspace had a fault"]),
]


@pytest.mark.parametrize(("answer", "kind", "words"), ANSWERS, ids=[str(row[0]["status_code"]) for row in ANSWERS])
def test_a_status_becomes_an_error_that_names_what_to_do(hook, requests_mock, answer, kind, words):
    requests_mock.get(URL, **answer)
    with pytest.raises(kind) as caught:
        hook.get_session(SESSION)
    error = caught.value
    assert type(error) is kind
    assert (error.status, error.method, error.path) == (answer["status_code"], "GET", SESSION_PATH)
    assert [word for word in words if word not in str(error)] == []
    assert str(error).startswith(f"GET {SESSION_PATH} failed with {answer['status_code']}: ")
    assert "\n" not in str(error)
    assert "<h1>" not in str(error)
    assert "take?it" not in str(error)


OF_A_SESSION = [
    "no such session in the organisation",
    "Use the session's uuid, not its space's id",
    "a person has joined",
]
OF_THE_CONNECTION = ["there is no such address", "is the API's base URL, such as https://", "organisation_id is right"]


@pytest.mark.parametrize(
    ("path", "ask", "words"),
    [
        (SESSION_PATH, lambda hook: hook.get_session(SESSION), OF_A_SESSION),
        (
            PLAYBACK_PATH,
            lambda hook: hook.get_recording_url(SESSION),
            ["no such session, or no recording of it in", *OF_A_SESSION[1:]],
        ),
        (
            SPACE_SESSIONS_PATH,
            lambda hook: list(hook.list_space_sessions(SPACE)),
            ["no such space in the organisation", "UUID or slug (launch's room_id)", "the filter launch_id"],
        ),
        (
            f"{USERS_PATH}7/",
            lambda hook: hook.remove_user(7),
            ["no such user in the organisation", "user_id of a launch", "removed already"],
        ),
        (SESSIONS_PATH, lambda hook: list(hook.list_sessions()), OF_THE_CONNECTION),
        (SPACES_PATH, lambda hook: list(hook.list_spaces()), OF_THE_CONNECTION),
        (USERS_PATH, lambda hook: list(hook.list_users()), OF_THE_CONNECTION),
        (LAUNCH_PATH, lambda hook: hook.launch_space("maths"), OF_THE_CONNECTION),
        ("/hello/", lambda hook: hook.hello(), OF_THE_CONNECTION),
        ("/my-organisation/", lambda hook: hook.my_organisation_id(), OF_THE_CONNECTION),
    ],
)
def test_what_was_not_found_is_named_as_what_was_asked_for(hook, requests_mock, path, ask, words):
    requests_mock.register_uri(ANY, f"{API}{path}", status_code=404, json={"detail": "Not found."})
    with pytest.raises(LessonspaceNotFoundError) as caught:
        ask(hook)
    assert [
        word for word in [*words, "connection 'lessonspace_default'", "Not found."] if word not in str(caught.value)
    ] == []


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ({"text": "<h1>Welcome</h1>", "headers": {"Content-Type": "text/html"}}, "200, text/html"),
        ({"content": b'{"name": "Alg', "headers": {"Content-Type": "application/json"}}, "200, application/json"),
        ({"content": b"\xff\xfe\x00\xd8"}, "200, of no stated type"),
        ({"content": b""}, "200, of no stated type"),
        ({"text": "[" * 100_000}, "200, of no stated type"),
    ],
    ids=["html", "truncated", "not text", "empty", "nested too deep"],
)
def test_a_good_status_with_a_body_that_is_no_json_is_a_server_error(hook, requests_mock, answer, kind):
    requests_mock.get(f"{API}/hello/", **answer)
    with pytest.raises(
        LessonspaceServerError, match=r"GET /hello/: the response \(.*\) is not JSON.* no proxy"
    ) as caught:
        hook.hello()
    assert kind in str(caught.value)
    assert caught.value.status == 200
    assert caught.value.__cause__ is caught.value.__context__ is None


def test_a_redirect_that_leads_nowhere_is_an_error_of_ours_as_well(hook, requests_mock):
    requests_mock.get(URL, status_code=307, headers={"Location": "https://[broken"})
    with pytest.raises(LessonspaceError, match=f"GET {SESSION_PATH}"):
        hook.get_session(SESSION)


@pytest.mark.parametrize("body", ["[]", '"x"', "7", "null", "true"])
def test_json_that_is_no_object_where_one_belongs_is_a_server_error(hook, requests_mock, body):
    requests_mock.get(URL, text=body)
    with pytest.raises(LessonspaceServerError, match="not what the API documents"):
        hook.get_session(SESSION)


@pytest.mark.parametrize("answer", [{"status_code": 204}, {"status_code": 200}, {"status_code": 200, "json": {}}])
def test_a_removal_is_done_whatever_good_answer_comes(hook, requests_mock, answer):
    requests_mock.delete(f"{API}{USERS_PATH}7/", **answer)
    assert hook.remove_user(7) is None
    assert len(requests_mock.request_history) == 1


def test_a_body_is_utf8_whatever_its_content_type_is(hook, requests_mock):
    for content_type in ("text/plain", "text/html; charset=ISO-8859-1", "application/json", "binary/octet-stream"):
        requests_mock.get(
            f"{API}/hello/", content='{"response": "Grüße 🎉"}'.encode(), headers={"Content-Type": content_type}
        )
        assert hook.hello() == "Grüße 🎉"


@pytest.mark.parametrize(
    ("exception", "name"),
    [
        (requests.exceptions.ConnectTimeout("https://u.example/?q=1"), "ConnectTimeout"),
        (requests.exceptions.ReadTimeout("https://u.example/?q=1"), "ReadTimeout"),
        (requests.exceptions.SSLError("https://u.example/?q=1"), "SSLError"),
        (requests.exceptions.ProxyError("https://u.example/?q=1"), "ProxyError"),
        (requests.exceptions.ChunkedEncodingError("https://u.example/?q=1"), "ChunkedEncodingError"),
        (requests.exceptions.ContentDecodingError("https://u.example/?q=1"), "ContentDecodingError"),
        (OSError("no certificates at https://u.example/?q=1"), "OSError"),
        (ValueError("https://u.example/?q=1"), "ValueError"),
    ],
)
def test_no_answer_is_a_connection_error_that_names_only_its_kind(hook, requests_mock, exception, name):
    requests_mock.get(URL, exc=exception)
    with pytest.raises(LessonspaceConnectionError) as caught:
        hook.get_session(SESSION)
    error = caught.value
    assert str(error).startswith(f"GET {SESSION_PATH}: no response ({name}). Check that this machine reaches the host")
    assert "'lessonspace_default'" in str(error)
    assert (error.status, error.method, error.path) == (None, "GET", SESSION_PATH)
    assert "?q=1" not in messages_of(error)


@pytest.mark.parametrize(
    ("header", "seconds"), [("9999", 9999.0), ("9999.5", 9999.5), ("soon", None), ("inf", None), ("nan", None)]
)
def test_the_error_carries_how_long_the_server_asked_to_wait(connect, requests_mock, header, seconds):
    requests_mock.get(f"{API}/hello/", status_code=429, headers={"Retry-After": header})
    with pytest.raises(LessonspaceRateLimitedError) as caught:
        connect(rate_limit_max_wait=0.001).hello()
    assert caught.value.retry_after == seconds


def test_a_date_to_wait_for_becomes_seconds(connect, requests_mock):
    later = format_datetime(datetime.now(timezone.utc) + timedelta(hours=9), usegmt=True)
    requests_mock.get(f"{API}/hello/", status_code=503, headers={"Retry-After": later})
    with pytest.raises(LessonspaceServerError) as caught:
        connect(rate_limit_max_wait=60).hello()
    assert caught.value.retry_after == pytest.approx(9 * 3600, rel=0.01)


def test_the_servers_words_are_cut_and_written_on_one_line(hook, requests_mock):
    requests_mock.get(f"{API}/hello/", status_code=400, json={"detail": "line\r\nforged log line\n" + "x" * 5000})
    with pytest.raises(LessonspaceBadRequestError) as caught:
        hook.hello()
    assert "line forged log line xxx" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 700


@pytest.mark.parametrize(
    ("body", "left"),
    [
        ({"detail": f"No organisation has the key {KEY}, sorry"}, "No organisation has the key <API key>, sorry"),
        ({"webhooks": [f"https://school.example/hook?token={KEY} is no URL"]}, "webhooks: <link> is no URL"),
        ({"detail": "see wss://room.example/?jwt=eyJ"}, "see <link>"),
        ({"next": {"next": "s3://bucket/x?sig=1"}}, "next.next: <link>"),
        ({"secret": "launch-secret", "detail": "no"}, "no"),
        (
            {"detail": "no", "rooms": [{"name": ["long"], "secret": "x"}, [{"playback_password": "x"}]]},
            "no; rooms.name: long",
        ),
        ({"webhooks": {"session": {"url": ["no URL"]}}}, "webhooks.session.url: no URL"),
    ],
)
def test_what_the_server_repeats_of_key_and_links_is_left_out(hook, requests_mock, body, left):
    requests_mock.get(f"{API}/hello/", status_code=400, json=body)
    with pytest.raises(LessonspaceBadRequestError) as caught:
        hook.hello()
    assert str(caught.value).endswith(f"The server replied: {left}")


def test_servers_words_are_read_up_to_a_limit_however_they_are_nested(hook, requests_mock):
    deep = {"name": "x"}
    for _ in range(300):
        deep = {"n" * 30: [deep] * 2 if len(json.dumps(deep)) < 10_000 else deep}
    body = {"detail": "first", "deep": deep, "many": [{"a": "b"}] * 1_000, "long": "x" * 10_000}
    assert len(json.dumps(body)) < LARGEST_ERROR
    requests_mock.get(f"{API}/hello/", status_code=400, json=body)
    with pytest.raises(LessonspaceBadRequestError, match="The server replied: first; ") as caught:
        hook.hello()
    assert len(str(caught.value)) < 700


@pytest.mark.parametrize("piece", ["a", "a://", "/", "\\", "&", "%2", "?", "://\u202e", "@"])
def test_servers_words_cost_time_in_proportion(hook, requests_mock, piece):
    def seconds(size):
        reply = Reply(400, {}, json.dumps({"detail": piece * (size // len(piece))}).encode())
        times = []
        for _ in range(3):
            began = time.thread_time()
            with pytest.raises(LessonspaceBadRequestError):
                read_answer(reply, Call("GET", "/hello/", "c"), KEY)
            times.append(time.thread_time() - began)
        return min(times)

    assert seconds(800_000) < 16 * seconds(100_000) + 0.05


@pytest.mark.parametrize(
    "spelling", [KEY.upper(), KEY.replace("-", ""), b64encode(f"Organisation {KEY}".encode()).decode()]
)
@pytest.mark.parametrize("status", [200, 302, 400, 401, 500])
def test_key_is_in_no_answer_and_no_error_in_any_spelling(connect, requests_mock, spelling, status):
    headers = {"Location": f"https://{spelling}.example/", "Content-Type": f"text/{spelling}"}
    requests_mock.get(
        URL, status_code=status, json={"uuid": spelling, "detail": spelling, spelling: 1}, headers=headers
    )
    requests_mock.get(f"{API}/hello/", status_code=status, text=spelling, headers=headers)
    hook = connect(rate_limit_max_wait=1)
    for call in (lambda: hook.get_session(SESSION), hook.hello):
        try:
            answer = str(call())
        except LessonspaceError as error:
            answer = messages_of(error)
        assert not holds_key(answer, KEY)


def test_content_type_is_shown_without_its_parameters_and_cut(hook, requests_mock):
    requests_mock.get(f"{API}/hello/", text="x", headers={"Content-Type": "text/html; boundary=\x1b[31m" + "x" * 9000})
    with pytest.raises(LessonspaceServerError, match=r"\(200, text/html\) is not JSON"):
        hook.hello()


@pytest.mark.parametrize(
    "answer", [{"text": "plain words"}, {"json": ["words"]}, {"json": "words"}, {"text": '{"a":' * 100_000}, HTML]
)
def test_words_that_are_not_the_apis_are_not_repeated(hook, requests_mock, answer):
    requests_mock.get(f"{API}/hello/", status_code=400, **answer)
    with pytest.raises(LessonspaceBadRequestError) as caught:
        hook.hello()
    assert str(caught.value).endswith("Correct the field that the server names.")
