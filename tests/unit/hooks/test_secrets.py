# SPDX-License-Identifier: Apache-2.0
"""The key goes to the API and nowhere else; no secret, link, query or body is in an error, a repr or a log line."""

from __future__ import annotations

import json
import logging
import threading
import traceback
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests

import lessonspace_provider
from lessonspace_provider.exceptions import LessonspaceError, LessonspaceInputError
from tests.unit.hooks.known import (
    API,
    KEY,
    LAUNCH,
    LAUNCH_PATH,
    LINK,
    PLAYBACK_PATH,
    RECORDING_URL,
    SEGMENT,
    SESSION,
    SESSION_PATH,
    SESSIONS_PATH,
    SIGNATURE,
    STORE,
    TRANSCRIPT_PATH,
    USERS_PATH,
    messages_of,
    page,
)

PUPIL = "Zoë Example-Pupil"
AUTH_TOKEN = "external-auth-token-77"

#: Whatever of these stands in a text has leaked.
SECRETS = [
    KEY,
    SIGNATURE,
    "Expires=1763900000",
    LAUNCH["secret"],
    LAUNCH["client_url"],
    LAUNCH["client_url"].rsplit(".", 1)[-1],
    RECORDING_URL,
    RECORDING_URL.rsplit("=", 1)[-1],
    "Example-Pupil",
    AUTH_TOKEN,
    SEGMENT["text"],
]


def leaks(text):
    return [secret for secret in SECRETS if secret in text]


def everything_about(error):
    """What a log with the whole traceback would show, and everything it hangs on to as text."""
    return messages_of(error) + "".join(traceback.format_exception(error))


# --- Where the key goes --------------------------------------------------------------------------------------------


@pytest.fixture
def netrc(tmp_path, monkeypatch):
    """A ~/.netrc that knows a login for every host there is."""
    file = tmp_path / "netrc"
    hosts = ["api.thelessonspace.com", "store.example.net", "127.0.0.1", "localhost"]
    file.write_text("".join(f"machine {host} login netrc-user password netrc-password\n" for host in hosts))
    file.chmod(0o600)
    monkeypatch.setenv("NETRC", str(file))


def read_a_transcript(hook, requests_mock):
    requests_mock.get(API + TRANSCRIPT_PATH, json={"transcriptionUrl": LINK})
    requests_mock.get(LINK, json=[SEGMENT])
    hook.get_transcript(SESSION)
    return requests_mock.request_history


def test_the_key_goes_to_the_api_and_not_to_the_store(hook, requests_mock):
    api, store = read_a_transcript(hook, requests_mock)
    assert api.headers["Authorization"] == f"Organisation {KEY}"
    assert "Authorization" not in store.headers
    assert leaks(str(dict(store.headers))) == []
    assert store.url == LINK


def test_a_netrc_changes_nothing(netrc, hook, requests_mock):
    test_the_key_goes_to_the_api_and_not_to_the_store(hook, requests_mock)


def test_the_netrc_of_this_test_would_be_used_otherwise(netrc, requests_mock):
    requests_mock.get(STORE)
    requests.get(STORE, timeout=1)
    assert requests_mock.last_request.headers["Authorization"].startswith("Basic ")


def test_the_store_may_be_on_the_apis_own_host_and_still_gets_no_key(hook, requests_mock):
    requests_mock.get(API + TRANSCRIPT_PATH, json={"transcriptionUrl": f"{API}/files/x?sig=1"})
    requests_mock.get(f"{API}/files/x?sig=1", json=[])
    hook.get_transcript(SESSION)
    assert "Authorization" not in requests_mock.last_request.headers


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("target", ["https://evil.example/v2/", f"{API}/other/", "http://api.thelessonspace.com/v2/"])
def test_no_redirect_is_followed_neither_of_the_api_nor_of_the_store(hook, requests_mock, status, target):
    away = {"status_code": status, "headers": {"Location": target}}
    requests_mock.get(f"{API}/hello/", **away)
    requests_mock.post(API + LAUNCH_PATH, **away)
    requests_mock.get(API + TRANSCRIPT_PATH, json={"transcriptionUrl": LINK})
    requests_mock.get(LINK, **away)
    for call in (hook.hello, lambda: hook.launch_space("maths"), lambda: hook.get_transcript(SESSION)):
        with pytest.raises(LessonspaceError):
            call()
    assert [request.url for request in requests_mock.request_history] == [
        f"{API}/hello/",
        API + LAUNCH_PATH,
        API + TRANSCRIPT_PATH,
        LINK,
    ]


def test_requests_name_their_sender(hook, requests_mock):
    api, store = read_a_transcript(hook, requests_mock)
    for request in (api, store):
        assert request.headers["User-Agent"] == f"airflow-provider-lessonspace/{lessonspace_provider.__version__}"
        assert request.headers["Accept"] == "application/json"


