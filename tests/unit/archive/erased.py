# SPDX-License-Identifier: Apache-2.0
"""An archive with a person in it, and what tests of erasures search for."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from airflow.sdk import ObjectStoragePath

from lessonspace_provider.archive.erasure.run import Eraser, ErasureOrder
from lessonspace_provider.archive.erasure.store import ErasureStore
from tests.unit.archive.kit import END, START, Log, a_session, good

if TYPE_CHECKING:
    from lessonspace_provider.archive.erasure.receipt import Receipt

FORMATS = ["json", "jsonl", "txt", "vtt", "srt", "csv"]
BEN = 48151
ANN, ADA, BEN_PROFILE = (
    {"user": 1, "name": "Ann", "role": "teacher"},
    {"user": 2, "name": "Ada", "role": "student"},
    {"user": BEN, "name": "Ben Okafor", "role": "student"},
)

#: What is nowhere when Ben is erased. A hash or a time may have the digits of the id by chance.
TRACES = re.compile(rb"(?<![0-9a-f])48151(?![0-9a-f])|\bben\b|okafor", re.IGNORECASE)


def said(start, user_id, name, text):
    user = {"id": user_id, "name": name}
    return {"start_time": start, "end_time": start + 1, "user": user, "breakout_id": "main", "text": text}


#: Ben takes part in session 1, is named in session 2, and is not in session 3.
SEGMENTS = {
    good(1): [
        said(0.0, 1, "Ann", "Hello ben, open Okafor's <book> & read"),
        said(1.0, BEN, "Ben Okafor", "It's me, Ben"),
        said(2.0, 1, "Ann", "Well, beneath the table"),
    ],
    good(2): [said(0.0, 1, "Ann", "Ask Ben's mother"), said(1.0, 2, "Ada", "Which one?")],
    good(3): [said(0.0, 1, "Ann", "Nothing of it"), said(1.0, 2, "Ada", "Fine")],
}
SESSIONS = [
    a_session(1, name="Ann and Ben Okafor", profiles=[ANN, BEN_PROFILE], summary="Ben read aloud."),
    a_session(2, name="Maths", profiles=[ANN, ADA], summary="About Okafor."),
    a_session(3, name="Maths", profiles=[ANN, ADA], summary="About nothing."),
]


def archived(archiver, source, sessions=SESSIONS, now=None, **layout):
    """Archive the sessions, and return the statuses."""
    source.outcomes.update(SEGMENTS)
    archiver = archiver(**({"now": now} if now else {}), **{"formats": FORMATS, "summaries": True, **layout})
    window = archiver.archive_window(sessions, START, END)
    archiver.update_earlier(START, window.elsewhere)
    return {entry.session_id: entry.status for entry in window.manifest.entries.values()}


def erase(folder, *, dry_run=False, user_ids=(BEN,), names=("Ben Okafor",), mode="redact", **more) -> Receipt:
    order = ErasureOrder(user_ids=user_ids, names=names, mode=mode, **more)
    return Eraser(ObjectStoragePath(f"file://{folder}"), order, log=Log(), dry_run=dry_run).run()


def traces_in(files, traces=TRACES):
    """The paths of files with anything of Ben in them."""
    return [path for path, data in files.items() if traces.search(data) or traces.search(path.encode())]


def receipt_in(folder, receipt):
    return json.loads((folder / "erasures" / receipt.name).read_text())


def is_complete(folder):
    """Whether no erasure is in progress."""
    tombstones = ErasureStore(ObjectStoragePath(f"file://{folder}")).tombstones()
    return tombstones is not None and all(request.is_done for request in tombstones.requests)
