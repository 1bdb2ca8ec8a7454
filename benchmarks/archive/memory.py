# SPDX-License-Identifier: Apache-2.0
"""
How much memory the archive operator needs for large transcripts, above what its process has when idle. Linux only.

As a program, ``python -m benchmarks.archive.memory <destination> <window start> <window end> <formats, with commas>``
archives a window with the connection ``lessonspace_default`` of its environment, and prints ``[idle, peak]`` in bytes:
resident memory after an empty window, for which all that is needed was imported, and the most after that.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

from benchmarks.archive.runs import MINUTE, RATE
from benchmarks.shared.process_memory import idle_memory, peak_memory
from benchmarks.shared.servers import NO_SESSIONS, RunningSandbox, lessonspace_connection, sandbox
from lessonspace_provider.sandbox.messages import NewSession
from scripts.processes import CHECKOUT

EMPTY_WINDOW = ("2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z")


@dataclass(frozen=True)
class Memory:
    """
    What it took.

    :param transcripts: in the window.
    :param formats: that were written.
    :param file_bytes: of the JSON files in the archive.
    :param idle: resident memory of the process before, in bytes.
    :param peak: the most of it while the window was archived.
    """

    transcripts: int
    formats: str
    file_bytes: int
    idle: int
    peak: int

    @property
    def above_idle(self) -> int:
        """What the work took, in bytes."""
        return self.peak - self.idle

    @property
    def multiple(self) -> float:
        """The same as a multiple of the JSON files."""
        return self.above_idle / self.file_bytes


def measure_memory(folder: Path, transcripts: int, transcript_bytes: int, formats: str) -> Memory:
    """
    Archive large transcripts in a process of its own.

    :param folder: for all its files.
    :param transcript_bytes: at least how large the file of each is.
    """
    end = datetime.now(timezone.utc) - timedelta(hours=1)
    session = NewSession(end - timedelta(hours=1), end, transcript="ready", transcript_bytes=transcript_bytes)
    archive = folder / "archive"
    with sandbox(folder, RATE, *NO_SESSIONS) as server:
        server.control.add_sessions([session] * transcripts)
        idle, peak = archive_alone(server, folder, archive, (end - MINUTE, end + MINUTE), formats)
    files = [file.stat().st_size for file in archive.rglob("*.json") if file.parent.name != "manifests"]
    if len(files) != transcripts:
        raise RuntimeError(f"{len(files)} of {transcripts} transcripts were archived")
    return Memory(transcripts, formats, sum(files), idle, peak)


def archive_alone(
    server: RunningSandbox, folder: Path, archive: Path, window: tuple[datetime, datetime], formats: str
) -> tuple[int, int]:
    """
    Archive a window of a sandbox in a process of its own.

    :param folder: for the process's files.
    :param archive: a local folder.
    :param formats: with commas between them.
    :return: resident memory before, and the most of it meanwhile, in bytes.
    """
    home = folder / "airflow"
    home.mkdir(parents=True)
    bounds = [bound.isoformat() for bound in window]
    completed = subprocess.run(
        [sys.executable, "-m", "benchmarks.archive.memory", f"file://{archive}", *bounds, formats],
        env={
            **os.environ,
            "AIRFLOW_HOME": str(home),
            "AIRFLOW_CONN_LESSONSPACE_DEFAULT": lessonspace_connection(server, RATE),
        },
        cwd=CHECKOUT,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    idle, peak = json.loads(completed.stdout.splitlines()[-1])
    return idle, peak


def main(destination: str, window_start: str, window_end: str, formats: str) -> None:
    """Archive a window, and print what it took."""
    logging.disable(logging.CRITICAL)
    archive_window(destination, *EMPTY_WINDOW, formats)
    idle = idle_memory()
    archive_window(destination, window_start, window_end, formats)
    print(json.dumps([idle, peak_memory()]))


def archive_window(destination: str, window_start: str, window_end: str, formats: str) -> None:
    """Run the operator as a task would."""
    from airflow.sdk import Context

    from lessonspace_provider.operators.transcripts import LessonspaceArchiveTranscriptsOperator

    LessonspaceArchiveTranscriptsOperator(
        task_id="archive",
        destination=destination,
        window_start=window_start,
        window_end=window_end,
        formats=formats.split(","),
    ).execute(Context())


if __name__ == "__main__":
    main(*sys.argv[1:])
