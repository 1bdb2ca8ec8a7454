# SPDX-License-Identifier: Apache-2.0
"""The receipt of an erasure or an expiry: what was searched, what changed, and what was left. Pure."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, TypedDict

from lessonspace_provider import __version__
from lessonspace_provider.api.times import write_time
from lessonspace_provider.archive.erasure.people import ErasedPeople
from lessonspace_provider.archive.erasure.tombstones import redacted_path

#: The form of the file.
VERSION = 1

#: What an archive still has of erased people and sessions.
KEPT = (
    "the account of each session in the manifests, without the person: uuid, space id, times, status, number of "
    "participants, roles of others; with Lessonspace's lists or a timetable they can show who took part",
    "in sessions that were redacted: the words that the person spoke, with their times, under the label [erased]",
    "hashes of summaries as Lessonspace lists them, in the manifests: by these a run recognises another summary",
    "keyed hashes of ids and names, in erasures/tombstones.json and the manifests: later runs need them to honour it",
    "salted hashes in accounts of bulk tasks",
)

#: Where no erasure of an archive searches.
NOT_SEARCHED = (
    "files outside of the destination: copies, exports, other archives, databases that its tables were loaded into, "
    "accounts and lists of other tasks, mails",
    "versions and backups of the destination's store, and its access logs",
    "Airflow's database and logs: XCom, rendered fields, params of runs, audit log, events, also those of OpenLineage",
    "Lessonspace: users, sessions, recordings, chats, transcripts, summaries",
    "names in a form that was not given, such as a nickname or a misspelt one, e-mail addresses without a name, "
    "and other words that show who the person is",
)

#: ``nothing_found``: no file changed, and nothing was left. ``incomplete``: something could not be written or read; run
#: the task again. ``in_progress``: the run was killed; the next one completes it.
ReceiptStatus = Literal["in_progress", "done", "nothing_found", "incomplete"]

Action = Literal["rewritten", "deleted", "moved", "rebuilt"]


class Searched(TypedDict):
    """
    One of the ids or names that were given.

    ``given`` is its place in the parameter, such as ``user_ids[0]``; ``hash`` is keyed, and ``sessions`` is in how many
    sessions it was found.
    """

    given: str
    hash: str
    sessions: int


class Change(TypedDict):
    """
    A file that was changed.

    ``lines`` are the person's segments or rows, ``names`` their names in other places. Sizes and digests are
    ``None`` after a deletion, and before it where the file could not be read.
    """

    path: str
    action: Action
    lines: int
    names: int
    size_before: int | None
    sha256_before: str | None
    size_after: int | None
    sha256_after: str | None


class Left(TypedDict):
    """A file that was not changed though it has, or may have, something of the person; ``failed`` when it may later."""

    path: str
    reason: str
    failed: bool


@dataclass
class Receipt:
    """
    What one run has done so far.

    :param kind: ``erase`` or ``expire``.
    :param time: when it began, aware.
    :param parameters: those of the run that name no person.
    :param destination: the archive's folder.
    :param run: the task that ran it; None outside of Airflow.
    :param searched: the ids and names that were given.
    :param counts: what was searched: files, bytes, manifests, sessions.
    :param sessions: how many were erased and redacted.
    :param continues: times of the interrupted runs that this one completes.
    :param people: who is taken out of its paths and reasons.
    """

    kind: str
    time: datetime
    parameters: dict[str, object]
    destination: str = ""
    run: str | None = None
    searched: list[Searched] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    sessions: dict[str, bool] = field(default_factory=dict)
    changes: dict[str, Change] = field(default_factory=dict)
    left: list[Left] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    continues: list[str] = field(default_factory=list)
    people: ErasedPeople | None = None
    is_over: bool = False
    ended: datetime | None = None

    @property
    def name(self) -> str:
        """The file's name."""
        return f"{self.time:%Y%m%dT%H%M%S}.{self.time.microsecond:06d}Z.json"

    @property
    def status(self) -> ReceiptStatus:
        """What became of the run."""
        if not self.is_over:
            return "in_progress"
        if self.failed:
            return "incomplete"
        return "done" if self.changes or self.left or self.sessions else "nothing_found"

    @property
    def failed(self) -> list[Left]:
        """What could not be changed this time."""
        return [left for left in self.left if left["failed"]]

    @property
    def figures(self) -> dict[str, int]:
        """How much was changed."""
        actions = Counter(change["action"] for change in self.changes.values())
        return {
            "sessions_erased": sum(self.sessions.values()),
            "sessions_redacted": len(self.sessions) - sum(self.sessions.values()),
            "files_rewritten": actions["rewritten"] + actions["moved"],
            "files_deleted": actions["deleted"],
            "tables_rebuilt": actions["rebuilt"],
            "lines": sum(change["lines"] for change in self.changes.values()),
            "names": sum(change["names"] for change in self.changes.values()),
            "left": len(self.left),
        }

    def add(
        self, path: str, action: Action, before: bytes | None, after: bytes | None, lines: int = 0, names: int = 0
    ) -> None:
        """Record a change; a file that changes twice in one run is one change."""
        path = self._shown(path)
        there = self.changes.pop(path, None)
        self.changes[path] = Change(
            path=path,
            action=action,
            lines=lines + (there["lines"] if there else 0),
            names=names + (there["names"] if there else 0),
            size_before=there["size_before"] if there else size_of(before),
            sha256_before=there["sha256_before"] if there else digest_of(before),
            size_after=size_of(after),
            sha256_after=digest_of(after),
        )

    def leave(self, path: str, reason: str, *, failed: bool = False) -> None:
        """Record what was not changed."""
        left = Left(path=self._shown(path), reason=self._said(reason), failed=failed)
        if left not in self.left:
            self.left.append(left)

    def _shown(self, path: str) -> str:
        return path if self.people is None else redacted_path(path, self.people)

    def _said(self, text: str) -> str:
        return text if self.people is None else self.people.redacted(text, ids=True)[0]

    def to_json(self) -> bytes:
        """Convert to the file's content."""
        content = {
            "receipt": VERSION,
            "provider": __version__,
            "kind": self.kind,
            "status": self.status,
            "time": write_time(self.time),
            "ended": self.ended and write_time(self.ended),
            "run": self.run and self._said(self.run),
            "destination": self._shown(self.destination),
            "parameters": self.parameters,
            "given": self.searched,
            "searched": dict(self.counts),
            "figures": self.figures,
            "continues": self.continues,
            "notes": self.notes,
            "sessions": {key: "erased" if erased else "redacted" for key, erased in sorted(self.sessions.items())},
            "changed": list(self.changes.values()),
            "left": self.left,
            "kept": KEPT,
            "not_searched": NOT_SEARCHED,
        }
        return _encoded(content)


