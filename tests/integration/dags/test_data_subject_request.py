# SPDX-License-Identifier: Apache-2.0
"""A request to be forgotten under a real Airflow: form, approval, erasure, and the mail with the receipt."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone

import pytest
import sqlalchemy
from airflow.api_fastapi.core_api.routes.public.dag_run import delete_dag_run
from airflow.utils.db_cleanup import run_cleanup
from airflow.utils.session import create_session

from lessonspace_provider.api.ids import user_id_of
from lessonspace_provider.hooks.lessonspace import LessonspaceHook
from tests.integration.archive.runs import END, START, run
from tests.integration.conftest import load_dag
from tests.integration.mailbox import mail_server

pytest.importorskip("airflow.sdk.execution_time.hitl", reason="approvals need Airflow 3.1")

ADDRESS = "privacy@school.example"
PERSON = "Zoë Ångström"


@pytest.fixture
def mailbox(monkeypatch):
    with mail_server() as mailbox:
        monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", mailbox.connection)
        yield mailbox


@pytest.fixture
def archive(lessonspace_connection, lessonspace_sandbox, tmp_path, monkeypatch):
    """An archive in which a person speaks and is spoken of; gives its folder and the form."""
    control = lessonspace_sandbox.control
    control.reset(days=0, sessions_per_day=0)
    people = ["Margaret O'Neill", PERSON, "Finn Müller"]
    control.add_session(
        START, END.replace(microsecond=0) - (END - START) / 60, users=people, transcript="ready", spoken_names=True
    )
    folder = tmp_path / "transcripts"
    run(f"file://{folder}")
    monkeypatch.setenv("AIRFLOW_VAR_LESSONSPACE_ARCHIVE", f"file://{folder}")
    monkeypatch.setenv("AIRFLOW_VAR_LESSONSPACE_PRIVACY_ADDRESS", ADDRESS)
    (user,) = (user for user in LessonspaceHook().list_users() if user["name"] == PERSON)
    form = {"user_ids": [str(user_id_of(user))], "names": [PERSON], "reference": "17"}
    return folder, form


def content(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def holding(folder, form):
    """Give the files that have the person's id or a name."""
    words = [form["user_ids"][0], "zoë", "zoe", "ångström", "angstrom"]
    return [path for path, data in content(folder).items() if any(word in data.decode().lower() for word in words)]


def states(run):
    return {instance.task_id: instance.state for instance in run.get_task_instances()}


def tables_with(*words):
    """Give the tables of Airflow's database that have one of some words in any column."""
    with create_session() as session:
        tables = sqlalchemy.inspect(session.get_bind()).get_table_names()
        every = sqlalchemy.literal_column("*")
        queries = {table: sqlalchemy.select(every).select_from(sqlalchemy.table(table)) for table in tables}
        rows = {table: session.execute(query).all() for table, query in queries.items()}
    return {table for table, found in rows.items() if any(word in str(row) for row in found for word in words)}


def removals(sandbox):
    return sandbox.control.calls(method="DELETE")


@pytest.mark.parametrize("remove_user", [False, True])
def test_approved_the_person_is_erased_and_the_receipt_is_mailed(
    run_dag, archive, mailbox, answer, lessonspace_sandbox, remove_user
):
    folder, form = archive
    assert holding(folder, form)
    asked = answer("Approve")
    run = run_dag(load_dag("data_subject_request"), **form, remove_user=remove_user)
    assert run.state == "success"
    assert holding(folder, form) == []
    assert len(asked) == 1
    assert "request 17" in asked[0]
    assert "| files rewritten | " in asked[0]
    ((address, text),) = mailbox.mails
    assert address == ADDRESS
    (path,) = (path for path in folder.glob("erasures/2*.json"))
    assert json.loads(text[text.index("{") : text.rindex("}") + 1]) == json.loads(path.read_text())
    assert "\nApproved by head.\n" in text
    assert "task erase, triggered by dag_test" in json.loads(path.read_text())["run"]
    for shown in (asked[0], text):
        assert not [word for word in (form["user_ids"][0], "Zoë", "Ångström") if word in shown]
    assert len(removals(lessonspace_sandbox)) == remove_user
    assert states(run)["report_unanswered"] == "skipped"


@pytest.mark.parametrize(("reply", "mails"), [("Reject", 0), (None, 1)])
def test_rejected_or_not_answered_nothing_changes(run_dag, archive, mailbox, answer, lessonspace_sandbox, reply, mails):
    folder, form = archive
    before = content(folder)
    asked = answer(reply)
    run = run_dag(load_dag("data_subject_request"), **form, remove_user=True)
    assert len(asked) == 1
    assert content(folder) == before
    assert removals(lessonspace_sandbox) == []
    assert states(run)["erase"] in ("skipped", "upstream_failed")
    assert (run.state, len(mailbox.mails)) == ("success" if reply else "failed", mails)
    assert all("within 3 days" in text and "Nothing was changed" in text for _, text in mailbox.mails)


def test_a_mail_that_fails_is_sent_by_a_retry_without_another_erasure(run_dag, archive, mailbox, answer):
    folder, form = archive
    mailbox.refusals = 1
    answer("Approve")
    dag = load_dag("data_subject_request")
    dag.get_task("mail_receipt").retry_delay *= 0
    assert run_dag(dag, **form).state == "success"
    assert len(mailbox.mails) == len(list(folder.glob("erasures/2*.json"))) == 1


def test_a_person_who_is_not_in_the_archive_is_reported_before_the_approval(run_dag, archive, mailbox, answer):
    asked = answer("Reject")
    run_dag(load_dag("data_subject_request"), user_ids=["999999"], names=[], reference="18")
    assert "Nothing was found in the archive" in asked[0]
    assert "- no name of the user ids is known" in asked[0]
    assert "user_ids[0]" in asked[0]


@pytest.mark.parametrize("wrong", [{"user_ids": ["Ben"]}, {"reference": ""}, {"mode": "forget"}, {"reference": "<b>"}])
def test_a_form_that_is_wrong_starts_nothing(run_dag, archive, wrong):
    _, form = archive
    with pytest.raises(ValueError, match=next(iter(wrong))):
        run_dag(load_dag("data_subject_request"), **{**form, **wrong})


@pytest.mark.parametrize("way", ["run deleted", "db clean"])
def test_airflow_keeps_the_form_with_its_run_and_forgets_it_with_it(run_dag, archive, mailbox, answer, way):
    _, form = archive
    answer("Approve")
    run = run_dag(load_dag("data_subject_request"), **form, remove_user=True)
    person = (*form["user_ids"], PERSON, "\\u00c5ngstr")
    assert tables_with(*person) >= {"dag_run"}
    assert tables_with(*person) <= {"dag_run", "xcom", "rendered_task_instance_fields", "task_map"}
    assert tables_with(PERSON, "\\u00c5ngstr") == {"dag_run"}
    with create_session() as session:
        if way == "run deleted":
            delete_dag_run("data_subject_request", run.run_id, session)
        else:
            before = datetime.now(timezone.utc) + timedelta(hours=1)
            run_cleanup(
                clean_before_timestamp=before,
                dag_ids=["data_subject_request"],
                skip_archive=True,
                confirm=False,
                session=session,
            )
    assert tables_with(*person) == set()
