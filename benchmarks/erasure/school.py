# SPDX-License-Identifier: Apache-2.0
"""Archives the lessons of 40 people over many nights, without a server: made-up dialogues, six formats, tables."""

from __future__ import annotations

import io
import logging
import random
import re
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import pyarrow.parquet as pq
from airflow.sdk import ObjectStoragePath

from lessonspace_provider.api.types import Segment, Session
from lessonspace_provider.archive.files import ArchiveLayout
from lessonspace_provider.archive.runner import Archiver
from lessonspace_provider.sandbox.dialogue import make_segments

DAY = timedelta(days=1)
FIRST = datetime(2026, 1, 5, 2, tzinfo=timezone.utc)
FORMATS = ("json", "jsonl", "txt", "vtt", "srt", "csv")
TEACHER, PERSON, NAME = 7_000_001, 7_848_151, "Quentin Zabriskie"
PEOPLE = 40

#: What is in no byte afterwards. A hash may have the digits of the id by chance.
TRACES = re.compile(rb"(?<![0-9a-f])7848151(?![0-9a-f])|quentin|zabriskie", re.IGNORECASE)


class Source:
    """Gives the transcripts of the school's lessons, and counts how many were asked for."""

    def __init__(self) -> None:
        self.segments: dict[str, list[Segment]] = {}
        self.asked = 0

    def open_transcript(self, session_id: str) -> list[Segment]:
        """Get a transcript."""
        self.asked += 1
        return self.segments[session_id]

    def server_time(self) -> datetime | None:
        """Give the time as the worker has it."""
        return datetime.now(timezone.utc)

    def get_session(self, session_id: str) -> Session:
        """Fail: it is asked for where a transcript is 404, and each lesson has one."""
        raise LookupError(f"the transcript of session {session_id} is there")


def archive_nights(folder: Path, source: Source, nights: int, lessons: int, seconds: float = 1500) -> None:
    """
    Archive the lessons of some nights; again, it finds all of them done.

    :param lessons: of each night; the person takes part in one of 40, and is spoken of in others.
    :param seconds: how long a lesson is.
    """
    layout = ArchiveLayout(ObjectStoragePath(f"file://{folder}"), FORMATS, summaries=True, tables=True)
    for night in range(nights):
        start = FIRST + night * DAY
        archiver = Archiver(source, layout, give_up_after=7 * DAY, log=logging.getLogger("benchmark"))
        held = [_lesson(source, night, number, start, seconds) for number in range(lessons)]
        window = archiver.archive_window(held, start, start + DAY)
        archiver.update_earlier(start, window.elsewhere)


def _lesson(source: Source, night: int, number: int, start: datetime, seconds: float) -> Session:
    chance = random.Random(f"{night} {number}")
    session_id = str(UUID(int=chance.getrandbits(128), version=4))
    pupil = (night * 7 + number) % PEOPLE
    people = [(TEACHER, "Ada Teacher"), (PERSON, NAME) if pupil == 0 else (TEACHER + pupil, f"Pupil{pupil} Family")]
    speakers: list[Any] = [{"id": user_id, "name": name} for user_id, name in people]
    # Others speak of the person in a fifth of the lessons.
    heard = [*speakers, {"id": PERSON, "name": NAME}] if chance.random() < 0.2 else speakers
    segments = make_segments(chance, "en", heard, seconds, spoken_names=True)
    if heard is not speakers:
        segments = [said for said in segments if said["user"]["id"] != PERSON or pupil == 0]
    source.segments[session_id] = segments
    roles = ("teacher", "student")
    profiles = [
        {"user": user_id, "name": name, "role": role} for (user_id, name), role in zip(people, roles, strict=True)
    ]
    end = start + timedelta(minutes=10 + number)
    return cast(
        "Session",
        {
            "id": night * 1000 + number,
            "uuid": session_id,
            "name": f"Maths with {people[1][1]}",
            "start_time": (end - timedelta(seconds=seconds)).isoformat(),
            "end_time": end.isoformat(),
            "profiles": profiles,
            "summary": f"{people[1][1]} read aloud.",
        },
    )


def traces_in(folder: Path) -> int:
    """Count the files in which something of the person is left; the rows of Parquet files are decoded."""
    return sum(bool(TRACES.search(_content(path))) for path in folder.rglob("*") if path.is_file())


def _content(path: Path) -> bytes:
    data = path.read_bytes()
    return str(pq.read_table(io.BytesIO(data)).to_pylist()).encode() if path.suffix == ".parquet" else data


def files_in(folder: Path) -> dict[str, bytes]:
    """Read all files but the erasures' own."""
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths if "erasures" not in path.parts}
