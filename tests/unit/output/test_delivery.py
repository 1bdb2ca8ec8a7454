# SPDX-License-Identifier: Apache-2.0
"""What is logged of deliveries. That a link stays out of errors is tested with the operators."""

from __future__ import annotations

import functools
import json
import sys

import pytest
from airflow.sdk.bases.notifier import BaseNotifier

from lessonspace_provider.exceptions import LessonspaceError
from lessonspace_provider.output.delivery import FRAMES_SHOWN, deliver_link, log_frames, name_of

LINK = "https://www.thelessonspace.com/space/room-1?user=ey.JWT.sig"


class Log:
    """Keeps the lines that were logged."""

    def __init__(self):
        self.lines = []

    def info(self, message, *args):
        self.lines.append(message % args)

    error = info

    @property
    def text(self):
        return "\n".join(self.lines)


def deliver(function, log):
    deliver_link(
        function,
        {"client_url": LINK},
        {"dag": None},
        called="launch",
        what="The link to space 'x'",
        then="fix deliver.",
        log=log,
    )


def failed(function):
    log = Log()
    with pytest.raises(
        LessonspaceError, match=r"^The link to space 'x' was not delivered \(.*fix deliver\.$"
    ) as caught:
        deliver(function, log)
    assert "JWT" not in log.text + str(caught.value)
    assert caught.value.__cause__ is caught.value.__context__ is None
    return log.text


def look_up(addresses, name):
    return addresses[name]


def post(launch, context):
    address = launch["client_url"]
    return look_up({}, address)


def test_a_failure_logs_file_line_and_function_of_each_frame_of_theirs():
    text = failed(post)
    first_line = post.__code__.co_firstlineno
    assert text.splitlines() == [
        "deliver failed with KeyError, raised in (most recent call last):",
        f'  File "{__file__}", line {first_line + 2}, in post',
        f'  File "{__file__}", line {look_up.__code__.co_firstlineno + 1}, in look_up',
    ]


def test_the_frames_of_libraries_below_are_logged():
    text = failed(lambda launch, context: json.loads(launch["client_url"]))
    assert "JSONDecodeError" in text
    assert f'File "{json.decoder.__file__}"' in text
    assert "in raw_decode" in text


def chained(launch, context):
    try:
        look_up({}, launch["client_url"])
    except KeyError as error:
        raise RuntimeError(f"no address for {launch['client_url']}") from error


def test_the_chain_of_an_error_is_not_logged():
    text = failed(chained)
    assert "in chained" in text
    assert "look_up" not in text
    assert "KeyError" not in text


class Notifier(BaseNotifier):
    template_fields = ("text",)

    def __init__(self, text):
        super().__init__()
        self.text = text

    def notify(self, context):
        raise OSError(f"the mail server refused {self.text}")


def test_a_notifier_that_fails_logs_its_frames():
    text = failed(Notifier("{{ launch.client_url }}"))
    assert f'File "{__file__}", line {Notifier.notify.__code__.co_firstlineno + 1}, in notify' in text


def test_a_failure_of_the_call_itself_reports_that_there_are_no_frames():
    assert "no frame of Python code" in failed(functools.partial(int, base="x"))


def test_sys_exit_in_deliver_is_a_failure_and_its_text_is_not_passed_on():
    assert "SystemExit" in failed(lambda launch, context: sys.exit(launch["client_url"]))


def test_an_interrupt_is_passed_on():
    def interrupted(launch, context):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        deliver(interrupted, Log())


def endless(launch, context):
    return endless(launch, context)


def test_of_endless_frames_the_first_and_last_are_logged():
    lines = failed(endless).splitlines()
    assert len(lines) == 1 + FRAMES_SHOWN + 1 + FRAMES_SHOWN
    assert "more frames" in lines[1 + FRAMES_SHOWN]


@pytest.mark.parametrize("name", [LINK, "a\nb", "a\x1b[31mb"])
def test_a_file_name_made_at_run_time_is_not_logged_when_it_could_be_a_link(name):
    made = {}
    exec(compile("def post(launch, context): return {}['x']", name, "exec"), made)  # noqa: S102 - the case itself
    assert 'File "<not shown>", line 1, in post' in failed(made["post"])


def test_what_fails_elsewhere_is_logged_the_same_way():
    log = Log()
    try:
        look_up({}, LINK)
    except KeyError as error:
        log_frames(log, "Rendering auth_external", error)
    assert log.text.startswith("Rendering auth_external failed with KeyError")
    assert "in look_up" in log.text
    assert "JWT" not in log.text


class Mailer:
    def __init__(self, password):
        self.password = password

    def __repr__(self):
        return f"Mailer({self.password})"

    def __call__(self, launch, context):
        """Send nothing."""

    def send(self, launch, context):
        """Send nothing."""


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (post, "post"),
        (functools.partial(functools.partial(Mailer("pw").send)), "Mailer.send"),
        (Mailer("pw"), "Mailer"),
        (Notifier("x"), "Notifier"),
        (print, "print"),
    ],
)
def test_functions_and_notifiers_are_logged_by_their_names(function, name):
    assert name_of(function) == name


@pytest.mark.parametrize(("function", "name"), [(Mailer("pw").send, "Mailer.send"), (Mailer("pw"), "Mailer")])
def test_a_delivery_is_logged_with_what_delivered_it(function, name):
    log = Log()
    deliver(function, log)
    assert log.lines == [f"The link to space 'x' was delivered with {name}."]
