# SPDX-License-Identifier: Apache-2.0
"""
### When a session has ended

Runs whenever sessions of two people or more have ended, and does something for each of them. The triggerer looks every
30 seconds, with one request for the whole organisation. The event is a doorbell: one run may get several of them, and
after a restart of the triggerer a session may come twice, so what is done for a session should do no harm when it is
done again. Put what comes next in your school in place of the print.
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from airflow.sdk import DAG, Asset, AssetWatcher, task

from lessonspace_provider.triggers.sessions import LessonspaceSessionEndedEventTrigger

# --8<-- [start:watch]
session_ended = Asset(
    "lessonspace_session_ended",
    watchers=[
        AssetWatcher(
            name="lessonspace_session_ended_watcher",
            trigger=LessonspaceSessionEndedEventTrigger(
                lessonspace_conn_id="lessonspace_default", poll_interval=30, min_participants=2
            ),
        )
    ],
)
# --8<-- [end:watch]

with DAG(
    "on_session_end",
    schedule=[session_ended],
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    default_args={"owner": "data-team"},
    doc_md=__doc__,
    tags=["lessonspace", "sessions"],
) as dag:

    @task
    def ended_sessions(triggering_asset_events: Any = None) -> list[dict[str, Any]]:
        """Collect the sessions of all events of this run, each once."""
        events = [event for events in (triggering_asset_events or {}).values() for event in events]
        sessions = [session for event in events for session in event.extra["payload"]["sessions"]]
        return list({session["session_id"]: session for session in sessions}.values())

    @task
    def follow_up(session: dict[str, Any]) -> str:
        """Do something for a session, whose id, space, times and counts are known."""
        minutes = (session["duration_seconds"] or 0) / 60
        print(f"{session['session_id']}: {session['participants']} people, {minutes:.0f} minutes")  # noqa: T201 - for the log
        return session["session_id"]

    follow_up.expand(session=ended_sessions())
