# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import re
import shlex
import threading
from contextlib import nullcontext
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest
from airflow.cli.cli_parser import get_parser
from airflow.providers.common.compat.sdk import AirflowSkipException
from airflow.sdk import DAG, Asset, ObjectStoragePath
from airflow.timetables.interval import CronDataIntervalTimetable

from lessonspace_provider.archive_windows import Window, manifest_name
from lessonspace_provider.exceptions import (
    LessonspaceError,
    LessonspaceInputError,
    LessonspaceNotFoundError,
    LessonspaceServerError,
    LessonspaceTranscriptNotReady,
)
from lessonspace_provider.operators.transcripts import (
    LessonspaceArchiveTranscriptsOperator,
    LessonspaceGetTranscriptOperator,
)

NOW = datetime.now(timezone.utc).replace(microsecond=0)
START, END = NOW - timedelta(days=1), NOW
SEGMENTS = [{"start_time": 1.0, "end_time": 2.0, "user": {"id": 1, "name": "Ann"}, "text": "Hi"}]


def a_session(number, *, end=NOW - timedelta(hours=2), **fields):
    return {
        "uuid": f"00000000-0000-4000-8000-{number:012d}",
        "name": f"Lesson {number}",
        "start_time": (end - timedelta(hours=1)).isoformat(),
        "end_time": end.isoformat(),
        "profiles": [{"user": 1}, {"user": 2}],
        **fields,
    }


class Hook:
    """Stands in for the hook: sessions to list, and per session its transcript or an error."""

    def __init__(self, sessions, transcripts):
        self.sessions = sessions
        self.transcripts = transcripts
        self.asked = []
        self.fetched = []

    def list_sessions(self, **filters):
        self.asked.append(filters)
        return iter(self.sessions)

    def server_time(self):
        return datetime.now(timezone.utc)

    def get_session(self, session_id):
        for session in self.sessions:
            if session["uuid"] == session_id:
                return session
        raise LessonspaceNotFoundError("no such session", status=404)

    def open_transcript(self, session_id):
        self.fetched.append(session_id)
        outcome = self.transcripts.get(session_id, SEGMENTS)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


def archiver(tmp_path, sessions, transcripts=None, **parameters):
    operator = LessonspaceArchiveTranscriptsOperator(
        task_id="archive",
        **{"destination": f"file://{tmp_path}", "window_start": START, "window_end": END, **parameters},
    )
    operator.hook = Hook(sessions, transcripts or {})
    return operator


def manifest_of(tmp_path):
    (path,) = (tmp_path / "manifests").iterdir()
    return json.loads(path.read_text())


def make_due(tmp_path):
    """Let the next look at all that is pending be now."""
    for path in tmp_path.glob("manifests/*"):
        account = json.loads(path.read_text())
        path.write_text(json.dumps({**account, "sessions": [{**e, "next_look": None} for e in account["sessions"]]}))


def test_every_session_of_the_window_is_accounted_for(tmp_path):
    old = NOW - timedelta(days=30)
    sessions = [
        a_session(1),
        a_session(2, profiles=[{"user": 1}]),
        a_session(3),
        a_session(4, end=old),
    ]
    operator = archiver(
        tmp_path,
        sessions,
        {
            sessions[2]["uuid"]: LessonspaceTranscriptNotReady("no transcript", status=404),
            sessions[3]["uuid"]: LessonspaceTranscriptNotReady("no transcript", status=404),
        },
        window_start=old - timedelta(days=1),
    )
    result = operator.execute({})
    assert result["counts"] == {
        "archived": 1,
        "not_eligible": 1,
        "pending": 1,
        "given_up": 1,
        "failed": 0,
        "not_attempted": 0,
    }
    entries = {entry["session_id"]: entry for entry in manifest_of(tmp_path)["sessions"]}
    assert {number: entries[session["uuid"]]["status"] for number, session in enumerate(sessions, 1)} == {
        1: "archived",
        2: "not_eligible",
        3: "pending",
        4: "given_up",
    }
    assert entries[sessions[0]["uuid"]]["segments"] == 1
    assert ObjectStoragePath(result["manifest"]).exists()


