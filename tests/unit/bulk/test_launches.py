# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from lessonspace_provider.bulk.items import Row
from lessonspace_provider.bulk.launches import as_defaults, plan_launches
from lessonspace_provider.exceptions import LessonspaceInputError

START = datetime.now(timezone.utc).replace(microsecond=0) + timedelta(hours=3)
LESSON = {"lesson_start": START, "lesson_end": START + timedelta(hours=1)}


def key_of(*identity):
    return "|".join(identity)


def plan(*launches, defaults=None, most=100):
    rows = [Row(f"item {number}", launch) for number, launch in enumerate(launches, start=1)]
    return plan_launches(rows, key_of, defaults=defaults or {}, max_links_per_space=most)


def person(name, **fields):
    return {"launch_id": "maths", "user": {"name": name, **fields}}


def places(items):
    return [item.place for item in items]


def reasons(planned):
    return {refusal.item.place: refusal.reason for refusal in planned.refusals}


def test_the_teachers_launch_makes_the_room_and_the_others_wait_for_it():
    planned = plan(
        person("Ben"),
        person("Ada", role="teacher"),
        {"launch_id": "physics", "user": {"name": "Cy"}},
        {"launch_id": "physics", "user": {"name": "Dee", "leader": True}},
    )
    assert places(planned.items) == ["item 2", "item 4", "item 1", "item 3"]
    ada, dee, ben, cy = planned.items
    assert (ada.after, dee.after, ben.after, cy.after) == (None, None, ada.key, dee.key)


def test_without_a_teacher_the_first_makes_the_room():
    ann, ben = plan(person("Ann"), person("Ben")).items
    assert (ann.place, ann.after, ben.after) == ("item 1", None, ann.key)


def test_a_person_is_in_a_lesson_once_and_in_another_lesson_again():
    later = {"lesson_start": START + timedelta(days=1), "lesson_end": START + timedelta(days=1, hours=1)}
    planned = plan(
        {**person("Ann"), **LESSON},
        {**person("Ann"), **later},
        {**person("Ann", email="ann@school.example"), **LESSON},
        {**person("Ann", id="7"), **LESSON},
        {**person("Other", id="7"), **LESSON},
    )
    assert places(planned.items) == ["item 1", "item 2", "item 4"]
    assert reasons(planned) == {
        "item 3": "this person is in this lesson twice, see item 1",
        "item 5": "this person is in this lesson twice, see item 4",
    }


def test_the_same_lesson_written_in_another_way_is_the_same():
    text = {
        "lesson_start": START.isoformat(),
        "lesson_end": (START + timedelta(hours=1)).isoformat().replace("+00:00", "Z"),
    }
    assert places(plan({**person("Ann"), **LESSON}, {**person("Ann"), **text}).items) == ["item 1"]


def test_each_guest_of_a_lesson_gets_a_link():
    planned = plan({"launch_id": "maths"}, {"launch_id": "maths"})
    assert len({item.key for item in planned.items}) == 2


def test_an_items_key_does_not_depend_on_its_place_or_on_the_other_fields():
    (one,) = plan(person("Ann", email="ann@school.example")).items
    _, other = plan(person("Ben"), {**person("Ann"), "transcribe": True}).items
    assert one.key == other.key


def test_defaults_hold_where_a_launch_gives_nothing():
    planned = plan(
        {**person("Ann"), "transcribe": None}, {**person("Ben"), "transcribe": False}, defaults={"transcribe": True}
    )
    assert [item.task["transcribe"] for item in planned.items] == [True, False]


@pytest.mark.parametrize(
    ("launch", "reason"),
    [
        ({}, "launch_id=None was refused"),
        ({"launch_id": "x" * 65}, "was refused: it must be text of 1 to 64 characters"),
        (
            {"launch_id": "maths", "email": "ann@school.example"},
            "Unknown launch parameter 'email'. It is a field of user: 'user': {'email': ...}. Known are:",
        ),
        ({"id": "maths"}, "Unknown launch parameter 'id'. Did you mean 'launch_id'?"),
        ({"launch_id": "maths", "nmae": "x"}, "Unknown launch parameter 'nmae'. Did you mean 'name'?"),
        (person("Ann", email="nobody"), "user.email was refused"),
        (
            {**person("Ann"), "lesson_start": "2026-11-23T09:00:00", "lesson_end": "2026-11-23T10:00:00Z"},
            "lesson_start=",
        ),
        ({"launch_id": "maths", "user": {"id": "None"}}, "user.id='None' was refused"),
    ],
)
def test_a_bad_launch_is_refused_and_the_others_are_planned(launch, reason):
    planned = plan(person("Ada"), launch)
    assert places(planned.items) == ["item 1"]
    assert reason in reasons(planned)["item 2"]


def test_a_row_that_can_not_be_read_is_refused():
    planned = plan_launches([Row("line 7", {}, "it is no JSON")], key_of, defaults={}, max_links_per_space=9)
    assert reasons(planned) == {"line 7": "it is no JSON"}


def test_a_reason_has_no_name_address_or_recipient():
    launch = {
        "launch_id": "maths for Ann",
        "user": {"name": "Ann", "role": "Ann's mother"},
        "recipient": {"to": "mother"},
    }
    (reason,) = reasons(plan(launch)).values()
    assert "Ann" not in reason
    assert "mother" not in reason


def test_five_thousand_launches_for_a_space_are_all_refused():
    crowd = ({"launch_id": "maths", "user": {"id": str(number)}} for number in range(5000))
    planned = plan(*crowd, {"launch_id": "physics"}, most=200)
    assert [item.label for item in planned.items] == ["physics"]
    assert len(planned.refusals) == 5000
    assert "5000 launches are for this space, and max_links_per_space=200" in planned.refusals[0].reason


def test_all_launches_of_a_crowded_space_are_refused():
    planned = plan(*(person(f"P{number}") for number in range(4)), {"launch_id": "physics"}, most=3)
    assert [item.label for item in planned.items] == ["physics"]
    assert set(reasons(planned).values()) == {
        "4 launches are for this space, and max_links_per_space=3: check launch_id, or raise the limit"
    }


def test_a_warning_that_many_launches_share_is_given_once():
    planned = plan(*(person(f"P{number}") for number in range(3)), defaults={"features": {"chatt": True}})
    (warning,) = planned.warnings
    assert warning.startswith("Space 'maths': unknown features 'chatt'")
    assert warning.endswith("(3 launches)")


@pytest.mark.parametrize(
    ("defaults", "message"),
    [
        (["transcribe"], "defaults was refused"),
        ({"launch_id": "maths"}, "Unknown field of defaults 'launch_id'"),
        ({"auth_external": {}}, "Unknown field of defaults 'auth_external'"),
        ({"transcibe": True}, "Did you mean 'transcribe'?"),
    ],
)
def test_bad_defaults_are_refused(defaults, message):
    with pytest.raises(LessonspaceInputError) as caught:
        as_defaults(defaults)
    assert message in str(caught.value)


def test_no_defaults_are_none():
    assert as_defaults(None) == {}
