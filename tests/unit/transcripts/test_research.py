# SPDX-License-Identifier: Apache-2.0
"""Transcripts for research: a role for each utterance, and no name or user id of a speaker, whatever segments lack."""

from __future__ import annotations

import json

from lessonspace_provider.transcripts.redaction import redacted_speakers, with_labels
from lessonspace_provider.transcripts.research import ResearchSession, ResearchUtterance, research_lines

SESSION = {
    "session_id": "5b5f1a2c-3d4e-4f5a-8b9c-0d1e2f3a4b5c",
    "space_id": "7d7f1a2c-3d4e-4f5a-8b9c-0d1e2f3a4b5c",
    "start_time": "2026-11-20T09:00:00Z",
    "end_time": "2026-11-20T10:00:00Z",
    "participants": 3,
}
ROLES = {71: "teacher", 72: "student"}


def a_segment(user, text, start=1.0, **fields):
    return {"start_time": start, "end_time": start + 1, "user": user, "breakout_id": "main", "text": text, **fields}


ANN, BEN = {"id": 71, "name": "Ann Lee"}, {"id": 72, "name": "Ben"}
SEGMENTS = [
    a_segment(ANN, "Hello Ben, I am Ann."),
    a_segment(BEN, "Hi Ms Lee!", 2.0, breakout_id="Ben's room"),
    a_segment({"id": 99, "name": "Cleo"}, "Ann, it is Cleo"),
    a_segment(None, "\x00?\ud800", start_time="soon"),
]


def lines_of(segments, roles=ROLES):
    return [json.loads(line) for line in research_lines(SESSION, segments, roles)]


def test_the_session_is_on_top_and_each_utterance_has_a_role():
    session, *said = lines_of(SEGMENTS)
    assert session == {"type": "session", "version": 1, **SESSION, "utterances": 4, "spoken_names_replaced": True}
    assert [(line["role"], line["speaker"]) for line in said] == [
        ("teacher", "Teacher"),
        ("student", "Student 1"),
        (None, "Speaker 1"),
        (None, "Unknown"),
    ]
    assert [line["index"] for line in said] == [0, 1, 2, 3]
    assert [line["breakout"] for line in said] == [0, 1, 0, 0]
    assert [line["text"] for line in said] == [
        "Hello Student 1, I am Teacher.",
        "Hi Ms Teacher!",
        "Teacher, it is Speaker 1",
        "?\ufffd",
    ]
    assert (said[0]["start_time"], said[0]["end_time"], said[3]["start_time"]) == (1.0, 2.0, None)


def test_each_line_has_the_documented_fields():
    session, *said = lines_of(SEGMENTS)
    assert list(session) == list(ResearchSession.__annotations__)
    assert {tuple(line) for line in said} == {tuple(ResearchUtterance.__annotations__)}


def test_no_name_and_no_user_id_is_left():
    written = b"".join(research_lines(SESSION, SEGMENTS, ROLES)).decode()
    assert not [word for word in ("Ann", "Lee", "Ben", "Cleo", "71", "72", "99") if word in written]


def test_an_archive_without_names_gives_the_same_speakers_and_reports_it():
    redacted = with_labels(SEGMENTS, redacted_speakers(SEGMENTS, ROLES))
    session, *said = lines_of(redacted)
    assert session["spoken_names_replaced"] is False
    assert [line["speaker"] for line in said] == ["Teacher", "Student 1", "Speaker 1", "Unknown"]
    assert said[0]["text"] == "Hello Ben, I am Ann."


def test_an_empty_transcript_is_a_session_alone():
    (session,) = lines_of([])
    assert session["utterances"] == 0
