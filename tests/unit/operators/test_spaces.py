# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import gc
import re
import traceback
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace

import pytest
from airflow.sdk import task
from airflow.sdk.bases.notifier import BaseNotifier

from lessonspace_provider.api.times import write_time
from lessonspace_provider.api.types import LaunchOptions
from lessonspace_provider.exceptions import LessonspaceBadRequestError, LessonspaceError, LessonspaceInputError
from lessonspace_provider.links import LessonspaceSpaceLink
from lessonspace_provider.operators.spaces import (
    LessonspaceLaunchSpaceOperator,
    LessonspaceListSpacesOperator,
    space_page,
)

LINK = "https://www.thelessonspace.com/space/room-1?user=ey.JWT.sig"
LAUNCH = {
    "client_url": LINK,
    "api_base": "https://room-1.example.org/api",
    "room_id": "room-1",
    "secret": "s3cr3t-of-the-space",
    "session_id": "5b5f1a2c-3d4e-4f5a-8b9c-0d1e2f3a4b5c",
    "user_id": 7,
    "room_settings": {"record_av": True},
    "created": True,
}
SOON = datetime.now(timezone.utc).replace(microsecond=0) + timedelta(hours=3)


class Hook:
    """Stands in for the hook: takes note of a launch, and answers it."""

    def __init__(self):
        self.launches = []

    def send_launch(self, body, *, client_ip):
        self.launches.append(body)
        return dict(LAUNCH)


def an_operator(**parameters):
    operator = LessonspaceLaunchSpaceOperator(task_id="launch", launch_id="maths-7b", **parameters)
    operator.hook = Hook()
    return operator


def sent(operator):
    (body,) = operator.hook.launches
    return {name: value for name, value in body.items() if name != "id"}


def test_neither_the_secret_nor_the_link_is_in_the_result():
    result = an_operator().execute({})
    assert set(result) == {"room_id", "session_id", "user_id", "created", "api_base", "room_settings"}


def test_the_link_is_in_the_result_when_it_is_asked_for_and_the_secret_is_not():
    result = an_operator(push_client_url=True).execute({})
    assert result["client_url"] == LINK
    assert LAUNCH["secret"] not in str(result)


def test_what_is_not_given_is_not_sent_and_false_is():
    operator = an_operator(transcribe=False, name="")
    operator.execute({})
    assert sent(operator) == {"transcribe": False, "name": ""}


def test_a_lessons_times_become_the_links_window():
    operator = an_operator(
        lesson_start=SOON, lesson_end=(SOON + timedelta(hours=1)).isoformat(), join_early=600, join_late=timedelta(0)
    )
    operator.execute({})
    assert sent(operator)["timeouts"] == {
        "not_before": write_time(SOON - timedelta(minutes=10)),
        "not_after": write_time(SOON + timedelta(hours=1)),
    }


async def mail_later(launch, context):
    """Makes a coroutine, which nobody awaits."""


@task
def mail_in_a_task(launch, context):
    """Makes a task, which nobody runs."""


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"deliver": mail_later}, "neither async"),
        ({"deliver": mail_in_a_task}, "nor a @task"),
        ({"deliver": BaseNotifier}, "deliver was refused"),
        ({"deliver": lambda: None}, "a function that takes two arguments, launch and context"),
        ({"deliver": lambda launch: None}, "a function that takes two arguments, launch and context"),
        ({"deliver": lambda launch, context, address: None}, "takes two arguments, launch and context"),
        ({"user": {"name": None, "email": None}}, r"all fields of user are None \(name, email\).* a guest's link"),
        ({"lesson_start": SOON}, "lesson_end was not given"),
        ({"lesson_start": SOON, "lesson_end": SOON}, "later than lesson_start"),
        ({"lesson_start": SOON, "lesson_end": SOON + timedelta(hours=1), "join_early": -1}, "join_early=-1"),
        ({"lesson_start": SOON, "lesson_end": SOON + timedelta(hours=1), "timeouts": {}}, "Give one of them"),
        ({"deliver": "mail it"}, "Give the function itself, deliver=send, and not what it returns, deliver=send()"),
        ({"deliver": mail_in_a_task(None, None)}, "Give the function itself, deliver=send, and not .*a task's output"),
        ({"push_client_url": "False"}, "push_client_url='False'"),
        ({"deliver_secret": "no"}, "deliver_secret='no'"),
        ({"on_setting_refused": "skip"}, "on_setting_refused='skip'"),
        ({"webhooks": {"recording": {"finish": "https://x.example"}}}, "Unknown webhook 'recording.finish'"),
    ],
)
def test_bad_parameters_are_refused_before_the_launch(parameters, message):
    operator = an_operator(**parameters)
    with pytest.raises(LessonspaceInputError, match=f"^Space 'maths-7b'.*{message}"):
        operator.execute({})
    assert operator.hook.launches == []


