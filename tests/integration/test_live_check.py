# SPDX-License-Identifier: Apache-2.0
"""The live check against the sandbox, as it is and in versions where single assumptions do not hold."""

from __future__ import annotations

import json
import pkgutil
import re
import runpy
import shlex
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from lessonspace_provider.hooks.lessonspace import LessonspaceHook
from lessonspace_provider.live_check import __main__ as live_check
from lessonspace_provider.live_check import account as checked_account
from lessonspace_provider.live_check.assumptions import ASSUMPTIONS
from lessonspace_provider.sandbox.settings import ORGANISATION_ID

AS_SHIPPED = checked_account.REQUESTS_PER_SECOND

ORGANISATION = r"/organisations/\d+"
WRITING = {name for name, assumption in ASSUMPTIONS.items() if assumption.writes}
UNTESTABLE = {name for name, assumption in ASSUMPTIONS.items() if assumption.check.__module__.endswith("untestable")}
PAGE = Path(__file__).parent.parent.parent / "docs" / "explanation" / "assumptions.md"


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(checked_account, "REQUESTS_PER_SECOND", 0.0)
    monkeypatch.setattr("lessonspace_provider.api.retries._backoff", lambda _: 0.0)


def a_connection(sandbox, api_key, **fields):
    extra = {"organisation_id": ORGANISATION_ID, **fields}
    return json.dumps({"conn_type": "lessonspace", "host": sandbox.base_url, "password": api_key, "extra": extra})


@pytest.fixture(autouse=True)
def connection(lessonspace_sandbox, monkeypatch):
    connection = a_connection(lessonspace_sandbox, lessonspace_sandbox.api_key)
    monkeypatch.setenv("AIRFLOW_CONN_LESSONSPACE_DEFAULT", connection)


@pytest.fixture
def control(lessonspace_sandbox):
    """A school where each assumption that can be checked is seen."""
    control = lessonspace_sandbox.control
    now = datetime.now(timezone.utc)
    control.add_session(
        now - timedelta(hours=5), now - timedelta(hours=4), users=["Ann", "Ben"], transcript="ready", summary="Read."
    )
    control.add_session(now - timedelta(hours=3), now - timedelta(hours=2), users=["Ann"])
    control.add_session(now - timedelta(minutes=100), now - timedelta(minutes=96), users=["Ann", "Ben"])
    control.add_session(now - timedelta(minutes=20), users=["Ann", "Ben"])
    return control


def run(capsys, *arguments):
    """Give the exit status, the verdict on each assumption, and all that was printed."""
    status = live_check.main(list(arguments))
    output = capsys.readouterr().out
    lines = re.findall(r"^(holds|does not hold|could not be checked) +([a-z-]+):", output, re.MULTILINE)
    return status, {name: verdict for verdict, name in lines}, output


def verdicts(capsys, *arguments):
    return run(capsys, *arguments)[1]


def test_everything_holds_for_the_sandbox(control, capsys):
    found = verdicts(capsys, "--write")
    assert list(found) == list(ASSUMPTIONS)
    assert {name for name, verdict in found.items() if verdict != "holds"} == UNTESTABLE


def test_without_write_nothing_is_launched(control, capsys):
    found = verdicts(capsys)
    assert {found[name] for name in WRITING} == {"could not be checked"}
    assert {call.method for call in control.calls()} == {"GET"}


def test_write_launches_one_space_and_changes_nothing_else(control, capsys):
    run(capsys, "--write")
    (space,) = {call.path for call in control.calls() if call.method != "GET"}
    assert space == "/v2/spaces/launch/"
    assert len({launch.body["id"] for launch in control.launches()}) == 1


def test_documentation_lists_every_assumption():
    rows = [
        f"| {name} | {a.claim} | {a.source} | {' '.join(f'`{place}`' for place in a.relied_on_in)} |"
        for name, a in sorted(ASSUMPTIONS.items())
    ]
    assert [line for line in PAGE.read_text().splitlines() if "`" in line and line.startswith("|")] == rows


@pytest.mark.parametrize("assumption", ASSUMPTIONS.values(), ids=ASSUMPTIONS)
def test_the_code_that_relies_on_an_assumption_is_there(assumption):
    for place in assumption.relied_on_in:
        assert pkgutil.resolve_name(f"lessonspace_provider.{place}")


#: What to answer in place of the sandbox: path, status, body; and which assumption that breaks.
SESSION = {
    "id": 1,
    "uuid": "5b5f1a2c-3d4e-4f5a-8b9c-0d1e2f3a4b5c",
    "space": {"id": "0d1e2f3a-5b5f-4a2c-8d4e-4f5a8b9c0d1e", "slug": "room-1"},
    "start_time": "2026-11-20T09:00:00Z",
    "end_time": "2026-11-20T10:00:00Z",
    "profiles": [{"user": 1}, {"user": 2}],
    "guests": [],
    "billable_seconds": 3600,
    "record_av": True,
}


