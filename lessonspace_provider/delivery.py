# SPDX-License-Identifier: Apache-2.0
"""Hands a link on inside the task, so that it never lies in XCom."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from inspect import isasyncgen, isawaitable, isclass, iscoroutinefunction, isgenerator, signature
from typing import TYPE_CHECKING, TypeVar, cast

from airflow.sdk.bases.notifier import BaseNotifier

from lessonspace_provider.exceptions import LessonspaceError
from lessonspace_provider.parameters import refuse

if TYPE_CHECKING:
    from airflow.sdk import Context

Handed = TypeVar("Handed", bound=Mapping[str, object])


def check_deliver(deliver: object, of: str) -> None:
    """
    Refuse what can't deliver anything.

    :param deliver: what the DAG author gave; None is fine, nothing is delivered then.
    :param of: what it would be called with, for the message: "launch".
    :raises LessonspaceInputError: for anything that can't be called, and for what only seems to run when it is: an
        async function, a task, a class, or what does not take two arguments.
    """
    if deliver is None:
        return
    # A @task function has expand(), and makes another task when it is called.
    if not callable(deliver) or isclass(deliver) or hasattr(deliver, "expand") or iscoroutinefunction(deliver):
        raise refuse("deliver", type(deliver), "a plain function, neither async nor a @task, or an Airflow notifier")
    if not _takes_two_arguments(deliver):
        raise refuse("deliver", type(deliver), f"a function that takes two arguments, {of} and context")


def _takes_two_arguments(deliver: Callable[..., object]) -> bool:
    try:
        signature(deliver).bind(None, None)
    except TypeError:
        return isinstance(deliver, BaseNotifier)  # which is never called, but asked to notify
    except ValueError:  # written in C, without a signature
        return True
    return True


def hand_on(
    deliver: Callable[[Handed, Context], object] | BaseNotifier,
    handed: Handed,
    context: Context,
    *,
    called: str,
    what: str,
    then: str,
) -> None:
    """
    Deliver something secret, and tell of a failure without repeating it.

    :param deliver: called with ``handed`` and the context; or a notifier, rendered with ``handed`` in its context.
    :param handed: what to deliver.
    :param called: its name in the notifier's templates: "launch".
    :param what: begins the error's message: "The link to space 'x'".
    :param then: ends it: what is there all the same, and what to do.
    :raises LessonspaceError: when the delivery failed, with the kind of its error only; or has not begun.
    """
    try:
        if isinstance(deliver, BaseNotifier):
            made = _notify(deliver, {called: handed}, context)
        else:
            made = deliver(handed, context)
        reason = _why_not_run(made)
    except Exception as error:
        # Its text and its frames may hold the link.
        reason = f"{type(error).__name__} in deliver"
    if reason:
        raise LessonspaceError(f"{what} was not delivered ({reason}); {then}")


def _notify(notifier: BaseNotifier, handed: Mapping[str, object], context: Context) -> object:
    """Notify, with the error if there is one: calling a notifier would only log it. The link stays in a copy."""
    notifier = copy.copy(notifier)
    rendering = cast("Context", {**context, **handed})
    notifier.render_template_fields(rendering)
    notify: Callable[[Context], object] = notifier.notify  # an async one makes a coroutine
    return notify(rendering)


def _why_not_run(made: object) -> str | None:
    """Say why nothing was delivered, when calling it has only made something that somebody would have to run."""
    # A notifier can be awaited from Airflow 3.1 on only.
    if not (isawaitable(made) or isinstance(made, BaseNotifier) or isgenerator(made) or isasyncgen(made)):
        return None
    if (close := getattr(made, "close", None)) is not None:
        close()  # or Python warns of a coroutine that nobody awaited
    return f"deliver must be a plain function: it only made a {type(made).__name__}, which nobody runs"
