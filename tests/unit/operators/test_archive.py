# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import threading
from contextlib import nullcontext
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace

import pytest
from airflow.sdk import Asset, ObjectStoragePath

from lessonspace_provider.exceptions import (
    LessonspaceError,
    LessonspaceInputError,
    LessonspaceServerError,
    LessonspaceTranscriptNotReady,
)
from lessonspace_provider.operators.transcripts import (
    LessonspaceArchiveTranscriptsOperator,
)
from tests.listed import Listed
from tests.unit.operators.kit import END, NOW, START, Hook, OutletEvents, a_session, archiver, make_due, manifest_of


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


def test_the_files_match_the_manifest(tmp_path):
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


def test_sessions_without_a_uuid_and_a_list_that_moved_fail_the_task_after_all_others(tmp_path):
    nameless = {**a_session(2), "uuid": None, "id": 12}
    operator = archiver(tmp_path, [])
    operator.hook.list_sessions = lambda **filters: Listed([a_session(1)], [nameless], "GET /x/: the list changed")
    with pytest.raises(LessonspaceError, match=r"no uuid, id 12(.|\n)*GET /x/: the list changed$"):
        operator.execute({})
    assert manifest_of(tmp_path)["counts"]["archived"] == 1
    assert manifest_of(tmp_path)["counts"]["failed"] == 1


def test_an_old_window_is_listed_once(tmp_path):
    now = datetime.now(timezone.utc)
    window_end = now - timedelta(minutes=15)
    operator = archiver(tmp_path, [], window_start=now - timedelta(days=1), window_end=window_end)
    operator.execute({})
    assert len(operator.hook.asked) == 1


def test_a_long_session_that_ends_while_the_list_is_read_is_taken_though_later_ones_are_before_it(tmp_path):
    now = datetime.now(timezone.utc).replace(microsecond=0)  # only a window that has just ended is listed again
    newest_first = [a_session(number, end=now - timedelta(minutes=number)) for number in (1, 2, 3)]
    operator = archiver(tmp_path, newest_first, window_end=now)
    lists = iter([[newest_first[0], newest_first[2]], newest_first])
    operator.hook.list_sessions = lambda **filters: Listed(next(lists))
    operator.execute({})
    assert len(manifest_of(tmp_path)["sessions"]) == 3


def test_a_session_that_was_listed_too_late_is_retried_by_the_next_run_in_its_own_window(tmp_path):
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


def test_a_dry_run_shows_its_outlets_the_counts_and_names_the_earlier_manifests_that_wait(tmp_path):
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
        parameters = {"window_start": window, "give_up_after": timedelta(minutes=1), "outlets": [asset]}
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


def test_what_is_wrong_with_earlier_windows_is_reported_once(tmp_path, monkeypatch):
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
        ({"give_up_after": 7}, r"give_up_after=7 was refused: .*timedelta\(days=30\): a number is in seconds"),
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


class HookOf(Hook):
    """A hook of one of several organisations."""

    def __init__(self, organisation_id):
        super().__init__([a_session(int(organisation_id))], {})
        self.organisation_id = organisation_id


@pytest.mark.parametrize("dry_run", [True, False])
def test_the_events_of_three_organisations_report_whose_they_are(tmp_path, dry_run):
    asset, extras = Asset("transcripts"), []
    for organisation in ("7", "8", "9"):
        parameters = {"lessonspace_conn_id": f"conn_{organisation}", "destination": str(tmp_path / organisation)}
        operator = archiver(tmp_path, [], dry_run=dry_run, outlets=[asset], **parameters)
        operator.hook = HookOf(organisation)
        events = OutletEvents(transcripts=SimpleNamespace(extra=None))
        assert operator.execute({"outlet_events": events}) == events[asset].extra
        extras.append(json.loads(json.dumps(events[asset].extra)))
    assert [(extra["connection"], extra["organisation"], extra["destination"]) for extra in extras] == [
        (f"conn_{number}", number, str(tmp_path / number)) for number in ("7", "8", "9")
    ]
    bounds = [f"{bound:%Y-%m-%dT%H:%M:%SZ}" for bound in (START, END)]
    assert all([extra["window_start"], extra["window_end"]] == bounds for extra in extras)
