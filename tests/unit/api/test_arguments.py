# SPDX-License-Identifier: Apache-2.0
"""What is not seen on the wire: the readers by themselves. The wire and the refusals are tested with the hook."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta, timezone
from types import MappingProxyType
from uuid import UUID

import pytest
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG

from lessonspace_provider.api.arguments import (
    MAX_LAUNCH_ID,
    PERSONAL,
    RECORDING_ACCESS,
    as_api_time,
    as_aware_datetime,
    as_connection_id,
    as_duration,
    as_flag,
    as_ip_address,
    as_launch_id,
    as_margin,
    as_policy,
    as_positive,
    as_retention,
    as_session_update,
    as_space_id,
    as_user_id,
    as_uuid,
    as_window,
    refuse,
)
from lessonspace_provider.api.filters import SESSION_FILTERS, SPACE_FILTERS, encode_filters, refuse_unknown
from lessonspace_provider.exceptions import LessonspaceInputError

SESSION = "5b5f1a2c-3d4e-4f5a-8b9c-0d1e2f3a4b5c"

#: Python refuses to write it as text.
HUGE = 10**5000


def test_a_refusal_names_parameter_value_and_what_is_allowed():
    assert str(refuse("page", "x", "a number")) == "page='x' was refused: it must be a number. Nothing was sent."


@pytest.mark.parametrize("parameter", sorted(PERSONAL | {"user.name", "user.id", "user.email"}))
@pytest.mark.parametrize("value", ["Anna Smith", ["Anna Smith"], {"name": "Anna Smith"}, UUID(SESSION), b"Anna Smith"])
def test_a_refusal_repeats_no_value_that_may_be_personal(parameter, value):
    message = str(refuse(parameter, value, "a number"))
    assert message.startswith(f"{parameter} was refused: it must be a number. The given value is ")
    assert "Anna" not in message
    assert SESSION not in message
    assert ("text of 10 characters" if isinstance(value, str) else f"of type {type(value).__name__}") in message


@pytest.mark.parametrize("parameter", ["page", "launch_id", "recording_access_policy", "session_id"])
def test_a_refusal_repeats_no_address_wherever_it_was_given(parameter):
    assert "anna" not in str(refuse(parameter, "anna@school.example", "a number"))


@pytest.mark.parametrize("value", [None, True, 7, 1.5, "", "  ", "None", [], {}])
def test_a_refusal_repeats_what_names_no_person(value):
    assert str(refuse("user.name", value, "text")).startswith(f"user.name={value!r} was refused: it must be text")


def test_a_refusal_of_a_hidden_value_explains_templates_too():
    assert "template that was not rendered" in str(refuse("user.name", "{{ params.name }}", "text"))


def test_a_refusal_repeats_no_query_of_a_link_that_came_from_a_server():
    link = "https://store.example/t.json?X-Amz-Signature=abc"
    assert str(refuse("session_id", link, "a uuid")).startswith("session_id='https://store.example/t.json? was refused")


def test_a_refusal_repeats_no_more_of_a_value_than_can_be_read():
    assert len(str(refuse("destination", "x" * 100_000, "short"))) < 300


def test_what_python_can_not_write_is_refused_by_its_kind():
    assert str(refuse("page", HUGE, "a number")).startswith("page=<int> was refused")
    nested = []
    for _ in range(10_000):
        nested = [nested]
    assert str(refuse("page", nested, "a number")).startswith("page=<list> was refused")


@pytest.mark.parametrize("value", ["False", "", 0, 1, None, []])
def test_a_switch_is_a_boolean_since_the_text_false_would_be_true(value):
    with pytest.raises(LessonspaceInputError, match=r"push_client_url=.*True or False"):
        as_flag("push_client_url", value)


@pytest.mark.parametrize("value", [True, False])
def test_a_switch_stays_what_it_is(value):
    assert as_flag("push_client_url", value) is value


@pytest.mark.parametrize("value", [0, -1, True, "2", 2.0, None, HUGE], ids=range(7))
def test_people_are_counted_in_whole_numbers_from_one(value):
    assert as_positive("min_participants", 1) == 1
    with pytest.raises(LessonspaceInputError, match=r"min_participants=.*a whole number of 1 or more"):
        as_positive("min_participants", value)


@pytest.mark.parametrize("value", [7, 365, 3650, 0.5, 86_399])
def test_a_retention_in_seconds_that_was_meant_as_days_is_refused(value):
    with pytest.raises(LessonspaceInputError, match=f"keep={value} was refused: .*a number is in seconds"):
        as_retention("keep", value)


@pytest.mark.parametrize("value", [86_400, timedelta(days=1), timedelta(seconds=1)])
def test_a_retention_of_a_day_in_seconds_or_any_timedelta_is_read(value):
    assert as_retention("keep", value) in (timedelta(days=1), timedelta(seconds=1))


@pytest.mark.parametrize("value", [timedelta.max, timedelta(days=36_526), 1e300, HUGE, float("inf")], ids=range(5))
def test_a_duration_that_no_time_could_be_reckoned_with_is_refused(value):
    assert as_duration("give_up_after", timedelta(days=36_525)) == timedelta(days=36_525)
    with pytest.raises(LessonspaceInputError, match=r"give_up_after=.*at most a hundred years"):
        as_duration("give_up_after", value)


@pytest.mark.parametrize("value", [None, 7, "", " ", "a\0b", "\ud800", ["lessonspace_default"]])
def test_a_connection_is_named_by_text(value):
    assert as_connection_id("lessonspace_conn_id", "lessonspace_default") == "lessonspace_default"
    with pytest.raises(LessonspaceInputError, match=r"lessonspace_conn_id=.*the id of an Airflow connection"):
        as_connection_id("lessonspace_conn_id", value)


@pytest.mark.parametrize("form", ["{}", "Organisation {}", " {}\n"])
def test_an_api_key_in_place_of_a_connection_is_not_repeated(form):
    key = "4f9d2c1e-7a6b-4c3d-9e8f-0a1b2c3d4e5f"
    with pytest.raises(LessonspaceInputError, match="no API key, which is its password") as caught:
        as_connection_id("lessonspace_conn_id", form.format(key))
    assert key not in str(caught.value)


@pytest.mark.parametrize("name", ["page", "duration_min", "user"])
@pytest.mark.parametrize("value", [HUGE, "9" * 5000], ids=["number", "text"])
def test_a_number_that_python_can_not_write_is_refused_by_its_name(name, value):
    with pytest.raises(LessonspaceInputError, match=f"^{name}"):
        encode_filters({name: value}, SESSION_FILTERS)


@pytest.mark.parametrize("value", [SESSION, SESSION.upper(), UUID(SESSION), SESSION.replace("-", ""), f"{{{SESSION}}}"])
def test_a_uuid_has_one_form(value):
    assert as_uuid("session_id", value) == SESSION


def test_a_uuid_of_digits_only_is_no_integer_id():
    digits = "12345678123446788234567812345678"
    assert as_uuid("session_id", digits) == "12345678-1234-4678-8234-567812345678"


@pytest.mark.parametrize("value", [SESSION, "maths-7", "Maths_7", "ümläut"])
def test_a_space_is_named_by_uuid_or_slug(value):
    assert as_space_id("space_id", value) == value


def test_a_spaces_uuid_is_spelt_as_sessions_spell_it():
    assert as_space_id("space_id", SESSION.upper()) == SESSION


@pytest.mark.parametrize("value", ["a b", "a/b", "a?b", "a#b", "a%2Fb", "a.b", "..", "a&b", "a\n", "", None, 7, True])
def test_what_could_lead_a_url_astray_is_no_slug(value):
    with pytest.raises(LessonspaceInputError, match="slug"):
        as_space_id("space_id", value)


@pytest.mark.parametrize(
    "value", [[SESSION], SESSION.encode(), {SESSION: 1}, HUGE], ids=["list", "bytes", "map", "int"]
)
def test_what_only_reads_like_a_uuid_is_none(value):
    with pytest.raises(LessonspaceInputError, match=r"^session_id.*(UUID|uuid)"):
        as_uuid("session_id", value)


def test_half_a_character_is_no_text():
    with pytest.raises(LessonspaceInputError, match="launch_id="):
        as_launch_id("launch_id", "maths-\ud800")


TEMPLATES = [
    ("None", "A template rendered to None here"),
    ("{{ params.room }}", "a template that was not rendered"),
]


@pytest.mark.parametrize(("value", "hint"), TEMPLATES)
@pytest.mark.parametrize("read", [as_space_id, as_launch_id, as_uuid, as_user_id])
def test_what_is_left_of_a_broken_template_names_nothing_and_the_refusal_names_the_reason(read, value, hint):
    with pytest.raises(LessonspaceInputError, match=f"^room={value!r} was refused: .*{hint}.*Nothing was sent"):
        read("room", value)


@pytest.mark.parametrize(("value", "hint"), TEMPLATES)
@pytest.mark.parametrize("name", ["launch_id", "space"])
def test_a_filter_by_such_a_room_is_refused_and_not_answered_with_nothing(name, value, hint):
    with pytest.raises(LessonspaceInputError, match=hint):
        encode_filters({name: value}, SESSION_FILTERS)


@pytest.mark.parametrize("value", ["['json', 'txt']", '{"tags": "a"}', "{'tags': 'a'}", " [1]\n", "True", "false"])
@pytest.mark.parametrize("parameter", ["formats", "user"])
def test_a_literal_as_text_is_refused_with_the_native_rendering(parameter, value):
    message = str(refuse(parameter, value, "a list"))
    assert "without quotation marks, or set render_template_as_native_obj=True on the DAG" in message


@pytest.mark.parametrize("value", ["{end:%Y}/{session_id}", "{'a'", "json", "Truex", ["json"], True, "{{ params.x }}"])
def test_other_values_are_refused_without_the_native_rendering(value):
    assert "native" not in str(refuse("formats", value, "a list"))


@pytest.mark.parametrize("parameter", ["tables", "user"])
def test_an_output_that_was_not_resolved_is_refused_with_the_reason(parameter):
    with DAG("unresolved", schedule=None):
        output = EmptyOperator(task_id="other").output
    assert "a task's output that was not resolved" in str(refuse(parameter, output, "True or False"))


@pytest.mark.parametrize("value", ["none", "null", "None-7b", "Nonette"])
def test_only_what_a_template_gives_is_taken_for_one(value):
    assert as_launch_id("launch_id", value) == as_space_id("space_id", value) == value


@pytest.mark.parametrize("value", ["x", "x" * MAX_LAUNCH_ID, "ü" * MAX_LAUNCH_ID, " a ", "a/b?c#d"])
def test_a_launch_id_is_any_text_that_fits(value):
    assert as_launch_id("launch_id", value) == value


@pytest.mark.parametrize(("value", "user_id"), [(1, 1), ("1", 1), ("007", 7), (10**12, 10**12)])
def test_a_user_id_may_come_as_text_from_a_template(value, user_id):
    assert as_user_id("user_id", value) == user_id


@pytest.mark.parametrize("value", ["", " 1", "1.0", "+1", "-1", "١", "²", "1e3", 0, -1, 1.0, True, None, []])
def test_anything_else_is_no_user_id(value):
    with pytest.raises(LessonspaceInputError, match="a positive integer"):
        as_user_id("user_id", value)


@pytest.mark.parametrize("value", [list(RECORDING_ACCESS), [], ("admin",), iter(["admin"]), {"admin"}])
def test_a_policy_is_any_series_of_the_five_words(value):
    expected = ["admin"] if not isinstance(value, list) else value
    assert as_policy("recording_access_policy", value) == expected


@pytest.mark.parametrize(("value", "text"), [("203.0.113.7", "203.0.113.7"), ("::FFFF:1", "::ffff:1")])
def test_an_address_has_one_form(value, text):
    assert as_ip_address("client_ip", value) == text


@pytest.mark.parametrize(
    "value", ["", "1.2.3", "1.2.3.4, 5.6.7.8", "1.2.3.4:80", "fe80::1%eth0", " ::1", None, 1, b"1234"]
)
def test_anything_else_is_no_address(value):
    with pytest.raises(LessonspaceInputError, match="an IP address"):
        as_ip_address("client_ip", value)


def test_a_time_is_read_as_utc_and_written_for_the_api():
    moment = as_aware_datetime("window_start", "2026-11-23T09:00:00+01:00")
    assert moment == datetime(2026, 11, 23, 8, tzinfo=timezone.utc)
    assert as_api_time("window_start", moment) == "2026-11-23T08:00:00Z"


def test_an_unknown_name_is_refused_with_the_nearest_and_all_known_ones():
    with pytest.raises(LessonspaceInputError) as caught:
        refuse_unknown(["good", "serch"], ["search", "good"], "filter")
    assert str(caught.value) == (
        "Unknown filter 'serch'. Did you mean 'search'? Known names: good, search. Nothing was sent."
    )


@pytest.mark.parametrize("name", ["zzz", 7, None, ("a",)])
def test_without_a_near_one_there_is_no_guess(name):
    with pytest.raises(LessonspaceInputError) as caught:
        refuse_unknown([name], ["search"], "filter")
    assert str(caught.value) == f"Unknown filter {name!r}. Known names: search. Nothing was sent."


def test_known_names_pass():
    refuse_unknown([], ["search"], "filter")
    refuse_unknown(["search"], ["search"], "filter")


def test_filters_become_pairs_in_the_order_given():
    pairs = encode_filters({"user": [2, 1], "page": None, "search": "x", "user_name": "y"}, SESSION_FILTERS)
    assert pairs == [("user", "2"), ("user", "1"), ("search", "x"), ("user_name", "y")]


def test_an_unknown_filter_is_refused_even_when_it_is_none():
    with pytest.raises(LessonspaceInputError, match="Unknown filter 'serch'"):
        encode_filters({"serch": None}, SESSION_FILTERS)


def test_a_generator_of_values_is_read_once():
    assert encode_filters({"user": (n for n in (1, 2))}, SESSION_FILTERS) == [("user", "1"), ("user", "2")]


def test_tags_may_be_any_mapping():
    assert encode_filters({"tags": MappingProxyType({"a": ""})}, SESSION_FILTERS) == [("tags", '{"a": ""}')]


def test_a_tag_pair_is_whole_or_not_there():
    assert encode_filters({"tag_key": None, "tag_value": None}, SPACE_FILTERS) == []
    assert encode_filters({"tag_key": "a", "tag_value": "b"}, SPACE_FILTERS) == [("tag_key", "a"), ("tag_value", "b")]


def test_a_margin_may_be_nothing_and_its_refusal_reports_it():
    assert as_margin("join_late", 0) == as_margin("join_late", timedelta(0)) == timedelta(0)
    assert as_margin("join_late", 1.5) == timedelta(seconds=1.5)
    for value in (-1, timedelta(-1), True, None, "1", float("nan"), 2**70, timedelta(days=36_526)):
        with pytest.raises(LessonspaceInputError, match="must be a timedelta or seconds, 0 or more"):
            as_margin("join_late", value)


RESULT = {"session_id": "5b5f1a2c-3d4e-4f5a-8b9c-0d1e2f3a4b5c", "name": "Ann Other's lesson"}


@pytest.mark.parametrize("value", [RESULT, str(RESULT), json.dumps(RESULT), [RESULT], str([RESULT]), (RESULT,)])
def test_a_result_in_place_of_its_session_id_is_not_repeated(value):
    with pytest.raises(LessonspaceInputError, match=r"^session_id was refused: .*\['session_id'\]") as caught:
        as_uuid("session_id", value)
    assert "Ann" not in str(caught.value)
    assert "native" not in str(caught.value)


def test_a_launch_id_in_place_of_a_session_id_is_refused_with_its_source():
    with pytest.raises(LessonspaceInputError, match=r"^session_id='maths-7b' was .*the session_id of a launch"):
        as_uuid("session_id", "maths-7b")


@pytest.mark.parametrize("read", [as_uuid, as_space_id, as_launch_id, as_aware_datetime])
@pytest.mark.parametrize("value", ["", " "])
def test_blank_text_is_refused_with_a_hint_at_the_template(read, value):
    with pytest.raises(LessonspaceInputError, match="if a template rendered it, check where its value comes from"):
        read("given", value)


@pytest.mark.parametrize(
    ("value", "is_naive"),
    [(datetime(2026, 1, 1), True), (datetime(1, 1, 1, tzinfo=timezone.utc), False), (date(2026, 1, 1), False)],
)
def test_only_a_naive_datetime_is_refused_with_a_time_zone(value, is_naive):
    with pytest.raises(LessonspaceInputError, match=r"^start=.*was refused") as caught:
        as_aware_datetime("start", value)
    assert ("add tzinfo=timezone.utc" in str(caught.value)) == is_naive


@pytest.mark.parametrize(("hours", "is_of_the_schedule"), [(0, True), (1, False)])
def test_only_an_empty_interval_is_explained_by_the_schedule(hours, is_of_the_schedule):
    start = datetime(2026, 1, 1, tzinfo=timezone.utc)
    with pytest.raises(LessonspaceInputError, match="window_end must be after it") as caught:
        as_window(start, start - timedelta(hours=hours))
    assert ("CronDataIntervalTimetable" in str(caught.value)) == is_of_the_schedule


def test_a_session_is_not_renamed_to_what_a_template_makes_of_nothing():
    with pytest.raises(LessonspaceInputError, match=r"^name='None' was refused: .*A template rendered to None here"):
        as_session_update(RESULT["session_id"], "None", None)
