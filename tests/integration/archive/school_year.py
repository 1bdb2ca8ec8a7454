# SPDX-License-Identifier: Apache-2.0
"""A school's sessions over a year, and what their server does to them: late ends, deletions, odd shapes."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta, timezone
from functools import partial

from lessonspace_provider.sandbox import NewSession, SandboxControl
from lessonspace_provider.sandbox.messages import Segment

DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)

#: When each night's window ends and the next one starts, in UTC.
WINDOW_HOUR = 2

#: How long after a session's end its transcript is waited for: the operator's default.
GIVE_UP_AFTER = timedelta(days=7)

ARCHIVED, NOT_ELIGIBLE, GIVEN_UP, FAILED = "archived", "not_eligible", "given_up", "failed"

#: Shapes that leave a session's end and id readable.
ODD_FIELDS: tuple[dict[str, str], ...] = (
    {"name": '"\\ud800"'},
    {"name": '{"a": 1}'},
    {"billable_seconds": "1e999"},
    {"billable_seconds": "1" + "0" * 400},
    {"profiles": "null"},
    {"profiles": "[null, 7]"},
    {"profiles": '[{"user": {"id": 7}, "role": ["x"]}, {"user": null}]'},
    {"guests": '"none"'},
    {"start_time": '"soon"'},
    {"start_time": "null"},
    {"start_time": '"10:"'},
    {"space": "null"},
    {"space": '{"id": 5, "name": ["x"]}'},
    {"tags": "[[[]]]"},
    {"id": '"abc"'},
)

#: Shapes that leave no end to file a session by.
ODD_ENDS = ('"10:"', '"soon"', "17", '{"a": 1}', '"9999-12-31T23:59:59Z"', '"2026-02-30T10:00:00Z"')


@dataclass
class Lesson:
    """
    A session that was held.

    :param end: when it ended, after all corrections.
    :param allowed: what may become of it in the end; empty: the archive may never have seen it.
    :param segments: its transcript, as it is in the end.
    """

    kind: str
    end: datetime
    allowed: frozenset[str]
    segments: list[Segment]
    session_id: str = ""


@dataclass(order=True)
class _Event:
    at: datetime
    number: int
    happen: Callable[[], None] = field(compare=False)


class School:
    """
    Holds lessons in a sandbox whose clock stands still until it is moved.

    :param control: of a sandbox without sessions.
    :param chance: where all chance comes from.
    """

    def __init__(self, control: SandboxControl, chance: random.Random) -> None:
        self.lessons: list[Lesson] = []
        self._control = control
        self._now = control.state().now
        self._chance = chance
        self._events: list[_Event] = []
        self._coming: list[tuple[datetime, NewSession, Lesson]] = []
        self._kinds: dict[str, Callable[[Lesson, NewSession], NewSession]] = {
            "ordinary": self._ordinary,
            "slow": self._slow,
            "too late": self._too_late,
            "never": self._never,
            "alone": self._alone,
            "short": self._short,
            "not recorded": self._not_recorded,
            "empty": self._empty,
            "empty at first": self._empty_at_first,
            "end known late": self._end_known_late,
            "end moved": self._end_moved,
            "start after end": self._start_after_end,
            "odd": self._odd,
            "odd end": self._odd_end,
            "no uuid": self._no_uuid,
            "deleted unseen": self._deleted_unseen,
            "deleted pending": self._deleted_pending,
            "deleted archived": self._deleted_archived,
            "recording deleted": self._recording_deleted,
            "at the bound": self._at_the_bound,
            "in the last hour": self._in_the_last_hour,
            "failing": self._failing,
        }

    @property
    def kinds(self) -> list[str]:
        """The kinds of lessons there are, the ordinary one first."""
        return list(self._kinds)

    def hold(self, day: date, kind: str) -> Lesson:
        """Plan a lesson of a window, which starts on this day."""
        start = datetime.combine(day, time(WINDOW_HOUR), timezone.utc)
        end = start + timedelta(seconds=self._chance.randint(5 * 3600, 24 * 3600 - 1))
        number = len(self.lessons)
        lesson = Lesson(kind, end, frozenset({ARCHIVED}), [said(f"Lesson {number}")] * self._chance.randint(1, 3))
        self.lessons.append(lesson)
        new = NewSession(end - 45 * MINUTE, end, segments=lesson.segments, name=f"Lesson {number}")
        new = self._kinds[kind](lesson, new)
        visible = new.end or new.start
        self._coming.append((visible, new, lesson))
        return lesson

    def at(self, moment: datetime, happen: Callable[[], None]) -> None:
        """Let something happen at a moment."""
        self._events.append(_Event(moment, len(self._events), happen))

    def move_clock(self, now: datetime) -> None:
        """Move the sandbox's clock, and let all that is due by then happen."""
        due = [coming for coming in self._coming if coming[0] <= now]
        self._coming = [coming for coming in self._coming if coming[0] > now]
        self._now = max(now, self._now)
        self._control.set_clock(self._now)
        # Corrections of a session come after it was added.
        session_ids = self._control.add_sessions([new for _, new, _ in due]) if due else []
        for (_, _, lesson), session_id in zip(due, session_ids, strict=True):
            lesson.session_id = session_id
        happening = sorted(event for event in self._events if event.at <= now)
        self._events = [event for event in self._events if event.at > now]
        for event in happening:
            event.happen()

    def delete_between_pages(self, window_end: datetime) -> None:
        """Delete a session of a window between two pages of its list; the others last until the next afternoon."""
        of_window = [lesson for lesson in self.lessons if window_end - DAY <= lesson.end < window_end]
        newest, *others = sorted(
            (lesson for lesson in of_window if lesson.kind == "ordinary"), key=lambda lesson: lesson.end, reverse=True
        )
        newest.kind, newest.allowed = "deleted between pages", frozenset()
        self._control.delete_session(newest.session_id, after_page=1)
        for lesson in others:  # a run of the next night is too late for what this one does not list
            lesson.kind, lesson.allowed = "beside a deletion", frozenset({ARCHIVED, GIVEN_UP})
            self.at(window_end + 15 * HOUR, partial(self._control.delete_session, lesson.session_id))

    # Each of these says what the server does, and what the archive may say of it in the end.

    def _ordinary(self, _lesson: Lesson, new: NewSession) -> NewSession:
        return replace(new, transcript_delay=self._chance.uniform(600, 20 * 3600))

    def _slow(self, _lesson: Lesson, new: NewSession) -> NewSession:
        return replace(new, transcript_delay=self._chance.uniform(1.0, 6.99) * 86400)

    def _too_late(self, lesson: Lesson, new: NewSession) -> NewSession:
        lesson.allowed = frozenset({GIVEN_UP, ARCHIVED})  # a run that comes late may still find it
        return replace(new, transcript_delay=self._chance.uniform(7.01, 30.0) * 86400)

    def _never(self, lesson: Lesson, new: NewSession) -> NewSession:
        lesson.allowed = frozenset({GIVEN_UP})
        return replace(new, transcript="never")

    def _alone(self, lesson: Lesson, new: NewSession) -> NewSession:
        lesson.allowed = frozenset({NOT_ELIGIBLE})
        return replace(new, users=["Ada Teacher"])

    def _short(self, lesson: Lesson, new: NewSession) -> NewSession:
        lesson.allowed = frozenset({NOT_ELIGIBLE})
        return replace(new, start=lesson.end - 4 * MINUTE)

    def _not_recorded(self, lesson: Lesson, new: NewSession) -> NewSession:
        lesson.allowed = frozenset({NOT_ELIGIBLE, GIVEN_UP})  # no field of a session says for certain
        return replace(new, recorded=False)

    def _empty(self, lesson: Lesson, new: NewSession) -> NewSession:
        lesson.segments = []
        return replace(new, transcript="ready", segments=[])

    def _empty_at_first(self, lesson: Lesson, new: NewSession) -> NewSession:
        def fill() -> None:
            self._control.set_transcript(lesson.session_id, "ready", segments=lesson.segments)

        self.at(lesson.end + self._chance.uniform(0.2, 6.9) * DAY, fill)
        return replace(new, transcript="ready", segments=[])

    def _end_known_late(self, lesson: Lesson, new: NewSession) -> NewSession:
        """It runs while the list of its window is read, and has then ended up to hours before that."""
        window_end = next_bound(lesson.end)
        lesson.end = window_end - self._chance.choice([MINUTE, 31 * MINUTE, 3 * HOUR, 20 * HOUR])
        known_at = window_end + self._chance.uniform(3.0, 20.0) * HOUR
        self.at(known_at, lambda: self._control.correct_times(lesson.session_id, end=lesson.end))
        return replace(new, start=lesson.end - 45 * MINUTE, end=None, transcript="ready")

    def _end_moved(self, lesson: Lesson, new: NewSession) -> NewSession:
        """Its end is corrected, often into the window before or after, once its own has been read."""
        first = lesson.end
        lesson.end = first + self._chance.choice([-20, -3, -0.5, 0.5, 3, 20]) * HOUR
        moved_at = next_bound(first) + 5 * HOUR
        lesson.end = min(lesson.end, moved_at - MINUTE)
        self.at(moved_at, lambda: self._control.correct_times(lesson.session_id, end=lesson.end))
        earliest = min(first, lesson.end) - 45 * MINUTE
        return replace(new, start=earliest, transcript=self._chance.choice(["ready", "by-rule"]))

    def _start_after_end(self, lesson: Lesson, new: NewSession) -> NewSession:
        wrong = lesson.end + self._chance.choice([MINUTE, HOUR, 400 * DAY])
        self.at(lesson.end, lambda: self._control.correct_times(lesson.session_id, start=wrong))
        return replace(new, transcript="ready")

    def _odd(self, lesson: Lesson, new: NewSession) -> NewSession:
        fields = ODD_FIELDS[self._chance.randrange(len(ODD_FIELDS))]
        self.at(lesson.end, lambda: self._control.set_raw_fields(lesson.session_id, fields))
        return replace(new, transcript="ready")

    def _odd_end(self, lesson: Lesson, new: NewSession) -> NewSession:
        """Its end can't be read; half of them are corrected when the night is over."""
        text = self._chance.choice(ODD_ENDS)
        self.at(lesson.end, lambda: self._control.set_raw_fields(lesson.session_id, {"end_time": text}))
        lesson.allowed = frozenset({FAILED})
        if self._chance.random() < 0.5:
            lesson.allowed = frozenset({FAILED, ARCHIVED})
            healed_at = next_bound(lesson.end) + 8 * HOUR
            self.at(healed_at, lambda: self._control.set_raw_fields(lesson.session_id, {}))
        return replace(new, transcript="ready")

    def _no_uuid(self, lesson: Lesson, new: NewSession) -> NewSession:
        """The archive can only warn of a session without an id that can be asked for."""
        uuid = self._chance.choice(["null", '"{{ conn.smtp_default.password }}"', '"../../x"', "7"])
        self.at(lesson.end, lambda: self._control.set_raw_fields(lesson.session_id, {"uuid": uuid}))
        lesson.allowed = frozenset()
        return new

    def _deleted_unseen(self, lesson: Lesson, new: NewSession) -> NewSession:
        lesson.allowed = frozenset()
        self.at(lesson.end, lambda: self._control.delete_session(lesson.session_id))
        return new

    def _deleted_pending(self, lesson: Lesson, new: NewSession) -> NewSession:
        lesson.allowed = frozenset({GIVEN_UP})
        self.at(next_bound(lesson.end) + 15 * HOUR, lambda: self._control.delete_session(lesson.session_id))
        return replace(new, transcript_delay=3 * 86400.0)

    def _deleted_archived(self, lesson: Lesson, new: NewSession) -> NewSession:
        deleted_at = next_bound(lesson.end) + self._chance.uniform(4.0, 40.0) * DAY
        self.at(deleted_at, lambda: self._control.delete_session(lesson.session_id))
        return replace(new, transcript="ready")

    def _recording_deleted(self, lesson: Lesson, new: NewSession) -> NewSession:
        lesson.allowed = frozenset({GIVEN_UP, NOT_ELIGIBLE})
        self.at(lesson.end, lambda: self._control.delete_recording(lesson.session_id))
        return new

    def _at_the_bound(self, lesson: Lesson, new: NewSession) -> NewSession:
        lesson.end = next_bound(lesson.end) - self._chance.choice([DAY, timedelta(microseconds=1)])
        return replace(new, start=lesson.end - HOUR, end=lesson.end, transcript="ready")

    def _in_the_last_hour(self, lesson: Lesson, new: NewSession) -> NewSession:
        lesson.end = next_bound(lesson.end) - self._chance.uniform(1.0, 50.0) * MINUTE
        return replace(new, start=lesson.end - HOUR, end=lesson.end, transcript="ready")

    def _failing(self, lesson: Lesson, new: NewSession) -> NewSession:
        """All calls for its transcript fail in the first night, whose run is not always started again."""

        def fail() -> None:
            path = f"/{lesson.session_id}/transcript/$"
            self._control.inject_fault("status", status=500, path=path, count=5)

        self.at(lesson.end, fail)
        return replace(new, transcript="ready")


def said(text: str) -> Segment:
    """Make a segment of a transcript."""
    speaker = {"id": 1, "name": "Ann"}
    return {"start_time": 0.0, "end_time": 1.0, "user": speaker, "breakout_id": "main", "text": text}  # type: ignore[typeddict-item]  # a dict is the speaker


def next_bound(moment: datetime) -> datetime:
    """Return when the window that a moment belongs to ends."""
    bound = moment.replace(hour=WINDOW_HOUR, minute=0, second=0, microsecond=0)
    return bound if bound > moment else bound + DAY