def test_the_files_lie_where_the_manifest_says_with_what_it_says(tmp_path):
    import hashlib

    archiver(tmp_path, [a_session(1)]).execute({})
    (entry,) = manifest_of(tmp_path)["sessions"]
    assert [file["format"] for file in entry["files"]] == ["json", "txt"]
    for file in entry["files"]:
        data = (tmp_path / file["path"]).read_bytes()
        assert (file["size"], file["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())


def test_only_sessions_that_ended_in_the_half_open_window_are_taken_and_each_once(tmp_path):
    sessions = [a_session(1, end=END), a_session(2, end=START), a_session(2, end=START)]
    sessions.append({**a_session(3), "end_time": None})
    operator = archiver(tmp_path, sessions)
    operator.execute({})
    assert operator.hook.fetched == [sessions[1]["uuid"]]
    for asked in operator.hook.asked:
        assert asked["end_time_before"] > END
        assert asked["include_single_user"] is True
    assert operator.hook.asked[0]["end_time_after"] < START


def test_of_a_window_that_has_just_ended_what_ended_lately_is_listed_again(tmp_path):
    now = datetime.now(timezone.utc)
    operator = archiver(tmp_path, [], window_start=now - timedelta(days=1), window_end=now)
    operator.execute({})
    _, again = operator.hook.asked
    assert now - timedelta(minutes=11) < again["end_time_after"] < now - timedelta(minutes=9)


def test_an_old_window_is_listed_once(tmp_path):
    now = datetime.now(timezone.utc)
    window_end = now - timedelta(minutes=15)
    operator = archiver(tmp_path, [], window_start=now - timedelta(days=1), window_end=window_end)
    operator.execute({})
    assert len(operator.hook.asked) == 1


def test_a_long_session_that_ends_while_the_list_is_read_is_taken_though_later_ones_stand_before_it(tmp_path):
    newest_first = [a_session(number, end=END - timedelta(minutes=number)) for number in (1, 2, 3)]
    operator = archiver(tmp_path, newest_first)
    lists = iter([[newest_first[0], newest_first[2]], newest_first])
    operator.hook.list_sessions = lambda **filters: iter(next(lists))
    operator.execute({})
    assert len(manifest_of(tmp_path)["sessions"]) == 3


def test_a_session_that_was_listed_too_late_is_taken_up_by_the_next_run_in_its_own_window(tmp_path):
    noon = START + timedelta(hours=12)
    first, late, last = (
        a_session(number, end=noon - timedelta(minutes=end)) for number, end in ((1, 3), (2, 1), (3, -5))
    )
    archiver(tmp_path, [first], window_end=noon).execute({})
    operator = archiver(tmp_path, [last, late, first, late], window_start=noon)
    operator.execute({})
    accounts = [json.loads(path.read_text())["sessions"] for path in sorted((tmp_path / "manifests").iterdir())]
    assert [[entry["session_id"] for entry in sessions] for sessions in accounts] == [
        [first["uuid"], late["uuid"]],
        [last["uuid"]],
    ]
    assert sorted(operator.hook.fetched) == [late["uuid"], last["uuid"]]


class OutletEvents(dict):
    """Airflow's accessor, which takes an asset although Airflow 3.0 can't hash one."""

    def __getitem__(self, asset):
        return super().__getitem__(asset.name)


def test_a_dry_run_tells_its_outlets_the_counts_and_names_the_earlier_manifests_that_wait(tmp_path):
    noon, asset = START + timedelta(hours=12), Asset("transcripts")
    pending, late, last = (
        a_session(number, end=noon - timedelta(minutes=end)) for number, end in ((1, 3), (2, 1), (3, -5))
    )
    missing = {pending["uuid"]: LessonspaceTranscriptNotReady("no transcript", status=404)}
    archiver(tmp_path, [pending], missing, window_end=noon).execute({})
    make_due(tmp_path)
    there = sorted(tmp_path.rglob("*"))
    events = OutletEvents(transcripts=SimpleNamespace(extra=None))
    operator = archiver(tmp_path, [last, late, pending], window_start=noon, dry_run=True, outlets=[asset])
    result = operator.execute({"outlet_events": events})
    assert result["counts"]["pending"] == 1
    assert result["manifest"] is None
    assert events[asset].extra == result
    assert len(result["updated_manifests"]) == 1
    assert operator.hook.fetched == []
    assert sorted(tmp_path.rglob("*")) == there


def warnings_of(operator, monkeypatch, **context):
    warned = []
    monkeypatch.setattr(operator.log, "warning", lambda message, *said: warned.append(message % said))
    operator.execute(context)
    return [line for line in warned if "Task Runner" not in line]


def test_nights_that_were_skipped_are_warned_of_with_the_command_that_archives_them(tmp_path, monkeypatch):
    nights = [END - timedelta(days=day) for day in (5, 4, 1, 0)]
    for start, end, is_told in ((0, 1, False), (2, 3, True), (1, 2, False), (2, 3, False)):
        for dry_run in (True, False):
            with DAG("nightly", schedule=None):
                operator = archiver(tmp_path, [], window_start=None, window_end=None, dry_run=dry_run)
            interval = {"data_interval_start": nights[start], "data_interval_end": nights[end]}
            warned = warnings_of(operator, monkeypatch, **interval)
            assert len(warned) == (is_told and not dry_run)
            for line in warned:
                assert f"from {nights[1].isoformat()} to {nights[2].isoformat()}" in line
                command = shlex.split(line.partition("archive it: airflow ")[2])
                arguments = get_parser().parse_args(command)
                assert (arguments.dag_id, arguments.from_date) == ("nightly", nights[1] - timedelta(days=1))


def archive_intervals(tmp_path, *intervals):
    for start, end in intervals:
        archiver(tmp_path, [], window_start=start, window_end=end).execute({})


def test_every_gap_since_the_archive_began_is_warned_of_until_it_is_filled(tmp_path, monkeypatch):
    nights = [END - timedelta(days=day) for day in range(20, -1, -1)]
    archive_intervals(tmp_path, *((nights[day], nights[day + 1]) for day in (0, 2, 4)))
    for _ in range(2):
        warned = warnings_of(archiver(tmp_path, [], window_start=nights[6], window_end=nights[7]), monkeypatch)
        assert [line.count(f"from {nights[day].isoformat()} to") for line, day in zip(warned, (1, 3, 5))] == [1, 1, 1]
    archive_intervals(tmp_path, (nights[3], nights[4]))
    warned = warnings_of(archiver(tmp_path, [], window_start=nights[6], window_end=nights[7]), monkeypatch)
    assert len(warned) == 2
    archive_intervals(tmp_path, *((nights[day], nights[day + 1]) for day in (8, 10, 12, 14)))
    warned = warnings_of(archiver(tmp_path, [], window_start=nights[16], window_end=nights[17]), monkeypatch)
    assert len(warned) == 6
    assert f"2 earlier gaps, the first from {nights[1].isoformat()}" in warned[-1]


def on_the_day_the_clocks_skip(zone, hour):
    with DAG("nightly", schedule=CronDataIntervalTimetable(f"30 {hour} * * *", timezone=zone)) as dag:
        pass
    moment = datetime(2027, 3, 28, 1, 30, tzinfo=timezone.utc)
    return {"dag": dag, "data_interval_start": moment, "data_interval_end": moment}


@pytest.mark.parametrize(
    ("archived_until", "advice"),
    [
        (None, "window_start=2027-03-27T01:30:00Z and window_end=2027-03-28T01:30:00Z"),
        ((2027, 3, 27, 22), "window_start=2027-03-27T22:00:00Z and window_end=2027-03-28T01:30:00Z"),
        ((2027, 3, 28, 1, 30), "give the window that starts at 2027-03-28T01:30:00Z"),
    ],
)
def test_a_manual_run_on_a_day_that_the_clocks_skip_is_told_which_window_to_give(tmp_path, archived_until, advice):
    if archived_until:
        end = datetime(*archived_until, tzinfo=timezone.utc)
        (tmp_path / "manifests").mkdir()
        (tmp_path / "manifests" / manifest_name(Window(end - timedelta(hours=20), end))).touch()
    operator = archiver(tmp_path, [], window_start=None, window_end=None)
    with pytest.raises(LessonspaceInputError, match="clocks of Europe/London change then") as told:
        operator.execute(on_the_day_the_clocks_skip("Europe/London", 1))
    assert advice in str(told.value)
    assert operator.hook.asked == []


def test_an_empty_interval_on_any_other_day_is_told_of_the_timetable(tmp_path):
    operator = archiver(tmp_path, [], window_start=None, window_end=None)
    with pytest.raises(LessonspaceInputError, match="use a CronDataIntervalTimetable"):
        operator.execute(on_the_day_the_clocks_skip("UTC", 1))


@pytest.mark.parametrize("given", [True, False])
def test_the_window_is_logged(tmp_path, monkeypatch, given):
    window = {} if given else {"window_start": None, "window_end": None}
    operator, lines = archiver(tmp_path, [], **window), []
    monkeypatch.setattr(operator.log, "info", lambda message, *said: lines.append(message % said))
    operator.execute({"data_interval_start": START, "data_interval_end": END})
    bounds = [f"{bound:%Y-%m-%dT%H:%M:%SZ}" for bound in (START, END)]
    assert f"Archiving sessions that ended from {bounds[0]} until {bounds[1]}" in lines


def test_a_gap_between_windows_that_are_no_data_intervals_is_told_with_what_to_run(tmp_path, monkeypatch):
    archiver(tmp_path, [], window_start=START - timedelta(days=2), window_end=START - timedelta(days=1)).execute({})
    for interval in ({}, {"data_interval_start": END, "data_interval_end": END}):
        (line,) = warnings_of(archiver(tmp_path, []), monkeypatch, **interval)
        assert "run this task with window_start and window_end for that time" in line
        assert "backfill" not in line


def test_manifests_that_can_not_be_listed_are_told_once_and_no_gap(tmp_path, monkeypatch):
    def refuses(_):
        raise PermissionError("no listing")

    monkeypatch.setattr("lessonspace_provider.manifest_store.fingerprints_in", refuses)
    operator, warned = archiver(tmp_path, []), []
    monkeypatch.setattr(operator.log, "warning", lambda message, *said: warned.append(message % said))
    with pytest.raises(LessonspaceError, match="no listing") as told:
        operator.execute({})
    assert str(told.value).count("no listing") == 1
    assert not [line for line in warned if "No manifest" in line]


def test_what_became_of_earlier_windows_is_in_the_result_and_in_the_event_of_one_run(tmp_path):
    noon, asset = START + timedelta(hours=12), Asset("transcripts")
    not_there = LessonspaceTranscriptNotReady("no transcript", status=404)
    ends = {1: 3, 2: 2, 3: 1}
    came, given_up, late = (a_session(number, end=noon - timedelta(minutes=end)) for number, end in ends.items())
    archiver(
        tmp_path, [came, given_up], {came["uuid"]: not_there, given_up["uuid"]: not_there}, window_end=noon
    ).execute({})
    make_due(tmp_path)
    changes = []
    for window, is_faulty in ((noon, True), (noon, False), (END - timedelta(minutes=2), False)):
        sessions = [late, a_session(4, end=END - timedelta(minutes=1))]
        missing = {given_up["uuid"]: not_there, **({sessions[1]["uuid"]: OSError("disk full")} if is_faulty else {})}
        parameters = {"window_start": window, "give_up_after": 60, "outlets": [asset]}
        events = OutletEvents(transcripts=SimpleNamespace(extra=None))
        with pytest.raises(LessonspaceError, match="disk full") if is_faulty else nullcontext():
            archiver(tmp_path, sessions, missing, **parameters).execute({"outlet_events": events})
        earlier = events[asset].extra["earlier"]
        changes.append({status: number for status, number in earlier.items() if number})
        assert len(events[asset].extra["updated_manifests"]) == bool(changes[-1])
        json.dumps(events[asset].extra)
    assert changes == [{"archived": 2, "given_up": 1}, {"archived": 2, "given_up": 1}, {}]


def test_transcripts_that_can_never_come_are_not_asked_for(tmp_path):
    operator = archiver(tmp_path, [a_session(1, profiles=[{"user": 1}]), a_session(2, record_av=False)])
    operator.execute({})
    assert operator.hook.fetched == []


@pytest.mark.parametrize("error", [LessonspaceServerError("broken JSON"), OSError("disk full")])
def test_one_bad_session_stops_no_other_and_is_named_at_the_end(tmp_path, error):
    sessions = [a_session(1), a_session(2), a_session(3)]
    operator = archiver(tmp_path, sessions, {sessions[1]["uuid"]: error})
    with pytest.raises(LessonspaceError) as caught:
        operator.execute({})
    first_line = str(caught.value).splitlines()[0]
    assert "1 session(s) failed" in first_line
    assert sessions[1]["uuid"] in first_line
    assert str(error) in first_line
    assert manifest_of(tmp_path)["counts"]["archived"] == 2


def test_an_earlier_manifest_that_can_not_be_read_hides_no_failure_and_keeps_nothing_from_the_outlets(tmp_path):
    noon, asset = START + timedelta(hours=12), Asset("transcripts")
    archiver(tmp_path, [], window_end=noon).execute({})
    (path,) = (tmp_path / "manifests").iterdir()
    path.write_text("{")
    events = OutletEvents(transcripts=SimpleNamespace(extra=None))
    error = LessonspaceServerError("503 for ever")
    operator = archiver(tmp_path, [a_session(1)], {a_session(1)["uuid"]: error}, window_start=noon, outlets=[asset])
    with pytest.raises(LessonspaceError) as caught:
        operator.execute({"outlet_events": events})
    failures, problem = str(caught.value).splitlines()
    assert f"{a_session(1)['uuid']}: 503 for ever" in failures
    assert path.name in problem
    assert events[asset].extra["counts"]["failed"] == 1


def test_what_is_wrong_with_earlier_windows_is_told_once(tmp_path, monkeypatch):
    noon, warned = START + timedelta(hours=12), []
    archiver(tmp_path, [], window_end=noon).execute({})
    (path,) = (tmp_path / "manifests").iterdir()
    path.write_text("{")
    for dry_run in (False, True):
        operator = archiver(tmp_path, [], window_start=noon, dry_run=dry_run)
        monkeypatch.setattr(operator.log, "warning", lambda *said: warned.extend(said[1:]))
        with nullcontext() if dry_run else pytest.raises(LessonspaceError, match=path.name):
            operator.execute({})
        assert len(warned) == dry_run
    assert path.name in warned[0]


def test_of_many_failures_twenty_are_named(tmp_path):
    sessions = [a_session(number) for number in range(23)]
    operator = archiver(tmp_path, sessions, {session["uuid"]: OSError("disk full") for session in sessions})
    with pytest.raises(LessonspaceError, match=r"^23 session.*and 3 more, see the manifest$") as caught:
        operator.execute({})
    assert str(caught.value).count("disk full") == 20


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"window_start": datetime(2026, 1, 1)}, "window_start"),
        ({"window_start": "2026-01-01"}, "window_start"),
        ({"window_start": END, "window_end": END}, "CronDataIntervalTimetable"),
        ({"formats": ["docx"]}, "formats"),
        ({"give_up_after": 0}, "give_up_after"),
        ({"filters": {"end_time_after": END}}, "end_time_after"),
        ({"filters": ["tags"]}, "filters was refused: .*a mapping"),
        ({"filters": "tags"}, "filters was refused: .*a mapping"),
        ({"filters": {1: "x"}}, "filters was refused: .*a mapping"),
        ({"destination": ""}, "destination="),
        ({"destination": "transcripts"}, "absolute folder"),
        ({"destination": None}, "destination="),
        ({"destination": "file://transcripts"}, "absolute folder"),
        ({"filters": ["search"]}, "filters was refused"),
        ({"filters": {"self": 1}}, "Unknown filter 'self'"),
        ({"filters": {"space_id": 1}, "space_id": "maths"}, "Unknown filter 'space_id'"),
        ({"dry_run": "no"}, "dry_run='no'"),
        ({"redact_speakers": None}, "redact_speakers=None"),
    ],
)
def test_bad_parameters_are_refused_before_any_request(tmp_path, parameters, message):
    operator = archiver(tmp_path, [a_session(1)], **parameters)
    with pytest.raises(LessonspaceInputError, match=message):
        operator.execute({})
    assert operator.hook.asked == []
    assert list(tmp_path.iterdir()) == []


