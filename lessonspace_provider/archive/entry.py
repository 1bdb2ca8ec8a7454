# SPDX-License-Identifier: Apache-2.0
"""The entry of each session in a manifest of the archive: what became of its transcript. Pure."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

from lessonspace_provider.api import json_list
from lessonspace_provider.api.foreign_words import clean_message, clean_words
from lessonspace_provider.api.plain_json import MOST_DIGITS, NUMBERS
from lessonspace_provider.api.shapes import objects_in, whole_seconds
from lessonspace_provider.api.times import read_time, write_time
from lessonspace_provider.archive.clock import Present
from lessonspace_provider.archive.paths import number_of, path_without_names, session_id_of, transcript_path
from lessonspace_provider.archive.schema import OPTIONAL_FIELDS, ManifestFile, SummaryFile, problem_of
from lessonspace_provider.sessions import participant_count, space_of
from lessonspace_provider.waiting.transcripts import (
    LONGEST_PAUSE,
    STATUSES,
    TranscriptStatus,
    next_check_at,
    should_give_up,
    transcript_obstacle,
)

if TYPE_CHECKING:
    from lessonspace_provider.api.types import Session

#: How long a failed session is left to the retries of its own window's run before the runs of later windows retry it;
#: and how long these wait between two retries when ``give_up_after`` has passed.
RETRY_FAILED_AFTER, RETRY_OLD_AFTER = timedelta(hours=12), timedelta(days=7)

#: Characters of a foreign text that are kept in a manifest.
LONGEST_TEXT = 500


@dataclass(frozen=True)
class Entry:
    """
    What became of one session. Times are ISO 8601 in UTC.

    :param session_id: the session's uuid; see ``session_id_of`` for a session without one.
    :param roles: those of the people in the session, by their Lessonspace user id.
    :param path: where the transcript's files are below the destination, without their extensions; empty when the
        session can't be filed.
    :param reason: why there is no transcript, or not all that was wanted.
    :param tries: how often it was checked.
    :param next_check: from when on the runs of later windows check it again; ``next_look`` in the file.
    :param pending_until: until when it is not given up.
    :param segments: how many the transcript has.
    :param redacted: whether the files have roles in place of names.
    :param changed_by: the start of the window whose run changed the status last, where that is a later window.
    :param tags: as JSON; None when it has more than ``LONGEST_TEXT`` characters.
    :param erased_people: marks of the people that were taken out of it, see ``erased_people``; None for none.
    :param summary: the file of the session's summary; None without one.
    :param spoken_names: how often the text has ``NAME_LABEL``; None where the text was not redacted.
    :param redacted_by: what the text was redacted by, see ``TextRedaction.kinds``; None for nothing.
    :param added: what else the entry has in the file; it is kept.
    """

    session_id: str
    id: int | None = None
    space_id: str | None = None
    name: str | None = None
    start_time: str | None = None
    end_time: str | None = None
    participants: int = 0
    roles: Mapping[str, str] = field(default_factory=dict)
    path: str = ""
    status: TranscriptStatus = "pending"
    reason: str | None = None
    tries: int = 0
    next_check: str | None = None
    pending_until: str | None = None
    segments: int | None = None
    redacted: bool = False
    files: Sequence[ManifestFile] = ()
    changed_by: str | None = None
    space_name: str | None = None
    billable_seconds: int | None = None
    tags: str | None = None
    erased_people: Sequence[str] | None = None
    summary: SummaryFile | None = None
    spoken_names: int | None = None
    redacted_by: Sequence[str] | None = None
    added: Mapping[str, object] = field(default_factory=dict)

    @classmethod
    def from_json(cls, value: object) -> Entry:
        """
        Read an entry of a manifest.

        :raises ValueError: when it can't be used; the text has the reason.
        """
        if problem := problem_of(value):
            raise ValueError(problem)
        stored = cast("dict[str, Any]", value)
        known = {name: stored[key] for name, key in _KEYS.items() if key in stored}
        added = {key: stored[key] for key in stored if key not in _KEYS.values()}
        return cls(**{**known, "files": tuple(stored["files"])}, added=added)

    def to_json(self) -> dict[str, object]:
        """Convert to what a manifest holds."""
        stored = {key: getattr(self, name) for name, key in _KEYS.items()}
        stored["files"] = list(self.files)
        without_defaults = {key: value for key, value in stored.items() if key not in _OPTIONAL or value is not None}
        return {**without_defaults, **self.added}

    @classmethod
    def of(cls, session: Session, path: str = "") -> Entry:
        """
        Create the entry of a session that was never checked.

        :param session: an ended session, as the API sends it, whatever its fields hold.
        :param path: see ``transcript_path``; empty while none can be made.
        """
        roles = {str(profile.get("user")): profile.get("role") for profile in objects_in(session.get("profiles"))}
        return cls(
            session_id_of(session),
            id=number_of(session),
            space_id=_text(space_of(session).get("id")),
            name=_text(session.get("name")),
            start_time=_time_text(session.get("start_time")),
            end_time=_time_text(session.get("end_time")),
            participants=participant_count(session),
            roles={user: role for user, role in roles.items() if isinstance(role, str) and role},
            path=path,
            space_name=_text(space_of(session).get("name")),
            billable_seconds=whole_seconds(session.get("billable_seconds")),
            tags=_json_text(session.get("tags")),
        )

    @classmethod
    def listed(cls, session: Session, before: Entry | None, template: str) -> Entry:
        """
        Create the entry of a listed session, or continue the one that an earlier run wrote.

        An archived transcript stays where it is, whatever has become of the session since: its name, the people in it,
        its recording, or the template. An erased one stays erased.

        :param session: an ended session.
        :param before: the session's entry so far.
        :param template: see ``transcript_path``; for what has no path yet.
        :raises LessonspaceServerError: when the session can't be read.
        """
        if before is not None and (before.files or before.status == "erased"):
            return before.reopened()
        entry = cls.of(session, (before and before.path) or transcript_path(session, template))
        if before is not None:
            entry = replace(entry, erased_people=before.erased_people, summary=before.summary, added=before.added)
        if obstacle := transcript_obstacle(session):
            return entry.not_eligible(obstacle)
        if before is None:
            return entry
        return before if before.status == "pending" else replace(entry, tries=before.tries)

    @classmethod
    def unreadable(cls, session: Session, before: Entry | None, reason: str) -> Entry:
        """
        Record that a session can't be filed: it failed, and only the run of its window tries again.

        :param session: whatever the list has in a session's place.
        :param before: the session's entry so far.
        """
        try:
            entry = before or cls.of(session)
        except Exception:  # any other shape than the API's
            entry = cls(session_id_of(session))
        return entry._concluded("failed", reason)

    def reopened(self) -> Entry:
        """Choose what the run of its own window checks again: files, and what has no transcript for another reason."""
        if self.status == "erased":
            return self
        if self.files:
            return self if self.status == "archived" else replace(self, status="archived", reason=None)
        if self.status in ("failed", "given_up", "not_attempted") and self.path:
            return self._concluded("pending", None)
        return self

    def planned(self) -> Entry:
        """Record what a dry run would do."""
        return replace(self, status="pending", reason="would be fetched or written")

    def not_attempted(self, next_check: datetime | None = None) -> Entry:
        """
        Record, before a session's transcript is asked for, what holds if the run ends here.

        :param next_check: from when on the runs of other windows try it, aware; None: from now on.
        :return: the entry as it is, unless it is pending.
        """
        if self.status != "pending":
            return self
        check = None if next_check is None else write_time(next_check)
        return replace(self, status="not_attempted", reason="the run ended before it tried", next_check=check)

    def not_eligible(self, reason: str) -> Entry:
        """Record that a session can never have a transcript."""
        return self._concluded("not_eligible", reason)

    def failed(self, reason: str, now: datetime, give_up_after: timedelta) -> Entry:
        """
        Record that a session failed: the runs of later windows retry it, and an error never gives it up.

        :param now: aware.
        :param give_up_after: how long after the session's end a transcript is waited for.
        """
        is_old = should_give_up(self._end(now), now, give_up_after)
        next_check = now + (RETRY_OLD_AFTER if is_old else RETRY_FAILED_AFTER)
        return self._checked("failed", reason, next_check, self._end(now) + give_up_after)

    def missing(self, present: Present, give_up_after: timedelta, reason: str = "no transcript yet") -> Entry:
        """
        Record that a transcript was asked for and is not there.

        :param give_up_after: how long after the session's end a transcript is waited for.
        :param reason: of one that is pending.
        :return: pending, or given up when that time has passed; without files, which are missing or damaged.
        """
        over = f"no transcript {give_up_after} after the session's end"
        if self.files:
            paths = ", ".join(file["path"] for file in self.files)
            over = reason = f"archived once, but {paths} are missing or damaged, and the API has no transcript any more"
        now, ended_at = present.now, self._end(present.now)
        check = next_check_at(self.session_id, ended_at, now, give_up_after, checks=self.tries + 1)
        checked = self._checked("pending", reason, check, ended_at + give_up_after)
        without_files = replace(checked, segments=None, files=())
        is_last = self.is_last_check(present, give_up_after)
        return without_files._concluded("given_up", over) if is_last else without_files

    def archived(
        self,
        files: Iterable[ManifestFile],
        *,
        segments: int,
        redacted: bool,
        spoken_names: int | None = None,
        redacted_by: Sequence[str] | None = None,
    ) -> Entry:
        """Record that a transcript was written."""
        reason = None if segments else "the transcript is empty: no one spoke, or it was never created"
        done = self._concluded("archived", reason)
        written = replace(done, segments=segments, redacted=redacted, files=tuple(files))
        return replace(written, spoken_names=spoken_names, redacted_by=redacted_by)

    def partly_archived(self, files: Sequence[ManifestFile], wanted: Iterable[str]) -> Entry:
        """
        Record that not all wanted files of an archived transcript could be written: the API does not have it any more.

        :param files: those that are there and whole.
        :param wanted: the formats.
        """
        missing = sorted(set(wanted) - {file["format"] for file in files})
        lacks = f"no file in {', '.join(missing)}" if missing else "names and roles of its files stay as they are"
        done = self._concluded("archived", f"the API does not have the transcript any more: {lacks}")
        return replace(done, files=tuple(files))

    def erased(self, reason: str) -> Entry:
        """Record that a transcript was erased, and is never fetched again: the session's account has no people."""
        done = self._concluded("erased", reason)
        done = replace(done, files=(), segments=None, roles={}, name=None, space_name=None, tags=None)
        path = path_without_names(self.path, self.session_id)
        return replace(done, path=path, summary=None, erased_people=None, added={})

    def with_erasure_of(self, there: Entry) -> Entry:
        """Keep what an erasure has taken out of the entry meanwhile."""
        marks = {*(self.erased_people or ()), *(there.erased_people or ())}
        if marks == {*(self.erased_people or ())}:
            return self
        texts = replace(self, name=there.name, space_name=there.space_name, tags=there.tags, added=there.added)
        return replace(texts, roles=there.roles, erased_people=sorted(marks))

    def changed_from(self, before: Entry | None, by: str | None) -> Entry:
        """
        Record which later window's run has changed the status, so that a retry of that run reports it, too.

        :param before: what the manifest had of the session; None for nothing.
        :param by: the start of that later window, ISO 8601 in UTC; None when it was the run of the session's own.
        """
        has_changed = before is None or before.status != self.status
        return replace(self, changed_by=by if has_changed or before is None else before.changed_by)

    def _concluded(self, status: TranscriptStatus, reason: str | None) -> Entry:
        return replace(self, status=status, reason=reason, next_check=None, pending_until=None)

    def _checked(self, status: TranscriptStatus, reason: str, next_check: datetime, until: datetime) -> Entry:
        checked = replace(self, status=status, reason=reason, tries=self.tries + 1)
        return replace(checked, next_check=write_time(next_check), pending_until=write_time(until))

    def _end(self, now: datetime) -> datetime:
        return read_time(self.end_time) or now

    @property
    def is_open(self) -> bool:
        """Whether the runs of later windows have something to do about the session, now or later."""
        return bool(self.path) and self.status in ("pending", "not_attempted", "failed")

    def is_due(self, now: datetime) -> bool:
        """Whether the session is open and may be checked again."""
        next_check = read_time(self.next_check)
        # One further ahead was written by a clock that was wrong.
        longest = LONGEST_PAUSE if self.status == "pending" else RETRY_OLD_AFTER
        return self.is_open and (next_check is None or not now < next_check <= now + longest)

    def is_last_check(self, present: Present, give_up_after: timedelta) -> bool:
        """Whether a check that is made now gives the transcript up if it is not there."""
        since, now = self._end(present.now), present.now
        return should_give_up(since, now, give_up_after, is_confirmed=present.is_confirmed, checks=self.tries + 1)

    @property
    def has_failed(self) -> bool:
        """Whether a task is to fail for the session."""
        return self.status in ("failed", "not_attempted")

    @property
    def user_roles(self) -> dict[int, str]:
        """The roles of the people in the session by their Lessonspace user ids, which are integers."""
        return {int(user): role for user, role in self.roles.items() if user.isdecimal() and len(user) <= MOST_DIGITS}

    def __str__(self) -> str:
        """Describe what became of the session, for a log."""
        is_full = self.status == "archived" and not self.reason
        detail = f"{self.segments} segments" if is_full else clean_message(self.reason)
        return f"{clean_words(self.session_id)} {clean_words(self.end_time, longest=80)}: {detail}"


