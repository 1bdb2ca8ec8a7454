# SPDX-License-Identifier: Apache-2.0
"""Bad input is refused before anything is sent, in words that name parameter, value and what is allowed."""

from __future__ import annotations

import re
from datetime import date, datetime
from uuid import UUID

import pytest

from lessonspace_provider.exceptions import LessonspaceError, LessonspaceInputError
from tests.unit.hooks.known import API, SESSION, SPACE, page

NAIVE = datetime(2026, 11, 23, 8, 0)
GOOD_AUTH = {"method": "child", "url": "https://school.example/auth", "token": "t-1"}


@pytest.fixture
def undiscovered(connect, requests_mock):
    """A hook that would have to ask for its organisation: whoever needs it too early is seen."""
    requests_mock.get(re.compile(API), json=page())
    requests_mock.post(re.compile(API), json={})
    requests_mock.patch(re.compile(API), json={})
    requests_mock.delete(re.compile(API), status_code=204)
    return connect(organisation_id="")


def launch(**options):
    return lambda hook: hook.launch_space("maths", **options)


def sessions(**filters):
    return lambda hook: hook.list_sessions(**filters)


def spaces(**filters):
    return lambda hook: hook.list_spaces(**filters)


def users(**filters):
    return lambda hook: hook.list_users(**filters)