class HookThatFails:
    """Stands in for a hook whose launch fails with this error."""

    def __init__(self, error):
        self.error = error

    def send_launch(self, body, *, client_ip):
        raise self.error


def test_a_launch_that_fails_names_its_space_first_and_keeps_the_errors_kind_and_details():
    operator = an_operator()
    operator.hook = HookThatFails(
        LessonspaceBadRequestError("POST /spaces/launch/ failed with 400: no.", status=400, method="POST", path="/x/")
    )
    with pytest.raises(LessonspaceBadRequestError) as caught:
        operator.execute({})
    assert str(caught.value) == "Space 'maths-7b': POST /spaces/launch/ failed with 400: no."
    assert (caught.value.status, caught.value.method, caught.value.path) == (400, "POST", "/x/")


@pytest.mark.parametrize(
    "message", ["Space 'maths-7b' was not launched: no.", "launch_id='maths-7b' was refused: it must be shorter."]
)
def test_a_failure_that_names_its_space_does_not_name_it_twice(message):
    operator = an_operator()
    operator.hook = HookThatFails(LessonspaceInputError(message))
    with pytest.raises(LessonspaceInputError) as caught:
        operator.execute({})
    assert str(caught.value) == message


def test_the_space_none_of_a_template_is_not_launched():
    operator = an_operator()
    operator.launch_id = "None"
    with pytest.raises(LessonspaceInputError, match=r"^launch_id='None' was refused: .* template rendered to None"):
        operator.execute({})
    assert operator.hook.launches == []


def test_what_is_none_of_a_user_is_not_sent():
    operator = an_operator(user={"name": "Ann", "email": None, "leader": False})
    operator.execute({})
    assert sent(operator) == {"user": {"name": "Ann", "leader": False}}


@pytest.mark.parametrize(
    ("parameters", "field"), [({"name": "None"}, ": name is"), ({"user": {"name": "None"}}, ": user.name is")]
)
def test_someone_may_be_called_none_but_the_log_reports_it(parameters, field, capsys):
    operator = an_operator(**parameters)
    operator.execute({})
    assert sent(operator) == parameters
    told = capsys.readouterr().out
    assert f"Space 'maths-7b'{field} the text 'None'" in told
    assert told.count("the text 'None'") == 1


def test_other_names_are_no_matter_for_the_log(capsys):
    an_operator(name="Maths", user={"name": "Ann"}).execute({})
    assert "the text" not in capsys.readouterr().out


def test_deliver_gets_the_link_and_the_context_and_not_the_secret():
    delivered = []
    an_operator(deliver=lambda launch, context: delivered.append((launch, context))).execute({"ds": "2026-11-24"})
    ((launch, context),) = delivered
    assert launch["client_url"] == LINK
    assert "secret" not in launch
    assert context == {"ds": "2026-11-24"}


def test_deliver_gets_the_parameters_of_the_launch_without_a_token():
    delivered = []
    external = {"method": "child", "url": "https://s.example", "token": "t0ken"}
    operator = an_operator(
        user={"name": "Ann"}, auth_external=external, deliver=lambda launch, _: delivered.append(launch)
    )
    operator.execute({})
    request = delivered[0]["request"]
    assert (request["launch_id"], request["user"]) == ("maths-7b", {"name": "Ann"})
    assert not {"auth_external", "name", "secret"} & set(request)


def test_deliver_gets_the_secret_when_it_is_to():
    delivered = []
    an_operator(deliver=lambda launch, _: delivered.append(launch), deliver_secret=True).execute({})
    assert delivered[0]["secret"] == LAUNCH["secret"]


class Notifier(BaseNotifier):
    template_fields = ("text",)

    def __init__(self, text, sent=None):
        super().__init__()
        self.text = text
        self.sent = sent

    def notify(self, context):
        if self.sent is None:
            raise RuntimeError(f"the mail server refused {self.text}")
        self.sent.append(self.text)


def test_a_notifier_is_rendered_with_the_launch_and_keeps_nothing_of_it():
    notifier = Notifier("Join {{ launch.client_url }} on {{ ds }}", sent=[])
    an_operator(deliver=notifier).execute({"ds": "2026-11-24", "dag": None})
    assert notifier.sent == [f"Join {LINK} on 2026-11-24"]
    assert notifier.text == "Join {{ launch.client_url }} on {{ ds }}"


def failing(launch, context):
    raise RuntimeError(f"the mail server refused {launch['client_url']}")


