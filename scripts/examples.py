# SPDX-License-Identifier: Apache-2.0
"""What the example DAGs need to run on the sandbox, and what `make ui` prints about them."""

from __future__ import annotations

import json
from datetime import datetime

from scripts.processes import CHECKOUT
from scripts.run_folder import RunFolder

DAGS_FOLDER = CHECKOUT / "dags_examples"

#: Examples that run when something has happened.
WAITING_DAGS = ("lesson_analytics", "on_session_end", "transcripts_archived")


def example_dags() -> list[str]:
    """Name the example DAGs, each of which is called as its file is."""
    return sorted(path.stem for path in DAGS_FOLDER.glob("*.py") if "with DAG(" in path.read_text())


def history_days(now: datetime) -> int:
    """Compute how far back the sandbox's own school is to go, so that last week's report is about the sample timetable.

    :param now: aware, in UTC.
    :return: days, to Monday; on a Monday one, without which the night before would be nearly empty.
    """
    return max(now.weekday(), 1)


def what_to_trigger(space_id: str) -> str:
    """List in a line which DAGs there are to trigger, and what those with parameters take.

    :param space_id: of a space with transcripts.
    """
    names = [dag_id for dag_id in example_dags() if dag_id not in WAITING_DAGS]
    names[names.index("space_transcripts")] += f" (takes a space, such as {space_id})"
    return f"trigger {', '.join(names)}; {' and '.join(WAITING_DAGS)} run by themselves"


def shown_archives(run: RunFolder) -> dict[str, str]:
    """Give the setting by which Airflow's page *Lessonspace* shows the run's archive."""
    return {"AIRFLOW__LESSONSPACE__ARCHIVES": f"file://{run.archive}"}


def variables(run: RunFolder) -> dict[str, tuple[str, str]]:
    """Give the Airflow Variables that the example DAGs can't do without.

    :return: name -> value and description.
    """
    files = f"file://{run.root}"
    return {
        "lessonspace_accounts": (f"{files}/accounts", "Where bulk tasks record what became of each item"),
        "lessonspace_alerts": (f"{files}/alerts", "What alerts about lessons remember from run to run"),
        "lessonspace_analytics": (f"{files}/analytics", "Where the analytics of lessons are written"),
        "lessonspace_archive": (f"file://{run.archive}", "Where transcripts are archived"),
        "lessonspace_attendance": (f"{files}/attendance", "Where attendance reports are written"),
        "lessonspace_inventory": (f"{files}/inventory", "Where users and spaces are listed"),
        "lessonspace_leavers": (f"file://{run.leavers}", "The list of users to remove"),
        "lessonspace_links_folder": (f"{run.root}/links", "Where links to classes are written"),
        "lessonspace_organisations": (
            json.dumps([{"lessonspace_conn_id": "lessonspace_default", "destination": f"file://{run.archive}_of_all"}]),
            "The archives of several organisations",
        ),
        "lessonspace_privacy_address": ("privacy@school.example", "Where receipts of erasures are mailed to"),
        "lessonspace_review_folder": (f"{run.root}/review", "Where links to recordings are written"),
        "lessonspace_space_transcripts": (f"{files}/space_transcripts", "Where a space's transcripts are written"),
    }
