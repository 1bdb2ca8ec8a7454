# SPDX-License-Identifier: Apache-2.0
"""The alerts about the archive under a real Airflow: one mail a day, none when all is well."""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from types import ModuleType

import pytest
from airflow.sdk import ObjectStoragePath

from lessonspace_provider.api.times import write_time
from lessonspace_provider.archive.entry import by_session
from lessonspace_provider.archive.health.figures import Run, Schedule
from lessonspace_provider.archive.health.store import update_health
from lessonspace_provider.archive.manifest import Manifest
from lessonspace_provider.archive.windows import Window
from tests.integration.conftest import load_dag
from tests.integration.mailbox import mail_server
from tests.unit.archive.health_kit import an_entry, write_manifest

DAY = timedelta(days=1)


def midnight():
    """The last midnight; the tests may have been collected before it."""
    return datetime.now(timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0)


@pytest.fixture
def mailbox(monkeypatch):
    with mail_server() as mailbox:
        monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", mailbox.connection)
        monkeypatch.setenv("AIRFLOW_VAR_LESSONSPACE_ALERT_ADDRESS", "head@school.example")
        yield mailbox


@pytest.fixture
def archive(tmp_path, monkeypatch):
    monkeypatch.setenv("AIRFLOW_VAR_LESSONSPACE_ARCHIVE", f"file://{tmp_path}")
    return tmp_path


def archived(folder, ago, *entries, has_failed=False):
    """Write the manifest of a night that ended some days ago, as its run would."""
    window = Window(midnight() - (ago + 1) * DAY, midnight() - ago * DAY)
    ended_at = write_time(window.start + timedelta(hours=10))
    write_manifest(folder, Manifest(window, by_session(replace(entry, end_time=ended_at) for entry in entries)))
    ended = Run(write_time(window.end + timedelta(minutes=5)), *map(write_time, window), has_failed)
    update_health(ObjectStoragePath(f"file://{folder}"), run=ended, schedule=Schedule("nightly", DAY.total_seconds()))


def test_when_all_is_well_no_one_hears_of_it(run_dag, xcom, archive, mailbox):
    archived(archive, 1, an_entry(1, 1, "archived"))
    archived(archive, 0, an_entry(0, 1, "archived"), an_entry(0, 2, "pending"), an_entry(0, 3, "not_eligible"))
    run = run_dag(load_dag("archive_alerts"))
    assert run.state == "success"
    assert xcom(run, "report") == 0
    assert mailbox.mails == []


def test_all_that_needs_attention_is_one_mail(run_dag, archive, mailbox):
    archived(archive, 6, an_entry(6, 1, "pending"))
    archived(archive, 1, an_entry(1, 1, "archived"))
    today = write_time(midnight() - DAY)
    archived(archive, 0, an_entry(0, 1, "failed"), an_entry(0, 2, "given_up", changed_by=today), has_failed=True)
    assert run_dag(load_dag("archive_alerts")).state == "success"
    ((address, text),) = mailbox.mails
    assert address == "head@school.example"
    for words in (
        "Failed or not attempted: 1 session (00000000-0000-4000-8000-000000000001",
        "Given up, since no transcript came in time: 1 session (00000000-0000-4000-8000-000000000002",
        "Without a transcript for too long: 1 session (00000000-0000-4000-8000-000006000001",
        "No manifest accounts for 1 gap",
        "airflow backfill create --dag-id nightly",
    ):
        assert words in text
    assert "Ann" not in text


def test_a_night_without_a_run_is_reported(run_dag, archive, mailbox):
    archived(archive, 3, an_entry(3, 1, "archived"))
    run_dag(load_dag("archive_alerts"))
    ((_, text),) = mailbox.mails
    assert "No run of the archive has ended since" in text


def test_an_archive_that_cannot_be_read_is_reported(run_dag, archive, mailbox):
    run_dag(load_dag("archive_alerts"))
    ((_, text),) = mailbox.mails
    assert "There is no" in text
    assert "the next run of the archive writes it" in text


def test_slack_gets_the_message_too(run_dag, archive, monkeypatch):
    """The Slack provider is no dependency of the tests: this is the part of it that is called."""
    sent = []

    class SlackWebhookHook:
        def __init__(self, *, slack_webhook_conn_id):
            self.connection = slack_webhook_conn_id

        def send_text(self, text):
            sent.append((self.connection, text))

    module = ModuleType("slack_webhook")
    module.SlackWebhookHook = SlackWebhookHook
    for name in ("slack", "slack.hooks"):
        monkeypatch.setitem(sys.modules, f"airflow.providers.{name}", ModuleType(name))
    monkeypatch.setitem(sys.modules, "airflow.providers.slack.hooks.slack_webhook", module)
    monkeypatch.setenv("AIRFLOW_VAR_LESSONSPACE_ALERT_SLACK", "slack_of_it")
    archived(archive, 3, an_entry(3, 1, "archived"))
    assert run_dag(load_dag("archive_alerts")).state == "success"
    ((connection, text),) = sent
    assert connection == "slack_of_it"
    assert text.startswith("The archive of transcripts needs attention: 1\n")
