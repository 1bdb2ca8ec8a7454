# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from lessonspace_provider.bulk.items import Item, Row
from lessonspace_provider.bulk.launches import DEFAULTS, MOST_SENTENCES, LaunchJob, plan_launches
from lessonspace_provider.bulk.rows import as_defaults
from lessonspace_provider.exceptions import (
    LessonspaceDeliveryError,
    LessonspaceInputError,
    LessonspaceSettingRefusedError,
)
from lessonspace_provider.output.launch_delivery import LaunchDelivery
from tests.unit.bulk.test_run import Log

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


@pytest.mark.parametrize("launch", [person(10**5000), {"launch_id": 10**5000}], ids=["name", "launch_id"])
def test_a_number_of_thousands_of_digits_is_refused_and_the_others_are_planned(launch):
    planned = plan(launch, person("Ann"))
    assert [refusal.item.place for refusal in planned.refusals] == ["item 1"]
    assert places(planned.items) == ["item 2"]


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
            "Unknown launch parameter 'email'. It is a field of user: 'user': {'email': ...}. Known names:",
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
        as_defaults(defaults, DEFAULTS)
    assert message in str(caught.value)


def test_no_defaults_are_none():
    assert as_defaults(None, DEFAULTS) == {}


# Sending and delivering

LINK = "https://www.thelessonspace.com/space/room-1?user=ey.JWT.sig"


class Hook:
    """Stands in for the hook: keeps the bodies, and answers with these settings of the room."""

    def __init__(self, **settings):
        self.bodies, self.settings = [], settings

    def send_launch(self, body, *, client_ip=None, is_one_of_many):
        self.bodies.append((body, client_ip))
        return {"client_url": LINK, "secret": "s3cret", "room_settings": self.settings, "created": True}


class Job:
    """A job with one launch, and what came of it."""

    def __init__(self, hook=None, *, on_setting_refused="warn", deliver_secret=False, deliver=None, deliver_many=None):
        self.hook, self.log, self.delivered = hook or Hook(), Log(), []
        if deliver is None and deliver_many is None:
            deliver = lambda launch, context: self.delivered.append((launch, context))  # noqa: E731
        delivery = LaunchDelivery(deliver, deliver_secret, on_setting_refused, deliver_many)
        delivery.check()
        self.job = LaunchJob(self.hook, delivery, {"ds": "2026-11-24"}, self.log)

    def send(self, **parameters):
        task = {"launch_id": "maths", "user": {"name": "Ann"}, **parameters}
        item = Item(key="k", label="maths", place="item 1", task=task)
        return item, self.job.send(item)

    def attempt(self, **parameters):
        (error,) = self.job.deliver([self.send(**parameters)])
        if error:
            raise error

    def attempt_batch(self, *names):
        """Launch for some people, deliver together, and give the errors by name."""
        sent = [self.send(user={"name": name}) for name in names]
        return dict(zip(names, self.job.deliver(sent), strict=True))


def test_a_launch_is_sent_and_its_link_delivered_with_the_callers_parameters():
    job = Job()
    job.attempt(client_ip="203.0.113.7", recipient={"phone": "0123"})
    assert job.hook.bodies == [({"id": "maths", "user": {"name": "Ann"}}, "203.0.113.7")]
    ((launch, context),) = job.delivered
    assert launch["client_url"] == LINK
    assert launch["request"]["recipient"] == {"phone": "0123"}
    assert "secret" not in launch
    assert context == {"ds": "2026-11-24"}
    assert "JWT" not in job.log.text
    assert "Ann" not in job.log.text


def test_the_secret_is_delivered_when_it_is_to():
    job = Job(deliver_secret=True)
    job.attempt()
    assert job.delivered[0][0]["secret"] == "s3cret"


def test_a_delivery_that_fails_is_the_launchs_failure():
    def fails(launch, context):
        raise RuntimeError(launch["client_url"])

    job = Job(deliver=fails)
    with pytest.raises(LessonspaceDeliveryError, match="'maths' was not delivered"):
        job.attempt()
    assert "in fails" in job.log.text
    assert "JWT" not in job.log.text


