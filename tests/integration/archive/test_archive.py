# SPDX-License-Identifier: Apache-2.0
"""The archive operator over a real socket against the sandbox: kills, faults, many sessions, S3."""

from __future__ import annotations

import json
import random
import re
import time
from datetime import datetime, timedelta, timezone

import pytest

from lessonspace_provider.exceptions import LessonspaceError
from lessonspace_provider.operators.transcripts import LessonspaceArchiveTranscriptsOperator
from lessonspace_provider.sandbox.messages import NewSession
from tests.integration.archive.runs import start_run

END = datetime.now(timezone.utc).replace(minute=0, second=0, microsecond=0) - timedelta(hours=3)
START = END - timedelta(hours=1)
ROUNDS, KILLS_PER_ROUND = 8, 4


@pytest.fixture
def control(lessonspace_sandbox, lessonspace_connection, monkeypatch):
    """A sandbox with nothing in it but what the test adds."""
    monkeypatch.setattr("lessonspace_provider.retries._backoff", lambda _: 0.0)
    lessonspace_sandbox.control.reset(days=0, sessions_per_day=0)
    return lessonspace_sandbox.control


def add_sessions(control, count, **fields):
    ends = [START + timedelta(seconds=number) for number in range(count)]
    new = [NewSession(end - timedelta(minutes=40), end, **{"transcript": "ready", **fields}) for end in ends]
    return control.add_sessions(new)


def parameters(destination, **more):
    return {"destination": str(destination), "window_start": START, "window_end": END, **more}


def run(destination, **more):
    return LessonspaceArchiveTranscriptsOperator(task_id="archive", **parameters(destination, **more)).execute({})


