# SPDX-License-Identifier: Apache-2.0
"""The index of closed manifests on a disk and on S3: which manifests a night reads."""

from __future__ import annotations

import json
from datetime import timedelta

from lessonspace_provider.archive.index import INDEX
from tests.integration.archive.runs import END, START, run, tree
from tests.integration.archive.test_archive import SHORT, asked_for
from tests.unit.archive.conftest import reads

__all__ = ["reads"]

HOUR = timedelta(hours=1)


def run_hour(destination, number):
    return run(destination, window_start=START + number * HOUR, window_end=END + number * HOUR)


def test_a_run_reads_what_is_open_and_what_was_written_since(control, destination, reads):
    days = 24  # windows of an hour, from three days ago on
    for number in range(-72, -72 + days):
        run_hour(destination, number)
    for _ in range(2):
        reads.clear()
        run(destination, window_start=START - HOUR, window_end=END - HOUR)
    assert len(set(reads)) <= 3

    (old,) = [path for path in tree(destination) if path.startswith("manifests/")][:1]
    (destination / old).write_bytes(tree(destination)[old] + b"\n")
    reads.clear()
    run(destination)
    assert old.removeprefix("manifests/") in reads


def test_an_old_pending_transcript_is_asked_for_after_the_index_was_lost(control, destination):
    ended = START - 48 * HOUR + timedelta(minutes=1)
    session_id = control.add_session(ended - HOUR, ended, transcript="never", segments=SHORT)
    assert run_hour(destination, -48)["counts"]["pending"] == 1
    run_hour(destination, -2)
    for damage in (None, b"{"):
        if damage is None:
            (destination / INDEX).unlink(missing_ok=True)
        else:
            (destination / INDEX).write_bytes(damage)
        path = next(path for path in tree(destination) if path.startswith("manifests/"))
        account = json.loads(tree(destination)[path])
        account["sessions"][0]["next_look"] = None
        (destination / path).write_bytes(json.dumps(account).encode())
        before = len(asked_for(control))
        run_hour(destination, -1)
        assert asked_for(control)[before:] == [session_id]
