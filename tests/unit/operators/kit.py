# SPDX-License-Identifier: Apache-2.0
"""What the tests of the operators for transcripts share."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone

from lessonspace_provider.exceptions import (
    LessonspaceNotFoundError,
)
from lessonspace_provider.operators.transcripts import (
    LessonspaceArchiveTranscriptsOperator,
)
from tests.listed import Listed

NOW = datetime.now(timezone.utc).replace(microsecond=0)
START, END = NOW - timedelta(days=1), NOW
SEGMENTS = [{"start_time": 1.0, "end_time": 2.0, "user": {"id": 1, "name": "Ann"}, "text": "Hi"}]


def a_session(number, *, end=NOW - timedelta(hours=2), **fields):
    return {
        "uuid": f"00000000-0000-4000-8000-{number:012d}",
        "name": f"Lesson {number}",
        "start_time": (end - timedelta(hours=1)).isoformat(),
        "end_time": end.isoformat(),
        "profiles": [{"user": 1}, {"user": 2}],
        **fields,
    }


class Hook:
    """Stands in for the hook: sessions to list, and per session its transcript or an error."""

    organisation_id = "42"

    def __init__(self, sessions, transcripts):
        self.sessions = sessions
        self.transcripts = transcripts
        self.asked = []
        self.fetched = []

    def list_sessions(self, **filters):
        self.asked.append(filters)
        return Listed(self.sessions)

    def server_time(self):
        return datetime.now(timezone.utc)

    def get_session(self, session_id):
        for session in self.sessions:
            if session["uuid"] == session_id:
                return session
        raise LessonspaceNotFoundError("no such session", status=404)

    def open_transcript(self, session_id):
        self.fetched.append(session_id)
        outcome = self.transcripts.get(session_id, SEGMENTS)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


class OutletEvents(dict):
    """Airflow's accessor, which takes an asset although Airflow 3.0 can't hash one."""

    def __getitem__(self, asset):
        return super().__getitem__(asset.name)


def archiver(tmp_path, sessions, transcripts=None, **parameters):
    operator = LessonspaceArchiveTranscriptsOperator(
        task_id="archive",
        **{"destination": f"file://{tmp_path}", "window_start": START, "window_end": END, **parameters},
    )
    operator.hook = Hook(sessions, transcripts or {})
    return operator


def manifest_of(tmp_path):
    (path,) = (tmp_path / "manifests").iterdir()
    return json.loads(path.read_text())


def make_due(tmp_path):
    """Let the next look at all that is pending be now."""
    for path in tmp_path.glob("manifests/*"):
        account = json.loads(path.read_text())
        path.write_text(json.dumps({**account, "sessions": [{**e, "next_look": None} for e in account["sessions"]]}))
