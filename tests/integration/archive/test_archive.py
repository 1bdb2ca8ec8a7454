# SPDX-License-Identifier: Apache-2.0
"""The archive operator over a real socket against the sandbox, on a disk and on S3: kills, faults, many sessions."""

from __future__ import annotations

import json
import random
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone

import pytest
from airflow.sdk import ObjectStoragePath

from lessonspace_provider.exceptions import LessonspaceDestinationError, LessonspaceError
from lessonspace_provider.operators.transcripts import LessonspaceArchiveTranscriptsOperator
from lessonspace_provider.sandbox.messages import NewSession
from tests.integration.archive.runs import END, START, finished, manifest_in, parameters, run, start_run, tree
from tests.listed import Listed

SAID = {"start_time": 0.0, "end_time": 1.0, "user": {"id": 1, "name": "Ann"}, "breakout_id": "main", "text": "Hi"}
SHORT = [{**SAID, "start_time": float(start)} for start in range(5)]


def add_sessions(control, count, **fields):
    ends = [START + timedelta(seconds=number) for number in range(count)]
    new = [NewSession(end - timedelta(minutes=40), end, **{"transcript": "ready", **fields}) for end in ends]
    return control.add_sessions(new)


def asked_for(control):
    """The sessions whose transcript the API was asked for, in order."""
    calls = control.calls(target="api", path="/transcript/$")
    return [re.search(r"sessions/([^/]+)/", call.path)[1] for call in calls]


def test_killed_at_any_point_and_run_again_the_archive_is_that_of_an_undisturbed_run(control, destination):
    # On S3 each file takes several requests, and a run connects to the store before it does anything.
    count, rounds, kills_per_round = (25, 8, 4) if destination.protocol == "file" else (12, 1, 4)
    session_ids = add_sessions(control, count, segments=SHORT)
    control.inject_fault("slow", target="store", probability=1.0, seconds=0.05)  # so that there is time to kill it
    undisturbed = destination / "undisturbed"
    assert finished(start_run(undisturbed)) == 0
    chance, killed = random.Random(1), 0
    for round_ in range(rounds):
        disturbed = destination / f"disturbed {round_}"
        for _ in range(kills_per_round):
            killed += kill_somewhere(control, disturbed, session_ids, chance)
        assert finished(start_run(disturbed)) == 0
        assert tree(disturbed) == tree(undisturbed)
    assert killed >= rounds * kills_per_round / 3, "most of the runs have to be killed before their end"


def kill_somewhere(control, folder, session_ids, chance):
    """Kill a run some time after it asked for some transcripts, check what it left, and say whether it was killed."""
    there = {path[-41:-5] for path in tree(folder) if path.endswith(".json") and "manifests" not in path}
    before = len(asked_for(control))
    asks = chance.randint(0, len(session_ids) - len(there))
    process = start_run(folder)
    while process.is_alive() and len(asked_for(control)) < before + asks:
        process.join(0.01)
    process.join(chance.uniform(0.0, 0.1))
    alive = process.is_alive()
    process.kill()
    process.join()
    assert not there & set(asked_for(control)[before:]), "what is there is not fetched again"
    for path, data in tree(folder).items():
        if path.endswith(".json"):
            read = json.loads(data)
            if path.startswith("manifests/"):
                assert {entry["session_id"] for entry in read["sessions"]} == set(session_ids)
    return alive


def test_runs_of_one_window_at_the_same_time_leave_one_right_archive(control, destination):
    """As a run whose worker was taken for dead, and its retry on another."""
    archived, pending = add_sessions(control, 20, segments=SHORT), add_sessions(control, 5, transcript="never")
    with ThreadPoolExecutor(3) as pool:
        counts = [result.result()["counts"] for result in [pool.submit(run, destination) for _ in range(3)]]
    statuses = {entry["session_id"]: entry["status"] for entry in manifest_in(destination)["sessions"]}
    assert statuses == {**dict.fromkeys(archived, "archived"), **dict.fromkeys(pending, "pending")}
    assert {count["archived"] for count in counts} == {20}
    files = [data for path, data in tree(destination).items() if path.startswith("20") and path.endswith(".json")]
    assert [json.loads(data) for data in files] == [SHORT] * 20


