# SPDX-License-Identifier: Apache-2.0
"""Summaries: read whatever a list has in their place, and names in them replaced where they are whole words."""

from __future__ import annotations

import pytest

from lessonspace_provider.transcripts.summaries import (
    LONGEST_SUMMARY,
    MOST_NAMES,
    names_in_session,
    names_in_transcript,
    redacted_text,
    summary_of,
)


@pytest.mark.parametrize("value", [None, "", " \n ", "\x00", 7, True, ["a"], {"text": "a"}])
def test_a_session_without_a_text_has_no_summary(value):
    assert summary_of({"summary": value}) is None


@pytest.mark.parametrize("session", [{}, None, "no session", 3])
def test_what_is_no_session_has_no_summary(session):
    assert summary_of(session) is None


def test_a_long_summary_is_cut():
    summary = summary_of({"summary": "a " * LONGEST_SUMMARY})
    assert summary.endswith("...")
    assert len(summary) == LONGEST_SUMMARY - 1 + 3  # the last blank goes


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("Ben Frank read, and Ann asked.", "Student 1 read, and Teacher asked."),
        ("ben frank read.", "Student 1 read."),
        ("Ben\nFrank read.", "Student 1 read."),
        ("Ben's homework; Frank, too. (Ben)", "Student 1's homework; Student 1, too. (Student 1)"),
        ("BEN wrote.", "Student 1 wrote."),
        ("Benedict bends franknesses.", "Benedict bends franknesses."),
        ("a ben of the frank kind", "a [name] of the frank kind"),
        ("Ms Ann, or Ms. Ann", "Teacher, or Ms. Teacher"),
        ("No names.", "No names."),
        ("", ""),
    ],
)
def test_names_and_their_parts_are_replaced_where_they_are_whole_words(text, redacted):
    names = {"Ben Frank": "Student 1", "Ms Ann": "Teacher"}
    assert redacted_text(text, names) == redacted
    assert redacted_text(redacted, names) == redacted


def test_names_in_scripts_without_capitals_are_found():
    assert redacted_text("李雷 came. محمد left.", {"李雷": "Student 1", "محمد": "Student 2"}) == (
        "Student 1 came. Student 2 left."
    )


def test_accents_are_found_in_either_of_their_spellings():
    names = names_in_session({"profiles": [{"user": 1, "name": "Jose\u0301", "role": "student"}]})
    assert redacted_text(summary_of({"summary": "José and Jose\u0301"}), names) == "Student and Student"


def test_a_word_that_labels_consist_of_is_no_name():
    names = {"Ada Teacher": "Teacher", "Ben Student": "Student 1", "A 1": "Student 2"}
    once = redacted_text("Ada and Ben Student. The Student asked the Teacher.", names)
    assert once == "Teacher and Student 1. The Student asked the Teacher."
    assert redacted_text(once, names) == once


def test_a_name_in_another_spelling_is_found():
    text = redacted_text(
        "Jose Lopez came, and josé lópez left with O’Neil.", {"José López": "Student 1", "O'Neil": "B"}
    )
    assert text == "[name] came, and Student 1 left with [name]."


def test_signs_in_names_are_no_patterns():
    assert redacted_text("O'Neil (x|y) .* C++", {"(x|y) .*": "A", "O'Neil": "B"}) == "B A C++"


def test_the_names_of_a_session_have_the_words_of_labels():
    profiles = [
        {"user": 1, "name": "Ann", "role": "teacher"},
        {"user": 2, "name": "Ben", "role": "Ben's mother"},
        {"user": 3, "name": None, "role": "student"},
        "no profile",
    ]
    assert names_in_session({"profiles": profiles}) == {"Ann": "Teacher", "Ben": "Speaker"}


def test_the_names_of_a_transcript_have_its_labels():
    segments = [
        {"user": {"id": 1, "name": "Ann"}},
        {"user": {"id": 1, "name": "Annie"}},
        {"user": {"name": "Guest"}},
        {"user": {"id": 2, "name": "Student 1"}},
        {"user": {"id": 3, "name": 4}},
        {"user": None},
        {},
    ]
    assert names_in_transcript(segments, {1: "Teacher"}) == {"Ann": "Teacher", "Annie": "Teacher", "Guest": "Unknown"}


def test_the_names_of_a_transcript_are_bounded():
    segments = [{"user": {"id": 1, "name": f"N{number} {'x' * 9_000}"}} for number in range(MOST_NAMES + 9)]
    names = names_in_transcript(segments, {})
    assert len(names) == MOST_NAMES
    assert max(map(len, names)) == 200
