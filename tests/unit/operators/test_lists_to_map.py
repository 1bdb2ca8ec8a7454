# SPDX-License-Identifier: Apache-2.0
"""Lists that tasks are mapped over: in chunks, or refused while they are read."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from airflow.sdk import DAG, task

from lessonspace_provider.exceptions import LessonspaceInputError
from lessonspace_provider.operators.users import LessonspaceListUsersOperator


@task
def use(entry):
    """Stand for a task that is mapped over the list."""


@pytest.fixture
def read():
    """The ids of the users that were read so far."""
    return []


def list_users(read, number, *, mapped=True, **parameters):
    def users(**filters):
        for user_id in range(1, number + 1):
            read.append(user_id)
            yield {"user": user_id, "role": "student"}

    with DAG("lists", schedule=None):
        listing = LessonspaceListUsersOperator(task_id="list", **parameters)
        use.expand(entry=listing.output) if mapped else use(listing.output)
    listing.__dict__["hook"] = SimpleNamespace(list_users=users)
    return listing.execute({})


def test_list_that_is_too_long_to_map_fails_while_it_is_read(read, monkeypatch):
    monkeypatch.setenv("AIRFLOW__CORE__MAX_MAP_LENGTH", "10")
    with pytest.raises(
        LessonspaceInputError, match=r"over 10 entries.*over 10 \(\[core\] max_map_length\). Give chunk_size"
    ):
        list_users(read, 1000)
    assert len(read) == 11


def test_list_without_mapped_tasks_may_be_longer(read, monkeypatch):
    monkeypatch.setenv("AIRFLOW__CORE__MAX_MAP_LENGTH", "10")
    assert len(list_users(read, 1000, mapped=False)) == 1000


def test_chunks_hold_every_entry_once(read, monkeypatch):
    monkeypatch.setenv("AIRFLOW__CORE__MAX_MAP_LENGTH", "10")
    chunks = list_users(read, 95, chunk_size=10)
    assert [len(chunk) for chunk in chunks] == [*[10] * 9, 5]
    assert [entry["user_id"] for chunk in chunks for entry in chunk] == list(range(1, 96))


def test_too_many_chunks_ask_for_a_larger_chunk_size(read, monkeypatch):
    monkeypatch.setenv("AIRFLOW__CORE__MAX_MAP_LENGTH", "10")
    with pytest.raises(LessonspaceInputError, match="Give a larger chunk_size"):
        list_users(read, 101, chunk_size=10)


@pytest.mark.parametrize("size", [0, -1, "x", True, 1.5])
def test_chunk_size_that_is_no_size_is_refused_before_any_request(read, size):
    with pytest.raises(LessonspaceInputError, match="chunk_size"):
        list_users(read, 3, chunk_size=size)
    assert read == []


def test_chunks_of_a_file_are_refused(read, tmp_path):
    with pytest.raises(LessonspaceInputError, match="chunk_size"):
        list_users(read, 3, chunk_size=2, destination=f"file://{tmp_path}/x.jsonl")
    assert read == []