def a_list(*sessions, **fields):
    return {"count": len(sessions), "next": None, "previous": None, "results": list(sessions), **fields}


SESSIONS = rf"{ORGANISATION}/sessions/$"
BROKEN = [
    ("hello", "/hello/", 200, {"greeting": "hi"}),
    ("own-organisation", "/my-organisation/", 200, {"organisation": {"id": 1}}),
    ("pages", SESSIONS, 200, [SESSION]),
    ("pages", SESSIONS, 200, a_list(SESSION, next="https://elsewhere.example/v2/x/")),
    ("page-past-end", SESSIONS, 200, a_list()),
    ("page-past-end", SESSIONS, 404, {"detail": "Not found."}),
    ("unknown-filter", SESSIONS, 400, {"detail": "No such filter."}),
    ("uuid-in-urls", rf"{SESSIONS[:-1]}[0-9a-f-]{{36}}/$", 404, {"detail": "Not found."}),
    ("uuid-in-urls", SESSIONS, 200, a_list({"id": 1})),
    ("integer-id", rf"{SESSIONS[:-1]}\d+/$", 200, SESSION),
    ("space-in-session", SESSIONS, 200, a_list({**SESSION, "space": SESSION["space"]["id"]})),
    ("running-has-no-end", SESSIONS, 200, a_list(SESSION)),
    ("end-filter", SESSIONS, 200, a_list(SESSION, {**SESSION, "end_time": None})),
    ("start-filter", SESSIONS, 200, a_list(*({**SESSION, "start_time": f"2026-11-20T0{n}:00:00Z"} for n in range(9)))),
    ("single-user", SESSIONS, 200, a_list({**SESSION, "profiles": [{"user": 1}]})),
    ("several-values", SESSIONS, 200, a_list(SESSION, {**SESSION, "space": {"id": "other", "slug": "b"}})),
    ("slug-names-space", r"/spaces/[^/]+/sessions/$", 404, {"detail": "Not found."}),
    ("logs-in-space-list", r"/spaces/[^/]+/sessions/$", 200, a_list(SESSION)),
    ("logs-in-space-list", r"/spaces/[^/]+/sessions/$", 200, a_list({**SESSION, "logs": [{"profile": "99"}]})),
    ("one-at-a-time", r"/spaces/[^/]+/sessions/$", 200, a_list(SESSION, SESSION)),
    ("half-a-day", SESSIONS, 200, a_list({**SESSION, "end_time": "2026-11-21T10:00:00Z"})),
    ("profile-users", SESSIONS, 200, a_list({**SESSION, "profiles": [{"user": "u-1"}]})),
    ("billable", SESSIONS, 200, a_list({**SESSION, "billable_seconds": "3600"})),
    ("transcript-link", "/transcript/$", 200, {"url": "https://store.example/t.json"}),
    ("summary-in-lists", rf"{SESSIONS[:-1]}[0-9a-f-]{{36}}/$", 200, {**SESSION, "summary": "Another."}),
    ("one-person-no-transcript", "/transcript/$", 200, {"transcriptionUrl": "https://store.example/t.json"}),
    ("short-no-transcript", "/transcript/$", 200, {"transcriptionUrl": "https://store.example/t.json"}),
    ("recording-link", "/playback/$", 200, {"url": "https://store.example/r"}),
    ("space-list", rf"{ORGANISATION}/spaces/$", 200, a_list({"uuid": "x"})),
    ("user-list", rf"{ORGANISATION}/users/$", 200, a_list({"id": "u-1"})),
    ("user-list", rf"{ORGANISATION}/users/$", 200, a_list({"user": {"id": "u-1"}})),
    ("launch-created", "/spaces/launch/$", 200, {"room_id": "room-1", "session_id": SESSION["uuid"]}),
    ("same-room", "/spaces/launch/$", 201, {"session_id": SESSION["uuid"]}),
    ("space-page", "/spaces/launch/$", 201, {"room_id": "room-1", "client_url": "https://join.example/?room=room-1"}),
    ("reserved-session", rf"{SESSIONS[:-1]}[0-9a-f-]{{36}}/$", 200, SESSION),
]


@pytest.mark.parametrize(("name", "path", "status", "body"), BROKEN, ids=[broken[0] for broken in BROKEN])
def test_wrong_assumption_is_reported(control, capsys, name, path, status, body):
    control.inject_fault("status", status=status, body=json.dumps(body), path=path)
    exit_status, found, _ = run(capsys, "--write")
    assert (exit_status, found[name]) == (1, "does not hold")