def test_further_filters_reach_the_list(tmp_path):
    operator = archiver(tmp_path, [], filters={"tags": {"subject": "maths"}})
    operator.execute({})
    assert operator.hook.asked[0]["tags"] == {"subject": "maths"}


def test_redaction_single_users_and_the_time_to_wait_are_handed_on(tmp_path):
    old = a_session(2, end=NOW - timedelta(hours=3))
    missing = {old["uuid"]: LessonspaceTranscriptNotReady("no transcript", status=404)}
    parameters = {"redact_speakers": True, "include_single_user": False, "give_up_after": timedelta(hours=2)}
    operator = archiver(tmp_path, [a_session(1), old], missing, **parameters)
    assert operator.execute({})["counts"]["given_up"] == 1
    assert {asked["include_single_user"] for asked in operator.hook.asked} == {False}
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*.txt"))
    assert written == b"[00:00:01] Speaker 1: Hi\n"


def days_in_berlin(first, count):
    """Give the midnights there, one more than days, as a DAG's templates render them."""
    midnights = [datetime(*first, tzinfo=ZoneInfo("Europe/Berlin")) + timedelta(days=day) for day in range(count + 1)]
    return [midnight.isoformat() for midnight in midnights]


@pytest.mark.parametrize("first", [(2025, 10, 25), (2026, 3, 28)], ids=["clocks go back", "clocks go forward"])
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)], ids=["in order", "backfilled out of order"])
def test_over_a_change_of_the_clocks_every_session_belongs_to_exactly_one_of_the_days(tmp_path, first, order):
    bounds = days_in_berlin(first, 3)
    moments = [datetime.fromisoformat(bound).astimezone(timezone.utc) for bound in bounds]
    assert {end - start for start, end in zip(moments, moments[1:])} > {timedelta(days=1)}, (
        "one day is of another length"
    )
    hours = int((moments[-1] - moments[0]) / timedelta(hours=1))
    ends = [moments[0] + timedelta(hours=hour) for hour in range(-1, hours + 1)]
    sessions = [a_session(number, end=end) for number, end in enumerate(ends)]
    for day in order:
        archiver(tmp_path, sessions, window_start=bounds[day], window_end=bounds[day + 1]).execute({})
    accounts = [json.loads(path.read_text()) for path in sorted((tmp_path / "manifests").iterdir())]
    assert len(accounts) == 3
    assert [entry["session_id"] for account in accounts for entry in account["sessions"]] == [
        session["uuid"] for session, end in zip(sessions, ends) if moments[0] <= end < moments[-1]
    ]
    assert all(account["counts"]["archived"] == len(account["sessions"]) for account in accounts)


