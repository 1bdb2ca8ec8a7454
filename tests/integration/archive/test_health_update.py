# SPDX-License-Identifier: Apache-2.0
"""The health that runs of the archive leave, on a disk and on S3."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from threading import Barrier

import pytest

from lessonspace_provider.api.times import write_time
from lessonspace_provider.archive.health.figures import Run
from lessonspace_provider.archive.health.store import HEALTH_PAGE, read_health, rebuild_health, update_health
from lessonspace_provider.exceptions import LessonspaceError
from lessonspace_provider.operators.archive import LessonspaceArchiveTranscriptsOperator
from lessonspace_provider.output import files as storage
from tests.airflow_version import needs_airflow
from tests.integration.archive.nightly_runs import entries_in
from tests.integration.archive.runs import END, START, parameters, run, tree

HOUR, NOW = timedelta(hours=1), datetime(2026, 11, 24, tzinfo=timezone.utc)


def run_hour(destination, number):
    return run(destination, window_start=START + number * HOUR, window_end=END + number * HOUR)


def add_session(control, hour, **fields):
    end = START + hour * HOUR + timedelta(minutes=5)
    return control.add_session(end - HOUR, end, **{"transcript": "ready", **fields})


def test_it_has_what_the_manifests_have_and_no_names(control, destination):
    add_session(control, -30, users=["Ada Teacher"], transcript="by-rule")
    for hour in (-30, -1, 0):
        add_session(control, hour, users=["Ada Teacher", "Ben Student"], name="Algebra with Ben")
    pending = add_session(control, 0, transcript="never")
    for hour in (-30, -1, 0):
        run_hour(destination, hour)
    health = read_health(destination)
    assert health.counts == dict(Counter(entry["status"] for _, entry in entries_in(tree(destination))))
    assert health.counts["pending"] == 1
    assert [item.session_id for item in health.items] == [pending]
    assert health.missing["one_person"] == 1
    assert [run.window_start for run in health.runs] == [
        f"{START + hour * HOUR:%Y-%m-%dT%H:%M:%SZ}" for hour in (-30, -1, 0)
    ]
    assert len(health.gaps) == 1
    rebuilt = rebuild_health(destination)
    assert (rebuilt.nights, rebuilt.items, rebuilt.gaps) == (health.nights, health.items, health.gaps)
    written = (destination / "health.json").read_bytes() + (destination / HEALTH_PAGE).read_bytes()
    assert not [name for name in (b"Ada", b"Ben", b"Algebra") if name in written]


def test_a_run_reads_the_manifests_of_no_night_but_its_own(control, destination, monkeypatch):
    for day in range(6):
        run_hour(destination, -24 * (6 - day))
    names, read_whole = [], storage.read_whole

    def read(path):
        if path.parent.name == "manifests":
            names.append(path.name)
        return read_whole(path)

    monkeypatch.setattr("lessonspace_provider.archive.manifest_store.read_whole", read)
    run_hour(destination, 0)
    names.clear()
    run_hour(destination, 0)
    assert len(set(names)) == 1
    assert len(read_health(destination).nights) == 7


def test_a_run_that_fails_is_on_record_and_its_error_is_the_same(control, destination):
    failed = add_session(control, 0)
    control.inject_fault("status", target="api", status=400, path="/transcript/", probability=1.0)
    with pytest.raises(LessonspaceError, match=failed):
        run(destination)
    health = read_health(destination)
    assert [(item.session_id, item.status, item.reason) for item in health.items] == [(failed, "failed", "http_400")]
    assert [run.has_failed for run in health.runs] == [True]


@needs_airflow("3.1", "older ones have no place for the page, and the link is blank")
def test_the_link_leads_to_the_night_of_the_window(control, destination):
    operator = LessonspaceArchiveTranscriptsOperator(task_id="archive", **parameters(destination))
    (link,) = operator.operator_extra_links
    assert link.get_link(operator, ti_key=None) == ""
    operator.execute({})
    night = (START + HOUR / 2).date().isoformat()
    assert link.get_link(operator, ti_key=None).endswith(f"&night={night}#night")


def test_a_dry_run_leaves_none(control, destination):
    add_session(control, 0)
    run(destination, dry_run=True)
    assert not (destination / "health.json").exists()


def test_runs_that_end_at_once_are_all_in_it(destination):
    number = 4
    begin = Barrier(number)

    def end(hour):
        begin.wait()
        window = [write_time(START + hour * HOUR), write_time(END + hour * HOUR)]
        update_health(destination, run=Run(write_time(NOW), *window, has_failed=False))

    with ThreadPoolExecutor(number) as pool:
        for ended in [pool.submit(end, hour) for hour in range(number)]:
            ended.result()
    assert len(read_health(destination).runs) == number
