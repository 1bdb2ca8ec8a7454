# SPDX-License-Identifier: Apache-2.0
"""Every path, query and body parameter of the reference: what a user gives, and exactly what arrives."""

from __future__ import annotations

import json
import re
from datetime import date, datetime, timedelta, timezone
from typing import Literal, get_args, get_type_hints
from urllib.parse import parse_qsl
from uuid import UUID

import pendulum
import pytest

from lessonspace_provider.api import arguments as parameters
from lessonspace_provider.api import filters
from lessonspace_provider.api import types as api_types
from lessonspace_provider.api.launch import launch_body
from lessonspace_provider.exceptions import LessonspaceInputError, LessonspaceServerError
from tests.unit.hooks.known import (
    API,
    LAUNCH,
    LAUNCH_PATH,
    LINK,
    OTHER_SESSION,
    PLAYBACK_PATH,
    RECORDING_URL,
    SEGMENT,
    SESSION,
    SESSION_PATH,
    SESSIONS_PATH,
    SLUG,
    SPACE,
    SPACE_SESSIONS_PATH,
    SPACES_PATH,
    TRANSCRIPT_PATH,
    USERS_PATH,
    page,
    sent,
)

EIGHT_UTC = datetime(2026, 11, 23, 8, 0, tzinfo=timezone.utc)
TOKYO = timezone(timedelta(hours=9))
KATHMANDU = timezone(timedelta(hours=5, minutes=45))

# --- What the reference names, in its own order ------------------------------------------------------------------

SPACE_SESSION_NAMES = [
    "search",
    "page",
    "include_single_user",
    "duration_min",
    "duration_max",
    "start_time_after",
    "start_time_before",
    "end_time_after",
    "end_time_before",
    "date_after",
    "date_before",
    "user",
    "launch_id",
    "in_progress_only",
    "tags",
    "user_external_id",
    "user_name",
]
SESSION_NAMES = [*SPACE_SESSION_NAMES, "space"]
SPACE_NAMES = [
    "session",
    "date",
    "tag_key",
    "tag_value",
    "user",
    "assigned_to",
    "search",
    "page",
    "date_after",
    "date_before",
]
USER_NAMES = ["role", "space", "session", "search", "page"]
SEARCH_NAMES = ["search", "page"]

LAUNCH_NAMES = [
    "id",
    "name",
    "allow_guests",
    "record_av",
    "record_content",
    "transcribe",
    "user.name",
    "user.id",
    "user.email",
    "user.leader",
    "user.profile_picture",
    "user.camera_background_url",
    "user.single_use",
    "user.session_limit",
    "user.custom_jwt_parameters",
    "user.record",
    "user.ghost",
    "webhooks.session.start",
    "webhooks.session.idle",
    "webhooks.session.end",
    "webhooks.user.join",
    "webhooks.user.idle",
    "webhooks.user.leave",
    "webhooks.transcription.finish",
    "webhooks.cobrowser.start",
    "webhooks.cobrowser.stop",
    "webhooks.chat.message",
    "timeouts.not_after",
    "timeouts.not_before",
    "features",
    "theme",
    "video_layout_mode",
    "locale",
    "server",
    "session_tags",
    "space_tags",
    "invite_url",
    "resource_url",
    "holodeck_parameters",
    "auth_external.method",
    "auth_external.url",
    "auth_external.token",
    "auth_external.ephemeral",
]

#: Not in the reference, but documented in the vendor's guides or seen in use.
LAUNCH_NAMES_BEYOND_THE_REFERENCE = [
    "summarise",
    "user.role",
    "webhooks.knock.request",
    "webhooks.knock.admit",
    "webhooks.knock.deny",
    "webhooks.summary.finish",
]

# --- What a user gives for each, and what arrives ----------------------------------------------------------------

