# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from lessonspace_provider.archive.paths import check_path_template, session_id_of, transcript_path
from lessonspace_provider.exceptions import LessonspaceInputError

UUID = "5b5f1a2c-3d4e-4f5a-8b9c-0d1e2f3a4b5c"


def a_session(end="2026-11-22T23:30:00-02:00", **fields):
    return {"uuid": UUID, "name": None, "start_time": "2026-11-22T22:30:00Z", "end_time": end, "profiles": [], **fields}


def test_a_transcripts_folder_is_the_utc_day_of_the_sessions_end():
    assert transcript_path(a_session()) == f"2026/11/23/{UUID}"


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("Maths 7b / Algebra", "Maths 7b _ Algebra"),
        ("../../etc/passwd", "_.._etc_passwd"),
        ("..", "_"),
        ("", "_"),
        (None, "_"),
        ("a\0b\nc", "a_b_c"),
        ("C:\\x", "C_x"),
        ("שיעור 🎉", "שיעור _"),
        ("x" * 300, "x" * 80),
        ("数学" * 50, "数学" * 13),
    ],
)
def test_no_name_leads_out_of_the_destination(name, folder):
    path = transcript_path(a_session(name=name), "{name}/{session_id}")
    assert path == f"{folder}/{UUID}"


@pytest.mark.parametrize(
    "template",
    [
        "{end:%Y}",
        "{session_id}/{secret}",
        "{session_id",
        "{0}{session_id}",
        "",
        None,
        3,
        "{session_id:.8}",
        "{session_id!r:.8}",
        "{session_id!r}",
        "{session_id!s}",
        "{name:%Y}/{session_id}",
        "{end:{x}}/{session_id}",
        "{end:{name}}/{session_id}",
        "{name:>999999999}/{session_id}",
        "{session_id:>999999999}/{session_id}",
        "{end:%999999999Y}/{session_id}",
        "{session_id}" + "x" * 300,
        "{name}-{name}-{space_name}/{session_id}",
        "a\0b/{session_id}",
        "\ud800/{session_id}",
        "..\\{session_id}",
        "%2e%2e/{session_id}",
        ".. /{session_id}",
        "C:/{session_id}",
        "s3://bucket/{session_id}",
        "{session_id}\n",
        "5b5f1a2c-3d4e-4f5a-8b9c-0d1e2f3a4b5c",
    ],
)
def test_a_path_template_that_could_lose_or_leak_something_is_refused(template):
    with pytest.raises(LessonspaceInputError, match=r"path_template=.*session_id"):
        check_path_template(template)


def test_a_year_inside_of_braces_is_refused_for_that_reason_and_taken_outside_of_them():
    with pytest.raises(LessonspaceInputError, match="no number of four digits inside of braces"):
        check_path_template("{end:2026/%m}/{session_id}")
    template = check_path_template("2026/{end:%m}/{session_id}")
    assert transcript_path(a_session(), template) == f"2026/11/{UUID}"


def test_dots_in_a_template_do_not_lead_out_either():
    template = check_path_template("../{start:%Y}//./{session_id}")
    assert transcript_path(a_session(), template) == f"2026/{UUID}"


def test_session_keeps_its_name_where_a_list_writes_the_uuid_in_capitals():
    session = a_session()
    capitals = {**session, "uuid": session["uuid"].upper()}
    assert session_id_of(capitals) == session_id_of(session)
    assert transcript_path(capitals) == transcript_path(session)


@pytest.mark.parametrize(
    ("fields", "session_id"),
    [
        ({"id": 7}, UUID),
        ({"uuid": UUID.upper()}, UUID),
        ({"uuid": None, "id": 7}, "no uuid, id 7"),
        ({"uuid": "{{ conn.smtp_default.password }}", "id": 7}, "no uuid, id 7"),
        ({"uuid": "../../etc/passwd", "id": 7}, "no uuid, id 7"),
        ({"uuid": f"{UUID}\n", "id": 7}, "no uuid, id 7"),
    ],
)
def test_a_session_is_named_by_its_uuid_or_by_its_number(fields, session_id):
    assert session_id_of(a_session(**fields)) == session_id


@pytest.mark.parametrize("number", [None, "7", True, 10**30, {}])
def test_sessions_without_any_id_have_different_names_that_do_not_change(number):
    one, other = (a_session(uuid=None, id=number, name=name) for name in ("one", "other"))
    assert session_id_of(one) != session_id_of(other)
    assert session_id_of(one) == session_id_of({**one})


def test_what_is_no_session_has_a_name_too():
    nested = []
    for _ in range(10_000):
        nested = [nested]
    names = [session_id_of(odd) for odd in (None, 7, "x", [], a_session(uuid=nested))]
    assert len(set(names)) == len(names)
    assert all(name.startswith("no uuid, ") for name in [*names, session_id_of(a_session(uuid=10**5000))])