@pytest.mark.parametrize("deliver", [failing, Notifier("{{ launch.client_url }}")])
def test_a_delivery_that_fails_fails_the_task_and_reports_it_without_the_link(deliver, capsys):
    with pytest.raises(LessonspaceError, match="'maths-7b' was not delivered") as caught:
        an_operator(deliver=deliver).execute({})
    told = "".join(traceback.format_exception(caught.type, caught.value, caught.tb))
    logged = capsys.readouterr().out
    assert "JWT" not in told + logged
    # Airflow 3.0 renders a notifier itself, so the failure is in a file of Airflow's.
    assert re.search(r'File "[^"]+(test_spaces|notifier)\.py", line \d+', logged)
    assert caught.value.__context__ is None


def post(launch, context):
    """Deliver a launch to nowhere."""


@pytest.mark.parametrize(
    ("parameters", "line"),
    [
        ({"deliver": post}, "The link to space 'maths-7b' was delivered with post."),
        ({"push_client_url": True}, "The link to space 'maths-7b' is in XCom (push_client_url)."),
        ({}, "The link to space 'maths-7b' was not delivered: set deliver or push_client_url."),
    ],
)
def test_a_launch_logs_where_its_link_went_without_link_and_name(parameters, line, capsys):
    an_operator(user={"name": "Ann Other"}, **parameters).execute({})
    logged = "".join(capsys.readouterr())
    (logged_line,) = (text for text in logged.splitlines() if line in text)
    assert ("warning" in logged_line.lower()) is not bool(parameters)
    assert not any(word in logged for word in ("JWT", "Ann Other", LAUNCH["secret"]))


class MailsLater:
    """A mailer whose calls are async, which no look at its type tells."""

    async def __call__(self, launch, context):
        raise AssertionError("nobody awaits it")


class NotifiesLater(Notifier):
    async def notify(self, context):
        raise AssertionError("nobody awaits it")


def mail_in_steps(launch, context):
    yield launch["client_url"]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("deliver", "made"),
    [
        (MailsLater(), "coroutine"),
        (lambda launch, context: mail_later(launch, context), "coroutine"),
        (NotifiesLater("{{ launch.client_url }}"), "coroutine"),
        (mail_in_steps, "generator"),
        (lambda launch, context: Notifier(launch["client_url"]), "Notifier"),
    ],
)
def test_a_delivery_that_no_one_runs_fails_the_task_and_names_the_reason(deliver, made):
    with pytest.raises(LessonspaceError, match=f"not delivered .*plain function: it only made a {made}") as caught:
        an_operator(deliver=deliver).execute({"dag": None})
    gc.collect()
    assert "JWT" not in "".join(traceback.format_exception(caught.type, caught.value, caught.tb))


def test_the_space_has_a_page_that_is_no_ones_link():
    operator = an_operator()
    operator.execute({})
    link = LessonspaceSpaceLink()
    assert link.get_link(operator, ti_key=None) == "https://www.thelessonspace.com/space/room-1"
    assert link.get_link(an_operator(), ti_key=None) == ""


@pytest.mark.parametrize(
    "client_url",
    [
        "",
        "https://www.thelessonspace.com/join/ey.JWT.sig",
        "https://www.thelessonspace.com/ey.JWT/room-1/x",
        None,
        7,
        "https://[x/room-1",
    ],
)
def test_a_link_of_another_shape_gives_no_page(client_url):
    assert space_page({**LAUNCH, "client_url": client_url}) is None


@pytest.mark.parametrize("odd", [{"client_url": 7}, {"client_url": "https://[x/room-1"}, {"room_id": None}, {}])
def test_an_odd_answer_is_delivered_anyway(odd):
    delivered = []
    operator = an_operator(deliver=lambda launch, context: delivered.append(launch))
    answer = {**LAUNCH, **odd} if odd else {"client_url": LINK, "created": True}
    operator.hook.send_launch = lambda body, **_: answer
    operator.execute({})
    assert [launch["client_url"] for launch in delivered] == [answer["client_url"]]


def test_what_opens_a_room_is_not_in_the_settings_of_the_result():
    operator = an_operator()
    settings = {"record_av": True, "room": {"secret": "s3cret", "name": "Algebra"}}
    operator.hook.send_launch = lambda body, **_: {**LAUNCH, "room_settings": settings}
    assert operator.execute({})["room_settings"] == {"record_av": True, "room": {"name": "Algebra"}}


def test_every_launch_field_is_templated():
    rendered_at_launch = {"auth_external"}
    assert set(LaunchOptions.__annotations__) - rendered_at_launch <= set(
        LessonspaceLaunchSpaceOperator.template_fields
    )


