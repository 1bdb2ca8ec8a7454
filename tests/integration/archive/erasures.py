# SPDX-License-Identifier: Apache-2.0
"""An archive of many people over several nights, erasures of one of them, and a search of all its bytes."""

from __future__ import annotations

import io
import random
import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pyarrow.parquet as pq
from airflow.sdk import ObjectStoragePath

from lessonspace_provider.operators.archive import LessonspaceArchiveTranscriptsOperator, LessonspaceEraseOperator
from lessonspace_provider.sandbox import SandboxControl
from lessonspace_provider.sandbox.messages import NewSession
from tests.integration.archive.runs import END, tree

DAY = timedelta(days=1)
FORMATS = ["json", "jsonl", "txt", "vtt", "srt", "csv"]
PERSON, TEACHER = "Quentin Zabriskie", "Ada Teacher"

_SAID = ("Turn to the next page", "I do not know yet", "Quite right, go on", "Could you say that again")
_ABOUT = ("Ask quentin about it", "That is Zabriskie's book", "Quentin Zabriskie is late", "QUENTIN, please")


@dataclass
class School:
    """
    Sessions of 40 people over some nights, the last of which ended 3 hours ago.

    :param control: of a sandbox without sessions.
    :param nights: how many windows there are.
    :param lessons: how many sessions each has.
    """

    control: SandboxControl
    nights: int
    lessons: int
    chance: random.Random = field(default_factory=lambda: random.Random(23))
    took_part: set[str] = field(default_factory=set)
    named: set[str] = field(default_factory=set)
    others: set[str] = field(default_factory=set)
    user_id: int = 0

    def windows(self) -> list[tuple[datetime, datetime]]:
        """The windows of its nights, oldest first."""
        return [(END - (number + 1) * DAY, END - number * DAY) for number in reversed(range(self.nights))]

    def open(self) -> None:
        """Hold all lessons; in each night the person takes part in the first and is spoken of in the second."""
        for start, _ in self.windows():
            for number in range(self.lessons):
                self._hold(start + timedelta(hours=1 + number), number)

    def _hold(self, start: datetime, number: int) -> None:
        pupil = PERSON if number == 0 else f"Pupil{number} Family{self.chance.randrange(39)}"
        topic = f"Maths with {PERSON}" if number == 0 else "Maths"
        summary = f"{PERSON.split()[0]} read aloud." if number < 2 else "They read aloud."
        users = [TEACHER, pupil]
        new = NewSession(start, start + timedelta(minutes=40), users, name=topic, summary=summary, transcript="ready")
        session_id = self.control.add_session(**vars(new))
        (ids,) = [held.user_ids for held in self.control.sessions() if held.session_id == session_id]
        self.user_id = ids[1] if number == 0 else self.user_id
        texts = [self.chance.choice(_ABOUT if number < 2 and line % 3 == 0 else _SAID) for line in range(9)]
        segments = [self._line(line, ids, users, text) for line, text in enumerate(texts)]
        self.control.set_transcript(session_id, "ready", segments=segments)
        (self.took_part, self.named, self.others)[min(number, 2)].add(session_id)

    def _line(self, line: int, ids: list[int], users: list[str], text: str) -> Any:
        who = line % 2
        user = {"id": ids[who], "name": users[who]}
        return {"start_time": 2.0 * line, "end_time": 2.0 * line + 1, "user": user, "breakout_id": "main", "text": text}

    @property
    def traces(self) -> re.Pattern[bytes]:
        """What is in no byte when the person is erased."""
        return re.compile(rf"\b{self.user_id}\b|quentin|zabriskie".encode(), re.IGNORECASE)


def archive(destination: object, window: tuple[datetime, datetime], **more: object) -> Any:
    """Archive a window in six formats with summaries and tables."""
    parameters = {"formats": FORMATS, "summaries": True, "tables": True, **more}
    operator = LessonspaceArchiveTranscriptsOperator(
        task_id="archive", destination=str(destination), window_start=window[0], window_end=window[1], **parameters
    )
    return operator.execute({})


def erase(destination: object, user_id: int, **more: object) -> Any:
    """Erase the person."""
    parameters = {"user_ids": [user_id], "names": [PERSON], **more}
    return LessonspaceEraseOperator(task_id="erase", destination=str(destination), **parameters).execute({})


def decoded(files: dict[str, bytes]) -> dict[str, bytes]:
    """Give the content of files, of Parquet the rows, as bytes to search."""
    return {path: _rows(data) if path.endswith(".parquet") else data for path, data in files.items()}


def _rows(data: bytes) -> bytes:
    file = pq.ParquetFile(io.BytesIO(data))
    return (str(file.read().to_pylist()) + str(file.metadata.metadata)).encode()


def traces_in(destination: ObjectStoragePath, traces: re.Pattern[bytes]) -> list[str]:
    """The paths of files in which something of the person is left."""
    files = decoded(tree(destination))
    return [path for path, data in files.items() if traces.search(data) or traces.search(path.encode())]


def restore(destination: ObjectStoragePath, files: dict[str, bytes]) -> None:
    """Bring an archive back to how it was."""
    store, root = destination.fs, destination.path.rstrip("/")
    store.invalidate_cache()
    there = {path.removeprefix(root + "/"): path for path in store.find(root)}
    for name, path in there.items():
        if name not in files:
            store.rm_file(path)
    for name, data in files.items():
        if there.get(name) is None or store.cat_file(there[name]) != data:
            store.makedirs(f"{root}/{name}".rpartition("/")[0], exist_ok=True)
            store.pipe_file(f"{root}/{name}", data)
    store.invalidate_cache()