# --- Errors and reprs ----------------------------------------------------------------------------------------------

CALLS = {
    "list": (lambda h: list(h.list_sessions(user_name=PUPIL, search=AUTH_TOKEN)), "GET", SESSIONS_PATH),
    "users": (lambda h: list(h.list_users(search=PUPIL)), "GET", USERS_PATH),
    "session": (lambda h: h.get_session(SESSION), "GET", SESSION_PATH),
    "update": (lambda h: h.update_session(SESSION, name=PUPIL), "PATCH", SESSION_PATH),
    "remove": (lambda h: h.remove_user(7), "DELETE", f"{USERS_PATH}7/"),
    "link": (lambda h: h.get_transcript(SESSION, search=PUPIL), "GET", TRANSCRIPT_PATH),
    "recording": (lambda h: h.get_recording_url(SESSION), "GET", PLAYBACK_PATH),
    "launch": (
        lambda h: h.launch_space(
            "maths",
            user={"name": PUPIL, "profile_picture": RECORDING_URL},
            auth_external={"method": "child", "url": "https://school.example", "token": AUTH_TOKEN},
        ),
        "POST",
        LAUNCH_PATH,
    ),
}
#: Answers that know every secret, and must not make an error that repeats one.
TELLTALE = json.dumps({"key": KEY, "launch": LAUNCH, "recording_url": RECORDING_URL, "transcriptionUrl": LINK})
BAD_ANSWERS = {
    "connection error": {"exc": requests.exceptions.ConnectionError(f"{LINK} {KEY} {PUPIL} {LAUNCH}")},
    "timeout": {"exc": requests.exceptions.ReadTimeout(TELLTALE)},
    "not JSON": {"text": TELLTALE[:-1]},
    "a list": {"text": f"[7, {TELLTALE}]"},
    "a text": {"json": TELLTALE},
    **{
        str(status): {"status_code": status, "text": f"<html>{TELLTALE}</html>"}
        for status in (400, 401, 403, 404, 429, 500)
    },
    "redirect": {"status_code": 302, "headers": {"Location": LINK}},
    "repeats the key": {"status_code": 401, "json": {"detail": f"{KEY} is no key"}},
    "repeats a link": {"status_code": 400, "json": {"url": [LINK, RECORDING_URL, LAUNCH["client_url"]]}},
}


def error_of(operation, hook):
    try:
        operation(hook)
    except LessonspaceError as error:
        return error
    return None


@pytest.fixture
def debug_log(caplog):
    """All log lines from DEBUG on, without those of requests_mock itself, which writes every URL."""
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.WARNING, logger="requests_mock.adapter")
    return caplog


@pytest.mark.parametrize("answer", BAD_ANSWERS.values(), ids=list(BAD_ANSWERS))
@pytest.mark.parametrize("call", CALLS.values(), ids=list(CALLS))
def test_no_error_shows_a_secret(connect, requests_mock, capfd, debug_log, call, answer):
    hook = connect(rate_limit_max_wait=1)
    operation, method, path = call
    requests_mock.request(method, API + path, **answer)
    error = error_of(operation, hook)
    # A removal needs no body, so it heeds none, and a list leaves out what has no id: all others are errors.
    is_good = "status_code" not in answer and (method == "DELETE" or answer == BAD_ANSWERS["a list"])
    assert error is not None or is_good
    assert error is None or leaks(everything_about(error)) == []
    assert leaks(debug_log.text + "".join(capfd.readouterr())) == []


@pytest.mark.parametrize("answer", BAD_ANSWERS.values(), ids=list(BAD_ANSWERS))
def test_no_error_of_the_store_shows_a_secret(connect, requests_mock, capfd, debug_log, answer):
    requests_mock.get(API + TRANSCRIPT_PATH, json={"transcriptionUrl": LINK})
    requests_mock.get(LINK, **answer)
    with pytest.raises(LessonspaceError) as caught:
        connect().get_transcript(SESSION)
    assert leaks(everything_about(caught.value)) == []
    assert STORE not in everything_about(caught.value)
    assert leaks(debug_log.text + "".join(capfd.readouterr())) == []


def test_no_refusal_shows_a_secret(hook):
    wrong = [
        lambda: hook.launch_space("maths", user={"name": [PUPIL]}),
        lambda: hook.launch_space("maths", user=PUPIL),
        lambda: hook.launch_space("maths", webhooks={"session": {"end": [RECORDING_URL]}}),
        lambda: hook.launch_space("maths", auth_external={"method": "child", "url": "u", "token": [AUTH_TOKEN]}),
        lambda: hook.launch_space("maths", features={"x": {RECORDING_URL}}),
    ]
    for call in wrong:
        with pytest.raises(LessonspaceError) as caught:
            call()
        assert leaks(everything_about(caught.value)) == []


