# SPDX-License-Identifier: Apache-2.0
"""Delivers a link inside the task, so that it is never stored in XCom."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Mapping
from functools import partial
from inspect import isasyncgen, isawaitable, isclass, iscoroutinefunction, isgenerator, signature
from itertools import dropwhile
from pathlib import Path
from traceback import walk_tb
from typing import TYPE_CHECKING, TypeVar, cast

from airflow.sdk.bases.notifier import BaseNotifier

from lessonspace_provider.api.arguments import refuse_hidden
from lessonspace_provider.api.log import TaskLog
from lessonspace_provider.exceptions import LessonspaceDeliveryError
from lessonspace_provider.output.supervisor_calls import supervisor_calls

if TYPE_CHECKING:
    from airflow.sdk import Context

Handed = TypeVar("Handed")
Returned = TypeVar("Returned")

#: How many of a failed delivery's outermost frames are logged, and how many of its innermost.
FRAMES_SHOWN = 20

#: Characters of a file's or a function's name that are logged.
LONGEST_NAME = 300

_OWN_FOLDER = f"{Path(__file__).parent}{os.sep}"


def check_deliver(deliver: object, of: str, parameter: str = "deliver") -> None:
    """
    Refuse what can't deliver anything.

    :param deliver: what the DAG author gave; None is fine, nothing is delivered then.
    :param of: what it would be called with, for the message: "launch".
    :param parameter: its name, for the message.
    :raises LessonspaceInputError: for anything that can't be called, and for what only seems to run when it is: an
        async function, a task, a class, or what does not take two arguments.
    """
    if deliver is None:
        return
    # A @task function has expand(), and makes another task when it is called.
    if not callable(deliver) or isclass(deliver) or hasattr(deliver, "expand") or iscoroutinefunction(deliver):
        allowed = "a plain function, neither async nor a @task, or an Airflow notifier"
        if not callable(deliver):
            allowed += f". Give the function itself, {parameter}=send, and not what it returns, {parameter}=send()"
        raise refuse_hidden(parameter, deliver, allowed)
    if not _takes_two_arguments(deliver):
        raise refuse_hidden(parameter, deliver, f"a function that takes two arguments, {of} and context")


def _takes_two_arguments(deliver: Callable[..., object]) -> bool:
    try:
        signature(deliver).bind(None, None)
    except TypeError:
        return isinstance(deliver, BaseNotifier)  # which is never called, but asked to notify
    except ValueError:  # written in C, without a signature
        return True
    return True


def deliver_link(
    deliver: Callable[[Handed, Context], Returned] | BaseNotifier,
    handed: Handed,
    context: Context,
    *,
    called: str,
    what: str,
    then: str,
    log: TaskLog,
    parameter: str = "deliver",
) -> object:
    """
    Call ``deliver`` with a link, or with several, and report a failure without repeating them.

    :param deliver: called with ``handed`` and the context; or a notifier, rendered with ``handed`` in its context.
    :param handed: what to deliver.
    :param called: its name in the notifier's templates: "launch".
    :param what: begins the error's message: "The link to space 'x'".
    :param then: ends it: what exists anyway, and what to do.
    :param log: receives a line for a delivery, and for a failure file, line and function of each frame.
    :param parameter: what the DAG author's parameter is called.
    :return: what ``deliver`` returned.
    :raises LessonspaceDeliveryError: when the delivery failed, with the kind of its error only; or was never run.
    """
    try:
        with supervisor_calls:  # a deliver that reads a connection calls it
            if isinstance(deliver, BaseNotifier):
                made = _notify(deliver, {called: handed}, context)
            else:
                made = deliver(handed, context)
        reason = _why_not_run(made, parameter)
    except (Exception, SystemExit) as error:  # Airflow logs what a SystemExit was raised with
        # Its text and its variables may hold the link.
        reason = f"{type(error).__name__} in {parameter}, the log lists its frames"
        log_frames(log, parameter, error)
    if reason:
        raise LessonspaceDeliveryError(f"{what} was not delivered ({reason}); {then}")
    log.info("%s was delivered with %s.", what, name_of(deliver))
    return made


def name_of(deliver: object) -> str:
    """Name a function or a notifier for a log line; never by its repr, which may hold a secret."""
    while isinstance(deliver, partial):
        deliver = deliver.func
    return _shorten(str(getattr(deliver, "__qualname__", type(deliver).__qualname__)))


def log_frames(log: TaskLog, what: str, error: BaseException) -> None:
    """
    Log where in the DAG author's code, and in the libraries below it, an error was raised.

    The error's text, its chain, the variables and the source lines stay out: each may hold a link or a key.

    :param what: what failed, as the beginning of "... failed".
    """
    frames = frames_of(error)
    if len(frames) > 2 * FRAMES_SHOWN:
        left_out = len(frames) - 2 * FRAMES_SHOWN
        frames = [*frames[:FRAMES_SHOWN], f"  ... {left_out} more frames ...", *frames[-FRAMES_SHOWN:]]
    where = "\n".join(frames) or "  no frame of Python code: it was raised by the call itself"
    log.error("%s failed with %s, raised in (most recent call last):\n%s", what, type(error).__name__, where)


def frames_of(error: BaseException) -> list[str]:
    """
    List the frames of an error's traceback below this package's own, outermost first.

    :return: a line each: file, line number and function.
    """
    places = [(frame.f_code.co_filename, line, frame.f_code.co_name) for frame, line in walk_tb(error.__traceback__)]
    theirs = dropwhile(lambda place: place[0].startswith(_OWN_FOLDER), places)
    return [f'  File "{_shorten(file)}", line {line}, in {_shorten(function)}' for file, line, function in theirs]


def _shorten(name: str) -> str:
    """Bound the name of a file or function, which code that was compiled at run time may have chosen."""
    if "://" in name or not name.isprintable():
        return "<not shown>"
    return name[:LONGEST_NAME]


def _notify(notifier: BaseNotifier, handed: Mapping[str, object], context: Context) -> object:
    """Notify, with the error if there is one: calling a notifier would only log it. The link stays in a copy."""
    notifier = copy.copy(notifier)
    rendering = cast("Context", {**context, **handed})
    notifier.render_template_fields(rendering)
    notify: Callable[[Context], object] = notifier.notify  # an async one makes a coroutine
    return notify(rendering)


def _why_not_run(made: object, parameter: str) -> str | None:
    """Explain why nothing was delivered, when the call only returned an object that would have to be run."""
    # A notifier can be awaited from Airflow 3.1 on only.
    if not (isawaitable(made) or isinstance(made, BaseNotifier) or isgenerator(made) or isasyncgen(made)):
        return None
    if (close := getattr(made, "close", None)) is not None:
        close()  # or Python warns of a coroutine that was never awaited
    return f"{parameter} must be a plain function: it only made a {type(made).__name__}, which nothing runs"