def test_a_link_that_is_dead_by_the_time_of_its_turn_is_not_sent():
    job = Job()
    with pytest.raises(LessonspaceInputError, match=r"not_after .*is past"):
        job.attempt(timeouts={"not_after": "2026-01-01T00:00:00Z"})
    assert job.hook.bodies == []


def test_settings_that_do_not_hold_are_counted_and_reported_once():
    job = Job(Hook(transcribe=False))
    for _ in range(3):
        job.attempt(transcribe=True)
    job.job.report_settings()
    (line,) = [line for line in job.log.lines if "was sent, but" in line]
    assert line.startswith("3 launches: transcribe=True was sent, but the space has transcribe=False")
    assert len(job.delivered) == 3
    assert MOST_SENTENCES > 1


def test_a_setting_that_does_not_hold_can_be_the_launchs_failure():
    job = Job(Hook(transcribe=False), on_setting_refused="fail")
    with pytest.raises(LessonspaceSettingRefusedError, match="'maths' exists"):
        job.attempt(transcribe=True)
    assert job.delivered == []


def test_a_batch_is_delivered_in_one_call_with_all_its_links():
    calls = []
    job = Job(deliver_many=lambda launches, context: calls.append((launches, context)))
    assert job.attempt_batch("Ann", "Ben") == {"Ann": None, "Ben": None}
    ((launches, context),) = calls
    assert [launch["request"]["user"]["name"] for launch in launches] == ["Ann", "Ben"]
    assert [launch["client_url"] for launch in launches] == [LINK, LINK]
    assert context == {"ds": "2026-11-24"}


def test_launches_that_deliver_many_returns_are_not_delivered():
    job = Job(deliver_many=lambda launches, context: launches[1:2])
    errors = job.attempt_batch("Ann", "Ben", "Cy")
    assert [name for name, error in errors.items() if error] == ["Ben"]
    assert "deliver_many returned this launch as not delivered" in str(errors["Ben"])


def test_a_batch_that_fails_is_the_failure_of_all_its_launches():
    def fails(launches, context):
        raise RuntimeError(launches[0]["client_url"])

    job = Job(deliver_many=fails)
    errors = job.attempt_batch("Ann", "Ben")
    message = "A batch of 2 links was not delivered (RuntimeError in deliver_many, the log lists its frames)"
    assert [str(error).startswith(message) for error in errors.values()] == [True, True]
    assert "in fails" in job.log.text
    assert "JWT" not in job.log.text + str(errors)


@pytest.mark.parametrize(
    "returned", [True, False, {"status": 202}, 2, "sent", [{"client_url": LINK}], [LINK], iter(())]
)
def test_any_other_result_of_deliver_many_fails_its_batch(returned):
    job = Job(deliver_many=lambda launches, context: returned)
    errors = job.attempt_batch("Ann", "Ben")
    assert all("It must return None, or a list of the launches" in str(error) for error in errors.values())
    assert "JWT" not in job.log.text + str(errors)


def test_deliver_many_that_changes_its_list_changes_no_outcome():
    job = Job(deliver_many=lambda launches, context: launches.clear())
    assert job.attempt_batch("Ann", "Ben") == {"Ann": None, "Ben": None}


def test_a_coroutine_of_deliver_many_is_no_delivery():
    async def send(launches):
        """Never run."""

    errors = Job(deliver_many=lambda launches, context: send(launches)).attempt_batch("Ann")
    assert "deliver_many must be a plain function" in str(errors["Ann"])


@pytest.mark.parametrize(
    ("deliveries", "message"),
    [
        ({"deliver_many": "send"}, "deliver_many was refused"),
        ({"deliver_many": lambda launches: None}, "takes two arguments, launches and context"),
        (
            {"deliver": lambda launch, context: None, "deliver_many": lambda launches, context: None},
            "deliver_many was refused: it must be left out where deliver is given",
        ),
    ],
)
def test_deliver_many_that_can_not_be_used_is_refused(deliveries, message):
    with pytest.raises(LessonspaceInputError) as caught:
        Job(**deliveries)
    assert message in str(caught.value)
