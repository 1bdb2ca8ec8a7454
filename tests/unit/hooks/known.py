# SPDX-License-Identifier: Apache-2.0
"""What the tests of the hook share: one school's connection, and how to read what was sent."""

from __future__ import annotations

import json
from urllib.parse import urlsplit

API = "https://api.thelessonspace.com/v2"
KEY = "4f9d2c1e-7a6b-4c3d-9e8f-0a1b2c3d4e5f"
ORGANISATION = "42"
SESSION = "5b5f1a2c-3d4e-4f5a-8b9c-0d1e2f3a4b5c"
OTHER_SESSION = "6c6f1a2c-3d4e-4f5a-8b9c-0d1e2f3a4b5c"
SPACE = "7d7f1a2c-3d4e-4f5a-8b9c-0d1e2f3a4b5c"
SLUG = "Maths_one-7"
STORE = "https://store.example.net"
SIGNATURE = "c2lnbmVkLWJ5LXRoZS1zdG9yZQ"
LINK = f"{STORE}/transcripts/file.json?Expires=1763900000&Signature={SIGNATURE}"

SESSIONS_PATH = f"/organisations/{ORGANISATION}/sessions/"
SESSION_PATH = f"{SESSIONS_PATH}{SESSION}/"
TRANSCRIPT_PATH = f"{SESSION_PATH}transcript/"
SPACES_PATH = f"/organisations/{ORGANISATION}/spaces/"
USERS_PATH = f"/organisations/{ORGANISATION}/users/"
SPACE_SESSIONS_PATH = f"/spaces/{SPACE}/sessions/"
PLAYBACK_PATH = f"/sessions/{SESSION}/playback/"
LAUNCH_PATH = "/spaces/launch/"

LAUNCH = {
    "client_url": "https://go.thelessonspace.example/space/maths?user=eyJhbGciOiJIUzI1NiJ9.eyJ1IjoxfQ.c2lnbmF0dXJl",
    "api_base": "https://room.thelessonspace.example/maths/",
    "room_id": SLUG,
    "secret": "launch-secret-1f2e3d4c",
    "session_id": SESSION,
    "user_id": 7,
    "room_settings": {"record_av": True},
}
RECORDING_URL = "https://recordings.example.net/watch?token=cmVjb3JkaW5nLXRva2Vu"
SEGMENT = {"start_time": 0.5, "end_time": 2.0, "user": {"id": 7, "name": "Zoë"}, "breakout_id": "main", "text": "Grüße"}


def connection_json(**fields):
    """Write a connection as ``AIRFLOW_CONN_...`` takes it; fields beside password, host and extra go into the extra."""
    password, host = fields.pop("password", KEY), fields.pop("host", API)
    extra = {"organisation_id": ORGANISATION, "rate_limit_per_second": 0, **fields}
    return json.dumps({"conn_type": "lessonspace", "password": password, "host": host, "extra": extra})


def page(*results, following=None, count=None):
    """Write one page of a list; without a count, nothing can be compared with it."""
    return {"count": count, "next": following, "previous": None, "results": list(results)}


def sent(requests_mock):
    """Read what was sent: method, path below the base URL, and the query exactly as it stood on the wire."""
    calls = []
    for request in requests_mock.request_history:
        parts = urlsplit(request.url)
        calls.append((request.method, parts.path.removeprefix("/v2"), parts.query))
    return calls


def messages_of(error):
    """All texts a traceback of the error would show: its own, those of its causes and contexts, and their reprs."""
    texts, todo, seen = [], [error], set()
    while todo:
        exception = todo.pop()
        if exception is None or id(exception) in seen:
            continue
        seen.add(id(exception))
        texts += [str(exception), repr(exception), repr(exception.args), repr(vars(exception))]
        todo += [exception.__cause__, exception.__context__]
    return "\n".join(texts)
