# SPDX-License-Identifier: Apache-2.0
"""
The tombstones of an archive: what no later run may bring back. Pure.

``erasures/tombstones.json`` has one request per erasure, with keyed hashes in place of ids and names. The entries of
the manifests have what holds for their own sessions for good.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from lessonspace_provider.api.times import read_time, write_time
from lessonspace_provider.archive.entry import Entry
from lessonspace_provider.archive.erasure.people import LABEL_IN_PATH, MARK, ErasedPeople

#: Where they are, below the destination.
ERASURES = "erasures"
TOMBSTONES, KEY = f"{ERASURES}/tombstones.json", f"{ERASURES}/key"

#: The form of the file.
VERSION = 1

#: Why an entry is erased.
ON_REQUEST = "erased on request"

#: Statuses of sessions whose transcript may still come, and then have people whom the entry does not.
WITHOUT_TRANSCRIPT = ("pending", "failed", "not_attempted", "given_up", "not_eligible")

_FIELD = re.compile("[a-z0-9_]+")

#: How long a request names its sessions: longer than a run of the archive beside it, or a retry of that, takes.
KEEP_SESSIONS = timedelta(days=7)


@dataclass(frozen=True)
class Request:
    """
    One erasure.

    :param time: when it began, aware.
    :param marks: of its people; see ``erased_people``.
    :param for_future: whether it also holds for sessions that the archive does not have yet.
    :param is_done: False while it is in progress; the next erasure completes one that was interrupted.
    :param sessions: ids of the sessions that it changed, True for those that were erased; dropped after a while.
    """

    time: datetime
    marks: tuple[str, ...]
    for_future: bool = False
    is_done: bool = False
    sessions: Mapping[str, bool] = field(default_factory=dict)

    def to_json(self) -> dict[str, object]:
        """Convert to what the file holds."""
        return {
            "time": write_time(self.time),
            "marks": list(self.marks),
            "for_future": self.for_future,
            "done": self.is_done,
            "sessions": dict(self.sessions),
        }

    @classmethod
    def from_json(cls, value: object) -> Request:
        """
        Read a request.

        :raises ValueError: when it can't be used.
        """
        if not isinstance(value, dict):
            raise ValueError("a request is not an object")
        time, marks, sessions = (value.get(name) for name in ("time", "marks", "sessions"))
        moment = read_time(time)
        for_future, is_done = value.get("for_future"), value.get("done")
        if moment is None or not isinstance(for_future, bool) or not isinstance(is_done, bool):
            raise ValueError("a request lacks its time, for_future or done")
        if not isinstance(marks, list) or not all(isinstance(mark, str) and MARK.fullmatch(mark) for mark in marks):
            raise ValueError("a request has unknown marks")
        if not isinstance(sessions, dict) or not all(isinstance(erased, bool) for erased in sessions.values()):
            raise ValueError("a request has unknown sessions")
        return cls(moment, tuple(marks), for_future, is_done, sessions)


@dataclass(frozen=True)
class Tombstones:
    """
    The tombstones of one archive.

    :param key: of its hashes.
    :param requests: in the order in which they began.
    """

    key: bytes
    requests: tuple[Request, ...] = ()

    def to_json(self) -> bytes:
        """Convert to the file's content."""
        requests = [request.to_json() for request in self.requests]
        content = {"version": VERSION, "key_digest": digest_of(self.key), "requests": requests}
        return json.dumps(content, indent=1).encode()

    @classmethod
    def from_json(cls, data: bytes | None, key: bytes) -> Tombstones:
        """
        Read the file.

        :param data: its content; None when there is none.
        :raises ValueError: when this version can't honour it, or the key is another one; the text has the reason.
        """
        if data is None:
            return cls(key)
        try:
            read = json.loads(data)
        except (ValueError, RecursionError):
            raise ValueError("it is not JSON") from None
        if not isinstance(read, dict) or not isinstance(read.get("requests"), list):
            raise ValueError("it has no requests")
        if read.get("version") != VERSION:
            raise ValueError("another version of this provider wrote it")
        if read.get("key_digest") != digest_of(key):
            raise ValueError(f"its hashes were made with another key than {KEY}")
        return cls(key, tuple(Request.from_json(value) for value in read["requests"]))

    def with_request(self, request: Request) -> Tombstones:
        """Add a request, or replace the one of the same time; old ones that are done lose their sessions."""
        others = (other for other in self.requests if other.time != request.time)
        kept = (
            replace(other, sessions={}) if other.is_done and other.time < request.time - KEEP_SESSIONS else other
            for other in others
        )
        useful = [other for other in kept if other.sessions or other.for_future or not other.is_done]
        return replace(self, requests=tuple(sorted((*useful, request), key=lambda other: other.time)))

    @property
    def open_marks(self) -> list[str]:
        """The marks of the requests that were interrupted."""
        return [mark for request in self.requests if not request.is_done for mark in request.marks]

    @property
    def future_marks(self) -> list[str]:
        """The marks that hold for every session."""
        return [mark for request in self.requests if request.for_future for mark in request.marks]

    def recent_sessions(self, now: datetime) -> dict[str, tuple[bool, tuple[str, ...]]]:
        """
        Give the sessions of the requests of late, which a run beside them may have overwritten.

        :return: by each session's id whether it was erased, and the marks to honour in it.
        """
        found: dict[str, tuple[bool, tuple[str, ...]]] = {}
        for request in self.requests:
            if request.is_done and request.time < now - KEEP_SESSIONS:
                continue
            for session_id, is_erased in request.sessions.items():
                was_erased, marks = found.get(session_id, (False, ()))
                found[session_id] = (was_erased or is_erased, (*marks, *request.marks))
        return found

    def people(self, marks: Iterable[str] = ()) -> ErasedPeople:
        """Make what finds the people of some marks, and those that are erased in every session."""
        return ErasedPeople(self.key, (*self.future_marks, *marks))


