# SPDX-License-Identifier: Apache-2.0
"""
### After the archive

Runs after each nightly archive. It reads from the event the number of transcripts, the path of their manifest, which
transcripts of earlier nights came late, and how many were given up. Replace `notify` by what your school does next.
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from airflow.sdk import DAG, Asset, task


def notify(text: str) -> None:
    """Print; in place of the school's own code, such as a load into its warehouse, or a mail."""
    print(text)


with DAG(
    "transcripts_archived",
    schedule=[Asset("lessonspace_transcripts")],
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    default_args={"owner": "data-team"},
    doc_md=__doc__,
    tags=["lessonspace", "transcripts"],
) as dag:

    @task
    def report(triggering_asset_events: Any = None) -> list[dict[str, Any]]:
        """Return what each archive of this run reported, and act on what came late and on what never came."""
        events = [event for events in (triggering_asset_events or {}).values() for event in events]
        # The events of single partitions have the same extra as the one without a partition.
        extras = [event.extra for event in events if getattr(event, "partition_key", None) is None]
        for extra in extras:
            counts, earlier = extra["counts"], extra["earlier"]
            notify(f"{counts} in {extra['manifest']}")
            if earlier["archived"]:
                notify(f"{earlier['archived']} came late, read these again: {extra['updated_manifests']}")
            if given_up := counts["given_up"] + earlier["given_up"]:
                notify(f"{given_up} could not be archived, search the manifests for given_up and ask Lessonspace")
        return extras

    report()
