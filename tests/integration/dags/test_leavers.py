# SPDX-License-Identifier: Apache-2.0
"""The removal of leavers under a real Airflow, against the sandbox; the approval answered as Airflow's API does it."""

from __future__ import annotations

import re

import pytest

from lessonspace_provider.api.ids import user_id_of
from lessonspace_provider.hooks.lessonspace import LessonspaceHook
from tests.integration.conftest import EXAMPLES, load_dag

pytest.importorskip("airflow.sdk.execution_time.hitl", reason="approvals need Airflow 3.1")


def user_ids():
    return {user_id_of(user) for user in LessonspaceHook().list_users()}


@pytest.fixture
def leaving(lessonspace_connection, lessonspace_sandbox, tmp_path, monkeypatch):
    ids = sorted(user_ids())[:2]
    file = tmp_path / "leavers.csv"
    file.write_text(f"name,user_id\nAda,{ids[0]}\nBob,{ids[1]}\nAda,{ids[0]}\n", encoding="utf-8-sig")
    monkeypatch.setenv("AIRFLOW_VAR_LESSONSPACE_LEAVERS", f"file://{file}")
    return ids


def states(run, task_id):
    return [instance.state for instance in run.get_task_instances() if instance.task_id == task_id]


def test_approved_exactly_those_on_the_list_are_removed(run_dag, xcom, lessonspace_sandbox, leaving, answer):
    before = user_ids()
    asked = answer("Approve")
    run = run_dag(load_dag("leavers"))
    assert run.state == "success"
    assert len(asked) == 1
    assert f"{leaving[0]}, {leaving[1]}" in asked[0]
    assert xcom(run, "leavers") == leaving
    assert before - user_ids() == set(leaving)
    assert user_ids() < before
    assert len(lessonspace_sandbox.control.calls(method="DELETE")) == 2


def test_rejected_no_one_is_removed(run_dag, lessonspace_sandbox, leaving, answer):
    asked = answer("Reject")
    run = run_dag(load_dag("leavers"))
    assert len(asked) == 1
    assert set(states(run, "remove")) == {"skipped"}
    assert lessonspace_sandbox.control.calls(method="DELETE") == []


def read_ids(data):
    return load_dag("leavers").get_task("leavers").python_callable.__globals__["read_ids"](data, "leavers.csv")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id\n7\n", "leavers.csv lacks the columns user_id"),
        ("", "leavers.csv lacks the columns user_id"),
        ("user_id\n7\nAda\n", "leavers.csv, line 3, column user_id: there is no positive integer: format the column"),
        ("user_id\n0\n", "leavers.csv, line 2, column user_id"),
        ("user_id\n-7\n", "leavers.csv, line 2, column user_id"),
        ("user_id\n1E+06\n", "leavers.csv, line 2, column user_id"),
        ("user_id\n1000001.0\n", "leavers.csv, line 2, column user_id"),
        ("user_id\n1,000,001\n", "leavers.csv, line 2: there are more cells than columns"),
        ("user_id;name\n1.000.001;Ada\n", "leavers.csv, line 2, column user_id"),
        ("user_id,user_id\n7,8\n", "leavers.csv has the column user_id 2 times, as columns A and B"),
        ("user_id,name\n,Ada\n", "leavers.csv, line 2, column user_id"),
        (f"user_id\n{'9' * 5000}\n", "leavers.csv, line 2, column user_id"),
        ('user_id,name\n7,"Ada\n8,Ben\n', "leavers.csv, line 2: it is unsure where this row ends"),
    ],
)
def test_a_list_that_is_not_clear_removes_no_one(text, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}") as caught:
        read_ids(text.encode())
    assert "Ada" not in str(caught.value)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_list_is_read_as_spreadsheets_save_it(encoding, delimiter):
    text = f"name{delimiter}user_id\r\nGül{delimiter}7\r\nBen{delimiter}8\r\nGül{delimiter}7\r\n{delimiter}\r\n"
    assert read_ids(text.encode(encoding)) == [7, 8]


def test_the_sample_can_be_read():
    assert len(read_ids((EXAMPLES / "leavers.csv").read_bytes())) == 2