def tree(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def manifest_in(folder):
    (path,) = (folder / "manifests").iterdir()
    return json.loads(path.read_bytes())


def asked_for(control):
    """The sessions whose transcript the API was asked for, in order."""
    calls = control.calls(target="api", path="/transcript/$")
    return [re.search(r"sessions/([^/]+)/", call.path)[1] for call in calls]


def test_killed_at_any_point_and_run_again_the_archive_is_that_of_an_undisturbed_run(control, tmp_path):
    session_ids = add_sessions(control, 25)
    undisturbed = tmp_path / "undisturbed"
    assert finished(start_run(parameters(tmp_path / "warming up"))) == 0
    began = time.monotonic()
    assert finished(start_run(parameters(undisturbed))) == 0
    usual = time.monotonic() - began
    chance, killed = random.Random(1), 0
    for round_ in range(ROUNDS):
        disturbed = tmp_path / f"disturbed {round_}"
        for _ in range(KILLS_PER_ROUND):
            killed += kill_somewhere(control, disturbed, chance.uniform(0.0, usual))
        assert finished(start_run(parameters(disturbed))) == 0
        assert tree(disturbed) == tree(undisturbed)
        assert {entry["session_id"] for entry in manifest_in(disturbed)["sessions"]} == set(session_ids)
    assert killed >= ROUNDS * KILLS_PER_ROUND / 3, "most of the runs have to be killed before their end"


def finished(process):
    process.join(120)
    return process.exitcode


def kill_somewhere(control, folder, seconds):
    """Let a run go on for so long, kill it, and check what it left; say whether it was killed before its end."""
    there = {path.stem for path in folder.rglob("*.json")}
    before = len(asked_for(control))
    process = start_run(parameters(folder))
    process.join(seconds)
    alive = process.is_alive()
    process.kill()
    process.join()
    assert not there & set(asked_for(control)[before:]), "what is there is not fetched again"
    for path in folder.rglob("*.json"):
        json.loads(path.read_bytes())
    return alive


def test_with_a_fifth_of_all_answers_faulty_nothing_is_lost(control, tmp_path):
    session_ids = add_sessions(control, 60)
    for number, (kind, more) in enumerate(
        [("reset", {}), ("status", {"status": 503}), ("not_json", {}), ("truncated", {}), ("slow", {"seconds": 0.05})]
    ):
        for target in ("api", "store"):
            control.inject_fault(kind, target=target, probability=0.04, seed=number, **more)
    for _ in range(4):  # as many tries as a task with three retries has
        try:
            run(tmp_path)
            break
        except LessonspaceError:
            continue
    account = manifest_in(tmp_path)
    assert {entry["session_id"] for entry in account["sessions"]} == set(session_ids)
    assert account["counts"]["archived"] == 60
    assert sum(report.injected for report in control.state().faults) > 20


def test_a_thousand_sessions_cost_a_call_each_and_the_pages(control, tmp_path):
    short = [
        {"start_time": 0.0, "end_time": 1.0, "user": {"id": 1, "name": "Ann"}, "breakout_id": "main", "text": "Hi"}
    ]
    eligible = add_sessions(control, 900, segments=short)
    alone = add_sessions(control, 100, users=["Ada Teacher"], transcript="by-rule")
    result = run(tmp_path, formats=["json"])
    assert result["counts"] == {"archived": 900, "not_eligible": 100, "pending": 0, "given_up": 0, "failed": 0}
    assert {entry["session_id"] for entry in manifest_in(tmp_path)["sessions"]} == {*eligible, *alone}
    assert sorted(asked_for(control)) == sorted(eligible)
    assert len(control.calls(target="api")) <= 900 + 50 + 2
    assert len(control.calls(target="store")) == 900


def test_sessions_that_end_while_the_list_is_read_are_neither_missed_nor_doubled(
    control, tmp_path, lessonspace_sandbox
):
    now = datetime.now(timezone.utc)
    start, end = now - timedelta(hours=1), now + timedelta(seconds=1)
    first = [
        NewSession(start, start + timedelta(minutes=10, seconds=number), transcript="ready") for number in range(45)
    ]
    known = control.add_sessions(first)
    operator = LessonspaceArchiveTranscriptsOperator(
        task_id="archive", **{**parameters(tmp_path), "window_start": start, "window_end": end}
    )
    hook, late = operator.hook, []
    pages = hook.list_sessions

    def list_sessions(**filters):
        for number, session in enumerate(pages(**filters)):
            if number == 25 and not late:  # the second page is being read
                late.append(control.add_session(start, now - timedelta(seconds=1), transcript="ready"))
            yield session

    hook.list_sessions = list_sessions
    operator.execute({})
    listed = [entry["session_id"] for entry in manifest_in(tmp_path)["sessions"]]
    assert sorted(listed) == sorted([*known, *late])


def test_the_next_night_takes_up_what_was_pending(control, tmp_path):
    (session_id,) = add_sessions(control, 1, transcript="never")
    assert run(tmp_path)["counts"]["pending"] == 1
    control.set_transcript(session_id, "ready")
    (path,) = (tmp_path / "manifests").iterdir()
    account = json.loads(path.read_bytes())
    account["sessions"][0]["next_look"] = None
    path.write_text(json.dumps(account))
    result = run(tmp_path, window_start=END, window_end=END + timedelta(hours=1))
    assert result["updated_manifests"] == [f"file://{path}"] or result["updated_manifests"] == [str(path)]
    assert json.loads(path.read_bytes())["counts"]["archived"] == 1


def test_a_transcript_of_50_mb_and_one_full_of_strange_text_are_archived_whole(control, tmp_path):
    add_sessions(control, 1, transcript_bytes=50 * 2**20)
    strange = [
        {
            "start_time": 0.0,
            "end_time": 1.0,
            "user": {"id": 1, "name": "א/ב"},
            "breakout_id": "main",
            "text": "🎉\u202e\0",
        }
    ]
    name = "../../x \u202eשלום 🎉"
    control.add_session(START - timedelta(hours=1), START, transcript="ready", segments=strange, name=name)
    counts = run(tmp_path, path_template="{name}/{session_id}", formats=["json"])["counts"]
    assert counts["archived"] == 2
    sizes = sorted(path.stat().st_size for path in tmp_path.rglob("*.json") if path.parent.name != "manifests")
    assert sizes[-1] > 40 * 2**20
    assert (
        json.loads(next(path for path in tmp_path.rglob("*.json") if "שלום" in path.parent.name).read_bytes())
        == strange
    )
    assert all(path.is_relative_to(tmp_path) for path in tmp_path.rglob("*"))


def test_a_space_and_tags_choose_what_is_archived(control, tmp_path):
    maths = control.add_session(START - timedelta(hours=1), START, tags={"subject": "maths"}, transcript="ready")
    control.add_session(START - timedelta(hours=1), START, tags={"subject": "art"}, transcript="ready")
    run(tmp_path / "tags", filters={"tags": {"subject": "maths"}})
    assert [entry["session_id"] for entry in manifest_in(tmp_path / "tags")["sessions"]] == [maths]
    space = next(truth.room_id for truth in control.sessions() if truth.session_id == maths)
    run(tmp_path / "space", space_id=space)
    assert [entry["session_id"] for entry in manifest_in(tmp_path / "space")["sessions"]] == [maths]


def test_a_dry_run_asks_for_the_list_and_nothing_else(control, tmp_path):
    add_sessions(control, 3)
    result = run(tmp_path, dry_run=True)
    assert result["counts"]["pending"] == 3
    assert result["manifest"] is None
    assert asked_for(control) == []
    assert tree(tmp_path) == {}