TIMES = [
    (EIGHT_UTC, "2026-11-23T08%3A00%3A00Z"),
    (datetime(2026, 11, 23, 17, 0, tzinfo=TOKYO), "2026-11-23T08%3A00%3A00Z"),
    (datetime(2026, 11, 23, 1, 45, 0, 123456, tzinfo=KATHMANDU), "2026-11-22T20%3A00%3A00.123456Z"),
    (pendulum.datetime(2026, 11, 23, 9, tz="Europe/Berlin"), "2026-11-23T08%3A00%3A00Z"),
    ("2026-11-23T09:00:00+01:00", "2026-11-23T08%3A00%3A00Z"),
    ("2026-11-23T08:00:00Z", "2026-11-23T08%3A00%3A00Z"),
]
FLAGS = [(True, "true"), (False, "false")]
COUNTS = [(0, "0"), (300, "300"), ("300", "300")]
PAGES = [(1, "1"), (7, "7"), ("7", "7")]
TEXTS = [("Algebra", "Algebra"), ("A&B=c/ü +1", "A%26B%3Dc%2F%C3%BC+%2B1")]
USERS = [(7, "7"), ("7", "7"), ([7, 8], ["7", "8"]), (("7", 8), ["7", "8"]), ({9}, ["9"])]
SESSIONS = [
    (SESSION, SESSION),
    (SESSION.upper(), SESSION),
    (UUID(SESSION), SESSION),
    ([UUID(SESSION), OTHER_SESSION], [SESSION, OTHER_SESSION]),
]
SPACES = [(SPACE, SPACE), (UUID(SPACE), SPACE), (SLUG, SLUG), ([SPACE, SLUG], [SPACE, SLUG])]

SPACE_SESSION_VALUES = {
    "search": [*TEXTS, (UUID(SPACE), SPACE)],
    "page": PAGES,
    "include_single_user": FLAGS,
    "duration_min": COUNTS,
    "duration_max": COUNTS,
    "start_time_after": TIMES,
    "start_time_before": TIMES,
    "end_time_after": TIMES,
    "end_time_before": TIMES,
    "date_after": TIMES,
    "date_before": TIMES,
    "user": USERS,
    "launch_id": TEXTS,
    "in_progress_only": FLAGS,
    "tags": [
        ({"subject": "maths"}, "%7B%22subject%22%3A+%22maths%22%7D"),
        ({"subject": ""}, "%7B%22subject%22%3A+%22%22%7D"),
        ({"Fach": "Französisch", "year": "7"}, "%7B%22Fach%22%3A+%22Franz%C3%B6sisch%22%2C+%22year%22%3A+%227%22%7D"),
    ],
    "user_external_id": TEXTS,
    "user_name": TEXTS,
}
SESSION_VALUES = {**SPACE_SESSION_VALUES, "space": SPACES}
SPACE_VALUES = {
    "session": SESSIONS,
    "date": [(date(2026, 11, 23), "2026-11-23"), ("2026-11-23", "2026-11-23")],
    "tag_key": TEXTS,
    "tag_value": TEXTS,
    "user": USERS,
    "assigned_to": USERS,
    "search": TEXTS,
    "page": PAGES,
    "date_after": TIMES,
    "date_before": TIMES,
}
USER_VALUES = {
    "role": [("teacher", "teacher"), (["student", "admin"], ["student", "admin"])],
    "space": SPACES,
    "session": SESSIONS,
    "search": TEXTS,
    "page": PAGES,
}
SEARCH_VALUES = {"search": TEXTS, "page": PAGES}

#: Lists: method of the hook, its arguments, path, what the reference names, the hook's table, the values above.
LISTS = [
    ("list_sessions", (), SESSIONS_PATH, SESSION_NAMES, filters.SESSION_FILTERS, SESSION_VALUES),
    (
        "list_space_sessions",
        (SPACE,),
        SPACE_SESSIONS_PATH,
        SPACE_SESSION_NAMES,
        filters.SPACE_SESSION_FILTERS,
        SPACE_SESSION_VALUES,
    ),
    ("list_spaces", (), SPACES_PATH, SPACE_NAMES, filters.SPACE_FILTERS, SPACE_VALUES),
    ("list_users", (), USERS_PATH, USER_NAMES, filters.USER_FILTERS, USER_VALUES),
    ("get_transcript", (SESSION,), TRANSCRIPT_PATH, SEARCH_NAMES, filters.SEARCH_FILTERS, SEARCH_VALUES),
    ("get_recording_url", (SESSION,), PLAYBACK_PATH, SEARCH_NAMES, filters.SEARCH_FILTERS, SEARCH_VALUES),
]
QUERY_ROWS = [
    pytest.param(operation, arguments, path, name, value, wire, id=f"{operation}-{name}-{number}")
    for operation, arguments, path, _, _, values in LISTS
    for name, examples in values.items()
    for number, (value, wire) in enumerate(examples)
]


