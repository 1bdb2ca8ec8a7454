# SPDX-License-Identifier: Apache-2.0
"""A server in place of Lessonspace whose every text is a template, wherever the API has one."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

#: What each hostile text has in it, so that it is known wherever it is seen.
MARK = "hostile"

SPACE = "7d7f1a2c-3d4e-4f5a-8b9c-0d1e2f3a4b5c"
KEY = "4f9d2c1e-7a6b-4c3d-9e8f-0a1b2c3d4e5f"


def hostile(field: str) -> str:
    """Make a text that prints the API key if it is rendered, in each of Jinja's ways to begin a template."""
    password = "conn.lessonspace_default.password"
    return f"{{{{ {password} }}}}{{% if 1 %}}{{{{ {password} }}}}{{% endif %}}{{# {MARK} {field} #}} {MARK} {field}"


def session_id(number: int) -> str:
    """Give the uuid of one of the sessions."""
    return f"5b5f1a2c-3d4e-4f5a-8b9c-{number:012}"


class HostileSchool:
    """
    What the server answers with.

    :param end: when its sessions ended, aware.
    """

    def __init__(self, end: datetime) -> None:
        self.end = end
        self.base = ""
        self.refuses_launches = False
        self.has_odd_sessions = True
        self.bodies: list[str] = []

    def answer(self, method: str, target: str) -> tuple[int, object]:
        """Answer a call: the status and the body."""
        path, _, query = target.partition("?")
        if method == "DELETE":
            return 204, None
        if method == "PATCH":
            return 200, {"name": hostile("name"), "recording_access_policy": ["teacher", "admin"]}
        if path.endswith("/spaces/launch/"):
            return (400, {"detail": hostile("detail")}) if self.refuses_launches else (201, self.launch())
        if path.endswith("/transcript/"):
            return 200, {"transcriptionUrl": f"{self.base}/file/?X-Amz-Signature=1"}
        if path.endswith("/file/"):
            return 200, [self.segment(), self.segment()]
        if path.endswith("/playback/"):
            return 200, {"recording_url": hostile("recording_url")}
        if path.endswith("/users/"):
            return 200, self.page([self.user(7), self.user(hostile("id"))])
        if path.endswith("/spaces/"):
            return 200, self.page([self.space(SPACE), self.space(hostile("id"))])
        if found := re.search("/sessions/([^/]+)/$", path):
            return 200, self.session(found[1])
        # One is in no lesson's room.
        return 200, self.page(self.sessions() + [self.session(session_id(4))] * ("launch_id" not in query))

    def page(self, entries: list[object]) -> dict[str, object]:
        return {"count": len(entries), "next": None, "previous": None, "results": entries}

    def sessions(self) -> list[object]:
        """Give a session of a good id, one of a good id without readable times, and ones of hostile ids."""
        if not self.has_odd_sessions:
            return [self.session(session_id(1))]
        unreadable = {"start_time": hostile("start_time"), "end_time": hostile("end_time")}
        return [
            self.session(session_id(1)),
            self.session(session_id(2), **unreadable),
            self.session(hostile("uuid")),
            self.session(f"{{{session_id(3)}}}"),
        ]

    def session(self, uuid: str, **fields: object) -> dict[str, object]:
        start = self.end - timedelta(minutes=50)
        people = [
            {"user": n, "name": hostile("name"), "email": hostile("email"), "role": hostile("role")} for n in (1, 2)
        ]
        row = {"date": start.isoformat(), "profile": 1, "guest_uuid": hostile("guest"), "user_socket_id": hostile("s")}
        return {
            "id": 12,
            "uuid": uuid,
            "name": hostile("session name"),
            "space": self.space(SPACE if uuid == session_id(1) else hostile("space id")),
            "region": hostile("region"),
            "start_time": start.isoformat(),
            "end_time": self.end.isoformat(),
            "profiles": people,
            "guests": [{"id": 1, "uuid": hostile("guest")}],
            "logs": [{**row, "log_type": "user-joined"}, {**row, "log_type": hostile("log_type")}],
            "connected_users": [{"profile": hostile("profile")}],
            "billable_seconds": hostile("billable"),
            "tags": hostile("tags"),
            "recording_access_policy": [hostile("policy")],
            "summary": hostile("summary"),
            "record_av": True,
            "recording_available": True,
            "playback_url": hostile("playback_url"),
            **fields,
        }

    def space(self, space_id: str) -> dict[str, object]:
        texts = {name: hostile(name) for name in ("alias", "name", "url", "region", "tags", "created_at")}
        return {**texts, "id": space_id, "slug": space_id}

    def user(self, user_id: object) -> dict[str, object]:
        texts = {name: hostile(name) for name in ("role", "name", "external_id", "url")}
        return {**texts, "user": {"id": user_id, "username": hostile("username")}}

    def launch(self) -> dict[str, object]:
        texts = {name: hostile(name) for name in ("client_url", "api_base", "room_id", "secret", "session_id")}
        return {**texts, "user_id": 7, "room_settings": {"record_av": hostile("record_av"), hostile("key"): True}}

    def segment(self) -> dict[str, object]:
        user = {"id": 1, "name": hostile("speaker")}
        return {"start_time": 1.0, "end_time": 2.0, "user": user, "breakout_id": hostile("b"), "text": hostile("text")}


@contextmanager
def serving(school: HostileSchool) -> Iterator[HostileSchool]:
    """Serve a school on this machine."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do(self) -> None:
            school.bodies.append(self.rfile.read(int(self.headers.get("Content-Length", 0))).decode())
            status, body = school.answer(self.command, self.path)
            data = b"" if body is None else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PATCH = do_DELETE = do  # noqa: N815 - the library's names

        def log_message(self, *args: object) -> None:
            """Write no line for each call."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    school.base = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield school
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