#: What the fields of an entry are called in the file.
_KEYS = {field.name: field.name for field in fields(Entry) if field.name != "added"} | {"next_check": "next_look"}

#: Those that are left out of the file while they have their default.
_OPTIONAL = OPTIONAL_FIELDS.keys()

#: Entries by their session's id.
Entries = Mapping[str, Entry]


def by_session(entries: Iterable[Entry]) -> dict[str, Entry]:
    """Arrange entries by their session's id."""
    return {entry.session_id: entry for entry in entries}


def count(entries: Iterable[Entry]) -> dict[TranscriptStatus, int]:
    """Count the entries of each status; of those that were erased only where there are some."""
    occurred = Counter(entry.status for entry in entries)
    return {status: occurred[status] for status in STATUSES if status != "erased" or occurred[status]}


def _time_text(value: object) -> str | None:
    """Write a time in UTC; one that can't be read stays as it is, so that the manifest shows it."""
    moment = read_time(value)
    return write_time(moment) if moment else _text(value)


def _text(value: object) -> str | None:
    return None if value is None else str(value)[:LONGEST_TEXT]


def _json_text(value: object) -> str | None:
    """Write tags, which are text holding JSON, as JSON again; a part of it would be no JSON."""
    try:
        read = json.loads(value, **NUMBERS) if isinstance(value, str) else value
        written = json_list.encoded(json.dumps(read, ensure_ascii=False)).decode()
    except (ValueError, TypeError, RecursionError):
        return None
    return written if read not in (None, "", {}, []) and len(written) <= LONGEST_TEXT else None