@pytest.fixture
def any_get(requests_mock):
    """Answer every GET of the API with something all of the operations can take."""
    requests_mock.get(re.compile(re.escape(API)), json={**page(), "recording_url": RECORDING_URL})
    return requests_mock


@pytest.mark.parametrize(("operation", "arguments", "path", "name", "value", "wire"), QUERY_ROWS)
def test_a_filter_arrives_as_the_reference_wants_it(hook, any_get, operation, arguments, path, name, value, wire):
    other_half = {"tag_key": {"tag_value": "x"}, "tag_value": {"tag_key": "x"}}.get(name, {})
    answer = getattr(hook, operation)(*arguments, **{name: value}, **other_half)
    list(answer)
    pairs = [f"{name}={text}" for text in ([wire] if isinstance(wire, str) else wire)]
    pairs += [f"{other}={text}" for other, text in other_half.items()]
    assert sent(any_get) == [("GET", path, "&".join(pairs))]


@pytest.mark.parametrize(("operation", "names", "table", "values"), [(row[0], *row[3:]) for row in LISTS])
def test_hook_and_tests_know_exactly_the_filters_of_the_reference(operation, names, table, values):
    assert sorted(names) == sorted(table) == sorted(values)


def test_several_filters_arrive_in_the_order_given_and_none_means_not_given(hook, any_get):
    list(hook.list_sessions(space=[SPACE, SLUG], user=None, search="x", page=None, include_single_user=True))
    assert sent(any_get) == [("GET", SESSIONS_PATH, f"space={SPACE}&space={SLUG}&search=x&include_single_user=true")]


def test_the_tags_read_back_as_the_json_they_were(hook, any_get):
    tags = {"Fach": 'Fran"zösisch & mehr', "only the key": ""}
    list(hook.list_sessions(tags=tags))
    ((_, _, query),) = sent(any_get)
    ((name, text),) = parse_qsl(query, keep_blank_values=True)
    assert (name, json.loads(text)) == ("tags", tags)


@pytest.mark.parametrize(
    ("call", "request_line", "body"),
    [
        (lambda h: h.hello(), "GET /hello/", None),
        (lambda h: h.my_organisation_id(), "GET /my-organisation/", None),
        (lambda h: list(h.list_sessions()), f"GET {SESSIONS_PATH}", None),
        (lambda h: list(h.list_space_sessions(SPACE)), f"GET {SPACE_SESSIONS_PATH}", None),
        (lambda h: list(h.list_space_sessions(UUID(SPACE))), f"GET {SPACE_SESSIONS_PATH}", None),
        (lambda h: list(h.list_space_sessions(SLUG)), f"GET /spaces/{SLUG}/sessions/", None),
        (lambda h: h.get_session(SESSION), f"GET {SESSION_PATH}", None),
        (lambda h: h.get_session(UUID(SESSION)), f"GET {SESSION_PATH}", None),
        (lambda h: h.get_session(SESSION.upper()), f"GET {SESSION_PATH}", None),
        (lambda h: h.update_session(SESSION, name="Algebra"), f"PATCH {SESSION_PATH}", {"name": "Algebra"}),
        (
            lambda h: h.update_session(SESSION, name="Algebra", recording_access_policy=["teacher", "participant"]),
            f"PATCH {SESSION_PATH}",
            {"name": "Algebra", "recording_access_policy": ["teacher", "participant"]},
        ),
        (
            lambda h: h.update_session(SESSION, name="Algebra", recording_access_policy=[]),
            f"PATCH {SESSION_PATH}",
            {"name": "Algebra", "recording_access_policy": []},
        ),
        (lambda h: h.get_transcript(SESSION), f"GET {TRANSCRIPT_PATH}", None),
        (lambda h: list(h.list_spaces()), f"GET {SPACES_PATH}", None),
        (lambda h: list(h.list_users()), f"GET {USERS_PATH}", None),
        (lambda h: h.remove_user(7), f"DELETE {USERS_PATH}7/", None),
        (lambda h: h.remove_user("7"), f"DELETE {USERS_PATH}7/", None),
        (lambda h: h.get_recording_url(SESSION), f"GET {PLAYBACK_PATH}", None),
        (lambda h: h.launch_space("maths-7"), f"POST {LAUNCH_PATH}", {"id": "maths-7"}),
    ],
)
def test_each_operation_has_its_method_path_and_body(hook, any_get, call, request_line, body):
    any_get.get(f"{API}/my-organisation/", json={"id": 42})
    any_get.patch(re.compile(API), json={"name": "Algebra", "recording_access_policy": []})
    any_get.delete(re.compile(API), status_code=204)
    any_get.post(re.compile(API), json=LAUNCH, status_code=201)
    call(hook)
    method, path = request_line.split()
    assert sent(any_get) == [(method, path, "")]
    request = any_get.last_request
    assert (request.json() if request.body else None) == body
    assert request.headers.get("Content-Type") == (None if body is None else "application/json")