def test_with_a_fifth_of_all_answers_faulty_nothing_is_lost(control, destination):
    session_ids = add_sessions(control, 60, segments=SHORT)
    for number, (kind, more) in enumerate(
        [("reset", {}), ("status", {"status": 503}), ("not_json", {}), ("truncated", {}), ("slow", {"seconds": 0.05})]
    ):
        for target in ("api", "store"):
            control.inject_fault(kind, target=target, probability=0.04, seed=number, **more)
    for _ in range(4):  # as many tries as a task with three retries has
        try:
            run(destination)
            break
        except LessonspaceError:
            continue
    account = manifest_in(destination)
    assert {entry["session_id"] for entry in account["sessions"]} == set(session_ids)
    assert account["counts"]["archived"] == 60
    assert sum(report.injected for report in control.state().faults) > 20


def test_a_thousand_sessions_cost_a_call_each_and_the_pages(control, tmp_path):
    eligible = add_sessions(control, 900, segments=[SAID])
    alone = add_sessions(control, 100, users=["Ada Teacher"], transcript="by-rule")
    folder = ObjectStoragePath(f"file://{tmp_path}")
    result = run(folder, formats=["json"])
    assert result["counts"] == {
        "archived": 900,
        "not_eligible": 100,
        "pending": 0,
        "given_up": 0,
        "failed": 0,
        "not_attempted": 0,
    }
    assert {entry["session_id"] for entry in manifest_in(folder)["sessions"]} == {*eligible, *alone}
    assert sorted(asked_for(control)) == sorted(eligible)
    assert len(control.calls(target="api")) <= 900 + 50 + 2
    assert len(control.calls(target="store")) == 900


def test_sessions_that_end_while_the_list_is_read_are_neither_missed_nor_doubled(control, destination):
    now = datetime.now(timezone.utc)
    start, end = now - timedelta(hours=1), now + timedelta(seconds=1)
    first = [
        NewSession(start, start + timedelta(minutes=10, seconds=number), transcript="ready", segments=SHORT)
        for number in range(45)
    ]
    known = control.add_sessions(first)
    operator = LessonspaceArchiveTranscriptsOperator(
        task_id="archive", **{**parameters(destination), "window_start": start, "window_end": end}
    )
    hook, late = operator.hook, []
    pages = hook.list_sessions

    def list_sessions(**filters):
        for number, session in enumerate(pages(**filters)):
            if number == 25 and not late:  # the second page is being read
                late.append(control.add_session(start, now - timedelta(seconds=1), transcript="ready"))
            yield session

    hook.list_sessions = lambda **filters: Listed(list_sessions(**filters))
    operator.execute({})
    listed = [entry["session_id"] for entry in manifest_in(destination)["sessions"]]
    assert sorted(listed) == sorted([*known, *late])


def test_the_next_night_retries_what_was_pending(control, destination):
    (session_id,) = add_sessions(control, 1, transcript="never")
    result = run(destination)
    assert result["counts"]["pending"] == 1
    control.set_transcript(session_id, "ready")
    path = ObjectStoragePath(result["manifest"])
    account = json.loads(path.read_bytes())
    account["sessions"][0]["next_look"] = None
    path.write_bytes(json.dumps(account).encode())
    night = run(destination, window_start=END, window_end=END + timedelta(hours=1))
    assert night["updated_manifests"] == [result["manifest"]]
    assert json.loads(path.read_bytes())["counts"]["archived"] == 1