@pytest.mark.parametrize(("nested", "note"), [(True, r"\d+ users with user.id\)"), (False, "users, 0 of them with")])
def test_shape_of_listed_users_is_reported(control, capsys, nested, note):
    control.reset(nested_users=nested)
    _, found, output = run(capsys)
    assert found["user-list"] == "holds"
    assert re.search(rf"user-list: .*{note}", output)


def test_lists_without_summaries_are_reported(control, capsys):
    now = datetime.now(timezone.utc)
    lesson = {"users": ["Ann", "Ben"], "summary": "Read."}
    control.reset(summaries_in_lists=False, days=0, sessions_per_day=0)
    assert verdicts(capsys)["summary-in-lists"] == "could not be checked"
    control.add_session(now - timedelta(hours=5), now - timedelta(hours=4), **lesson)
    assert verdicts(capsys)["summary-in-lists"] == "does not hold"


@pytest.mark.parametrize("name", ["end-filter", "start-filter"])
def test_filter_that_loses_sessions_is_reported(control, capsys, name):
    moments = [(f"2026-11-20T0{n}:00:00Z", f"2026-11-20T0{n}:50:00Z") for n in range(5)]
    first = a_list(*({**SESSION, "uuid": f"{n}", "start_time": a, "end_time": b} for n, (a, b) in enumerate(moments)))
    control.inject_fault("status", status=200, body=json.dumps(first), path=SESSIONS, count=1)
    some = json.dumps(a_list(first["results"][2]))
    control.inject_fault("status", status=200, body=some, path=SESSIONS)
    assert verdicts(capsys)[name] == "does not hold"


def test_session_that_starts_during_the_check_changes_no_verdict(control, capsys, monkeypatch):
    def ask_then_begin(account, *query):
        answer = ask(account, *query)
        if not query:
            now = datetime.now(timezone.utc)
            control.add_session(now - timedelta(hours=1), now - timedelta(minutes=1), users=["Ann", "Ben"])
        return answer

    ask = checked_account.Account.sessions_with
    monkeypatch.setattr(checked_account.Account, "sessions_with", ask_then_begin)
    assert verdicts(capsys)["unknown-filter"] == "holds"


def test_sessions_without_integer_id_leave_integer_id_unchecked(control, capsys):
    control.inject_fault("status", status=200, body=json.dumps(a_list({"uuid": SESSION["uuid"]})), path=SESSIONS)
    assert verdicts(capsys)["integer-id"] == "could not be checked"


def test_each_assumption_that_is_checked_is_broken_by_a_test():
    assert {broken[0] for broken in BROKEN} | {"transcript-file"} == set(ASSUMPTIONS) - UNTESTABLE


def test_transcript_of_another_shape_is_reported(control, capsys):
    control.inject_fault("status", status=200, body='[{"start": 1, "words": "Hi"}]', target="store")
    assert verdicts(capsys)["transcript-file"] == "does not hold"


def test_account_without_sessions_breaks_no_assumption(lessonspace_sandbox, capsys):
    lessonspace_sandbox.control.reset(sessions_per_day=0)
    status, _, output = run(capsys)
    assert status == 0
    assert "there are no sessions" in output


def test_wrong_key_is_reported_and_nothing_is_checked(lessonspace_sandbox, capsys, monkeypatch):
    wrong = a_connection(lessonspace_sandbox, "00000000-0000-4000-8000-000000000009")
    monkeypatch.setenv("AIRFLOW_CONN_WRONG", wrong)
    status, found, output = run(capsys, "--conn-id", "wrong")
    assert (status, found) == (2, {})
    assert "API key" in output


def test_missing_connection_is_reported(capsys):
    status, found, output = run(capsys, "--conn-id", "missing")
    assert (status, found) == (2, {})
    assert output.startswith("Nothing was checked: there is no connection 'missing'. ")


def test_the_command_that_gives_a_missing_connection_works_as_printed(lessonspace_sandbox, capsys, monkeypatch):
    _, _, output = run(capsys, "--conn-id", "live_school")
    export, command = (shlex.split(line) for line in output.splitlines()[-2:])
    name, _, value = export[1].partition("=")
    assert (export[0], name, command[:3]) == (
        "export",
        "AIRFLOW_CONN_LIVE_SCHOOL",
        ["python", "-m", "lessonspace_provider.live_check"],
    )
    connection = {**json.loads(value), "host": lessonspace_sandbox.base_url}
    assert connection["password"] == "<API key>"
    monkeypatch.setenv(name, json.dumps({**connection, "password": lessonspace_sandbox.api_key}))
    status, found, _ = run(capsys, *command[3:])
    assert status == 0
    assert len(found) == len(ASSUMPTIONS)


