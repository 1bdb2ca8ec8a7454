# SPDX-License-Identifier: Apache-2.0
"""The review of recordings and the inventory under a real Airflow, against the sandbox."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from tests.integration.conftest import load_dag

TODAY = datetime.now(ZoneInfo("Europe/London")).replace(hour=6, minute=0, second=0, microsecond=0) - timedelta(days=1)
END = TODAY - timedelta(hours=3)


@pytest.fixture
def review(lessonspace_connection, monkeypatch, tmp_path):
    """The reviewer's folder, not yet made."""
    monkeypatch.setenv("AIRFLOW_VAR_LESSONSPACE_REVIEW_FOLDER", str(tmp_path / "review"))
    return tmp_path / "review"


@pytest.fixture
def control(lessonspace_sandbox):
    """An empty school, whose filters leave out the moment that they name."""
    lessonspace_sandbox.control.reset(sessions_per_day=0, boundary_inclusive=False)
    return lessonspace_sandbox.control


def of_the_example(name):
    return load_dag("recordings_review").get_task("recorded").python_callable.__globals__[name]


def test_each_recorded_session_is_handed_to_the_reviewer_and_no_link_is_in_xcom(run_dag, xcom, review, control):
    recorded = control.add_session(END - timedelta(hours=1), END, users=["Ann", "Ben"], launch_id="a")
    boundary = TODAY - timedelta(days=1)
    alone = control.add_session(boundary - timedelta(hours=1), boundary, users=["Eva"], launch_id="c")
    control.add_session(END - timedelta(hours=1), END, users=["Cem", "Dee"], launch_id="b", recorded=False)
    run = run_dag(load_dag("recordings_review"), TODAY)
    assert run.state == "success"
    files = {file.name: file for file in review.iterdir()}
    assert set(files) == {f"{recorded}.txt", f"{alone}.txt"}
    assert all(file.read_text().startswith("http") for file in files.values())
    handed_over = [xcom(run, "hand_over", map_index=index) for index in (0, 1)]
    assert {entry["session_id"] for entry in handed_over} == {recorded, alone}
    assert "http" not in json.dumps([handed_over, xcom(run, "sessions"), xcom(run, "recorded")])


def test_a_session_that_cannot_be_read_costs_no_other_its_link_and_fails_the_run(run_dag, review, control):
    broken, good = [
        control.add_session(END - timedelta(hours=1), END, users=["Ann", "Ben"], launch_id=name) for name in "ab"
    ]
    control.inject_fault("status", status=403, path=broken)
    dag = load_dag("recordings_review")
    dag.get_task("details").partial_kwargs["retries"] = 0
    assert run_dag(dag, TODAY).state == "failed"
    assert [file.name for file in review.iterdir()] == [f"{good}.txt"]


def test_triggered_without_a_logical_date_it_is_the_day_before(run_dag, review, control, monkeypatch, tmp_path):
    an_hour_ago = datetime.now(timezone.utc) - timedelta(hours=1)
    session_id = control.add_session(an_hour_ago, an_hour_ago, users=["Ann", "Ben"], launch_id="a")
    control.add_session(
        an_hour_ago - timedelta(days=1), an_hour_ago - timedelta(days=1), users=["Ann", "Ben"], launch_id="b"
    )
    assert run_dag(load_dag("recordings_review")).state == "success"
    assert [file.name for file in review.iterdir()] == [f"{session_id}.txt"]

    monkeypatch.setenv("AIRFLOW_VAR_LESSONSPACE_INVENTORY", f"file://{tmp_path}/inventory")
    assert run_dag(load_dag("people_inventory")).state == "success"
    assert len(list((tmp_path / "inventory").rglob("*.jsonl"))) == 2


@pytest.mark.parametrize(
    ("said", "recorded"),
    [
        ({"recording_available": True}, True),
        ({"recording_available": False, "record_av": True}, False),
        ({"recording_available": None, "record_av": True}, True),
        ({"record_av": True}, True),
        ({"record_av": False}, False),
        ({}, False),
    ],
)
def test_what_is_not_known_of_a_recording_is_taken_from_what_was_to_be_recorded(said, recorded):
    assert of_the_example("has_recording")(said) is recorded


def test_a_link_is_never_written_through_a_symbolic_link_or_into_a_file_that_is_open_to_others(review, tmp_path):
    review.mkdir()
    (review / "a.txt").symlink_to(tmp_path / "elsewhere")
    (review / "b.txt").touch()
    (review / "b.txt").chmod(0o666)
    for session_id in ("a", "b"):
        of_the_example("deliver")({"session_id": session_id, "recording_url": "the link"}, {})
    assert not (tmp_path / "elsewhere").exists()
    assert {path.name: path.lstat().st_mode for path in review.iterdir()} == dict.fromkeys(("a.txt", "b.txt"), 0o100600)


@pytest.mark.parametrize("nested_users", [True, False])
def test_the_inventory_holds_every_user_and_space_and_no_name_of_a_person(
    run_dag, lessonspace_connection, lessonspace_sandbox, monkeypatch, tmp_path, nested_users
):
    lessonspace_sandbox.control.reset(nested_users=nested_users)
    monkeypatch.setenv("AIRFLOW_VAR_LESSONSPACE_INVENTORY", f"file://{tmp_path}")
    assert run_dag(load_dag("people_inventory"), datetime(2026, 11, 1, 3, tzinfo=timezone.utc)).state == "success"
    files = {file.name: file.read_text().splitlines() for file in tmp_path.rglob("*.jsonl")}
    users = [json.loads(line) for line in files["users.jsonl"]]
    assert users
    assert all(set(user) == {"user_id", "role"} and isinstance(user["user_id"], int) for user in users)
    assert files["spaces.jsonl"]
    assert "http" not in "".join(files["spaces.jsonl"])