@pytest.mark.parametrize("policy", parameters.RECORDING_ACCESS)
def test_each_value_of_a_recording_policy_arrives(hook, requests_mock, policy):
    requests_mock.patch(API + SESSION_PATH, json={})
    hook.update_session(SESSION, name="Algebra", recording_access_policy=[policy])
    assert requests_mock.last_request.json()["recording_access_policy"] == [policy]


# --- Launch ------------------------------------------------------------------------------------------------------

#: Per field: what a user gives, and what arrives; where one stands alone, it arrives as it was given.
LAUNCH_VALUES = {
    "id": [("a", "a"), ("maths 7/ü", "maths 7/ü"), ("x" * 64, "x" * 64)],
    "name": ["Algebra", "", None],
    "allow_guests": [True, False, None],
    "record_av": [True, False, None],
    "record_content": [True, False, None],
    "transcribe": [True, False, None],
    "summarise": [True, False, None],
    "user.name": ["Zoë", "", None],
    "user.id": ["pupil-7", None],
    "user.email": ["zoe@example.org", None],
    "user.leader": [True, False],
    "user.profile_picture": ["https://school.example/zoe.png"],
    "user.camera_background_url": ["https://school.example/wall.png"],
    "user.single_use": [True, False],
    "user.session_limit": [True, False],
    "user.custom_jwt_parameters": [
        {"meta": {"year": 7, "groups": ["a", 1.5, None, True]}},
        ({"since": datetime(2026, 11, 23, 17, tzinfo=TOKYO)}, {"since": "2026-11-23T08:00:00Z"}),
        ({"born": date(2015, 2, 1)}, {"born": "2015-02-01"}),
    ],
    "user.record": [True, False],
    "user.ghost": [True, False],
    "user.role": ["teacher", "student", "admin", None],
    **{
        name: ["https://school.example/hook", "", None]
        for name in [*LAUNCH_NAMES, *LAUNCH_NAMES_BEYOND_THE_REFERENCE]
        if name.startswith("webhooks.")
    },
    **{
        f"timeouts.{name}": [
            (EIGHT_UTC, "2026-11-23T08:00:00Z"),
            (datetime(2026, 11, 23, 17, tzinfo=TOKYO), "2026-11-23T08:00:00Z"),
            (datetime(2026, 11, 23, 1, 45, 0, 5, tzinfo=KATHMANDU), "2026-11-22T20:00:00.000005Z"),
            ("2026-11-23T09:00:00+01:00", "2026-11-23T08:00:00Z"),
            None,
        ]
        for name in ("not_before", "not_after")
    },
    "features": [{"chat": False, "files": {"max": 3}}, {}, None],
    "theme": [{"primary": "#fff"}, {}, None],
    "video_layout_mode": ["grid", "sidebar", "floating", None],
    "locale": ["fr", None],
    "server": ["eu-central", None],
    "session_tags": [{"subject": "maths"}, {}, None],
    "space_tags": [{"house": "Größe"}, {}, None],
    "invite_url": ["https://school.example/invite", None],
    "resource_url": ["https://school.example/library", None],
    "holodeck_parameters": [{"anything": [1, {"deep": True}]}, {}, None],
    "auth_external.method": ["child", "redirect"],
    "auth_external.url": ["https://school.example/auth"],
    "auth_external.token": ["t-1"],
    "auth_external.ephemeral": [True, False, None],
}
LAUNCH_ROWS = [
    pytest.param(name, *(example if isinstance(example, tuple) else (example, example)), id=f"{name}-{number}")
    for name, examples in LAUNCH_VALUES.items()
    for number, example in enumerate(examples)
]
AUTH_EXTERNAL = {"method": "child", "url": "https://school.example/a", "token": "t"}


