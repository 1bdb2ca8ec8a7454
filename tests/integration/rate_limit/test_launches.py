# SPDX-License-Identifier: Apache-2.0
"""
The launches of a morning: 30 lessons of 4 people, by as many processes as a machine would run tasks.

The limit here is 20 a second so that the run is short; benchmarks/classes/__main__.py runs the example DAG at 5.
"""

from __future__ import annotations

import json
import multiprocessing
from statistics import median

import pytest

LESSONS = 30
RATE = 20
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


def launch_for(person, ready):
    """Launch all lessons for one person, each as a task would, once all processes are ready."""
    import lessonspace_provider.hooks.lessonspace  # noqa: F401 - an operator imports it when it runs
    from lessonspace_provider.operators.spaces import LessonspaceLaunchSpaceOperator

    ready.wait(120)
    for lesson in range(LESSONS):
        LessonspaceLaunchSpaceOperator(
            task_id="launch", launch_id=f"lesson-{lesson}", user={"id": person, "name": person}
        ).execute({})


def test_thirty_lessons_of_four_people_are_launched_at_the_limit_and_hardly_over_it(control):
    people, ready = ("Ada", "Ben", "Cem", "Dana"), SPAWN.Barrier(4)
    processes = [SPAWN.Process(target=launch_for, args=(name, ready), daemon=True) for name in people]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0, 0, 0, 0]
    launches = control.launches()
    assert len(launches) == 4 * LESSONS
    assert len({launch.room_id for launch in launches}) == LESSONS
    assert sum(launch.created for launch in launches) == LESSONS

    calls = control.calls(method="POST")
    accepted = [call.arrived for call in calls if call.status != 429]
    assert len(accepted) == 4 * LESSONS
    assert len(calls) - len(accepted) <= 1, "a busy machine may hold up a call that has its permit"
    gap = median(later - earlier for earlier, later in zip(accepted, accepted[1:]))
    assert 1 / gap > 0.6 * RATE, "most calls follow one another at the limit's pace, whatever holds up the others"