#: The call, and what its refusal must say.
REFUSALS = [
    # Unknown filters, which the API would ignore and answer with everything.
    (
        sessions(end_after=1),
        "Unknown filter 'end_after'",
        "Did you mean 'end_time_after'?",
        "Known names: date_after, ",
    ),
    (sessions(zzz=None), "Unknown filter 'zzz'", "Known names: date_after, "),
    (sessions(page_size=9), "Unknown filter 'page_size'", "Did you mean 'page'?"),
    (spaces(spaces=SPACE), "Unknown filter 'spaces'"),
    (users(roles="teacher"), "Unknown filter 'roles'", "Did you mean 'role'?"),
    (lambda h: h.list_space_sessions(SPACE, space=SPACE), "Unknown filter 'space'", "Known names: date_after, "),
    # Times.
    (sessions(end_time_after=NAIVE), "end_time_after=datetime.datetime(2026, 11, 23, 8, 0)", "an aware datetime"),
    (sessions(end_time_after="2026-11-23T08:00:00"), "end_time_after='2026-11-23T08:00:00'", "with an offset"),
    (sessions(end_time_before="2026-11-23"), "end_time_before='2026-11-23'", "with an offset"),
    (sessions(start_time_after="now"), "start_time_after='now'", "an aware datetime"),
    (sessions(start_time_before="yesterday"), "start_time_before='yesterday'", "an aware datetime"),
    (sessions(date_after=date(2026, 11, 23)), "date_after=datetime.date(2026, 11, 23)", "an aware datetime"),
    (sessions(date_before=1763884800), "date_before=1763884800", "an aware datetime"),
    (spaces(date_after=NAIVE), "date_after=datetime.datetime(", "an aware datetime"),
    (launch(timeouts={"not_after": NAIVE}), "timeouts.not_after=datetime.datetime(", "an aware datetime"),
    (launch(timeouts={"not_before": "2026-11-23T08:00"}), "timeouts.not_before='2026-11-23T08:00'", "with an offset"),
    (launch(features={"from": NAIVE}), "features.from=datetime.datetime(", "an aware datetime"),
    # Session ids.
    (lambda h: h.get_session(4711), "session_id=4711", "a uuid", "integer id"),
    (lambda h: h.get_session("4711"), "session_id='4711'", "a uuid", "integer id"),
    (lambda h: h.get_session(True), "session_id=True", "a uuid"),
    (lambda h: h.get_session(None), "session_id=None", "a UUID such as"),
    (lambda h: h.get_session(""), "session_id=''", "a UUID such as"),
    (lambda h: h.get_session(f"{SESSION}/../x"), "session_id='5b5f", "a UUID such as"),
    (lambda h: h.get_session(SESSION[:-1]), f"session_id='{SESSION[:-1]}'", "a UUID such as"),
    (lambda h: h.update_session(4711, name="x"), "session_id=4711", "a uuid"),
    (lambda h: h.get_transcript(4711), "session_id=4711", "a uuid"),
    (lambda h: h.get_recording_url("4711"), "session_id='4711'", "a uuid"),
    (spaces(session=4711), "session=4711", "a uuid"),
    (users(session=[SESSION, 4711]), "session=4711", "a uuid"),
    # Space and user ids.
    (lambda h: h.list_space_sessions(7), "space_id=7", "the space's UUID, or its slug"),
    (lambda h: h.list_space_sessions(""), "space_id=''", "the space's UUID, or its slug"),
    (lambda h: h.list_space_sessions("a/b"), "space_id='a/b'", "the space's UUID, or its slug"),
    (lambda h: h.list_space_sessions(".."), "space_id='..'", "the space's UUID, or its slug"),
    (sessions(space=f"{SPACE}&{SPACE}"), "space='7d7f", "the space's UUID, or its slug"),
    (sessions(space=[SPACE, 7]), "space=7", "the space's UUID, or its slug"),
    (sessions(user="1&2"), "user was refused", "a positive integer"),
    (sessions(user=[7, "Ann"]), "user was refused", "a positive integer"),
    (sessions(user=b"12"), "user was refused", "a positive integer"),
    (sessions(user={"id": 7}), "user was refused", "a positive integer"),
    (sessions(user=0), "user=0", "a positive integer"),
    (lambda h: h.remove_user(0), "user_id=0", "a positive integer"),
    (lambda h: h.remove_user(-7), "user_id=-7", "a positive integer"),
    (lambda h: h.remove_user(None), "user_id=None", "a positive integer"),
    (lambda h: h.remove_user(7.0), "user_id=7.0", "a positive integer"),
    (lambda h: h.remove_user("7/"), "user_id was refused", "a positive integer"),
    # Bools as integers, and other things as bools.
    (lambda h: h.remove_user(True), "user_id=True", "a positive integer"),
    (sessions(user=True), "user=True", "a positive integer"),
    (sessions(duration_min=True), "duration_min=True", "a whole number, 0 or more"),
    (sessions(page=True), "page=True", "a page number, 1 or more"),
    (sessions(include_single_user=1), "include_single_user=1", "True or False"),
    (sessions(in_progress_only="true"), "in_progress_only='true'", "True or False"),
    (launch(record_av=1), "record_av=1", "True or False"),
    (launch(transcribe="yes"), "transcribe='yes'", "True or False"),
    (launch(user={"leader": 0}), "user.leader=0", "True or False"),
    # Numbers.
    (sessions(duration_max=-1), "duration_max=-1", "a whole number, 0 or more"),
    (sessions(duration_max=3.5), "duration_max=3.5", "a whole number, 0 or more"),
    (sessions(page=0), "page=0", "a page number, 1 or more"),
    (lambda h: h.get_transcript(SESSION, page=0), "page=0", "a page number, 1 or more"),
    # Blank texts and empty lists, which would filter nothing.
    (sessions(search=""), "search=''", "text that is not blank"),
    (sessions(launch_id="  "), "launch_id='  '", "text of 1 to 64 characters"),
    (sessions(user_name=7), "user_name=7", "text that is not blank"),
    (sessions(space=[]), "space=[]", "a list that is not empty"),
    (sessions(user=()), "user=()", "a list that is not empty"),
    (users(role=[]), "role=[]", "a list that is not empty"),
    (users(role="boss"), "role='boss'", "one of teacher, student, admin"),
    (spaces(date=NAIVE), "date=datetime.datetime(", "text that is not blank"),
    # Tags.
    (sessions(tags="subject"), "tags was refused", "a mapping of text to text"),
    (sessions(tags={}), "tags={}", "a mapping of text to text"),
    (sessions(tags={"subject": None}), "tags was refused", "'' as a value to ask only for the key"),
    (sessions(tags={7: "x"}), "tags was refused", "a mapping of text to text"),
    (spaces(tag_key="subject"), "tag_key and tag_value only work together"),
    (spaces(tag_value="maths"), "tag_key and tag_value only work together"),
    (spaces(tag_key="subject", tag_value=None), "tag_key and tag_value only work together"),
    (spaces(tag_key="subject", tag_value=""), "tag_value=''", "text that is not blank"),
    (launch(session_tags={"subject": 7}), "session_tags was refused", "a mapping of text to text"),
    (launch(space_tags=["subject"]), "space_tags was refused", "a mapping of text to text"),
    # Launch.
    (lambda h: h.launch_space(""), "launch_id=''", "text of 1 to 64 characters"),
    (lambda h: h.launch_space("  "), "launch_id='  '", "text of 1 to 64 characters"),
    (lambda h: h.launch_space("x" * 65), f"launch_id='{'x' * 65}'", "text of 1 to 64 characters"),
    (lambda h: h.launch_space(42), "launch_id=42", "text of 1 to 64 characters"),
    (lambda h: h.launch_space(None), "launch_id=None", "text of 1 to 64 characters"),
    (launch(transcibe=True), "Unknown launch field 'transcibe'", "Did you mean 'transcribe'?"),
    (launch(id="x"), "Unknown launch field 'id'"),
    (launch(server=7), "server was refused", "must be text"),
    (launch(locale=["en"]), "locale was refused", "must be text"),
    (launch(name=7), "name was refused", "must be text"),
    (launch(video_layout_mode="tiles"), "video_layout_mode='tiles'", "one of grid, sidebar, floating"),
    (launch(user="Ann"), "user was refused", "a mapping with name, id, email"),
    (launch(user={"nam": "Ann"}), "Unknown field of user 'nam'", "Did you mean 'name'?"),
    (launch(user={7: "Ann"}), "Unknown field of user 7"),
    (launch(user={"role": "boss"}), "user.role='boss'", "one of teacher, student, admin"),
    (launch(user={"id": 7}), "user.id was refused", "must be text"),
    (launch(user={"custom_jwt_parameters": "x"}), "user.custom_jwt_parameters was refused", "a mapping"),
    (launch(webhooks={"sessions": {}}), "Unknown webhook 'sessions'", "Known names: session.start"),
    (launch(webhooks={"session": {"stop": "u"}}), "Unknown webhook 'session.stop'", "Did you mean {'session': {'"),
    (launch(webhooks={"chat": "https://x.example"}), "webhooks.chat was refused", "a mapping with message"),
    (launch(timeouts={"after": "x"}), "Unknown field of timeouts 'after'", "Did you mean 'not_after'?"),
    (launch(timeouts={"not_after": 3600}), "timeouts.not_after=3600", "an aware datetime"),
    (launch(auth_external={}), "auth_external lacks method, url, token"),
    (launch(auth_external={**GOOD_AUTH, "token": ""}), "auth_external lacks token"),
    (launch(auth_external={**GOOD_AUTH, "method": "popup"}), "auth_external.method='popup'", "one of child, redirect"),
    (launch(auth_external={**GOOD_AUTH, "url": 7}), "auth_external.url was refused", "must be a URL"),
    (launch(features=["chat"]), "features was refused", "a mapping"),
    (launch(features={"chat": {7: True}}), "features.chat was refused", "a mapping whose keys are text"),
    (launch(theme={"width": float("nan")}), "theme.width=nan", "a finite number"),
    (launch(theme={"width": [float("inf")]}), "theme.width=inf", "a finite number"),
    (launch(features={"key": b"bytes"}), "features.key was refused", "something JSON knows"),
    (launch(features={"key": UUID(SPACE)}), "features.key was refused", "something JSON knows"),
    (launch(extra_options={"id": "x"}), "extra_options=['id']", "without 'id', which launch_id gives"),
    (launch(extra_options=["x"]), "extra_options was refused", "a mapping"),
    (launch(extra_options={7: "x"}), "extra_options was refused", "a mapping whose keys are text"),
    (launch(client_ip=""), "client_ip=''", "an IP address"),
    (launch(client_ip="school.example"), "client_ip='school.example'", "an IP address"),
    (launch(client_ip="203.0.113.7\r\nX-Evil: 1"), r"client_ip='203.0.113.7\r\nX-Evil: 1'", "an IP address"),
    (launch(client_ip="fe80::1%eth0\r\nX-Evil: 1"), r"client_ip='fe80::1%eth0\r\nX-Evil: 1'", "an IP address"),
    (launch(client_ip=3405803783), "client_ip=3405803783", "an IP address"),
    # Update.
    (lambda h: h.update_session(SESSION), f"Session {SESSION}", "give name, recording_access_policy, or both"),
    (lambda h: h.update_session(SESSION, name=""), "name=''", "text that is not blank"),
    (lambda h: h.update_session(SESSION, name=7), "name=7", "text that is not blank"),
    *(
        (
            lambda h, policy=policy: h.update_session(SESSION, recording_access_policy=policy),
            f"recording_access_policy={policy!r}",
            "a list of participant, admin, teacher, student, public, or []",
        )
        for policy in (["teachers"], ["teacher", "everyone"], "teacher", {"teacher": True}, 7, [["teacher"]], [None])
    ),
    (
        lambda h: h.update_session(SESSION, name="Algebra", recording_access_policy=["Teacher"]),
        "recording_access_policy=['Teacher']",
        "a list of participant",
    ),
]


