# SPDX-License-Identifier: Apache-2.0
"""What can go wrong between Airflow and Lessonspace: one base, LessonspaceError, and its kinds."""

from __future__ import annotations


class LessonspaceError(Exception):
    """
    Base of everything this provider raises.

    :param message: what happened, to which session or space, and what to do; never a URL's query, a header,
        a key or a body.
    :param status: HTTP status of the last answer; None when there was no answer.
    :param method: HTTP method of the call, None when no call was made.
    :param path: path of the call without its query, e.g. ``/organisations/1/sessions/``.
    :param retry_after: seconds the server asked to wait, None when it named none.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        method: str | None = None,
        path: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.method = method
        self.path = path
        self.retry_after = retry_after


def begin_with(subject: str, error: LessonspaceError) -> None:
    """
    Begin an error's message with what it is about.

    :param subject: one of many that were asked for, such as ``Space 'maths-7b'``.
    :param error: its class and attributes stay.
    """
    error.args = (f"{subject}: {error}",)


class LessonspaceInputError(LessonspaceError, ValueError):
    """A parameter was refused before any request: the message names it, its value and what is allowed."""


class LessonspaceAuthError(LessonspaceError):
    """401 or 403: the API key is wrong, or not allowed to do this."""


class LessonspaceNotFoundError(LessonspaceError):
    """404: no such session, space or user in this organisation."""


class LessonspaceBadRequestError(LessonspaceError):
    """Any other 4xx: the server refused the request, its field messages are in the text."""


class LessonspaceRateLimitedError(LessonspaceError):
    """The key's requests per second are used up, and waiting longer than ``rate_limit_max_wait`` is not allowed."""


class LessonspaceServerError(LessonspaceError):
    """5xx, or an answer that is not what the API documents, after all retries."""


class LessonspaceConnectionError(LessonspaceError):
    """No answer: connection refused, broken or timed out, after all retries."""


class LessonspaceTlsError(LessonspaceConnectionError):
    """No answer, and none at once on another try: the server's certificate was refused, or it speaks no TLS."""


class LessonspaceDestinationError(LessonspaceError, OSError):
    """A destination can't be written or read: its store refused, or is not there."""


class LessonspaceTranscriptNotReady(LessonspaceError):  # noqa: N818 - the design's public name
    """
    404 for a transcript: not ready yet, never to come, or no such session.

    The API does not tell the three apart (facts, C): ``sessions.transcript_obstacle`` works out the second
    from the session's detail.
    """


#: What a later call may not meet any more: an outage, not a mistake. A certificate may be renewed.
PASSING_ERRORS = (
    LessonspaceConnectionError,
    LessonspaceTlsError,
    LessonspaceRateLimitedError,
    LessonspaceServerError,
)


class LessonspaceLinkExpiredError(LessonspaceError):
    """The store refused a signed link: it works for a limited time (about 12 hours for transcripts; facts, C)."""
