# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from datetime import timedelta

import pytest
from airflow.sdk import ObjectStoragePath

from lessonspace_provider.archive.files import ArchiveLayout
from lessonspace_provider.archive.runner import Archiver
from scripts.table_answer import QUERY, table_answer
from tests.unit.archive.kit import END, NOW, START, Log, Source, a_session, good


def archive(tmp_path, teachers):
    pytest.importorskip("duckdb", reason="the session for the lowest versions has none")
    source, sessions = Source(), []
    for number in range(1, teachers + 1):
        said = {"start_time": 0.0, "end_time": 60.0 * number, "user": {"id": number, "name": f"Ada {number}"}}
        reply = {"start_time": 0.0, "end_time": 60.0, "user": {"id": 99, "name": "Ben"}}
        source.outcomes[good(number)] = [said, reply]
        people = [{"user": number, "role": "teacher"}, {"user": 99, "role": "student"}]
        sessions.append(a_session(number, profiles=people))
    # A session whose people have no role, so that there are tables in any case.
    sessions.append(a_session(50, profiles=[{"user": 1}, {"user": 2}]))
    layout = ArchiveLayout(ObjectStoragePath(f"file://{tmp_path}"), ["json"], tables=True)
    archiver = Archiver(source, layout, give_up_after=timedelta(days=7), log=Log(), now=lambda: NOW)
    archiver.archive_window(sessions, START, END)
    archiver.update_earlier(START)


def test_the_answer_has_three_teachers(tmp_path):
    archive(tmp_path, teachers=4)
    answer = table_answer(tmp_path)
    assert answer.startswith(QUERY)
    lines = [line.replace("│", " ").split() for line in answer.splitlines() if "Ada" in line]
    assert lines == [
        ["Ada", "4", "1", "4.0", "80.0"],
        ["Ada", "3", "1", "3.0", "75.0"],
        ["Ada", "2", "1", "2.0", "67.0"],
    ]


def test_a_night_without_teachers_is_an_error(tmp_path):
    archive(tmp_path, teachers=0)
    with pytest.raises(ValueError, match="no teacher"):
        table_answer(tmp_path)