def nested(dotted, value):
    """Write ``a.b.c`` and a value as mappings within mappings, with what else the reference requires beside it."""
    *groups, name = dotted.split(".")
    wrapped = {name: value}
    for group in reversed(groups):
        wrapped = {group: {**(AUTH_EXTERNAL if group == "auth_external" else {}), **wrapped}}
    return wrapped


@pytest.mark.parametrize(("name", "value", "wire"), LAUNCH_ROWS)
def test_a_launch_field_arrives_as_the_reference_wants_it(hook, requests_mock, monkeypatch, name, value, wire):
    monkeypatch.setattr("lessonspace_provider.api.launch.now", lambda: EIGHT_UTC - timedelta(days=1))
    requests_mock.post(API + LAUNCH_PATH, json=LAUNCH, status_code=201)
    if name == "id":
        hook.launch_space(value)
        assert requests_mock.last_request.json() == {"id": wire}
    else:
        needed = {"transcribe": True} if name == "summarise" else {}
        hook.launch_space("maths", **nested(name, value), **needed)
        assert requests_mock.last_request.json() == {"id": "maths", **nested(name, wire), **needed}


def test_the_tests_know_exactly_the_launch_fields_there_are():
    assert sorted(LAUNCH_VALUES) == sorted([*LAUNCH_NAMES, *LAUNCH_NAMES_BEYOND_THE_REFERENCE])


def known_fields(**options):
    """Ask which names are known beside a wrong one: the refusal lists them."""
    with pytest.raises(LessonspaceInputError) as caught:
        launch_body("maths", options)
    return sorted(re.search(r"Known names: (.*?)\. (An|Nothing)", str(caught.value))[1].split(", "))


def fields_under(*groups):
    prefix = "".join(f"{group}." for group in groups)
    names = [*LAUNCH_NAMES, *LAUNCH_NAMES_BEYOND_THE_REFERENCE]
    return sorted({name.removeprefix(prefix).split(".")[0] for name in names if name.startswith(prefix)})


def typed_fields(kind, *groups):
    """Names in a TypedDict, or in one that lies within it."""
    for group in groups:
        declared = get_type_hints(kind)[group]
        (kind,) = {declared, *get_args(declared)} - {type(None), Literal[""], declared if get_args(declared) else None}
    return sorted(get_type_hints(kind))


@pytest.mark.parametrize(
    "groups",
    [
        ("user",),
        ("webhooks",),
        ("webhooks", "session"),
        ("webhooks", "user"),
        ("webhooks", "transcription"),
        ("webhooks", "cobrowser"),
        ("webhooks", "chat"),
        ("webhooks", "knock"),
        ("webhooks", "summary"),
        ("timeouts",),
        ("auth_external",),
    ],
    ids=".".join,
)
def test_a_group_of_a_launch_takes_exactly_the_documented_fields(groups):
    wrong = nested(".".join([*groups, "nonsense"]), 1)
    known = known_fields(**wrong)
    if groups[0] == "webhooks":  # their refusal lists the events of all groups
        known = sorted({name.split(".")[0] if len(groups) == 1 else name for name in known})
        known = [name.partition(".")[2] for name in known if name.startswith(f"{groups[1]}.")] if groups[1:] else known
    assert known == fields_under(*groups) == typed_fields(api_types.LaunchOptions, *groups)


def test_a_launch_takes_exactly_the_documented_fields():
    documented = [name for name in fields_under() if name != "id"]
    assert known_fields(nonsense=1) == documented == typed_fields(api_types.LaunchOptions)


def test_what_is_left_out_is_not_sent_and_none_is_sent_as_null(hook, requests_mock):
    requests_mock.post(API + LAUNCH_PATH, json=LAUNCH)
    hook.launch_space("maths", name=None, webhooks=None, user={"email": None})
    assert requests_mock.last_request.text == '{"id": "maths", "name": null, "webhooks": null, "user": {"email": null}}'