def test_no_repr_shows_the_key(hook, requests_mock):
    requests_mock.get(f"{API}/hello/", json={"response": KEY})
    hook.hello()
    transport = hook.get_conn()
    answer = transport.call("GET", "/hello/")
    for thing in (hook, hook.settings, transport, answer, transport.call):
        assert leaks(f"{thing!r} {thing!s} {[thing]}") == []


# --- Logs, with a real server behind a real socket -------------------------------------------------------------------


class School(BaseHTTPRequestHandler):
    """API and store in one: answers what its server was told to, by path."""

    protocol_version = "HTTP/1.1"

    def answer(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.asked.append((self.command, self.path, dict(self.headers)))
        path = self.path.split("?")[0].removeprefix("/v2")
        answers = self.server.answers[path]
        self.wfile.write(answers.pop(0) if len(answers) > 1 else answers[0])
        self.close_connection = True

    do_GET = do_POST = do_PATCH = do_DELETE = answer  # noqa: N815 - names of the base class

    def log_message(self, *args):
        pass


def raw(status, body="", *headers):
    """Write a whole HTTP answer."""
    data = body.encode()
    lines = [f"HTTP/1.1 {status} x", f"Content-Length: {len(data)}", "Content-Type: application/json", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + data


@pytest.fixture
def school():
    """A local server; ``answers`` maps a path to the answers given one after the other, the last one for good."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), School)
    server.answers, server.asked = {}, []
    server.base = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@contextmanager
def all_loggers_at_debug(caplog):
    """Let every logger that exists speak, whatever level it was set to."""
    caplog.set_level(logging.DEBUG)
    names = [
        name for name in logging.root.manager.loggerDict if name.startswith(("urllib3", "requests", "airflow.task"))
    ]
    for name in names:
        caplog.set_level(logging.DEBUG, logger=name)
    yield


def records_of(caplog):
    """Everything the records hold, formatted or not."""
    return "\n".join(
        f"{record.getMessage()} {record.args} {record.exc_text} {record.exc_info}" for record in caplog.records
    )


def test_the_urls_of_other_peoples_requests_are_still_logged(school, caplog):
    """Or the tests below could not fail: the same request, made without the hook, tells all."""
    school.answers["/file"] = [raw(200, "[]")]
    with all_loggers_at_debug(caplog):
        requests.get(f"{school.base}/file?Signature={SIGNATURE}", timeout=5)
    assert SIGNATURE in records_of(caplog)


def test_no_logger_shows_a_link_a_query_or_the_key_at_debug(connect, school, caplog, capfd):
    file = f"/file?Expires=1763900000&Signature={SIGNATURE}"
    link = json.dumps({"transcriptionUrl": school.base + file})
    following = f"{school.base}/v2{SESSIONS_PATH}?user_name={PUPIL}&page=2"
    school.answers.update(
        {
            SESSIONS_PATH: [
                raw(200, json.dumps(page({"uuid": SESSION}, following=following))),
                raw(200, json.dumps(page())),
            ],
            TRANSCRIPT_PATH: [raw(200, link)],
            "/file": [raw(503), raw(403), raw(200, json.dumps([SEGMENT]), "no header at all")],
            PLAYBACK_PATH: [raw(200, json.dumps({"recording_url": RECORDING_URL}))],
            LAUNCH_PATH: [raw(500), raw(201, json.dumps(LAUNCH))],
        }
    )
    # The answers after a line that is no header: urllib3 warns of them, with the URL.
    school.answers["/file"][-1] = raw(200, json.dumps([SEGMENT])).replace(
        b"\r\n\r\n", b"\r\nno header at all\r\n\r\n", 1
    )
    hook = connect(host=f"{school.base}/v2")
    with all_loggers_at_debug(caplog):
        assert list(hook.list_sessions(user_name=PUPIL)) == [{"uuid": SESSION}]
        assert hook.get_transcript(SESSION, search=PUPIL) == [SEGMENT]
        assert hook.get_recording_url(SESSION) == RECORDING_URL
        assert hook.launch_space("maths", user={"name": PUPIL})["secret"] == LAUNCH["secret"]
    assert [path for _, path, _ in school.asked].count(file) == 3
    written = records_of(caplog) + caplog.text + "".join(capfd.readouterr())
    assert "Attempt 1 failed" in written
    assert leaks(written) == []
    assert "Zo%C3%AB" not in written
    assert "file?" not in written


@pytest.mark.parametrize("cut", ["headers", "body", "nothing"])
def test_a_connection_that_breaks_shows_nothing_either(connect, school, caplog, capfd, cut):
    whole = raw(200, json.dumps([SEGMENT]))
    school.answers[TRANSCRIPT_PATH] = [raw(200, json.dumps({"transcriptionUrl": f"{school.base}/file?{SIGNATURE}"}))]
    school.answers["/file"] = [{"headers": b"HTTP/1.1 20", "body": whole[:-9], "nothing": b""}[cut]]
    with all_loggers_at_debug(caplog), pytest.raises(LessonspaceError) as caught:
        connect(host=f"{school.base}/v2").get_transcript(SESSION)
    assert f"transcript file of session {SESSION}: no response" in str(caught.value)
    written = records_of(caplog) + "".join(capfd.readouterr()) + everything_about(caught.value)
    assert leaks(written) == []


def test_a_truncated_file_is_fetched_again_and_never_taken_for_whole(connect, school):
    # Cut where what has come is JSON by itself: only its length tells.
    long = raw(200, json.dumps([SEGMENT]) + " " * 40)
    school.answers[TRANSCRIPT_PATH] = [raw(200, json.dumps({"transcriptionUrl": f"{school.base}/file"}))]
    school.answers["/file"] = [long[:-40], raw(200, json.dumps([SEGMENT, SEGMENT]))]
    assert connect(host=f"{school.base}/v2").get_transcript(SESSION) == [SEGMENT, SEGMENT]


def test_the_loggers_speak_again_after_a_call(connect, school, caplog):
    school.answers.update({"/hello/": [raw(500), raw(200, "{}")], "/other": [raw(200, "[]")]})
    with all_loggers_at_debug(caplog):
        connect(host=f"{school.base}/v2").hello()
        assert "urllib3" not in {record.name.split(".")[0] for record in caplog.records}
        requests.get(f"{school.base}/other", timeout=5)
    assert "urllib3.connectionpool" in {record.name for record in caplog.records}


def test_other_threads_keep_their_log_lines_while_a_call_runs(connect, school, caplog):
    arrived, go_on = threading.Event(), threading.Event()

    class Slow(list):
        def pop(self, index):
            arrived.set()
            assert go_on.wait(10)
            return super().pop(index)

    school.answers.update({"/hello/": Slow([raw(200, "{}"), raw(200, "{}")]), "/other": [raw(200, "[]")]})
    with all_loggers_at_debug(caplog):
        thread = threading.Thread(target=connect(host=f"{school.base}/v2").hello)
        thread.start()
        assert arrived.wait(10)
        requests.get(f"{school.base}/other", timeout=5)
        go_on.set()
        thread.join()
    assert any("/other" in record.getMessage() for record in caplog.records)
    assert not any("/hello" in record.getMessage() for record in caplog.records)


def test_the_api_on_the_wire_gets_the_key_and_the_json(connect, school):
    school.answers[LAUNCH_PATH] = [raw(201, json.dumps(LAUNCH))]
    connect(host=f"{school.base}/v2").launch_space("maths")
    ((method, path, headers),) = school.asked
    assert (method, path) == ("POST", f"/v2{LAUNCH_PATH}")
    assert headers["Authorization"] == f"Organisation {KEY}"
    assert headers["Content-Type"] == "application/json"
    assert headers["User-Agent"].startswith("airflow-provider-lessonspace/")


def test_a_link_with_a_login_of_its_own_is_asked_for_without_the_key(connect, school):
    link = school.base.replace("://", "://user:word@") + "/file"
    school.answers.update(
        {TRANSCRIPT_PATH: [raw(200, json.dumps({"transcriptionUrl": link}))], "/file": [raw(200, "[]")]}
    )
    connect(host=f"{school.base}/v2").get_transcript(SESSION)
    assert school.asked[-1][1] == "/file"
    assert KEY not in str(school.asked[-1])


def test_what_a_launch_and_a_recording_return_is_masked_as_a_second_line(hook, requests_mock, monkeypatch):
    masked = []
    monkeypatch.setattr("lessonspace_provider.hooks.lessonspace.mask_secret", masked.append)
    requests_mock.post(API + LAUNCH_PATH, [{"json": LAUNCH}, {"json": {"secret": None}}])
    requests_mock.get(API + PLAYBACK_PATH, json={"recording_url": RECORDING_URL})
    hook.launch_space("maths")
    hook.launch_space("maths")
    hook.get_recording_url(SESSION)
    assert masked == [LAUNCH["secret"], LAUNCH["client_url"], RECORDING_URL]


@pytest.mark.parametrize("spelling", [KEY, KEY.upper()])
def test_a_key_in_place_of_an_id_is_refused_and_not_repeated(hook, spelling):
    for call in (hook.get_session, hook.get_recording_url, lambda key: next(hook.list_space_sessions(key))):
        with pytest.raises(LessonspaceInputError, match="in place of an id") as caught:
            call(spelling)
        assert KEY not in messages_of(caught.value).lower()