def test_windows_that_are_backfilled_out_of_order_take_up_only_what_earlier_ones_wait_for(tmp_path):
    bounds = [NOW - timedelta(days=3 - day) for day in range(4)]
    sessions = [a_session(day, end=bounds[day] + timedelta(hours=1)) for day in range(3)]
    missing = {session["uuid"]: LessonspaceTranscriptNotReady("no transcript", status=404) for session in sessions}
    updated = []
    for day in (2, 0, 1):
        window = {"window_start": bounds[day], "window_end": bounds[day + 1]}
        make_due(tmp_path)
        updated.append(archiver(tmp_path, sessions, missing, **window).execute({})["updated_manifests"])
    assert [len(manifests) for manifests in updated] == [0, 0, 1]
    for day in (2, 0, 1):
        make_due(tmp_path)
        window = {"window_start": bounds[day], "window_end": bounds[day + 1]}
        archiver(tmp_path, sessions, **window).execute({})
    accounts = [json.loads(path.read_text()) for path in sorted((tmp_path / "manifests").iterdir())]
    assert [[(entry["session_id"], entry["status"]) for entry in account["sessions"]] for account in accounts] == [
        [(session["uuid"], "archived")] for session in sessions
    ]


def getter(session=None, missing=False, found=True, **parameters):
    session = session or a_session(1)
    operator = LessonspaceGetTranscriptOperator(task_id="get", session_id=session["uuid"], **parameters)
    not_there = LessonspaceTranscriptNotReady("no transcript", status=404)
    operator.hook = Hook([session] if found else [], {session["uuid"]: not_there} if missing else {})
    return operator