def test_a_whole_group_of_webhooks_can_be_sent_as_null(hook, requests_mock):
    requests_mock.post(API + LAUNCH_PATH, json=LAUNCH)
    hook.launch_space("maths", webhooks={"session": None, "chat": {"message": ""}})
    assert requests_mock.last_request.json()["webhooks"] == {"session": None, "chat": {"message": ""}}


def test_extra_options_are_sent_as_they_are_and_over_the_documented_ones(hook, requests_mock):
    requests_mock.post(API + LAUNCH_PATH, json=LAUNCH)
    extra = {"brand_new": {"at": EIGHT_UTC, "list": [1, None]}, "locale": "de", "gone": None}
    hook.launch_space("maths", locale="fr", extra_options=extra)
    assert requests_mock.last_request.json() == {
        "id": "maths",
        "locale": "de",
        "brand_new": {"at": "2026-11-23T08:00:00Z", "list": [1, None]},
        "gone": None,
    }


@pytest.mark.parametrize(("client_ip", "header"), [("203.0.113.7", "203.0.113.7"), ("2001:DB8::1", "2001:db8::1")])
def test_the_address_of_the_person_who_joins_goes_into_its_header(hook, requests_mock, client_ip, header):
    requests_mock.post(API + LAUNCH_PATH, json=LAUNCH)
    hook.launch_space("maths", client_ip=client_ip)
    assert requests_mock.last_request.headers["X-Forwarded-For"] == header
    assert requests_mock.last_request.json() == {"id": "maths"}


def test_without_an_address_there_is_no_such_header(hook, requests_mock):
    requests_mock.post(API + LAUNCH_PATH, json=LAUNCH)
    hook.launch_space("maths")
    assert "X-Forwarded-For" not in requests_mock.last_request.headers


@pytest.mark.parametrize(("status", "created"), [(201, True), (200, False)])
def test_a_launch_answers_all_the_api_sent_and_whether_the_space_is_new(hook, requests_mock, status, created):
    requests_mock.post(API + LAUNCH_PATH, json={**LAUNCH, "from_the_future": 1}, status_code=status)
    assert hook.launch_space("maths") == {**LAUNCH, "from_the_future": 1, "created": created}


# --- Whose organisation ------------------------------------------------------------------------------------------


def test_the_organisation_is_discovered_once_when_it_is_not_configured(connect, requests_mock):
    requests_mock.get(f"{API}/my-organisation/", json={"id": 99, "name": "School"})
    requests_mock.get(f"{API}/organisations/99/sessions/", json=page())
    requests_mock.get(f"{API}/organisations/99/users/", json=page())
    hook = connect(organisation_id="")
    list(hook.list_sessions())
    list(hook.list_users())
    assert [path for _, path, _ in sent(requests_mock)] == [
        "/my-organisation/",
        "/organisations/99/sessions/",
        "/organisations/99/users/",
    ]


def test_a_configured_organisation_is_not_asked_for(hook, any_get):
    list(hook.list_spaces())
    assert len(sent(any_get)) == 1


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"id": None},
        {"id": ""},
        {"id": True},
        {"id": {}},
        {"id": "../../hello"},
        {"id": "https://go.example/space/maths?user=a"},
        {"id": "\ud800"},
        [],
        "x",
    ],
)
def test_an_organisation_without_an_id_names_what_to_configure(connect, requests_mock, body):
    requests_mock.get(f"{API}/my-organisation/", json=body)
    with pytest.raises(LessonspaceServerError, match="my-organisation"):
        _ = connect(organisation_id="").organisation_id


def test_links_are_read_with_the_transcript_and_recording_operations(hook, requests_mock):
    requests_mock.get(API + TRANSCRIPT_PATH, json={"transcriptionUrl": LINK})
    requests_mock.get(LINK, json=[SEGMENT])
    requests_mock.get(API + PLAYBACK_PATH, json={"recording_url": RECORDING_URL, "more": 1})
    assert hook.get_transcript(SESSION, search="x", page=2) == [SEGMENT]
    assert hook.get_recording_url(SESSION) == RECORDING_URL
    assert sent(requests_mock)[0] == ("GET", TRANSCRIPT_PATH, "search=x&page=2")
