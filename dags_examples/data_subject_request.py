# SPDX-License-Identifier: Apache-2.0
"""
### Data subject request

Erases a person from the archive of transcripts, after a person has approved it in Airflow (*Required actions*). Trigger
the DAG by hand and fill in the form. The DAG

1. searches the archive, and changes nothing;
2. shows the figures for approval;
3. erases, and mails the receipt;
4. removes the user from the organisation at Lessonspace, if the form asks for it.

Rejected, nothing is changed. Not answered within three days, nothing is changed either: the run fails, and a mail
reports it. There is no way back from an approval. To complete an erasure that was interrupted, clear its task.

Airflow Variables:

- `lessonspace_archive`: the archive's folder, such as `s3://aws_default@my-bucket/transcripts`.
- `lessonspace_privacy_address`: where receipts are mailed to, through the connection `smtp_default`.

The receipt has no names and no ids of the person. The form's entries are stored in the run's configuration and in the
audit log: delete the run when the request is closed, and clean the audit log. Lessonspace itself, versions of objects
and backups are not reached; see the page *Data inventory* of the documentation. Needs Airflow 3.1.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta, timezone
from html import escape
from typing import Any

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import DAG, ObjectStoragePath, Param, Variable, get_current_context, task

from lessonspace_provider.operators.archive import LessonspaceEraseOperator
from lessonspace_provider.operators.users import LessonspaceRemoveUserOperator

SMTP_CONNECTION = "smtp_default"
TIME_TO_ANSWER = timedelta(days=3)

FORM = {
    "user_ids": Param(
        [],
        type="array",
        items={"type": "string", "pattern": "^[0-9]{1,18}$"},
        title="Lessonspace user ids",
        description="One in each line: the integers that launches return as user_id.",
    ),
    "names": Param(
        [],
        type="array",
        items={"type": "string", "minLength": 1, "maxLength": 200},
        title="Names",
        description="One in each line, as they are written and spoken: full name, nicknames, diminutives.",
    ),
    "mode": Param(
        "redact",
        enum=["redact", "delete"],
        title="What happens to lessons with the person",
        description="redact: a label replaces the person. delete: the transcripts of these lessons are deleted.",
    ),
    "for_future": Param(True, type="boolean", title="Also in lessons that are not archived yet"),
    "remove_user": Param(False, type="boolean", title="Remove the user ids from the organisation at Lessonspace"),
    "reference": Param(
        type="string",
        pattern=r"^[\w.\-/# ]{1,80}$",
        title="Reference of the request",
        description="Such as a ticket's number, for the receipt. No name and no user id.",
    ),
}

FIGURES = """
{% set found = ti.xcom_pull(task_ids='search') %}
{% if found.status == 'nothing_found' %}**Nothing was found in the archive.**{% endif %}

| | |
|---|---|
{% for figure, number in found.counts.items() %}| {{ figure.replace('_', ' ') }} | {{ number }} |
{% endfor %}
Mode: {{ params.mode }}. In future lessons too: {{ params.for_future }}.
User ids to remove from Lessonspace: {{ params.user_ids | length if params.remove_user else 0 }}.
{% if found.not_found %}Found nowhere: {{ found.not_found | join(', ') }}.{% endif %}
{% for note in found.notes %}
- {{ note }}
{% endfor %}
"""


def send_mail(subject: str, text: str) -> None:
    """Mail a text to the address of the Variable."""
    from airflow.providers.smtp.hooks.smtp import SmtpHook

    address = Variable.get("lessonspace_privacy_address")
    with SmtpHook(SMTP_CONNECTION) as smtp:
        smtp.send_email_smtp(to=address, subject=subject, html_content=f"<pre>{escape(text)}</pre>")


with DAG(
    "data_subject_request",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    max_active_runs=1,
    params=FORM,
    render_template_as_native_obj=True,
    default_args={"owner": "data-team"},
    doc_md=__doc__,
    tags=["lessonspace", "privacy"],
) as dag:
    request: dict[str, Any] = {
        "destination": "{{ var.value.lessonspace_archive }}",
        "user_ids": "{{ params.user_ids }}",
        "names": "{{ params.names }}",
        "mode": "{{ params.mode }}",
        "for_future": "{{ params.for_future }}",
        "reference": "request {{ params.reference }}",
    }
    search = LessonspaceEraseOperator(task_id="search", dry_run=True, **request)
    approve = ApprovalOperator(
        task_id="approve",
        subject="Erase a person from the archive, for request {{ params.reference }}?",
        body=FIGURES,
        response_timeout=TIME_TO_ANSWER,
    )
    erase = LessonspaceEraseOperator(task_id="erase", retries=3, retry_delay=timedelta(minutes=10), **request)

    @task(retries=3, retry_delay=timedelta(minutes=10))
    def mail_receipt(result: dict[str, Any], approval: dict[str, Any]) -> None:
        """Mail the receipt as it was filed, which has no names, and who approved it."""
        approver = (approval.get("responded_by_user") or {}).get("name", "an unknown user")
        receipt = ObjectStoragePath(result["receipt"]).read_text(encoding="utf-8")
        reference = get_current_context()["params"]["reference"]
        text = f"{result['receipt']}\nApproved by {approver}.\n\n{receipt}"
        send_mail(f"Erasure for request {reference}: {result['status']}", text)

    @task(trigger_rule="all_failed", retries=3, retry_delay=timedelta(minutes=10))
    def report_unanswered() -> None:
        """Report that no answer came in time."""
        reference = get_current_context()["params"]["reference"]
        text = (
            f"Request {reference} was neither approved nor rejected within {TIME_TO_ANSWER}. Nothing was changed. "
            f"Trigger the DAG data_subject_request again."
        )
        logging.getLogger(__name__).warning("%s", text)
        send_mail(f"Nothing was erased for request {reference}", text)

    @task
    def users_to_remove() -> list[int]:
        """Give the ids to remove from the organisation: none, unless the form asks for it."""
        params = get_current_context()["params"]
        return [int(user_id) for user_id in params["user_ids"]] if params["remove_user"] else []

    remove = LessonspaceRemoveUserOperator.partial(
        task_id="remove", retries=3, retry_delay=timedelta(minutes=10)
    ).expand(user_id=users_to_remove())
    search >> approve >> [erase, report_unanswered()]
    erase >> dag.get_task("users_to_remove") >> remove
    mail_receipt(erase.output, approve.output)
