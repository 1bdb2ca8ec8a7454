# SPDX-License-Identifier: Apache-2.0
"""The account that is checked, as far as the API shows it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote

from lessonspace_provider.api.shapes import objects_in
from lessonspace_provider.exceptions import PASSING_ERRORS, LessonspaceError
from lessonspace_provider.hooks.lessonspace import LessonspaceHook
from lessonspace_provider.sessions import end_time, space_of
from lessonspace_provider.waiting.transcripts import transcript_obstacle

if TYPE_CHECKING:
    from lessonspace_provider.api.types import Session

Json = Mapping[str, object]

REQUESTS_PER_SECOND = 1.0

#: Seconds at most for a call with its retries: a user is waiting.
LONGEST_WAIT = 60.0

#: Statuses that are inconclusive: the key may not, or not now, or the server has a fault.
INCONCLUSIVE = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS)

#: How many sessions at most are asked for a transcript or a recording.
MOST_TRIES = 5

SINGLE_USERS_TOO = ("include_single_user", "true")


@dataclass(frozen=True, repr=False)
class Got:
    """
    An answer, good or not. It has no repr of its fields, since the body may hold secrets.

    :param body: its JSON; None when the status is no 2xx.
    :param message: the hook's error when the status is no 2xx; it may hold the server's own words.
    """

    status: int | None
    body: object = None
    message: str = ""

    @property
    def fields(self) -> Json:
        """The body, when it is an object."""
        return self.body if isinstance(self.body, dict) else {}

    @property
    def results(self) -> list[dict[str, object]]:
        """The objects on a page of a list, or in a bare array."""
        return objects_in(self.fields.get("results", self.body))

    @property
    def sessions(self) -> list[Session]:
        """The same, of a list of sessions."""
        return cast("list[Session]", self.results)


class QuietHook(LessonspaceHook):
    """Logs with a logger of this package: Airflow's for hooks writes lines about retries, which name sessions."""

    @property
    def log(self) -> Any:
        """The logger that ``_without_warnings`` silences."""
        # By name: run with -m, this module is called __main__.
        return logging.getLogger("lessonspace_provider.live_check")


class Account:
    """
    The account as it is seen from outside; what several checks need is asked for once.

    :param hook: whose connection is used.
    :raises LessonspaceAuthError: when it may not list sessions, so that nothing can be checked with it.
    """

    def __init__(self, hook: LessonspaceHook) -> None:
        own = hook.settings.rate_limit
        limit = replace(
            own,
            per_second=min(own.per_second or REQUESTS_PER_SECOND, REQUESTS_PER_SECOND),
            max_wait=min(own.max_wait, LONGEST_WAIT),
        )
        hook.settings = replace(hook.settings, rate_limit=limit)
        self.hook = hook
        self.organisation = f"/organisations/{hook.organisation_id}"
        with suppress(*PASSING_ERRORS):
            _ = self.page

    def ask(self, path: str, *query: tuple[str, str], body: Json | None = None) -> Got:
        """
        Make a call; a status that is no 2xx is an answer as well, such as 404.

        :raises LessonspaceError: when there was no answer, or an inconclusive one: see ``INCONCLUSIVE``, and 5xx.
        """
        method = "GET" if body is None else "POST"
        try:
            answer = self.hook.get_conn().call(method, path, query=query, body=body)
        except LessonspaceError as error:
            if error.status is None or error.status in INCONCLUSIVE or error.status >= 500:
                raise
            return Got(error.status, message=str(error))
        return Got(answer.status, answer.body)

    def sessions_with(self, *query: tuple[str, str]) -> Got:
        """Ask for the first page of sessions, those of one person included."""
        return self.ask(f"{self.organisation}/sessions/", SINGLE_USERS_TOO, *query)

    @cached_property
    def page(self) -> Got:
        """The first page of all sessions."""
        return self.sessions_with()

    @cached_property
    def running(self) -> list[Session]:
        """Sessions in progress."""
        return self.sessions_with(("in_progress_only", "true")).sessions

    @property
    def ended(self) -> list[Session]:
        """Sessions on the first page that have ended."""
        return [session for session in self.page.sessions if end_time(session)]

    @cached_property
    def slug(self) -> str | None:
        """The slug of the space that most sessions of the first page were held in."""
        slugs = [str(space_of(session).get("slug")) for session in self.page.sessions if space_of(session).get("slug")]
        return max(slugs, key=slugs.count, default=None)

    @cached_property
    def space_page(self) -> Got:
        """The first page of that space's own list."""
        return self.ask(f"/spaces/{quote(self.slug or '', safe='')}/sessions/", SINGLE_USERS_TOO)

    @cached_property
    def launches(self) -> tuple[Got, Got]:
        """The answers to two launches of one space, which no link opens after five minutes."""
        now = datetime.now(timezone.utc)
        body = {
            "id": f"live-check-{now:%Y%m%d-%H%M%S}",
            "user": {"name": "Live check", "role": "teacher"},
            "timeouts": {"not_after": (now + timedelta(minutes=5)).isoformat()},
        }
        return self.ask("/spaces/launch/", body=body), self.ask("/spaces/launch/", body=body)

    @cached_property
    def transcript(self) -> tuple[Session, Got] | None:
        """A session and the answer about its transcript, which is there; None when none was found."""
        for session in [s for s in self.ended if transcript_obstacle(s) is None][:MOST_TRIES]:
            answer = self.ask(f"{self.organisation}/sessions/{session.get('uuid')}/transcript/")
            if answer.status == 200:
                return session, answer
        return None
