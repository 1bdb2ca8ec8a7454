# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from lessonspace_provider.bulk.account import Unrecorded
from lessonspace_provider.bulk.items import Item
from lessonspace_provider.bulk.launch_job import MOST_SENTENCES, LaunchJob
from lessonspace_provider.exceptions import (
    LessonspaceAccountError,
    LessonspaceDeliveryError,
    LessonspaceInputError,
    LessonspaceSettingRefusedError,
)
from lessonspace_provider.output.launch_delivery import LaunchDelivery
from tests.unit.bulk.test_run import Log

LINK = "https://www.thelessonspace.com/space/room-1?user=ey.JWT.sig"


class Hook:
    """Stands in for the hook: keeps the bodies, and answers with these settings of the room."""

    def __init__(self, **settings):
        self.bodies, self.settings = [], settings

    def send_launch(self, body, *, client_ip=None):
        self.bodies.append((body, client_ip))
        return {"client_url": LINK, "secret": "s3cret", "room_settings": self.settings, "created": True}


class Job:
    """A job with one launch, and what came of it."""

    def __init__(self, hook=None, book=None, *, on_setting_refused="warn", deliver_secret=False, deliver=None):
        self.hook, self.log, self.delivered = hook or Hook(), Log(), []
        deliver = deliver or (lambda launch, context: self.delivered.append((launch, context)))
        delivery = LaunchDelivery(deliver, deliver_secret, on_setting_refused)
        self.job = LaunchJob(self.hook, delivery, {"ds": "2026-11-24"}, self.log)
        self._attempt = self.job.attempts(book or Unrecorded())

    def attempt(self, **parameters):
        task = {"launch_id": "maths", "user": {"name": "Ann"}, **parameters}
        return self._attempt(Item(key="k", label="maths", place="item 1", task=task))


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


def test_nothing_is_delivered_that_can_not_be_recorded_any_more():
    class Closed(Unrecorded):
        def check_open(self):
            raise LessonspaceAccountError("closed")

    job = Job(book=Closed())
    with pytest.raises(LessonspaceAccountError):
        job.attempt()
    assert job.delivered == []


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
    with pytest.raises(LessonspaceInputError, match="not_after is past"):
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