@pytest.mark.parametrize("written", ['{"conn_type": ', "{password: x}"])
def test_connection_in_the_environment_that_is_not_json_is_named(capsys, monkeypatch, written):
    monkeypatch.setenv("AIRFLOW_CONN_LIVE_SCHOOL", written)
    status, _, output = run(capsys, "--conn-id", "live_school")
    assert status == 2
    assert "AIRFLOW_CONN_LIVE_SCHOOL is set, but Airflow can't read it: it must be JSON" in output
    assert "password: x" not in output


def test_findings_before_an_interruption_stay(control, capsys, monkeypatch):
    def interrupted(account):
        raise KeyboardInterrupt

    third = list(ASSUMPTIONS)[2]
    monkeypatch.setitem(ASSUMPTIONS, third, replace(ASSUMPTIONS[third], check=interrupted))
    status, found, output = run(capsys, "--write")
    assert (status, set(found.values()), list(found)) == (2, {"holds"}, list(ASSUMPTIONS)[:2])
    assert output.endswith(f"Stopped: 2 of {len(ASSUMPTIONS)} assumptions were checked.\n")


def test_wrong_organisation_id_is_reported_and_nothing_is_checked(lessonspace_sandbox, capsys, monkeypatch):
    connection = a_connection(lessonspace_sandbox, lessonspace_sandbox.api_key, organisation_id=ORGANISATION_ID + 1)
    monkeypatch.setenv("AIRFLOW_CONN_LESSONSPACE_DEFAULT", connection)
    status, found, output = run(capsys)
    assert (status, found) == (2, {})
    assert "check that organisation_id and API key" in output


@pytest.mark.parametrize("status", [403, 429, 503])
def test_failed_request_breaks_no_assumption(control, lessonspace_sandbox, capsys, monkeypatch, status):
    connection = a_connection(lessonspace_sandbox, lessonspace_sandbox.api_key, rate_limit_max_wait=0.1)
    monkeypatch.setenv("AIRFLOW_CONN_LESSONSPACE_DEFAULT", connection)
    control.inject_fault("status", status=status, path=f"({ORGANISATION}/users/|/hello/|/spaces/launch/)$")
    exit_status, found, output = run(capsys, "--write")
    assert exit_status == 0
    unchecked = {"hello", "user-list", *WRITING, *UNTESTABLE}
    assert {name for name, verdict in found.items() if verdict != "holds"} == unchecked
    assert f"status {status}" in output


def test_check_makes_at_most_one_request_a_second(control, monkeypatch):
    monkeypatch.setattr(checked_account, "REQUESTS_PER_SECOND", AS_SHIPPED)
    account = checked_account.Account(LessonspaceHook())
    times = []
    for _ in range(3):
        account.ask("/hello/")
        times.append(control.calls()[-1].arrived)
    # The connection allows 5 a second; a busy machine may let a call arrive a little late, and the next one on time.
    assert all(later - earlier >= 0.6 for earlier, later in zip(times, times[1:]))


def test_a_lower_limit_of_the_connection_is_kept(lessonspace_sandbox, monkeypatch):
    monkeypatch.setattr(checked_account, "REQUESTS_PER_SECOND", AS_SHIPPED)
    for own, kept in [(0.5, 0.5), (5, AS_SHIPPED), (0, AS_SHIPPED)]:
        connection = a_connection(lessonspace_sandbox, lessonspace_sandbox.api_key, rate_limit_per_second=own)
        monkeypatch.setenv("AIRFLOW_CONN_LESSONSPACE_DEFAULT", connection)
        assert checked_account.Account(LessonspaceHook()).hook.settings.rate_limit.per_second == kept


def test_nothing_personal_or_secret_is_printed(control, lessonspace_sandbox, capsys):
    _, _, output = run(capsys, "--write")
    shown = {lessonspace_sandbox.api_key, "Ann", "Ben", "ignature", "http"}
    shown |= {truth.session_id for truth in control.sessions()} | {truth.space_id for truth in control.sessions()}
    for launch in control.launches():
        shown |= {launch.room_id, launch.space_id, launch.session_id}
    assert not [text for text in shown if text in output]


def test_retries_print_nothing_of_sessions(control, capfd, caplog, monkeypatch):
    control.inject_fault("status", status=503, path="/transcript/$", count=2)
    # As a program, the module has another name than it has here.
    with pytest.warns(RuntimeWarning, match=r"found in sys\.modules"):
        program = runpy.run_module("lessonspace_provider.live_check", run_name="program", alter_sys=True)["main"]
    assert program([]) == 0
    assert [call.status for call in control.calls()].count(503) == 2
    output = "".join(capfd.readouterr()) + caplog.text
    assert "holds" in output
    assert not [truth.session_id for truth in control.sessions() if truth.session_id in output]
