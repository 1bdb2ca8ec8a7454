# SPDX-License-Identifier: Apache-2.0
"""Summaries archived over a real socket, on a disk and on S3: what the lists carry, without a call of their own."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from tests.integration.archive.runs import END, START, manifest_in, run, tree

MOMENT = START + timedelta(minutes=5)


def add_session(control, **fields):
    return control.add_session(MOMENT - timedelta(minutes=40), MOMENT, users=["Ada Byron", "Ben Frank"], **fields)


def summaries_in(destination):
    return {path: data.decode() for path, data in tree(destination).items() if path.endswith(".summary.txt")}


def api_calls(control):
    return len(control.calls(target="api"))


@pytest.mark.parametrize("by_space", [False, True], ids=["all sessions", "one space"])
def test_summaries_cost_no_call_and_come_without_a_transcript(control, destination, by_space):
    spoken = add_session(control, transcript="ready", summary="Ben Frank read.")
    space = {session.session_id: session.space_id for session in control.sessions()}[spoken]
    silent = add_session(control, space=space, transcript="never", summary="Ada spoke.")
    alone = add_session(control, space=space, recorded=False, summary="Not recorded.")
    add_session(control, space=space, transcript="ready")
    where = {"space_id": space} if by_space else {}
    run(destination / "without", **where)
    without = api_calls(control)
    run(destination / "with", summaries=True, **where)
    assert api_calls(control) == 2 * without
    archive = destination / "with"
    found = {path.rpartition("/")[2].removesuffix(".summary.txt"): text for path, text in summaries_in(archive).items()}
    assert found == {spoken: "Ben Frank read.\n", silent: "Ada spoke.\n", alone: "Not recorded.\n"}
    recorded = {entry["session_id"]: entry.get("summary") for entry in manifest_in(archive)["sessions"]}
    assert {file["path"] for file in recorded.values() if file} == summaries_in(archive).keys()


def test_the_run_of_the_next_window_replaces_a_summary_that_has_changed(control, destination):
    session_id = add_session(control, transcript="ready", summary="First.")
    run(destination, summaries=True)
    control.set_raw_fields(session_id, {"summary": json.dumps("Second.")})
    before = len(control.calls(target="api", path="/transcript/$"))
    result = run(destination, window_start=END, window_end=END + timedelta(hours=1), summaries=True)
    assert list(summaries_in(destination).values()) == ["Second.\n"]
    assert len(result["updated_manifests"]) == 1
    assert len(control.calls(target="api", path="/transcript/$")) == before


def test_names_of_people_and_speakers_are_replaced_in_summaries(control, destination):
    add_session(control, transcript="ready", summary="Ada Byron asked, Ben answered.")
    add_session(control, transcript="never", summary="Ada Byron asked, Ben answered.")
    run(destination, summaries=True, redact_speakers=True)
    assert sorted(summaries_in(destination).values()) == [
        "Teacher asked, Student 1 answered.\n",
        "Teacher asked, Student answered.\n",
    ]
