# SPDX-License-Identifier: Apache-2.0
"""
### When a session has ended

Runs whenever sessions of two people or more have ended, and does something for each of them. The triggerer polls every
30 seconds, with one request for the whole organisation.

A run handles all events that triggered it. Before Airflow 3.4 these are all events since the last run. From Airflow 3.4
on each event makes a run of its own, unless `[scheduler] batch_asset_events` is set. A session may come twice, in one
run or in two, for example after a restart of the triggerer. So `handle` must be idempotent: for
example, write to a path with the session's id in it. Replace the print by what your school does next.
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from airflow.sdk import DAG, Asset, AssetWatcher, task

from lessonspace_provider.triggers.sessions import LessonspaceSessionEndedEventTrigger

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


def handle(session: dict[str, Any]) -> None:
    """Do what comes next for one session. It may be called again for the same session."""
    minutes = (session["duration_seconds"] or 0) / 60
    print(f"{session['session_id']}: {session['participants']} people, {minutes:.0f} minutes")


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
        """Collect the sessions of all events of this run, each once; an event made by hand has none."""
        events = [event for events in (triggering_asset_events or {}).values() for event in events]
        payloads = [event.extra.get("payload") or {} for event in events]
        sessions = [session for payload in payloads for session in payload.get("sessions", [])]
        return list({session["session_id"]: session for session in sessions}.values())

    @task
    def follow_up(sessions: list[dict[str, Any]]) -> list[str]:
        """Do something for each session, whose id, space, times and counts are known; one that fails stops no other."""
        done, failed = [], []
        for session in sessions:
            try:
                handle(session)
                done.append(session["session_id"])
            except Exception as error:
                failed.append(f"{session['session_id']} ({type(error).__name__})")
        if failed:
            raise RuntimeError(f"{len(failed)} of {len(sessions)} sessions failed: {', '.join(failed)}")
        return done

    follow_up(ended_sessions())