def test_a_transcript_of_50_mb_is_archived_whole(control, tmp_path):
    said = {**SAID, "text": "ten thousand characters " * 420}
    add_sessions(control, 1, segments=[said] * 5200)
    assert run(tmp_path, formats=["json"])["counts"]["archived"] == 1
    (path,) = (path for path in tmp_path.rglob("????/??/??/*.json"))
    assert path.stat().st_size > 50 * 2**20
    assert json.loads(path.read_bytes()) == [said] * 5200


def test_strange_text_and_a_name_that_would_lead_out_are_archived_as_they_are(control, destination):
    strange = [{**SAID, "user": {"id": 1, "name": "א/ב"}, "text": "🎉\u202e\0"}]
    name = "../../x \u202eשלום 🎉"
    control.add_session(START - timedelta(hours=1), START, transcript="ready", segments=strange, name=name)
    run(destination, path_template="{name}/{session_id}", formats=["json"])
    (path,) = (path for path in tree(destination) if not path.startswith("manifests/"))
    assert "שלום" in path
    assert json.loads(tree(destination)[path]) == strange
    assert tree(destination.parent).keys() == {f"transcripts/{path}" for path in tree(destination)}


def test_a_space_and_tags_choose_what_is_archived(control, destination):
    maths = control.add_session(START - timedelta(hours=1), START, tags={"subject": "maths"}, transcript="ready")
    control.add_session(START - timedelta(hours=1), START, tags={"subject": "art"}, transcript="ready")
    run(destination / "tags", filters={"tags": {"subject": "maths"}})
    assert [entry["session_id"] for entry in manifest_in(destination / "tags")["sessions"]] == [maths]
    space = next(truth.room_id for truth in control.sessions() if truth.session_id == maths)
    run(destination / "space", space_id=space)
    assert [entry["session_id"] for entry in manifest_in(destination / "space")["sessions"]] == [maths]


def test_a_dry_run_asks_for_the_list_and_nothing_else(control, destination):
    add_sessions(control, 3)
    result = run(destination, dry_run=True)
    assert result["counts"]["pending"] == 3
    assert result["manifest"] is None
    assert asked_for(control) == []
    assert tree(destination) == {}


def test_only_a_damaged_file_is_fetched_again(control, destination):
    (damaged, _) = add_sessions(control, 2)
    run(destination)
    good = tree(destination)
    (path,) = (path for path in good if path.endswith(f"{damaged}.json"))
    (destination / path).write_bytes(b"[")
    asked = len(asked_for(control))
    run(destination)
    assert asked_for(control)[asked:] == [damaged]
    assert tree(destination) == good


def test_an_archive_on_s3_equals_one_on_disk(control, bucket, tmp_path):
    add_sessions(control, 8)
    add_sessions(control, 3, users=["Ada Teacher"], transcript="by-rule")
    folders = ObjectStoragePath("s3://aws_default@school/transcripts"), ObjectStoragePath(f"file://{tmp_path}")
    for folder in folders:
        run(folder, formats=["json", "txt", "vtt"])
    on_s3, on_disk = (tree(folder) for folder in folders)
    assert on_s3 == on_disk


def test_a_second_run_writes_only_manifest_and_health_again(control, bucket):
    add_sessions(control, 3)
    folder = ObjectStoragePath("s3://aws_default@school/transcripts")

    def versions():
        found = ((item.object_key, item.id) for item in bucket.object_versions.all())
        return {(key, version) for key, version in found if not re.search("manifests|health", key)}

    run(folder, formats=["json"])
    before = versions()
    run(folder, formats=["json"])
    assert versions() == before
    run(folder, formats=["json", "txt"])
    assert {key for key, _ in versions() - before} == {key.replace(".json", ".txt") for key, _ in before}


def test_a_bucket_that_is_not_there_is_named_before_any_transcript_is_asked_for(control, bucket):
    add_sessions(control, 3)
    with pytest.raises(LessonspaceDestinationError, match=r"aws_default@nowhere/.*does not exist.*Create its bucket"):
        run("s3://aws_default@nowhere/transcripts")
    assert asked_for(control) == []