def has_no_requests(data: bytes) -> bool:
    """Whether nothing is to be honoured, as after a kill of the first erasure."""
    try:
        return bool(json.loads(data)["requests"] == [])
    except (ValueError, RecursionError, LookupError, TypeError):
        return False


def digest_of(key: bytes) -> str:
    """Give a digest by which a key is recognised, and from which it can't be guessed."""
    return hashlib.sha256(b"lessonspace erasures key" + key).hexdigest()[:16]


def redacted_entry(entry: Entry, people: ErasedPeople) -> Entry:
    """
    Take people out of an entry: their roles, their names, and ids in its texts.

    :return: the entry with their marks where it had anything of them, or a transcript may still come; erased where
        they are in its roles and lose such sessions whole.
    """
    if not people or entry.status == "erased":
        return entry
    if any(people.mode_of_id(user) == "delete" for user in entry.roles):
        return entry.erased(ON_REQUEST)
    has_files = bool(entry.files or entry.summary)  # which are moved when its path changes
    changed = replace(
        entry,
        path=entry.path if has_files else redacted_path(entry.path, people),
        roles={user: people.redacted(role)[0] for user, role in entry.roles.items() if people.mode_of_id(user) is None},
        name=_without(people, entry.name),
        reason=_without(people, entry.reason),
        added={key: without_people(value, people) for key, value in entry.added.items()},
        space_name=_without(people, entry.space_name),
        tags=_without(people, entry.tags),
    )
    if changed == entry and entry.status not in WITHOUT_TRANSCRIPT:
        return entry
    return replace(changed, erased_people=sorted({*(entry.erased_people or ()), *people.marks}))


def redacted_path(path: str, people: ErasedPeople) -> str:
    """Take names and ids out of a path, for those whose template has names of sessions; uuids and dates stay."""
    return "/".join(_redacted_part(part, people) for part in path.split("/"))


def _redacted_part(part: str, people: ErasedPeople) -> str:
    if not any(map(str.isalpha, part)):  # a date
        return part
    return people.redacted(part, label=LABEL_IN_PATH, ids=True)[0]


def without_people(value: object, people: ErasedPeople) -> object:
    """Take people out of a value of JSON: names out of its texts, ids out of its numbers."""
    if isinstance(value, str):
        return people.redacted(value, ids=True)[0]
    if isinstance(value, Mapping):
        others = ((key, item) for key, item in value.items() if not (_is_long_id(key) and people.mode_of_id(key)))
        return {_key(key, people): without_people(item, people) for key, item in others}
    if isinstance(value, (list, tuple)):
        return [without_people(item, people) for item in value]
    if isinstance(value, float) and value.is_integer():
        return value if without_people(int(value), people) is not None else None
    return None if _is_long_id(value) and people.mode_of_id(value) else value


def _key(key: object, people: ErasedPeople) -> object:
    """Take people out of a key, unless it has the form of a field's name."""
    if not isinstance(key, str) or _FIELD.fullmatch(key):
        return key
    return people.redacted(key, ids=True)[0]


def _is_long_id(value: object) -> bool:
    return (
        isinstance(value, (int, str)) and not isinstance(value, bool) and str(value).isdecimal() and len(str(value)) > 3
    )


def _without(people: ErasedPeople, text: str | None) -> str | None:
    return None if text is None else people.redacted(text, ids=True)[0]
