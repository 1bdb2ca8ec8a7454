# SPDX-License-Identifier: Apache-2.0
"""The example that runs when sessions end, with one event in a run and with several."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest
from airflow.sdk.execution_time.comms import AssetEventDagRunReferenceResult
from airflow.sdk.execution_time.context import TriggeringAssetEventsAccessor

from tests.integration.conftest import load_dag

NAME = "lessonspace_session_ended"
FIRST, SECOND, THIRD = (f"00000000-0000-4000-8000-00000000000{number}" for number in range(3))


def a_session(session_id):
    return {"session_id": session_id, "participants": 2, "duration_seconds": 3000.0}


def an_event(**extra):
    """An event as Airflow stores what the trigger fired."""
    return AssetEventDagRunReferenceResult.model_validate(
        {
            "asset": {"name": NAME, "uri": NAME, "extra": {}},
            "extra": extra,
            "source_task_id": None,
            "source_dag_id": None,
            "source_run_id": None,
            "source_map_index": None,
            "source_aliases": [],
            "timestamp": datetime.now(timezone.utc),
        }
    )


def fired(*session_ids):
    return an_event(from_trigger=True, payload={"sessions": [a_session(session_id) for session_id in session_ids]})


@pytest.fixture
def dag():
    return load_dag("on_session_end")


def collected(dag, *events):
    collect = dag.get_task("ended_sessions").python_callable
    return [session["session_id"] for session in collect(TriggeringAssetEventsAccessor.build(events))]


@pytest.mark.parametrize(
    ("events", "sessions"),
    [
        pytest.param([fired(FIRST)], [FIRST], id="a run for each event"),
        pytest.param([fired(FIRST, SECOND)], [FIRST, SECOND], id="several sessions in one event"),
        pytest.param([fired(FIRST), fired(SECOND), fired(THIRD)], [FIRST, SECOND, THIRD], id="a run for all events"),
        pytest.param([fired(FIRST, SECOND), fired(SECOND, THIRD)], [FIRST, SECOND, THIRD], id="a session twice"),
        pytest.param([an_event()], [], id="an event made by hand"),
        pytest.param([], [], id="a run made by hand"),
    ],
)
def test_a_run_handles_the_sessions_of_all_its_events_each_once(dag, events, sessions):
    assert collected(dag, *events) == sessions


def test_one_session_that_fails_stops_no_other_and_is_named(dag, capsys):
    follow_up = dag.get_task("follow_up").python_callable
    bad = {"session_id": SECOND}
    with pytest.raises(RuntimeError, match=f"1 of 3 sessions failed: {SECOND}"):
        follow_up([a_session(FIRST), bad, a_session(THIRD)])
    printed = capsys.readouterr().out
    assert FIRST in printed
    assert THIRD in printed


def test_two_runs_may_handle_the_same_session(dag):
    follow_up = dag.get_task("follow_up").python_callable
    assert follow_up([a_session(FIRST)]) == follow_up([a_session(FIRST)]) == [FIRST]
