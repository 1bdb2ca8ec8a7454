# SPDX-License-Identifier: Apache-2.0
"""Erasures of a person beside others of the same name, and what later runs archive of the person."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from tests.unit.archive.erased import ANN, BEN, BEN_PROFILE, archived, erase, said
from tests.unit.archive.kit import END, START, a_session, good, tree

OTHER_BEN, BEN_SMITH = 48152, 48153
SEGMENTS = [said(0.0, 1, "Ann", "Hello Ben"), said(1.0, OTHER_BEN, "Ben Okafor", "I am another one")]


@pytest.fixture
def lessons(archiver, source):
    """Lessons of Ben Okafor, of another Ben Okafor, and of Ben Smith."""
    sessions = [
        a_session(4, name="Maths", profiles=[ANN, BEN_PROFILE]),
        a_session(5, name="Maths", profiles=[ANN, {**BEN_PROFILE, "user": OTHER_BEN}]),
        a_session(6, name="Maths", profiles=[ANN, {**BEN_PROFILE, "user": BEN_SMITH, "name": "Ben Smith"}]),
    ]
    source.outcomes[good(4)] = [said(0.0, 1, "Ann", "Hello"), said(1.0, BEN, "Ben Okafor", "Hi")]
    source.outcomes[good(5)] = SEGMENTS
    source.outcomes[good(6)] = [said(0.0, 1, "Ann", "Hello Ben"), said(1.0, BEN_SMITH, "Ben Smith", "Hi")]
    archived(archiver, source, sessions)
    return sessions


def speakers_in(folder, number):
    (path,) = folder.rglob(f"{good(number)}.json")
    return [(segment["user"]["id"], segment["user"]["name"]) for segment in json.loads(path.read_text())][1:]


def files_of(folder, number):
    return [path for path in tree(folder) if good(number) in path]


def test_with_the_id_another_person_of_the_same_name_keeps_the_id_and_the_lines(lessons, tmp_path):
    receipt = erase(tmp_path)
    assert speakers_in(tmp_path, 4) == [(None, "[erased]")]
    assert speakers_in(tmp_path, 5) == [(OTHER_BEN, "[erased]")]
    assert speakers_in(tmp_path, 6) == [(BEN_SMITH, "[erased] Smith")]
    assert receipt.notes == [
        "1 other user ids speak under names that were given: the names were removed, the ids were not. Run the erasure "
        "with these ids if they are the same person's"
    ]


def test_with_the_id_only_sessions_of_the_person_are_deleted(lessons, tmp_path):
    erase(tmp_path, mode="delete")
    assert [bool(files_of(tmp_path, number)) for number in (4, 5, 6)] == [False, True, True]


def test_by_the_name_alone_both_people_of_that_name_are_erased(lessons, tmp_path):
    receipt = erase(tmp_path, user_ids=(), mode="delete")
    assert [bool(files_of(tmp_path, number)) for number in (4, 5, 6)] == [False, False, True]
    assert "2 user ids speak under names that were given: they were erased, too" in receipt.notes


@pytest.mark.parametrize("for_future", [True, False])
def test_names_that_labels_hide_come_back_only_without_for_future(archiver, source, tmp_path, for_future):
    """A guest has no id by which the archive knows that they took part."""
    guest = {"user": None, "name": "Ben Okafor"}
    lesson = a_session(4, name="Maths", profiles=[ANN, guest], summary="Ben read aloud.")
    source.outcomes[good(4)] = [said(0.0, 1, "Ann", "Hello"), said(1.0, None, "Ben Okafor", "Hi")]
    archived(archiver, source, [lesson], redact_speakers=True)
    erase(tmp_path, user_ids=(), for_future=for_future)
    archived(archiver, source, [lesson], redact_speakers=False)
    (summary,) = tmp_path.rglob(f"{good(4)}.summary.txt")
    assert summary.read_text() == ("[erased] read aloud.\n" if for_future else "Ben read aloud.\n")


@pytest.mark.parametrize("for_future", [True, False])
def test_a_late_summary_names_a_person_who_was_not_found_only_without_for_future(
    archiver, source, tmp_path, for_future
):
    archived(archiver, source)
    erase(tmp_path, for_future=for_future)
    late = a_session(3, name="Maths", profiles=[ANN], summary="Ben was ill.")
    run = archiver(END + timedelta(hours=2), formats=["json"], summaries=True)
    window = run.archive_window([late], START, END)
    run.update_earlier(START, window.elsewhere)
    (summary,) = tmp_path.rglob(f"{good(3)}.summary.txt")
    assert summary.read_text() == ("[erased] was ill.\n" if for_future else "Ben was ill.\n")