def test_a_transcript_that_is_not_there_does_what_on_missing_says():
    with pytest.raises(LessonspaceTranscriptNotReady):
        getter(missing=True).execute({})
    with pytest.raises(AirflowSkipException, match="is not there yet"):
        getter(missing=True, on_missing="skip").execute({})
    assert getter(missing=True, on_missing="none").execute({}) is None
    with pytest.raises(LessonspaceInputError, match="on_missing='ignore'"):
        getter(missing=True, on_missing="ignore").execute({})


@pytest.mark.parametrize("on_missing", ["fail", "skip"])
@pytest.mark.parametrize(
    ("session", "message"),
    [
        pytest.param(
            None,
            r"There is no session 0000\S+ so far.*Check that it is not the id of a space.*give wait=True",
            id="no such session",
        ),
        pytest.param(a_session(1), r"is not there yet, 2:00:\d\d after.*give wait=True", id="not ready"),
        pytest.param(a_session(1, end_time=None), r"is not there yet.*is running.*give wait=True", id="running"),
        pytest.param(a_session(1, profiles=[{"user": 1}]), r"will never come: one person only(?!.*wait=)", id="alone"),
        pytest.param(a_session(1, record_av=False), r"will never come: not recorded(?!.*wait=)", id="not recorded"),
        pytest.param(
            a_session(1, end=NOW - timedelta(days=9)),
            r"was given up: none 7 days.*transcribe=True(?!.*wait=)",
            id="given up",
        ),
    ],
)
def test_a_missing_transcript_says_why_and_what_to_do(session, message, on_missing):
    with pytest.raises((LessonspaceTranscriptNotReady, AirflowSkipException)) as caught:
        getter(session, missing=True, found=session is not None, on_missing=on_missing).execute({})
    assert re.search(message, str(caught.value))
    assert "connection 'lessonspace_default'" in str(caught.value)
    assert str(caught.value).count("\n") == 0


