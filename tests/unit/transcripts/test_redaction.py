# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lessonspace_provider.transcripts.redaction import are_redacted, redacted_speakers, speaker_names, with_labels
from tests.unit.transcripts.kit import ANY_SEGMENTS, FORMATS, SEGMENTS, segment, write


def test_speakers_are_labelled_by_role_and_numbered_in_order_of_their_first_words():
    segments = [segment(start, user_id=user) for start, user in [(9, 40), (3, 20), (1, 10), (2, 30), (4, 20), (10, 50)]]
    roles = {10: "teacher", 20: "Student", 30: "student", 40: None, 50: "Bob", 60: "teacher"}
    labels = {10: "Teacher", 30: "Student 1", 20: "Student 2", 40: "Speaker 1", 50: "Speaker 2"}
    assert redacted_speakers(segments, roles) == labels
    assert list(redacted_speakers(segments, dict(reversed(roles.items())))) == list(labels)


def test_two_teachers_are_distinguished_by_numbers():
    segments = [segment(1, user_id=1), segment(2, user_id=2), segment(3, user_id=3)]
    roles = {1: "teacher", 2: "student", 3: "teacher"}
    assert redacted_speakers(segments, roles) == {1: "Teacher 1", 2: "Student 1", 3: "Teacher 2"}


@pytest.mark.parametrize("format_name", FORMATS)
def test_redaction_leaves_no_speakers_name_and_keeps_ids_and_text(format_name):
    user = {"name": "Zebedee", "email": "zebedee@example.org"}
    segments = [
        {**segment(1, text="one"), "user": {**user, "id": 11}, "speaker_name": "Zebedee"},
        {**segment(2, text="two"), "user": {**user, "id": None}},
        {**segment(3, text="three"), "user": {**user, "id": "Zebedee"}},
        {**segment(4, text="four"), "user": {**user, "id": True}},
        {**segment(5, text="five"), "user": "Zebedee"},
        {**segment(6, text="six"), "user": {**user, "id": 12}},
        {**segment(7, text="I am Yolanda"), "user": None},
        {**segment("Zebedee", "Zebedee", user_id=11), "breakout_id": "Zebedee's room"},
        {**segment(8, text={"by": "Zebedee"}, user_id=11), "breakout_id": {"of": "Zebedee"}},
        {**segment(["Zebedee"], {"Zebedee": 1}, text=["Zebedee"], user_id=11), "breakout_id": ["Zebedee"]},
    ]
    data = write(with_labels(segments, {11: "Teacher", 1: "Nobody"}), format_name).decode()
    assert "zebedee" not in data.lower()
    assert "Nobody" not in data
    assert "Teacher" in data
    assert "Unknown" in data
    assert "I am Yolanda" in data
    if format_name in ("json", "jsonl", "csv"):
        assert "11" in data


@pytest.mark.parametrize("format_name", FORMATS)
def test_one_user_with_two_names_is_one_speaker_and_both_names_are_redacted(format_name):
    segments = [
        segment(0, name="Ann Lee", user_id=7),
        segment(2, name="Annie", user_id=7),
        segment(4, name=None, user_id=7),
    ]
    written = write(segments, format_name).decode()
    assert "Ann Lee" in written
    assert "Annie" in written
    speakers = redacted_speakers(segments, {7: "student"})
    assert speakers == {7: "Student 1"}
    redacted = write(with_labels(segments, speakers), format_name).decode()
    assert "Ann" not in redacted
    assert redacted.count("Student 1") == 3


def test_redaction_keeps_times_text_and_the_main_room():
    sent = {"start_time": 1, "end_time": 2.5, "user": {"id": 1, "name": "Ann"}, "breakout_id": "main", "text": "hi"}
    (kept,) = json.loads(write(with_labels([sent], {1: "Student 1"}), "json"))
    assert kept == {**sent, "user": {"id": 1, "name": "Student 1"}}


def test_redacted_segments_are_known_by_the_labels_of_all_their_speakers():
    speakers = redacted_speakers(SEGMENTS, {1: "teacher"})
    redacted = json.loads(write(with_labels(SEGMENTS, speakers), "json"))
    assert are_redacted(redacted)
    assert not are_redacted(SEGMENTS)
    assert not are_redacted([*redacted, segment(name="Ann")])
    assert not are_redacted([])


def test_formats_written_from_the_redacted_json_equal_those_written_at_first():
    segments = [*SEGMENTS, segment(7, 8, name="Bob", user_id=3)]
    speakers = redacted_speakers(segments, {1: "teacher"})
    again = json.loads(write(with_labels(segments, speakers), "json"))
    for format_name in FORMATS:
        assert write(again, format_name) == write(with_labels(segments, speakers), format_name)


@settings(max_examples=80, deadline=None)
@given(ANY_SEGMENTS, st.randoms(use_true_random=False))
def test_whatever_the_api_sends_redaction_labels_every_id_and_writes_no_name(segments, shuffler: random.Random):
    for place, sent in enumerate(segments):
        if isinstance(sent.get("user"), dict):
            sent["user"]["name"] = f"Zebedee {place}"
        sent["text"] = "said"
    ids = {sent["user"].get("id") for sent in segments if isinstance(sent.get("user"), dict)}
    ids = {user_id for user_id in ids if type(user_id) is int}
    roles = {user_id: shuffler.choice(["teacher", "student", None]) for user_id in sorted(ids)}

    speakers = redacted_speakers(segments, roles)
    assert speakers.keys() == ids
    assert len(set(speakers.values())) == len(ids)
    for format_name in FORMATS:
        assert b"Zebedee" not in write(with_labels(segments, speakers), format_name)
    again = json.loads(write(with_labels(segments, speakers), "json"))
    assert all(write(again, name) == write(with_labels(segments, speakers), name) for name in FORMATS)


def test_the_label_of_erased_people_is_no_name_and_does_not_make_a_transcript_redacted():
    erased = {**segment(), "user": {"id": None, "name": "[erased]"}}
    assert speaker_names([erased, segment(name="Ann")]) == ["Ann"]
    assert not are_redacted([erased])
    assert not are_redacted([erased, segment(name="Ann")])
    assert not are_redacted([erased, segment(name=["Ann"])])
    assert are_redacted([erased, *with_labels(SEGMENTS, redacted_speakers(SEGMENTS, {}))])