def redacted_receipt(data: bytes, people: ErasedPeople) -> bytes | None:
    """
    Take people out of the paths and texts of another erasure's receipt.

    :return: its content, unchanged if it has nothing of them; None when it can't be read.
    """
    try:
        read = json.loads(data)
        for place in (*read["changed"], *read["left"]):
            place["path"] = redacted_path(place["path"], people)
        for texts in (read["parameters"], *read["left"]):
            own = {key: texts[key] for key in ("reason", "reference") if texts.get(key)}
            texts.update({key: people.redacted(text, ids=True)[0] for key, text in own.items()})
        if read.get("run"):
            read["run"] = people.redacted(read["run"], ids=True)[0]
        read["notes"] = [people.redacted(note, ids=True)[0] for note in read["notes"]]
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
        return None
    return data if read == json.loads(data) else _encoded(read)


def _encoded(content: object) -> bytes:
    return json.dumps(content, ensure_ascii=False, indent=1).encode("utf-8", "backslashreplace")


def size_of(data: bytes | None) -> int | None:
    """Give the bytes of a file; None for none."""
    return None if data is None else len(data)


def digest_of(data: bytes | None) -> str | None:
    """Give the SHA-256 of a file as hexadecimal digits; None for none."""
    return None if data is None else hashlib.sha256(data).hexdigest()