def test_a_transcript_that_is_there_costs_no_question_about_its_session():
    operator = getter()
    operator.hook.get_session = None
    assert operator.execute({}) == SEGMENTS


def test_an_unknown_reason_is_an_error_and_skips_nothing():
    operator = getter(missing=True, on_missing="skip")

    def outage(session_id):
        raise LessonspaceServerError("503", status=503)

    operator.hook.get_session = outage
    with pytest.raises(LessonspaceServerError, match="503"):
        operator.execute({})


def test_a_transcript_of_a_session_without_an_end_is_not_filed(tmp_path):
    running = {**a_session(1), "end_time": None}
    with pytest.raises(LessonspaceError, match=f"{running['uuid']} has no end_time"):
        getter(running, destination=f"file://{tmp_path}").execute({})
    assert list(tmp_path.iterdir()) == []


def test_one_transcript_becomes_the_result_when_there_is_no_destination(capfd):
    assert getter().execute({}) == SEGMENTS
    assert f"Returned 1 segment(s) of session {a_session(1)['uuid']}" in "".join(capfd.readouterr())


def test_one_transcript_is_written_where_the_archive_would_write_it(tmp_path, capfd):
    paths = getter(destination=f"file://{tmp_path}", formats=["txt"]).execute({})
    assert f"Wrote 1 segment(s) of session {a_session(1)['uuid']} to {paths[0]}" in "".join(capfd.readouterr())
    assert [ObjectStoragePath(path).read_text() for path in paths] == ["[00:00:01] Ann: Hi\n"]
    archiver(tmp_path, [a_session(1)], formats=["txt"]).execute({})
    assert [file["path"] in paths[0] for file in manifest_of(tmp_path)["sessions"][0]["files"]] == [True]


