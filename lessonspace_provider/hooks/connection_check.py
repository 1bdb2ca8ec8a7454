# SPDX-License-Identifier: Apache-2.0
"""The connection's test, as Airflow's UI and `airflow connections test` ask for it."""

from __future__ import annotations

from contextlib import closing
from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING

from lessonspace_provider.api.foreign_words import clean_words
from lessonspace_provider.exceptions import LessonspaceError
from lessonspace_provider.rate_limit.gate import scope_notice

if TYPE_CHECKING:
    from lessonspace_provider.hooks.lessonspace import LessonspaceHook

#: Retry budget in seconds: a user is waiting, and a proxy may time out.
TEST_PATIENCE = 5.0


def check_connection(hook: LessonspaceHook) -> tuple[bool, str]:
    """
    Check a hook's API key and organisation.

    :return: success, and a sentence with the result or what to do.
    """
    try:
        hurried = _hurried(hook)
        with closing(hurried.get_conn()):
            greeting = hurried.hello()
            own_id = hurried.my_organisation_id()
    except LessonspaceError as error:
        return False, _about_this_connection(str(error), hook.lessonspace_conn_id)
    settings = hook.settings
    if settings.organisation_id not in (None, own_id):
        return False, (
            f"The API key is good, but belongs to organisation {own_id} and not to {settings.organisation_id}: correct "
            f"organisation_id, or leave it blank."
        )
    words = clean_words(greeting, api_key=settings.api_key)
    notice = scope_notice(settings.rate_limit)
    return True, f"Connected to organisation {own_id}. Lessonspace replied: {words}{f' {notice}' if notice else ''}"


def _hurried(hook: LessonspaceHook) -> LessonspaceHook:
    """Copy a hook for a user who is waiting. Its gate is that of the connection."""
    settings = hook.settings
    limit = settings.rate_limit
    hurried_limit = replace(limit, max_wait=min(limit.max_wait, TEST_PATIENCE))
    hurried = copy(hook)
    vars(hurried)["_transport"] = hook._make_transport(replace(settings, rate_limit=hurried_limit))
    return hurried


def _about_this_connection(message: str, conn_id: str) -> str:
    """Leave the connection's id out: the UI tests connections under an id that it makes up."""
    return message.replace(f"Connection {conn_id!r}", "This connection").replace(
        f"connection {conn_id!r}", "this connection"
    )
