# SPDX-License-Identifier: Apache-2.0
"""The launches of a morning: 30 lessons of 4 people, by as many processes as a machine would run tasks."""

from __future__ import annotations

import json
import multiprocessing

import pytest

LESSONS = 30
RATE = 40
SPAWN = multiprocessing.get_context("spawn")


@pytest.fixture
def control(lessonspace_sandbox, monkeypatch, tmp_path):
    lessonspace_sandbox.control.set_rate(RATE)
    connection = {
        "conn_type": "lessonspace",
        "host": lessonspace_sandbox.base_url,
        "password": lessonspace_sandbox.api_key,
        "extra": {"rate_limit_per_second": RATE, "rate_limit_dir": str(tmp_path)},
    }
    monkeypatch.setenv("AIRFLOW_CONN_LESSONSPACE_DEFAULT", json.dumps(connection))
    return lessonspace_sandbox.control


def launch_for(person):
    """Launch all lessons for one person, each as a task would."""
    from lessonspace_provider.operators.spaces import LessonspaceLaunchSpaceOperator

    for lesson in range(LESSONS):
        LessonspaceLaunchSpaceOperator(
            task_id="launch", launch_id=f"lesson-{lesson}", user={"id": person, "name": person}
        ).execute({})


def test_thirty_lessons_of_four_people_are_launched_at_the_gates_pace(control):
    processes = [SPAWN.Process(target=launch_for, args=(name,), daemon=True) for name in ("Ada", "Ben", "Cem", "Dana")]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0, 0, 0, 0]
    launches = control.launches()
    assert len(launches) == 4 * LESSONS
    assert len({launch.room_id for launch in launches}) == LESSONS
    assert control.state().refused <= 2, "a busy machine may hold up a call that has its permit"