class HookOfASpace(Hook):
    """A hook that notes which thread asks for the organisation."""

    @property
    def organisation_id(self):
        self.asked.append(threading.current_thread())
        return "1"

    def list_space_sessions(self, space_id, **filters):
        return self.list_sessions(**filters)


def test_the_organisation_is_asked_for_before_threads_fetch(tmp_path):
    hook = HookOfASpace([a_session(1)], {})
    operator = LessonspaceArchiveTranscriptsOperator(
        task_id="archive", destination=str(tmp_path), window_start=START, window_end=END, space_id="maths"
    )
    operator.hook = hook
    operator.execute({})
    assert hook.asked[0] is threading.main_thread()


def test_without_a_window_the_runs_data_interval_is_archived(tmp_path):
    operator = archiver(tmp_path, [a_session(1)], window_start=None, window_end=None)
    interval = {"data_interval_start": START, "data_interval_end": END}
    assert operator.execute(interval)["counts"]["archived"] == 1


def test_a_run_without_a_data_interval_is_told_what_to_do(tmp_path):
    operator = archiver(tmp_path, [a_session(1)], window_start=None, window_end=None)
    with pytest.raises(
        LessonspaceInputError, match=r"no window to archive.*without a logical date. Trigger it with one"
    ):
        operator.execute({})
    assert operator.hook.asked == []
