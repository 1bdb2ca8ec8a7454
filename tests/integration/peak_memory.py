# SPDX-License-Identifier: Apache-2.0
"""
Measures the peak memory of single calls: ``python -m tests.integration.peak_memory``, with the connections as usual.

Reads the names of ``CALLS``, one a line, and forks for each of them. Writes for each a line of JSON: the error's kind,
or null, and the peak of the process in MB.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from datetime import datetime, timedelta, timezone

from lessonspace_provider.hooks.lessonspace import LessonspaceHook
from lessonspace_provider.operators.transcripts import LessonspaceArchiveTranscriptsOperator

SESSION = "00000000-0000-4000-8000-000000000001"
ENDED = datetime.now(timezone.utc).replace(microsecond=0) - timedelta(hours=2)


def _archive() -> None:
    with tempfile.TemporaryDirectory() as folder:
        LessonspaceArchiveTranscriptsOperator(
            task_id="archive",
            destination=f"file://{folder}",
            window_start=ENDED - timedelta(hours=1),
            window_end=ENDED + timedelta(hours=1),
            formats=["json", "vtt", "csv"],
        ).execute({})


CALLS = {
    "object": lambda: LessonspaceHook().get_session(SESSION),
    "page": lambda: list(LessonspaceHook().list_sessions()),
    "transcript": lambda: LessonspaceHook().get_transcript(SESSION),
    "archive": _archive,
}


def _measured(name: str) -> dict[str, object]:
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        said = b"null"
        try:
            CALLS[name]()
        except BaseException as error:
            said = json.dumps(type(error).__name__).encode()
        os.write(writing, said)
        os._exit(0)
    _, _, usage = os.wait4(child, 0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        said = pipe.read()
    return {
        "error": json.loads(said) if said else "killed",
        "peak": usage.ru_maxrss >> (20 if sys.platform == "darwin" else 10),
    }


if __name__ == "__main__":
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # Airflow logs there
    for line in sys.stdin:
        answers.write(json.dumps(_measured(line.strip())) + "\n")
        answers.flush()
