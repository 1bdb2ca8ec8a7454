# SPDX-License-Identifier: Apache-2.0
"""
### Alerts about the archive

Every morning: one message if something in the archive of transcripts needs attention, and none if all is well. It
reports

- a night that failed, or that no run has archived;
- a gap, with the command that fills it;
- transcripts that were given up since the day before;
- transcripts that are pending for more than two days.

The message has ids of sessions, and no names of people. The DAG reads one small file, `health.json`, and sends no
request to Lessonspace.

Airflow Variables:

- `lessonspace_archive`: the archive's folder, as `nightly_transcript_archive` has it.
- `lessonspace_alert_address`, optional: the address for the message, sent through the connection `smtp_default`.
- `lessonspace_alert_slack`, optional: the id of a connection of type Slack Incoming Webhook; needs
  `apache-airflow-providers-slack`.

Without both, the message is in the task's log only.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from html import escape
from zoneinfo import ZoneInfo

from airflow.sdk import DAG, Variable, task
from airflow.timetables.trigger import CronTriggerTimetable

from lessonspace_provider.archive import problems_of, read_health
from lessonspace_provider.exceptions import LessonspaceError

SCHOOL_TIME = "Europe/London"
SMTP_CONNECTION = "smtp_default"

#: How long after a session's end its pending transcript is reported, and the time between two messages.
PENDING_AFTER, ONE_DAY = timedelta(days=2), timedelta(days=1)


def find_problems(archive: str) -> list[str]:
    """Find what needs attention: a sentence each, the worst first."""
    try:
        health = read_health(archive)
    except LessonspaceError as error:  # no run has written it, or its store refuses
        return [str(error)]
    return [str(problem) for problem in problems_of(health, pending_after=PENDING_AFTER, given_up_within=ONE_DAY)]


def send(subject: str, text: str) -> None:
    """Send a message to the address and the channel in the Variables."""
    if address := Variable.get("lessonspace_alert_address", default=""):
        send_mail(address, subject, text)
    if connection := Variable.get("lessonspace_alert_slack", default=""):
        from airflow.providers.slack.hooks.slack_webhook import SlackWebhookHook

        SlackWebhookHook(slack_webhook_conn_id=connection).send_text(f"{subject}\n{text}")


def send_mail(address: str, subject: str, text: str) -> None:
    """Send a mail through Airflow's SMTP connection, from the address that it names."""
    from airflow.providers.smtp.hooks.smtp import SmtpHook

    with SmtpHook(SMTP_CONNECTION) as smtp:
        smtp.send_email_smtp(to=address, subject=subject, html_content=escape(text).replace("\n", "<br>\n"))


with DAG(
    "archive_alerts",
    schedule=CronTriggerTimetable("0 7 * * *", timezone=SCHOOL_TIME),
    start_date=datetime(2026, 1, 1, tzinfo=ZoneInfo(SCHOOL_TIME)),
    catchup=False,
    max_active_runs=1,
    default_args={"owner": "data-team", "retries": 2, "retry_delay": timedelta(minutes=10)},
    doc_md=__doc__,
    tags=["lessonspace", "transcripts"],
) as dag:

    @task
    def report() -> int:
        """Send one message for all that was found, and give the number of its sentences."""
        archive = Variable.get("lessonspace_archive")
        problems = find_problems(archive)
        for problem in problems:
            print(problem)
        if problems:
            send(f"The archive of transcripts needs attention: {len(problems)}", "\n\n".join([archive, *problems]))
        return len(problems)

    report()