@pytest.mark.parametrize(("call", "words"), [pytest.param(row[0], row[1:], id=row[1]) for row in REFUSALS])
def test_bad_input_is_refused_at_once_and_nothing_is_sent(undiscovered, requests_mock, call, words):
    with pytest.raises(LessonspaceInputError) as caught:
        call(undiscovered)
    message = str(caught.value)
    assert [word for word in words if word not in message] == []
    assert "Nothing was sent." in message
    assert "\n" not in message
    assert not requests_mock.called


def test_a_refusal_is_a_lessonspace_error_and_a_value_error():
    assert issubclass(LessonspaceInputError, LessonspaceError)
    assert issubclass(LessonspaceInputError, ValueError)


def test_text_that_no_url_can_hold_is_refused_in_our_own_words(hook, requests_mock):
    with pytest.raises(
        LessonspaceInputError, match=r"search was refused: .* text of whole characters.* Nothing was sent"
    ) as caught:
        list(hook.list_sessions(search="\ud800Ann"))
    assert "Ann" not in str(caught.value)
    assert caught.value.__cause__ is caught.value.__context__ is None
    assert not requests_mock.called


def test_the_message_for_people_data_names_the_kind_and_not_the_value(undiscovered):
    for call in (launch(user={"email": ["ann@example.org"]}), launch(auth_external={**GOOD_AUTH, "token": ["s3cr3t"]})):
        with pytest.raises(LessonspaceInputError) as caught:
            call(undiscovered)
        assert "ann@" not in str(caught.value)
        assert "s3cr3t" not in str(caught.value)
