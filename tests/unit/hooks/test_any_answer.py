# SPDX-License-Identifier: Apache-2.0
"""Whatever a server answers, a call of the hook ends: with a result of its shape, or with a LessonspaceError."""

from __future__ import annotations

import json

import pytest
import requests
import requests_mock
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lessonspace_provider.exceptions import LessonspaceError
from tests.unit.hooks.known import (
    API,
    KEY,
    LAUNCH,
    LINK,
    RECORDING_URL,
    SEGMENT,
    SESSION,
    SIGNATURE,
    SPACE,
    messages_of,
    page,
)

#: What opens something: each stands in the answers under its own name, and links and the key in any text as well.
SECRETS = {
    "client_url": LAUNCH["client_url"],
    "playback_password": "playback-password-9c8b",
    "playback_url": RECORDING_URL,
    "recording_url": RECORDING_URL,
    "secret": LAUNCH["secret"],
    "transcriptionUrl": LINK,
}
TELLING = (KEY, SIGNATURE, LAUNCH["secret"], "eyJhbGciOiJIUzI1NiJ9", "cmVjb3JkaW5nLXRva2Vu", "playback-password-9c8b")

#: More requests than any call here may make: faults and 429s are tried again for 10 s, of time that does not pass.
MOST_REQUESTS = 500


def is_objects(value):
    return isinstance(value, list) and all(isinstance(entry, dict) for entry in value)


#: Each call that reads an answer, and whether what it gives has the shape it promises.
CALLS = {
    "hello": (lambda h: h.hello(), lambda r: isinstance(r, str)),
    "test_connection": (
        lambda h: h.test_connection(),
        lambda r: isinstance(r[0], bool) and isinstance(r[1], str),
    ),
    "my_organisation_id": (lambda h: h.my_organisation_id(), lambda r: isinstance(r, str) and r),
    "list_sessions": (lambda h: list(h.list_sessions()), is_objects),
    "list_space_sessions": (lambda h: list(h.list_space_sessions(SPACE)), is_objects),
    "get_session": (lambda h: h.get_session(SESSION), lambda r: isinstance(r, dict)),
    "update_session": (
        lambda h: h.update_session(SESSION, recording_access_policy=["teacher"]),
        lambda r: isinstance(r, dict),
    ),
    "get_transcript": (lambda h: h.get_transcript(SESSION), is_objects),
    "has_transcript": (lambda h: h.has_transcript(SESSION), lambda r: isinstance(r, bool)),
    "get_recording_url": (lambda h: h.get_recording_url(SESSION), lambda r: isinstance(r, str)),
    "list_spaces": (lambda h: list(h.list_spaces()), is_objects),
    "list_users": (lambda h: list(h.list_users()), is_objects),
    "remove_user": (lambda h: h.remove_user(7), lambda r: r is None),
    "launch_space": (
        lambda h: h.launch_space("maths"),
        lambda r: isinstance(r, dict) and isinstance(r["created"], bool),
    ),
}

_texts = st.text(max_size=8) | st.sampled_from([LINK, RECORDING_URL, f"not with {KEY}", f"see {LINK}.", "\ud800"])
_links = st.sampled_from(
    [
        "",
        "x",
        "http://",
        "//[",
        f"{API}/hello/",
        f"{API}/spaces/{SPACE}/sessions/?page=2",
        "https://a:b/?c",
        "https://\ud800/",
    ]
)
_scalars = st.none() | st.booleans() | st.integers() | st.floats() | _texts


def _objects(values):
    """Objects with the API's own field names, some of them with the secrets that belong there."""
    names = ["id", "uuid", "name", "next", "results", "response", "detail", "recording_access_policy", "created"]
    fields = dict.fromkeys(names, values)
    fields |= {name: st.just(secret) | values for name, secret in SECRETS.items()}
    return st.fixed_dictionaries({}, optional=fields)


_values = st.recursive(_scalars, lambda inner: st.lists(inner, max_size=3) | _objects(inner), max_leaves=6)
_pages = st.builds(
    lambda results, following: page(*results, following=following),
    st.lists(_objects(_values) | _values, max_size=3),
    _links | _values,
)
_good_ones = st.sampled_from(
    [
        LAUNCH,
        {"id": 42},
        {"transcriptionUrl": LINK},
        {"recording_url": RECORDING_URL},
        [SEGMENT],
        page({"uuid": SESSION}, following=f"{API}/organisations/42/sessions/?page=2"),
    ]
)
_bodies = st.one_of(
    st.one_of(_good_ones, _objects(_values), _pages, _values).map(lambda value: json.dumps(value).encode()),
    st.binary(max_size=20),
    st.sampled_from([b"", b"<h1>Maintenance</h1>", b"[" * 100_000, b'{"a":' * 100_000, b"9" * 5000, b"\xff\xfe["]),
)
_garbage = st.text(st.characters(max_codepoint=255, exclude_characters="\r\n"), max_size=10)
_headers = st.fixed_dictionaries(
    {},
    optional={
        "Retry-After": st.sampled_from(
            ["0", "-1", "nan", "inf", "1e400", "3", "Mon, 99 Foo 2026 99:99:99", "0001-01-01"]
        )
        | _garbage,
        "Content-Type": st.sampled_from(["text/html", "application/json; charset=x-none"]) | _garbage,
        "Content-Encoding": st.sampled_from(["gzip", "deflate", "br", "x-none"]) | _garbage,
        "Location": st.sampled_from([LINK, "//[", "https://x:y/"]) | _garbage,
        "Link": st.just(f'<{LINK}>; rel="next"') | _garbage,
    },
)
_statuses = st.sampled_from([200] * 6 + [201, 204, 301, 304, 400, 401, 403, 404, 429, 429, 500, 503]) | st.integers(
    100, 999
)
_answers = st.fixed_dictionaries({"status_code": _statuses, "content": _bodies, "headers": _headers})
_failures = st.sampled_from(
    [
        requests.ConnectionError(f"no route to {LINK}"),
        requests.ReadTimeout(LINK),
        requests.exceptions.ChunkedEncodingError(LINK),
        requests.exceptions.InvalidURL(LINK),
        UnicodeError(LINK),
    ]
).map(lambda error: {"exc": error})


def refused(status, **said):
    return [{"status_code": status, "content": json.dumps(said).encode()}]


@pytest.mark.parametrize("name", CALLS)
@given(answers=st.lists(_answers | _answers | _failures, min_size=1, max_size=4), configured=st.booleans())
@example(answers=refused(400, **SECRETS), configured=True)
@example(answers=refused(400, errors=[SECRETS, {"field": [SECRETS]}]), configured=True)
@example(answers=refused(404, detail=f"Invalid page. {LINK} {KEY}"), configured=True)
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_call_gives_its_shape_or_a_lessonspace_error_and_shows_no_secret(
    connect, clock, caplog, name, answers, configured
):
    call, has_its_shape = CALLS[name]
    hook = connect(rate_limit_max_wait=10, organisation_id="42" if configured else "")
    clock.waits.clear()
    caplog.clear()
    said = ""
    with requests_mock.Mocker() as server:
        server.register_uri(requests_mock.ANY, requests_mock.ANY, answers)
        try:
            result = call(hook)
            assert has_its_shape(result), result
        except LessonspaceError as error:
            said = messages_of(error)
        assert len(server.request_history) < MOST_REQUESTS
    assert not [secret for secret in TELLING if secret in said + caplog.text]
    (said + caplog.text).encode()  # or no log could be written
