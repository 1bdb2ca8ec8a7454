# SPDX-License-Identifier: Apache-2.0
"""The manifest of a window: read as a foreign file, which it may have become, merged and written. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from lessonspace_provider.api import json_list
from lessonspace_provider.api.plain_json import NUMBERS
from lessonspace_provider.api.times import read_time, write_time
from lessonspace_provider.archive.entry import Entries, Entry, by_session, count
from lessonspace_provider.archive.windows import Window, manifest_name, window_of
from lessonspace_provider.waiting.transcripts import TranscriptStatus

#: The form of the file; it is not in files of this form.
VERSION = 1

_KEYS = {"window_start", "window_end", "counts", "sessions"}


@dataclass(frozen=True)
class Manifest:
    """
    The account of one window, ``window_start <= end_time < window_end``.

    :param window: the window.
    :param entries: those of its sessions by their ids, in the order of their ends.
    :param added: what else the file has; it is kept.
    """

    window: Window
    entries: Entries = field(default_factory=dict)
    added: Mapping[str, object] = field(default_factory=dict)

    @classmethod
    def from_json(cls, data: bytes, name: str) -> Manifest:
        """
        Read a manifest.

        :param data: the file's content. It may be damaged, and changed by anyone who may write the destination.
        :param name: the file's name.
        :raises ValueError: when this version can't continue with it; the text has the reason.
        """
        try:
            read = json.loads(data, **NUMBERS)
        except (ValueError, RecursionError):
            raise ValueError("it is not JSON") from None
        if not isinstance(read, dict):
            raise ValueError("it is not a JSON object")
        if read.get("version", VERSION) != VERSION:
            raise ValueError("a newer version of this provider wrote it: update the provider")
        if lacking := _KEYS - read.keys():
            raise ValueError(f"it has no {' and no '.join(sorted(lacking))}")
        window = window_of(name)
        if window is None or (read_time(read["window_start"]), read_time(read["window_end"])) != window:
            raise ValueError("its window is not the one that it is named by")
        if not isinstance(read["sessions"], list):
            raise ValueError("its sessions are not a list")
        entries = by_session(_entry(number, value) for number, value in enumerate(read["sessions"], 1))
        if len(entries) < len(read["sessions"]):
            raise ValueError("it has a session twice")
        return cls(window, entries, {key: value for key, value in read.items() if key not in _KEYS})

    def to_json(self) -> bytes:
        """Convert to a file's content."""
        account = {
            "window_start": write_time(self.window.start),
            "window_end": write_time(self.window.end),
            "counts": self.counts,
            "sessions": [entry.to_json() for entry in self.entries.values()],
            **self.added,
        }
        return json_list.encoded(json.dumps(account, ensure_ascii=False, indent=1))

    @property
    def name(self) -> str:
        """The file's name."""
        return manifest_name(self.window)

    @property
    def counts(self) -> dict[TranscriptStatus, int]:
        """The number of sessions of each status."""
        return count(self.entries.values())

    @property
    def is_open(self) -> bool:
        """Whether the runs of later windows have something to do about its sessions, now or later."""
        return any(entry.is_open for entry in self.entries.values())

    @property
    def oldest_pending(self) -> datetime | None:
        """The end of the session whose transcript has been pending longest; None where none is."""
        pending = (entry for entry in self.entries.values() if entry.status == "pending")
        return min((end for entry in pending if (end := read_time(entry.end_time))), default=None)

    def status_of(self, session_id: str) -> TranscriptStatus | None:
        """Give a session's status; None for a session that is not in it."""
        entry = self.entries.get(session_id)
        return entry.status if entry else None

    def with_entries(self, entries: Entries) -> Manifest:
        """Add entries, or replace those of the same sessions; all others stay as they are."""
        both = {**self.entries, **entries}.values()
        ordered = sorted(both, key=lambda entry: (entry.end_time or "", entry.session_id))
        return replace(self, entries=by_session(ordered))

    def merged(self, entries: Entries, seen: Manifest) -> Manifest:
        """
        Add what a run knows, except where another run has changed an entry meanwhile.

        What the run itself has archived is written anyway: its files are the ones that are there now. What another run
        has recorded before it tried is replaced. What was erased meanwhile stays erased.

        :param entries: what the run knows.
        :param seen: the manifest as the run last read or wrote it.
        """
        changed = {}
        for session_id, entry in entries.items():
            there, before = self.entries.get(session_id), seen.entries.get(session_id)
            is_unknown = there is None or there.status == "not_attempted"
            is_done = entry.status in ("archived", "erased") and entry != before
            if there is not None and there.status == "erased":
                continue
            if is_unknown or there == before or is_done:
                changed[session_id] = entry if there is None else entry.with_erasure_of(there)
        return self.with_entries(changed)

    def changed_by(self, by: str) -> list[Entry]:
        """Choose the entries whose status was last changed by the run of a later window; see ``Entry.changed_from``."""
        return [entry for entry in self.entries.values() if entry.changed_by == by]


def _entry(number: int, value: object) -> Entry:
    try:
        return Entry.from_json(value)
    except ValueError as error:
        raise ValueError(f"entry {number} {error}") from None