def test_the_external_token_is_rendered_for_the_api_and_for_no_one_else():
    external = {"method": "child", "url": "https://s.example/{{ ds }}", "token": "{{ params.token }}"}
    operator = an_operator(name="Algebra {{ ds }}", auth_external=external)
    context = {"ds": "2026-11-24", "params": {"token": "t0ken-of-the-exam"}}
    operator.render_template_fields(context)
    result = operator.execute(context)
    rendered = {"method": "child", "url": "https://s.example/2026-11-24", "token": "t0ken-of-the-exam"}
    assert sent(operator) == {"name": "Algebra 2026-11-24", "auth_external": rendered}
    operator.hook = None
    shown = {name: getattr(operator, name) for name in operator.template_fields}
    for place in (shown, vars(operator), operator, result):
        assert "t0ken-of-the-exam" not in repr(place)


@pytest.mark.parametrize("token", ["{{ 'T0KEN'.x.y }}", "T0KEN {{ x", "{{ T0KEN() }}"])
def test_a_token_that_can_not_be_rendered_is_not_logged(token, capsys):
    operator = an_operator(auth_external={"method": "child", "url": "https://school.example", "token": token})
    with pytest.raises(LessonspaceError, match=r"'maths-7b' was not launched.*auth_external") as caught:
        operator.execute({})
    told = "".join(traceback.format_exception(caught.type, caught.value, caught.tb))
    logged = capsys.readouterr().out
    assert "T0KEN" not in told + logged
    assert "Rendering auth_external failed with " in logged
    assert ", in " in logged
    assert operator.hook.launches == []


def test_it_can_be_mapped():
    users = [{"user": {"name": "Ann"}}, {"user": {"name": "Ben"}}]
    mapped = LessonspaceLaunchSpaceOperator.partial(task_id="launch", launch_id="maths", deliver=failing)
    assert mapped.expand_kwargs(users).is_mapped


def answering(operator, **settings):
    """Let the hook answer with these settings of the room."""
    operator.hook.send_launch = lambda body, **_: {**LAUNCH, "room_settings": settings}
    return operator


def test_a_setting_that_was_refused_is_warned_of_and_the_link_delivered(capsys):
    delivered = []
    operator = an_operator(transcribe=True, deliver=lambda launch, context: delivered.append(launch))
    answering(operator, record_av=True, transcribe=False).execute({})
    logged = capsys.readouterr().out
    assert "Space 'maths-7b': transcribe=True was sent, but the space has transcribe=False: its sessions" in logged
    assert len(delivered) == 1


def test_a_setting_that_was_refused_can_fail_the_task_before_the_delivery():
    delivered = []
    operator = an_operator(
        transcribe=True,
        summarise=True,
        on_setting_refused="fail",
        push_client_url=True,
        deliver=lambda launch, context: delivered.append(launch),
    )
    message = r"^Space 'maths-7b' exists, but its link was not delivered.*no transcript.*no summary"
    with pytest.raises(LessonspaceError, match=message) as caught:
        answering(operator, transcribe=False, summarise=False).execute({})
    assert not isinstance(caught.value, LessonspaceInputError)
    assert delivered == []
    assert operator.space_page == "https://www.thelessonspace.com/space/room-1"


@pytest.mark.parametrize("on_setting_refused", ["warn", "fail"])
@pytest.mark.parametrize("settings", [{"transcribe": True, "record_av": True}, {}, {"transcribe": "no"}])
def test_settings_that_hold_or_are_not_known_are_no_matter(settings, on_setting_refused, capsys):
    answering(an_operator(transcribe=True, on_setting_refused=on_setting_refused), **settings).execute({})
    assert "was sent, but" not in capsys.readouterr().out


SPACE = {"id": "s-1", "slug": "room-1", "name": "Maths 7b", "url": f"{LINK}", "tags": "{}", "locks": [{"url": LINK}]}


@pytest.mark.parametrize(
    ("fields", "result"),
    [
        (None, {"space_id": "s-1", "room_id": "room-1", "name": "Maths 7b", "created_at": None}),
        ("all", {"id": "s-1", "slug": "room-1", "name": "Maths 7b", "tags": "{}", "locks": [{}]}),
        (["slug", "url"], {"slug": "room-1"}),
    ],
)
def test_spaces_are_listed_without_what_opens_them(fields, result):
    operator = LessonspaceListSpacesOperator(task_id="list", fields=fields, filters={"search": "maths"})
    asked = []
    operator.hook = SimpleNamespace(list_spaces=lambda **filters: asked.append(filters) or iter([SPACE]))
    assert operator.execute({}) == [result]
    assert asked == [{"search": "maths"}]


def test_a_list_of_spaces_can_be_mapped():
    mapped = LessonspaceListSpacesOperator.partial(task_id="list").expand(filters=[{"search": "maths"}])
    assert mapped.is_mapped
