# SPDX-License-Identifier: Apache-2.0
"""What the tests of the archive share: sessions, a source of transcripts, and what runs leave."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from threading import Event

from lessonspace_provider.exceptions import LessonspaceServerError, LessonspaceTranscriptNotReady

NOW = datetime(2026, 11, 23, 3, tzinfo=timezone.utc)
START, END = NOW - timedelta(days=1, hours=1), NOW - timedelta(hours=1)
SEGMENTS = [{"start_time": 1.0, "end_time": 2.0, "user": {"id": 1, "name": "Ann"}, "text": "Hi"}]
NOT_READY = LessonspaceTranscriptNotReady("no transcript", status=404)
ENDED = NOW - timedelta(hours=2)


def a_session(number, **fields):
    return {
        "id": number,
        "uuid": f"00000000-0000-4000-8000-{number:012d}",
        "name": f"Lesson {number}",
        "start_time": (ENDED - timedelta(hours=1)).isoformat(),
        "end_time": ENDED.isoformat(),
        "profiles": [{"user": 1, "name": "Ann", "role": "teacher"}, {"user": 2, "name": "Ben", "role": "student"}],
        **fields,
    }


class Source:
    """Returns transcripts, or raises the errors in ``outcomes``, and records the sessions asked for."""

    def __init__(self):
        self.outcomes = {}
        self.asked = []
        self.time = NOW

    def server_time(self):
        return self.time

    def open_transcript(self, session_id):
        self.asked.append(session_id)
        outcome = self.outcomes.get(session_id, SEGMENTS)
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome


class Log:
    """Keeps its lines, and sets an event for one that is awaited."""

    def __init__(self):
        self.lines, self.warnings = [], []
        self._awaited = []

    def has_line(self, beginning):
        self._awaited.append((beginning, there := Event()))
        return there

    def warning(self, message, *arguments):
        self.warnings.append(message % arguments)

    def info(self, message, *arguments):
        self.lines.append(message % arguments)
        for beginning, there in self._awaited:
            if self.lines[-1].startswith(beginning):
                there.set()


def good(number):
    return a_session(number)["uuid"]


def archive_late(archiver, listed):
    """Run the next window with sessions that its list shows; give what became of earlier windows."""
    window = archiver.archive_window(listed, END, END + timedelta(hours=1))
    return archiver.update_earlier(END, window.elsewhere)


def entries_of(window):
    return list(window.manifest.entries.values())


def statuses(window):
    return {entry.session_id: entry.status for entry in entries_of(window)}


def tree(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def failed_once(archiver, source):
    source.outcomes[good(1)] = LessonspaceServerError("503")
    archiver().archive_window([a_session(1), a_session(2)], START, END)
    source.asked.clear()
