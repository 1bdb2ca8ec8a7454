# SPDX-License-Identifier: Apache-2.0
"""
The night's transcripts, with the http provider, as a careful author writes it.

The connection ``lessonspace_api`` has the API key in its extra, ``transcript_store`` has the store's host: the key must
not travel there. A transcript that is not ready is a 404, which no retry fixes: its task is skipped.
"""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone
from pathlib import PurePosixPath
from urllib.parse import parse_qsl, urlsplit

from airflow.providers.http.operators.http import HttpOperator
from airflow.sdk import DAG, ObjectStoragePath, Variable
from airflow.sdk.exceptions import AirflowSkipException
from airflow.timetables.interval import CronDataIntervalTimetable
from requests import Response

PAUSE_SECONDS = 0.25


def next_page(response: Response) -> dict[str, dict[str, str]] | None:
    """Give the parameters of the list's next page, after a while: all pages at once are over the limit."""
    time.sleep(PAUSE_SECONDS)
    url = response.json()["next"]
    return {"data": dict(parse_qsl(urlsplit(url).query))} if url else None


def transcript_endpoints(pages: list[Response]) -> list[str]:
    """Give the address of each session's transcript link."""
    organisation = pages[0].url.partition("/organisations/")[2].partition("/")[0]
    return [
        f"organisations/{organisation}/sessions/{session['uuid']}/transcript/"
        for page in pages
        for session in page.json()["results"]
    ]


def link(response: Response) -> str:
    """Give the signed link, without its host."""
    if response.status_code == 404:
        raise AirflowSkipException("no transcript")
    response.raise_for_status()
    url = urlsplit(response.json()["transcriptionUrl"])
    return f"{url.path}?{url.query}"


def save(response: Response) -> None:
    """Write a transcript, checked to be JSON, into the archive."""
    response.json()
    folder = ObjectStoragePath(Variable.get("lessonspace_archive"))
    (folder / PurePosixPath(urlsplit(response.url).path).name).write_bytes(response.content)


with DAG(
    "archive",
    schedule=CronDataIntervalTimetable("0 0 * * *", timezone="UTC"),
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 3, "retry_delay": timedelta(seconds=5), "retry_exponential_backoff": 2},
) as dag:
    listed = HttpOperator(
        task_id="list",
        http_conn_id="lessonspace_api",
        method="GET",
        endpoint="organisations/{{ var.value.lessonspace_organisation }}/sessions/",
        data={
            "end_time_after": "{{ data_interval_start.isoformat() }}",
            "end_time_before": "{{ data_interval_end.isoformat() }}",
        },
        pagination_function=next_page,
        response_filter=transcript_endpoints,
    )
    links = HttpOperator.partial(
        task_id="link",
        http_conn_id="lessonspace_api",
        method="GET",
        extra_options={"check_response": False},
        response_filter=link,
    ).expand(endpoint=listed.output)
    HttpOperator.partial(
        task_id="download",
        http_conn_id="transcript_store",
        method="GET",
        response_filter=save,
        trigger_rule="all_done",
    ).expand(endpoint=links.output)
